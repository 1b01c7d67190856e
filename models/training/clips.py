"""Simulated clips as frames, kept on disk so that an epoch costs no simulation.

A clip is `SECONDS` of a simulated person (`pipeline.simulator`) seen through the live application's own filters and pooling
(`pipeline.frames`). Each is kept in two takes:

    plain     every event, default filters;
    poor      events thinned, aiming at a rate drawn between 2,000/s and the clip's own, as in less light: pixels of a high threshold
              lose more of them, the same pixels throughout, and together somewhat more than was drawn (`poor`). Noise added over the
              sensor, a part of it in pairs as a real sensor's, so that it passes the filters; and for some the filters off or of
              another length.

Real recordings of a person at a distance have 3,400 to 5,000 events/s, of which about half is noise: 13 to 24 events a frame on average
after the filters (`tests/pipeline/simulator/test_far.py`).
Four fifths of the gestures of the `wide` preset make over 150, and thinning leaves the shape of a near person; so of four rounds of clips
(`ROUNDS`) one is of far or faint people (`far`), and one of the narrow preset (`dvs128`).

Clips are numbered, and number n of a split is the same whatever else is generated: kind from n mod 16 (`ORDER`), seed from n. Things come
three times and idle people twice in a round: what is to be rejected is the most varied class by far, and a window that no one performs
before sees nothing else. The loss takes clips as they come, so this makes the network slower to name a gesture, too: a visitor forgives
that sooner than a name for nothing.
They lie in shards of `SHARD` clips, ``train-0007.npy`` (uint8 counts, memory-mapped when read) and ``train-0007.info.npy``. What is there
is not made again: after a change to the simulator, the filters or the pooling, take another folder.
"""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from pipeline.errors import UserError
from pipeline.events import EVENT_DTYPE, Events, empty_events
from pipeline.filters import NO_FILTERS, FilterSettings
from pipeline.frames import GRID, WINDOW_US, Framer
from pipeline.simulator import GESTURES, IDLE, KINDS, THINGS, Simulator
from pipeline.simulator.noise import BESIDE, JOINED_US

SECONDS = 3
FRAMES = SECONDS * 1_000_000 // WINDOW_US
LABELS = tuple(GESTURES.index(kind if kind in GESTURES else "other_gestures") for kind in KINDS)
"""Class of every kind. Idle people and things are trained as `other_gestures`: no class of their own, and never one of the ten."""
ORDER = (*KINDS, THINGS, IDLE, THINGS)
"""Kinds of the successive clips of a round."""
ROUNDS = ("wide", "far", "wide", "dvs128")
"""Presets of successive rounds."""
TAKES = 2
SHARD = len(ROUNDS) * len(ORDER)
SPLITS = {"train": 0, "held-out": 1 << 30}
"""Where the seeds of a split begin; they never meet."""
WIDTH = HEIGHT = 128
LEAST_RATE = 2_000.0
LEAST_OF_FAR = 0.5
"""Least share drawn for the events of far people, which are few anyway; somewhat less may be left, see `poor`."""
MOST_NOISE = 3_000.0
"""Events/s added evenly over the sensor at most: 0.18 a pixel. Their ON share differs from sensor to sensor (leak makes ON events)."""
MOST_PAIRED = 0.5
"""Share of these at most that a neighbour joins (`pipeline.simulator.noise`)."""
MOST_UNEQUAL = 1.0
"""Standard deviation of the logarithm of a pixel's sensitivity at most, where events are thinned."""
POOR_FILTERS = (*[FilterSettings()] * 4, NO_FILTERS, FilterSettings(background_us=4_000, refractory_us=3_000, hot_pixel=False))

Counts = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Clips:
    """Clips of one split, each take counted as one: frames uint8 [FRAMES, 2, 32, 32], class, and the frame in which movement begins."""

    counts: list[Counts]
    label: npt.NDArray[np.int64]
    onset: npt.NDArray[np.int64]
    kind: npt.NDArray[np.int64]
    """Index into KINDS: tells idle people and things from other gestures."""

    takes: int = 1
    """Successive clips that show the same movement."""

    def __len__(self) -> int:
        return len(self.counts)


def poor(events: Events, rng: np.random.Generator, least: float = 0.0) -> Events:
    """The events of a clip thinned, and noise added, in order of time.

    The share to keep is drawn between `least` and 1, uniformly in the logarithm, and no lower than leaves LEAST_RATE. Each pixel's part of
    it is this share times the pixel's sensitivity over the mean sensitivity of the events. No pixel can keep more than all, and what lies
    above 1 is not given to the others: less than was drawn is left the more unequal the pixels are and the nearer the share is to 1. Where
    every pixel fires alike, a share of 0.5 may leave 0.43, and one of 1 may leave 0.61.
    """
    rate = max(len(events) / SECONDS, LEAST_RATE)
    keep = float(np.exp(rng.uniform(np.log(max(LEAST_RATE / rate, least)), 0.0)))
    sensitivity = np.exp(rng.uniform(0.0, MOST_UNEQUAL) * rng.standard_normal((HEIGHT, WIDTH)))
    share = keep * sensitivity[events["y"], events["x"]]
    share *= keep * max(len(events), 1) / max(float(share.sum()), 1e-9)
    thinned = events[rng.random(len(events)) < share]
    both = np.concatenate([thinned, _paired(_noise(rng), rng)]).astype(EVENT_DTYPE)
    return both[np.argsort(both["timestamp"], kind="stable")]


def _noise(rng: np.random.Generator) -> Events:
    """Events evenly over sensor and time, not in order."""
    noise = np.zeros(rng.poisson(rng.uniform(0, MOST_NOISE) * rng.random() * SECONDS), EVENT_DTYPE)
    noise["timestamp"] = rng.integers(0, SECONDS * 1_000_000, len(noise))
    noise["x"], noise["y"] = rng.integers(0, WIDTH, len(noise)), rng.integers(0, HEIGHT, len(noise))
    noise["polarity"] = rng.random(len(noise)) < rng.uniform(0.2, 0.9)
    return noise


def _paired(noise: Events, rng: np.random.Generator) -> Events:
    """The same events and, for a drawn share of them, one beside each within 10 ms, where there is a pixel and time is left."""
    joining = noise[rng.random(len(noise)) < rng.uniform(0.0, MOST_PAIRED)]
    beside = BESIDE[rng.integers(0, len(BESIDE), len(joining))]
    x, y = joining["x"].astype(np.int64) + beside[:, 0], joining["y"].astype(np.int64) + beside[:, 1]
    later = joining["timestamp"] + rng.integers(0, JOINED_US, len(joining))
    joining["timestamp"], joining["x"], joining["y"] = later, np.clip(x, 0, WIDTH - 1), np.clip(y, 0, HEIGHT - 1)
    inside = (joining["x"] == x) & (joining["y"] == y) & (later < SECONDS * 1_000_000)
    return np.concatenate([noise, joining[inside]])


def frames(events: Events, settings: FilterSettings) -> Counts:
    """The FRAMES frames of a clip that starts at time 0, counts above 255 cut."""
    framer = Framer(WIDTH, HEIGHT, settings)
    framer.process(empty_events(), 0)  # the first window starts at 0, whenever the first event comes
    return np.minimum(framer.process(events, SECONDS * 1_000_000).counts, 255).astype(np.uint8)


def make(split: str, number: int) -> tuple[list[Counts], tuple[int, int]]:
    """Clip `number` of `split`: its takes, and (kind, onset frame)."""
    kind, seed = ORDER[number % len(ORDER)], SPLITS[split] + number
    preset = ROUNDS[number // len(ORDER) % len(ROUNDS)]
    simulator = Simulator(kind, seed, preset, WIDTH, HEIGHT)
    events = simulator.advance(SECONDS * 1_000_000).astype(EVENT_DTYPE)
    rng = np.random.default_rng((seed, 77))
    worse = poor(events, rng, LEAST_OF_FAR if preset == "far" else 0.0)
    takes = [frames(events, FilterSettings()), frames(worse, POOR_FILTERS[rng.integers(len(POOR_FILTERS))])]
    return takes, (KINDS.index(kind), min(simulator.truth.onset_us // WINDOW_US, FRAMES - 1))


def prepare(folder: Path, split: str, clips: int) -> None:
    """Generate what is missing of the first `clips` clips of `split` (rounded up to whole shards) in `folder`."""
    missing = [index for index in range(-(-clips // SHARD)) if not _shard(folder, split, index).exists()]
    if not missing:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        workers = min(os.cpu_count() or 1, len(missing))
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            made = pool.map(_write_shard, repeat(folder), repeat(split), missing)
            for _ in tqdm(made, desc=f"{split} clips", unit=f"x{SHARD}", total=len(missing), mininterval=2):
                pass
    except OSError as error:
        raise UserError(f"The clips could not be written to {folder} ({error.strerror}); a thousand of them take 0.5 GB.") from error


def _write_shard(folder: Path, split: str, index: int) -> None:
    path = _shard(folder, split, index)
    counts = np.zeros((SHARD * TAKES, FRAMES, 2, GRID, GRID), np.uint8)
    info = np.zeros((SHARD * TAKES, 2), np.int64)
    for place in range(SHARD):
        takes, about = make(split, index * SHARD + place)
        for take, content in enumerate(takes):
            counts[place * TAKES + take], info[place * TAKES + take] = content, about
    np.save(path.with_suffix(".info.npy"), info)
    scratch = path.with_suffix(".part.npy")
    np.save(scratch, counts)
    scratch.replace(path)  # a shard that has its name is complete


def read(folder: Path, split: str, clips: int) -> Clips:
    """The first `clips` clips (rounded up to whole shards) of `split`, all takes; `prepare` comes first. Memory-mapped."""
    paths = [_shard(folder, split, index) for index in range(-(-clips // SHARD))]
    info = np.concatenate([np.load(path.with_suffix(".info.npy")) for path in paths])
    counts = [clip for path in paths for clip in np.load(path, mmap_mode="r")]
    kind, onset = info.T
    return Clips(counts, np.array(LABELS)[kind], onset, kind, TAKES)


def _shard(folder: Path, split: str, index: int) -> Path:
    return folder / f"{split}-{index:04d}.npy"
