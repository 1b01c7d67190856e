"""The AEDAT 4 container, as bytes: header, packets, table. No files here; `reader`, `writer` and the network source share it.

A recording is::

    "#!AER-DAT4.0\\r\\n"                                        (not on the network)
    IOHeader            size-prefixed FlatBuffer "IOHE": compression, dataTablePosition, infoNode (XML that describes the streams)
    packet*             int32 stream id, int32 size, then `size` bytes: a compressed, size-prefixed FlatBuffer, for events "EVTS"
    FileDataTable       compressed, size-prefixed FlatBuffer "FTAB": where every packet is; at dataTablePosition (-1 until closed)

Everything read here may come from a stranger or a damaged disk. There are no checksums, so each piece is taken apart by hand with every
offset checked against the buffer; whatever does not fit raises `Damaged`, and nothing else. Sizes are bounded before memory is taken.
Compression is recognised by the frame's own magic number, so that a damaged header does not cost the packets: an uncompressed packet
begins with its size, which as a magic number would be more than `MAX_PACKET`.
"""

import struct
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from enum import IntEnum
from typing import cast
from xml.sax.saxutils import quoteattr

import flatbuffers
import lz4.frame
import numpy as np
import numpy.typing as npt
import zstandard

from pipeline.events import EVENT_DTYPE, Events

VERSION_LINE = b"#!AER-DAT4.0\r\n"
PACKET_HEADER = struct.Struct("<ii")
"""Stream id and size of the payload that follows."""

MAX_PACKET = 256 << 20
"""Bytes of one packet, compressed or not; 16 million events. dv-processing writes packets of about 10 ms, some kilobytes."""
MAX_HEADER = 16 << 20
MAX_TABLE = 1 << 30

_LZ4_MAGIC = b"\x04\x22\x4d\x18"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_LZ4_MOST = 255
"""LZ4 cannot expand a byte to more than this many (block format: one length byte stands for at most 255)."""

Buffer = bytes | bytearray


class Damaged(Exception):
    """A piece of a recording or stream that is not what the format says. Never reaches a user."""


class Compression(IntEnum):
    """The IOHeader's compression, in dv-processing's numbers."""

    NONE = 0
    LZ4 = 1
    LZ4_HIGH = 2
    ZSTD = 3
    ZSTD_HIGH = 4


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream as the header's XML describes it; sizes are 0 where it has none."""

    id: int
    type: str
    """FlatBuffer identifier: ``EVTS``, ``FRME``, ``IMUS``, ``TRIG``, ..."""
    width: int
    height: int
    source: str


@dataclass(frozen=True, slots=True)
class Header:
    """What an IOHeader says."""

    compression: int
    table_position: int
    streams: tuple[Stream, ...]

    def event_stream(self) -> Stream | None:
        """The first event stream with a usable size, or None."""
        return next((s for s in self.streams if s.type == "EVTS" and 0 < s.width <= 32768 and 0 < s.height <= 32768), None)


@dataclass(frozen=True, slots=True)
class Table:
    """A FileDataTable, a row for each packet; int64 arrays of one length."""

    stream: npt.NDArray[np.int64]
    offset: npt.NDArray[np.int64]
    """Position of the payload in the file (the packet's header is 8 bytes before)."""
    size: npt.NDArray[np.int64]
    elements: npt.NDArray[np.int64]
    start_us: npt.NDArray[np.int64]
    end_us: npt.NDArray[np.int64]


class _Flat:
    """Bounds-checked look into a FlatBuffer (https://flatbuffers.dev/internals/)."""

    def __init__(self, data: Buffer, identifier: bytes, start: int = 0) -> None:
        """`start` is where the root offset lies; raises Damaged unless the file identifier follows it."""
        self.data = data
        if data[start + 4 : start + 8] != identifier:
            raise Damaged(f"not {identifier.decode()}")
        self.root = start + self.read("<I", start)

    def read(self, form: str, position: int) -> int:
        if not 0 <= position <= len(self.data) - struct.calcsize(form):
            raise Damaged("an offset points outside")
        return cast(int, struct.unpack_from(form, self.data, position)[0])

    def field(self, table: int, index: int) -> int:
        """Position of a table's field, 0 where it is absent."""
        vtable = table - self.read("<i", table)
        if 4 + 2 * index >= self.read("<H", vtable):
            return 0
        offset = self.read("<H", vtable + 4 + 2 * index)
        return table + offset if offset else 0

    def vector(self, table: int, index: int, item: int) -> tuple[int, int]:
        """Position of the first element and length of a vector of elements of `item` bytes; (0, 0) where it is absent."""
        where = self.field(table, index)
        if not where:
            return 0, 0
        start = where + self.read("<I", where)
        count = self.read("<I", start)
        if count * item > len(self.data) - start - 4:
            raise Damaged("a vector is longer than its buffer")
        return start + 4, count


def parse_header(data: Buffer) -> Header:
    """An IOHeader from its FlatBuffer (without size prefix); raises Damaged."""
    flat = _Flat(data, b"IOHE")
    compression = flat.field(flat.root, 0)
    table = flat.field(flat.root, 1)
    start, length = flat.vector(flat.root, 2, 1)
    return Header(
        compression=flat.read("<i", compression) if compression else 0,
        table_position=flat.read("<q", table) if table else -1,
        streams=_streams(bytes(data[start : start + length])),
    )


def _streams(info: bytes) -> tuple[Stream, ...]:
    if b"<!" in info:  # entities can be made to explode, and no writer uses them
        raise Damaged("the description declares a document type")
    try:
        root = ElementTree.fromstring(info)
        nodes = root.findall("./node[@name='outInfo']/node")
        return tuple(_stream(node) for node in nodes)
    except (ElementTree.ParseError, ValueError) as error:  # ValueError: a number that is none, or bytes that are not UTF-8
        raise Damaged("the description of the streams is not readable") from error


def _stream(node: ElementTree.Element) -> Stream:
    attributes = {a.get("key", ""): a.text or "" for a in node.findall("./attr")}
    info = {a.get("key", ""): a.text or "" for a in node.findall("./node[@name='info']/attr")}
    return Stream(
        id=int(node.get("name", "")),
        type=attributes.get("typeIdentifier", ""),
        width=int(info.get("sizeX", "0")),
        height=int(info.get("sizeY", "0")),
        source=info.get("source", ""),
    )


def build_header(width: int, height: int, source: str, compression: Compression) -> tuple[bytes, int]:
    """A size-prefixed IOHeader with one event stream, number 0, and where in it the int64 table position lies (-1 for now)."""
    info = _describe(width, height, source, compression.name)
    builder = flatbuffers.Builder(1024)
    text = builder.CreateString(info)
    builder.ForceDefaults(True)  # the position is set in place when the file is closed, so it must be stored
    builder.StartObject(3)
    builder.PrependInt64Slot(1, -1, -1)
    builder.PrependUOffsetTRelativeSlot(2, text, 0)
    builder.PrependInt32Slot(0, int(compression), 0)
    builder.FinishSizePrefixed(builder.EndObject(), b"IOHE")
    data = bytes(builder.Output())
    flat = _Flat(data, b"IOHE", start=4)
    return data, flat.field(flat.root, 1)


def _describe(width: int, height: int, source: str, compression: str) -> str:
    def attr(key: str, kind: str, value: object) -> str:
        text = str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return f"<attr key={quoteattr(key)} type={quoteattr(kind)}>{text}</attr>"

    stream = [
        attr("compression", "string", compression),
        attr("originalModuleName", "string", "egret"),
        attr("originalOutputName", "string", "events"),
        attr("typeDescription", "string", "Array of events (polarity ON/OFF)."),
        attr("typeIdentifier", "string", "EVTS"),
    ]
    info = [attr("sizeX", "int", width), attr("sizeY", "int", height), attr("source", "string", source)]
    return (
        '<dv version="2.0"><node name="outInfo" path="/outInfo/"><node name="0" path="/outInfo/0/">'
        + "".join(stream)
        + '<node name="info" path="/outInfo/0/info/">'
        + "".join(info)
        + "</node></node></node></dv>"
    )


def compress(data: bytes, compression: Compression) -> bytes:
    """A frame of `data`."""
    match compression:
        case Compression.LZ4:
            return cast(bytes, lz4.frame.compress(data, block_linked=True, store_size=False))
        case Compression.LZ4_HIGH:
            return cast(bytes, lz4.frame.compress(data, compression_level=9, block_linked=True, store_size=False))
        case Compression.ZSTD:
            return zstandard.ZstdCompressor(level=3).compress(data)
        case Compression.ZSTD_HIGH:
            return zstandard.ZstdCompressor(level=19).compress(data)
    return data


def decompress(payload: Buffer, limit: int = MAX_PACKET) -> bytearray:
    """The size-prefixed FlatBuffer of a packet or table; raises Damaged, also where it says that it is larger than `limit` bytes.

    The prefix is decompressed first, so that a small frame cannot make us take more memory than it announces and we allow.
    """
    magic = bytes(payload[:4])
    try:
        if magic == _LZ4_MAGIC:
            return _decompress_lz4(payload, limit)
        if magic == _ZSTD_MAGIC:
            return _decompress_zstd(payload, limit)
    except (RuntimeError, EOFError, zstandard.ZstdError) as error:
        raise Damaged(str(error)) from error
    whole = _announced(magic, min(limit, len(payload)))
    return bytearray(memoryview(payload)[:whole])


def _announced(prefix: Buffer, limit: int) -> int:
    """Bytes of a size-prefixed FlatBuffer, prefix included."""
    if len(prefix) < 4:
        raise Damaged("a packet of less than four bytes")
    whole = 4 + int.from_bytes(prefix[:4], "little")
    if whole > limit:
        raise Damaged(f"a packet of {whole} bytes where at most {limit} can be")
    return whole


def _decompress_lz4(payload: Buffer, limit: int) -> bytearray:
    frame = lz4.frame.LZ4FrameDecompressor()
    prefix = frame.decompress(payload, max_length=4)
    whole = _announced(prefix, min(limit, _LZ4_MOST * len(payload)))
    rest = frame.decompress(b"", max_length=whole - 4) if whole > 4 else b""
    if len(rest) != whole - 4:
        raise Damaged("an LZ4 frame ends early")
    out = bytearray(whole)
    out[:4], out[4:] = prefix, rest
    return out


def _decompress_zstd(payload: Buffer, limit: int) -> bytearray:
    with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(payload, read_across_frames=False) as frame:
        prefix = frame.read(4)
        out = bytearray(_announced(prefix, limit))
        out[:4] = prefix
        have = 4
        view = memoryview(out)
        while have < len(out):
            got = frame.readinto(view[have:])
            if not got:
                raise Damaged("a ZSTD frame ends early")
            have += got
    return out


def unpack_events(data: bytearray) -> Events:
    """The events of a decompressed EventPacket, a writable view of its memory; raises Damaged."""
    flat = _Flat(data, b"EVTS", start=4)
    start, count = flat.vector(flat.root, 0, EVENT_DTYPE.itemsize)
    events = np.frombuffer(data, EVENT_DTYPE, count, start) if count else np.empty(0, EVENT_DTYPE)
    return events if events.flags.aligned else events.copy()


_EVENTS_FRAME = struct.Struct("<II4s2xHHH i I I")
"""An EventPacket before its events: size, root at 16, identifier; a vtable of 6 bytes for an object of 8 whose one field lies at 4; the
object (its vtable is 6 back), the offset to the vector and the vector's length. dv-processing writes the very same 32 bytes."""


def pack_events(events: Events) -> bytes:
    """A size-prefixed EventPacket. The padding of the events is written as zeros, so that equal events are equal bytes."""
    clean = np.zeros(len(events), EVENT_DTYPE)
    for name in ("timestamp", "x", "y", "polarity"):
        clean[name] = events[name]
    size = _EVENTS_FRAME.size - 4 + clean.nbytes
    return _EVENTS_FRAME.pack(size, 16, b"EVTS", 6, 8, 4, 6, 4, len(clean)) + clean.tobytes()


_ROW = np.dtype(
    {
        "names": ["vtable", "stream", "size", "offset", "elements", "start_us", "end_us"],
        "formats": ["<i4", "<i4", "<i4", "<i8", "<i8", "<i8", "<i8"],
        "offsets": [0, 4, 8, 12, 20, 28, 36],
        "itemsize": 48,
    }
)
"""A FileDataDefinition: vtable offset, PacketHeader (a struct), ByteOffset, NumElements, TimestampStart, TimestampEnd."""
_ROW_VTABLE = struct.pack("<7H", 14, 44, 12, 4, 20, 28, 36)


def build_table(table: Table) -> bytes:
    """A size-prefixed FileDataTable. All rows share one vtable and one layout, so that an hour of packets is built at once by numpy."""
    count = len(table.offset)
    # prefix 0, root offset 4, "FTAB" 8, root's vtable 12 (6 bytes), root 20: to its vtable, to the vector; vector 28: length, offsets
    rows_vtable = 32 + 4 * count
    first = -(-(rows_vtable + len(_ROW_VTABLE)) // 8) * 8 + 4  # int64 fields at 12, 20, ... of a row lie on multiples of 8
    out = bytearray(first + count * _ROW.itemsize)
    struct.pack_into("<II4sHHHxx", out, 0, len(out) - 4, 16, b"FTAB", 6, 8, 4)
    struct.pack_into("<iII", out, 20, 8, 4, count)
    out[rows_vtable : rows_vtable + len(_ROW_VTABLE)] = _ROW_VTABLE
    places = first + np.arange(count, dtype=np.int64) * _ROW.itemsize
    np.frombuffer(out, "<u4", count, 32)[:] = places - (32 + 4 * np.arange(count))
    rows = np.frombuffer(out, _ROW, count, first)
    rows["vtable"] = places - rows_vtable
    for name in ("stream", "size", "offset", "elements", "start_us", "end_us"):
        rows[name] = getattr(table, name)
    return bytes(out)


def parse_table(data: bytearray) -> Table:
    """A FileDataTable from any writer, decompressed, with its size prefix; raises Damaged."""
    flat = _Flat(data, b"FTAB", start=4)
    start, count = flat.vector(flat.root, 0, 4)
    places = start + 4 * np.arange(count, dtype=np.int64)
    rows = places + _gather(data, places, "<u4")
    vtables = rows - _gather(data, rows, "<i4")
    lengths = _gather(data, vtables, "<u2")

    def column(index: int, kind: str, shift: int = 0, absent: int = 0) -> npt.NDArray[np.int64]:
        offsets = np.zeros(count, np.int64)
        stored = lengths > 4 + 2 * index
        offsets[stored] = _gather(data, vtables[stored] + 4 + 2 * index, "<u2")
        values = np.full(count, absent, np.int64)
        there = offsets > 0
        values[there] = _gather(data, rows[there] + offsets[there] + shift, kind)
        return values

    return Table(
        stream=column(1, "<i4", 0, -1),
        offset=column(0, "<i8"),
        size=column(1, "<i4", 4),
        elements=column(2, "<i8"),
        start_us=column(3, "<i8"),
        end_us=column(4, "<i8"),
    )


def _gather(data: bytearray, places: npt.NDArray[np.int64], kind: str) -> npt.NDArray[np.int64]:
    """Numbers of dtype `kind` at byte positions `places`, as int64; raises Damaged if one lies outside."""
    dtype = np.dtype(kind)
    if len(places) and (places.min() < 0 or places.max() > len(data) - dtype.itemsize):
        raise Damaged("an offset points outside")
    octets = np.frombuffer(data, np.uint8)[places[:, None] + np.arange(dtype.itemsize)]
    return np.ascontiguousarray(octets).view(dtype).reshape(len(places)).astype(np.int64)
