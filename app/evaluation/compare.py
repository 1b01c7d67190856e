"""Two evaluations side by side: every figure of the one against the same figure of the other."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import UserError

LARGEST = 64 << 20
"""Bytes of an evaluation's JSON that is read."""
_APART = ("files", "version", "type", "kind")
"""Fields that are no figures, or too many."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure, before and after; None where it is only in the other evaluation."""

    figure: str
    """Its place, e.g. ``decision_time.median_ms``."""
    before: float | None
    after: float | None

    def __str__(self) -> str:
        if self.before is None or self.after is None:
            return f"{self.figure}: {_told(self.before)} -> {_told(self.after)}"
        return f"{self.figure}: {_told(self.before)} -> {_told(self.after)} ({self.after - self.before:+.6g})"


def read_earlier(path: Path) -> dict[str, Any]:
    """The evaluation that `egret evaluate gesture --json` printed into `path`. UserError if it is none."""
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        earlier = next(line for line in lines if isinstance(line, dict) and line.get("type") == "evaluation")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): name a file that `egret evaluate gesture --json` wrote.") from error
    except (ValueError, StopIteration, RecursionError):
        raise UserError(f"{path} is no evaluation: name a file that `egret evaluate gesture --json` wrote.") from None
    return earlier


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """Every figure that is not the same in both, in the order of `after`."""
    old, new = dict(_figures(before)), dict(_figures(after))
    order = [*new, *(figure for figure in old if figure not in new)]
    return [Change(figure, old.get(figure), new.get(figure)) for figure in order if old.get(figure) != new.get(figure)]


def _figures(value: Any, place: str = "") -> list[tuple[str, float]]:
    """The numbers in `value` and where in it they are; points of a curve are called by their threshold."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [(place, value)]
    if isinstance(value, dict):
        parts = [(f"{place}.{key}" if place else key, part) for key, part in value.items() if place or key not in _APART]
    elif isinstance(value, list):
        names = [part.get("threshold", index) if isinstance(part, dict) else index for index, part in enumerate(value)]
        parts = [(f"{place}[{name}]", part) for name, part in zip(names, value, strict=True)]
    else:
        return []
    return [figure for inner, part in parts for figure in _figures(part, inner)]


def _told(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
