"""The event-camera pixel: log photoreceptor, thresholds, refractory time, leak and noise.

The model follows ESIM (Rebecq, Gehrig, Scaramuzza: "ESIM: an Open Event Camera Simulator", CoRL 2018: events at the interpolated moments at
which log intensity has changed by a threshold) and v2e (Hu, Liu, Delbruck: "v2e: From Video Frames to Realistic DVS Events", CVPR
Workshops 2021, section 4: threshold mismatch, intensity-dependent bandwidth, leak events, shot noise that is stronger in the dark), with
the reset of a real DVS pixel (Lichtsteiner, Posch, Delbruck, IEEE JSSC 2008): after an event the pixel is held for the refractory time
and then remembers the brightness of that moment, so that what happened meanwhile is lost.

Per pixel, with L = ln(I + 0.02):
- photoreceptor: first-order low-pass toward L, time constant tau / (0.3 + I); in a step of `STEP_US` it goes the share
  1 - exp(-step (0.3 + I) / tau) of the way;
- leak: the remembered level sinks steadily, which makes ON events in pixels that see nothing change. Kept as
  v(t) = photoreceptor + leak t against a level remembered in the same terms, so that no pixel has to be visited for it;
- within a step v is taken as linear, and each crossing of the remembered level + theta_on or - theta_off is an event at its moment;
- shot noise and hot pixels: a Poisson process over all pixels, drawn beforehand (`pipeline.simulator.noise`).

Only tiles in which something was painted, the photoreceptor has not settled, a pixel is in its refractory time, or a leak event is due are
visited. Events of a step are then put in order of time by counting.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.simulator.draw import Draw
from pipeline.simulator.presets import SensorRanges
from pipeline.simulator.render import TABLE_MAX, TABLE_SIZE, TILE, TILE_PIXELS, Canvas, Float32, paint, place

STEP_US = 2000
"""Time step of picture and pixels: 500 Hz."""
SETTLED = 1e-3
"""A photoreceptor this near to its target (log units) has arrived."""
DARK_OFFSET = 0.02
DARK_CURRENT = 0.3
REFERENCE_LIGHT = 0.7
BRIGHT_NOISE = 0.25
"""Shot noise of a bright pixel (intensity 1), share of a dark one's: v2e's factor."""
CANDIDATES_PER_PIXEL = 10
"""Room for the events of one step: refractory times are at least 0.2 ms."""


class Pixels(NamedTuple):
    """State of the sensor, (T, 64) by tiles where not said otherwise."""

    refractory_us: float
    leak: float
    """Log units per us by which the remembered level sinks."""
    photo: Float32
    """Low-passed log intensity."""
    level: Float32
    """Remembered level, in terms of v."""
    theta_on: Float32
    theta_off: Float32
    armed: npt.NDArray[np.float64]
    """When the pixel is sensitive again, us."""
    busy: npt.NDArray[np.uint8]
    """(T,) the tile has to be visited in the next step."""
    due: npt.NDArray[np.float64]
    """(T,) no leak event before this moment, us."""


class Sorter(NamedTuple):
    """Scratch memory for the events of one step."""

    offset: npt.NDArray[np.int32]
    """us since the step began."""
    place: npt.NDArray[np.int32]
    """Tile * 64 + pixel in the tile."""
    polarity: npt.NDArray[np.int8]
    slots: npt.NDArray[np.int32]
    """(STEP_US + 1,)"""


def light_tables(time_constant: float) -> tuple[Float32, Float32]:
    """Logarithm and low-pass gain per step over linear intensity; `time_constant` in s at `REFERENCE_LIGHT`."""
    light = np.linspace(0.0, TABLE_MAX, TABLE_SIZE)
    tau = time_constant * (DARK_CURRENT + REFERENCE_LIGHT) / (DARK_CURRENT + light)
    return np.log(light + DARK_OFFSET).astype(np.float32), (-np.expm1(-STEP_US * 1e-6 / tau)).astype(np.float32)


def draw_pixels(draw: Draw, ranges: SensorRanges, width: int, height: int, tiles: int) -> Pixels:
    """Draw a sensor's thresholds with their mismatch, refractory time and leak."""
    theta, excess, mismatch = draw.between(ranges.threshold), draw.between(ranges.on_excess), draw.between(ranges.mismatch)
    refractory, leak_rate = draw.log_between(ranges.refractory), draw.between(ranges.leak)
    shape = (tiles, TILE_PIXELS)
    factors = np.clip(1.0 + mismatch * draw.generator.standard_normal((2, *shape)), 0.3, 3.0)
    on, off = theta * (1.0 + 0.5 * excess) * factors[0], theta * (1.0 - 0.5 * excess) * factors[1]
    start = draw.generator.uniform(-0.9, 0.9, shape)
    return Pixels(
        refractory_us=refractory * 1e6,
        leak=leak_rate * theta * 1e-6,
        photo=np.zeros(shape, np.float32),
        level=np.where(start < 0.0, start * on, start * off).astype(np.float32),
        theta_on=on.astype(np.float32),
        theta_off=off.astype(np.float32),
        armed=np.full(shape, -1.0),
        busy=np.ones(tiles, np.uint8),
        due=np.zeros(tiles),
    )


def new_sorter(pixels: int) -> Sorter:
    """Scratch memory for a sensor with so many pixels."""
    room = pixels * CANDIDATES_PER_PIXEL
    return Sorter(np.empty(room, np.int32), np.empty(room, np.int32), np.empty(room, np.int8), np.zeros(STEP_US + 1, np.int32))


@njit(cache=True, nogil=True)
def settle(canvas: Canvas, pixels: Pixels, pose: Float32, order: npt.NDArray[np.int64]) -> None:
    """Paint the first picture and let every photoreceptor rest at it; remembered levels keep their drawn distance."""
    place(canvas, pose)
    for k in range(canvas.mask.shape[0]):
        paint(canvas, k, order)
        canvas.dirty[k] = 0
        for i in range(TILE_PIXELS):
            pixels.photo[k, i] = canvas.target[k, i]
            pixels.level[k, i] += canvas.target[k, i]


@njit(cache=True, nogil=True)
def run_steps(
    canvas: Canvas,
    pixels: Pixels,
    sorter: Sorter,
    poses: Float32,
    orders: npt.NDArray[np.int64],
    start_us: int,
    noise_us: npt.NDArray[np.float64],
    noise_place: npt.NDArray[np.int64],
    noise_mark: Float32,
    out: npt.NDArray[np.void],
) -> npt.NDArray[np.void]:
    """Advance by len(poses) steps from `start_us`; returns the events in order of time (`out` or a larger copy of it).

    Noise comes as moments (ascending, us), places (tile * 64 + pixel) and marks in [-1, 1): the sign is the polarity, the size thins the
    noise where it is bright.
    """
    written, upcoming = 0, 0
    for step in range(poses.shape[0]):
        t0 = start_us + step * STEP_US
        place(canvas, poses[step])
        count = 0
        for k in range(canvas.mask.shape[0]):
            if canvas.dirty[k]:
                paint(canvas, k, orders[step])
                canvas.dirty[k] = 0
                pixels.busy[k] = 1
            if pixels.busy[k] or pixels.due[k] < t0 + STEP_US:
                count = _visit(canvas, pixels, sorter, k, float(t0), count)
        while upcoming < noise_us.shape[0] and noise_us[upcoming] < t0 + STEP_US:
            count = _noise(canvas, pixels, sorter, noise_us[upcoming], noise_place[upcoming], noise_mark[upcoming], t0, count)
            upcoming += 1
        if written + count > out.shape[0]:
            larger = np.empty(2 * (written + count), out.dtype)
            larger[:written] = out[:written]
            out = larger
        _write(canvas, sorter, count, t0, out, written)
        written += count
    return out[:written]


@njit(cache=True, nogil=True)
def _visit(canvas: Canvas, pixels: Pixels, sorter: Sorter, k: int, t0: float, count: int) -> int:
    """One step of the 64 pixels of tile k; returns the number of events in the sorter."""
    t1 = t0 + STEP_US
    leak0, leak1 = pixels.leak * t0, pixels.leak * t1
    busy, margin = 0, 1e9
    for i in range(TILE_PIXELS):
        target, before = canvas.target[k, i], pixels.photo[k, i]
        after = before + canvas.gain[k, i] * (target - before)
        if abs(target - after) < SETTLED:
            after = target
        else:
            busy = 1
        pixels.photo[k, i] = after
        v0, v1 = before + leak0, after + leak1
        armed = pixels.armed[k, i]
        if armed >= t1:
            busy = 1
            continue
        if armed >= t0:
            pixels.level[k, i] = v0 + (v1 - v0) * (armed - t0) / STEP_US
        change = v1 - pixels.level[k, i]
        if change >= pixels.theta_on[k, i] or change <= -pixels.theta_off[k, i]:
            count = _fire(pixels, sorter, k, i, t0, v0, v1, count)
            busy = 1
        else:
            margin = min(margin, pixels.theta_on[k, i] - change)
    pixels.busy[k] = busy
    pixels.due[k] = t1 + margin / pixels.leak if pixels.leak > 0.0 else 1e18
    return count


@njit(cache=True, nogil=True)
def _fire(pixels: Pixels, sorter: Sorter, k: int, i: int, t0: float, v0: float, v1: float, count: int) -> int:
    """All events of one pixel in one step, v going from v0 to v1."""
    t1, on, off = t0 + STEP_US, pixels.theta_on[k, i], pixels.theta_off[k, i]
    while count < sorter.offset.shape[0]:
        level = pixels.level[k, i]
        if v1 - level >= on:
            crossing, polarity = level + on, 1
        elif v1 - level <= -off:
            crossing, polarity = level - off, 0
        else:
            break
        moment = t0 if v1 == v0 else t0 + STEP_US * (crossing - v0) / (v1 - v0)
        moment = min(max(moment, t0, pixels.armed[k, i]), t1 - 1.0)
        sorter.offset[count], sorter.place[count], sorter.polarity[count] = int(moment - t0), k * TILE_PIXELS + i, polarity
        count += 1
        armed = moment + pixels.refractory_us
        pixels.armed[k, i] = armed
        if armed >= t1:
            break
        pixels.level[k, i] = v0 + (v1 - v0) * (armed - t0) / STEP_US
    return count


@njit(cache=True, nogil=True)
def _noise(canvas: Canvas, pixels: Pixels, sorter: Sorter, moment: float, where: int, mark: float, t0: int, count: int) -> int:
    """One candidate of the noise process: dropped where bright, outside or in the refractory time."""
    k, i = where // TILE_PIXELS, where % TILE_PIXELS
    bright = min(canvas.light[k, i], 1.0)
    if abs(mark) < (1.0 - BRIGHT_NOISE) * bright or moment < pixels.armed[k, i] or count >= sorter.offset.shape[0]:
        return count
    sorter.offset[count], sorter.place[count], sorter.polarity[count] = int(moment - t0), where, 1 if mark > 0.0 else 0
    pixels.armed[k, i] = moment + pixels.refractory_us
    pixels.level[k, i] = pixels.photo[k, i] + pixels.leak * moment
    pixels.busy[k] = 1
    return count + 1


@njit(cache=True, nogil=True)
def _write(canvas: Canvas, sorter: Sorter, count: int, t0: int, out: npt.NDArray[np.void], written: int) -> None:
    """Counting sort by time (stable) into the output."""
    if count == 0:
        return
    slots = sorter.slots
    slots[:] = 0
    for n in range(count):
        slots[sorter.offset[n] + 1] += 1
    for n in range(1, slots.shape[0]):
        slots[n] += slots[n - 1]
    for n in range(count):
        row = written + slots[sorter.offset[n]]
        slots[sorter.offset[n]] += 1
        k, i = sorter.place[n] // TILE_PIXELS, sorter.place[n] % TILE_PIXELS
        out[row].timestamp = t0 + sorter.offset[n]
        out[row].x = (k % canvas.columns) * TILE + i % TILE
        out[row].y = (k // canvas.columns) * TILE + i // TILE
        out[row].polarity = sorter.polarity[n]
