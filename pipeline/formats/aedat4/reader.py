"""Reading AEDAT 4 recordings, damaged ones too: whatever is intact is played, and `Aedat4Reader.recovered` says what was not."""

import os
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np

from pipeline.errors import UserError
from pipeline.events import Events
from pipeline.formats.aedat4.container import MAX_HEADER, VERSION_LINE, Damaged, Header, decompress, parse_header, unpack_events
from pipeline.formats.aedat4.layout import find_packets


class Aedat4Reader:
    """The events of an AEDAT 4 recording (its first event stream; other streams are skipped, whatever they are).

    Raises UserError where the file cannot be opened, is of another kind, or has no event stream. Events are delivered as they are in
    the file: `pipeline.door` checks coordinates and times.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file = _open(self.path)
        try:
            header, begin = self._read_header()
            stream = header.event_stream()
            if stream is None:
                kinds = ", ".join(sorted({s.type for s in header.streams if s.type})) or "no stream at all"
                raise UserError(f"{self.path.name} holds no event stream (it holds {kinds}): record the camera's events.")
            self.width, self.height, self.source = stream.width, stream.height, stream.source
            self._layout = find_packets(self._file, header, begin, stream.id)
            self._closed_by_writer = header.table_position >= 0
            self._damaged: set[int] = set()
            self.event_count: int | None = self._layout.elements
            """Events in the recording: from its table, or once `packets()` has gone through it (then only the intact ones)."""
            self._find_ends()
        except OSError as error:
            self._file.close()
            raise _unreadable(self.path, error) from error
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def duration_us(self) -> int:
        """From the first event to the last."""
        return max(0, self.end_us - self.start_us)

    @property
    def recovered(self) -> str:
        """A sentence about what is missing of the recording, as far as it is known yet; empty if it is whole."""
        damaged = len(self._damaged)
        gaps = len(self._layout.gaps)
        if self._layout.whole and not damaged:
            return ""
        if damaged or gaps > 1 or (gaps and not self._ends_in_gap()):
            places = max(damaged, gaps)
            return f"{self.path.name} is damaged in {places} place{'s' if places > 1 else ''}: what is intact was kept, the rest left out."
        if self._closed_by_writer or gaps:
            return f"{self.path.name} is cut off: everything before the cut was kept."
        return f"{self.path.name} was never closed by the program that recorded it: its end may be missing."

    def _ends_in_gap(self) -> bool:
        """The only gap is behind the last packet: the file was cut, not damaged."""
        offset, size = self._layout.offset, self._layout.size
        return not len(offset) or self._layout.gaps[-1] >= offset[-1] + size[-1]

    def packets(self, from_us: int | None = None) -> Iterator[Events]:
        """The packets of the recording, from the first event at or after `from_us` (sensor time) on; each its own memory, writable.

        Raises UserError where the file can no longer be read (a drive pulled out).
        """
        first = 0 if from_us is None else self._packet_at(from_us)
        counted = 0
        for index in range(first, len(self._layout.offset)):
            events = self._decode(index)
            if events is None:
                continue
            counted += len(events)
            if from_us is not None:
                later = np.flatnonzero(events["timestamp"] >= from_us)
                if not len(later):
                    continue
                events = events[later[0] :]
                from_us = None
            if len(events):
                yield events
        if first == 0:
            self.event_count = counted

    def _packet_at(self, time_us: int) -> int:
        """The packet to start with for events from `time_us` on; halves the file, reads about 20 packets."""
        starts = _Starts(self)
        return max(0, bisect_right(starts, time_us - 1, key=lambda start: start) - 1)

    def _decode(self, index: int) -> Events | None:
        """The events of a packet, None if it is damaged."""
        try:
            self._file.seek(int(self._layout.offset[index]))
            events = unpack_events(decompress(self._file.read(int(self._layout.size[index]))))
        except Damaged:
            self._damaged.add(index)
            return None
        except (OSError, ValueError) as error:  # ValueError: closed under us
            raise _unreadable(self.path, error) from error
        return events

    def _find_ends(self) -> None:
        """Sensor time of the first and last event, from the first and last packet that are intact and not empty."""
        self.start_us = self.end_us = 0
        indices = range(len(self._layout.offset))
        for index in indices:
            first = self._decode(index)
            if first is not None and len(first):
                self.start_us = self.end_us = int(first["timestamp"][0])
                break
        for index in reversed(indices):
            last = self._decode(index)
            if last is not None and len(last):
                self.end_us = max(self.start_us, int(last["timestamp"][-1]))
                break

    def _read_header(self) -> tuple[Header, int]:
        """The header and where it ends."""
        name = self.path.name
        start = self._file.read(len(VERSION_LINE) + 4)
        if not start:
            raise UserError(f"{name} is empty: nothing was recorded in it.")
        if not start.startswith(VERSION_LINE):
            raise UserError(_foreign(name, start))
        size = int.from_bytes(start[len(VERSION_LINE) :], "little")
        if len(start) < len(VERSION_LINE) + 4 or size > MAX_HEADER:
            raise UserError(f"The header of {name} is damaged: nothing in it can be read.")
        data = self._file.read(size)
        try:
            if len(data) < size:
                raise Damaged("cut off")
            return parse_header(data), len(start) + size
        except Damaged as error:
            raise UserError(f"The header of {name} is damaged or cut off: nothing in it can be read.") from error


class _Starts:
    """First timestamps of a reader's packets, read when asked for; a packet that cannot be read counts as the one before it."""

    def __init__(self, reader: Aedat4Reader) -> None:
        self._reader = reader

    def __len__(self) -> int:
        return len(self._reader._layout.offset)

    def __getitem__(self, index: int) -> int:
        for earlier in range(index, -1, -1):
            events = self._reader._decode(earlier)
            if events is not None and len(events):
                return int(events["timestamp"][0])
        return self._reader.start_us


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise UserError(f"There is no file {path}: check the path.") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder: name a recording in it.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> UserError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return UserError(f"{path} cannot be read ({reason}): check its permissions and the drive.")


def _foreign(name: str, start: bytes) -> str:
    if start.startswith(b"#!AER-DAT"):
        version = start[9:12].decode("ascii", "replace")
        return f"{name} is an AEDAT {version} recording: Egret plays AEDAT 4; save it as AEDAT 4 with the program that made it."
    return f"{name} is not an AEDAT 4 recording, whatever its name says: give a file that dv or Egret recorded."
