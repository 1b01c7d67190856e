"""AEDAT 2.0: every event of a pixel comes out where it was seen, in whole time, and damage costs no more than it touches."""

from pathlib import Path

import numpy as np
import pytest
from aedat_bytes import JAER_HEADER, Event, chip, davis, dvs128, records
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.events import join_events
from pipeline.formats import aedat2
from pipeline.formats.aedat2 import Aedat2Reader

HEADER = chip("DVS128")
EVENTS = st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 127), st.integers(0, 127), st.integers(0, 1)), max_size=40)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("aedat2") / "it.aedat"


def read(path: Path, data: bytes, from_us: int | None = None) -> tuple[list[Event], str]:
    """Events of the file with these bytes, and what it says of damage."""
    path.write_bytes(data)
    with Aedat2Reader(path) as reader:
        events = join_events(list(reader.packets(from_us)))
        return events[["timestamp", "x", "y", "polarity"]].tolist(), reader.recovered


@given(steps=EVENTS)
def test_what_was_recorded_is_read_in_whole_time_however_often_the_stamps_wrap(path: Path, steps: list[Event]) -> None:
    times = np.cumsum([t for t, *_ in steps], dtype=np.int64) + (1 << 31)
    events = [(int(t), x, y, p) for t, (_, x, y, p) in zip(times, steps, strict=True)]
    first = events[0][0] - events[0][0] % (1 << 32) if events else 0
    told = [(t - first, x, y, p) for t, x, y, p in events]
    assert read(path, HEADER + records(map(dvs128, events))) == (told, "")


@given(events=EVENTS, data=st.data())
def test_a_cut_file_keeps_every_record_before_the_cut(path: Path, events: list[Event], data: st.DataObject) -> None:
    events = sorted(events)
    whole = HEADER + records(map(dvs128, events))
    cut = data.draw(st.integers(len(HEADER), len(whole)))
    kept, told = read(path, whole[:cut])
    assert kept == events[: (cut - len(HEADER)) // 8]
    assert bool(told) == bool((cut - len(HEADER)) % 8)


@given(st.binary(max_size=200))
def test_anything_may_follow_the_header(path: Path, rubbish: bytes) -> None:
    try:
        read(path, HEADER + rubbish)
        read(path, JAER_HEADER + rubbish)
        read(path, HEADER + rubbish, 1 << 40)
    except UserError as error:
        assert str(error).endswith(".")


def test_records_that_no_pixel_made_are_left_out(path: Path) -> None:
    sync, event = (0x8000, 5), dvs128((7, 1, 2, 1))
    assert read(path, HEADER + records([sync, event, sync])) == ([(7, 1, 2, 1)], "")
    kept, told = read(path, HEADER + records([event] * 300 + [(1 << 20, 8)]))
    assert len(kept) == 300
    assert told == "it.aedat is damaged: 1 record is not of its camera and was left out."


@pytest.mark.parametrize(("name", "width", "height"), [("Davis346B", 346, 260), ("DAVIS240C", 240, 180), ("Davis640", 640, 480)])
def test_the_cameras_of_the_davis_family_are_read_without_their_pictures(path: Path, name: str, width: int, height: int) -> None:
    events = [(1, 0, 0, 1), (2, width - 1, height - 1, 0), (3, 17, 4, 1)]
    words = [davis(event, width, height) for event in events]
    words[1:1] = [(1 << 31 | 5 << 22, 1), (1 << 10 | 3, 1)]
    assert read(path, chip(name) + records(words)) == (events, "")
    with Aedat2Reader(path) as reader:
        assert (reader.width, reader.height, reader.source, reader.event_count) == (width, height, name, 3)


def test_a_recording_without_a_camera_is_of_a_dvs128_unless_its_addresses_say_otherwise(path: Path) -> None:
    assert read(path, JAER_HEADER + records([dvs128((1, 2, 3, 0))]))[0] == [(1, 2, 3, 0)]
    with pytest.raises(UserError, match="names no camera"):
        read(path, JAER_HEADER + records([davis((1, 2, 3, 0), 346, 260)]))
    with pytest.raises(UserError, match="of a Cochlea"):
        read(path, chip("CochleaAMS1c") + records([(1, 1)]))


def test_a_header_without_an_end_mark_ends_where_the_text_does(path: Path) -> None:
    looks_like_text = (0x23 << 24 | 1 << 11, 7)  # its first byte is a "#"
    kept, _ = read(path, JAER_HEADER + b"# AEChip: DAVIS240C\r\n" + records([looks_like_text]))
    assert len(kept) == 1


def test_a_time_that_runs_back_for_one_record_costs_nothing_around_it(path: Path) -> None:
    stamps = [4_294_967_290, 4_294_967_295, 3, 4_294_967_294, 9]
    kept, _ = read(path, HEADER + records((0, stamp) for stamp in stamps))
    assert np.diff([t for t, *_ in kept]).tolist() == [5, 4, -5, 11]


def test_blocks_are_decoded_alone_as_in_one_piece(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(5)
    times = np.cumsum(random.integers(0, 1 << 28, 500))
    data = HEADER + records(dvs128((int(t), int(x), int(y), 1)) for t, x, y in zip(times, *random.integers(0, 128, (2, 500)), strict=True))
    whole, _ = read(path, data)
    monkeypatch.setattr(aedat2, "BLOCK", 64)
    assert read(path, data)[0] == whole
    for t in (0, whole[250][0], whole[251][0] - 1, whole[-1][0], whole[-1][0] + 1):
        assert read(path, data, t)[0] == [event for event in whole if event[0] >= t]


def test_real_recordings_are_read_whole(shared_data: Path) -> None:
    paths = sorted([*shared_data.glob("not-gestures/*.aedat"), *shared_data.glob("gestures/arm-unlabelled/*.aedat")])
    for path, count in zip(paths, [130_114, 201_523, 293_096, 160_245], strict=True):
        with Aedat2Reader(path) as reader:
            assert reader.event_count == count
            assert len(join_events(list(reader.packets()))) == count
            assert not reader.recovered
            assert reader.duration_us > 6_000_000


def test_a_real_pendulum_hangs_lowest_in_the_middle_of_its_swing(shared_data: Path) -> None:
    """Which way up a file is shows in gravity; its first five seconds are a swing across the view that nobody touches."""
    with Aedat2Reader(shared_data / "not-gestures" / "pendulo2.aedat") as reader:
        events = join_events(list(reader.packets()))
        steps = (events["timestamp"] - reader.start_us) // 20_000
    across, down = [], []
    for step in range(250):
        seen = events[steps == step]
        middle = np.median(seen["x"]), np.median(seen["y"])
        near = seen[(abs(seen["x"] - middle[0]) < 12) & (abs(seen["y"] - middle[1]) < 12)]
        across.append(near["x"].mean())
        down.append(near["y"].mean())
    curvature, _, _ = np.polyfit(across, down, 2)
    assert curvature < 0  # y grows downwards: lowest in the middle is largest in the middle
