"""Typed reading of a message's fields: a wrong type is a ValueError, a missing field (or null) is the default."""

import math
from collections.abc import Iterator
from typing import Any

WHOLE_LIMIT = 1 << 63
"""Whole numbers beyond this are refused: Qt and numpy could not hold them."""


class Fields:
    """A JSON object whose fields are read with the type they must have."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def has(self, name: str) -> bool:
        """Whether the field is there, null included."""
        return name in self._fields

    def absent(self, name: str) -> bool:
        """Whether the field is missing or null."""
        return self._fields.get(name) is None

    def value(self, name: str) -> Any:
        """The field as it is; None if missing."""
        return self._fields.get(name)

    def text(self, name: str, default: str = "") -> str:
        """A string."""
        value = self._fields.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise ValueError(f"{name} is not a text")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean."""
        value = self._fields.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise ValueError(f"{name} is not true or false")
        return value

    def number(self, name: str, default: float = 0.0) -> float:
        """A finite number."""
        value = self._fields.get(name)
        return default if value is None else _number(value, name)

    def whole(self, name: str, default: int = 0) -> int:
        """A whole number of at most 64 bits."""
        value = self._fields.get(name)
        return default if value is None else _whole(value, name)

    def optional_whole(self, name: str, default: int | None) -> int | None:
        """A whole number or null; the default only where the field is missing."""
        if not self.has(name):
            return default
        return None if self.absent(name) else self.whole(name)

    def part(self, name: str) -> "Fields":
        """An object; an empty one if missing."""
        return Fields(_object(self._fields.get(name) or {}, name))

    def parts(self, name: str) -> "list[Fields]":
        """A list of objects."""
        return [Fields(_object(value, name)) for value in self._list(name)]

    def parts_by_name(self) -> "Iterator[tuple[str, Fields]]":
        """The fields of this object, each an object itself."""
        return ((name, Fields(_object(value, name))) for name, value in self._fields.items())

    def numbers_by_name(self) -> dict[str, float]:
        """The fields of this object, each a number; nulls are left out."""
        return {name: _number(value, name) for name, value in self._fields.items() if value is not None}

    def texts_by_name(self) -> dict[str, str]:
        """The fields of this object, each a string; nulls are empty ones."""
        return {name: self.text(name) for name in self._fields}

    def texts(self, name: str) -> list[str]:
        """A list of strings."""
        values = self._list(name)
        if not all(isinstance(value, str) for value in values):
            raise ValueError(f"{name} holds something that is not a text")
        return values

    def numbers(self, name: str) -> list[float]:
        """A list of finite numbers."""
        return [_number(value, name) for value in self._list(name)]

    def rows(self, name: str, length: int) -> list[list[Any]]:
        """A list of lists of `length` values."""
        rows = self._list(name)
        if not all(isinstance(row, list) and len(row) == length for row in rows):
            raise ValueError(f"{name} does not hold rows of {length}")
        return rows

    def wholes(self, name: str, count: int | None = None) -> list[int]:
        """A list of whole numbers, exactly `count` of them if given."""
        values = [_whole(value, name) for value in self._list(name)]
        if count is not None and len(values) != count:
            raise ValueError(f"{name} does not hold {count} numbers")
        return values

    def mean(self, name: str, default: float = math.nan) -> float:
        """A number, or the mean of a list of numbers (activity comes per layer or as one figure)."""
        if not isinstance(self._fields.get(name), list):
            return self.number(name, default)
        values = self.numbers(name)
        return sum(values) / len(values) if values else default

    def _list(self, name: str) -> list[Any]:
        value = self._fields.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise ValueError(f"{name} is not a list")
        return value


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} is not an object")
    return value


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is not a number")
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError(f"{name} is too large") from error
    if not math.isfinite(number):
        raise ValueError(f"{name} is not finite")
    return number


def _whole(value: Any, name: str) -> int:
    number = _number(value, name)
    if abs(number) >= WHOLE_LIMIT:
        raise ValueError(f"{name} is too large")
    return int(value)
