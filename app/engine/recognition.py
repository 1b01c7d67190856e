"""The processing thread: packets become frames, frames network steps, steps decisions.

What comes in is a queue in the order of the source: a `SourceInfo` (a sensor opened or changed), packets, and the end. Everything that
costs time in here is compiled and releases Python's lock, so capture, recording and the language model go on beside it.

A recording is never skipped: its queue is short and whoever fills it waits, which slows the source down. A live source cannot wait: when
the oldest waiting packet is older than `LIVE_LAG_NS`, the waiting packets are skipped up to the newest, counted, and framing starts anew
there. What is recorded is not touched by that.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from models.chip.integer import GestureNetwork
from models.chip.runtime import Runtime
from models.decision import Decider, Decision
from pipeline.events import Packet, SourceInfo, Status
from pipeline.filters import FilterSettings
from pipeline.frames import WINDOW_US, Framer, Frames
from pipeline.latency import StageTimes

LIVE_LAG_NS = 250_000_000
QUICKEST_NS = 5_000_000_000
RECENT_S = 1.0
QUEUE_PACKETS = 64
"""Packets of a recording that may wait: about a third of a second at normal speed."""


@dataclass(frozen=True, slots=True)
class End:
    """Marks the end of a source in the queue."""

    of: object
    """Whatever `end` was called with."""


@dataclass
class Totals:
    """Sums since the source was opened."""

    windows: int = 0
    accepted: int = 0
    events: int = 0
    kept: int = 0
    lost: int = 0
    repaired: int = 0
    refused: int = 0
    skipped: int = 0
    labels: dict[str, int] = field(default_factory=dict)
    """Accepted decisions per label."""


@dataclass(frozen=True, slots=True)
class Result:
    """One window's decision with everything that is told of it."""

    t_us: int
    """Sensor time at which the window ended."""
    decision: Decision
    latency_ms: dict[str, float]
    events: int
    kept: int
    activity: tuple[float, ...]
    decided_ns: int


class Recognition:
    """Owns the framer, the gesture network's turn on the runtime, and the decider."""

    def __init__(
        self,
        runtime: Runtime,
        decider: Decider,
        filters: FilterSettings,
        *,
        on_result: Callable[[Result], None],
        on_end: Callable[[object], None],
        on_over: Callable[[], None],
        on_crash: Callable[[BaseException], None],
        duration_us: int | None = None,
    ) -> None:
        """The callbacks are called in this object's thread: `on_result` for every window, `on_end` when all of a source has been decided,
        `on_over` when `duration_us` of sensor time have (nothing is decided after that), `on_crash` for a fault."""
        self.decider = decider
        self.totals = Totals()
        self.latency = StageTimes()
        self.now_us = 0
        """Sensor time up to which the time surface is complete."""
        self.position_us = 0
        self._runtime = runtime
        self._filters = filters
        self._new_filters: FilterSettings | None = None
        self._new_network: GestureNetwork | None = None
        self.tap: Callable[[int, npt.NDArray[np.uint16]], None] | None = None
        """Called in this object's thread with start (sensor time, us) and counts of every window, for whoever collects them."""
        self._on_result = on_result
        self._on_end = on_end
        self._on_over = on_over
        self._duration_us = duration_us
        self._first_us: int | None = None
        self._on_crash = on_crash
        self._queue: queue.Queue[tuple[SourceInfo, npt.NDArray[np.uint32]] | Packet | End | None] = queue.Queue()
        self._framer: Framer | None = None
        self._live = True
        self._quickest_us = (np.inf, np.inf)
        """The smallest difference of host and sensor clock, of the last two stretches of QUICKEST_NS."""
        self._quickest_since_ns = 0
        self._recent: deque[tuple[float, int, int]] = deque()
        """Host time, events and kept events of the last windows."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="egret-recognition", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> bool:
        """End after the packet in hand; False if the thread did not end in time."""
        self._stopping.set()
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def open(self, info: SourceInfo, surface: npt.NDArray[np.uint32]) -> None:
        """From here on the packets are those of `info`'s sensor, drawn on `surface` [height, width]."""
        self._live = info.live
        self._queue.put((info, surface))

    def put(self, packet: Packet) -> None:
        """Queue `packet`. Waits for room if the source is a recording; never if it is live."""
        if not self._live:
            while self._queue.qsize() >= QUEUE_PACKETS and not self._stopping.wait(0.002):
                pass
        self._queue.put(packet)

    def end(self, of: object) -> None:
        """The source `of` has ended: close the open window when everything before is done, then call `on_end` with it."""
        self._queue.put(End(of))

    def rates(self) -> tuple[float, float]:
        """Events a second that arrived and that the filters kept, over the last second of the host's clock."""
        since = time.monotonic() - RECENT_S
        recent = [row for row in self._recent.copy() if row[0] > since]
        return float(sum(row[1] for row in recent)), float(sum(row[2] for row in recent))

    def steps_per_s(self) -> int:
        """Network steps in the last second of the host's clock."""
        since = time.monotonic() - RECENT_S
        return sum(row[0] > since for row in self._recent.copy())

    def set_filters(self, filters: FilterSettings) -> None:
        """Filter with `filters` from the next packet on."""
        self._new_filters = filters

    def use_network(self, network: GestureNetwork) -> None:
        """From the next packet on step `network`: the same layers with other classes, which goes on from the present state."""
        self._new_network = network

    def _work(self) -> None:
        try:
            while (item := self._queue.get()) is not None and not self._stopping.is_set():
                if isinstance(item, Packet):
                    self._process(self._newest(item))
                elif isinstance(item, tuple):
                    self._open(*item)
                else:
                    if self._framer:
                        self._decide(self._framer.flush(), time.monotonic_ns())
                    self._on_end(item.of)
        except BaseException as error:
            self._on_crash(error)

    def _open(self, info: SourceInfo, surface: npt.NDArray[np.uint32]) -> None:
        self._framer = Framer(info.width, info.height, self._filters, surface=surface)
        self._forget()
        self.totals = Totals()

    def _forget(self) -> None:
        """The scene jumped: nothing of the past may reach into what follows."""
        assert self._framer is not None
        self._framer.reset()
        self._runtime.gesture.reset()
        self.decider.reset()
        self._quickest_us = (np.inf, np.inf)

    def _newest(self, packet: Packet) -> Packet:
        """`packet`, or for a live source that is too far behind the newest one waiting, marked as a jump.

        Events of packets between are counted as skipped; what is known of those packets is handed on with the newest.
        """
        if not self._live or time.monotonic_ns() - packet.status.arrival_ns < LIVE_LAG_NS:
            return packet
        passed: list[Packet] = []
        while self._queue.qsize() > 1 and isinstance(self._queue.queue[0], Packet):
            passed.append(packet)
            following = self._queue.get()
            assert isinstance(following, Packet)
            packet = following
        if not passed:
            return packet
        self.totals.skipped += sum(len(one.events) for one in passed)
        known = {name: sum(getattr(one.status, name) for one in [*passed, packet]) for name in ("lost", "repaired", "refused")}
        return Packet(packet.events, replace(packet.status, discontinuity=True, **known))

    def _process(self, packet: Packet) -> None:
        begun_ns = time.monotonic_ns()
        status = packet.status
        if self._framer is None:
            return
        if status.discontinuity:
            self._decide(self._framer.flush(), begun_ns)
            self._forget()
        if self._new_filters is not None:
            self._filters, self._new_filters = self._new_filters, None
            self._framer.set_filters(self._filters)
        if self._new_network is not None:
            self._change_network(self._new_network)
        self.totals.lost += status.lost
        self.totals.repaired += status.repaired
        self.totals.refused += status.refused
        frames = self._framer.process(packet.events, status.until_us)
        framed_ns = time.monotonic_ns()
        self.now_us = status.until_us
        self.position_us = status.position_us
        if len(frames.start_us):
            self._decide(frames, framed_ns, status.arrival_ns, self._stages(status, begun_ns, framed_ns))

    def _change_network(self, network: GestureNetwork) -> None:
        old, self._new_network = self._runtime.gesture, None
        network.go_on(old.state)
        network.steps, network.operations = old.steps, old.operations
        self._runtime.change(network)
        self.decider.labels = network.labels
        self.decider.reset()

    def _stages(self, status: Status, begun_ns: int, framed_ns: int) -> dict[str, float]:
        """Milliseconds of the stages before the chip."""
        stages = {"queue": (begun_ns - status.arrival_ns) / 1e6, "frame": (framed_ns - begun_ns) / 1e6}
        if self._live:
            behind_us = status.arrival_ns / 1e3 - status.until_us
            if begun_ns - self._quickest_since_ns > QUICKEST_NS:  # clocks drift: the best of long ago is no measure
                self._quickest_since_ns, self._quickest_us = begun_ns, (self._quickest_us[1], np.inf)
            self._quickest_us = self._quickest_us[0], min(self._quickest_us[1], behind_us)
            stages["arrival"] = (behind_us - min(self._quickest_us)) / 1e3
        return stages

    def _decide(self, frames: Frames, ready_ns: int, arrival_ns: int = 0, stages: dict[str, float] | None = None) -> None:
        """Step the network on every frame and tell the decisions. `arrival_ns` and `stages` are of the packet that closed the last frame;
        without them nothing is timed (a window that is closed before its time)."""
        if frames.skipped_us:
            self._runtime.gesture.reset()
            self.decider.reset()
        for i in range(len(frames.start_us)):
            if self._is_over(int(frames.start_us[i])):
                return
            logits = self._runtime.gesture.step(frames.counts[i])
            if (tap := self.tap) is not None:
                tap(int(frames.start_us[i]), frames.counts[i])
            stepped_ns = time.monotonic_ns()
            decision = self.decider.decide(logits, int(frames.kept[i]))
            decided_ns = time.monotonic_ns()
            times = {"chip": (stepped_ns - ready_ns) / 1e6, "decision": (decided_ns - stepped_ns) / 1e6}
            if stages is not None:
                times = stages | times | {"total": (decided_ns - arrival_ns) / 1e6}
            self.latency.add(times)
            self._count(decision, int(frames.raw[i]), int(frames.kept[i]), decided_ns / 1e9)
            end_us = int(frames.start_us[i]) + WINDOW_US
            activity = tuple(float(share) for share in self._runtime.gesture.activity)
            self._on_result(Result(end_us, decision, times, int(frames.raw[i]), int(frames.kept[i]), activity, decided_ns))
            ready_ns = time.monotonic_ns()

    def _is_over(self, start_us: int) -> bool:
        """Whether the window that begins at `start_us` is past the time that was asked for."""
        if self._duration_us is None:
            return False
        if self._first_us is None:
            self._first_us = start_us
        over = start_us + WINDOW_US - self._first_us > self._duration_us
        if over:
            self._on_over()
        return over

    def _count(self, decision: Decision, events: int, kept: int, now_s: float) -> None:
        self._recent.append((now_s, events, kept))
        while self._recent[0][0] < now_s - RECENT_S:
            self._recent.popleft()
        totals = self.totals
        totals.windows += 1
        totals.events += events
        totals.kept += kept
        if decision.accepted:
            totals.accepted += 1
            totals.labels[decision.label] = totals.labels.get(decision.label, 0) + 1


def recognised(totals: Totals) -> str:
    """The label that was accepted most often; empty if none was."""
    return max(totals.labels, key=lambda label: totals.labels[label], default="")


def summary(totals: Totals) -> dict[str, Any]:
    """The sums of a run as `egret run --json` prints them in its last line."""
    return {
        "decisions": totals.windows,
        "accepted": totals.accepted,
        "label": recognised(totals),
        "labels": totals.labels,
        "events": totals.events,
        "kept": totals.kept,
        "lost": totals.lost,
        "repaired": totals.repaired,
        "refused": totals.refused,
        "skipped": totals.skipped,
    }
