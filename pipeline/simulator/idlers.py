"""People who make no gesture: standing, shifting their weight, looking about, turning, walking through, fidgeting, talking, at work.

A recogniser spends most of its day before people who want nothing from it. They are drawn here: what the trunk, the head and the feet do
is a `Carriage`, what the hands do are arm functions as those of the gestures, only small, seldom or without rhythm.
"""

from collections.abc import Callable

import numpy as np

from pipeline.simulator.body import LEFT, OUT, RIGHT, ArmPath, Array, Body
from pipeline.simulator.draw import Draw, Range
from pipeline.simulator.gestures import ArmFunction, Carriage, Performance, Tempo, draw_tempo, hanging, passive, xyz
from pipeline.simulator.ranges import MotionRanges

Carry = Callable[[Array, Array], Carriage]
Arms = tuple[ArmFunction, ArmFunction]

PLACES = (
    (0.07, -0.13, 0.10),
    (0.10, -0.20, 0.04),
    (0.03, 0.05, 0.14),
    (-0.04, 0.22, 0.18),
    (0.02, 0.42, 0.16),
    (-0.16, 0.20, 0.18),
    (0.12, 0.50, 0.08),
)
"""Where hands go without a gesture: face, hair, collar, buttons, belt, the other arm, pocket (out, y, z)."""


def idle(draw: Draw, body: Body, ranges: MotionRanges) -> Performance:
    """One way of doing nothing in particular. No hand counts as performing."""
    build = draw.choice(_FAMILY)
    tempo = draw_tempo(draw, (0.5, 1.0), ranges)
    arms, carry = build(draw, body, ranges, tempo)
    return Performance(tempo, (False, False), 0, arms, carry)


def eased(t: Array, start: float, length: float) -> Array:
    """0 before `start`, 1 from `start + length` on, smooth in between."""
    share = np.clip((t - start) / length, 0.0, 1.0)
    return np.asarray(share * share * (3.0 - 2.0 * share))


def still(t: Array) -> Carriage:
    """Nothing moves."""
    return Carriage(np.zeros((len(t), 3)), np.zeros((len(t), 3)), np.zeros(len(t)), np.zeros(len(t)), False)


def looking(draw: Draw) -> Carry:
    """The head nods or turns now and then; the trunk sways from foot to foot."""
    size = np.array([draw.between((0.0, 0.04)), draw.between((0.0, 0.03)), draw.between((0.0, 0.03))])
    rates, shifts = draw.generator.uniform(0.2, 1.6, 3), draw.generator.uniform(0.0, 2.0 * np.pi, 3)
    weight, weight_rate, weight_shift = draw.between((0.0, 0.09)), draw.between((0.1, 0.5)), draw.angle()

    def carry(t: Array, phase: Array) -> Carriage:
        head = size * np.tanh(2.0 * np.sin(2.0 * np.pi * rates * t[:, None] + shifts))
        side = weight * np.tanh(1.5 * np.sin(2.0 * np.pi * weight_rate * t + weight_shift))
        return still(t)._replace(trunk=xyz(t, side, 0.08 * np.abs(side), 0.0), head=head)

    return carry


def _stand(draw: Draw, body: Body, ranges: MotionRanges, tempo: Tempo) -> tuple[Arms, Carry | None]:
    return (passive(draw, body, RIGHT, ranges), passive(draw, body, LEFT, ranges)), None


def _shift(draw: Draw, body: Body, ranges: MotionRanges, tempo: Tempo) -> tuple[Arms, Carry | None]:
    return (passive(draw, body, RIGHT, ranges), passive(draw, body, LEFT, ranges)), looking(draw)


def _turn(draw: Draw, body: Body, ranges: MotionRanges, tempo: Tempo) -> tuple[Arms, Carry | None]:
    """Turns to one side, and perhaps back."""
    angle, start, length = draw.sign() * draw.between((0.5, 3.0)), draw.between((0.0, 2.0)), draw.between((0.5, 1.5))
    back = start + length + draw.between((0.2, 4.0))

    def carry(t: Array, phase: Array) -> Carriage:
        share = eased(t, start, length) - eased(t, back, length)
        return still(t)._replace(yaw=angle * share, stride=0.15 * np.sin(2.0 * np.pi * share))

    return (hanging(draw, body, RIGHT), hanging(draw, body, LEFT)), carry


def _walk(draw: Draw, body: Body, ranges: MotionRanges, tempo: Tempo) -> tuple[Arms, Carry | None]:
    """Walks through the view, into it or out of it, now and then to and fro, arms and legs swinging."""
    speed, way = draw.between((0.4, 1.6)), draw.sign()
    passing, stop = draw.between((0.0, 3.0)), draw.choice((0.0, 0.0, draw.between((0.2, 0.8))))
    heading, bob, swing = way * draw.between((0.9, 1.57)), draw.between((0.01, 0.04)), draw.between((0.1, 0.3))
    cadence = speed / draw.between((1.2, 1.6))
    away = speed * np.cos(heading)

    def moved(t: Array) -> Array:
        gone = speed * (t - passing)
        return np.asarray(np.minimum(gone, 0.0) + np.maximum(gone - stop, 0.0) if stop else gone)

    def carry(t: Array, phase: Array) -> Carriage:
        gone = moved(t)
        step = 2.0 * np.pi * cadence * gone / speed
        trunk = xyz(t, np.sin(heading) * gone, bob * np.cos(2.0 * step), 0.3 * np.clip(away * (t - passing), -2.0, 1.0))
        return Carriage(trunk, np.zeros((len(t), 3)), np.full(len(t), heading), 2.0 * swing * np.sin(step), True)

    def arm(side: int) -> ArmFunction:
        at_rest = hanging(draw, body, side)

        def path(t: Array, phase: Array) -> ArmPath:
            rest = at_rest(t, phase)
            forward = OUT[side] * swing * np.sin(2.0 * np.pi * cadence * moved(t) / speed)
            rest.wrist[:, 2] += forward
            rest.wrist[:, 1] -= 0.5 * np.abs(forward)
            return rest

        return path

    return (arm(RIGHT), arm(LEFT)), carry


def _fidget(draw: Draw, body: Body, ranges: MotionRanges, tempo: Tempo) -> tuple[Arms, Carry | None]:
    """A hand goes to the face, the hair, the clothes, rubs there briefly, and comes back or goes elsewhere."""
    side = draw.choice((RIGHT, LEFT))
    rest = passive(draw, body, LEFT if side == RIGHT else RIGHT, ranges)
    moving = visiting(draw, body, side, tuple(draw.choice(PLACES) for _ in range(3)))
    return ((moving, rest) if side == RIGHT else (rest, moving)), looking(draw) if draw.chance(0.5) else None


def visiting(draw: Draw, body: Body, side: int, places: tuple[tuple[float, float, float], ...], lasts: Range = (0.4, 0.9)) -> ArmFunction:
    """A hand that rests, goes to one place after the other, rubs there, and rests again; a way `lasts` so many seconds."""
    at_rest = hanging(draw, body, side)
    starts = np.cumsum([draw.between((0.1, 1.2)) + draw.between((0.0, 1.0)) * k for k in range(2 * len(places))])
    length, rub, rub_rate, tilt = draw.between(lasts), draw.between((0.0, 0.015)), draw.between((1.5, 4.0)), draw.angle()

    def path(t: Array, phase: Array) -> ArmPath:
        rest = at_rest(t, phase)
        wrist, up = rest.wrist, np.zeros(len(t))
        for k, start in enumerate(starts):
            share = eased(t, float(start), length)
            goal = np.array(places[k // 2]) * (OUT[side], 1.0, 1.0) if k % 2 == 0 else rest.wrist[:1]
            wrist = wrist + share[:, None] * (goal - wrist)
            up = up + share * ((1.0 if k % 2 == 0 else 0.0) - up)
        stroke = rub * up * np.sin(2.0 * np.pi * rub_rate * t)
        wrist = wrist + xyz(t, stroke * np.cos(tilt), stroke * np.sin(tilt), 0.0)
        pole, inward = xyz(t, OUT[side] * 0.7, 0.5, -0.6), xyz(t, -0.4 * OUT[side], -0.2, 0.05)
        return ArmPath(wrist, pole, up[:, None] * inward + (1.0 - up[:, None]) * rest.palm)

    return path


def _talk(draw: Draw, body: Body, ranges: MotionRanges, tempo: Tempo) -> tuple[Arms, Carry | None]:
    """Hands before the belly that accompany talk: small, irregular, with pauses."""
    both = draw.chance(0.6)
    alone = draw.choice((RIGHT, LEFT))

    def arm(side: int) -> ArmFunction:
        if not both and side != alone:
            return passive(draw, body, side, ranges)
        place = np.array([OUT[side] * draw.between((-0.02, 0.16)), draw.between((0.22, 0.42)), draw.between((0.15, 0.35))])
        size, rates = draw.generator.uniform(0.005, 0.035, (2, 3)), draw.generator.uniform(0.3, 2.2, (2, 3))
        shifts, pause, pause_shift = draw.generator.uniform(0.0, 2.0 * np.pi, (2, 3)), draw.between((0.15, 0.5)), draw.angle()

        def path(t: Array, phase: Array) -> ArmPath:
            lively = 0.5 + 0.5 * np.tanh(3.0 * np.sin(2.0 * np.pi * pause * t + pause_shift))
            moved = np.sum(size * np.sin(2.0 * np.pi * rates * t[:, None, None] + shifts), axis=1)
            return ArmPath(place + lively[:, None] * moved, xyz(t, OUT[side], 0.8, -0.3), xyz(t, -0.2 * OUT[side], -0.2, 0.2))

        return path

    return (arm(RIGHT), arm(LEFT)), looking(draw)


def _reach(draw: Draw, body: Body, ranges: MotionRanges, tempo: Tempo) -> tuple[Arms, Carry | None]:
    """Reaches for things, points, puts something on a shelf: a hand, or either, goes to places anywhere in reach, at no rhythm."""

    def errands(side: int) -> ArmFunction:
        places = tuple((draw.between((-0.15, 0.5)), draw.between((-0.4, 0.5)), draw.between((0.1, 0.5))) for _ in range(3))
        return visiting(draw, body, side, places, (0.8, 1.3))

    side, both = draw.choice((RIGHT, LEFT)), draw.chance(0.3)
    arms = [errands(s) if both or s == side else passive(draw, body, s, ranges) for s in (RIGHT, LEFT)]
    return (arms[0], arms[1]), looking(draw) if draw.chance(0.5) else None


def _work(draw: Draw, body: Body, ranges: MotionRanges, tempo: Tempo) -> tuple[Arms, Carry | None]:
    """Types, writes or peels something: hands low before the body, strokes of millimetres at 2 to 7 Hz, pauses, now and then a move."""

    def arm(side: int) -> ArmFunction:
        place = np.array([OUT[side] * draw.between((0.0, 0.16)), draw.between((0.30, 0.48)), draw.between((0.2, 0.4))])
        size, rates = draw.generator.uniform(0.001, 0.007, (3, 3)), draw.generator.uniform(2.0, 7.0, (3, 3))
        shifts, pause, shift = draw.generator.uniform(0.0, 2.0 * np.pi, (3, 3)), draw.between((0.15, 0.8)), draw.angle()
        moved, when = draw.generator.uniform(-0.1, 0.1, 3), draw.between((0.2, 2.5))

        def path(t: Array, phase: Array) -> ArmPath:
            lively = 0.5 + 0.5 * np.tanh(4.0 * np.sin(2.0 * np.pi * pause * t + shift))
            strokes = np.sum(size * np.sin(2.0 * np.pi * rates * t[:, None, None] + shifts), axis=2)
            away = (eased(t, when, 0.5) - eased(t, when + 0.9, 0.5))[:, None] * moved
            return ArmPath(place + away + lively[:, None] * strokes, xyz(t, OUT[side], 0.8, -0.3), xyz(t, -0.2 * OUT[side], 0.2, 0.3))

        return path

    return (arm(RIGHT), arm(LEFT)), looking(draw) if draw.chance(0.4) else None


def _sit(draw: Draw, body: Body, ranges: MotionRanges, tempo: Tempo) -> tuple[Arms, Carry | None]:
    """Sits down, gets up, bends forward for something or leans back; the arms hang."""
    down, aside, nearer = draw.between((0.05, 0.45)), draw.between((-0.15, 0.15)), draw.between((-0.1, 0.3))
    start, length = draw.between((0.0, 1.5)), draw.between((0.6, 1.6))
    back = start + length + draw.between((0.2, 3.0))

    def carry(t: Array, phase: Array) -> Carriage:
        share = eased(t, start, length) - eased(t, back, length)
        return still(t)._replace(trunk=xyz(t, aside * share, down * share, nearer * share))

    return (hanging(draw, body, RIGHT), hanging(draw, body, LEFT)), carry


_FAMILY = (_stand, _shift, _shift, _turn, _walk, _walk, _walk, _fidget, _fidget, _talk, _reach, _reach, _work, _sit)
"""Ways of doing nothing, each as likely."""
