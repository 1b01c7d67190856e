"""Still things that a DVS sees because they, or the camera, tremble."""

import numpy as np

from pipeline.simulator.body import Array
from pipeline.simulator.cameras import draw_motion
from pipeline.simulator.draw import Draw
from pipeline.simulator.parts import NOTHING, Part, Things, bar, line, unmoved, within


def trembling(draw: Draw, half: float) -> Things:
    """A thing that trembles on its spot by itself: put on a machine, pushed, hung up; on a plain wall.

    Boxes, discs, mugs and the like: one outline, and inside it edges, buttons or holes that tremble with it.
    """
    size, spot = draw.log_between((0.08, 0.45)) * half, within(draw, half, 0.6)
    way, rock = draw.angle(), draw.choice((0.0, draw.between((0.02, 0.3))))
    rates, shifts = draw.log_between((1.0, 12.0)) * np.array([1.0, draw.between((1.1, 2.7))]), draw.generator.uniform(0.0, 2.0 * np.pi, 2)
    weights = draw.log_between((0.02, 0.25)) * half * np.array([1.0, draw.between((0.0, 0.5))])
    drift, tilt = draw.generator.uniform(-0.05, 0.05, 2) * half, draw.angle()

    def shake(t: Array) -> Array:
        return np.asarray(np.sum(weights * np.sin(2.0 * np.pi * rates * t[:, None] + shifts), axis=1))

    def part(aside: Array, length: float, radius: float, flat: bool) -> Part:
        def place(t: Array) -> Array:
            way_now = shake(t)[:, None] * np.array([np.cos(way), np.sin(way)])
            return spot + aside + way_now + drift * t[:, None]

        return bar(place, lambda t: tilt + rock * shake(t) / weights[0], length, radius, flat)

    slim, flat = draw.between((0.4, 1.0)), draw.chance(0.5)
    wide = size * slim
    inner = [
        part(draw.generator.uniform(-0.5, 0.5, 2) * wide, draw.between((0.05, 0.5)) * size, draw.between((0.03, 0.3)) * wide, flat)
        for _ in range(draw.choice((0, 1, 2, 4)))
    ]
    outline = part(np.zeros(2), size if flat else size * (1.05 - slim), wide, flat)
    return Things((*inner, outline))


def objects(draw: Draw, half: float) -> Things:
    """One to four still things before a moving camera: on a bare table or in a full room; perhaps one is turned or pushed slowly."""
    parts: list[Part] = []
    for index in range(draw.choice((1, 1, 1, 2, 3, 4))):
        drift = draw.generator.uniform(-0.06, 0.06, 2) * half if index == 0 and draw.chance(0.4) else np.zeros(2)
        turn = draw.between((-0.3, 0.3)) if index == 0 and draw.chance(0.3) else 0.0
        parts += _object(draw, draw.log_between((0.08, 0.6)) * half, within(draw, half, 0.7), drift, turn)
    return Things(tuple(parts), draw_motion(draw, half), draw.choice(("bare", "bare", "furnished", "full")))


def room(draw: Draw, half: float) -> Things:
    """Nothing but a furnished room before a moving camera."""
    return Things((NOTHING,), draw_motion(draw, half), "full")


def _object(draw: Draw, size: float, spot: Array, drift: Array, turn: float) -> list[Part]:
    """A thing with what is printed, cut or fixed on it, from front to back; `drift` in m/s, `turn` in rad/s."""
    tilt, slim, flat = draw.choice((0.0, draw.angle())), draw.log_between((0.25, 1.0)), draw.chance(0.5)
    wide = size * slim

    def part(u: float, v: float, angle: float, length: float, radius: float, cut: bool) -> Part:
        """A piece fixed at (u, v) along and across the thing."""

        def place(t: Array) -> Array:
            now = tilt + turn * t
            aside = line(u * np.cos(now) - v * np.sin(now), u * np.sin(now) + v * np.cos(now), len(t))
            return spot + drift * t[:, None] + aside

        if turn == 0.0:
            return bar(place, unmoved(tilt + angle), length, radius, cut)
        return bar(place, lambda t: tilt + angle + turn * t, length, radius, cut)

    def fixed(kind: int) -> list[Part]:
        """Nothing, buttons or holes, lines of print, a label or screen, or pieces at random."""
        if kind == 0:
            return []
        if kind == 1:
            rows = int(draw.generator.integers(2, 6))
            return [part((2.0 * k / rows - 0.8) * size, 0.0, 0.0, 0.02 * size, 0.15 * wide, False) for k in range(rows)]
        if kind == 2:
            rows = int(draw.generator.integers(2, 7))
            length = draw.between((0.4, 0.8)) * size
            return [part(0.0, (1.6 * (k + 0.5) / rows - 0.8) * wide, 0.0, length, 0.25 * wide / rows, True) for k in range(rows)]
        if kind == 3:
            return [part(0.0, 0.0, 0.0, draw.between((0.5, 0.9)) * size, draw.between((0.5, 0.85)) * wide, True)]
        places = draw.generator.uniform(-0.6, 0.6, (int(draw.generator.integers(1, 6)), 2)) * (size, wide)
        sizes = draw.generator.uniform(0.05, 0.35, (len(places), 2)) * (size, wide)
        return [part(u, v, draw.angle(), a, b, flat) for (u, v), (a, b) in zip(places, sizes, strict=True)]

    return [*fixed(draw.choice((0, 1, 2, 3, 4, 4))), part(0.0, 0.0, 0.0, size if flat else size * (1.05 - slim), wide, flat)]
