"""The simulator's public object: a person performing a gesture, as events."""

import numpy as np

from pipeline.errors import USAGE, UserError
from pipeline.events import EVENT_DTYPE, Events, empty_events
from pipeline.simulator.body import Array, draw_body
from pipeline.simulator.draw import Draw, Stream
from pipeline.simulator.figure import IDLE, Figure, Truth, draw_camera
from pipeline.simulator.gestures import GESTURES
from pipeline.simulator.noise import Noise
from pipeline.simulator.presets import PRESETS
from pipeline.simulator.render import Float32, new_canvas, untile
from pipeline.simulator.scene import draw_appearance
from pipeline.simulator.sensor import STEP_US, draw_pixels, light_tables, new_sorter, run_steps, settle

BLOCK_STEPS = 50
"""Movement and noise are planned in blocks of so many steps (100 ms), aligned to the clip's start."""
BLOCK_US = BLOCK_STEPS * STEP_US
LARGEST_SIDE = 2048


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
        self._canvas = new_canvas(appearance.background, appearance.surfaces, *light_tables(time_constant))
        self._noise = Noise(sensor, Draw(seed, Stream.NOISE), ranges.sensor, width, height)
        self._pixels = draw_pixels(sensor, ranges.sensor, width, height, len(self._canvas.mask))
        self._sorter = new_sorter(self._canvas.background.size)
        self._now_us = self._planned_us = 0
        self._held: list[Events] = []
        poses, orders = self._plan(np.zeros(1))
        settle(self._canvas, self._pixels, poses[0], orders[0])
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
        """The events of the next `duration_us` (at least 0): timestamps from `time_us` on, in order."""
        end = self._now_us + duration_us
        while self._planned_us < end:
            self._held.append(self._next_block())
        events = np.concatenate(self._held) if self._held else empty_events()
        cut = int(np.searchsorted(events["timestamp"], end))
        self._held = [events[cut:]]
        self._now_us = end
        return events[:cut]

    def picture(self) -> Float32:
        """What the camera sees at the end of the last planned block: linear intensity (height, width)."""
        return untile(self._canvas.light, self._canvas)

    def _next_block(self) -> Events:
        start = self._planned_us
        t = 1e-6 * (start + STEP_US * np.arange(1, BLOCK_STEPS + 1, dtype=np.float64))
        poses, orders = self._plan(t)
        noise = self._noise.block(start, BLOCK_US)
        self._planned_us = start + BLOCK_US
        return np.asarray(run_steps(self._canvas, self._pixels, self._sorter, poses, orders, start, *noise, np.empty(8192, EVENT_DTYPE)))

    def _plan(self, t: Array) -> tuple[Float32, np.ndarray]:
        """Capsules on the image plane at n moments: (n, C, 6) pixels; and their order from front to back (n, C)."""
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
