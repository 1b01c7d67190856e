"""The known movements that a taught gesture is told apart from, as frames, and what a network remembers of them.

`assets/movements.npz` (written by `models.teaching.simulated`) holds the clips: ``length``, ``fill``, ``cells``, ``values`` of
`models.teaching.clips`, and for every clip ``kind`` (index into ``kinds``, the names), ``onset`` (frame in which movement begins) and
``fitted`` (1 where it is fitted against, 0 where it measures what teaching costs).
"""

import contextlib
import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import assets
from models.teaching.clips import split
from models.teaching.features import WARM, Floats, Network, memories
from pipeline.errors import UserError

FILE = "movements.npz"
EVERY_FITTED, EVERY_MEASURED = 4, 2
"""Of a clip that is fitted against every fourth window counts, of one that measures every second: o changes little in 25 ms."""


@dataclass(frozen=True, slots=True)
class Known:
    """What one set of weights remembers of the known movements, in m windows."""

    memories: Floats
    """[m, H]"""
    kind: npt.NDArray[np.int64]
    """[m]: index into `Movements.kinds`."""
    fitted: npt.NDArray[np.bool_]
    """[m]: whether the window is for the fit; the others measure."""


class Movements:
    """The clips at `path`, by default the bundled ones. UserError if the file is missing or broken."""

    def __init__(self, path: Path | None = None) -> None:
        path = path or assets.path(FILE)
        again = "write it again with `python -m models.teaching.simulated`"
        try:
            self._digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                self._clips = split({name: arrays[name] for name in ("length", "fill", "cells", "values")})
                self._onset, self._kind, self._fitted = (arrays[name].astype(np.int64) for name in ("onset", "kind", "fitted"))
                self.kinds = tuple(str(name) for name in arrays["kinds"])
                """What the clips show: gestures, and scenes without one."""
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(f"The known movements {path} cannot be read ({error}): {again}.") from error
        self._parts: list[Floats] = []
        """What has been computed of `known` so far."""
        rows = {part.shape for part in (self._onset, self._kind, self._fitted)}
        if rows != {(len(self._clips),)} or not self._clips or not 0 <= self._kind.min() <= self._kind.max() < len(self.kinds):
            raise UserError(f"The known movements {path} are incomplete: {again}.")

    def known(self, network: Network, weights: str, cache: Path | None, tell: Callable[[float], None]) -> Known:
        """What `network`, whose weights have the digest `weights`, remembers; kept in the folder `cache`, where it is found again.

        `tell` is told the share of the work that is done, and may raise to break it off; a later call with the same network goes on there.
        """
        place = cache / f"known-{weights}-{self._digest}.npz" if cache else None
        if place and (found := _read(place)):
            return found
        parts = self._parts
        for number in range(len(parts), len(self._clips)):
            tell(number / len(self._clips))
            parts.append(self._of_clip(network, number))
        counts = [len(part) for part in parts]
        known = Known(np.concatenate(parts), np.repeat(self._kind, counts), np.repeat(self._fitted > 0, counts))
        if place:
            _write(place, known)
        return known

    def _of_clip(self, network: Network, number: int) -> Floats:
        """[windows, H]: the windows of clip `number` that count."""
        clip, every = self._clips[number], EVERY_FITTED if self._fitted[number] else EVERY_MEASURED
        return memories(network, clip.frames())[min(int(self._onset[number]) + WARM, len(clip) - 1) :: every]


def _read(place: Path) -> Known | None:
    """What was kept at `place`; None if it is not there or damaged, and then it is made again."""
    try:
        with place.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            known = Known(arrays["memories"], arrays["kind"], arrays["fitted"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    whole = known.memories.dtype == np.float32 and known.memories.ndim == 2 and len(known.memories) == len(known.kind) == len(known.fitted)
    return known if whole else None


def _write(place: Path, known: Known) -> None:
    """Keep `known` at `place`, complete or not at all; a cache that cannot be written is no cache."""
    scratch = place.with_suffix(".part.npz")
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        np.savez(scratch, memories=known.memories, kind=known.kind, fitted=known.fitted)
        scratch.replace(place)
