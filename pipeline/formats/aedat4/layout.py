"""Where the packets of a recording lie: from its table, or by walking the file and finding the way back after damage.

The table at the end is believed only if its packets lie in the file without a gap from the header to the table, and none that it gives
to another stream says itself that it is of ours; a bit flipped in it then cannot cost an intact packet. Otherwise the packets are walked
from header to header. Where a header makes no sense (its payload does not begin like a packet), the next place that does is searched,
and what lies between counts as damaged.
"""

import os
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from pipeline.formats.aedat4.container import (
    MAX_PACKET,
    MAX_TABLE,
    PACKET_HEADER,
    Damaged,
    Header,
    decompress,
    parse_table,
)

_PEEK = PACKET_HEADER.size + 12
_MAGICS = (b"\x04\x22\x4d\x18", b"\x28\xb5\x2f\xfd")
_CHUNK = 1 << 20


@dataclass(slots=True)
class Layout:
    """Packets of one stream, in the order of the file."""

    offset: npt.NDArray[np.int64]
    size: npt.NDArray[np.int64]
    elements: int | None
    """Events in all packets, where the table says so."""
    whole: bool
    """The file was closed, and nothing of it is missing."""
    gaps: list[int] = field(default_factory=list)
    """Positions in the file where something other than a packet lay."""


def find_packets(file: BinaryIO, header: Header, begin: int, stream: int) -> Layout:
    """The packets of `stream` in a file whose header ends at `begin`. Raises OSError as the file does."""
    end = file.seek(0, os.SEEK_END)
    return _from_table(file, header.table_position, begin, end, stream) or _Walk(file, begin, end).packets(stream)


def _from_table(file: BinaryIO, position: int, begin: int, end: int, stream: int) -> Layout | None:
    if not begin <= position < end or end - position > MAX_TABLE:
        return None
    try:
        file.seek(position)
        table = parse_table(decompress(file.read(end - position), MAX_TABLE))
    except Damaged:
        return None
    starts = table.offset - PACKET_HEADER.size
    ends = np.concatenate(([begin], table.offset + table.size))
    if (table.size < 0).any() or not np.array_equal(np.append(starts, position), ends):
        return None
    ours = table.stream == stream
    if any(_stream_at(file, start) == stream for start in starts[~ours].tolist()):
        return None
    return Layout(table.offset[ours], table.size[ours], int(table.elements[ours].sum()), whole=True)


def _stream_at(file: BinaryIO, position: int) -> int:
    """The stream that the packet at `position` says it is of."""
    file.seek(position)
    data = file.read(PACKET_HEADER.size)
    return int(PACKET_HEADER.unpack(data)[0]) if len(data) == PACKET_HEADER.size else -1


class _Walk:
    """One walk over the packets of a file without a table that can be believed."""

    def __init__(self, file: BinaryIO, begin: int, end: int) -> None:
        self.file = file
        self.begin = begin
        self.end = end

    def packets(self, stream: int) -> Layout:
        """All packets of `stream` that can be found."""
        found: list[tuple[int, int, int]] = []  # stream, offset, size
        gaps: list[int] = []
        position = self.begin
        while position < self.end:
            header = self._header_at(position)
            if header is None:
                gaps.append(position)
                # the size in the previous header may be what is damaged, so look from its payload on
                previous = found[-1][1] if found else self.begin
                following = self._search(previous)
                if following is None:
                    break
                if found and following < position:
                    found[-1] = (found[-1][0], previous, following - previous)
                position = following
                header = self._header_at(position)
                assert header is not None
            found.append((header[0], position + PACKET_HEADER.size, header[1]))
            position += PACKET_HEADER.size + header[1]
        ours = np.array([(offset, size) for id_, offset, size in found if id_ == stream], np.int64).reshape(-1, 2)
        return Layout(ours[:, 0], ours[:, 1], None, whole=False, gaps=gaps)

    def _header_at(self, position: int) -> tuple[int, int] | None:
        """(stream, size) if a packet may begin at `position`: its size fits, and its payload begins as a payload does."""
        self.file.seek(position)
        data = self.file.read(_PEEK)
        if len(data) < PACKET_HEADER.size + 4:
            return None
        stream, size = PACKET_HEADER.unpack_from(data)
        if stream < 0 or not 4 <= size <= min(MAX_PACKET, self.end - position - PACKET_HEADER.size):
            return None
        payload = data[PACKET_HEADER.size :]
        plain = int.from_bytes(payload[:4], "little") + 4 <= size and payload[8:12].isalnum()
        return (stream, size) if plain or payload[:4] in _MAGICS else None

    def _search(self, position: int) -> int | None:
        """The next position after `position` at which a packet may begin, by the marks of a payload."""
        overlap = _PEEK
        while position < self.end:
            self.file.seek(position)
            data = self.file.read(_CHUNK + overlap)
            for mark in sorted(_marks(data)):
                candidate = position + mark
                if candidate >= self.begin and self._header_at(candidate) is not None:
                    return candidate
            position += _CHUNK
        return None


def _marks(data: bytes) -> set[int]:
    """Where packets may begin in `data`, if their payloads do: 8 bytes before a frame's magic, 16 before an identifier."""
    marks = set()
    for mark, before in ((_MAGICS[0], 8), (_MAGICS[1], 8), (b"EVTS", 16)):
        at = data.find(mark)
        while at >= 0:
            if at >= before:
                marks.add(at - before)
            at = data.find(mark, at + 1)
    return marks
