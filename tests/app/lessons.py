"""Something to teach, and something to teach it to: a small untrained network, and simulated movements that have no name."""

from functools import cache
from pathlib import Path

import numpy as np

import assets
from models import checkpoint
from models.teaching.clips import join, pack, split
from models.teaching.head import Example
from models.teaching.movements import FILE
from pipeline.events import Events
from pipeline.frames import frames_of
from pipeline.simulator import GESTURES, Simulator

UNITS = 48
EXAMPLE_US = 2_500_000
WAVING, PUNCHING = 4, 11
"""Seeds of two movements of the family `other_gestures`, which look nothing like each other."""


def untrained(path: Path, seed: int = 1) -> Path:
    """Weights of a small gesture network at `path`: random, and yet its memory tells movements apart (an echo state network)."""
    rng = np.random.default_rng(seed)
    shapes = {"wx": (2048, 3 * UNITS), "wh": (UNITS, 3 * UNITS), "b": (3 * UNITS,), "d": (3 * UNITS,)}
    tensors = {f"layers.0.{name}": rng.normal(0, 0.08, shape).astype(np.float32) for name, shape in shapes.items()}
    tensors["layers.0.theta"] = np.full(UNITS, 0.05, np.float32)
    tensors["readout.w"] = rng.normal(0, 0.5, (UNITS, len(GESTURES))).astype(np.float32)
    tensors["readout.b"] = np.zeros(len(GESTURES), np.float32)
    config = {"inputs": 2048, "hidden": [UNITS], "window_us": 25_000, "leak": 0.9, "temperature": 1.0, "threshold": 0.5}
    checkpoint.save(path, tensors, {"kind": "gesture", "config": config, "labels": list(GESTURES)})
    return path


def few_movements(path: Path) -> Path:
    """Every eighth pair of the bundled movements at `path`: enough for a small network, and quick."""
    with np.load(assets.path(FILE)) as arrays:
        chosen = [number for number in range(len(arrays["kind"])) if number // (2 * len(arrays["kinds"])) % 8 == 0]
        clips = split({name: arrays[name] for name in ("length", "fill", "cells", "values")})
        about = {name: arrays[name][chosen] for name in ("kind", "onset", "fitted")}
        np.savez(path, kinds=arrays["kinds"], **about, **join([clips[number] for number in chosen]))
    return path


@cache
def movement(seed: int, count: int) -> tuple[Events, ...]:
    """`count` stretches of EXAMPLE_US of a simulated person making one and the same nameless movement."""
    simulator = Simulator("other_gestures", seed, "dvs128")
    simulator.advance(1_000_000)
    return tuple(simulator.advance(EXAMPLE_US) for _ in range(count))


@cache
def examples(seed: int, count: int, counter: bool = False) -> tuple[Example, ...]:
    """The same as examples of as many recordings."""
    stretches = (pack(frames_of(events, 128, 128).counts) for events in movement(seed, count))
    return tuple(Example(clip, f"movement {seed}, take {take}", take, counter) for take, clip in enumerate(stretches))
