"""What every source is, and what they share: one way of numbering, timing and cleaning packets.

A source runs alone in a process of its own (`worker`), in one thread. The worker asks it when it will have something (`due`, `fileno`),
waits for that or for a command, and takes what there is (`read`), so that a source never sleeps by itself and needs no thread or lock.

Time. A packet carries *output time*: sensor time that never goes backwards, whatever the sensor does. Within one scene it is the sensor's
own time plus a shift. Where the scene jumps (seek, loop, reconnect, camera reset) the next packet is marked as a discontinuity, and if
its time would go back into a window that has begun, the shift grows by whole windows, so that a recording that is played again is cut into
the same windows again and no window comes twice.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from pipeline.door import Door
from pipeline.errors import UserError
from pipeline.events import EVENT_DTYPE, Events, Packet, SourceInfo, Status, empty_events
from pipeline.frames import WINDOW_US

State = Literal["starting", "live", "waiting", "ended", "failed"]
Level = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Notice:
    """A source's state has changed, or there is something to tell."""

    level: Level
    state: State
    sentence: str
    exit_code: int = 0
    """What `egret run` ends with, if it ends here (`pipeline.errors`)."""


Item = SourceInfo | Packet | Notice


@dataclass(frozen=True, slots=True)
class Options:
    """How a source starts. The last three carry on where another worker of the same source was lost."""

    speed: float = 1.0
    """Sensor seconds per second; 0: as fast as the reader takes them."""
    loop: bool = False
    paused: bool = False
    position_us: int | None = None
    """Where in the recording to start, from its beginning."""
    not_before_us: int = 0
    """Output time reached so far."""
    sequence: int = 0
    """Number of the first packet."""


class Source(Protocol):
    """One source, driven by the worker from a single thread. `open` and `command` raise UserError, which the worker passes on."""

    def open(self) -> None:
        """Take the file, camera or peer. UserError: it cannot be had, and trying again is of no use."""

    def due(self) -> float:
        """Seconds until `read` is worth calling."""

    def fileno(self) -> int | None:
        """A descriptor that becomes readable when `read` is worth calling before that."""

    def read(self) -> Item | None:
        """The next thing to tell, None if there is nothing now. Does not wait."""

    def command(self, op: str, arguments: dict[str, Any]) -> None:
        """play, pause, step, seek {position_us}, speed {value}, loop {value}: for sources that have a transport."""

    def close(self) -> None:
        """Give everything back."""


def check_speed(value: Any) -> float:
    """A playing speed, as a number; UserError if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1000:
        raise UserError(f"The speed {value!r} is not between 0 (as fast as possible) and 1000: choose another.")
    return float(value)


def up_to_window(time_us: int) -> int:
    """The first end of a window at or after `time_us`."""
    return -(-time_us // WINDOW_US) * WINDOW_US


class Intake:
    """Turns raw events into packets: through the door, into output time, numbered, with what is known of them."""

    def __init__(self, spec: str, options: Options, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self.clock_ns = clock_ns
        self._spec = spec
        self._sequence = options.sequence
        self.until_us = options.not_before_us
        """Output time promised so far."""
        self._shift: int | None = None
        self._jumped = options.not_before_us > 0
        self._repaired = 0
        self._refused = 0
        self._door = Door(1, 1)
        self._door.check(np.zeros(2, EVENT_DTYPE))  # loads its compiled code now, not when the first events are due
        self._last_arrival_ns = 0

    def new_scene(self, width: int, height: int) -> None:
        """What follows comes from another moment, place or sensor."""
        self._jumped = self._jumped or self._shift is not None
        self._door = Door(width, height)
        self._shift = None

    def admit(self, events: Events) -> Events:
        """`events` as the door lets them pass: on the sensor, never going backwards; still in sensor time."""
        events, repaired, refused, jumped = self._door.check(events)
        self._repaired += repaired
        self._refused += refused
        self._jumped = self._jumped or jumped
        return events

    def packet(self, events: Events, until_us: int, *, position_us: int = 0, end: bool = False) -> Packet:
        """The next packet: admitted events before `until_us` (sensor time), which is a promise as in `Status`."""
        first_us = int(events["timestamp"][0]) if len(events) else until_us
        if self._shift is None:
            self._shift = max(0, up_to_window(self.until_us) - first_us // WINDOW_US * WINDOW_US)
        if self._shift:
            events = events.copy()
            events["timestamp"] += self._shift
        self.until_us = max(self.until_us, until_us + self._shift)
        self._last_arrival_ns = self.clock_ns()
        return self._make(events, position_us=position_us, end=end)

    def live_packet(self, events: Events) -> Packet:
        """A packet of a live source, as it came: all admitted events up to its last timestamp have been delivered.

        If `quiet_packet` has promised too much in the meantime (a peer that paused), output time is pushed on by what it is late.
        """
        if self._shift is not None:
            late = self.until_us - (int(events["timestamp"][0]) + self._shift)
            self._shift += max(0, late)
        return self.packet(events, int(events["timestamp"][-1]))

    def quiet_packet(self, margin_us: int) -> Packet | None:
        """Time goes on although a live source is silent: a still scene, as far as can be told `margin_us` later. None if it is too early.

        The host's clock stands in for the sensor's since the last packet; the margin is for packets that are on their way.
        """
        if self._shift is None:
            return None
        now = self.clock_ns()
        silent_us = (now - self._last_arrival_ns) // 1000 - margin_us
        if silent_us <= 0:
            return None
        self._last_arrival_ns += silent_us * 1000
        self.until_us += silent_us
        return self._make(empty_events())

    def close_window(self) -> Packet | None:
        """Ends the window that is open: nothing more of this scene will come. None if nothing has come of it."""
        if self._shift is None:
            return None
        self.until_us = up_to_window(self.until_us + 1)
        last = self._make(empty_events())
        self._shift = None
        self._jumped = True
        return last

    def _make(self, events: Events, *, position_us: int = 0, end: bool = False) -> Packet:
        status = Status(
            source=self._spec,
            sequence=self._sequence,
            arrival_ns=self.clock_ns(),
            until_us=self.until_us,
            repaired=self._repaired,
            refused=self._refused,
            position_us=position_us,
            discontinuity=self._jumped,
            end=end,
        )
        self._sequence += 1
        self._repaired = self._refused = 0
        self._jumped = False
        return Packet(events, status)
