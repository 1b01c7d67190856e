"""Variations of a framed clip: what may change in a scene without changing the gesture, or changes it in a known way.

Everything works on uint8 counts [T, 2, 32, 32] and draws from the generator it is given, so a batch is the same whenever it is made again.
"""

import numpy as np
import numpy.typing as npt

from pipeline.frames import GRID

MIRRORED = (0, 2, 1, 6, 5, 4, 3, 7, 8, 9, 10)
"""Class seen in a mirror: hands exchange, and so does the sense in which an arm turns (right clockwise <-> left counter-clockwise)."""
LARGEST_SHIFT = 4
"""Cells: an eighth of the view."""
ZOOM = 1.25

Counts = npt.NDArray[np.uint8]


def vary(counts: Counts, label: int, rng: np.random.Generator) -> tuple[Counts, int]:
    """A random variation of a clip and its class.

    Mirror and exchanged polarity come half the time each (whether limbs are brighter or darker than what is behind them is an accident of
    the scene), shift and zoom always, thinning and noise in one clip of four each.
    """
    if rng.random() < 0.5:
        counts, label = counts[..., ::-1], MIRRORED[label]
    if rng.random() < 0.5:
        counts = counts[:, ::-1]
    counts = moved(counts, rng)
    if rng.random() < 0.25:
        counts = thinned(counts, float(np.exp(rng.uniform(np.log(0.2), 0.0))), rng)
    if rng.random() < 0.25:
        counts = noisy(counts, float(np.exp(rng.uniform(np.log(1e-4), np.log(1e-2)))), rng)
    return counts, label


def moved(counts: Counts, rng: np.random.Generator) -> Counts:
    """Shifted by up to LARGEST_SHIFT cells and zoomed by up to ZOOM about the middle; what comes from outside the view is empty."""
    zoom = np.exp(rng.uniform(-np.log(ZOOM), np.log(ZOOM)))
    middle = (GRID - 1) / 2
    for axis in (2, 3):
        source = np.rint((np.arange(GRID) - middle) / zoom + middle - rng.integers(-LARGEST_SHIFT, LARGEST_SHIFT + 1)).astype(np.int64)
        inside = (source >= 0) & (source < GRID)
        counts = counts.take(np.where(inside, source, 0), axis)
        counts *= inside.astype(np.uint8).reshape((-1, 1) if axis == 2 else (-1,))
    return counts


def thinned(counts: Counts, keep: float, rng: np.random.Generator) -> Counts:
    """Every event kept with probability `keep`."""
    places = np.nonzero(counts)
    counts = counts.copy()
    counts[places] = rng.binomial(counts[places], keep)
    return counts


def noisy(counts: Counts, rate: float, rng: np.random.Generator) -> Counts:
    """`rate` events a cell, polarity and frame added evenly."""
    counts = counts.copy()
    flat = counts.reshape(-1)
    places = rng.integers(0, flat.size, rng.poisson(rate * flat.size))
    flat[places] = np.minimum(flat[places], 254) + 1
    return counts
