"""The link to a chip's process: what is sent arrives, and whatever else arrives is refused before memory is taken."""

import contextlib
import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.chip.board import link
from models.chip.board.link import MAX_BODY, SPACE, Channel, Kind, LinkError

PES = 5
WORDS = st.binary(max_size=40).map(lambda data: data[: len(data) // 4 * 4])
ADDRESSES = st.integers(SPACE[0] // 4, SPACE[1] // 4 - 10).map(lambda word: 4 * word)
WRITES = st.lists(st.tuples(st.integers(0, PES - 1), ADDRESSES, WORDS), max_size=5)
READS = st.lists(st.tuples(st.integers(0, PES - 1), ADDRESSES, st.integers(0, 10)), max_size=5)
NUMBERS = st.integers(0, 2**32 - 1)


@pytest.fixture
def ends() -> Iterator[tuple[Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Channel(ours), theirs


@given(NUMBERS, NUMBERS, st.booleans(), WRITES)
def test_a_run_arrives_as_it_was_sent(number: int, ticks: int, reset: bool, writes: list[link.Write]) -> None:
    assert link.decode_run(link.encode_run(number, ticks, reset, writes), PES) == (number, ticks, reset, writes)


@given(NUMBERS, READS)
def test_a_load_arrives_as_it_was_sent(network: int, reads: list[link.Span]) -> None:
    assert link.decode_load(link.encode_load(network, reads), PES) == (network, reads)


@given(st.binary(max_size=200))
def test_noise_is_no_message(body: bytes) -> None:
    """Whatever decodes, encodes to the same bytes; everything else is a LinkError and nothing worse."""
    with contextlib.suppress(LinkError):
        assert link.encode_run(*link.decode_run(body, PES)) == body
    with contextlib.suppress(LinkError):
        assert link.encode_load(*link.decode_load(body, PES)) == body
    with contextlib.suppress(LinkError):
        link.decode_text(body)


@given(NUMBERS, WRITES, st.data())
def test_half_a_run_is_none(number: int, writes: list[link.Write], data: st.DataObject) -> None:
    body = link.encode_run(number, 1, False, writes)
    with pytest.raises(LinkError):
        link.decode_run(body[: data.draw(st.integers(0, len(body) - 1))], PES)


@pytest.mark.parametrize(
    ("pe", "address", "words"), [(PES, SPACE[0], 1), (0, SPACE[0] - 4, 1), (0, SPACE[0] + 2, 1), (0, SPACE[1] - 4, 2), (0, 0x8000, 1)]
)
def test_memory_that_is_not_the_plans_is_neither_read_nor_written(pe: int, address: int, words: int) -> None:
    with pytest.raises(LinkError, match=f"of PE {pe}"):
        link.decode_load(link.encode_load(0, [(pe, address, words)]), PES)
    with pytest.raises(LinkError, match=f"of PE {pe}"):
        link.decode_run(link.encode_run(1, 1, False, [(pe, address, bytes(4 * words))]), PES)


def test_an_answer_is_the_one_that_was_asked_for() -> None:
    assert link.decode_ran(link.encode_ran(7, b"12345678"), 7, 2) == b"12345678"
    for body in (link.encode_ran(8, b"12345678"), link.encode_ran(7, b"1234"), b""):
        with pytest.raises(LinkError):
            link.decode_ran(body, 7, 2)


def test_more_than_an_answer_can_hold_is_not_asked_for() -> None:
    reads = [(0, SPACE[0], (SPACE[1] - SPACE[0]) // 4)] * 200
    with pytest.raises(LinkError, match="more to be read"):
        link.decode_load(link.encode_load(0, reads), PES)


@pytest.mark.parametrize(
    "header",
    [
        struct.pack("<2sBBI", b"Ex", link.VERSION, Kind.RUN, 0),
        struct.pack("<2sBBI", b"Ec", link.VERSION + 1, Kind.RUN, 0),
        struct.pack("<2sBBI", b"Ec", link.VERSION, 77, 0),
        struct.pack("<2sBBI", b"Ec", link.VERSION, Kind.RAN, MAX_BODY + 1),
        struct.pack("<2sBBI", b"Ec", link.VERSION, Kind.HELLO, link.MAX_TEXT + 1),
    ],
)
def test_a_frame_of_another_kind_version_or_size_is_refused_by_its_header(ends: tuple[Channel, socket.socket], header: bytes) -> None:
    ours, theirs = ends
    theirs.sendall(header)
    with pytest.raises(LinkError):
        ours.receive(5)


def test_frames_arrive_one_after_the_other_and_the_end_is_an_end(ends: tuple[Channel, socket.socket]) -> None:
    ours, theirs = ends
    other = Channel(theirs)
    other.send(Kind.RUN, b"one", b"two", timeout=5)
    other.send(Kind.READY)
    assert ours.receive(5) == (Kind.RUN, b"onetwo")
    assert ours.receive() == (Kind.READY, b"")
    with pytest.raises(TimeoutError):
        ours.receive(0.01)
    theirs.sendall(b"Ec")
    theirs.close()
    with pytest.raises(EOFError):
        ours.receive(5)


def test_who_does_not_take_what_is_sent_is_not_waited_for(ends: tuple[Channel, socket.socket]) -> None:
    ours, _ = ends
    with pytest.raises(TimeoutError):
        ours.send(Kind.RUN, bytes(MAX_BODY), timeout=0.05)
    with pytest.raises(ValueError, match="too long"):
        ours.send(Kind.RUN, bytes(MAX_BODY + 1))
