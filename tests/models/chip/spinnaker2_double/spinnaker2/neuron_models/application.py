"""What every program of a PE derives from."""

import assets
from spinnaker2 import Strict


class BaseApplication(Strict):
    def __init__(self, name: str) -> None:
        self.name = name
        self.mem_file = str(assets.path("pe.bin"))
