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
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from models.chip.runtime import Runtime
from models.decision import Decider, Decision
from pipeline.events import Packet, SourceInfo
from pipeline.filters import FilterSettings
from pipeline.frames import WINDOW_US, Framer, Frames
from pipeline.latency import StageTimes

LIVE_LAG_NS = 250_000_000
QUEUE_PACKETS = 64
"""Packets of a recording that may wait: about a third of a second at normal speed."""


class End:
    """Marks the end of a source in the queue."""


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
        on_end: Callable[[], None],
        on_crash: Callable[[BaseException], None],
    ) -> None:
        self.decider = decider
        self.totals = Totals()
        self.latency = StageTimes()
        self.now_us = 0
        """Sensor time up to which the time surface is complete."""
        self.position_us = 0
        self._runtime = runtime
        self._filters = filters
        self._new_filters: FilterSettings | None = None
        self._on_result = on_result
        self._on_end = on_end
        self._on_crash = on_crash
        self._queue: queue.Queue[tuple[SourceInfo, npt.NDArray[np.uint32]] | Packet | type[End] | None] = queue.Queue()
        self._framer: Framer | None = None
        self._live = True
        self._quickest_us = np.inf
        self._recent: deque[tuple[float, int, int]] = deque(maxlen=400)
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

    def end(self) -> None:
        """The source has ended: close the open window when everything before is done."""
        self._queue.put(End)

    def rates(self) -> tuple[float, float]:
        """Events a second that arrived and that the filters kept, over the last second of the host's clock."""
        since = time.monotonic() - 1.0
        recent = [row for row in self._recent.copy() if row[0] > since]
        return float(sum(row[1] for row in recent)), float(sum(row[2] for row in recent))

    def steps_per_s(self) -> int:
        """Network steps in the last second of the host's clock."""
        since = time.monotonic() - 1.0
        return sum(row[0] > since for row in self._recent.copy())

    def set_filters(self, filters: FilterSettings) -> None:
        """Filter with `filters` from the next packet on."""
        self._new_filters = filters

    def _work(self) -> None:
        try:
            while (item := self._queue.get()) is not None and not self._stopping.is_set():
                if isinstance(item, Packet):
                    self._process(self._newest(item))
                elif isinstance(item, tuple):
                    self._open(*item)
                else:
                    if self._framer:
                        self._decide(self._framer.flush(), time.monotonic_ns(), {})
                    self._on_end()
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
        self._quickest_us = np.inf

    def _newest(self, packet: Packet) -> Packet:
        """`packet`, or for a live source that is too far behind the newest one waiting; what lies between is counted as skipped."""
        if not self._live or time.monotonic_ns() - packet.status.arrival_ns < LIVE_LAG_NS:
            return packet
        skipped = 0
        while self._queue.qsize() > 1 and isinstance(self._queue.queue[0], Packet):
            skipped += len(packet.events)
            following = self._queue.get()
            assert isinstance(following, Packet)
            packet = following
        if skipped and self._framer:
            self.totals.skipped += skipped
            self._framer.reset()
        return packet

    def _process(self, packet: Packet) -> None:
        begun_ns = time.monotonic_ns()
        status = packet.status
        if self._framer is None:
            return
        if status.discontinuity:
            self._decide(self._framer.flush(), begun_ns, {})
            self._forget()
        if self._new_filters is not None:
            self._filters, self._new_filters = self._new_filters, None
            self._framer.set_filters(self._filters)
        self.totals.lost += status.lost
        self.totals.repaired += status.repaired
        self.totals.refused += status.refused
        frames = self._framer.process(packet.events, status.until_us)
        framed_ns = time.monotonic_ns()
        self.now_us = status.until_us
        self.position_us = status.position_us
        if len(frames.start_us):
            self._decide(frames, framed_ns, self._stages(packet, begun_ns, framed_ns))

    def _stages(self, packet: Packet, begun_ns: int, framed_ns: int) -> dict[str, float]:
        """Milliseconds of the stages before the chip."""
        status = packet.status
        stages = {"queue": (begun_ns - status.arrival_ns) / 1e6, "frame": (framed_ns - begun_ns) / 1e6}
        behind_us = status.arrival_ns / 1e3 - status.until_us
        self._quickest_us = min(self._quickest_us, behind_us)
        stages["arrival"] = (behind_us - self._quickest_us) / 1e3
        return stages

    def _decide(self, frames: Frames, ready_ns: int, stages: dict[str, float]) -> None:
        """Step the network on every frame and tell the decisions. `stages` belong to the packet that closed the last frame."""
        if frames.skipped_us:
            self._runtime.gesture.reset()
            self.decider.reset()
        for i in range(len(frames.start_us)):
            logits = self._runtime.gesture.step(frames.counts[i])
            stepped_ns = time.monotonic_ns()
            decision = self.decider.decide(logits, int(frames.kept[i]))
            decided_ns = time.monotonic_ns()
            times = dict(stages, chip=(stepped_ns - ready_ns) / 1e6, decision=(decided_ns - stepped_ns) / 1e6)
            if stages:
                times["total"] = times["queue"] + times["frame"] + times["chip"] + times["decision"]
            self.latency.add(times)
            self._recent.append((decided_ns / 1e9, int(frames.raw[i]), int(frames.kept[i])))
            self._count(decision, int(frames.raw[i]), int(frames.kept[i]))
            end_us = int(frames.start_us[i]) + WINDOW_US
            activity = tuple(float(share) for share in self._runtime.gesture.activity)
            self._on_result(Result(end_us, decision, times, int(frames.raw[i]), int(frames.kept[i]), activity, decided_ns))
            ready_ns = time.monotonic_ns()

    def _count(self, decision: Decision, events: int, kept: int) -> None:
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
