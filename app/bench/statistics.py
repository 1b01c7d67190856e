"""What a clip's events look like, in figures that do not depend on knowing what is seen: for comparing simulated with real recordings.

Definitions (also in the words of `MEANINGS`, which the benchmark prints):

interval    Time between one event of a pixel and the next of the same pixel, of either polarity.
repeat      An event that follows another of its pixel and polarity within `REPEAT_US`: sooner than a photoreceptor can follow light, so
            made by the read-out (or by a simulation whose steps are too coarse).
alternation Of two events of a pixel in a row, at most `NEAR_US` apart and no repeat, the second has the other polarity. An edge that
            passes an ideal pixel leaves several events of one polarity; a pixel whose reset overshoots swings back and forth.
isolated    An event without any other, of either polarity and at any of the 8 surrounding pixels, within `NEIGHBOUR_US` before or after it.
            Moving edges fire whole neighbourhoods, noise does not: the share of isolated events estimates the share of noise (the
            criterion of the background-activity filter of Delbruck 2008, "Frame-free dynamic digital vision", but looking both ways in
            time, so that the front of an edge does not count as noise). Very slow edges do look isolated.
ON leads    When something moves, the polarity at its front tells whether it is brighter (ON) or darker (OFF) than what is behind it. In
            windows of 25 ms over the events that are not isolated: the correlation, over both axes, between the velocity of their
            centroid and the offset of the centroid of ON from that of OFF. Near 1 ON leads, near -1 OFF leads; near 0 neither does, or
            several things move at once.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.events import Events

REPEAT_US = 50
NEIGHBOUR_US = 10_000
NEAR_US = 10_000
WINDOW_US = 25_000
LEAST = 5
"""Events of each polarity that a window needs for its centroids to count."""

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]

MEANINGS = {
    "k events/s": "event rate",
    "ON/OFF": "ON events to OFF events",
    "interval p5 ms": "inter-event interval of a pixel, 5th percentile",
    "interval p25 ms": "25th percentile",
    "interval p50 ms": "median",
    "interval p75 ms": "75th percentile",
    "interval p95 ms": "95th percentile",
    "ON repeats %": "ON events that follow another ON event of their pixel within 50 us",
    "OFF repeats %": "OFF events likewise",
    "alternation %": "pairs of events of a pixel within 10 ms, repeats left out, that change polarity",
    "pixels that fire": "pixels with an event at all",
    "width px": "columns between the 5th and the 95th percentile of the events",
    "height px": "rows likewise",
    "busiest tenth %": "events that come from the busiest tenth of the pixels that fire",
    "isolated %": "noise: events with none at the 8 pixels around within 10 ms before or after",
    "isolated/s/px": "the same per second and pixel of the sensor",
    "ON leads": "what is at the front of what moves, ON (1) or OFF (-1): correlation of velocity and offset of ON from OFF",
}
"""The figures of a clip by name, in the order they are printed, and what they are."""


def describe(events: Events, duration_us: int, width: int, height: int) -> dict[str, float]:
    """The figures of `MEANINGS` for a clip with timestamps from 0 to `duration_us`, of a sensor of `width` x `height`.

    What cannot be said of so few events is NaN.
    """
    t, x, y = (events[name].astype(np.int64) for name in ("timestamp", "x", "y"))
    on = events["polarity"] > 0
    alone = isolated(t, x, y, width, height)
    counts = np.sort(np.bincount(y * width + x, minlength=width * height))[::-1]
    fired = int(np.count_nonzero(counts))
    values = [
        len(t) / duration_us * 1e3,
        _ratio(np.count_nonzero(on), np.count_nonzero(~on)),
        *_in_pixels(t, y * width + x, on),
        fired,
        _span(x),
        _span(y),
        100 * _ratio(counts[: -(-fired // 10)].sum(), len(t)),
        100 * _ratio(np.count_nonzero(alone), len(t)),
        np.count_nonzero(alone) / (duration_us * 1e-6) / (width * height),
        leading(t[~alone], x[~alone], y[~alone], on[~alone]),
    ]
    return {name: float(value) for name, value in zip(MEANINGS, values, strict=True)}


def isolated(t: Int64, x: Int64, y: Int64, width: int, height: int) -> npt.NDArray[np.bool_]:
    """Which events (times in order, us) have no other at the 8 pixels around within `NEIGHBOUR_US` before or after."""
    before = _unsupported(t, x, y, width, height)
    return np.asarray(before & _unsupported(-t[::-1], x[::-1], y[::-1], width, height)[::-1])


def leading(t: Int64, x: Int64, y: Int64, on: npt.NDArray[np.bool_]) -> float:
    """The correlation "ON leads": NaN with fewer than 3 steps between windows that have both polarities, or without any movement."""
    window = t // WINDOW_US
    number = int(window[-1]) + 1 if len(window) else 0
    sums = np.array([np.bincount(2 * window + on, weights=w, minlength=2 * number) for w in (np.ones(len(t)), x, y)])
    sums = sums.reshape(3, number, 2)
    counts = sums[0]
    enough = (counts >= LEAST).all(axis=1)
    whole = sums[1:].sum(axis=2) / np.maximum(counts.sum(axis=1), 1)
    apart = sums[1:, :, 1] / np.maximum(counts[:, 1], 1) - sums[1:, :, 0] / np.maximum(counts[:, 0], 1)
    use = np.flatnonzero(enough[:-2] & enough[1:-1] & enough[2:]) + 1
    if len(use) < 3:
        return float("nan")
    velocity, offset = (a - a.mean(axis=1, keepdims=True) for a in (whole[:, use + 1] - whole[:, use - 1], apart[:, use]))
    return _ratio((velocity * offset).sum(), np.sqrt((velocity**2).sum() * (offset**2).sum()))


def _in_pixels(t: Int64, pixel: Int64, on: npt.NDArray[np.bool_]) -> tuple[float, ...]:
    """Quantiles of the interval (ms), repeats among ON and OFF events (%), alternation (%)."""
    order = np.argsort(pixel, kind="stable")
    t, pixel, on = t[order], pixel[order], on[order]
    interval = np.diff(t)[np.diff(pixel) == 0]
    quantiles = np.quantile(interval, (0.05, 0.25, 0.5, 0.75, 0.95)) / 1e3 if len(interval) else np.full(5, np.nan)
    repeat = np.zeros(len(t), np.bool_)
    repeat[1:] = (np.diff(pixel) == 0) & (np.diff(t) < REPEAT_US) & (on[1:] == on[:-1])
    repeats = [100 * _ratio(np.count_nonzero(repeat & which), np.count_nonzero(which)) for which in (on, ~on)]
    t, pixel, on = t[~repeat], pixel[~repeat], on[~repeat]
    near = (np.diff(pixel) == 0) & (np.diff(t) <= NEAR_US)
    return (*quantiles, *repeats, 100 * _ratio(np.count_nonzero(near & (on[1:] != on[:-1])), np.count_nonzero(near)))


def _span(place: Int64) -> float:
    """Pixels from the 5th to the 95th percentile, both included."""
    if not len(place):
        return float("nan")
    low, high = np.quantile(place, (0.05, 0.95))
    return float(high - low + 1)


def _ratio(part: Any, whole: Any) -> float:
    return float(part / whole) if whole else float("nan")


@njit(cache=True, nogil=True)
def _unsupported(t, x, y, width, height):  # type: ignore[no-untyped-def]
    """Which events have no earlier one (in the order given) at the 8 pixels around within `NEIGHBOUR_US`."""
    last = np.full((height + 2, width + 2), np.iinfo(np.int64).min // 2)  # a frame of one pixel saves asking where the sensor ends
    alone = np.empty(len(t), np.bool_)
    for i in range(len(t)):
        row, column = y[i] + 1, x[i] + 1
        newest = np.iinfo(np.int64).min // 2
        for v in range(row - 1, row + 2):
            for u in range(column - 1, column + 2):
                if (v != row or u != column) and last[v, u] > newest:
                    newest = last[v, u]
        alone[i] = t[i] - newest > NEIGHBOUR_US
        last[row, column] = t[i]
    return alone
