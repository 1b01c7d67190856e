"""The simulator's public object: a person performing a gesture, as events."""

import numpy as np

from pipeline.errors import USAGE, UserError
from pipeline.events import EVENT_DTYPE, Events, empty_events, join_events
from pipeline.simulator.body import draw_body
from pipeline.simulator.draw import Draw, Stream
from pipeline.simulator.figure import IDLE, Figure, Truth, draw_camera
from pipeline.simulator.gestures import GESTURES
from pipeline.simulator.noise import Noise, NoiseBlock
from pipeline.simulator.presets import PRESETS
from pipeline.simulator.render import LIGHT, Float32, Int64, image_of, new_canvas
from pipeline.simulator.scene import draw_appearance
from pipeline.simulator.sensor import STEP_US, draw_pixels, light_tables, run_steps, settle

BLOCK_STEPS = 100
"""Movement and noise are planned in blocks of so many steps (200 ms), aligned to the clip's start, however the steps are then taken."""
BLOCK_US = BLOCK_STEPS * STEP_US
LARGEST_SIDE = 2048
PADDING = slice(13, 16)
"""Bytes of an event that hold no field: zeroed, since the promise is about bytes."""

Plan = tuple[Float32, Int64]


class Simulator:
    """A simulated person in front of a simulated sensor.

    The same gesture, seed, preset and size give the same events, however the time is cut into calls. Time starts at 0.

    Raises `UserError` (usage) for an unknown gesture or preset, a negative seed or a sensor size that is not from 1 to 2048.
    """

    def __init__(self, gesture: str, seed: int, preset: str = "wide", width: int = 128, height: int = 128) -> None:
        _check(gesture, seed, preset, width, height)
        ranges, kind = PRESETS[preset], (*GESTURES, IDLE).index(gesture)
        self.width, self.height = width, height
        body = draw_body(Draw(seed, Stream.PERSON), ranges.body)
        self._figure = Figure.draw(gesture, Draw(seed, Stream.MOTION, kind), body, ranges.motion)
        self._camera = draw_camera(Draw(seed, Stream.SCENE, 1 + kind), ranges.scene, self._figure, width, height)
        appearance = draw_appearance(Draw(seed, Stream.SCENE), ranges.scene, width, height)
        sensor = Draw(seed, Stream.SENSOR)
        time_constant = sensor.log_between(ranges.sensor.time_constant)
        self._canvas = new_canvas(appearance.background, appearance.surfaces, light_tables(time_constant))
        self._noise = Noise(sensor, Draw(seed, Stream.NOISE), ranges.sensor, width, height)
        self._pixels = draw_pixels(sensor, ranges.sensor, self._canvas)
        self._now_us = self._stepped_us = 0
        self._kept = empty_events()
        self._block: tuple[Plan, NoiseBlock]
        poses, orders = self._plan(np.zeros(1, np.int64))
        settle(self._canvas, poses[0], orders[0])
        self.truth = Truth(
            gesture=gesture,
            preset=preset,
            seed=seed,
            frequency_hz=self._figure.performance.tempo.frequency,
            active=self._figure.performance.active,
            sense=self._figure.performance.sense,
            onset_us=int(max(self._figure.onset, 0.0) * 1e6),
            scale=self._camera.scale,
            figure=self._figure,
            camera=self._camera,
        )

    @property
    def time_us(self) -> int:
        """Sensor time up to which events have been delivered (exclusive)."""
        return self._now_us

    def advance(self, duration_us: int) -> Events:
        """The events of the next `duration_us` (at least 0): timestamps from `time_us` on, in order.

        The picture advances in whole steps of `STEP_US`; events of a step beyond the time asked for are kept for the next call.
        """
        if duration_us < 0:
            raise ValueError(f"time cannot go back by {-duration_us} us")
        end = self._now_us + duration_us
        parts = [self._kept]
        while self._stepped_us < end:
            parts.append(self._step(-(-(end - self._stepped_us) // STEP_US)))
        events = join_events(parts)
        cut = int(np.searchsorted(events["timestamp"], end))
        self._kept, self._now_us = events[cut:], end
        return events[:cut]

    def picture(self) -> Float32:
        """What the camera sees at the end of the last step: linear intensity (height, width)."""
        return image_of(self._canvas, LIGHT)

    def _step(self, steps: int) -> Events:
        """Up to so many steps, at most to the end of the planned block."""
        start = self._stepped_us
        first = start % BLOCK_US // STEP_US
        if first == 0:
            self._block = self._plan(start + STEP_US * np.arange(1, BLOCK_STEPS + 1)), self._noise.block(start, BLOCK_US)
        last = min(first + steps, BLOCK_STEPS)
        (poses, orders), (moments, places, marks) = self._block
        self._stepped_us = start + (last - first) * STEP_US
        part = slice(*np.searchsorted(moments, (start, self._stepped_us)))
        out = np.empty(512 * (last - first), EVENT_DTYPE)
        noise = moments[part], places[part], marks[part]
        events = run_steps(self._canvas, self._pixels, poses[first:last], orders[first:last], start, *noise, out)
        events.view(np.uint8).reshape(-1, EVENT_DTYPE.itemsize)[:, PADDING] = 0
        return np.asarray(events)

    def _plan(self, times_us: Int64) -> Plan:
        """Capsules on the image plane at n moments: (n, C, 6) pixels; and their order from front to back (n, C)."""
        t = 1e-6 * times_us.astype(np.float64)
        pixels, magnification, depth = self._camera.project(self._figure.joints(t))
        poses = np.empty((*depth.shape[:2], 6), np.float32)
        poses[:, :, 0:2], poses[:, :, 3:5] = pixels[:, :, 0], pixels[:, :, 1]
        poses[:, :, (2, 5)] = magnification * self._figure.body.radii
        return poses, np.argsort(-depth.mean(axis=2) - self._figure.body.bias, axis=1, kind="stable")


def simulate(gesture: str, seed: int, duration_us: int, preset: str = "wide") -> Events:
    """A clip of a 128x128 sensor: events with 0 <= timestamp < duration_us. Raises like `Simulator`."""
    return Simulator(gesture, seed, preset).advance(duration_us)


def _check(gesture: str, seed: int, preset: str, width: int, height: int) -> None:
    names = (*GESTURES, IDLE)
    if gesture not in names:
        raise UserError(f"There is no gesture {gesture!r}; choose one of: {', '.join(names)}.", USAGE)
    if preset not in PRESETS:
        raise UserError(f"There is no preset {preset!r}; choose one of: {', '.join(PRESETS)}.", USAGE)
    if seed < 0:
        raise UserError(f"A seed must be 0 or larger, not {seed}.", USAGE)
    if not (1 <= width <= LARGEST_SIDE and 1 <= height <= LARGEST_SIDE):
        raise UserError(
            f"A simulated sensor of {width}x{height} pixels is not possible; each side must be from 1 to {LARGEST_SIDE}.", USAGE
        )
