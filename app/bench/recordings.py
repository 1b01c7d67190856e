"""Recordings for benchmarks: even noise at a chosen rate, which is the hardest scene for filters because nothing in it repeats."""

from pathlib import Path

import numpy as np

from pipeline.events import EVENT_DTYPE, Events
from pipeline.formats.aedat4 import Aedat4Writer


def noise(rate: float, seconds: float, width: int = 346, height: int = 260, seed: int = 0) -> Events:
    """`rate` events a second, evenly spread over a sensor and over `seconds`."""
    random = np.random.default_rng(seed)
    count = int(rate * seconds)
    events = np.zeros(count, EVENT_DTYPE)
    events["timestamp"] = np.sort(random.integers(0, int(seconds * 1e6), count))
    events["x"] = random.integers(0, width, count)
    events["y"] = random.integers(0, height, count)
    events["polarity"] = random.integers(0, 2, count)
    return events


def write(path: Path, events: Events, width: int = 346, height: int = 260) -> Path:
    """`events` as an AEDAT 4 recording at `path`."""
    with Aedat4Writer(path, width, height, "benchmark") as writer:
        for start in range(0, len(events), 10_000):
            writer.write(events[start : start + 10_000])
    return path
