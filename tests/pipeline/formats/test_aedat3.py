"""AEDAT 3.1: every valid polarity event comes out as it was written, and damage costs at most the packet it is in."""

import struct
from pathlib import Path

import pytest
from aedat_bytes import CAER_HEADER, Event, packet
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.events import join_events
from pipeline.formats import aedat3
from pipeline.formats.aedat3 import Aedat3Reader

COORDINATE = st.integers(0, 127)
PACKET = st.tuples(
    st.integers(0, 3),
    st.lists(st.tuples(st.integers(0, (1 << 31) - 1), COORDINATE, COORDINATE, st.integers(0, 1)), min_size=1, max_size=12),
)
PACKETS = st.lists(PACKET, max_size=6).map(lambda drawn: [[(over << 31 | t, x, y, p) for t, x, y, p in sorted(e)] for over, e in drawn])
OTHER = struct.pack("<HHIIIIII", 2, 0, 24, 4, 0, 3, 3, 3) + bytes(72)
"""A packet of another type (frames)."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("aedat3") / "it.aedat"


def read(path: Path, data: bytes, from_us: int | None = None) -> tuple[list[Event], str]:
    """Events of the file with these bytes, and what it says of damage."""
    path.write_bytes(data)
    with Aedat3Reader(path) as reader:
        events = join_events(list(reader.packets(from_us)))
        return events[["timestamp", "x", "y", "polarity"]].tolist(), reader.recovered


def contains(events: list[Event], wanted: list[Event]) -> bool:
    """Whether `wanted` come in `events` in this order."""
    rest = iter(events)
    return all(any(event == candidate for candidate in rest) for event in wanted)


@given(packets=PACKETS)
def test_what_was_recorded_is_read(path: Path, packets: list[list[Event]]) -> None:
    data = CAER_HEADER + b"".join(OTHER + packet(events) for events in packets)
    assert read(path, data) == ([event for events in packets for event in events], "")


@given(packets=PACKETS, data=st.data())
def test_a_cut_file_keeps_every_event_before_the_cut(path: Path, packets: list[list[Event]], data: st.DataObject) -> None:
    parts = [packet(events) for events in packets]
    whole = b"".join(parts)
    cut = data.draw(st.integers(0, len(whole)))
    kept, told = read(path, CAER_HEADER + whole[:cut])
    before = [len(b"".join(parts[:n])) for n in range(len(parts))]
    assert kept == [event for start, events in zip(before, packets, strict=True) for event in events[: max(0, (cut - start - 28) // 8)]]
    assert bool(told) == (cut not in (*before, len(whole)))


@given(packets=PACKETS.filter(bool), data=st.data())
def test_a_changed_byte_costs_at_most_the_packet_it_is_in(path: Path, packets: list[list[Event]], data: st.DataObject) -> None:
    parts = [packet(events) for events in packets]
    index = data.draw(st.integers(0, len(parts) - 1))
    spoilt = bytearray(parts[index])
    spoilt[data.draw(st.integers(0, len(spoilt) - 1))] ^= data.draw(st.integers(1, 255))
    kept, _ = read(path, CAER_HEADER + b"".join(parts[:index]) + spoilt + b"".join(parts[index + 1 :]))
    others = [event for n, events in enumerate(packets) if n != index for event in events]
    assert contains(kept, others)


@given(st.binary(max_size=300))
def test_anything_may_follow_the_header(path: Path, rubbish: bytes) -> None:
    read(path, CAER_HEADER + rubbish)
    kept, told = read(path, CAER_HEADER + rubbish + packet([(5, 1, 2, 0)]))
    assert told or not rubbish or kept != [(5, 1, 2, 0)]


def test_rubbish_between_packets_is_passed_over_and_told(path: Path) -> None:
    first, last = [(5, 1, 2, 0)], [(6, 3, 4, 1), (7, 0, 127, 0)]
    kept, told = read(path, CAER_HEADER + packet(first) + b"\xff" * 9000 + packet(last))
    assert kept == first + last
    assert told == "it.aedat is damaged in 1 place: what is intact was kept, the rest left out."


def test_room_that_was_not_written_costs_nothing(path: Path) -> None:
    first, last = [(5, 1, 2, 0)], [(6, 3, 4, 1)]
    assert read(path, CAER_HEADER + packet(first, room=40) + packet(last) + packet(last))[0] == first + last + last
    assert read(path, CAER_HEADER + packet(first, room=4) + bytes(24) + packet(last)) == (first + last, "")


def test_invalid_events_other_types_and_other_sources_are_left_out(path: Path) -> None:
    kept = [(5, 1, 2, 0)]
    data = packet([(1, 1, 1, 1)], valid=0) + packet([(2, 1, 1, 1)], kind=0) + packet(kept) + packet([(6, 1, 1, 1)], source=3)
    assert read(path, CAER_HEADER + data) == (kept, "")


def test_packets_with_a_number_that_no_source_has_are_of_the_one_camera(path: Path) -> None:
    assert read(path, CAER_HEADER + packet([(5, 1, 2, 0)], source=7)) == ([(5, 1, 2, 0)], "")


def test_a_packet_that_claims_more_than_the_file_has_takes_no_memory_for_it(path: Path) -> None:
    claim = struct.pack("<HHIIIIII", 1, 0, 8, 4, 0, (1 << 28) - 1, (1 << 28) - 1, 0)
    kept, told = read(path, CAER_HEADER + claim + packet([(5, 1, 2, 0)])[28:])
    assert kept == [(5, 1, 2, 0)]
    assert "cut off" in told


@pytest.mark.parametrize(
    ("line", "size", "name"),
    [
        (b"#Source 0: DVS128\r\n", (128, 128), "DVS128"),
        (b"#Source 1: Processor\r\n#-Source 0: DAVIS240C\r\n", (240, 180), "DAVIS240C"),
        (b"#Source 0: DAVIS346\r\n", (346, 260), "DAVIS346"),
        (b"#Source 0: Something\r\n", (240, 180), ""),
        (b"", (240, 180), ""),
    ],
)
def test_the_sensor_is_the_one_named_or_the_smallest_that_holds_all_events(
    path: Path, line: bytes, size: tuple[int, int], name: str
) -> None:
    path.write_bytes(b"#!AER-DAT3.1\r\n#Format: RAW\r\n" + line + b"#!END-HEADER\r\n" + packet([(5, 230, 2, 0)]))
    with Aedat3Reader(path) as reader:
        assert (reader.width, reader.height, reader.source) == (*size, name)


def test_a_large_packet_is_decoded_in_pieces_and_sought_in(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [(t, t % 128, 0, 1) for t in range(1000)]
    monkeypatch.setattr(aedat3, "PIECE", 64)
    data = CAER_HEADER + packet(events[:700]) + packet(events[700:])
    assert read(path, data) == (events, "")
    for t in (0, 63, 64, 699, 700, 999, 1000):
        assert read(path, data, t)[0] == events[t:]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"#!AER-DAT2.0\r\n", "is an AEDAT 2.0 recording"),
        (b"a shopping list", "is not an AEDAT 3.1 recording"),
        (b"#!AER-DAT3.1\r\n#Format: SerializedTS\r\n#!END-HEADER\r\n", "compressed"),
    ],
)
def test_a_file_that_cannot_be_played_gets_one_sentence(path: Path, content: bytes, told: str) -> None:
    with pytest.raises(UserError, match=told):
        read(path, content)


def test_a_file_full_of_headers_that_claim_too_much_is_gone_through_once(path: Path) -> None:
    """Each of them is searched from; reading a megabyte for each would never end."""
    claim = struct.pack("<HHIIIIII", 1, 0, 8, 4, 0, 1 << 20, 1 << 20, 0)
    path.write_bytes(CAER_HEADER + claim * 50_000)
    with Aedat3Reader(path) as reader:
        assert "damaged in 49999 places" in reader.recovered
