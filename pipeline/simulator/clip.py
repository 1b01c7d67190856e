"""The simulator's public object: a person, or something else that moves, as events."""

import numpy as np

from pipeline.errors import USAGE, UserError
from pipeline.events import EVENT_DTYPE, Events, empty_events, join_events
from pipeline.simulator.body import draw_body
from pipeline.simulator.cameras import Path, draw_motion
from pipeline.simulator.draw import Draw, Stream
from pipeline.simulator.figure import IDLE, VIEW, Actor, Camera, Figure, Truth, draw_camera, draw_scale
from pipeline.simulator.gestures import GESTURES
from pipeline.simulator.noise import Noise, NoiseBlock
from pipeline.simulator.presets import PRESETS
from pipeline.simulator.ranges import Preset
from pipeline.simulator.readout import STEP_US
from pipeline.simulator.render import LIGHT, Canvas, Float32, Int64, image_of, new_canvas
from pipeline.simulator.scene import Appearance, draw_appearance, draw_blinking, draw_lights, draw_thing_appearance
from pipeline.simulator.sensor import View, draw_pixels, light_tables, run_steps, settle
from pipeline.simulator.things import THINGS, Things, draw_things

KINDS = (*GESTURES, IDLE, THINGS)
"""All that can be simulated."""
BLINKING = 0.12
"""Probability that there is a light which comes and goes by itself in a scene of things."""
BLOCK_STEPS = 100
"""Movement and noise are planned in blocks of so many steps (200 ms), aligned to the clip's start, however the steps are then taken."""
BLOCK_US = BLOCK_STEPS * STEP_US
LARGEST_SIDE = 2048
PADDING = slice(13, 16)
"""Bytes of an event that hold no field: zeroed, since the promise is about bytes."""


class Simulator:
    """A simulated person, or things, in front of a simulated sensor.

    `gesture`: one of `GESTURES`, `IDLE` (a person who makes none) or `THINGS` (nobody who could perform: things, an arm that reaches in,
    people who pass, or nothing). The same gesture, seed, preset and size give the same events, however the time is cut into calls. Time
    starts at 0.

    Raises `UserError` (usage) for an unknown gesture or preset, a negative seed or a sensor size that is not from 1 to 2048.
    """

    def __init__(self, gesture: str, seed: int, preset: str = "wide", width: int = 128, height: int = 128) -> None:
        _check(gesture, seed, preset, width, height)
        ranges = PRESETS[preset]
        self.width, self.height = width, height
        build = _draw_scene if gesture == THINGS else _draw_person
        self._actor, self._camera, appearance, self._pan = build(gesture, seed, ranges, width, height)
        light = Draw(seed, Stream.LIGHT)
        self._lights = draw_lights(light, ranges.scene, width, height)
        if gesture == THINGS and light.chance(BLINKING):
            self._lights = draw_blinking(light, width, height)
        sensor = Draw(seed, Stream.SENSOR)
        tables = light_tables(sensor.log_between(ranges.sensor.time_constant))
        self._canvas = self._new_canvas(appearance, tables)
        self._noise = Noise(sensor, Draw(seed, Stream.NOISE), ranges.sensor, width, height)
        self._pixels = draw_pixels(sensor, ranges.sensor, self._canvas, self._lights.mains)
        self._now_us = self._stepped_us = 0
        self._kept = empty_events()
        self._block: tuple[View, NoiseBlock]
        settle(self._canvas, self._pixels, self._plan(np.zeros(1, np.int64)))
        self.truth = _truth(gesture, seed, preset, self._actor, self._camera, self._pan)

    def _new_canvas(self, appearance: Appearance, tables: Float32) -> Canvas:
        flat = self._actor.flat if isinstance(self._actor, Things) else None
        view = appearance.background[: self.height, : self.width]
        panorama = None if self._pan is None else appearance.background
        return new_canvas(view, appearance.surfaces, tables, self._lights.lamps, flat, panorama)

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
        view, (moments, places, marks) = self._block
        self._stepped_us = start + (last - first) * STEP_US
        part = slice(*np.searchsorted(moments, (start, self._stepped_us)))
        out = np.empty(512 * (last - first), EVENT_DTYPE)
        noise = moments[part], places[part], marks[part]
        events = run_steps(self._canvas, self._pixels, view.part(first, last), start, *noise, out)
        events.view(np.uint8).reshape(-1, EVENT_DTYPE.itemsize)[:, PADDING] = 0
        return np.asarray(events)

    def _plan(self, times_us: Int64) -> View:
        """What the sensor sees at n moments."""
        t = 1e-6 * times_us.astype(np.float64)
        pixels, magnification, depth = self._camera.project(self._actor.joints(t))
        shifts = self._camera.shifts(self._pan, t).astype(np.float32)
        pixels = pixels - shifts[:, None, None, :]
        poses = np.empty((*depth.shape[:2], 6), np.float32)
        poses[:, :, 0:2], poses[:, :, 3:5] = pixels[:, :, 0], pixels[:, :, 1]
        poses[:, :, (2, 5)] = magnification * self._actor.radii
        orders = np.argsort(-0.5 * (depth[..., 0] + depth[..., 1]) - self._actor.bias, axis=1, kind="stable")
        return View(poses, orders, shifts, self._lights.waves(times_us))


Scene = tuple[Actor, Camera, Appearance, Path | None]
"""Who is seen, from where, what it all looks like, and how the camera moves (metres at the scene's distance, see `cameras`)."""


def _draw_person(gesture: str, seed: int, ranges: Preset, width: int, height: int) -> Scene:
    kind = KINDS.index(gesture)
    body = draw_body(Draw(seed, Stream.PERSON), ranges.body)
    figure = Figure.draw(gesture, Draw(seed, Stream.MOTION, kind), body, ranges.motion)
    camera = draw_camera(Draw(seed, Stream.SCENE, 1 + kind), ranges.scene, figure, width, height)
    hand = Draw(seed, Stream.CAMERA)
    half = 0.5 * min(width, height) / camera.scale
    pan = draw_motion(hand, half) if gesture == IDLE and hand.chance(ranges.scene.handheld) else None
    around = None if pan is None else Draw(seed, Stream.AROUND)
    return figure, camera, draw_appearance(Draw(seed, Stream.SCENE), ranges.scene, width, height, around), pan


def _draw_scene(gesture: str, seed: int, ranges: Preset, width: int, height: int) -> Scene:
    kind = KINDS.index(gesture)
    scene = Draw(seed, Stream.SCENE, 1 + kind)
    scale = draw_scale(scene, ranges.scene)
    things = draw_things(Draw(seed, Stream.MOTION, kind), 0.5 * VIEW / scale)
    camera = Camera.straight(scale, width, height)
    appearance = draw_thing_appearance(scene, ranges.scene, len(things.parts), width, height, things.pan is not None, things.wall)
    return things, camera, appearance, things.pan


def _truth(gesture: str, seed: int, preset: str, actor: Actor, camera: Camera, pan: Path | None) -> Truth:
    person = actor.performance if isinstance(actor, Figure) else None
    return Truth(
        gesture=gesture,
        preset=preset,
        seed=seed,
        frequency_hz=person.tempo.frequency if person else 0.0,
        active=person.active if person else (False, False),
        sense=person.sense if person else 0,
        onset_us=int(actor.recognisable * 1e6) if isinstance(actor, Figure) else 0,
        scale=camera.scale,
        actor=actor,
        camera=camera,
        pan=pan,
    )


def simulate(gesture: str, seed: int, duration_us: int, preset: str = "wide") -> Events:
    """A clip of a 128x128 sensor: events with 0 <= timestamp < duration_us. Raises like `Simulator`."""
    return Simulator(gesture, seed, preset).advance(duration_us)


def _check(gesture: str, seed: int, preset: str, width: int, height: int) -> None:
    if gesture not in KINDS:
        raise UserError(f"There is no gesture {gesture!r}; choose one of: {', '.join(KINDS)}.", USAGE)
    if preset not in PRESETS:
        raise UserError(f"There is no preset {preset!r}; choose one of: {', '.join(PRESETS)}.", USAGE)
    if seed < 0:
        raise UserError(f"A seed must be 0 or larger, not {seed}.", USAGE)
    if not (1 <= width <= LARGEST_SIDE and 1 <= height <= LARGEST_SIDE):
        raise UserError(
            f"A simulated sensor of {width}x{height} pixels is not possible; each side must be from 1 to {LARGEST_SIDE}.", USAGE
        )
