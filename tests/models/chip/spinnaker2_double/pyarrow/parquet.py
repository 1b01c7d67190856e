"""Tables."""

import json
from pathlib import Path
from typing import Any


class Table:
    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self._columns = columns

    def to_pydict(self) -> dict[str, list[Any]]:
        return self._columns


def read_table(path: Path) -> Table:
    return Table(json.loads(path.read_text()))
