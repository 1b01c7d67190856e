"""Progress bars, for whatever takes longer than two seconds."""

import sys
from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(items: Iterable[T], what: str, total: float | None = None, unit: str = "") -> "tqdm[T]":
    """`items` with a progress bar on stderr, shown from two seconds on, and only to people."""
    return tqdm(items, desc=what, total=total, unit=unit, delay=2.0, file=sys.stderr, leave=False, dynamic_ncols=True, disable=None)
