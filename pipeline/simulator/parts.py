"""What scenes without a simulated person are put together from: capsules and rectangles whose ends are closed functions of time.

Lengths are metres; the origin is the middle of the view, x to the right, y down.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.simulator.body import Array
from pipeline.simulator.cameras import Path
from pipeline.simulator.draw import Draw
from pipeline.simulator.scene import Wall

Turn = Callable[[Array], Array]
"""Time in s (n,) -> (n,) angle, radians."""


@dataclass(frozen=True, slots=True)
class Part:
    """One capsule (round ends) or rectangle (flat ends)."""

    ends: Callable[[Array], tuple[Array, Array]]
    """Time in s (n,) -> both ends, (n, 2) each, metres."""
    radius: tuple[float, float]
    flat: bool = False


@dataclass(frozen=True, slots=True)
class Things:
    """Parts from front to back, and the camera's own movement."""

    parts: tuple[Part, ...]
    pan: Path | None = None
    """How far the camera has turned, as metres at the scene's distance."""
    wall: Wall = "furnished"
    """What is behind: as the ranges say, nearly nothing, or a room full of things."""

    @property
    def radii(self) -> Array:
        """(C, 2) at either end, metres; there is always a part, if only one of no size far outside."""
        return np.asarray([part.radius for part in self.parts], np.float64)

    @property
    def bias(self) -> Array:
        """(C,) added to the depth when sorting: the order of the parts."""
        return np.linspace(0.0, -0.1, len(self.parts))

    @property
    def flat(self) -> npt.NDArray[np.uint8]:
        """(C,) 1 for rectangles."""
        return np.array([part.flat for part in self.parts], np.uint8)

    def joints(self, t: Array) -> Array:
        """End points of all parts at times t (s): (n, C, 2, 3), metres."""
        ends = np.zeros((len(t), len(self.parts), 2, 3))
        for index, part in enumerate(self.parts):
            ends[:, index, 0, :2], ends[:, index, 1, :2] = part.ends(t)
        return ends


def line(x: Array | float, y: Array | float, n: int) -> Array:
    """(n, 2) of coordinates, constant or (n,)."""
    out = np.empty((n, 2))
    out[:, 0], out[:, 1] = x, y
    return out


def bar(place: Path, turn: Turn, half_length: float, radius: float, flat: bool = False) -> Part:
    """A bar about its middle: `place` (n, 2) and angle `turn` (n,)."""

    def ends(t: Array) -> tuple[Array, Array]:
        middle, angle = place(t), turn(t)
        along = half_length * line(np.cos(angle), np.sin(angle), len(t))
        return middle - along, middle + along

    return Part(ends, (radius, radius), flat)


def smoothly(stops: Array, lengths: Array, rests: Array) -> Path:
    """From one of `stops` (k, 2) to the next in `lengths` (k,) s, with rests of `rests` (k,) s between, and again from the first.

    Each move has the course of least jerk, as a hand's (Flash, Hogan, Journal of Neuroscience 5(7), 1985).
    """
    ends = np.cumsum(lengths + rests)
    last = len(ends) - 1

    def place(t: Array) -> Array:
        now = np.mod(t, ends[-1])
        index = np.searchsorted(ends, now, side="right").clip(0, last)
        share = np.clip((now - (ends - lengths - rests)[index]) / lengths[index], 0.0, 1.0)
        smooth = (share**3 * (10.0 - 15.0 * share + 6.0 * share**2))[:, None]
        return np.asarray(stops[index - 1] + smooth * (stops[index] - stops[index - 1]))

    return place


def within(draw: Draw, half: float, share: float = 0.8) -> Array:
    """A place (2,) in the middle `share` of a view of half width `half`."""
    return draw.generator.uniform(-share * half, share * half, 2)


def unmoved(angle: float) -> Turn:
    """Always this angle."""
    return lambda t: np.full(len(t), angle)


NOTHING = Part(lambda t: (np.full((len(t), 2), -1e3), np.full((len(t), 2), -1e3)), (1e-3, 1e-3))
"""No part at all: far outside the view."""
