"""Where the time goes: durations per stage over the last few seconds, as percentiles."""

import threading
from collections import deque
from collections.abc import Iterable

import numpy as np

STAGES = ("arrival", "queue", "frame", "chip", "decision", "painted", "total")
"""In the order of the chain.

arrival   live sources: delay of the packet against the quickest of the last seconds (the clocks of sensor and host have no common zero, so
          this is the part that varies)
queue     from arrival in the source process to the start of work in the engine: hand-over and waiting
frame     filters and framing, one fused loop
chip      the gesture network's step on the runtime
decision  confidence and gates
painted   from the decision to the screen (known only where a window is attached)
total     from arrival to the decision; with several windows in a packet it holds the wait behind the earlier ones
"""


def percentiles(values: Iterable[float]) -> tuple[float, float]:
    """Median and 95th percentile of `values`; zeros if there are none."""
    array = np.fromiter(values, np.float64)
    if not len(array):
        return 0.0, 0.0
    p50, p95 = np.percentile(array, (50, 95))
    return float(p50), float(p95)


class StageTimes:
    """The last `keep` durations of every stage, in milliseconds. Any thread may add and any may ask."""

    def __init__(self, keep: int = 200) -> None:
        self._times: dict[str, deque[float]] = {stage: deque(maxlen=keep) for stage in STAGES}
        self._lock = threading.Lock()

    def add(self, times: dict[str, float]) -> None:
        """Add one duration (ms) for each stage in `times`."""
        with self._lock:
            for stage, value in times.items():
                self._times[stage].append(value)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            for times in self._times.values():
                times.clear()

    def summary(self) -> dict[str, dict[str, float]]:
        """``{stage: {"p50": ms, "p95": ms}}`` for the stages that have been seen."""
        with self._lock:
            seen = {stage: list(times) for stage, times in self._times.items() if times}
        return {stage: dict(zip(("p50", "p95"), (round(v, 3) for v in percentiles(times)), strict=True)) for stage, times in seen.items()}
