"""The door: every event from outside passes here once, and what is behind it may be trusted.

Recordings have no checksums, cameras are unplugged and reset, network peers are strangers: coordinates outside the sensor and times
that run backwards arrive as normal events, and would write outside an array or keep a window open for ever further on. One policy for
all sources:

coordinates   An event outside the sensor is *refused*: dropped and counted. Nothing else of it is believed, its time neither.
polarity      Becomes 0 or 1: positive is ON (decoders deliver 0/1, -1/+1 or 0/5).
time          May stand still or run forward. A step back of less than a second is jitter between packets or streams: the event keeps
              its place and gets the last good time (*repaired*, counted). A step back of a second or more (device reset, wrap of a
              32-bit clock), or forward by an hour or more, is another clock: it is re-based, so that time goes on from the last good
              time without a step (*jumped*). Timestamps after the door never decrease, and are never negative.

A clean packet, nearly all of them, is returned as it came, without a copy. The state carries over packets and nothing depends on
where the stream is cut into packets.
"""

import numpy as np
from numba import njit

from pipeline.events import EVENT_DTYPE, Events

REBASE_BACK_US = 1_000_000
"""A step back by this much or more is a clock that was reset; by less, a timestamp to repair."""
REBASE_FORWARD_US = 3_600_000_000
"""A step forward by this much or more (an hour) is another clock or damage; shorter pauses of a sensor are believed."""

_LATEST_US = 1 << 62
"""Raw times beyond +-this (146,000 years) are clamped, and the door's own stand still there: differences of two times fit int64."""
_UNSET = -1
"""`_RAW` and `_OUT` before the first event."""

_RAW, _OUT = 0, 1
"""Places in the clock array: the last good time as the source says it, and as the door says it. Equal until the first re-basing."""


@njit(cache=True, nogil=True)
def _is_clean(events: Events, width: int, height: int, clock: np.ndarray) -> bool:
    """Whether all events can pass unchanged; if so the clock is moved to the last of them, else it is left alone."""
    last = clock[_RAW]
    if last != clock[_OUT]:
        return False
    for i in range(events.size):
        event = events[i]
        t = event.timestamp
        if event.x < 0 or event.x >= width or event.y < 0 or event.y >= height or event.polarity < 0 or event.polarity > 1:
            return False
        if t < max(last, 0) or t > _LATEST_US or (last != _UNSET and t - last >= REBASE_FORWARD_US):
            return False
        last = t
    clock[_RAW] = clock[_OUT] = last
    return True


@njit(cache=True, nogil=True)
def _repair(events: Events, out: Events, width: int, height: int, clock: np.ndarray) -> tuple[int, int, bool]:
    """Copy what may pass from `events` to `out` as it should be: (events written, repaired, jumped)."""
    n = 0
    repaired = 0
    jumped = False
    raw, now = clock[_RAW], clock[_OUT]
    for i in range(events.size):
        event = events[i]
        if event.x < 0 or event.x >= width or event.y < 0 or event.y >= height:
            continue
        t = min(max(event.timestamp, -_LATEST_US), _LATEST_US)
        if now == _UNSET:
            jumped = t < 0
            raw, now = t, max(t, 0)
        elif t < raw and raw - t < REBASE_BACK_US:
            repaired += 1
        elif t < raw or t - raw >= REBASE_FORWARD_US:
            jumped = True
            raw = t
        else:
            now = min(now + t - raw, _LATEST_US)
            raw = t
        out[n].timestamp = now
        out[n].x = event.x
        out[n].y = event.y
        out[n].polarity = 1 if event.polarity > 0 else 0
        n += 1
    clock[_RAW], clock[_OUT] = raw, now
    return n, repaired, jumped


def readable(events: Events) -> Events:
    """`events` as the one type that the compiled loops are compiled for: contiguous, read-only, `EVENT_DTYPE`. A view where possible.

    numba compiles anew for every combination of layout, writability and dtype, which would cost a second in the middle of a live
    stream. ValueError for an array that is not of events.
    """
    if events.dtype != EVENT_DTYPE or events.ndim != 1:
        raise ValueError(f"expected a one-dimensional array of events, not {events.ndim} dimensions of {events.dtype}")
    view = np.ascontiguousarray(events).view(EVENT_DTYPE)
    view.flags.writeable = False
    return view


class Door:
    """Checks the events of one source; keeps the last good time. `width` and `height` of the sensor in pixels."""

    def __init__(self, width: int, height: int) -> None:
        self._width = width
        self._height = height
        self._clock = np.full(2, _UNSET, np.int64)

    def check(self, events: Events) -> tuple[Events, int, int, bool]:
        """The events that may pass, timestamps (sensor time, us) never decreasing, over all calls.

        Returns (events, repaired, refused, jumped): how many of the returned events got another timestamp because time went back,
        how many were dropped because they lie outside the sensor, and whether the clock was re-based. The events are a view of the
        same memory, marked read-only, if all of them pass unchanged.
        """
        events = readable(events)
        if _is_clean(events, self._width, self._height, self._clock):
            return events, 0, 0, False
        out = np.zeros(events.size, EVENT_DTYPE)
        written, repaired, jumped = _repair(events, out, self._width, self._height, self._clock)
        return readable(out[:written]), repaired, events.size - written, jumped
