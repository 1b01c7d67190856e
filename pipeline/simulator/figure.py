"""A person performing: from a moment in time to capsules on the image plane, and the ground truth about it."""

from dataclasses import dataclass

import numpy as np

from pipeline.simulator.body import FINGERS, LEFT, PALM, RIGHT, ArmPath, Array, Body, skeleton
from pipeline.simulator.draw import Draw
from pipeline.simulator.gestures import GESTURES, Performance, air_drums, air_guitar, arm_roll, circle, clap, hanging, wave
from pipeline.simulator.others import idle, other
from pipeline.simulator.presets import MotionRanges, SceneRanges

IDLE = "idle"
"""The name of standing without a gesture."""

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
        return np.asarray(np.sum(self.size * np.sin(2.0 * np.pi * t[:, None, None] * self.rate + self.shift), axis=2))


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera facing the person: u = cx + k x, v = cy + k y with k = scale D / (D - z), after turning the body."""

    scale: float
    centre: tuple[float, float]
    distance: float
    turn: Array
    """(3, 3) rotation of the body as seen from the camera."""

    @classmethod
    def draw(cls, draw: Draw, ranges: SceneRanges, width: int, height: int) -> "Camera":
        """Draw a view; for a sensor other than 128x128 the whole view is fitted and centred."""
        zoom = min(width, height) / VIEW
        scale = draw.log_between(ranges.scale) if ranges.scale_log else draw.between(ranges.scale)
        centre = draw.between(ranges.centre_x), draw.between(ranges.centre_y)
        yaw, pitch, roll = (draw.between(limits) for limits in (ranges.yaw, ranges.pitch, ranges.roll))
        return cls(
            scale * zoom,
            (centre[0] * zoom + 0.5 * (width - VIEW * zoom), centre[1] * zoom + 0.5 * (height - VIEW * zoom)),
            draw.between(ranges.distance),
            _rotation(2, 0, yaw) @ _rotation(1, 2, pitch) @ _rotation(0, 1, roll),
        )

    def project(self, points: Array) -> tuple[Array, Array, Array]:
        """Points (..., 3) in metres -> pixels (..., 2), magnification px/m (...), depth toward the camera (...)."""
        turned = points @ self.turn.T
        k = self.scale * self.distance / np.maximum(self.distance - turned[..., 2], 0.25)
        return turned[..., :2] * k[..., None] + self.centre, k, turned[..., 2]


def _rotation(first: int, second: int, angle: float) -> Array:
    turn = np.eye(3)
    turn[first, first] = turn[second, second] = np.cos(angle)
    turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
    return turn


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
                path = ArmPath(wrist, rest.pole + effort * (path.pole - rest.pole), rest.palm + effort * (path.palm - rest.palm))
                lean += self.reaction * (wrist - rest.wrist) * (1.0, 0.2, 0.5)
            paths.append(path)
        ends = skeleton(self.body, (paths[0], paths[1]))
        ends += (self.sway.at(t) + lean)[:, None, None, :] * _mobility(ends)
        return ends


def _mobility(ends: Array) -> Array:
    """How far each point follows the body's sway: fully from the hips up, not at all at the feet."""
    feet = ends[..., 1:2] > 1.0
    return np.where(feet, 0.0, 1.0)


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
    """When the hands leave rest; 0 where the clip begins in the middle of the gesture."""
    scale: float
    """Pixels per metre at the person's distance."""
    figure: Figure
    camera: Camera

    def phase(self, times_us: Array) -> Array:
        """Phase of the gesture's cycle, radians, at times in us."""
        return self.figure.performance.tempo.phase(np.asarray(times_us, np.float64) * 1e-6)

    def hands(self, times_us: Array) -> Array:
        """Image position of both hands (pixels) at n times in us: (n, 2 hands, 2)."""
        return hand_positions(self.figure, self.camera, np.asarray(times_us, np.float64) * 1e-6)


def hand_positions(figure: Figure, camera: Camera, t: Array) -> Array:
    """Image position of the knuckles, right and left: (n, 2, 2) pixels, t in s."""
    pixels, _, _ = camera.project(figure.joints(t)[:, list(PALM), 1])
    return pixels


def draw_camera(draw: Draw, ranges: SceneRanges, figure: Figure, width: int, height: int) -> Camera:
    """A view in which the performing hands are inside for the share of time that the ranges ask for (or the best of 40 drawn)."""
    t = np.linspace(max(figure.onset, 0.0) + figure.raise_time, 3.0, 48)
    active = list(figure.performance.active)
    best, best_share = Camera.draw(draw, ranges, width, height), -1.0
    if not any(active):
        return best
    ends = figure.joints(t)[:, list(FINGERS), 0][:, active]
    camera = best
    for _ in range(40):
        pixels, _, _ = camera.project(ends)
        inside = np.all((pixels >= 0.0) & (pixels < (width, height)), axis=2)
        share = float(inside.mean())
        if share > best_share:
            best, best_share = camera, share
        if share >= ranges.visible:
            break
        camera = Camera.draw(draw, ranges, width, height)
    return best
