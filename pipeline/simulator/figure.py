"""A person performing: from a moment in time to capsules on the image plane, and the ground truth about it."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from pipeline.simulator.body import FINGERS, HEAD, LEFT, LEGS, OUT, PALM, RIGHT, ArmPath, Array, Body, skeleton
from pipeline.simulator.cameras import Path
from pipeline.simulator.draw import Draw
from pipeline.simulator.gestures import GESTURES, Carriage, Performance, air_drums, air_guitar, arm_roll, circle, clap, hanging, wave
from pipeline.simulator.idlers import idle
from pipeline.simulator.others import other
from pipeline.simulator.ranges import MotionRanges, SceneRanges

IDLE = "idle"
"""The name of a person who makes no gesture."""

TRIES = 64
AIMED_FROM = 3
"""Of every eight tries the first so many leave the person where the ranges put it; the others aim."""
SIDE_MARGIN = 10.0
"""Pixels by which a lone hand may be across the middle of the view."""

VIEW = 128.0
"""Side of the reference view in pixels: ranges in pixels are for this size."""


def perform(gesture: str, draw: Draw, body: Body, ranges: MotionRanges) -> Performance:
    """Draw one way of doing the gesture named (one of `GESTURES` or `IDLE`)."""
    builders = (
        lambda: clap(draw, body, ranges),
        lambda: wave(draw, body, ranges, RIGHT),
        lambda: wave(draw, body, ranges, LEFT),
        lambda: circle(draw, body, ranges, RIGHT, 1),
        lambda: circle(draw, body, ranges, RIGHT, -1),
        lambda: circle(draw, body, ranges, LEFT, 1),
        lambda: circle(draw, body, ranges, LEFT, -1),
        lambda: arm_roll(draw, body, ranges),
        lambda: air_drums(draw, body, ranges),
        lambda: air_guitar(draw, body, ranges),
        lambda: other(draw, body, ranges),
    )
    return idle(draw, body, ranges) if gesture == IDLE else builders[GESTURES.index(gesture)]()


@dataclass(frozen=True, slots=True)
class Slow:
    """Smooth involuntary movement: each of three coordinates is a sum of three slow oscillations, metres."""

    size: Array
    rate: Array
    shift: Array

    @classmethod
    def draw(cls, draw: Draw, size: tuple[float, float, float], rate: tuple[float, float]) -> "Slow":
        """Draw amplitudes up to `size` for x, y, z and rates (Hz) in the range."""
        weights = draw.generator.dirichlet((1.0, 1.0, 1.0), 3)
        return cls(
            np.array(size)[:, None] * weights, draw.generator.uniform(*rate, (3, 3)), draw.generator.uniform(0.0, 2.0 * np.pi, (3, 3))
        )

    def at(self, t: Array) -> Array:
        """Displacement (n, 3) at times t (s)."""
        waves = self.size * np.sin(2.0 * np.pi * t[:, None, None] * self.rate + self.shift)
        return np.asarray(waves[..., 0] + waves[..., 1] + waves[..., 2])


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera facing the person: u = cx + k x, v = cy + k y with k = scale D / (D - z), after turning the body."""

    scale: float
    centre: tuple[float, float]
    distance: float
    turn: Array
    """(3, 3) rotation of the body as seen from the camera."""

    @classmethod
    def draw(cls, draw: Draw, ranges: SceneRanges, width: int, height: int, scale: float) -> "Camera":
        """Draw a view at `scale` (px/m on 128 pixels); for a sensor other than 128x128 the whole view is fitted and centred."""
        zoom = min(width, height) / VIEW
        centre = draw.between(ranges.centre_x), draw.between(ranges.centre_y)
        yaw, pitch, roll = (draw.between(limits) for limits in (ranges.yaw, ranges.pitch, ranges.roll))
        return cls(
            scale * zoom,
            (centre[0] * zoom + 0.5 * (width - VIEW * zoom), centre[1] * zoom + 0.5 * (height - VIEW * zoom)),
            draw.between(ranges.distance),
            _rotation(2, 0, yaw) @ _rotation(1, 2, pitch) @ _rotation(0, 1, roll),
        )

    @classmethod
    def straight(cls, scale: float, width: int, height: int) -> "Camera":
        """A far camera that looks straight at the origin, which is in the middle of the view; `scale` in px/m on 128 pixels."""
        return cls(scale * min(width, height) / VIEW, (0.5 * width, 0.5 * height), 1e6, np.eye(3))

    def project(self, points: Array) -> tuple[Array, Array, Array]:
        """Points (..., 3) in metres -> pixels (..., 2), magnification px/m (...), depth toward the camera (...)."""
        turned = (points.reshape(-1, 3) @ self.turn.T).reshape(points.shape)
        k = self.scale * self.distance / np.maximum(self.distance - turned[..., 2], 0.25)
        return turned[..., :2] * k[..., None] + self.centre, k, turned[..., 2]

    def shifts(self, pan: Path | None, t: Array) -> Array:
        """By how much whatever is seen has moved left and up at times t (s), (n, 2) pixels, where the camera turns along `pan`."""
        return np.zeros((len(t), 2)) if pan is None else self.scale * pan(t)


def _rotation(first: int, second: int, angle: float) -> Array:
    turn = np.eye(3)
    turn[first, first] = turn[second, second] = np.cos(angle)
    turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
    return turn


class Actor(Protocol):
    """Whatever is made of capsules and moves: a person or things."""

    @property
    def radii(self) -> Array:
        """(C, 2) at either end, metres."""

    @property
    def bias(self) -> Array:
        """(C,) added to the depth when sorting."""

    def joints(self, t: Array) -> Array:
        """End points of all capsules at times t (s): (n, C, 2, 3), metres."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A body with a performance, an onset and involuntary movement."""

    body: Body
    performance: Performance
    rest: tuple[ArmPath, ArmPath]
    """One moment of either arm hanging, (1, 3) each."""
    onset: float
    """When the hands leave rest, s; negative infinity where the clip begins in the middle of the gesture."""
    raise_time: float
    sway: Slow
    wander: tuple[Slow, Slow]
    reaction: float

    @classmethod
    def draw(cls, gesture: str, draw: Draw, body: Body, ranges: MotionRanges) -> "Figure":
        """Draw how this person does the gesture."""
        performance = perform(gesture, draw, body, ranges)
        still = np.zeros(1)
        rest = tuple(hanging(draw, body, side)(still, still) for side in (RIGHT, LEFT))
        onset = -np.inf if gesture == IDLE or draw.chance(ranges.in_motion) else draw.between(ranges.onset)
        sway, wander = draw.between(ranges.sway), draw.between(ranges.hand_wander)
        return cls(
            body,
            performance,
            (rest[0], rest[1]),
            onset,
            draw.between(ranges.raise_time),
            Slow.draw(draw, (sway, 0.3 * sway, 0.7 * sway), ranges.sway_rate),
            (Slow.draw(draw, (wander,) * 3, (0.2, 1.5)), Slow.draw(draw, (wander,) * 3, (0.2, 1.5))),
            draw.between(ranges.reaction),
        )

    @property
    def radii(self) -> Array:
        """(CAPSULES, 2) at either end, metres."""
        return self.body.radii

    @property
    def bias(self) -> Array:
        """(CAPSULES,) added to the depth when sorting."""
        return self.body.bias

    @property
    def shown(self) -> float:
        """From when on the hands have come up and the gesture's cycle has its full size, s."""
        return max(self.onset, 0.0) + self.raise_time

    @property
    def recognisable(self) -> float:
        """When the cycle has half its size, the hands being half way up, s; 0 where the clip begins in the middle of the gesture."""
        return max(self.onset + 0.5 * self.raise_time, 0.0)

    def joints(self, t: Array) -> Array:
        """End points of all capsules at times t (s): (n, CAPSULES, 2, 3), metres."""
        phase = self.performance.tempo.phase(t)
        effort = np.clip((t - self.onset) / self.raise_time, 0.0, 1.0)
        effort = (effort * effort * (3.0 - 2.0 * effort))[:, None]
        paths, lean = [], np.zeros((len(t), 3))
        for side in (RIGHT, LEFT):
            path, rest = self.performance.arms[side](t, phase), self.rest[side]
            if self.performance.active[side]:
                wrist = rest.wrist + effort * (path.wrist + self.wander[side].at(t) - rest.wrist)
                pole, palm = rest.pole + effort * (path.pole - rest.pole), rest.palm + effort * (path.palm - rest.palm)
                path = ArmPath(wrist, pole, palm, path.open, path.edge_on)
                lean += self.reaction * (wrist - rest.wrist) * (1.0, 0.2, 0.5)
            paths.append(path)
        ends = skeleton(self.body, (paths[0], paths[1]))
        moved = self.sway.at(t) + lean
        if self.performance.carriage is not None:
            carriage = self.performance.carriage(t, phase)
            ends = _carry(ends, carriage)
            if carriage.walking:  # the feet come along
                ends += carriage.trunk[:, None, None, :]
            else:
                moved += carriage.trunk
        feet = ends[:, list(LEGS), 1].copy()
        ends += moved[:, None, None, :]
        ends[:, list(LEGS), 1] = feet
        return ends


def _carry(ends: Array, carriage: Carriage) -> Array:
    """The body (n, CAPSULES, 2, 3) with head, feet and heading as the carriage says, where it stood."""
    ends[:, HEAD] += carriage.head[:, None, :]
    for leg, forward in zip(LEGS, (0.5, -0.5), strict=True):
        ends[:, leg, 1, 2] += forward * carriage.stride
        ends[:, leg, 1, 1] -= 0.3 * carriage.stride**2
    cos, sin = np.cos(carriage.yaw)[:, None, None], np.sin(carriage.yaw)[:, None, None]
    x, z = ends[..., 0].copy(), ends[..., 2].copy()
    ends[..., 0], ends[..., 2] = cos * x + sin * z, cos * z - sin * x
    return ends


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of a simulated clip because it was made: for tests and for labels.

    Hands are in the order right, left; pixels have x to the right, y down.
    """

    gesture: str
    preset: str
    seed: int
    frequency_hz: float
    """Mean rate of the gesture's cycle."""
    active: tuple[bool, bool]
    """Which hands perform."""
    sense: int
    """Rotation named by the gesture: 1 clockwise on the screen, -1 counter-clockwise, 0 none."""
    onset_us: int
    """When the cycle of the gesture begins to be seen: the hands are half way up from rest and the cycle has half its size (full size
    comes 0.1 to 0.23 s later; the hands leave rest as long before). 0 where the clip begins in the middle of the gesture."""
    scale: float
    """Pixels per metre at the person's distance."""
    actor: Actor
    camera: Camera
    """Where it looks before it turns."""
    pan: Path | None
    """How the camera turns, as metres at the person's distance (`pipeline.simulator.cameras`); None where it stands still."""

    @property
    def figure(self) -> Figure:
        """The person. Raises ValueError where there is none."""
        if not isinstance(self.actor, Figure):
            raise ValueError(f"{self.gesture} has no person in it")
        return self.actor

    def phase(self, times_us: Array) -> Array:
        """Phase of the gesture's cycle, radians, at times in us."""
        return self.figure.performance.tempo.phase(np.asarray(times_us, np.float64) * 1e-6)

    def hands(self, times_us: Array) -> Array:
        """Image position (pixels) of the knuckles of both hands at n times in us, as a camera that turns sees them: (n, 2 hands, 2)."""
        t = np.asarray(times_us, np.float64) * 1e-6
        pixels, _, _ = self.camera.project(self.figure.joints(t)[:, list(PALM), 1])
        return pixels - self.camera.shifts(self.pan, t)[:, None, :]


def draw_scale(draw: Draw, ranges: SceneRanges) -> float:
    """Draw the pixels per metre at the person's distance."""
    return draw.log_between(ranges.scale) if ranges.scale_log else draw.between(ranges.scale)


def draw_camera(draw: Draw, ranges: SceneRanges, figure: Figure, width: int, height: int) -> Camera:
    """A view in which the gesture can be recognised (`_recognisable`), or the best of `TRIES` drawn.

    The scale is drawn first, so that near views are as frequent as the ranges say. Where the places drawn for the person will not do, the
    camera is aimed at the hands (near views, the head perhaps outside), and if that will not do either, it steps back.
    """
    t = np.linspace(figure.shown, 3.0, 48)
    active = figure.performance.active
    scale = draw_scale(draw, ranges)
    best, best_share = Camera.draw(draw, ranges, width, height, scale), -1.0
    if not any(active):
        return best
    hands = figure.joints(t)[:, [FINGERS[side][1] for side in (RIGHT, LEFT)], 0][:, list(active)]
    camera = best
    for attempt in range(1, TRIES):
        share = _recognisable(camera, hands, active, width, height)
        if share > best_share:
            best, best_share = camera, share
        if share >= ranges.visible:
            break
        scale *= 0.9 if attempt % 8 == 0 else 1.0
        camera = Camera.draw(draw, ranges, width, height, scale)
        if attempt % 8 >= AIMED_FROM:
            camera = _aimed(draw, camera, hands, active, width, height)
    return best


def _aimed(draw: Draw, camera: Camera, hands: Array, active: tuple[bool, bool], width: int, height: int) -> Camera:
    """The camera turned so that the hands (n, hands, 3) are, on average, at a drawn place of the view: a lone one on its own side."""
    aside = draw.between((-0.06, 0.34)) * (OUT[RIGHT] if active[RIGHT] else OUT[LEFT])
    if all(active):
        aside = draw.between((-0.15, 0.15))
    wanted = (0.5 + aside) * width, draw.between((0.25, 0.75)) * height
    pixels, _, _ = camera.project(hands)
    moved = np.array(wanted) - pixels.reshape(-1, 2).mean(axis=0)
    return replace(camera, centre=(camera.centre[0] + float(moved[0]), camera.centre[1] + float(moved[1])))


def _recognisable(camera: Camera, hands: Array, active: tuple[bool, bool], width: int, height: int) -> float:
    """Share of the time that the hands (n, hands, 3) are in view; 0 for one hand that a viewer would take for the other.

    Often only what moves is seen, so one performing hand has to be on its own side of the view, but for `SIDE_MARGIN`, and of the neck.
    """
    pixels, _, _ = camera.project(hands)
    if active[RIGHT] != active[LEFT]:
        side, column = RIGHT if active[RIGHT] else LEFT, float(pixels[..., 0].mean())
        margin = SIDE_MARGIN * min(width, height) / VIEW
        if OUT[side] * (column - camera.centre[0]) < 0.0 or OUT[side] * (column - 0.5 * width) < -margin:
            return 0.0
    inside = np.all((pixels >= 0.0) & (pixels < (width, height)), axis=2)
    return float(inside.mean(axis=0).min())
