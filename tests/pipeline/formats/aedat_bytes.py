"""AEDAT 2.0 and 3.1 files as bytes, written from the specification and not with Egret's own code."""

import struct
from collections.abc import Iterable, Sequence

Event = tuple[int, int, int, int]
"""t in microseconds, x, y (from the upper left corner), polarity."""

JAER_HEADER = b"#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n# Timestamps tick: 1 us\r\n"
JAER_END = b"#End Of ASCII Header\r\n"
CAER_HEADER = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 0: DVS128\r\n#Start-Time: 2016-04-28 11:57:13 (TZ+0200)\r\n#!END-HEADER\r\n"


def chip(name: str) -> bytes:
    """jAER's header for the camera `name`."""
    return JAER_HEADER + f"# AEChip: ch.unizh.ini.jaer.chip.retina.{name}\r\n".encode() + JAER_END


def records(words: Iterable[tuple[int, int]]) -> bytes:
    """AEDAT 2.0: (address, time stamp) one after the other."""
    return b"".join(struct.pack(">II", address, stamp) for address, stamp in words)


def dvs128(event: Event) -> tuple[int, int]:
    """The record of an event of a DVS128."""
    t, x, y, p = event
    return (127 - y) << 8 | (127 - x) << 1 | 1 - p, t % (1 << 32)


def davis(event: Event, width: int, height: int) -> tuple[int, int]:
    """The record of an event of a DAVIS."""
    t, x, y, p = event
    return (height - 1 - y) << 22 | (width - 1 - x) << 12 | p << 11, t % (1 << 32)


def packet(events: Sequence[Event], *, kind: int = 1, source: int = 0, valid: int = 1, room: int | None = None) -> bytes:
    """AEDAT 3.1: one packet of polarity events that share the bits of t above 31, with `room` for that many."""
    overflow = events[0][0] >> 31 if events else 0
    assert all(t >> 31 == overflow for t, _, _, _ in events)
    capacity = len(events) if room is None else room
    header = struct.pack("<HHIIIIII", kind, source, 8, 4, overflow, capacity, len(events), len(events) * valid)
    return header + b"".join(struct.pack("<II", x << 17 | y << 2 | p << 1 | valid, t % (1 << 31)) for t, x, y, p in events)
