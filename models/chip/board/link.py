"""The link between Egret and the process that drives a chip, emulated or real: framed messages over a UNIX stream socket.

Standard library only, because the board's side runs in a Python of its own (py-spinnaker2 wants 3.12) where Egret's packages are not.
One socket a network, so that two networks are asked from two threads at once. What is said is what a board can be asked for, no more: write
words into memories of processing elements (PEs), let ticks pass, read words back. The plan itself is a file that the worker is given.

A frame is a header of 8 bytes (magic, version, kind, bytes of the body) and a body, all little endian:

    HELLO     worker   JSON: what it found (package, version, whether it can run live)
    FAILURE   worker   JSON {state, sentence}: it cannot go on; the socket is closed
    LOAD      Egret    index of the network, then spans to be read after every run
    READY     worker   nothing: the plan is on the chip
    RUN       Egret    number, ticks, whether to reset first, then spans with the words to be written (after the reset)
    POWER     worker   before RAN, where the board measured its power: JSON {joules, seconds}, or {sentence} on why they are not known
    RAN       worker   number of the run, then the words of all spans of LOAD one after the other

A span is (index of the PE in the plan, address in bytes, words). Both ends check every size before they take memory and every span
against the PE's memory; whatever is not one of these frames raises `LinkError`, and the process at the other end is given up.
"""

import json
import select
import socket
import struct
import time
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

VERSION = 1
MAX_BODY = 8 << 20
"""Bytes; all read-back memory of a chip's regions is below 10 MB, and what is asked for is a small part of it."""
MAX_TEXT = 1 << 16
MAX_SPANS = 4096
SPACE = (0x9800, 0x1F000)
"""Addresses that may be written and read: the data specification and the regions (models/chip/layout.py)."""
_MAGIC = b"Ec"
_HEADER = struct.Struct("<2sBBI")
_SPAN = struct.Struct("<III")
_RUN = struct.Struct("<IIII")
_LOAD = struct.Struct("<II")
_NUMBER = struct.Struct("<I")

Span = tuple[int, int, int]
"""Index of the PE, address in bytes, words."""
Write = tuple[int, int, bytes]
"""Index of the PE, address in bytes, little-endian words."""


class Kind(IntEnum):
    """Of a frame."""

    HELLO = 0
    FAILURE = 1
    LOAD = 2
    READY = 3
    RUN = 4
    RAN = 5
    POWER = 6


TEXTS = (Kind.HELLO, Kind.FAILURE, Kind.POWER)
"""Kinds whose body is JSON."""


class LinkError(Exception):
    """What came is none of our frames, or not the one that was due."""


class Channel:
    """One end of a link, for one thread at a time."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._frame = bytearray()
        """What has come of the next frame."""

    def send(self, kind: Kind, *pieces: bytes, timeout: float | None = None) -> None:
        """Send a frame. TimeoutError where the other end does not take it in time, OSError where it is gone."""
        body = b"".join(pieces)
        if len(body) > MAX_BODY:
            raise ValueError(f"a body of {len(body)} bytes is too long to send")
        self._socket.settimeout(timeout)
        self._socket.sendall(_HEADER.pack(_MAGIC, VERSION, kind, len(body)) + body)

    def receive(self, timeout: float | None = None) -> tuple[Kind, bytes]:
        """The next frame. TimeoutError (what has come of it is kept for the next call), EOFError where the other end has closed, LinkError
        for what is none."""
        deadline = None if timeout is None else time.monotonic() + timeout
        magic, version, kind, size = _HEADER.unpack_from(self._come(_HEADER.size, deadline))
        if magic != _MAGIC or version != VERSION:
            raise LinkError(f"a frame of version {version} with the magic {magic!r}")
        if kind not in Kind._value2member_map_ or size > MAX_BODY or (kind in TEXTS and size > MAX_TEXT):
            raise LinkError(f"a frame of kind {kind} with {size} bytes")
        body = bytes(self._come(_HEADER.size + size, deadline)[_HEADER.size :])
        self._frame.clear()
        return Kind(kind), body

    def _come(self, size: int, deadline: float | None) -> bytearray:
        """The present frame, once `size` bytes of it have come."""
        while len(self._frame) < size:
            if deadline is not None:
                self._wait(deadline)
            self._socket.settimeout(None)
            piece = self._socket.recv(size - len(self._frame))
            if not piece:
                raise EOFError
            self._frame += piece
        return self._frame

    def _wait(self, deadline: float) -> None:
        """Return when there is something to read. What is there at the deadline counts: this process itself may have been stopped."""
        for seconds in (max(0.0, deadline - time.monotonic()), 0.0):
            if select.select([self._socket], [], [], seconds)[0]:
                return
        raise TimeoutError

    def close(self) -> None:
        """Close this end; the other reads the end of the stream."""
        self._socket.close()


def encode_text(message: dict[str, Any]) -> bytes:
    """The body of a HELLO, FAILURE or POWER."""
    return json.dumps(message).encode()[:MAX_TEXT]


def decode_text(body: bytes) -> dict[str, Any]:
    """The message in a HELLO, FAILURE or POWER; LinkError if it is none."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise LinkError(f"a message that is no JSON: {error}") from None
    if not isinstance(message, dict):
        raise LinkError("a message that is no JSON object")
    return message


def encode_load(network: int, reads: Sequence[Span]) -> bytes:
    """The body of a LOAD."""
    return _LOAD.pack(network, len(reads)) + b"".join(_SPAN.pack(*span) for span in reads)


def decode_load(body: bytes, elements: int) -> tuple[int, list[Span]]:
    """(index of the network, spans to be read) of a LOAD for a plan of so many PEs; LinkError if it is none."""
    try:
        network, count = _LOAD.unpack_from(body)
        if count > MAX_SPANS or len(body) != _LOAD.size + count * _SPAN.size:
            raise LinkError(f"{count} spans in {len(body)} bytes")
    except struct.error as error:
        raise LinkError(f"half a message: {error}") from None
    reads = [_SPAN.unpack_from(body, _LOAD.size + index * _SPAN.size) for index in range(count)]
    for pe, address, words in reads:
        _check(pe, address, words, elements)
    if sum(words for _, _, words in reads) > MAX_BODY // 4 - 1:
        raise LinkError("more to be read than an answer can hold")
    return network, reads


def encode_run(number: int, ticks: int, reset: bool, writes: Sequence[Write]) -> bytes:
    """The body of a RUN."""
    pieces = [_RUN.pack(number, ticks, reset, len(writes))]
    for pe, address, words in writes:
        pieces += [_SPAN.pack(pe, address, len(words) // 4), words]
    return b"".join(pieces)


def decode_run(body: bytes, elements: int) -> tuple[int, int, bool, list[Write]]:
    """(number, ticks, reset, writes) of a RUN for a plan of so many PEs; LinkError if it is none."""
    try:
        number, ticks, reset, count = _RUN.unpack_from(body)
        if count > MAX_SPANS or reset > 1:
            raise LinkError(f"a run with {count} writes")
        writes: list[Write] = []
        place = _RUN.size
        for _ in range(count):
            pe, address, words = _SPAN.unpack_from(body, place)
            _check(pe, address, words, elements)
            place += _SPAN.size
            if place + 4 * words > len(body):
                raise LinkError("a write without its words")
            writes.append((pe, address, body[place : place + 4 * words]))
            place += 4 * words
    except struct.error as error:
        raise LinkError(f"half a message: {error}") from None
    if place != len(body):
        raise LinkError(f"{len(body) - place} bytes too many")
    return number, ticks, bool(reset), writes


def encode_ran(number: int, words: bytes) -> bytes:
    """The body of a RAN."""
    return _NUMBER.pack(number) + words


def decode_ran(body: bytes, number: int, words: int) -> bytes:
    """The `words` words that answer run `number`; LinkError if this is another answer."""
    if len(body) != _NUMBER.size + 4 * words:
        raise LinkError(f"an answer of {len(body)} bytes where {_NUMBER.size + 4 * words} were due")
    (answered,) = _NUMBER.unpack_from(body)
    if answered != number:
        raise LinkError(f"the answer to run {answered} where that to run {number} was due")
    return body[_NUMBER.size :]


def _check(pe: int, address: int, words: int, elements: int) -> None:
    if pe >= elements or address % 4 or address < SPACE[0] or address + 4 * words > SPACE[1]:
        raise LinkError(f"{words} words at {address:#x} of PE {pe} of {elements}")
