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
- shot noise and hot pixels: a Poisson process over all pixels, drawn beforehand (`pipeline.simulator.noise`);
- lamps on alternating current: log intensity changes by depth x wave(t) (`pipeline.simulator.scene`), everywhere or where a lamp is seen;
- what a real DVS128's read-out adds: rebounds and echoes (`pipeline.simulator.readout`).

Only tiles in which something was painted, the photoreceptor has not settled, a pixel is in its refractory time, or a leak event is due are
visited. Events of a step are then put in order of time by counting.

numba keys its cache of `run_steps` on this file alone: after a change to what it calls in `render` and `readout`, this file has to be
touched, or the old code goes on running.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.simulator.draw import Draw
from pipeline.simulator.ranges import SensorRanges
from pipeline.simulator.readout import STEP_US, echo, rebound, write
from pipeline.simulator.render import (
    AT_FLICKER,
    AT_GAIN,
    AT_LEVEL,
    AT_PHOTO,
    AT_SCRATCH,
    AT_SCRATCH_2,
    AT_TARGET,
    AT_THETA_OFF,
    AT_THETA_ON,
    BACKGROUND,
    FLICKER,
    LAMP,
    LEVEL,
    LIGHT,
    PHOTO,
    PIXELS,
    SCRATCH,
    TABLE_MAX,
    TABLE_SIZE,
    TARGET,
    THETA_OFF,
    THETA_ON,
    TILE,
    TILE_PIXELS,
    TILE_SIZE,
    Canvas,
    Flags,
    Float32,
    Int32,
    Int64,
    look,
    paint,
    place,
)

_ONE = np.uint64(1)
SETTLED = np.float32(1e-3)
"""A photoreceptor this near to its target (log units) has arrived."""
DARK_OFFSET = 0.02
DARK_CURRENT = 0.3
REFERENCE_LIGHT = 0.7
REBOUND_REFRACTORY = (6e-3, 15e-3)
"""Refractory time of a sensor that rebounds, s: longer than any rebound takes."""
BRIGHT_NOISE = 0.25
"""Shot noise of a bright pixel (intensity 1), share of a dark one's: v2e's factor."""
ROOM_PER_PIXEL = 10
"""Room for the events of one step: refractory times are at least 0.2 ms."""
NEVER = 1e18
DEAF = 1e9
"""Threshold of the pixels that the last tiles have beyond the sensor's edge."""

Moments = npt.NDArray[np.float64]


class View(NamedTuple):
    """What the sensor sees at the ends of n steps."""

    poses: Float32
    """(n, C, 6) capsules on the image plane, pixels."""
    orders: Int64
    """(n, C) capsules from front to back."""
    shifts: Float32
    """(n, 2) how far the camera has turned, pixels (x, y)."""
    waves: Float32
    """(n,) the lamps' brightness in [-1, 1] about their mean."""

    def part(self, first: int, last: int) -> "View":
        """The steps from `first` to before `last`."""
        return View(self.poses[first:last], self.orders[first:last], self.shifts[first:last], self.waves[first:last])


class Pixels(NamedTuple):
    """State of the sensor besides the planes. T tiles."""

    refractory_us: float
    leak: float
    """Log units per us by which the remembered level sinks."""
    armed: Moments
    """(T, 64) when the pixel is sensitive again, us."""
    held: Moments
    """(T,) the latest of these moments in the tile."""
    due: Moments
    """(T,) no leak event before this moment, us."""
    busy: Flags
    """(T,) the tile has to be visited in the next step."""
    lit: Flags
    """(T,) a flickering lamp is in the tile or lights it. Where the camera moves, lamps too, every tile is visited in every step anyway."""
    mains: float
    """Depth of the flicker of all light, log units."""
    rebound: float
    """Share of events that are answered by one of the other polarity."""
    echo: float
    """Share of OFF events that are sent twice."""
    pending: npt.NDArray[np.int64]
    """(room, 3) rebounds of later steps: moment in us, tile * 64 + pixel, polarity."""
    waiting: Int64
    """(1,) how many there are."""
    batch: Int32
    """(room, 3) the events of one step: us since it began, tile * 64 + pixel, polarity."""
    slots: Int32
    """(STEP_US + 1,) memory for sorting."""


def light_tables(time_constant: float) -> Float32:
    """(2, TABLE_SIZE): logarithm and low-pass gain per step over linear intensity; `time_constant` in s at `REFERENCE_LIGHT`."""
    light = np.linspace(0.0, TABLE_MAX, TABLE_SIZE)
    tau = time_constant * (DARK_CURRENT + REFERENCE_LIGHT) / (DARK_CURRENT + light)
    return np.stack([np.log(light + DARK_OFFSET), -np.expm1(-STEP_US * 1e-6 / tau)]).astype(np.float32)


def draw_pixels(draw: Draw, ranges: SensorRanges, canvas: Canvas, mains: float = 0.0) -> Pixels:
    """Draw a sensor's refractory time, leak and, into the canvas's planes, its thresholds with their mismatch and a level to start from.

    `mains`: depth of the flicker of all light, log units.
    """
    theta, excess, mismatch = draw.log_between(ranges.threshold), draw.between(ranges.on_excess), draw.between(ranges.mismatch)
    refractory, leak_rate, doubled = draw.log_between(ranges.refractory), draw.between(ranges.leak), draw.between(ranges.echo)
    answered = 0.0
    if draw.chance(ranges.rebounding):
        refractory, answered = draw.between(REBOUND_REFRACTORY), draw.between(ranges.rebound)
    tiles = len(canvas.planes)
    shape = (tiles, TILE_PIXELS)
    factors = np.clip(1.0 + mismatch * draw.generator.standard_normal((2, *shape)), 0.3, 3.0)
    on, off = theta * (1.0 + 0.5 * excess) * factors[0], theta * (1.0 - 0.5 * excess) * factors[1]
    start = draw.generator.uniform(-0.9, 0.9, shape)
    canvas.planes[:, THETA_ON], canvas.planes[:, THETA_OFF] = on, off
    outside = np.arange(tiles)[:, None] // canvas.columns * TILE + np.arange(TILE_PIXELS) // TILE >= canvas.height
    outside |= np.arange(tiles)[:, None] % canvas.columns * TILE + np.arange(TILE_PIXELS) % TILE >= canvas.width
    canvas.planes[:, THETA_ON][outside] = canvas.planes[:, THETA_OFF][outside] = DEAF
    canvas.planes[:, LEVEL] = np.where(start < 0.0, start * on, start * off)
    return Pixels(
        refractory_us=refractory * 1e6,
        leak=leak_rate * theta * 1e-6,
        armed=np.full(shape, -1.0),
        held=np.full(tiles, -1.0),
        due=np.zeros(tiles),
        busy=np.ones(tiles, np.uint8),
        lit=np.full(tiles, 1, np.uint8) if mains > 0.0 else np.any(canvas.planes[:, LAMP] > 0.0, axis=1).astype(np.uint8),
        mains=mains,
        rebound=answered,
        echo=doubled,
        pending=np.empty((tiles * TILE_PIXELS * ROOM_PER_PIXEL, 3), np.int64),
        waiting=np.zeros(1, np.int64),
        batch=np.empty((tiles * TILE_PIXELS * ROOM_PER_PIXEL, 3), np.int32),
        slots=np.zeros(STEP_US + 1, np.int32),
    )


def settle(canvas: Canvas, pixels: Pixels, view: View) -> None:
    """Paint the first picture of `view` and let every photoreceptor rest at it; remembered levels keep their drawn distance."""
    if canvas.panorama.size > 0:
        look(canvas.panorama, view.shifts[0], canvas.planes, BACKGROUND, canvas.dirty, canvas.columns)
    if canvas.lamps.size > 0:
        look(canvas.lamps, view.shifts[0], canvas.planes, LAMP, canvas.dirty, canvas.columns)
    place(view.poses[0], canvas.pose, canvas.mask, canvas.dirty, canvas.columns)
    _paint_all(canvas, view.orders[0])
    canvas.planes[:, PHOTO] = canvas.planes[:, TARGET] + (canvas.planes[:, FLICKER] + np.float32(pixels.mains)) * view.waves[0]
    canvas.planes[:, LEVEL] += canvas.planes[:, PHOTO]


@njit(cache=True, nogil=True, error_model="numpy")
def _paint_all(canvas: Canvas, order: Int64) -> None:
    planes, surfaces, tables = canvas.planes.reshape(-1), canvas.surfaces.reshape(-1), canvas.tables.reshape(-1)
    for k in range(canvas.mask.shape[0]):
        paint(k, planes, canvas.mask[k], order, canvas.pose, surfaces, tables, canvas.cells, canvas.flat, canvas.columns)
        canvas.dirty[k] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def run_steps(
    canvas: Canvas,
    pixels: Pixels,
    view: View,
    start_us: int,
    noise_us: Moments,
    noise_place: Int64,
    noise_mark: Float32,
    out: npt.NDArray[np.void],
) -> npt.NDArray[np.void]:
    """Advance by as many steps as `view` has, from `start_us`; returns the events in order of time (in `out` or a larger copy of it).

    Noise comes as moments (ascending, us, inside these steps), places (tile * 64 + pixel) and marks in [-1, 1]: the sign is the polarity,
    the size thins the noise where it is bright.
    """
    poses, orders, shifts, waves, seen, lamps = view.poses, view.orders, view.shifts, view.waves, canvas.panorama, canvas.lamps
    planes, mask, dirty, painted = canvas.planes, canvas.mask, canvas.dirty, canvas.pose
    every, surfaces, tables = planes.reshape(-1), canvas.surfaces.reshape(-1), canvas.tables.reshape(-1)
    cells, flat, columns, leak, refractory = canvas.cells, canvas.flat, canvas.columns, pixels.leak, pixels.refractory_us
    armed, held, due, busy, lit, batch, slots = pixels.armed, pixels.held, pixels.due, pixels.busy, pixels.lit, pixels.batch, pixels.slots
    written, upcoming = 0, 0
    for step in range(poses.shape[0]):
        t0 = start_us + step * STEP_US
        if seen.size > 0:
            look(seen, shifts[step], planes, BACKGROUND, dirty, columns)
        if lamps.size > 0:
            look(lamps, shifts[step], planes, LAMP, dirty, columns)
        place(poses[step], painted, mask, dirty, columns)
        wave, count = waves[step], 0
        common = wave * np.float32(pixels.mains)
        for k in range(mask.shape[0]):
            if dirty[k]:
                paint(k, every, mask[k], orders[step], painted, surfaces, tables, cells, flat, columns)
                dirty[k], busy[k] = 0, 1
            if busy[k] or lit[k] or due[k] < t0 + STEP_US:
                count = _visit(k, float(t0), common, wave, planes, every, cells, armed, held, due, busy, batch, leak, refractory, count)
        while upcoming < noise_us.shape[0] and noise_us[upcoming] < t0 + STEP_US:
            moment, where = noise_us[upcoming], noise_place[upcoming]
            if _noise_fires(moment, where, noise_mark[upcoming], planes, armed, held, busy, leak, refractory) and count < batch.shape[0]:
                polarity = 1 if noise_mark[upcoming] > 0.0 else 0
                batch[count, 0], batch[count, 1], batch[count, 2] = int(moment - t0), where, polarity
                count += 1
            upcoming += 1
        if pixels.rebound > 0.0:
            count = rebound(batch, count, t0, pixels.rebound, pixels.pending, pixels.waiting)
        count = echo(batch, count, t0, pixels.echo)
        if written + count > out.shape[0]:
            larger = np.empty(2 * (written + count), out.dtype)
            larger[:written] = out[:written]
            out = larger
        if count > 0:
            write(batch, slots, count, t0, out, written, columns)
        written += count
    return out[:written]


@njit(cache=True, nogil=True, error_model="numpy")
def _visit(
    k: int,
    t0: float,
    common: np.float32,
    wave: np.float32,
    planes: Float32,
    every: Float32,
    fires: Int32,
    armed: Moments,
    held: Moments,
    due: Moments,
    busy: Flags,
    batch: Int32,
    leak: float,
    refractory: float,
    count: int,
) -> int:
    """One step of the 64 pixels of tile k; returns the number of events in the batch.

    Log intensity is the picture's plus `common` and, where a lamp is seen, its depth times `wave`. `every` is `planes`, flattened.
    """
    t1 = t0 + STEP_US
    leak0, leak1 = np.float32(leak * t0), np.float32(leak * t1)
    moving, firing = _receive(np.uint64(k) * TILE_SIZE, common, wave, leak1, every, fires)
    if firing > 0 or held[k] >= t0:
        for i in range(TILE_PIXELS):
            ready = armed[k, i]
            if ready >= t1 or (ready < t0 and fires[i] == 0):
                continue
            v0, v1 = planes[k, SCRATCH, i] + leak0, planes[k, PHOTO, i] + leak1
            if ready >= t0:
                planes[k, LEVEL, i] = v0 + (v1 - v0) * (ready - t0) / STEP_US
            change = v1 - planes[k, LEVEL, i]
            if change >= planes[k, THETA_ON, i] or change <= -planes[k, THETA_OFF, i]:
                count = _fire(k, i, t0, v0, v1, planes, armed, held, batch, refractory, count)
    busy[k] = moving > 0 or held[k] >= t1
    if not busy[k]:
        due[k] = t1 + _margin(np.uint64(k) * TILE_SIZE, every, leak1) / leak if leak > 0.0 else NEVER
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _receive(tile: int, common: np.float32, wave: np.float32, leak1: np.float32, every: Float32, fires: Int32) -> tuple[int, int]:
    """Move the photoreceptors of a tile by a step, the former state going to SCRATCH, and mark in `fires` what crosses a threshold.

    Returns how many have not arrived and how many cross. No branches: it compiles to vector instructions, and most tiles need no more.
    """
    one, zero = np.int32(1), np.int32(0)
    moving, firing = zero, zero
    for i in range(PIXELS):
        target, before = every[tile + AT_TARGET + i] + common + wave * every[tile + AT_FLICKER + i], every[tile + AT_PHOTO + i]
        after = before + every[tile + AT_GAIN + i] * (target - before)
        after = target if abs(target - after) < SETTLED else after
        every[tile + AT_SCRATCH + i] = before
        every[tile + AT_PHOTO + i] = after
        moving = np.int32(moving + (one if after != target else zero))
        change = after + leak1 - every[tile + AT_LEVEL + i]
        crosses = one if (change >= every[tile + AT_THETA_ON + i]) | (change <= -every[tile + AT_THETA_OFF + i]) else zero
        fires[i] = crosses
        firing = np.int32(firing + crosses)
    return int(moving), int(firing)


@njit(cache=True, nogil=True, error_model="numpy")
def _margin(tile: int, every: Float32, leaked: np.float32) -> float:
    """How far the remembered level may sink before the first pixel of a tile makes an ON event, log units."""
    for i in range(PIXELS):
        every[tile + AT_SCRATCH_2 + i] = every[tile + AT_THETA_ON + i] - (every[tile + AT_PHOTO + i] + leaked - every[tile + AT_LEVEL + i])
    half = PIXELS
    while half > _ONE:  # the least by halving, which needs no order of evaluation and so can use vector instructions
        half = half >> _ONE
        for i in range(half):
            one, other = every[tile + AT_SCRATCH_2 + i], every[tile + AT_SCRATCH_2 + half + i]
            every[tile + AT_SCRATCH_2 + i] = one if one < other else other
    return float(max(every[tile + AT_SCRATCH_2], np.float32(0.0)))


@njit(cache=True, nogil=True, error_model="numpy")
def _fire(
    k: int,
    i: int,
    t0: float,
    v0: float,
    v1: float,
    planes: Float32,
    armed: Moments,
    held: Moments,
    batch: Int32,
    refractory: float,
    count: int,
) -> int:
    """All events of one pixel in one step, v going from v0 to v1."""
    t1, on, off = t0 + STEP_US, planes[k, THETA_ON, i], planes[k, THETA_OFF, i]
    while count < batch.shape[0]:
        level = planes[k, LEVEL, i]
        if v1 - level >= on:
            crossing, polarity = level + on, 1
        elif v1 - level <= -off:
            crossing, polarity = level - off, 0
        else:
            break
        moment = t0 if v1 == v0 else t0 + STEP_US * (crossing - v0) / (v1 - v0)
        moment = min(max(moment, t0, armed[k, i]), t1 - 1.0)
        batch[count, 0], batch[count, 1], batch[count, 2] = int(moment - t0), k * TILE_PIXELS + i, polarity
        count += 1
        ready = moment + refractory
        armed[k, i] = ready
        held[k] = max(held[k], ready)
        if ready >= t1:
            break
        planes[k, LEVEL, i] = v0 + (v1 - v0) * (ready - t0) / STEP_US
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _noise_fires(
    moment: float,
    where: int,
    mark: float,
    planes: Float32,
    armed: Moments,
    held: Moments,
    busy: Flags,
    leak: float,
    refractory: float,
) -> bool:
    """Whether a candidate of the noise process becomes an event: not where it is bright or in the refractory time. Resets the pixel."""
    k, i = where // TILE_PIXELS, where % TILE_PIXELS
    bright = min(planes[k, LIGHT, i], 1.0)
    if abs(mark) < (1.0 - BRIGHT_NOISE) * bright or moment < armed[k, i]:
        return False
    armed[k, i] = moment + refractory
    held[k] = max(held[k], armed[k, i])
    planes[k, LEVEL, i] = planes[k, PHOTO, i] + leak * moment
    busy[k] = 1
    return True
