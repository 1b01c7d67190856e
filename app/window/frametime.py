"""A frame-time meter: intervals between paints and what a paint costs, over the last minute or so."""

from time import perf_counter

import numpy as np
import numpy.typing as npt

KEPT = 4096


class FrameMeter:
    """Call `begin` and `end` around a paint. Keeps the last `KEPT` frames in a ring."""

    def __init__(self) -> None:
        self._intervals = np.zeros(KEPT)
        self._costs = np.zeros(KEPT)
        self._count = 0
        self._last = 0.0
        self._begin = 0.0

    def begin(self) -> None:
        """A paint begins."""
        self._begin = perf_counter()

    def end(self) -> None:
        """It has ended."""
        now = perf_counter()
        if self._last:
            self._intervals[self._count % KEPT] = now - self._last
            self._costs[self._count % KEPT] = now - self._begin
            self._count += 1
        self._last = now

    def restart(self) -> None:
        """Forget all frames."""
        self._count, self._last = 0, 0.0

    def intervals_ms(self) -> npt.NDArray[np.float64]:
        """Milliseconds between the ends of successive paints, oldest first."""
        return self._ordered(self._intervals)

    def costs_ms(self) -> npt.NDArray[np.float64]:
        """Milliseconds each paint took."""
        return self._ordered(self._costs)

    def _ordered(self, ring: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if self._count <= KEPT:
            return ring[: self._count] * 1e3
        return np.roll(ring, -(self._count % KEPT)) * 1e3
