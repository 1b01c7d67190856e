"""Which events are believed to be of the scene: five filters, in one test per event.

They work in this order, each on what the one before let through, and each can be switched off:

region       Events outside a rectangle of pixels are dropped.
polarity     Only ON, only OFF, or both.
hot pixel    A pixel is hot if, in one interval of `HOT_INTERVAL_US` of sensor time, it fired more than `HOT_EVENTS` times *and* more
             often than seven of its eight neighbours together (the busiest is left out, so that a pair of hot pixels is found too). A
             moving edge fires whole neighbourhoods, a broken pixel fires alone. It is dropped in the interval that follows, and judged
             again from what it fired there. Intervals lie at multiples of their length, so the verdicts depend on sensor time alone.
refractory   After an event a pixel is deaf for `refractory_us`; an event exactly that much later is heard again.
background   An event is kept only if one of the eight neighbours (not the pixel itself) fired less than `background_us` earlier. An
             event that is dropped here still counts as its neighbours' support. This is the filter of T. Delbruck, "Frame-free dynamic
             digital vision", 2008, as dv-processing's BackgroundActivityNoiseFilter has it, and gives the same events bit for bit, but
             for one thing: dv starts from a picture of zeros, so near time 0 every event passes; here a pixel that never fired
             supports nobody.

The last two share one picture of times: "the last event that the pixel's refractory period let through" is what both ask for.

The state lives in plain arrays (`FilterState`) and each test is a compiled function of one event, which `pipeline.frames` fuses with the
binning into one loop over the packet. Those functions are inlined before compilation (`inline="always"`): as calls, numba would count
references to the arrays at every event, four times the cost of the tests themselves. Coordinates are unsigned there, which spares
numba's test for negative indices; a saturating count is written without a branch, since LLVM makes a slow one of it.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.errors import USAGE, UserError

HOT_INTERVAL_US = 500_000
"""How long a pixel is watched before it is called hot, us of sensor time."""
HOT_EVENTS = 25
"""A pixel that fires no more than this in an interval (50 events/s) is never hot."""

LONGEST_US = 1_000_000_000
"""Upper limit of the settings that are times, us."""

NEVER = -(1 << 62)
"""The time of the last event of a pixel that has not fired, us."""

Region = tuple[int, int, int, int]
Polarity = Literal["both", "on", "off"]


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """What to keep; None or False switches a filter off. UserError (usage) for a value that means nothing.

    The defaults are chosen on real recordings (a DVS128, a hand waving, 0.003 to 0.065 Mev/s). 10 ms of background activity keeps 24-32 %
    of the events where the hand is far and 68-75 % where it is near, while of evenly spread noise at the far recordings' rate some 2 %
    would find a neighbour by chance; 2 ms (usual for megapixel sensors) keeps only 9-12 % of the far hand.

    10 ms of refractory period leaves one event of an edge that passes a pixel. A DVS128 sends more: 13-14 % of its events are repeats
    within 50 us, and of the successive events of a pixel that lie 0.05 to 10 ms apart 92 to 100 % change polarity: an event and its
    rebound, which say nothing of the scene and drown what polarity does say. Cells of a frame in which both polarities fire fall from
    66 to 19 % where the hand is near (31 to 5 % where it is far) while 95 % (93 %) of the cells in which anything fires are left; 1 ms
    still has 60 % (27 %).
    """

    background_us: int | None = 10_000
    """An event needs a neighbour that fired less than this before it, us."""
    refractory_us: int | None = 10_000
    """A pixel is deaf for this long after an event, us."""
    hot_pixel: bool = True
    """Drop pixels that fire implausibly often."""
    polarity: Polarity = "both"
    """Which polarity to keep."""
    region: Region | None = None
    """Keep only pixels of the rectangle (x, y, width, height); what of it lies outside the sensor keeps nothing."""

    def __post_init__(self) -> None:
        for name, value in (("background_us", self.background_us), ("refractory_us", self.refractory_us)):
            if value is not None and not (_is_whole(value) and 0 < value <= LONGEST_US):
                raise UserError(f"The filter setting {name} is {value!r}; use microseconds from 1 to {LONGEST_US}, or null for off.", USAGE)
        if not isinstance(self.hot_pixel, bool):
            raise UserError(f"The filter setting hot_pixel is {self.hot_pixel!r}; use true or false.", USAGE)
        if self.polarity not in ("both", "on", "off"):
            raise UserError(f"The filter setting polarity is {self.polarity!r}; use both, on or off.", USAGE)
        region = self.region
        if region is not None and not (len(region) == 4 and all(map(_is_whole, region)) and min(region[2:]) > 0):
            raise UserError(f"The filter setting region is {region}; use x, y, width, height in pixels, the last two at least 1.", USAGE)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


NO_FILTERS = FilterSettings(background_us=None, refractory_us=None, hot_pixel=False)
"""Every event of the sensor passes."""


class FilterState(NamedTuple):
    """What the filters remember of a sensor of H x W pixels, and what they are set to; arrays that the compiled loop writes in place."""

    last_us: npt.NDArray[np.int64]
    """[H + 2, W + 2]: time of the last event past the refractory period; a border of pixels that never fire saves asking for edges."""
    fired: npt.NDArray[np.uint16]
    """[H, W]: events in the current hot-pixel interval, saturating."""
    hot: npt.NDArray[np.bool_]
    """[H, W]: verdict on the interval before."""
    interval_end_us: npt.NDArray[np.int64]
    """[1]: end of the current hot-pixel interval."""
    limits: npt.NDArray[np.int64]
    """[4]: background_us, refractory_us (0 = off), hot pixel on, the polarity to drop (2 = none)."""


_BACKGROUND, _REFRACTORY, _HOT, _DROPPED = 0, 1, 2, 3


def filter_state(width: int, height: int) -> FilterState:
    """A fresh state for a sensor of this size, everything off."""
    return FilterState(
        np.full((height + 2, width + 2), NEVER, np.int64),
        np.zeros((height, width), np.uint16),
        np.zeros((height, width), np.bool_),
        np.zeros(1, np.int64),
        np.array([0, 0, 0, 2], np.int64),
    )


def forget(state: FilterState) -> None:
    """Start anew (the scene jumped); the settings stay."""
    state.last_us.fill(NEVER)
    state.fired.fill(0)
    state.hot.fill(False)
    state.interval_end_us.fill(0)


def apply_settings(state: FilterState, settings: FilterSettings) -> None:
    """Make `state` filter by `settings` from the next event on. The region is not in it: see `pipeline.frames.cell_table`."""
    if settings.hot_pixel and not state.limits[_HOT]:
        state.fired.fill(0)
        state.hot.fill(False)
    dropped = {"both": 2, "on": 0, "off": 1}[settings.polarity]
    state.limits[:] = settings.background_us or 0, settings.refractory_us or 0, settings.hot_pixel, dropped


@njit(cache=True, nogil=True)
def _judge(fired: np.ndarray, hot: np.ndarray) -> None:
    """Set `hot` [H, W] from what each pixel `fired` [H, W] in the interval that is over."""
    height, width = fired.shape
    for y in range(height):
        for x in range(width):
            if fired[y, x] <= HOT_EVENTS:
                hot[y, x] = False
                continue
            others = 0
            busiest = 0
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(max(x - 1, 0), min(x + 2, width)):
                    if u != x or v != y:
                        others += int(fired[v, u])
                        busiest = max(busiest, int(fired[v, u]))
            hot[y, x] = fired[y, x] > others - busiest


@njit(cache=True, nogil=True)
def next_interval(state: FilterState, t: int) -> None:
    """Close the hot-pixel interval that `t` is past the end of; after one without any event no pixel is hot."""
    if t < state.interval_end_us[0] + HOT_INTERVAL_US:
        _judge(state.fired, state.hot)
    else:
        state.hot[:] = False
    state.fired[:] = 0
    state.interval_end_us[0] = (t // HOT_INTERVAL_US + 1) * HOT_INTERVAL_US


@njit(inline="always")
def is_hot(fired: np.ndarray, hot: np.ndarray, x: np.uint64, y: np.uint64) -> bool:
    """Count an event of the pixel; whether the pixel is known to be hot."""
    fired[y, x] += np.uint16(fired[y, x] < 65535)
    return hot[y, x]


@njit(inline="always")
def is_kept(last_us: np.ndarray, refractory_us: int, background_us: int, t: int, x: np.uint64, y: np.uint64) -> bool:
    """Whether an event passes the refractory period and the background-activity filter; moves the picture of times."""
    middle, below = y + np.uint64(1), y + np.uint64(2)
    centre, right = x + np.uint64(1), x + np.uint64(2)
    if t - last_us[middle, centre] < refractory_us:
        return False
    last_us[middle, centre] = t
    if background_us == 0:
        return True
    above = max(last_us[y, x], last_us[y, centre], last_us[y, right])
    beside = max(last_us[middle, x], last_us[middle, right])
    under = max(last_us[below, x], last_us[below, centre], last_us[below, right])
    return t - max(above, beside, under) < background_us
