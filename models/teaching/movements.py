"""The known movements that a taught gesture is told apart from: simulated clips, and what a network remembers of them.

    python -m models.teaching.movements        writes assets/movements.npz (a minute; no torch)

A clip is 2.5 s of one of the 11 gestures or of an idle person; of each kind there are 8 pairs. One pair of four is of the preset `dvs128`,
the others are `wide`; every other pair is thinned and noisy, as from a sensor far away. The first clip of a pair is fitted against, the
second measures what teaching costs (idle people only join the fit). The seeds lie beyond those of training."""

import contextlib
import hashlib
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

import assets
from models.decision import OTHER
from models.teaching.clips import Clip, Frames, join, pack, split
from models.teaching.features import WARM, Floats, Network, memories
from pipeline.errors import UserError
from pipeline.events import EVENT_DTYPE, Events, empty_events
from pipeline.frames import WINDOW_US, Framer
from pipeline.simulator import GESTURES, IDLE, Simulator

FILE = "movements.npz"
KINDS = (*GESTURES, IDLE)
PAIRS = 8
CLIP_US = 100 * WINDOW_US
SIDE = 128
SEEDS = 1 << 40
"""Where the seeds begin."""
RATES = (2_000.0, 20_000.0)
"""Events/s that a thinned clip keeps, log-uniform; fewer if it has fewer."""
NOISE = 2_000.0
"""Events/s added to it at most, evenly over the sensor."""
EVERY = {True: 4, False: 2}
"""Of the clips that are fitted against every fourth window counts, of those that measure every second: o changes little in 25 ms."""


@dataclass(frozen=True, slots=True)
class Known:
    """What one set of weights remembers of the known movements, in m windows."""

    memories: Floats
    """[m, H]"""
    kind: npt.NDArray[np.int64]
    """[m]: index into KINDS."""
    fitted: npt.NDArray[np.bool_]
    """[m]: whether the window is for the fit; the others measure."""


class Movements:
    """The clips at `path`, by default the bundled ones. UserError if the file is missing or broken."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or assets.path(FILE)
        try:
            content = self.path.read_bytes()
            with np.load(self.path, allow_pickle=False) as arrays:
                self._clips = split({name: arrays[name] for name in ("length", "fill", "cells", "values")})
                self._onset = arrays["onset"].astype(np.int64)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            why = "write it again with `python -m models.teaching.movements`"
            raise UserError(f"The known movements {self.path} cannot be read ({error}): {why}.") from error
        if self._onset.shape != (len(self._clips),):
            raise UserError(f"The known movements {self.path} are incomplete: write them again with `python -m models.teaching.movements`.")
        self._digest = hashlib.sha256(content).hexdigest()[:12]

    def known(self, network: Network, weights: str, cache: Path | None = None) -> Known:
        """What `network`, whose weights have the digest `weights`, remembers. Kept in the folder `cache`, where it is found again."""
        place = cache / f"known-{weights}-{self._digest}.npz" if cache else None
        if place and (found := _read(place)):
            return found
        parts = [self._of_clip(network, number) for number in range(len(self._clips))]
        counts = [len(part) for part in parts]
        kind = np.repeat(np.arange(len(parts)) % len(KINDS), counts)
        fitted = np.repeat([_is_fitted(number) for number in range(len(parts))], counts)
        known = Known(np.concatenate(parts), kind, fitted)
        if place:
            _write(place, known)
        return known

    def _of_clip(self, network: Network, number: int) -> Floats:
        """[windows, H]: the windows of clip `number` that count."""
        first = min(int(self._onset[number]) + WARM, len(self._clips[number]) - 1)
        return memories(network, self._clips[number].frames())[first :: EVERY[_is_fitted(number)]]


def label_of(kind: int) -> str:
    """The label that a window of KINDS[kind] should have."""
    return OTHER if KINDS[kind] == IDLE else KINDS[kind]


def _is_fitted(number: int) -> bool:
    return number // len(KINDS) % 2 == 0


def _read(place: Path) -> Known | None:
    """What was kept at `place`; None if it is not there or damaged, and then it is made again."""
    with contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile), np.load(place, allow_pickle=False) as arrays:
        known = Known(arrays["memories"], arrays["kind"], arrays["fitted"])
        if known.memories.dtype == np.float32 and known.memories.ndim == 2 and len(known.memories) == len(known.kind) == len(known.fitted):
            return known
    return None


def _write(place: Path, known: Known) -> None:
    """Keep `known` at `place`, complete or not at all; a cache that cannot be written is no cache."""
    scratch = place.with_suffix(".part.npz")
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        np.savez(scratch, memories=known.memories, kind=known.kind, fitted=known.fitted)
        scratch.replace(place)


def make(path: Path) -> None:
    """Simulate the clips and write them to `path`."""
    clips: list[Clip] = []
    onsets = []
    for number in tqdm(range(2 * PAIRS * len(KINDS)), desc="movements", unit="clip", file=sys.stderr):
        frames, onset = _simulated(number)
        clips.append(pack(frames))
        onsets.append(onset)
    np.savez_compressed(path, onset=np.array(onsets, np.uint16), **join(clips))  # type: ignore[arg-type]  # numpy's stub takes no mapping


def _simulated(number: int) -> tuple[Frames, int]:
    """Frames of clip `number`, and the one in which its movement begins."""
    pair = number // len(KINDS) // 2
    simulator = Simulator(KINDS[number % len(KINDS)], SEEDS + number, "dvs128" if pair % 4 == 3 else "wide", SIDE, SIDE)
    events = simulator.advance(CLIP_US)
    if pair % 2:
        events = _from_afar(events, np.random.default_rng((SEEDS, number)))
    framer = Framer(SIDE, SIDE)
    framer.process(empty_events(), 0)  # the first window starts at 0, whenever the first event comes
    return framer.process(events, CLIP_US).counts, min(simulator.truth.onset_us // WINDOW_US, CLIP_US // WINDOW_US - 1)


def _from_afar(events: Events, rng: np.random.Generator) -> Events:
    """`events` thinned at random, with noise between them, in order of time."""
    seconds = CLIP_US / 1e6
    wanted = np.exp(rng.uniform(*np.log(RATES))) * seconds
    thinned = events[rng.random(len(events)) < wanted / max(len(events), 1)]
    noise = np.zeros(rng.poisson(rng.uniform(0, NOISE) * seconds), EVENT_DTYPE)
    noise["timestamp"] = rng.integers(0, CLIP_US, len(noise))
    noise["x"], noise["y"] = rng.integers(0, SIDE, (2, len(noise)))
    noise["polarity"] = rng.integers(0, 2, len(noise))
    both = np.concatenate([thinned, noise]).astype(EVENT_DTYPE)
    return both[np.argsort(both["timestamp"], kind="stable")]


if __name__ == "__main__":
    make(assets.path(FILE))
