"""The link between the source process and the engine hands on every message unchanged, and nothing that is not one."""

import contextlib
import itertools
import socket
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.events import EVENT_DTYPE, Packet, SourceInfo, Status, empty_events
from pipeline.sources.base import Notice
from pipeline.sources.link import MAX_EVENTS, Command, Connection, Heartbeat, LinkError, Message, decode, encode, split

INT = st.integers(-(1 << 63), (1 << 63) - 1)
TEXT = st.text(max_size=50)
STATUS = st.builds(
    Status,
    source=st.just("the source"),
    sequence=INT,
    arrival_ns=INT,
    until_us=INT,
    lost=INT,
    repaired=INT,
    refused=INT,
    position_us=INT,
    discontinuity=st.booleans(),
    end=st.booleans(),
)
EVENTS = st.binary(max_size=640).map(lambda b: np.frombuffer(b[: len(b) // 16 * 16], EVENT_DTYPE))
PACKET = st.builds(Packet, EVENTS, STATUS)
INFO = st.builds(SourceInfo, TEXT, TEXT, TEXT, INT, INT, st.booleans(), INT, INT, st.dictionaries(TEXT, TEXT, max_size=3))
NOTICE = st.builds(
    Notice, st.sampled_from(["info", "warning", "error"]), st.sampled_from(["starting", "live", "waiting", "ended", "failed"]), TEXT, INT
)
COMMAND = st.builds(Command, TEXT, st.dictionaries(TEXT, st.one_of(INT, st.booleans(), TEXT), max_size=3))
MESSAGE = st.one_of(PACKET, INFO, NOTICE, COMMAND, st.just(Heartbeat()))


def octets(message: Message) -> bytes:
    return b"".join(bytes(piece) for piece in encode(message))


def same(a: Message, b: Message) -> bool:
    if isinstance(a, Packet) and isinstance(b, Packet):
        return a.status == b.status and a.events.tobytes() == b.events.tobytes() and b.events.dtype == EVENT_DTYPE
    return a == b


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Connection]]:
    ours, theirs = socket.socketpair()
    connection = Connection(theirs, "the source")
    with ours:
        yield ours, connection
        connection.close()


@given(messages=st.lists(MESSAGE, max_size=5), cuts=st.lists(st.integers(1, 200), max_size=20))
def test_messages_arrive_whole_and_in_order_however_they_are_cut(messages: list[Message], cuts: list[int]) -> None:
    ours, theirs = socket.socketpair()
    connection = Connection(theirs, "the source")
    with ours:
        data = b"".join(octets(message) for message in messages)
        got: list[Message] = []
        for cut in [*cuts, len(data)]:
            ours.sendall(data[:cut])
            data = data[cut:]
            while (message := connection.receive()) is not None:
                got.append(message)
        connection.close()
    assert len(got) == len(messages)
    assert all(same(a, b) for a, b in zip(messages, got, strict=True))


@given(data=st.data())
def test_whatever_arrives_is_a_message_or_a_link_error(data: st.DataObject) -> None:
    valid = octets(data.draw(MESSAGE))
    changed = bytearray(valid)
    for _ in range(data.draw(st.integers(0, 3))):
        changed[data.draw(st.integers(0, len(valid) - 1))] = data.draw(st.integers(0, 255))
    rubbish = data.draw(st.one_of(st.binary(max_size=100), st.just(bytes(changed))))
    ours, theirs = socket.socketpair()
    connection = Connection(theirs)
    with ours:
        ours.sendall(rubbish)
        ours.shutdown(socket.SHUT_WR)
        try:
            while connection.receive() is not None:
                pass
        except (LinkError, EOFError):
            pass
        connection.close()


@given(st.integers(0, 4), st.binary(max_size=200))
def test_any_body_is_a_message_or_a_link_error(kind: int, body: bytes) -> None:
    with contextlib.suppress(LinkError):
        decode(kind, bytearray(body), "")


@pytest.mark.parametrize("body", [b"{}", b"[]", b"1", b'{"level":"info","state":"asleep","sentence":"","exit_code":0}', b"[" * 60_000])
def test_json_of_another_shape_is_a_link_error(body: bytes) -> None:
    with pytest.raises(LinkError):
        decode(2, bytearray(body), "")


def test_a_length_that_no_message_has_takes_no_memory(pair: tuple[socket.socket, Connection]) -> None:
    ours, connection = pair
    ours.sendall(b"Eg\x01\x00\xff\xff\xff\xff")
    with pytest.raises(LinkError):
        connection.receive()


def test_the_end_of_the_other_side_is_noticed(pair: tuple[socket.socket, Connection]) -> None:
    ours, connection = pair
    assert connection.receive() is None
    ours.close()
    with pytest.raises(EOFError):
        connection.receive()
    connection.queue(Heartbeat())
    with pytest.raises(EOFError):
        connection.flush()


def test_sending_to_one_who_does_not_read_does_not_wait(pair: tuple[socket.socket, Connection]) -> None:
    ours, connection = pair
    packet = Packet(np.zeros(MAX_EVENTS, EVENT_DTYPE), Status("the source", 0, 0, 0))
    connection.queue(packet)
    connection.flush()
    assert connection.sending
    reader = Connection(ours, "the source")
    while (got := reader.receive()) is None:
        connection.flush()
    assert not connection.sending
    assert same(packet, got)


def test_a_packet_too_large_for_a_frame_is_split_without_a_lie() -> None:
    events = np.zeros(2 * MAX_EVENTS + 5, EVENT_DTYPE)
    events["timestamp"] = np.arange(len(events))
    status = Status("s", 4, 0, until_us=1 << 40, lost=1, repaired=2, refused=3, discontinuity=True, end=True)
    parts = list(split(Packet(events, status)))
    assert [len(part.events) for part in parts] == [MAX_EVENTS, MAX_EVENTS, 5]
    assert [part.status.end for part in parts] == [False, False, True]
    assert [part.status.discontinuity for part in parts] == [True, False, False]
    assert sum(part.status.lost + part.status.repaired + part.status.refused for part in parts) == 6
    for part, following in itertools.pairwise(parts):
        assert part.events["timestamp"][-1] <= part.status.until_us <= following.events["timestamp"][0]
    assert parts[-1].status.until_us == 1 << 40
    empty = Packet(empty_events(), status)
    assert [same(empty, part) for part in split(empty)] == [True]
