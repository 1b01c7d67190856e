"""The link between a source process and the engine: framed messages over a UNIX stream socket.

A frame is a header of 8 bytes (magic, kind, length of the body) and a body: JSON for what is small and rare, and for a packet its status
as 64 bytes of numbers followed by the raw 16-byte events, which are sent from and received into the memory they stay in.

Both ends are our own program, but dv-processing can overwrite memory in the source process, so every size is checked before memory is
taken and everything else when it is taken apart: whatever is not one of ours raises `LinkError`, and the supervisor replaces the worker.
"""

import dataclasses
import json
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal, get_args, get_origin

import numpy as np

from pipeline.events import EVENT_DTYPE, Packet, SourceInfo, Status
from pipeline.sources.base import Notice

_MAGIC = b"Eg\x01"
_HEADER = struct.Struct("<3sBI")
_STATUS = struct.Struct("<7qB7x")
_DISCONTINUITY, _END = 1, 2


class _Kind(IntEnum):
    PACKET = 0
    INFO = 1
    NOTICE = 2
    COMMAND = 3
    HEARTBEAT = 4


MAX_EVENTS = 1 << 20
"""Events in one frame (16 MiB); more are sent as several packets."""
MAX_TEXT = 1 << 16
"""Bytes of a JSON body."""
_LIMITS: dict[int, int] = {
    _Kind.PACKET: _STATUS.size + MAX_EVENTS * EVENT_DTYPE.itemsize,
    _Kind.INFO: MAX_TEXT,
    _Kind.NOTICE: MAX_TEXT,
    _Kind.COMMAND: MAX_TEXT,
    _Kind.HEARTBEAT: 0,
}


class LinkError(Exception):
    """What came is not one of our frames."""


@dataclass(frozen=True, slots=True)
class Command:
    """From the engine to the source."""

    op: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The source is alive and has nothing to say."""


Message = Packet | SourceInfo | Notice | Command | Heartbeat


def encode(message: Message) -> list[bytes | memoryview]:
    """A message as the pieces to send one after the other. ValueError for a packet of more than `MAX_EVENTS` (see `split`)."""
    match message:
        case Packet():
            if len(message.events) > MAX_EVENTS:
                raise ValueError("too many events for one frame")
            status = message.status
            flags = _DISCONTINUITY * status.discontinuity | _END * status.end
            numbers = (
                status.sequence,
                status.arrival_ns,
                status.until_us,
                status.lost,
                status.repaired,
                status.refused,
                status.position_us,
            )
            octets = np.ascontiguousarray(message.events).view(np.uint8)
            head = _STATUS.pack(*numbers, flags)
            return [_HEADER.pack(_MAGIC, _Kind.PACKET, len(head) + octets.nbytes) + head, octets.data]
        case Heartbeat():
            return [_HEADER.pack(_MAGIC, _Kind.HEARTBEAT, 0)]
    kind = {SourceInfo: _Kind.INFO, Notice: _Kind.NOTICE, Command: _Kind.COMMAND}[type(message)]
    body = json.dumps(dataclasses.asdict(message)).encode()
    if len(body) > MAX_TEXT:
        raise ValueError("a message too long to send")
    return [_HEADER.pack(_MAGIC, kind, len(body)) + body]


def split(packet: Packet) -> Iterator[Packet]:
    """`packet` as packets that fit in a frame. What is known of it goes with the first, its promise and its end with the last."""
    events, status = packet.events, packet.status
    for start in range(0, max(1, len(events)), MAX_EVENTS):
        part = events[start : start + MAX_EVENTS]
        if start:
            status = dataclasses.replace(status, lost=0, repaired=0, refused=0, discontinuity=False)
        last = start + MAX_EVENTS >= len(events)
        until = packet.status.until_us if last else min(packet.status.until_us, int(part["timestamp"][-1]))
        yield Packet(part, dataclasses.replace(status, until_us=until, end=packet.status.end and last))


def decode(kind: int, body: bytearray, source: str) -> Message:
    """The message in a frame's body; `source` is the specification that packets are from. Raises LinkError."""
    try:
        match kind:
            case _Kind.PACKET:
                return _decode_packet(body, source)
            case _Kind.INFO:
                return SourceInfo(**_fields(body, SourceInfo))
            case _Kind.NOTICE:
                return Notice(**_fields(body, Notice))
            case _Kind.COMMAND:
                return Command(**_fields(body, Command))
    except (ValueError, TypeError, RecursionError, struct.error) as error:
        raise LinkError(f"a frame that makes no sense: {error}") from error
    return Heartbeat()


def _decode_packet(body: bytearray, source: str) -> Packet:
    *numbers, flags = _STATUS.unpack_from(body)
    sequence, arrival_ns, until_us, lost, repaired, refused, position_us = numbers
    if (len(body) - _STATUS.size) % EVENT_DTYPE.itemsize:
        raise ValueError("half an event")
    events = np.frombuffer(body, EVENT_DTYPE, offset=_STATUS.size)
    status = Status(
        source=source,
        sequence=sequence,
        arrival_ns=arrival_ns,
        until_us=until_us,
        lost=lost,
        repaired=repaired,
        refused=refused,
        position_us=position_us,
        discontinuity=bool(flags & _DISCONTINUITY),
        end=bool(flags & _END),
    )
    return Packet(events, status)


def _fields(body: bytearray, kind: type) -> dict[str, Any]:
    """The fields of a dataclass from JSON, of the types it declares."""
    values = json.loads(body)
    if not isinstance(values, dict):
        raise ValueError("not a JSON object")
    for described in dataclasses.fields(kind):
        value, declared = values.get(described.name), described.type
        exact = get_origin(declared) or declared
        right = value in get_args(declared) if exact is Literal else type(value) is exact
        if not right:
            raise ValueError(f"{described.name} is {value!r}")
    return values


class Connection:
    """One end of the link: messages over a connected stream socket, which becomes this object's own and non-blocking.

    Not for several threads at once. `receive` raises LinkError for what is not one of ours, EOFError when the other side is gone.
    """

    def __init__(self, sock: socket.socket, source: str = "") -> None:
        sock.setblocking(False)
        self._socket = sock
        self._source = source
        self._header = bytearray(_HEADER.size)
        self._body: bytearray | None = None
        self._kind = 0
        self._have = 0
        self._out: list[memoryview] = []

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket; what is not sent is lost."""
        self._socket.close()

    @property
    def sending(self) -> bool:
        """Something waits to be sent: call `flush` when the socket is writable."""
        return bool(self._out)

    def queue(self, message: Message) -> None:
        """Take a message for sending; `flush` sends it."""
        self._out.extend(memoryview(piece) for piece in encode(message) if len(piece))

    def flush(self) -> None:
        """Send what the socket takes now. Raises EOFError when the other side is gone."""
        try:
            while self._out:
                sent = self._socket.sendmsg(self._out[:16])
                while self._out and sent >= len(self._out[0]):
                    sent -= len(self._out.pop(0))
                if sent:
                    self._out[0] = self._out[0][sent:]
        except BlockingIOError:
            return
        except OSError as error:
            raise EOFError("the other side is gone") from error

    def receive(self) -> Message | None:
        """The next message, None if it has not come completely yet."""
        if self._body is None:
            if not self._fill(self._header):
                return None
            self._body = bytearray(self._begin())
        if not self._fill(self._body):
            return None
        body, self._body = self._body, None
        return decode(self._kind, body, self._source)

    def _begin(self) -> int:
        """Length of the body that the header announces."""
        magic, self._kind, length = _HEADER.unpack(self._header)
        if magic != _MAGIC or length > _LIMITS.get(self._kind, -1):
            raise LinkError("a frame that is not ours")
        return int(length)

    def _fill(self, buffer: bytearray) -> bool:
        """Receive until `buffer` is full; False if there is no more now."""
        view = memoryview(buffer)
        while self._have < len(buffer):
            try:
                got = self._socket.recv_into(view[self._have :])
            except BlockingIOError:
                return False
            except OSError as error:
                raise EOFError("the other side is gone") from error
            if not got:
                raise EOFError("the other side is gone")
            self._have += got
        self._have = 0
        return True
