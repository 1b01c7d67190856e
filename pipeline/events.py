"""The data contract: events, and the status that travels with them.

One numpy structured dtype everywhere inside Egret, with dv-processing's own field names and 16-byte layout, so that a packet is handed
from a file or a socket to the compiled loops without a copy. Coordinates have x to the right and y down; polarity 1 is ON (brighter),
0 is OFF. Timestamps are sensor time in microseconds.

Loss is data: a `Status` travels with every packet and says what was lost, repaired or refused before it, so that a recording made from
the packets can tell, and nobody has to read a log.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

EVENT_DTYPE = np.dtype(
    {
        "names": ["timestamp", "x", "y", "polarity"],
        "formats": ["<i8", "<i2", "<i2", "i1"],
        "offsets": [0, 8, 10, 12],
        "itemsize": 16,
    }
)
"""dv-processing's event: timestamp (us, sensor time), x, y (pixels), polarity (0 or 1); 16 bytes with 3 of padding."""

Events = npt.NDArray[np.void]
"""A one-dimensional array of `EVENT_DTYPE`, timestamps never decreasing once it has passed `pipeline.door`."""


def empty_events() -> Events:
    """An array of no events."""
    return np.empty(0, EVENT_DTYPE)


def join_events(parts: Sequence[Events]) -> Events:
    """All parts as one array; the part itself if it is the only one.

    As 16 opaque bytes each: `np.concatenate` of the fields would pack the layout to 13 bytes, and copying field by field is slow.
    """
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([part.view("V16") for part in parts]).view(EVENT_DTYPE) if parts else empty_events()


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of a packet besides its events.

    `until_us` is a promise: every event with an earlier timestamp has been delivered, in this packet or before. It lets a window of
    sensor time close although no event came (a still scene), and is never smaller than the last timestamp seen.
    """

    source: str
    """The source's specification, e.g. ``tcp://127.0.0.1:7777``."""
    sequence: int
    """Counts packets of this source, from 0. A gap means packets were lost between the processes."""
    arrival_ns: int
    """When the packet reached this machine: `time.monotonic_ns` (one clock for all processes of the machine)."""
    until_us: int
    """Sensor time up to which (exclusive) all events have been delivered."""
    lost: int = 0
    """Events known to be lost before this packet."""
    repaired: int = 0
    """Timestamps of this packet that went backwards and were set to the last good one."""
    refused: int = 0
    """Events of this packet outside the sensor, dropped."""
    position_us: int = 0
    """Place in the recording, from its start (recordings only)."""
    discontinuity: bool = False
    """The scene jumped (seek, loop, reconnect): filters, frames and network state start anew before this packet."""
    end: bool = False
    """The source has ended: nothing follows."""


@dataclass(frozen=True, slots=True)
class Packet:
    """Events of one delivery, with their status. May hold no event (time alone moved)."""

    events: Events
    status: Status


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source says of itself once it is open."""

    spec: str
    kind: str
    """``camera``, ``file``, ``network``, ``simulated``."""
    title: str
    """For the badge, e.g. ``DVXplorer 00123`` or ``wave.aedat4``."""
    width: int
    height: int
    live: bool
    """A live source cannot wait: under overload the engine skips to the newest data. A recording can, and loses nothing."""
    duration_us: int = 0
    """Length of a recording; 0 where there is none."""
    start_us: int = 0
    """Sensor time of a recording's first event."""
    extra: dict[str, str] = field(default_factory=dict)
    """Further facts for `egret info` and the window."""
