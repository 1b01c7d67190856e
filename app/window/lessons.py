"""What the engine says of teaching, as plain records, read out of its ``teach`` message (ValueError where a field has a wrong type)."""

import math
from dataclasses import dataclass

from app.window.fields import Fields

MOST_CLASSES = 200
"""A larger confusion matrix is none of ours."""

Matrix = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """An example that waits to be learnt: windows with movement, and what most of them are read as by the network alone."""

    id: int
    windows: int
    label: str
    share: float
    counter: bool


@dataclass(frozen=True, slots=True)
class Taught:
    """How well a taught gesture is found: shares of held-out windows, NaN where nothing could be held out."""

    name: str
    examples: int = 0
    found: float = math.nan
    accepted: float = math.nan


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to be said of what was taught (`models.teaching.figures`)."""

    kind: str
    name: str
    label: str
    share: float
    count: int


@dataclass(frozen=True, slots=True)
class Teaching:
    """State of teaching, and the figures of everything that is taught."""

    state: str = "idle"
    share: float = 0.0
    counter: bool = False
    examples: tuple[Shown, ...] = ()
    taught: tuple[Taught, ...] = ()
    newest: str = ""
    labels: tuple[str, ...] = ()
    """Rows and columns of the matrices."""
    before: Matrix = ()
    """Windows of class [row] that were read as [column] by the network alone."""
    after: Matrix = ()
    known_before: float = math.nan
    """Share of the old gestures' windows that were read right."""
    known_after: float = math.nan
    remarks: tuple[Remark, ...] = ()


def teaching_of(m: Fields) -> Teaching:
    """The record of a ``teach`` message; an empty one where nothing is said."""
    figures = m.part("figures")
    labels = tuple(figures.texts("labels"))
    known, found = figures.part("known"), figures.part("taught")
    return Teaching(
        state=m.text("state", "idle"),
        share=m.number("share"),
        counter=m.flag("counter"),
        examples=tuple(
            Shown(e.whole("id"), e.whole("windows"), e.text("label"), e.number("share"), e.flag("counter")) for e in m.parts("examples")
        ),
        taught=tuple(_taught(name, found.part(name)) for name in m.texts("taught")),
        newest=m.text("newest"),
        labels=labels,
        before=_matrix(figures, "before", len(labels)),
        after=_matrix(figures, "after", len(labels)),
        known_before=known.number("before", math.nan),
        known_after=known.number("after", math.nan),
        remarks=tuple(
            Remark(r.text("kind"), r.text("name"), r.text("label"), r.number("share"), r.whole("count")) for r in figures.parts("remarks")
        ),
    )


def _taught(name: str, own: Fields) -> Taught:
    return Taught(name, own.whole("examples"), own.number("found", math.nan), own.number("accepted", math.nan))


def _matrix(figures: Fields, name: str, size: int) -> Matrix:
    """The square matrix `name` with `size` rows; empty if it is not there."""
    if figures.absent(name):
        return ()
    rows = figures.value(name)
    if not isinstance(rows, list) or len(rows) != size or size > MOST_CLASSES:
        raise ValueError(f"{name} does not have {size} rows")
    return tuple(tuple(Fields({name: row}).wholes(name, size)) for row in rows)
