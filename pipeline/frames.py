"""Frames: the events of one window of sensor time, counted on a small grid, for the recognition network.

One compiled loop takes a packet from the door to counts: region, filters (`pipeline.filters`), pooling to the grid, and the time
surface that the window paints. Training data goes through the very same code (`frames_of`), so what a network was trained on is what
it sees live.

Windows are aligned to absolute multiples of `window_us` of sensor time, and every event lands in exactly one frame, whatever packets
it comes in. A window closes when an event at or past its end arrives, or when the source promises that nothing earlier will come
(`until_us`), so that a still scene makes empty frames rather than silence. An event later than its window (a promise that was broken)
counts in the window that is open. After `LONGEST_FILL_US` without anything the gap is not filled with empty frames but skipped, which
the answer says, and the filters start anew.

Pooling keeps the aspect ratio: the sensor is scaled so that its longer side spans the grid, and centred; the rest of the grid stays
zero. A sensor smaller than the grid is not enlarged, since that would leave holes: one pixel is one cell, in the middle.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.door import Door, readable
from pipeline.errors import UserError
from pipeline.events import EVENT_DTYPE, Events, empty_events
from pipeline.filters import (
    NO_FILTERS,
    FilterSettings,
    FilterState,
    Region,
    apply_settings,
    filter_state,
    forget,
    is_hot,
    is_kept,
    next_interval,
)

WINDOW_US = 25_000
"""Length of a frame in sensor time, us."""
GRID = 32
"""Cells of a frame along x and y."""
LONGEST_FILL_US = 10_000_000
"""A longer step forward in time is skipped rather than filled with empty frames."""

LARGEST_SENSOR = 1 << 24
"""Pixels; a header that claims more is damaged, and its arrays are not allocated."""

SURFACE_SHIFT = 7
"""A word of the time surface is (t_us // 128) << 1 | polarity (app/protocol.py)."""

_OUTSIDE = -1
_DEFAULT_FILTERS = FilterSettings()


@dataclass(frozen=True, slots=True)
class Frames:
    """n closed windows, in order of time."""

    counts: npt.NDArray[np.uint16]
    """[n, 2, 32, 32]: events kept per polarity (0 = OFF, 1 = ON), row, column; 65535 stands for that many or more."""
    start_us: npt.NDArray[np.int64]
    """[n]: sensor time at which each window starts; it ends `window_us` later."""
    raw: npt.NDArray[np.int64]
    """[n]: events that arrived in each window."""
    kept: npt.NDArray[np.int64]
    """[n]: events that passed the filters."""
    skipped_us: int = 0
    """Time, us, that no frame was made for because it was a jump too long to fill; it lies before the last frames' windows."""

    def __len__(self) -> int:
        return self.start_us.size


def cell_table(width: int, height: int, region: Region | None = None) -> npt.NDArray[np.int16]:
    """The grid cell (row * GRID + column) of every pixel, [height, width]; -1 outside the region.

    A pixel belongs to the cell in which its centre lies when the sensor is scaled by GRID / max(width, height, GRID) about the
    middle. A centre on the border of two cells goes to the one nearer the middle, so that a mirrored sensor gives the mirrored frame.
    """
    longest = max(width, height, GRID)
    table = (_cells_along(height, longest)[:, None] * GRID + _cells_along(width, longest)).astype(np.int16)
    if region is not None:
        x, y, w, h = region
        inside = np.zeros(table.shape, np.bool_)
        inside[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)] = True
        table[~inside] = _OUTSIDE
    return table


def _cells_along(pixels: int, longest: int) -> npt.NDArray[np.int64]:
    """The cell of every pixel of one axis, [pixels], in whole numbers."""
    from_middle = (2 * np.arange(pixels) + 1 - pixels) * GRID
    cells_away = -(-np.abs(from_middle) // (2 * longest))
    return np.where(from_middle > 0, GRID // 2 - 1 + cells_away, GRID // 2 - cells_away)


@njit(cache=True, nogil=True)
def _absorb(
    events: Events, begin: int, end_us: int, cells: np.ndarray, state: FilterState, counts: np.ndarray, surface: np.ndarray
) -> tuple[int, int]:
    """Count the events from index `begin` on into `counts` [2, GRID * GRID] until one is at or past `end_us`: (its index, events kept)."""
    last_us, fired, hot, interval_end_us, limits = state
    background_us, refractory_us, hot_pixel, dropped = limits[0], limits[1], limits[2], limits[3]
    height, width = np.uint64(cells.shape[0]), np.uint64(cells.shape[1])
    paint = surface.size > 0
    kept = 0
    for i in range(begin, events.size):
        event = events[i]
        t = event.timestamp
        if t >= end_us:
            return i, kept
        x, y = np.uint64(np.uint16(event.x)), np.uint64(np.uint16(event.y))
        polarity = event.polarity & 1
        if x >= width or y >= height or cells[y, x] < 0 or polarity == dropped:
            continue
        if hot_pixel:
            if t >= interval_end_us[0]:
                next_interval(state, t)
            if is_hot(fired, hot, x, y):
                continue
        if not is_kept(last_us, refractory_us, background_us, t, x, y):
            continue
        kept += 1
        cell = cells[y, x]
        counts[polarity, cell] += np.uint16(counts[polarity, cell] < 65535)
        if paint:
            surface[y, x] = np.uint32((t >> SURFACE_SHIFT << 1) | polarity)
    return events.size, kept


class Framer:
    """Turns one sensor's stream of events into frames.

    `width`, `height`: of the sensor, pixels. `surface`: the time surface, uint32[height, width], written in place with every event that
    passes the filters; or None. Events are expected to have passed `pipeline.door`; one outside the sensor counts as filtered out.
    UserError for a sensor of an impossible size; ValueError for a window or surface that does not fit.
    """

    def __init__(
        self,
        width: int,
        height: int,
        settings: FilterSettings = _DEFAULT_FILTERS,
        window_us: int = WINDOW_US,
        surface: npt.NDArray[np.uint32] | None = None,
    ) -> None:
        if width < 1 or height < 1 or width * height > LARGEST_SENSOR:
            raise UserError(f"The source says that its sensor has {width} x {height} pixels; Egret works with 1 x 1 to 4096 x 4096.")
        if not 1000 <= window_us <= LONGEST_FILL_US:
            raise ValueError(f"a window of {window_us} us is not between 1 ms and {LONGEST_FILL_US} us")
        if surface is not None and (surface.shape != (height, width) or surface.dtype != np.uint32):
            raise ValueError(f"the surface is {surface.dtype}{surface.shape}, not uint32{(height, width)}")
        self._size = width, height
        self._window_us = window_us
        self._surface = np.empty((0, 0), np.uint32) if surface is None else np.asarray(surface)
        self._state = filter_state(width, height)
        self._counts = np.zeros((2, GRID * GRID), np.uint16)
        self._start_us: int | None = None
        self._earliest_us = 0
        """No window begins before: what has been closed is not opened again after a reset."""
        self._now_us = 0
        self._raw = 0
        self._kept = 0
        self.set_filters(settings)

    def set_filters(self, settings: FilterSettings) -> None:
        """Filter by `settings` from the next event on; what the open window has counted stays."""
        apply_settings(self._state, settings)
        self._cells = cell_table(*self._size, settings.region)

    def reset(self) -> None:
        """Forget the open window, what the filters know and the surface: the scene has jumped. `flush` first to lose no event.

        Time goes on: events of a window that was closed before count in the one after it.
        """
        forget(self._state)
        self._surface.fill(0)
        self._empty_window()
        if self._start_us is not None:
            self._earliest_us = self._start_us
        self._start_us = None

    def process(self, events: Events, until_us: int | None = None) -> Frames:
        """Take a packet; the frames of the windows that it closes.

        `until_us`: every event with an earlier timestamp has been delivered (`pipeline.events.Status`). The first time heard of, an
        event's or this, decides which window is the first.
        """
        events = readable(events)
        closed: list[Frames] = []
        done = 0
        while done < events.size:
            self._advance(int(events["timestamp"][done]), closed)
            end_us = self._end_us()
            begin = done
            done, kept = _absorb(events, begin, end_us, self._cells, self._state, self._counts, self._surface)
            self._raw += done - begin
            self._kept += kept
            if done > begin:
                self._now_us = max(self._now_us, int(events["timestamp"][done - 1]))
        if until_us is not None:
            self._advance(until_us, closed)
        return _joined(closed)

    def flush(self) -> Frames:
        """Close the open window before its time, if anything of it has passed: the stream has ended."""
        if self._start_us is None or (self._raw == 0 and self._now_us <= self._start_us):
            return _joined([])
        return self._close(1)

    def _end_us(self) -> int:
        assert self._start_us is not None
        return self._start_us + self._window_us

    def _advance(self, t_us: int, closed: list[Frames]) -> None:
        """Let time run to `t_us`: close the windows that end by then, or skip if it is too far."""
        if self._start_us is None:
            self._start_us = max(t_us // self._window_us * self._window_us, self._earliest_us)
        elif t_us >= self._end_us():
            if t_us - self._now_us > LONGEST_FILL_US:
                closed.append(self._skip_to(t_us))
            else:
                closed.append(self._close((t_us - self._start_us) // self._window_us))
        self._now_us = max(self._now_us, t_us)

    def _skip_to(self, t_us: int) -> Frames:
        """Close the open window and go on with the one that `t_us` lies in."""
        frames = self._close(1)
        start_us = t_us // self._window_us * self._window_us
        assert self._start_us is not None
        skipped_us = start_us - self._start_us
        self._start_us = start_us
        forget(self._state)
        return Frames(frames.counts, frames.start_us, frames.raw, frames.kept, skipped_us)

    def _close(self, n: int) -> Frames:
        """Close the open window and the n - 1 empty ones after it."""
        assert self._start_us is not None
        counts = np.zeros((n, 2, GRID, GRID), np.uint16)
        counts[0] = self._counts.reshape(2, GRID, GRID)
        raw, kept = np.zeros((2, n), np.int64)
        raw[0], kept[0] = self._raw, self._kept
        start_us = self._start_us + np.arange(n, dtype=np.int64) * self._window_us
        self._start_us += n * self._window_us
        self._empty_window()
        return Frames(counts, start_us, raw, kept)

    def _empty_window(self) -> None:
        self._counts.fill(0)
        self._raw = self._kept = 0


def _joined(parts: list[Frames]) -> Frames:
    """One Frames of all."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        none = np.empty(0, np.int64)
        return Frames(np.empty((0, 2, GRID, GRID), np.uint16), none, none, none)
    return Frames(
        np.concatenate([part.counts for part in parts]),
        np.concatenate([part.start_us for part in parts]),
        np.concatenate([part.raw for part in parts]),
        np.concatenate([part.kept for part in parts]),
        sum(part.skipped_us for part in parts),
    )


def frames_of(events: Events, width: int, height: int, settings: FilterSettings = _DEFAULT_FILTERS, window_us: int = WINDOW_US) -> Frames:
    """All frames of a whole recording, through the same door, filters and pooling as live events."""
    framer = Framer(width, height, settings, window_us)
    good, *_ = Door(width, height).check(events)
    return _joined([framer.process(good), framer.flush()])


def warm() -> None:
    """Compile the loops of door and frames, or load them from numba's cache, so that the first live packet does not wait for it."""
    for settings in (NO_FILTERS, _DEFAULT_FILTERS):
        frames_of(empty_events(), 2, 2, settings)
    outside = np.zeros(2, EVENT_DTYPE)
    outside["x"] = 2, 0
    frames_of(outside, 2, 2)
