"""Writing AEDAT 4 recordings so that nothing already written can be lost.

Packets are appended and never touched again; the table follows when the file is closed, and only then does the header point to it. A
recording that is killed, or whose disk is full, is therefore a good unclosed recording (dv-processing, `aedat` and `Aedat4Reader` read
it) that lacks at most the packet that was being collected: `PACKET_US` of sensor time.
"""

import contextlib
import errno
import os
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from pipeline.errors import UserError
from pipeline.events import EVENT_DTYPE, Events, join_events
from pipeline.formats.aedat4.container import (
    PACKET_HEADER,
    VERSION_LINE,
    Compression,
    Table,
    build_header,
    build_table,
    compress,
    pack_events,
)

PACKET_US = 10_000
"""Events are collected for this long in sensor time: smaller packets compress badly."""
PACKET_EVENTS = 65_536
"""And never more than this: a packet is the grain of seeking and of damage."""


class Aedat4Writer:
    """A new AEDAT 4 recording with one event stream. Close it, or use it in a `with` block.

    `compression` is a name of `Compression` in small letters; ZSTD is the smallest that keeps up with a camera. Raises UserError if the
    file exists already (unless `overwrite`), or cannot be made.
    """

    def __init__(
        self, path: str | os.PathLike[str], width: int, height: int, source: str, compression: str = "zstd", *, overwrite: bool = False
    ) -> None:
        try:
            self._compression = Compression[compression.upper()]
        except KeyError:
            raise UserError(
                f"There is no compression {compression!r}: use one of {', '.join(c.name.lower() for c in Compression)}."
            ) from None
        self.path = Path(path)
        self.width, self.height = width, height
        self.events = 0
        """Events given to `write` so far."""
        self.bytes = 0
        """Bytes in the file so far."""
        self._pending: list[Events] = []
        self._pending_events = 0
        self._last_us: int | None = None
        self._rows: list[tuple[int, int, int, int, int]] = []  # offset, size, elements, start, end
        self._written = 0
        header, table_field = build_header(width, height, source, self._compression)
        self._table_field = len(VERSION_LINE) + table_field
        self._file = self._create(overwrite)
        try:
            self._append(VERSION_LINE + header)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def write(self, events: Events) -> None:
        """Append events; their times must not go backwards and they must lie on the sensor (ValueError: they did not pass the door).

        Raises UserError where the disk is full or gone; everything written before stays readable, and the recording takes no more.
        """
        if self._file.closed:
            raise ValueError("the recording is closed")
        if not len(events):
            return
        self._check(events)
        self.events += len(events)
        while len(events):
            begin = self._pending[0]["timestamp"][0] if self._pending else events["timestamp"][0]
            room = min(int(np.searchsorted(events["timestamp"], begin + PACKET_US)), PACKET_EVENTS - self._pending_events)
            if room:
                self._pending.append(events[:room].view("V16").copy().view(EVENT_DTYPE))
                self._pending_events += room
            events = events[room:]
            if len(events):
                self.flush()

    def _check(self, events: Events) -> None:
        times = events["timestamp"]
        if (self._last_us is not None and times[0] < self._last_us) or (times[1:] < times[:-1]).any():
            raise ValueError("events go backwards in time")
        x, y = events["x"], events["y"]
        if x.min() < 0 or x.max() >= self.width or y.min() < 0 or y.max() >= self.height:
            raise ValueError(f"events outside the {self.width}x{self.height} sensor")
        self._last_us = int(times[-1])

    def flush(self) -> None:
        """Write the collected events as a packet. Raises UserError as `write` does."""
        if not self._pending:
            return
        events = join_events(self._pending)
        self._pending.clear()
        self._pending_events = 0
        payload = compress(pack_events(events), self._compression)
        offset = self.bytes + PACKET_HEADER.size
        self._append(PACKET_HEADER.pack(0, len(payload)) + payload)
        self._rows.append((offset, len(payload), len(events), int(events["timestamp"][0]), int(events["timestamp"][-1])))
        self._written += len(events)

    def close(self) -> None:
        """Write what is collected and the table, and make both safe on the disk. Raises UserError as `write` does; may be called twice."""
        if self._file.closed:
            return
        with self._file:
            self.flush()
            position = self.bytes
            rows = np.array(self._rows, np.int64).reshape(-1, 5)
            table = Table(np.zeros(len(rows), np.int64), *rows.T)
            self._append(compress(build_table(table), self._compression))
            try:
                os.fsync(self._file.fileno())
                os.pwrite(self._file.fileno(), position.to_bytes(8, "little"), self._table_field)
                os.fsync(self._file.fileno())
            except OSError as error:
                raise self._failed(error) from error

    def _create(self, overwrite: bool) -> FileIO:
        try:
            return FileIO(self.path, "w" if overwrite else "x")
        except FileExistsError:
            raise UserError(f"{self.path} exists already: choose another name.") from None
        except FileNotFoundError:
            raise UserError(f"There is no folder {self.path.parent}: make it first, or choose another place.") from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise UserError(f"{self.path} cannot be written ({reason}): choose another place.") from error

    def _append(self, data: bytes) -> None:
        """All of `data` at the end of the file, or nothing of it and a UserError."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file.fileno(), view) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file.fileno(), self.bytes)
            self._file.close()
            raise self._failed(error) from error
        self.bytes += len(data)

    def _failed(self, error: OSError) -> UserError:
        kept = f"the {self._written} events written before are safe in {self.path}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return UserError(f"The disk is full: {kept}; make room and record under another name.")
        return UserError(f"Writing stopped ({error.strerror}): {kept}; check the drive and record under another name.")
