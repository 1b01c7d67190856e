"""Movements that are none of the ten named gestures, and standing idle.

"Other gestures" in DVS128 Gesture is whatever a subject invents; here it is a family: hands on random smooth paths, scratching, stretching,
pointing, punching, beckoning, one hand up and down, both arms up and down. A network has to learn where the named gestures end, so these
share places and rhythms with them.
"""

from collections.abc import Callable

import numpy as np

from pipeline.simulator.body import LEFT, OUT, RIGHT, ArmPath, Array, Body
from pipeline.simulator.draw import Draw
from pipeline.simulator.gestures import ArmFunction, Performance, draw_tempo, hanging, passive, xyz
from pipeline.simulator.presets import MotionRanges

Hands = tuple[bool, bool]


def idle(draw: Draw, body: Body, ranges: MotionRanges) -> Performance:
    """Standing: arms at rest, only the body's sway moves."""
    arms = (passive(draw, body, RIGHT, ranges), passive(draw, body, LEFT, ranges))
    return Performance(draw_tempo(draw, (0.5, 1.0), ranges), (False, False), 0, arms)


def other(draw: Draw, body: Body, ranges: MotionRanges) -> Performance:
    """One movement of the family, with one hand or both."""
    build, rate, both = draw.choice(_FAMILY)
    tempo = draw_tempo(draw, rate, ranges)
    hands = (True, True) if draw.chance(both) else draw.choice(((True, False), (False, True)))
    move = build(draw, body)
    arms = tuple(move(side) if hands[side] else hanging(draw, body, side) for side in (RIGHT, LEFT))
    return Performance(tempo, hands, 0, (arms[0], arms[1]))


Move = Callable[[int], ArmFunction]


def _wander(draw: Draw, body: Body) -> Move:
    """Sums of three incommensurate oscillations about a drawn place, different for each hand."""
    centres = [(draw.between((-0.05, 0.35)), draw.between((-0.35, 0.45)), draw.between((0.1, 0.4))) for _ in OUT]
    rates = np.array([[draw.log_between((0.4, 2.5)) for _ in range(3)] for _ in range(6)]).reshape(2, 3, 3)
    phases = draw.generator.uniform(0.0, 2.0 * np.pi, (2, 3, 3))
    size = draw.between((0.04, 0.13)) / rates**0.5

    def arm(side: int) -> ArmFunction:
        x, y, z = centres[side]

        def path(t: Array, phase: Array) -> ArmPath:
            angles = 2.0 * np.pi * t[:, None, None] * rates[side] + phases[side]
            wrist = xyz(t, OUT[side] * x, y, z) + np.sum(size[side] * np.sin(angles), axis=2)
            return ArmPath(wrist, xyz(t, OUT[side], 1.0, -0.2), xyz(t, 0.0, -0.3, 0.2))

        return path

    return arm


def _scratch(draw: Draw, body: Body) -> Move:
    """Quick small strokes at the head, the other arm or the belly."""
    x, y, z = draw.choice(((0.06, -0.16, 0.1), (0.02, -0.05, 0.14), (-0.14, 0.22, 0.16), (-0.02, 0.40, 0.2)))
    size, tilt = draw.between((0.012, 0.05)), draw.angle()

    def arm(side: int) -> ArmFunction:
        def path(t: Array, phase: Array) -> ArmPath:
            stroke = size * np.sin(phase)
            wrist = xyz(t, OUT[side] * x + stroke * np.cos(tilt), y + stroke * np.sin(tilt), z)
            return ArmPath(wrist, xyz(t, OUT[side], 0.6, 0.0), xyz(t, -0.4 * OUT[side], -0.3, 0.0))

        return path

    return arm


def _between(draw: Draw, start: tuple[float, float, float], end: tuple[float, float, float], hold: float, lift: float = 0.0) -> Move:
    """To and fro between two places ("out" mirrored by side), resting at either end: larger `hold` rests longer."""
    jitter = draw.generator.uniform(-0.06, 0.06, (2, 3))

    def arm(side: int) -> ArmFunction:
        def path(t: Array, phase: Array) -> ArmPath:
            share = (0.5 + 0.5 * np.tanh(hold * np.sin(phase)) / np.tanh(hold))[:, None]
            a, b = np.array(start) + jitter[0], np.array(end) + jitter[1]
            wrist = (a + (b - a) * share) * (OUT[side], 1.0, 1.0)
            return ArmPath(wrist, xyz(t, OUT[side], 0.8, -0.2), xyz(t, 0.0, -lift, 0.1))

        return path

    return arm


def _stretch(draw: Draw, body: Body) -> Move:
    return _between(draw, (0.20, 0.10, 0.15), (0.45, -0.45, 0.05), draw.between((0.5, 2.0)))


def _point(draw: Draw, body: Body) -> Move:
    return _between(draw, (0.25, 0.50, 0.10), (draw.between((0.0, 0.6)), draw.between((-0.3, 0.25)), 0.45), draw.between((1.0, 4.0)))


def _punch(draw: Draw, body: Body) -> Move:
    """Straight punches, the hands in turn."""
    strike = _between(draw, (0.14, 0.10, 0.18), (0.06, 0.05, 0.52), draw.between((0.5, 2.0)))

    def arm(side: int) -> ArmFunction:
        forward, shift = strike(side), np.pi if side == LEFT else 0.0
        return lambda t, phase: forward(t, phase + shift)

    return arm


def _beckon(draw: Draw, body: Body) -> Move:
    y = draw.between((-0.1, 0.25))
    return _between(draw, (0.12, y, 0.22), (0.12, y + 0.02, 0.42), draw.between((0.3, 1.0)), draw.between((0.3, 1.0)))


def _lift(draw: Draw, body: Body) -> Move:
    """The stretched arm up and down at the side or in front."""
    out = draw.between((0.1, 0.6))
    return _between(draw, (out, 0.45, 0.2), (out, draw.between((-0.5, -0.1)), 0.2), draw.between((0.3, 1.5)))


def _open(draw: Draw, body: Body) -> Move:
    """Arms spread and brought together, far from clapping."""
    y = draw.between((0.0, 0.4))
    return _between(draw, (0.18, y, 0.4), (draw.between((0.45, 0.65)), y, 0.15), draw.between((0.3, 1.5)))


_FAMILY: tuple[tuple[Callable[[Draw, Body], Move], tuple[float, float], float], ...] = (
    (_wander, (0.5, 2.0), 0.5),
    (_wander, (0.5, 2.0), 0.5),
    (_scratch, (2.5, 6.0), 0.1),
    (_stretch, (0.3, 0.8), 0.7),
    (_point, (0.3, 0.9), 0.1),
    (_punch, (0.6, 2.5), 1.0),
    (_beckon, (0.8, 2.5), 0.1),
    (_lift, (0.4, 1.5), 0.4),
    (_open, (0.4, 1.2), 1.0),
)
"""Movement, its rate in Hz, and how often both hands make it."""
