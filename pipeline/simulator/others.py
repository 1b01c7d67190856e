"""Movements that are none of the ten named gestures.

"Other gestures" in DVS128 Gesture is whatever a subject invents; here it is a family: hands on random smooth paths, errands at no rhythm,
scratching, stretching, pointing, punching, beckoning, lifting, spreading, throwing, saluting, thumbs up, stirring, swimming, hands up,
counting on fingers, knocking, drinking, flexing, steering, pulling a rope, bowing. A network has to learn where the named gestures end, so
these share places and rhythms with them, but none is a wave, a circle of the whole arm, a clap, a roll, drumming or strumming.
"""

from collections.abc import Callable

import numpy as np

from pipeline.simulator.body import LEFT, OUT, RIGHT, ArmPath, Array, Body
from pipeline.simulator.draw import Draw
from pipeline.simulator.gestures import ArmFunction, Carriage, Performance, draw_tempo, hanging, xyz
from pipeline.simulator.parts import smoothly
from pipeline.simulator.ranges import MotionRanges

Hands = tuple[bool, bool]


def other(draw: Draw, body: Body, ranges: MotionRanges) -> Performance:
    """One movement of the family, with one hand or both."""
    build, rate, both = draw.choice(_FAMILY)
    tempo = draw_tempo(draw, rate, ranges)
    hands = (True, True) if draw.chance(both) else draw.choice(((True, False), (False, True)))
    move = build(draw, body)
    arms = tuple(move(side) if hands[side] else hanging(draw, body, side) for side in (RIGHT, LEFT))
    bow = _bowing(draw) if draw.chance(0.1) else None
    return Performance(tempo, hands, 0, (arms[0], arms[1]), bow)


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


def _errands(draw: Draw, body: Body) -> Move:
    """From one place in reach to another with the course of least jerk and with rests, at no rhythm: reaching, pointing, sorting."""
    places = draw.generator.uniform((-0.15, -0.4, 0.1), (0.5, 0.5, 0.5), (2, 12, 3))
    lengths, rests = draw.generator.uniform(0.3, 1.0, (2, 12)), draw.generator.exponential(draw.log_between((0.05, 0.6)), (2, 12))

    def arm(side: int) -> ArmFunction:
        go = smoothly(places[side], lengths[side], rests[side])

        def path(t: Array, phase: Array) -> ArmPath:
            return ArmPath(go(t) * (OUT[side], 1.0, 1.0), xyz(t, OUT[side], 0.8, -0.2), xyz(t, 0.0, -0.2, 0.2))

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


def _throw(draw: Draw, body: Body) -> Move:
    """Wind up behind the head, throw forward quickly, let the arm sink, and again."""
    quick = draw.between((0.10, 0.2))
    back, front = np.array([0.32, -0.22, -0.05]), np.array([draw.between((0.0, 0.2)), draw.between((0.0, 0.25)), 0.48])

    def arm(side: int) -> ArmFunction:
        def path(t: Array, phase: Array) -> ArmPath:
            share = np.mod(phase / (2.0 * np.pi), 1.0)
            thrown = np.where(share < quick, share / quick, 0.5 + 0.5 * np.cos(np.pi * np.clip((share - 0.45) / 0.45, 0.0, 1.0)))[:, None]
            wrist = (back + (front - back) * thrown) * (OUT[side], 1.0, 1.0)
            return ArmPath(wrist, xyz(t, OUT[side], 0.4, -0.5), xyz(t, 0.0, 0.0, 0.3), open=0.6)

        return path

    return arm


def _salute(draw: Draw, body: Body) -> Move:
    return _between(draw, (0.22, 0.48, 0.1), (0.13, -0.14, 0.12), draw.between((2.0, 6.0)))


def _thumbs_up(draw: Draw, body: Body) -> Move:
    """The fist before the body, pushed forward a little again and again."""
    x, y, push = draw.between((0.05, 0.25)), draw.between((-0.02, 0.25)), draw.between((0.01, 0.05))

    def arm(side: int) -> ArmFunction:
        def path(t: Array, phase: Array) -> ArmPath:
            wrist = xyz(t, OUT[side] * x, y - 0.4 * push * np.sin(phase), 0.36 + push * np.sin(phase))
            return ArmPath(wrist, xyz(t, OUT[side] * 0.5, 1.0, -0.2), xyz(t, -0.2 * OUT[side], -0.1, 0.4), open=0.3, edge_on=True)

        return path

    return arm


def _stir(draw: Draw, body: Body) -> Move:
    """A level circle before the belly: sideways and in depth, hardly in height."""
    x, y, size, way = draw.between((-0.05, 0.15)), draw.between((0.25, 0.45)), draw.between((0.04, 0.12)), draw.sign()

    def arm(side: int) -> ArmFunction:
        def path(t: Array, phase: Array) -> ArmPath:
            wrist = xyz(t, OUT[side] * x + size * np.cos(way * phase), y, 0.3 + size * np.sin(way * phase))
            return ArmPath(wrist, xyz(t, OUT[side], 0.8, -0.2), xyz(t, 0.0, 0.5, 0.2), open=0.5)

        return path

    return arm


def _swim(draw: Draw, body: Body) -> Move:
    """Breast stroke: hands together forward, apart, and back to the chest."""
    y, wide, deep = draw.between((0.0, 0.2)), draw.between((0.15, 0.3)), draw.between((0.08, 0.14))

    def arm(side: int) -> ArmFunction:
        def path(t: Array, phase: Array) -> ArmPath:
            apart = 0.5 - 0.5 * np.cos(phase)
            wrist = xyz(t, OUT[side] * (0.06 + wide * apart), y + 0.03 * apart, 0.33 + deep * np.sin(phase))
            return ArmPath(wrist, xyz(t, OUT[side], 0.4, -0.2), xyz(t, 0.0, 0.0, 0.2))

        return path

    return arm


def _hands_up(draw: Draw, body: Body) -> Move:
    """Both hands beside or over the head, held, sinking and rising now and then."""
    out, y = draw.between((0.12, 0.40)), draw.between((-0.5, -0.15))
    return _between(draw, (out, y + draw.between((0.1, 0.5)), 0.1), (out, y, 0.08), draw.between((3.0, 8.0)), 0.5)


def _count(draw: Draw, body: Body) -> Move:
    """One hand held up before the shoulder while fingers are put out: small jerks, now and then."""
    x, y, jerk = draw.between((0.05, 0.3)), draw.between((-0.1, 0.15)), draw.between((0.008, 0.025))
    tilt = draw.angle()

    def arm(side: int) -> ArmFunction:
        def path(t: Array, phase: Array) -> ArmPath:
            push = jerk * np.tanh(4.0 * np.sin(phase))
            wrist = xyz(t, OUT[side] * x + push * np.cos(tilt), y + push * np.sin(tilt), 0.3)
            return ArmPath(wrist, xyz(t, OUT[side] * 0.6, 1.0, -0.2), xyz(t, 0.0, -0.8, 0.1), open=1.5)

        return path

    return arm


def _knock(draw: Draw, body: Body) -> Move:
    """The fist taps forward at the height of the shoulder, a few times, and waits."""
    x, y, tap, rate = draw.between((0.05, 0.25)), draw.between((-0.12, 0.1)), draw.between((0.03, 0.08)), draw.between((2.5, 5.0))

    def arm(side: int) -> ArmFunction:
        def path(t: Array, phase: Array) -> ArmPath:
            push = tap * np.maximum(np.sin(2.0 * np.pi * rate * t), 0.0) * (np.sin(phase) > -0.3)
            return ArmPath(xyz(t, OUT[side] * x, y, 0.3 + push), xyz(t, OUT[side], 0.9, -0.2), xyz(t, 0.0, -0.5, 0.3), open=0.3)

        return path

    return arm


def _drink(draw: Draw, body: Body) -> Move:
    return _between(draw, (0.12, 0.30, 0.28), (0.04, -0.02, 0.17), draw.between((1.5, 5.0)), 0.2)


def _flex(draw: Draw, body: Body) -> Move:
    """Fists from beside the hips to the shoulders, elbows out."""
    return _between(draw, (0.45, 0.25, 0.1), (0.30, -0.10, 0.05), draw.between((1.0, 4.0)))


def _steer(draw: Draw, body: Body) -> Move:
    """Both hands on a wheel that turns to and fro."""
    y, size, swing = draw.between((0.12, 0.32)), draw.between((0.14, 0.2)), draw.between((0.25, 0.8))

    def arm(side: int) -> ArmFunction:
        def path(t: Array, phase: Array) -> ArmPath:
            angle = swing * np.sin(phase) + (np.pi if side == RIGHT else 0.0)
            wrist = xyz(t, size * np.cos(angle), y + 0.9 * size * np.sin(angle), 0.38)
            return ArmPath(wrist, xyz(t, OUT[side], 0.8, -0.1), xyz(t, 0.0, -0.5, 0.3), open=0.4)

        return path

    return arm


def _pull(draw: Draw, body: Body) -> Move:
    """Hand over hand, in turn, down along a rope in the middle."""
    top, bottom = draw.between((-0.3, -0.15)), draw.between((0.25, 0.4))
    stroke = _between(draw, (0.03, top, 0.32), (0.05, bottom, 0.25), draw.between((0.5, 1.5)))

    def arm(side: int) -> ArmFunction:
        pulling, shift = stroke(side), np.pi if side == LEFT else 0.0
        return lambda t, phase: pulling(t, phase + shift)

    return arm


def _bowing(draw: Draw) -> Callable[[Array, Array], Carriage]:
    """The trunk bows or rocks with the movement."""
    down, aside = draw.between((0.0, 0.12)), draw.between((-0.1, 0.1))

    def carry(t: Array, phase: Array) -> Carriage:
        bent = 0.5 - 0.5 * np.cos(0.5 * phase)
        nod = xyz(t, 0.0, 0.5 * down * bent, 0.5 * down * bent)
        return Carriage(xyz(t, aside * bent, down * bent, down * bent), nod, np.zeros(len(t)), np.zeros(len(t)), False)

    return carry


_FAMILY: tuple[tuple[Callable[[Draw, Body], Move], tuple[float, float], float], ...] = (
    (_wander, (0.5, 2.0), 0.5),
    (_wander, (0.5, 2.0), 0.5),
    (_errands, (0.5, 2.0), 0.4),
    (_errands, (0.5, 2.0), 0.4),
    (_scratch, (2.5, 6.0), 0.1),
    (_stretch, (0.3, 0.8), 0.7),
    (_point, (0.3, 0.9), 0.1),
    (_punch, (0.6, 2.5), 1.0),
    (_beckon, (0.8, 2.5), 0.1),
    (_lift, (0.4, 1.5), 0.4),
    (_open, (0.4, 1.2), 1.0),
    (_throw, (0.4, 1.0), 0.0),
    (_salute, (0.25, 0.7), 0.0),
    (_thumbs_up, (0.5, 2.0), 0.3),
    (_stir, (0.5, 2.0), 0.1),
    (_swim, (0.4, 1.2), 1.0),
    (_hands_up, (0.2, 0.6), 1.0),
    (_count, (0.4, 1.2), 0.0),
    (_knock, (0.3, 0.8), 0.0),
    (_drink, (0.2, 0.6), 0.0),
    (_flex, (0.4, 1.2), 0.8),
    (_steer, (0.4, 1.2), 1.0),
    (_pull, (0.5, 1.4), 1.0),
)
"""Movement, its rate in Hz, and how often both hands make it."""
