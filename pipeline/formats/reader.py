"""What the readers of recordings have in common: a file of packets that are decoded one at a time, from any place in it.

A reader indexes its file when it is opened, without keeping an event in memory, and then decodes packet by packet. A subclass says where
the packets are and how one is decoded; going through them, finding a time among them, and the errors of the file system are here.
"""

import os
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np

from pipeline.errors import UserError
from pipeline.events import Events

MARK = b"#!AER-DAT"
"""With this begins every AEDAT recording from version 2.0 on; the version follows."""


class Reader:
    """The events of one recording.

    Raises UserError where the file cannot be opened or read, is of another kind, or has no events of a camera. Events are delivered as they
    are in the file, x to the right and y down from the upper left corner: `pipeline.door` checks coordinates and times.
    """

    format = ""
    """The format's name, for people."""
    width: int
    height: int
    source: str
    """The camera, as the file names it; may be empty."""
    start_us: int
    """Sensor time of the first event; 0 where there is none."""
    end_us: int
    """Sensor time of the last event."""
    event_count: int | None
    """Events in the recording, where it is known without reading it, or once `packets()` has gone through it (then the intact ones)."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file = open_binary(self.path)
        self.start_us = self.end_us = 0
        self.event_count = None
        try:
            self._index()
            self._find_ends()
        except OSError as error:
            self._file.close()
            raise unreadable(self.path, error) from error
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
        raise NotImplementedError

    def packets(self, from_us: int | None = None) -> Iterator[Events]:
        """The packets of the recording, from the first event at or after `from_us` (sensor time) on; each its own memory, writable.

        Raises UserError where the file can no longer be read (a drive pulled out).
        """
        first = 0 if from_us is None else self._packet_at(from_us)
        counted = 0
        for index in range(first, self._packet_count()):
            events = self._decoded(index)
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

    def _index(self) -> None:
        """Read the header and find the packets; sets width, height and source. May raise OSError."""
        raise NotImplementedError

    def _packet_count(self) -> int:
        """Packets that were found."""
        raise NotImplementedError

    def _decode(self, index: int) -> Events | None:
        """The events of a packet, None if it is damaged. May raise OSError, and ValueError once the file is closed."""
        raise NotImplementedError

    def _decoded(self, index: int) -> Events | None:
        try:
            return self._decode(index)
        except (OSError, ValueError) as error:
            raise unreadable(self.path, error) from error

    def _packet_at(self, time_us: int) -> int:
        """The packet to start with for events from `time_us` on; halves the file, reads about 20 packets."""
        starts = _Starts(self)
        return max(0, bisect_right(starts, time_us - 1, key=lambda start: start) - 1)

    def _find_ends(self) -> None:
        """Sensor time of the first and last event, from the first and last packet that are intact and not empty."""
        indices = range(self._packet_count())
        for index in indices:
            first = self._decoded(index)
            if first is not None and len(first):
                self.start_us = self.end_us = int(first["timestamp"][0])
                break
        for index in reversed(indices):
            last = self._decoded(index)
            if last is not None and len(last):
                self.end_us = max(self.start_us, int(last["timestamp"][-1]))
                break


class _Starts:
    """First timestamps of a reader's packets, read when asked for; a packet that cannot be read counts as the one before it."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __len__(self) -> int:
        return self._reader._packet_count()

    def __getitem__(self, index: int) -> int:
        for earlier in range(index, -1, -1):
            events = self._reader._decoded(earlier)
            if events is not None and len(events):
                return int(events["timestamp"][0])
        return self._reader.start_us


def open_binary(path: Path) -> BinaryIO:
    """`path` opened for reading; UserError if that fails."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise UserError(f"There is no file {path}: check the path.") from None
    except IsADirectoryError:
        raise UserError(f"{path} is a folder: name a recording in it.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> UserError:
    """The sentence for a file that the system does not let us read."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return UserError(f"{path} cannot be read ({reason}): check its permissions and the drive.")


def foreign(name: str, start: bytes, wanted: str) -> UserError:
    """The sentence for a file called `name` that begins with `start` and is not of the format `wanted`."""
    if not start:
        return UserError(f"{name} is empty: nothing was recorded in it.")
    if start.startswith(MARK):
        version = start[len(MARK) : len(MARK) + 3].decode("ascii", "replace")
        advice = "Egret plays AEDAT 2.0, 3.1 and 4; save it as one of these with the program that made it."
        return UserError(f"{name} is an AEDAT {version} recording: {advice}")
    return UserError(f"{name} is not an {wanted} recording, whatever its name says: give a file that dv, jAER or Egret recorded.")
