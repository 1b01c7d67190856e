"""What passes a camera that nobody performs for: an arm that reaches into the view and does something there, people who walk through.

An arm has no body here, so that a hand at a table, before a shelf or too near to the camera is meant; its movements go from place to place
at no rhythm, or work there in small strokes for a moment. People are 10 capsules each, at any distance and as many as four.
"""

import numpy as np

from pipeline.simulator.body import Array
from pipeline.simulator.cameras import Path, draw_motion
from pipeline.simulator.draw import Draw
from pipeline.simulator.parts import Part, Things, bar, line, smoothly, unmoved, within
from pipeline.simulator.scene import Wall

WALLS: tuple[Wall, ...] = ("bare", "furnished", "full")
STOPS = 16
"""Places to which a reaching hand goes before it begins again."""


def reaching(draw: Draw, half: float) -> Things:
    """A forearm and hand that come in from an edge: reach, point, scratch, wipe, put something down; sometimes both, or with a tool."""
    parts: list[Part] = []
    for _ in range(draw.choice((1, 1, 1, 2))):
        parts += _arm(draw, half)
    return Things(tuple(parts), draw_motion(draw, half) if draw.chance(0.15) else None, draw.choice(WALLS))


def _arm(draw: Draw, half: float) -> list[Part]:
    """From front to back: what it holds, fingers, palm, forearm. Reaches take 0.3 to 1.5 s, rests follow no rhythm."""
    place = _errand(draw, half)
    edge, root = draw.angle(), draw.between((1.2, 2.5)) * half
    elbow = root * np.array([np.cos(edge), 0.4 + 0.6 * np.sin(edge)])
    follow, size = draw.between((0.2, 0.8)), draw.between((0.85, 1.2))
    spread, flexed, fingers = draw.between((0.0, 0.25)), draw.between((0.2, 1.0)), draw.choice((0, 1, 4))
    sleeve = draw.between((1.0, 1.6))

    def along(t: Array, far: float, aside: float = 0.0) -> Array:
        """A place `far` metres beyond the wrist in the forearm's direction, turned by `aside` radians."""
        wrist = place(t)
        way = wrist - elbow - follow * wrist
        angle = np.arctan2(way[:, 1], way[:, 0]) + aside
        return wrist + far * line(np.cos(angle), np.sin(angle), len(t))

    def finger(k: int) -> Part:
        aside = (k - 0.5 * (fingers - 1)) * (0.22 + spread)
        return Part(lambda t: (along(t, 0.09 * size, 0.8 * aside), along(t, (0.10 + 0.075 * flexed) * size, aside)), (0.010, 0.008))

    forearm = Part(lambda t: (elbow + follow * place(t), place(t)), (0.05 * size * sleeve, 0.032 * size))
    palm = Part(lambda t: (place(t), along(t, 0.075 * size)), (0.035 * size, 0.038 * size))
    held = [_held(draw, lambda t: along(t, 0.10 * size))] if draw.chance(0.35) else []
    return [*held, *(finger(k) for k in range(fingers)), palm, forearm]


def _errand(draw: Draw, half: float) -> Path:
    """Where the wrist goes: between places near one another or all over the view, or out of it again; and strokes at some of them."""
    reach, centre = draw.between((0.1, 1.0)) * min(half, 0.6), within(draw, half, 0.5)
    stops = centre + draw.generator.uniform(-1.0, 1.0, (STOPS, 2)) * reach
    if draw.chance(0.5):
        stops[:: draw.choice((2, 3, 4))] = centre + 3.0 * half * np.sign(centre)
    ways = np.linalg.norm(stops - np.roll(stops, 1, axis=0), axis=1)
    lengths = np.maximum(draw.generator.uniform(0.3, 1.5, STOPS), ways / draw.between((0.8, 2.0)))
    rests = draw.generator.exponential(draw.log_between((0.05, 1.0)), STOPS)
    path, stroke = smoothly(stops, lengths, rests), draw.choice((0.0, draw.log_between((0.004, 0.04))))
    rates, shifts = draw.between((1.5, 5.0)) * np.array([1.0, 0.618]), draw.generator.uniform(0.0, 2.0 * np.pi, 2)
    pauses, tilt = draw.between((0.2, 0.7)), draw.angle()

    def place(t: Array) -> Array:
        busy = 0.5 + 0.5 * np.tanh(4.0 * np.sin(2.0 * np.pi * pauses * t + shifts[0]) - 1.0)
        rub = stroke * busy * np.sin(2.0 * np.pi * rates * t[:, None] + shifts).sum(axis=1)
        return path(t) + line(rub * np.cos(tilt), rub * np.sin(tilt), len(t))

    return place


def _held(draw: Draw, place: Path) -> Part:
    """A rod, a cup, a book or a box in the hand."""
    flat = draw.chance(0.5)
    length, radius = draw.choice(((0.25, 0.008), (0.05, 0.04), (0.11, 0.08), (0.15, 0.12), (0.6, 0.015)))
    size = draw.between((0.7, 1.4))
    return bar(place, unmoved(draw.angle()), size * length, size * radius, flat)


def passers(draw: Draw, half: float) -> Things:
    """One to four people who walk through or stand about, at several distances; seldom seen from a hand-held camera."""
    people = sorted(draw.log_between((0.25, 1.2)) for _ in range(draw.choice((1, 1, 2, 3, 4))))
    parts = [part for nearness in reversed(people) for part in _passer(draw, half, nearness)]
    return Things(tuple(parts), draw_motion(draw, half) if draw.chance(0.15) else None, draw.choice(WALLS))


def _passer(draw: Draw, half: float, nearness: float) -> list[Part]:
    """A person from the side, front to back; `nearness` multiplies all lengths. Walks at 0.5 to 1.8 m/s with steps of 0.6 to 0.8 m."""
    standing = draw.chance(0.2)
    speed, way = 0.0 if standing else draw.between((0.5, 1.8)), draw.sign()
    cadence = 0.8 if standing else speed / draw.between((1.2, 1.6))
    swing = 0.03 if standing else draw.between((0.2, 0.5))
    through, when = draw.between((-0.8, 0.8)) * half, draw.between((-0.5, 3.0))
    hips, shift, bob = draw.between((-0.2, 1.0)) * half, draw.angle(), draw.between((0.01, 0.04))
    size = nearness * draw.between((0.9, 1.1))
    bent = draw.between((0.1, 0.9))

    def at(t: Array, x: float, y: float) -> Array:
        """A point of the trunk: metres in walking direction and above the hips."""
        step = 4.0 * np.pi * cadence * t + shift
        return line(through + nearness * way * speed * (t - when) + way * size * x, hips - size * (y + bob * np.cos(step)), len(t))

    def limb(root: tuple[float, float], lengths: tuple[float, float], radii: tuple[float, float], phase: float, knee: float) -> list[Part]:
        def joints(t: Array) -> tuple[Array, Array, Array]:
            now = 2.0 * np.pi * cadence * t + 0.5 * shift + phase
            upper = swing * np.sin(now)
            lower = upper + knee * (0.5 + 0.5 * np.cos(now))
            start = at(t, *root)
            middle = start + size * lengths[0] * line(way * np.sin(upper), np.cos(upper), len(t))
            return start, middle, middle + size * lengths[1] * line(way * np.sin(lower), np.cos(lower), len(t))

        wide, narrow = size * radii[0], size * radii[1]
        return [Part(lambda t: joints(t)[1:], (0.8 * wide, narrow)), Part(lambda t: joints(t)[:2], (wide, 0.8 * wide))]

    arms = [limb((0.0, 0.48), (0.29, 0.32), (0.05, 0.035), phase, bent) for phase in (0.0, np.pi)]
    legs = [limb((0.0, 0.0), (0.42, 0.44), (0.085, 0.05), phase, -0.6 * swing) for phase in (np.pi, 0.0)]
    trunk = Part(lambda t: (at(t, 0.0, 0.05), at(t, 0.02, 0.45)), (0.13 * size, 0.14 * size))
    head = Part(lambda t: (at(t, 0.03, 0.66), at(t, 0.04, 0.74)), (0.075 * size, 0.085 * size))
    return [*arms[0], *legs[0], head, trunk, *legs[1], *arms[1]]
