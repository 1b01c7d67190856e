"""Variations of a framed clip: what may change in a scene without changing the gesture, or changes it in a known way.

A variation moves single events. Every event of a frame gets a moment within its window and a place within its cell, both at random, and is
then carried along: time is stretched, the picture mirrored, turned, zoomed and shifted, events are dropped or doubled, a part of the view
is covered, noise is added. So a zoomed clip has no empty rows, and a slow one no doubled frames. What is drawn follows from the
generator that is given, so a batch is the same whenever it is made again.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.frames import GRID

MIRRORED = (0, 2, 1, 6, 5, 4, 3, 7, 8, 9, 10)
"""Class seen in a mirror: hands exchange, and so does the sense in which an arm turns (right clockwise <-> left counter-clockwise)."""

Counts = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Ranges:
    """From what variations are drawn."""

    shift: float = 4.0
    """Cells: an eighth of the view."""
    zoom: float = 1.25
    aspect: float = 1.2
    """Of width to height, at most."""
    turn: float = 0.15
    """Radians."""
    tempo: float = 1.3
    fewest: float = 0.15
    """Share of its events that a thinned clip keeps at least."""
    imbalance: float = 0.4
    """Log ratio of ON to OFF events at most."""
    exchange: bool = True
    """Mirror and exchange of polarities, half the time each."""
    rebound: float = 0.15
    """Share of clips of a sensor whose pixels answer an event with its opposite, seen without the filter that takes these away."""
    covered: float = 0.2
    """Share of clips of which a part is covered."""


@dataclass(frozen=True, slots=True)
class Variation:
    """One way to see a clip."""

    mirror: bool = False
    swap: bool = False
    """Exchange the polarities: whether limbs are brighter or darker than what is behind them is an accident of the scene."""
    tempo: float = 1.0
    matrix: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 1.0)
    """(xx, xy, yx, yy) about the middle of the view."""
    shift: tuple[float, float] = (0.0, 0.0)
    keep: tuple[float, float] = (1.0, 1.0)
    """OFF and ON events that come of one, on average."""
    rebound: float = 0.0
    """Probability that an event is followed, within its frame, by one of the other polarity at its place.

    Of the successive events of a pixel of the real DVS128 recordings that lie 0.05 to 3 ms apart, all change polarity, and they are a fifth
    to a third of all events: an edge makes an event and its rebound, and polarity says little."""
    noise: float = 0.0
    """Events a cell and frame, added evenly over the view; half of them in pairs, as a noisy pixel's neighbours join it."""
    noise_on: float = 0.5
    """Share of them that are ON."""
    covered: tuple[int, int, int, int] = (0, 0, 0, 0)
    """x, y, width, height of a rectangle that nothing is seen through."""

    def label(self, label: int) -> int:
        """What a gesture of this class is called now."""
        return MIRRORED[label] if self.mirror else label

    def frame(self, frame: int, start: int) -> int:
        """Where a frame of the clip lies now, when frame `start` has become the first."""
        return int(np.ceil((frame - start) / self.tempo))


def draw(rng: np.random.Generator, ranges: Ranges) -> Variation:
    """A random variation. Thinning, noise and covering come in some clips, the rest in all."""

    def factor(most: float) -> float:
        return float(np.exp(rng.uniform(-np.log(most), np.log(most))))

    turn, zoom, aspect, tilt = (
        rng.uniform(-ranges.turn, ranges.turn),
        factor(ranges.zoom),
        factor(ranges.aspect**0.5),
        rng.uniform(-0.5, 0.5),
    )
    cosine, sine = float(np.cos(turn)) * zoom, float(np.sin(turn)) * zoom
    amount = float(np.exp(rng.uniform(np.log(ranges.fewest), 0.0))) if rng.random() < 0.35 else float(rng.uniform(0.8, 1.4))
    more_on = float(np.exp(tilt * ranges.imbalance))
    noise = float(np.exp(rng.uniform(np.log(3e-4), np.log(2e-2)))) if rng.random() < 0.5 else 0.0
    left, top, width, height = (int(value) for value in (*rng.integers(0, 24, 2), *rng.integers(3, 9, 2)))
    mirror, swap = rng.random(2) < 0.5
    rebound = float(rng.uniform(0.2, 1.0)) if rng.random() < ranges.rebound else 0.0
    amount /= 1 + rebound
    return Variation(
        mirror=ranges.exchange and bool(mirror),
        swap=ranges.exchange and bool(swap),
        tempo=factor(ranges.tempo),
        matrix=(cosine * aspect, -sine * aspect, sine / aspect, cosine / aspect),
        shift=(float(rng.uniform(-ranges.shift, ranges.shift)), float(rng.uniform(-ranges.shift, ranges.shift))),
        keep=(amount / more_on, amount * more_on),
        rebound=rebound,
        noise=noise,
        noise_on=float(rng.uniform(0.2, 0.9)),
        covered=(left, top, width, height) if rng.random() < ranges.covered else (0, 0, 0, 0),
    )


def vary(counts: Counts, start: int, variation: Variation, out: Counts, seed: int) -> None:
    """Write to `out` [n, 2, 32, 32] what becomes of the clip `counts` [m, 2, 32, 32] from frame `start` on; counts stop at 255.

    Where the clip ends before `out` does, no events but noise follow.
    """
    out[:] = 0
    v = variation
    _carry(counts, start, v.tempo, (v.mirror, v.swap), v.matrix, v.shift, v.keep, v.rebound, v.covered, out, np.uint64(seed))
    if variation.noise:
        rng = np.random.default_rng(seed)
        amount = rng.poisson(v.noise * out.size / 3)  # two polarities; places that get one event or two
        on = (rng.random(amount) < v.noise_on).astype(np.int64)
        places = np.ravel_multi_index((rng.integers(0, len(out), amount), on, *rng.integers(0, GRID, (2, amount))), out.shape)
        _sprinkle(out, np.repeat(places, 1 + (rng.random(amount) < 0.5)))


@njit(cache=True, nogil=True)
def _sprinkle(out: Counts, places: npt.NDArray[np.int64]) -> None:
    flat = out.reshape(-1)
    for place in places:
        flat[place] += np.uint8(flat[place] < 255)


@njit(cache=True, nogil=True)
def _random(state: np.uint64) -> np.uint64:
    """The next state of xorshift64 (Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8(14), 2003)."""
    state ^= state << np.uint64(13)
    state ^= state >> np.uint64(7)
    return state ^ (state << np.uint64(17))


@njit(cache=True, nogil=True)
def _share(state: np.uint64, part: int) -> float:
    """One of three numbers in [0, 1) that a state holds."""
    return np.float64((state >> np.uint64(21 * part)) & np.uint64(0x1FFFFF)) / 2097152.0


@njit(cache=True, nogil=True)
def _carry(counts, start, tempo, flags, matrix, shift, keep, rebound, covered, out, seed):  # type: ignore[no-untyped-def]
    mirror, swap = flags
    left, top, width, height = covered
    middle = GRID / 2.0
    state = _random(_random(seed * np.uint64(0x9E3779B97F4A7C15) + np.uint64(1)))
    last = min(counts.shape[0], start + int(np.ceil(out.shape[0] * tempo)) + 1)
    for frame in range(start, last):
        words = counts[frame].reshape(-1).view(np.uint64)  # eight cells at a time: most are empty
        for word in range(words.size):
            if words[word] == 0:
                continue
            for cell in range(8 * word, 8 * word + 8):
                polarity, y, x = cell // (GRID * GRID), cell // GRID % GRID, cell % GRID
                into = 1 - polarity if swap else polarity
                for _ in range(counts[frame, polarity, y, x]):
                    state = _random(state)
                    moment = int((frame - start + _share(state, 0)) / tempo)
                    dx, dy = x + _share(state, 1) - middle, y + _share(state, 2) - middle
                    dx = -dx if mirror else dx
                    column = int(np.floor(matrix[0] * dx + matrix[1] * dy + shift[0] + middle))
                    row = int(np.floor(matrix[2] * dx + matrix[3] * dy + shift[1] + middle))
                    if moment >= out.shape[0] or not (0 <= column < GRID and 0 <= row < GRID):
                        continue
                    if left <= column < left + width and top <= row < top + height:
                        continue
                    state = _random(state)
                    copies = int(keep[into] + _share(state, 0))
                    out[moment, into, row, column] = min(out[moment, into, row, column] + copies, 255)
                    if copies > 0 and _share(state, 1) < rebound:
                        out[moment, 1 - into, row, column] = min(out[moment, 1 - into, row, column] + copies, 255)
