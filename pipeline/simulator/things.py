"""Scenes in which nobody performs: boxes, rods, balls, a pendulum, a mouse, a fan, leaves, a curtain, arms, people who pass, or nothing.

They are what a camera sees that was left on: a colleague carries a box past, someone waves a rod whose hand is hardly seen, a door opens.
Sizes and speeds are physical (metres, m/s, gravity); how large that is in the picture follows from the drawn scale, like that of people.
Still things before a camera that moves are in `pipeline.simulator.still`, arms and people who pass in `pipeline.simulator.passing`.
"""

from functools import partial

import numpy as np

from pipeline.simulator.body import Array
from pipeline.simulator.cameras import Path
from pipeline.simulator.draw import Draw
from pipeline.simulator.parts import NOTHING, Part, Things, Turn, bar, line, smoothly, unmoved, within
from pipeline.simulator.passing import passers, reaching
from pipeline.simulator.still import objects, room, trembling

THINGS = "things"
"""The name of a scene without a performer: things, perhaps with an arm that moves them, people who only pass, or nothing."""

GRAVITY = 9.81


def draw_things(draw: Draw, half: float) -> Things:
    """Draw a scene; `half`: half the width of the view at the things' distance, metres."""
    return draw.choice(_FAMILY)(draw, half)


def crossing(draw: Draw, half: float) -> Path:
    """Straight through a point of the view at 0.1 to 2 m/s; or to and fro about it, as a hand moves things."""
    through, when, angle = within(draw, half, 0.6), draw.between((0.2, 2.6)), draw.angle()
    way = np.array([np.cos(angle), 0.6 * np.sin(angle)])
    if draw.chance(0.5):
        speed = draw.log_between((0.1, 2.0))
        return lambda t: through + way * (speed * (t - when))[:, None]
    sizes, rates = draw.generator.uniform(0.05, 0.6, (2, 2)) * min(half, 0.5), draw.generator.uniform(0.15, 1.8, (2, 2))
    shifts = draw.generator.uniform(0.0, 2.0 * np.pi, (2, 2))
    return lambda t: through + np.sum(sizes * np.sin(2.0 * np.pi * rates * t[:, None, None] + shifts), axis=1)


def turning(draw: Draw) -> Turn:
    """Keeps its angle, spins, or tilts to and fro."""
    start, rate, swing = draw.angle(), draw.sign() * draw.log_between((0.2, 8.0)), draw.between((0.1, 1.0))
    mode = draw.choice((0, 1, 2))
    if mode == 0:
        return unmoved(start)
    if mode == 1:
        return lambda t: start + rate * t
    return lambda t: start + swing * np.sin(rate * t)


def carried(draw: Draw, half: float, parts: list[Part], place: Path) -> tuple[Part, ...]:
    """The thing alone, or with the arm that holds it reaching in from outside the view."""
    if draw.chance(0.55):
        return tuple(parts)
    width, angle = draw.between((0.03, 0.05)), draw.angle()
    far = 2.5 * half * np.array([np.cos(angle), abs(np.sin(angle))])
    arm = Part(lambda t: (place(t), 0.6 * place(t) + far), (0.8 * width, 1.2 * width))
    hand = Part(lambda t: (place(t), place(t) + 0.04 * far / (2.5 * half)), (1.2 * width, 1.1 * width))
    return (hand, *parts, arm)


def _box(draw: Draw, half: float) -> Things:
    length, width = draw.between((0.04, 0.35)), draw.between((0.03, 0.25))
    place, turn = crossing(draw, half), turning(draw)
    front = bar(place, turn, length, width, flat=True)
    lid = bar(place, turn, length * draw.between((0.2, 0.9)), width * draw.between((0.2, 0.9)), flat=True)
    return Things(carried(draw, half, [lid, front], place))


def _rod(draw: Draw, half: float) -> Things:
    """A rod that crosses, swings or is pushed about, held or not."""
    place, turn = crossing(draw, half), turning(draw)
    return Things(carried(draw, half, [bar(place, turn, draw.between((0.15, 0.8)), draw.between((0.006, 0.03)))], place))


def _ball(draw: Draw, half: float) -> Things:
    """Balls that roll, or bounce under gravity, from one side of the view to the other and again."""
    parts = []
    for _ in range(draw.choice((1, 1, 2, 3))):
        radius, speed, start = draw.between((0.02, 0.13)), draw.sign() * draw.between((0.2, 2.5)), draw.between((-2.0, 2.0))
        floor, top = draw.between((0.0, 0.9)) * half, draw.choice((0.0, draw.between((0.05, 0.8))))
        period = 2.0 * np.sqrt(2.0 * top / GRAVITY) if top > 0.0 else 1.0

        def place(
            t: Array, speed: float = speed, start: float = start, floor: float = floor, top: float = top, period: float = period
        ) -> Array:
            wide = 3.0 * half
            x = np.mod(start + speed * t, wide) - 0.5 * wide
            share = np.mod(t + start, period) / period
            return line(x, floor - 4.0 * top * share * (1.0 - share), len(t))

        spin = speed / radius
        parts.append(bar(place, partial(np.multiply, spin), 0.3 * radius, 0.9 * radius))
    return Things(tuple(parts))


def _pendulum(draw: Draw, half: float) -> Things:
    """A bob on a string; the period follows from the length. It seldom swings in one plane, and a camera above it sees the ellipse."""
    pivot, length = np.array([draw.between((-0.5, 0.5)) * half, draw.between((-1.3, -0.2)) * half]), draw.between((0.12, 0.9))
    swing, shift, rate = draw.between((0.15, 1.0)), draw.angle(), np.sqrt(GRAVITY / length)
    bob, depth = draw.between((0.02, 0.09)), draw.between((0.0, 0.8)) * draw.between((0.0, 0.5))

    def place(t: Array) -> Array:
        angle = swing * np.sin(rate * t + shift)
        nearer = depth * swing * np.cos(rate * t + shift)
        return pivot + length * line(np.sin(angle), np.cos(angle) + nearer, len(t))

    string = Part(lambda t: (np.repeat(pivot[None], len(t), axis=0), place(t)), (0.003, 0.004))
    ratio = draw.between((0.6, 1.0))
    weight = Part(lambda t: (place(t), pivot + (place(t) - pivot) * (1.0 + bob / length)), (bob, ratio * bob))
    return Things((weight, string))


def _mouse(draw: Draw, half: float) -> Things:
    """A blob that goes from place to place in quick straight moves with rests, as a computer mouse or a toy does; or the hand on it."""
    stops = draw.generator.uniform(-0.7, 0.7, (24, 2)) * min(half, 0.35) + within(draw, half, 0.3)
    place = smoothly(stops, draw.generator.uniform(0.15, 0.6, 24), draw.generator.exponential(0.3, 24))
    turn, size = draw.angle(), draw.between((0.02, 0.06))
    body = bar(place, unmoved(turn), draw.between((0.6, 1.2)) * size, size)
    return Things(carried(draw, half, [body], place))


def _fan(draw: Draw, half: float) -> Things:
    """Blades or spokes about an axle, from a slow mobile to a fan."""
    axle, blades, rate = within(draw, half, 0.5), int(draw.generator.integers(1, 6)), draw.sign() * draw.log_between((0.3, 6.0))
    length, width = draw.between((0.08, 0.45)), draw.between((0.01, 0.06))

    def blade(angle: float) -> Part:
        def ends(t: Array) -> tuple[Array, Array]:
            now = angle + 2.0 * np.pi * rate * t
            return np.repeat(axle[None], len(t), axis=0), axle + length * line(np.cos(now), np.sin(now), len(t))

        return Part(ends, (0.6 * width, width))

    return Things(tuple(blade(2.0 * np.pi * k / blades) for k in range(blades)))


def _leaves(draw: Draw, half: float) -> Things:
    """Twigs, strips or blinds that sway in the wind, each with a rhythm of its own."""
    parts = []
    for _ in range(int(draw.generator.integers(3, 11))):
        root, length, angle = within(draw, half, 1.1), draw.between((0.1, 0.6)), draw.between((-2.8, 2.8))
        swing, rate, shift, width = draw.between((0.03, 0.4)), draw.between((0.3, 2.5)), draw.angle(), draw.between((0.01, 0.06))

        def ends(
            t: Array, root: Array = root, length: float = length, angle: float = angle, wave: tuple[float, ...] = (swing, rate, shift)
        ) -> tuple[Array, Array]:
            now = angle + wave[0] * np.sin(2.0 * np.pi * wave[1] * t + wave[2])
            return np.repeat(root[None], len(t), axis=0), root + length * line(np.sin(now), np.cos(now), len(t))

        parts.append(Part(ends, (width, 0.5 * width)))
    return Things(tuple(parts))


def _door(draw: Draw, half: float) -> Things:
    """The edge of a door or curtain that covers part of the view comes and goes."""
    side, rate, shift = draw.sign(), draw.between((0.1, 0.6)), draw.angle()
    near, travel, hold = draw.between((-0.5, 0.9)) * half, draw.between((0.1, 1.2)) * half, draw.between((0.5, 3.0))
    tilt = draw.between((-0.1, 0.1))

    def place(t: Array) -> Array:
        edge = near + 0.5 * travel * np.tanh(hold * np.sin(2.0 * np.pi * rate * t + shift)) / np.tanh(hold)
        return line(side * (edge + 2.0 * half), 0.0, len(t))

    return Things((bar(place, unmoved(0.5 * np.pi + tilt), 3.0 * half, 2.0 * half, flat=True),))


def _nothing(draw: Draw, half: float) -> Things:
    return Things((NOTHING,))


_FAMILY = (
    *(_box, _rod) * 2,
    *(_pendulum,) * 3,
    *(_ball, _mouse, _fan, _leaves, _door, _nothing),
    *(reaching,) * 3,
    *(passers,) * 2,
    *(trembling,) * 3,
    *(objects,) * 7,
    *(room,) * 3,
)
"""Scenes, each as likely. Two of five tremble or are seen by a moving camera: to a DVS that is how a still thing looks."""
