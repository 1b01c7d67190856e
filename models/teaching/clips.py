"""Frames without their zeros: examples and known movements are kept like this, at about a hundred bytes a frame before compression."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.frames import GRID

CELLS = 2 * GRID * GRID
"""Cells of a frame: polarity, row, column."""

Frames = npt.NDArray[np.uint16]
"""[n, 2, 32, 32]: counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """n successive frames."""

    fill: npt.NDArray[np.uint16]
    """[n]: cells of each frame that are not zero."""
    cells: npt.NDArray[np.uint16]
    """[sum of fill]: which they are, (polarity * 32 + row) * 32 + column, rising within a frame."""
    values: npt.NDArray[np.uint8]
    """[sum of fill]: their counts; 255 stands for that many or more."""

    def __len__(self) -> int:
        return self.fill.size

    def frames(self) -> Frames:
        """The frames, as the framer made them but for counts above 255."""
        out = np.zeros((self.fill.size, CELLS), np.uint16)
        out[np.repeat(np.arange(self.fill.size), self.fill), self.cells] = self.values
        return out.reshape(-1, 2, GRID, GRID)

    def key(self) -> bytes:
        """Equal for equal clips only."""
        return b"".join(part.tobytes() for part in (self.fill, self.cells, self.values))


def pack(frames: npt.NDArray[np.unsignedinteger]) -> Clip:
    """The clip of `frames` [n, 2, 32, 32]."""
    flat = np.minimum(frames.reshape(len(frames), CELLS), 255).astype(np.uint8)
    rows, cells = np.nonzero(flat)
    fill = np.bincount(rows, minlength=len(flat)).astype(np.uint16)
    return Clip(fill, cells.astype(np.uint16), flat[rows, cells])


def join(clips: Sequence[Clip]) -> dict[str, npt.NDArray[np.unsignedinteger]]:
    """All clips as four arrays: `length` (frames a clip), `fill`, `cells`, `values`."""
    parts = {name: [getattr(clip, name) for clip in clips] for name in ("fill", "cells", "values")}
    kinds: dict[str, type[np.unsignedinteger]] = {"fill": np.uint16, "cells": np.uint16, "values": np.uint8}
    joined = {name: np.concatenate([np.empty(0, kinds[name]), *parts[name]]) for name in kinds}
    return {"length": np.array([len(clip) for clip in clips], np.uint16)} | joined


def split(arrays: dict[str, npt.NDArray[np.unsignedinteger]]) -> list[Clip]:
    """The clips that `join` made `arrays` of; ValueError with the reason where they do not fit together."""
    for name, kind in (("length", np.uint16), ("fill", np.uint16), ("cells", np.uint16), ("values", np.uint8)):
        if arrays[name].dtype != kind or arrays[name].ndim != 1:
            raise ValueError(f"{name} is not a row of {np.dtype(kind)}")
    length, fill, cells, values = (arrays[name] for name in ("length", "fill", "cells", "values"))
    if int(length.sum()) != fill.size or int(fill.sum(dtype=np.int64)) != cells.size or cells.size != values.size:
        raise ValueError("its examples are incomplete")
    if (cells >= CELLS).any() or (fill > CELLS).any():
        raise ValueError(f"its examples have cells beyond the {CELLS} of a frame")
    frame_ends = np.cumsum(length, dtype=np.int64)
    cell_ends = np.concatenate([[0], np.cumsum(fill, dtype=np.int64)])
    clips, begin = [], 0
    for end in frame_ends:
        first, last = cell_ends[begin], cell_ends[end]
        clips.append(Clip(fill[begin:end], cells[first:last], values[first:last]))
        begin = end
    return clips
