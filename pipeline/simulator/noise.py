"""Shot noise and hot pixels as one Poisson process over the sensor, and the neighbours that join in.

Independent Poisson processes of all pixels are one process whose events fall on pixels with probability proportional to their rates, so
quiet pixels cost nothing. The process is drawn in blocks of fixed length aligned to the clip's start: the result does not depend on how
the clip is cut into calls.

In the recordings of a real DVS128 at hand, noise does not come alone: 22 to 36 times as often as chance has it, a pixel beside the one that
fired fires within 10 ms, above, below, left or right of it. Such pairs pass a filter that asks for a neighbour's support. A drawn share of
the even noise is therefore followed by an event of one of its four neighbours.
"""

import numpy as np
import numpy.typing as npt

from pipeline.simulator.draw import Draw
from pipeline.simulator.ranges import SensorRanges
from pipeline.simulator.render import TILE, TILE_PIXELS, Float32

Moments = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.int64]

JOINED_US = 10_000
"""A neighbour joins within this time."""
BESIDE = np.array([(0, -1), (0, 1), (-1, 0), (1, 0)])
"""x, y of the four neighbours."""

NoiseBlock = tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], Float32]
"""Moments, places and marks, see `Noise.block`."""


class Noise:
    """The noise of one sensor.

    `sensor` draws which pixels are hot and how strong the noise is, `moments` the events themselves.
    """

    def __init__(self, sensor: Draw, moments: Draw, ranges: SensorRanges, width: int, height: int) -> None:
        self._moments = moments.generator
        self._width, self._height, self._columns = width, height, -(-width // TILE)
        area = width * height / 128.0**2
        total = sensor.between(ranges.shot_noise) * width * height
        hot = round(sensor.between(ranges.hot_pixels) * area)
        self._hot_rate = total * sensor.between(ranges.hot_share) if hot else 0.0
        self._even_rate = total - self._hot_rate
        self._hot_places = sensor.generator.integers(0, width * height, hot)
        weights = sensor.generator.exponential(1.0, hot)
        self._on = ranges.noise_on[0] if ranges.noise_on[0] == ranges.noise_on[1] else moments.between(ranges.noise_on)
        self._joined = sensor.between(ranges.joined)
        self._hot_share = np.cumsum(weights) / max(float(weights.sum()), 1e-9)

    def block(self, start_us: int, length_us: int) -> NoiseBlock:
        """Moments (us, ascending), places (tile * 64 + pixel) and marks of the candidates of one block. Blocks are drawn in order.

        Marks of hot pixels are at the ends of [-1, 1]: what makes them fire is not light, so that light does not thin it.
        """
        generator, seconds = self._moments, length_us * 1e-6
        even, hot = int(generator.poisson(self._even_rate * seconds)), int(generator.poisson(self._hot_rate * seconds))
        moments = start_us + generator.uniform(0.0, length_us, even + hot)
        marks = generator.uniform(-1.0, 1.0, even + hot)
        marks[even:] = np.sign(marks[even:])
        marks[:even] = _tilted(marks[:even], self._on)
        pixel = generator.integers(0, self._width * self._height, even + hot)
        if hot:
            pixel[even:] = self._hot_places[
                np.searchsorted(self._hot_share, generator.random(hot), side="right").clip(0, len(self._hot_share) - 1)
            ]
        moments, pixel, marks = self._join(moments, pixel, marks, even, start_us + length_us)
        y, x = np.divmod(pixel, self._width)
        places = (y // TILE * self._columns + x // TILE) * TILE_PIXELS + y % TILE * TILE + x % TILE
        order = np.argsort(moments, kind="stable")
        return moments[order], places[order], marks[order].astype(np.float32)

    def _join(self, moments: Moments, pixel: Pixels, marks: Moments, even: int, end_us: int) -> tuple[Moments, Pixels, Moments]:
        """The same events and, inside the view and before `end_us`, the neighbours that join the first `even` of them."""
        generator = self._moments
        chosen = np.flatnonzero(generator.random(even) < self._joined)
        beside = BESIDE[generator.integers(0, 4, len(chosen))]
        later = moments[chosen] + generator.uniform(0.0, JOINED_US, len(chosen))
        y, x = np.divmod(pixel[chosen], self._width)
        x, y = x + beside[:, 0], y + beside[:, 1]
        inside = (x >= 0) & (x < self._width) & (y >= 0) & (y < self._height) & (later < end_us)
        added = (y * self._width + x)[inside]
        return np.append(moments, later[inside]), np.append(pixel, added), np.append(marks, marks[chosen][inside])


def _tilted(marks: Moments, on: float) -> Moments:
    """Numbers uniform in [-1, 1] so that a share `on` is positive, the sizes staying uniform in [0, 1]."""
    above = marks - (1.0 - 2.0 * on)
    return np.where(above > 0.0, above / (2.0 * on), above / (2.0 - 2.0 * on))
