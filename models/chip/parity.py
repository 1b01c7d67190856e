"""Whether two executors of one program agree: every signal of every step, number by number."""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np

from models.chip.program import Signals


class Steps(Protocol):
    """What is compared: a network on the host, on the emulated chip, on the chip."""

    def step(self, given: Any, /) -> Any:
        """Advance by one step; the logits."""

    @property
    def signals(self) -> Signals:
        """Of the last step."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first number that is not the same."""

    signal: str
    """As models/chip/program.py names it: "x", "layer 0: A", ..., "logits"."""
    index: int
    one: int | None
    other: int | None
    """None where this side has no such number."""


@dataclass(slots=True)
class Parity:
    """What a comparison found."""

    steps: int = 0
    """Compared, the differing one included."""
    numbers: int = 0
    """Signals compared."""
    difference: Difference | None = None


def named(signals: Signals) -> list[tuple[str, Any]]:
    """Every signal with its name, in the order in which they come about."""
    found = [("x", signals.x)]
    for index, layer in enumerate(signals.layers):
        found += [(f"layer {index}: {part.name}", getattr(layer, part.name)) for part in fields(layer)]
    return found + [(name, getattr(signals, name)) for name in ("P", "p", "o", "logits")]


def first_difference(one: Signals, other: Signals, unseen: Container[str] = ()) -> Difference | None:
    """The first signal in which they differ; None where all are the same. Signals called one of `unseen` are not looked at."""
    mine, theirs = ([part for part in named(signals) if part[0] not in unseen] for signals in (one, other))
    for (name, a), (_, b) in zip(mine, theirs, strict=False):
        if a.size != b.size:
            return Difference(name, min(a.size, b.size), *(int(part[-1]) if part.size else None for part in (a, b)))
        wrong = np.flatnonzero(a != b)
        if wrong.size:
            return Difference(name, int(wrong[0]), int(a[wrong[0]]), int(b[wrong[0]]))
    if len(mine) != len(theirs):
        return Difference("layers", min(len(one.layers), len(other.layers)), len(one.layers), len(other.layers))
    return None


def compare(
    one: Steps,
    other: Steps,
    inputs: Iterable[Any],
    after: Callable[[Any], None] = lambda logits: None,
    unseen: Container[str] = (),
) -> Parity:
    """Step both with the same `inputs` until they end or something differs; `after` is told every step's logits of `one`.

    Signals called one of `unseen` are not compared.
    """
    found = Parity()
    for given in inputs:
        logits = one.step(given)
        other.step(given)
        signals = one.signals
        found.steps += 1
        found.numbers += sum(part.size for name, part in named(signals) if name not in unseen)
        found.difference = first_difference(signals, other.signals, unseen)
        if found.difference is not None:
            break
        after(logits)
    return found
