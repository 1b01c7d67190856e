"""Addresses and places."""

from spinnaker2 import Strict


class WordAddr(int): ...


class ByteAddr(int):
    def to_WordAddr(self) -> WordAddr:
        assert self % 4 == 0
        return WordAddr(self // 4)


class PE(Strict):
    """Not a public name, and not used by its name: what the mapper hands to an application."""

    def __init__(self, x: int, y: int, pe: int) -> None:
        self._place = x, y, pe
