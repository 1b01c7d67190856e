"""Reading AEDAT 4 recordings, damaged ones too: whatever is intact is played, and `Aedat4Reader.recovered` says what was not."""

from pipeline.errors import UserError
from pipeline.events import Events
from pipeline.formats.aedat4.container import MAX_HEADER, VERSION_LINE, Damaged, Header, decompress, parse_header, unpack_events
from pipeline.formats.aedat4.layout import find_packets
from pipeline.formats.reader import Reader, foreign


class Aedat4Reader(Reader):
    """The events of an AEDAT 4 recording: its first event stream; other streams are skipped, whatever they are."""

    format = "AEDAT 4"

    def _index(self) -> None:
        header, begin = self._read_header()
        stream = header.event_stream()
        if stream is None:
            kinds = ", ".join(sorted({s.type for s in header.streams if s.type})) or "no stream at all"
            raise UserError(f"{self.path.name} holds no event stream (it holds {kinds}): record the camera's events.")
        self.width, self.height, self.source = stream.width, stream.height, stream.source
        self._layout = find_packets(self._file, header, begin, stream.id)
        self._closed_by_writer = header.table_position >= 0
        self._damaged: set[int] = set()
        self.event_count = self._layout.elements

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

    def _packet_count(self) -> int:
        return len(self._layout.offset)

    def _decode(self, index: int) -> Events | None:
        self._file.seek(int(self._layout.offset[index]))
        data = self._file.read(int(self._layout.size[index]))
        try:
            return unpack_events(decompress(data))
        except Damaged:
            self._damaged.add(index)
            return None

    def _read_header(self) -> tuple[Header, int]:
        """The header and where it ends."""
        name = self.path.name
        start = self._file.read(len(VERSION_LINE) + 4)
        if not start.startswith(VERSION_LINE):
            raise foreign(name, start, self.format)
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
