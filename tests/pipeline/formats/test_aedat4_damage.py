"""Damaged recordings: never anything but a UserError, never a hang, never the loss of an earlier intact packet."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.events import EVENT_DTYPE, Events, join_events
from pipeline.formats.aedat4 import Aedat4Reader, Aedat4Writer, Compression
from pipeline.formats.aedat4 import writer as writing

COMPRESSIONS = ["none", "lz4", "zstd"]
PACKETS, EACH = 4, 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damage")


class Sample:
    """A small recording, its packets, and where they lie in the file."""

    def __init__(self, path: Path, compression: str) -> None:
        random = np.random.default_rng(7)
        self.packets: list[Events] = []
        self.ends: list[int] = []
        with Aedat4Writer(path, 64, 64, "Sample", compression, overwrite=True) as writer:
            self.begin = writer.bytes
            for index in range(PACKETS):
                events = np.zeros(EACH, EVENT_DTYPE)
                events["timestamp"] = 1_000_000 + index * writing.PACKET_US + np.sort(random.integers(0, writing.PACKET_US - 1, EACH))
                events["x"], events["y"] = random.integers(0, 64, (2, EACH))
                events["polarity"] = random.integers(0, 2, EACH)
                writer.write(events)
                writer.flush()
                self.packets.append(events)
                self.ends.append(writer.bytes)
        self.data = path.read_bytes()

    def intact_before(self, position: int) -> Events:
        return join_events([e for e, end in zip(self.packets, self.ends, strict=True) if end <= position])

    def intact_after(self, position: int) -> Events:
        starts = [self.begin, *self.ends[:-1]]
        return join_events([e for e, start in zip(self.packets, starts, strict=True) if start > position])


@pytest.fixture(scope="module")
def samples(folder: Path) -> dict[str, Sample]:
    return {name: Sample(folder / f"{name}.aedat4", name) for name in COMPRESSIONS}


def read_all(path: Path, data: bytes) -> tuple[Events, str] | None:
    """Events and what was recovered; None if the recording was refused with a sentence."""
    path.write_bytes(data)
    try:
        with Aedat4Reader(path) as reader:
            events = join_events(list(reader.packets()))
            list(reader.packets(1_030_000))
            return events, reader.recovered
    except UserError as error:
        assert str(error).endswith(".")
        return None


def begins_with(events: Events, expected: Events) -> bool:
    return np.array_equal(events[: len(expected)], expected)


def ends_with(events: Events, expected: Events) -> bool:
    return np.array_equal(events[len(events) - len(expected) :], expected)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_recording_cut_at_any_byte_keeps_every_packet_before_the_cut(samples: dict[str, Sample], folder: Path, compression: str) -> None:
    sample = samples[compression]
    path = folder / "cut.aedat4"
    for length in [*range(0, sample.begin, 7), *range(sample.begin, len(sample.data), 1 if compression == "zstd" else 2)]:
        result = read_all(path, sample.data[:length])
        if length < sample.begin:
            assert result is None
            continue
        assert result is not None
        events, recovered = result
        assert np.array_equal(events, sample.intact_before(length)), length
        assert recovered or length >= len(sample.data) - 4  # LZ4's end mark at the end of the table is not missed


@pytest.mark.parametrize("compression", COMPRESSIONS)
@given(data=st.data())
def test_a_changed_byte_costs_at_most_the_packet_it_is_in(
    samples: dict[str, Sample], folder: Path, compression: str, data: st.DataObject
) -> None:
    sample = samples[compression]
    position = data.draw(st.integers(0, len(sample.data) - 1))
    changed = bytearray(sample.data)
    changed[position] ^= data.draw(st.integers(1, 255))
    result = read_all(folder / "flip.aedat4", bytes(changed))
    if position >= sample.begin:
        assert result is not None
        assert begins_with(result[0], sample.intact_before(position))
        assert ends_with(result[0], sample.intact_after(position))


@pytest.mark.parametrize("compression", COMPRESSIONS)
@given(data=st.data())
def test_an_unclosed_recording_survives_a_changed_byte_as_well(
    samples: dict[str, Sample], folder: Path, compression: str, data: st.DataObject
) -> None:
    sample = samples[compression]
    unclosed = bytearray(sample.data[: sample.ends[-1]])
    position = data.draw(st.integers(sample.begin, len(unclosed) - 1))
    unclosed[position] ^= data.draw(st.integers(1, 255))
    result = read_all(folder / "unclosed.aedat4", bytes(unclosed))
    assert result is not None
    assert begins_with(result[0], sample.intact_before(position))
    assert ends_with(result[0], sample.intact_after(position))
    assert result[1]


@given(data=st.data())
def test_a_zeroed_stretch_costs_only_the_packets_it_touches(samples: dict[str, Sample], folder: Path, data: st.DataObject) -> None:
    sample = samples[data.draw(st.sampled_from(COMPRESSIONS))]
    start = data.draw(st.integers(sample.begin, len(sample.data) - 1))
    stop = min(len(sample.data), start + data.draw(st.integers(1, 2000)))
    changed = sample.data[:start] + bytes(stop - start) + sample.data[stop:]
    result = read_all(folder / "zero.aedat4", changed)
    assert result is not None
    assert begins_with(result[0], sample.intact_before(start))
    assert ends_with(result[0], sample.intact_after(stop))


@given(st.binary(max_size=400), st.sampled_from(COMPRESSIONS))
def test_anything_may_follow_the_header(samples: dict[str, Sample], folder: Path, rubbish: bytes, compression: str) -> None:
    sample = samples[compression]
    result = read_all(folder / "rubbish.aedat4", sample.data[: sample.begin] + rubbish)
    assert result is not None
    read_all(folder / "more.aedat4", sample.data + rubbish)


def test_what_is_wrong_is_said_in_a_sentence(samples: dict[str, Sample], folder: Path) -> None:
    sample = samples["zstd"]
    path = folder / "told.aedat4"
    closed = read_all(path, sample.data)
    assert closed is not None
    assert closed[1] == ""
    cut = read_all(path, sample.data[: sample.ends[1] + 9])
    assert cut is not None
    assert cut[1] == "told.aedat4 is cut off: everything before the cut was kept."
    middle = bytearray(sample.data)
    middle[sample.ends[1] + 20 : sample.ends[1] + 30] = bytes(10)
    damaged = read_all(path, bytes(middle))
    assert damaged is not None
    assert damaged[1] == "told.aedat4 is damaged in 1 place: what is intact was kept, the rest left out."
    with Aedat4Writer(folder / "open.aedat4", 4, 4, "") as writer:
        writer.write(sample.packets[0][:0])
        killed = (folder / "open.aedat4").read_bytes()
    unclosed = read_all(path, killed)
    assert unclosed is not None
    assert "never closed" in unclosed[1]


def test_every_compression_has_been_damaged_here() -> None:
    assert {c.name.lower().removesuffix("_high") for c in Compression} == set(COMPRESSIONS)
