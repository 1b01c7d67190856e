"""Several ways to compute the same steps, timed in turns."""

import time
from collections.abc import Callable
from typing import Any

from pipeline.latency import percentiles


class Turns:
    """Ways by name; the first is what the others are compared with."""

    def __init__(self, ways: dict[str, Callable[[Any], Any]]) -> None:
        self._ways = ways
        self._wall: dict[str, list[float]] = {name: [] for name in ways}
        self._processor: dict[str, list[float]] = {name: [] for name in ways}
        self._same = dict.fromkeys(ways, 0)
        self._steps = 0

    def take(self, given: Any) -> Any:
        """One step of each with `given`, in an order that moves on by one every time; the logits of the first way."""
        names = list(self._ways)
        begin = self._steps % len(names)
        said = {}
        for name in names[begin:] + names[:begin]:
            begun, worked = time.perf_counter(), time.thread_time()
            said[name] = self._ways[name](given)
            self._processor[name].append((time.thread_time() - worked) * 1e3)
            self._wall[name].append((time.perf_counter() - begun) * 1e3)
        first = said[names[0]]
        for name, logits in said.items():
            self._same[name] += int(logits.argmax() == first.argmax())
        self._steps += 1
        return first

    def figures(self) -> dict[str, dict[str, float]]:
        """By name: median and 95th percentile of the time of a step, processor time (medians, ms), and how often the first's best answer
        was given; of all but the first, how many times its processor time they take."""
        found: dict[str, dict[str, float]] = {}
        base = 0.0
        for name in self._ways:
            (median, p95), (processor, _) = percentiles(self._wall[name]), percentiles(self._processor[name])
            base = base or processor
            found[name] = {"median ms": round(median, 4), "p95 ms": round(p95, 4), "processor ms": round(processor, 4)}
            if len(found) > 1:
                found[name] |= {"times egret": round(processor / base, 2), "same answer": round(self._same[name] / self._steps, 4)}
        return found
