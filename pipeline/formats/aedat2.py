"""AEDAT 2.0 recordings, as jAER writes them: `Aedat2Reader`.

A text header, then records of 8 bytes, big endian: an address and a time stamp in microseconds, 32 bits each
(https://docs.inivation.com/software/software-advanced-usage/file-formats/aedat-2.0.html). What the bits of an address mean depends on the
camera, which the header line ``AEChip`` names; recordings from before 2014 have no such line and are nearly always of a DVS128:

    DVS128   bit 15 set: external event, left out.  Else y = bits 8-14, x = bits 1-7, and bit 0 is 0 for ON
    DAVIS    bit 31 set: picture or motion sensor; bit 10 set: external event; both left out.
             Else y = bits 22-30, x = bits 12-21, and bit 11 is 1 for ON

The address counts x from the right (jAER's extractors and libcaer both take size - 1 - x) and y from the bottom: the documents above put
(0, 0) in the lower left corner, and libcaer turns y round to deliver a DVS128's events from the top. So does this reader: a DVS128 gives
the same picture live, from AEDAT 3.1 and from here. (`tests/pipeline/formats/test_aedat2.py` sees it in a real pendulum, whose bob is
lowest in the middle of its swing.)

The time stamp wraps after 71.6 minutes. Times are made whole by adding up the steps between records, each taken as the nearest one
modulo 2^32, so that neither the wrap nor a single stamp out of order costs anything. The index of a file holds the time before each block
of records, so a block is decoded alone.
"""

import errno
import os
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.errors import UserError
from pipeline.events import EVENT_DTYPE, Events
from pipeline.formats.cameras import SIZES, camera_in, read_header
from pipeline.formats.reader import Reader, foreign

VERSION_LINE = b"#!AER-DAT2.0"
RECORD = 8
BLOCK = 1 << 15
"""Records that are decoded at a time: 256 kB."""

_FOREIGN_SHARE = 0.01
"""A file that names no camera is not of a DVS128 if more of its first addresses than this have bits that a DVS128 never sets."""

Words = npt.NDArray[np.uint32]
Times = npt.NDArray[np.int64]


class _Address(NamedTuple):
    """How a camera lays out an address."""

    mask: int
    """Bits that are zero in the address of an event of a pixel."""
    foreign: int
    """Bits that no address of this camera has set: damage, or another camera."""
    x: tuple[int, int]
    """Shift and mask of the column, from the right."""
    y: tuple[int, int]
    """Shift and mask of the row, from the bottom."""
    polarity: int
    """Which bit is the polarity."""
    on: int
    """Value of that bit for ON."""


_DVS128 = _Address(0xFFFF8000, 0xFFFF0000, (1, 0x7F), (8, 0x7F), 0, 0)
_DAVIS = _Address(1 << 31 | 1 << 10, 0, (12, 0x3FF), (22, 0x1FF), 11, 1)


class Aedat2Reader(Reader):
    """The polarity events of an AEDAT 2.0 recording of a DVS128 or a DAVIS."""

    format = "AEDAT 2.0"

    def _index(self) -> None:
        name = self.path.name
        start = self._file.read(len(VERSION_LINE))
        if start != VERSION_LINE:
            raise foreign(name, start, self.format)
        lines = read_header(self._file, name)
        self._begin = self._file.tell()
        size = self._file.seek(0, os.SEEK_END) - self._begin
        self._records, self._rest = divmod(size, RECORD)
        self.source, camera = self._camera(lines)
        self.width, self.height = SIZES[camera]
        self._address = _DVS128 if camera == "dvs128" else _DAVIS
        self._find_times()

    @property
    def recovered(self) -> str:
        """A sentence about what is missing of the recording; empty if it is whole."""
        if self._unknown:
            which = "1 record is not of its camera and was" if self._unknown == 1 else f"{self._unknown:,} are not of its camera and were"
            return f"{self.path.name} is damaged: {which} left out."
        if self._rest:
            return f"{self.path.name} is cut off: everything before the cut was kept."
        return ""

    def _camera(self, lines: list[str]) -> tuple[str, str]:
        """(the camera as the header names it, its key in SIZES)."""
        named = next((line.rpartition(".")[2].strip() for line in lines if "AEChip:" in line), "")
        if named:
            camera = camera_in(named)
            if not camera or camera.startswith("dvx"):
                raise UserError(f"{self.path.name} is of a {named[:80]}: Egret reads AEDAT 2.0 of the DVS128 and DAVIS cameras only.")
            return named, camera
        words = self._read(0)
        if len(words) and np.mean(words[:, 0] & _DVS128.foreign != 0) > _FOREIGN_SHARE:
            raise UserError(f"{self.path.name} names no camera in its header and is not of a DVS128: save it as AEDAT 4 with jAER or dv.")
        return "DVS128", "dvs128"

    def _find_times(self) -> None:
        """Go through the file once: the time before every block, events, records that make no sense."""
        self.event_count = self._unknown = 0
        self._before: list[tuple[int, int]] = []
        stamp = time = 0
        for index in range(self._packet_count()):
            words = self._read(index)
            if index == 0:
                stamp = time = int(words[0, 1])
            self._before.append((stamp, time))
            stamp, time = int(words[-1, 1]), int(_times(words[:, 1], stamp, time)[-1])
            self.event_count += int(np.count_nonzero(words[:, 0] & self._address.mask == 0))
            self._unknown += int(np.count_nonzero(words[:, 0] & self._address.foreign))

    def _packet_count(self) -> int:
        return -(-self._records // BLOCK)

    def _read(self, index: int) -> Words:
        """The records of a block, [n, 2]: address, time stamp."""
        self._file.seek(self._begin + index * BLOCK * RECORD)
        size = min(BLOCK, self._records - index * BLOCK) * RECORD
        data = self._file.read(size)
        if len(data) < size:
            raise OSError(errno.EIO, "it became shorter while it was read")
        return np.frombuffer(data, ">u4").reshape(-1, 2).astype(np.uint32)

    def _decode(self, index: int) -> Events | None:
        words = self._read(index)
        layout, address = self._address, words[:, 0]
        pixels = address & layout.mask == 0
        address = address[pixels]
        events = np.zeros(len(address), EVENT_DTYPE)
        events["timestamp"] = _times(words[:, 1], *self._before[index])[pixels]
        events["x"] = self.width - 1 - _bits(address, *layout.x)
        events["y"] = self.height - 1 - _bits(address, *layout.y)
        events["polarity"] = _bits(address, layout.polarity, 1) == layout.on
        return events


def _bits(address: Words, shift: int, mask: int) -> npt.NDArray[np.int16]:
    return (address >> shift & mask).astype(np.int16)


def _times(stamps: npt.NDArray[Any], stamp: int, time: int) -> Times:
    """Times in microseconds of the 32-bit `stamps` that follow a record with the stamp `stamp` at `time`."""
    steps = np.diff(stamps, prepend=np.uint32(stamp)).view(np.int32)
    return time + np.cumsum(steps, dtype=np.int64)
