"""A recording as a source: paced in sensor time, with a transport.

The recording is handed on in slices of 5 ms (25 ms when it is played fast), each when its end is due, as a camera would have delivered it.
A slice without events is handed on too: time alone moves. Slices lie on multiples of their length in sensor time, so that they end where
windows end.
"""

import math
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.errors import PARTIAL, UserError
from pipeline.events import Events, Packet, SourceInfo, join_events
from pipeline.formats.opening import open_recording
from pipeline.formats.reader import Reader
from pipeline.frames import WINDOW_US
from pipeline.sources.base import Intake, Item, Notice, Options, check_speed, up_to_window

SLICE_US = 5_000
GAP_US = 2_000_000
"""Nobody wants to watch nothing for longer: a longer gap between two events is passed over at once."""
LAG_NS = 500_000_000
"""Further behind than this (a computer that slept) the recording goes on from now instead of rushing after."""


class RecordingSource:
    """Plays the recording at `path`, of any format that `pipeline.formats.opening` knows."""

    def __init__(self, spec: str, path: str, options: Options) -> None:
        self._spec = spec
        self._path = path
        self._options = options
        self._intake = Intake(spec, options)
        self._speed = check_speed(options.speed)
        self._loop = options.loop
        self._playing = not options.paused
        self._items: deque[Item] = deque()
        self._reader: Reader | None = None
        self._ended = False

    def open(self) -> None:
        """Open the file; UserError if it cannot be played."""
        self._reader = reader = open_recording(self._path)
        self._items.append(_info(self._spec, reader))
        start = self._options.position_us
        self._start(reader, reader.start_us + (start or 0), from_start=not start)
        self._items.append(Notice("info", "live", f"Playing {reader.path.name}."))

    def close(self) -> None:
        """Close the file."""
        if self._reader is not None:
            self._reader.close()

    def fileno(self) -> int | None:
        """None: a recording is always ready."""
        return None

    def due(self) -> float:
        """Seconds until the next slice."""
        if self._items:
            return 0.0
        if self._ended or not (self._playing or self._stepping()):
            return math.inf
        if self._speed == 0 or self._stepping():
            return 0.0
        return max(0.0, (self._due_ns() - time.monotonic_ns()) / 1e9)

    def read(self) -> Item | None:
        """The next slice, if it is due."""
        if not self._items and self.due() == 0.0:
            self._advance()
        return self._items.popleft() if self._items else None

    def command(self, op: str, arguments: dict[str, Any]) -> None:
        """The transport; UserError for a value that makes no sense."""
        reader = self._opened()
        match op:
            case "play":
                if self._ended:
                    self._seek(reader, 0)
                self._playing = True
            case "pause":
                self._playing = False
            case "step":
                self._playing = False
                self._step_to = (self._at // WINDOW_US + 1) * WINDOW_US
            case "seek":
                self._seek(reader, arguments.get("position_us"))
            case "speed":
                self._speed = check_speed(arguments.get("value"))
            case "loop":
                self._loop = bool(arguments.get("value"))
            case _:
                raise UserError(f"A recording cannot {op}: it can play, pause, step, seek, change speed and loop.")
        self._anchor()

    def _opened(self) -> Reader:
        if self._reader is None:
            raise UserError(f"{self._spec} is not open.")
        return self._reader

    def _seek(self, reader: Reader, position_us: Any) -> None:
        if isinstance(position_us, bool) or not isinstance(position_us, int | float) or not math.isfinite(position_us):
            raise UserError(f"{position_us!r} is not a position in a recording: give microseconds from its start.")
        resumed = self._ended
        position = min(max(0, int(position_us)), reader.duration_us)
        self._start(reader, reader.start_us + position, from_start=position == 0)
        self._items.append(self._intake.packet(self._take(self._at), self._at, position_us=position))
        if resumed:
            self._items.append(Notice("info", "live", f"Playing {reader.path.name}."))

    def _start(self, reader: Reader, from_us: int, *, from_start: bool) -> None:
        """Go to sensor time `from_us`. From the start no packet is searched, and none is left out whose times went backwards."""
        self._intake.new_scene(reader.width, reader.height)
        self._packets: Iterator[Events] = reader.packets(None if from_start else from_us)
        self._ahead: Events | None = None
        self._at = from_us // SLICE_US * SLICE_US
        self._step_to = self._at
        self._ended = False
        self._any = False
        self._anchor()

    def _anchor(self) -> None:
        """Play from here, now."""
        self._anchor_ns, self._anchor_us = time.monotonic_ns(), self._at

    def _stepping(self) -> bool:
        return self._at < self._step_to

    def _slice_end(self) -> int:
        length = SLICE_US if 0 < self._speed <= 1 else WINDOW_US
        return (self._at // length + 1) * length

    def _due_ns(self) -> int:
        return self._anchor_ns + int((self._slice_end() - self._anchor_us) * 1000 / self._speed)

    def _advance(self) -> None:
        """Hand on the next slice, and what follows from it."""
        if self._playing and self._speed and time.monotonic_ns() - self._due_ns() > LAG_NS:
            self._anchor()
        end = self._slice_end()
        if self._stepping():
            end = min(end, self._step_to)
        events = self._take(end)
        self._any = self._any or len(events) > 0
        self._at = end
        following = self._next_us()
        if following is None:
            self._finish(events)
            return
        self._items.append(self._packet(events))
        if following - self._at > GAP_US:
            self._at = following // SLICE_US * SLICE_US
            self._anchor()

    def _packet(self, events: Events, *, end: bool = False) -> Packet:
        position = self._at - self._opened().start_us
        return self._intake.packet(events, self._at, position_us=min(max(0, position), self._opened().duration_us), end=end)

    def _take(self, end_us: int) -> Events:
        """All events not yet handed on before sensor time `end_us`."""
        parts: list[Events] = []
        while (events := self._peek()) is not None:
            cut = int(np.searchsorted(events["timestamp"], end_us))
            if cut:
                parts.append(events[:cut])
            if cut < len(events):
                self._ahead = events[cut:]
                break
            self._ahead = None
        return join_events(parts)

    def _peek(self) -> Events | None:
        """Events that come next; None at the end."""
        while self._ahead is None or not len(self._ahead):
            raw = next(self._packets, None)
            if raw is None:
                return None
            self._ahead = self._intake.admit(raw)
        return self._ahead

    def _next_us(self) -> int | None:
        events = self._peek()
        return None if events is None else int(events["timestamp"][0])

    def _finish(self, events: Events) -> None:
        """The last events of the recording: the end, or the next round."""
        reader = self._opened()
        if self._loop and self._any:
            self._at = up_to_window(self._at)
            self._items.append(self._packet(events))
            self._start(reader, reader.start_us, from_start=True)
            return
        self._items.append(self._packet(events, end=True))
        self._ended = True
        if reader.recovered:
            self._items.append(Notice("warning", "ended", reader.recovered, PARTIAL))
        else:
            self._items.append(Notice("info", "ended", f"{reader.path.name} has ended."))


def _info(spec: str, reader: Reader) -> SourceInfo:
    extra = {"camera": reader.source, "format": reader.format}
    if reader.event_count is not None:
        extra["events"] = str(reader.event_count)
    if reader.recovered:
        extra["recovered"] = reader.recovered
    return SourceInfo(
        spec=spec,
        kind="file",
        title=reader.path.name,
        width=reader.width,
        height=reader.height,
        live=False,
        duration_us=reader.duration_us,
        start_us=reader.start_us,
        extra=extra,
    )
