"""AEDAT 3.1 recordings, as cAER writes them and as the DVS128 Gesture data set comes: `Aedat3Reader`.

A text header, then packets, little endian: a header of 28 bytes (type, source, size of an event, offset of its time stamp in it, overflow
counter of the time stamps, events that the packet has room for, events in it, valid events) and the events
(https://docs.inivation.com/software/software-advanced-usage/file-formats/aedat-3.1.html). A polarity event is two words of 32 bits:

    data       bit 0 valid, bit 1 polarity (1 = ON), bits 2-16 y, bits 17-31 x; (0, 0) is the upper left corner
    timestamp  31 bits of microseconds; the packet's overflow counter has the bits above them

Packets of other types are skipped. There are neither check sums nor marks between packets, so a header is believed if its numbers fit each
other and the file. After one that does not, the next header of a polarity packet is searched by the numbers that are the same in all of
them, and what lies between counts as damaged.
"""

import os
import struct
from typing import NamedTuple

import numpy as np

from pipeline.errors import UserError
from pipeline.events import EVENT_DTYPE, Events
from pipeline.formats.cameras import SIZES, camera_in, read_header
from pipeline.formats.reader import Reader, foreign

VERSION_LINE = b"#!AER-DAT3.1"
HEADER = struct.Struct("<HHIIIIII")
"""Type, source, event size, time stamp offset, time stamp overflow, capacity, number, valid."""
POLARITY = 1
EVENT = 8
"""Bytes of a polarity event."""
PIECE = 1 << 16
"""Events that are decoded at a time; a larger packet is taken in pieces, so that no packet asks for more memory than this."""

_MAX_EVENT = 1 << 26
"""Bytes of the largest event that is believed, a camera's frame."""
_LARGEST = 1 << 31
_SAME = struct.pack("<II", EVENT, 4)
"""Event size and time stamp offset of every polarity packet, 4 bytes after its begin."""
_FIRST_CHUNK, _CHUNK = 1 << 12, 1 << 20
"""Bytes that are searched at a time, at first and at most: rubbish that looks like headers everywhere must not be read over and over."""


class _Packet(NamedTuple):
    """The header of a packet at `begin`."""

    begin: int
    type: int
    source: int
    overflow: int
    room: int
    """Bytes that follow the header."""
    number: int

    @property
    def payload(self) -> int:
        """Where the events begin."""
        return self.begin + HEADER.size


class _Piece(NamedTuple):
    """Polarity events in the file."""

    offset: int
    number: int
    overflow: int


class Aedat3Reader(Reader):
    """The polarity events of an AEDAT 3.1 recording; of the first camera whose size is known, where the file has several sources.

    Where no packet has that camera's number, all sources are taken: programs that change events number them anew.
    """

    format = "AEDAT 3.1"

    def _index(self) -> None:
        name = self.path.name
        start = self._file.read(len(VERSION_LINE))
        if start != VERSION_LINE:
            raise foreign(name, start, self.format)
        lines = read_header(self._file, name)
        if any(line.startswith("#Format:") and line.partition(":")[2].strip() != "RAW" for line in lines):
            raise UserError(f"{name} is a compressed AEDAT 3.1 recording: save it as AEDAT 4 with the program that made it.")
        self._gaps: list[int] = []
        self._cut = False
        begin = self._file.tell()
        self._end = self._file.seek(0, os.SEEK_END)
        found = [packet for packet in self._walk(begin) if packet.type == POLARITY]
        self.source, camera, wanted = _camera(lines)
        self._pieces = [
            _Piece(packet.payload + first * EVENT, min(PIECE, packet.number - first), packet.overflow)
            for packet in [packet for packet in found if packet.source == wanted] or found
            for first in range(0, packet.number, PIECE)
        ]
        self.width, self.height = SIZES[camera] if camera else self._size_of_events()

    @property
    def recovered(self) -> str:
        """A sentence about what is missing of the recording; empty if it is whole."""
        places = len(self._gaps)
        if places:
            return f"{self.path.name} is damaged in {places} place{'s' if places > 1 else ''}: what is intact was kept, the rest left out."
        return f"{self.path.name} is cut off: everything before the cut was kept." if self._cut else ""

    def _walk(self, position: int) -> list[_Packet]:
        """The packets from `position` to the end of the file."""
        found: list[_Packet] = []
        while position < self._end:
            packet = self._packet_from(position)
            if packet is None or packet.payload + packet.room > self._end:
                # the room given in the previous header may be what is damaged, so look from its events on
                previous = found[-1] if packet is None and found else None
                following = self._search(previous.payload if previous else position + 1)
                if following is None:
                    self._cut = True
                    if packet is not None:
                        found.append(self._shortened(packet, self._end))
                    return found
                self._gaps.append(position)
                if previous is not None and following < position:
                    found[-1] = self._shortened(previous, following)
                elif packet is not None:
                    found.append(self._shortened(packet, following))
                position = following
                continue
            found.append(packet)
            position = packet.payload + packet.room
        return found

    @staticmethod
    def _shortened(packet: _Packet, end: int) -> _Packet:
        """`packet` with the whole events that lie before `end`."""
        size = EVENT if packet.type == POLARITY else 1
        return packet._replace(number=max(0, min(packet.number, (end - packet.payload) // size)), room=end - packet.payload)

    def _packet_from(self, position: int) -> _Packet | None:
        """The packet whose header lies at `position`, if it makes sense; it may reach beyond the end of the file."""
        self._file.seek(position)
        data = self._file.read(HEADER.size)
        if len(data) < HEADER.size:
            return None
        kind, source, size, offset, overflow, capacity, number, valid = HEADER.unpack(data)
        fits = valid <= number <= capacity and overflow < _LARGEST and offset < size <= _MAX_EVENT and kind < 1 << 15
        polarity = kind != POLARITY or (size, offset) == (EVENT, 4)
        if not fits or not polarity or capacity * size >= _LARGEST:
            return None
        return _Packet(position, kind, source, overflow, capacity * size, number)

    def _search(self, position: int) -> int | None:
        """The next place from `position` on where a polarity packet may begin."""
        chunk = _FIRST_CHUNK
        while position < self._end:
            self._file.seek(position)
            data = self._file.read(chunk + HEADER.size)
            at = data.find(_SAME, 4)
            while 0 <= at < chunk + 4:
                if data[at - 4 : at - 2] == b"\x01\x00" and self._packet_from(position + at - 4) is not None:
                    return position + at - 4
                at = data.find(_SAME, at + 1)
            position += chunk
            chunk = min(2 * chunk, _CHUNK)
        return None

    def _packet_count(self) -> int:
        return len(self._pieces)

    def _decode(self, index: int) -> Events | None:
        piece = self._pieces[index]
        self._file.seek(piece.offset)
        data = self._file.read(piece.number * EVENT)
        words = np.frombuffer(data, "<u4", len(data) // EVENT * 2).reshape(-1, 2)
        words = words[words[:, 0] & 1 == 1]
        events = np.zeros(len(words), EVENT_DTYPE)
        events["timestamp"] = words[:, 1].astype(np.int32).astype(np.int64) + (piece.overflow << 31)
        events["x"] = words[:, 0] >> 17
        events["y"] = words[:, 0] >> 2 & 0x7FFF
        events["polarity"] = words[:, 0] >> 1 & 1
        return events

    def _size_of_events(self) -> tuple[int, int]:
        """The smallest known sensor that all events lie in; their own extent if they lie in none."""
        widest = highest = 0
        for index in range(self._packet_count()):
            events = self._decode(index)
            if events is not None and len(events):
                widest, highest = max(widest, int(events["x"].max())), max(highest, int(events["y"].max()))
        known = (size for size in SIZES.values() if widest < size[0] and highest < size[1])
        return next(known, (widest + 1, highest + 1))


def _camera(lines: list[str]) -> tuple[str, str, int | None]:
    """(the camera as the header names it, its key in SIZES, its source number) of the first source that is a camera.

    A file that was recorded anew from another has the old sources with a minus before them; then the number is not that of the packets.
    """
    for mark in ("#Source ", "#-Source "):
        for line in lines:
            number, colon, text = line.removeprefix(mark).partition(":")
            if line.startswith(mark) and colon and (camera := camera_in(text)):
                direct = mark == "#Source " and number.strip().isdecimal() and len(number) < 8
                return text.strip(), camera, int(number) if direct else None
    return "", "", None
