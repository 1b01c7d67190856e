"""A simulated person as a live source: performs gestures in random order, standing idle in between, and says which.

The same seed gives the same performance. One visitor performs a few gestures, then another takes the place; each part is a simulator of
its own, cut together in time like shots of a film.
"""

import math
import random
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from pipeline.errors import UserError
from pipeline.events import SourceInfo
from pipeline.simulator import GESTURES, IDLE, Simulator
from pipeline.sources.base import Intake, Item, Notice, Options, check_speed

SLICE_US = 5_000
GESTURE_US = (3_000_000, 6_000_000)
IDLE_US = (1_000_000, 2_500_000)
GESTURES_EACH = 4
"""Gestures of one visitor."""
LAG_NS = 500_000_000
"""Further behind real time than this, the person goes on from now."""


class SimulatedSource:
    """The performance with number `seed`; only `gesture`, without end, if it is named. Deaf to the transport."""

    def __init__(self, spec: str, seed: int, gesture: str, options: Options) -> None:
        self._spec = spec
        self._speed = check_speed(options.speed)
        self._intake = Intake(spec, options)
        self._parts = _performance(seed) if not gesture else iter([(gesture, seed, None)])
        self._items: deque[Item] = deque()
        self._part_end: int | None = 0
        self._begun = 0
        """Time at which the present part began; the simulator's own time starts at 0."""

    def open(self) -> None:
        """Bring the first person in."""
        self._simulator = sensor = self._next_part()
        self._intake.new_scene(sensor.width, sensor.height)
        # at a speed of 0 nobody watches: nothing may be skipped then
        info = SourceInfo(self._spec, "simulated", "Simulated person", sensor.width, sensor.height, live=self._speed > 0)
        self._items.appendleft(info)
        self._anchor()
        self._advance()  # here, because the compiled code may have to be built first, which takes longer than the heartbeat may stop
        self._anchor()

    def close(self) -> None:
        """Nothing to give back."""

    def fileno(self) -> int | None:
        """None: it goes by the clock."""
        return None

    def command(self, op: str, arguments: dict[str, Any]) -> None:
        """A person has no transport."""
        raise UserError(f"A simulated person cannot {op}: record one with `egret simulate` and play the recording.")

    def due(self) -> float:
        """Seconds until the next slice."""
        if self._items or self._speed == 0:
            return 0.0
        return max(0.0, (self._due_ns() - time.monotonic_ns()) / 1e9)

    def read(self) -> Item | None:
        """The next slice, if it is due."""
        if not self._items and self.due() == 0.0:
            self._advance()
        return self._items.popleft() if self._items else None

    def _now(self) -> int:
        return self._begun + self._simulator.time_us

    def _anchor(self) -> None:
        self._anchor_ns, self._anchor_us = time.monotonic_ns(), self._now()

    def _due_ns(self) -> int:
        return self._anchor_ns + int((self._now() + SLICE_US - self._anchor_us) * 1000 / self._speed)

    def _advance(self) -> None:
        if self._speed and time.monotonic_ns() - self._due_ns() > LAG_NS:
            self._anchor()
        events = self._simulator.advance(SLICE_US)
        if self._begun:
            events = events.copy()
            events["timestamp"] += self._begun
        self._items.append(self._intake.packet(self._intake.admit(events), self._now()))
        if self._part_end is not None and self._simulator.time_us >= self._part_end:
            self._begun = self._now()
            self._simulator = self._next_part()

    def _next_part(self) -> Simulator:
        gesture, seed, self._part_end = next(self._parts)
        doing = "The person stands idle." if gesture == IDLE else f"Now performing: {gesture.replace('_', ' ')}."
        self._items.append(Notice("info", "live", doing))
        return Simulator(gesture, seed)


def _performance(seed: int) -> Iterator[tuple[str, int, int | None]]:
    """Without end: gesture (or idle), seed of the person, duration (us, whole slices)."""
    chance = random.Random(seed)

    def duration(shortest: int, longest: int) -> int:
        return math.ceil(chance.uniform(shortest, longest) / SLICE_US) * SLICE_US

    while True:
        person = chance.randrange(1 << 31)
        for gesture in chance.sample(GESTURES, GESTURES_EACH):
            yield IDLE, person, duration(*IDLE_US)
            yield gesture, person, duration(*GESTURE_US)
