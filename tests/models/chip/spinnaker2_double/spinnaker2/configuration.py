"""What a PE is sent and asked for."""

from spinnaker2 import Strict
from spinnaker2.coordinates import PE, WordAddr


class MemoryRegion(Strict):
    def __init__(self, address: WordAddr, n_words: int) -> None:
        assert isinstance(address, WordAddr)
        self._address, self._words = address, n_words


class PEConfig(Strict):
    def __init__(self, pe: PE, app_name: str, mem_file: str) -> None:
        self._pe, self._name, self._file = pe, app_name, mem_file
        self._sends: dict[int, list[int]] = {}
        self._reads: dict[str, MemoryRegion] = {}

    def add_mem_data_to_send(self, address: WordAddr, words: list[int]) -> None:
        assert isinstance(address, WordAddr) and all(isinstance(word, int) and 0 <= word < 1 << 32 for word in words)
        self._sends[4 * address] = words

    def add_mem_region_to_read(self, name: str, region: MemoryRegion) -> None:
        self._reads[name] = region
