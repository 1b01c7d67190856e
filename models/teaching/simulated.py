"""Writes the known movements (`models.teaching.movements`) from the simulator.

    python -m models.teaching.simulated        writes assets/movements.npz (a minute; no torch)

A clip is 2.5 s of one of the 11 gestures, an idle person or things; of each kind there are 8 pairs. One pair of four is of the preset
`dvs128`, the others are `wide`; every other pair is thinned and noisy, as from a sensor far away. The first clip of a pair is fitted
against, the second measures. The seeds lie beyond those of training.
"""

import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

import assets
from models.teaching.clips import Clip, Frames, join, pack
from models.teaching.movements import FILE
from pipeline.events import EVENT_DTYPE, Events, empty_events
from pipeline.frames import WINDOW_US, Framer
from pipeline.simulator import KINDS, Simulator

PAIRS = 8
CLIP_US = 100 * WINDOW_US
SIDE = 128
SEEDS = 1 << 40
"""Where the seeds begin."""
RATES = (2_000.0, 20_000.0)
"""Events/s that a thinned clip keeps, log-uniform; fewer if it has fewer."""
NOISE = 2_000.0
"""Events/s added to it at most, evenly over the sensor."""


def make(path: Path, pairs: int = PAIRS) -> None:
    """Simulate `pairs` pairs of every kind and write them to `path`."""
    clips: list[Clip] = []
    onset: list[int] = []
    numbers = np.arange(2 * pairs * len(KINDS))
    for number in tqdm(numbers, desc="movements", unit="clip", file=sys.stderr, disable=None):
        frames, first = _simulated(int(number))
        clips.append(pack(frames))
        onset.append(first)
    kind, fitted = (numbers % len(KINDS)).astype(np.uint8), (numbers // len(KINDS) % 2 == 0).astype(np.uint8)
    about = {"kind": kind, "kinds": np.array(KINDS), "fitted": fitted, "onset": np.array(onset, np.uint16)}
    with path.open("wb") as file:
        np.savez_compressed(file, **about, **join(clips))  # type: ignore[arg-type]  # numpy's stub takes no mapping


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
