"""What Egret records, others read, and nothing that was written is lost."""

import hashlib
import json
import resource
import signal
import subprocess
import sys
from pathlib import Path

import aedat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.events import EVENT_DTYPE, Events, join_events
from pipeline.formats.aedat4 import Aedat4Reader, Aedat4Writer, Compression
from pipeline.formats.aedat4.writer import PACKET_EVENTS

FIELDS = ("timestamp", "x", "y", "polarity")
COMPRESSIONS = [c.name.lower() for c in Compression]


def random_events(count: int, width: int = 346, height: int = 260, seed: int = 1) -> Events:
    random = np.random.default_rng(seed)
    events = np.zeros(count, EVENT_DTYPE)
    events["timestamp"] = 1_700_000_000_000_000 + np.cumsum(random.integers(0, 20, count))
    events["x"], events["y"] = random.integers(0, width, count), random.integers(0, height, count)
    events["polarity"] = random.integers(0, 2, count)
    return events


def write(path: Path, events: Events, compression: str = "zstd", chunk: int = 777) -> None:
    with Aedat4Writer(path, 346, 260, 'DAVIS346 <"1" & more>', compression) as writer:
        for start in range(0, len(events), chunk):
            writer.write(events[start : start + chunk])
        assert writer.events == len(events)
    assert writer.bytes == path.stat().st_size


def read_all(path: Path) -> Events:
    with Aedat4Reader(path) as reader:
        return join_events(list(reader.packets()))


def test_dv_and_aedat_read_every_compression_back_bit_by_bit(tmp_path: Path) -> None:
    events = random_events(20_000)
    paths = [tmp_path / f"{name}.aedat4" for name in COMPRESSIONS]
    for path, name in zip(paths, COMPRESSIONS, strict=True):
        write(path, events, name)
        with Aedat4Reader(path) as reader:
            assert (reader.event_count, reader.recovered) == (len(events), "")
            assert reader.source == 'DAVIS346 <"1" & more>'
            assert np.array_equal(join_events(list(reader.packets())), events)
        theirs = np.concatenate([packet["events"] for packet in aedat.Decoder(path) if "events" in packet])
        for mine, name_of_theirs in zip(FIELDS, ("t", "x", "y", "on"), strict=True):
            assert np.array_equal(theirs[name_of_theirs].astype(np.int64), events[mine].astype(np.int64))

    dv = Path(__file__).with_name("dv_read.py")
    answer = subprocess.run([sys.executable, str(dv), *map(str, paths)], capture_output=True, check=True, timeout=100)
    for read in json.loads(answer.stdout):
        assert (read["events"], read["size"], read["source"]) == (len(events), [346, 260], 'DAVIS346 <"1" & more>')
        for field in FIELDS:
            assert read["digests"][field] == hashlib.sha256(events[field].astype(np.int64).tobytes()).hexdigest()


@given(data=st.data())
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "round-trip.aedat4"
    steps = data.draw(st.lists(st.sampled_from([0, 1, 5_000, 9_999, 10_000, 1 << 40]), max_size=60))
    start = data.draw(st.integers(0, 1 << 50))
    events = np.zeros(len(steps), EVENT_DTYPE)
    events["timestamp"] = start + np.cumsum(steps, dtype=np.int64)
    events["x"] = data.draw(st.integers(0, 32766))
    events["polarity"] = np.arange(len(steps)) % 2
    cuts = sorted(data.draw(st.lists(st.integers(0, len(steps)), max_size=4)))
    with Aedat4Writer(path, 32767, 1, "", data.draw(st.sampled_from(["none", "lz4", "zstd"])), overwrite=True) as writer:
        for part in np.split(events, cuts):
            writer.write(part)
    with Aedat4Reader(path) as reader:
        assert np.array_equal(join_events(list(reader.packets())), events)
        assert reader.recovered == ""
        if len(events):
            assert (reader.start_us, reader.end_us) == (events["timestamp"][0], events["timestamp"][-1])
            pick = int(data.draw(st.sampled_from(events["timestamp"].tolist())))
            assert np.array_equal(join_events(list(reader.packets(pick))), events[events["timestamp"] >= pick])


def test_the_padding_of_events_is_not_recorded(tmp_path: Path) -> None:
    events = random_events(100)
    dirty = np.frombuffer(bytearray(b"\xff" * events.nbytes), EVENT_DTYPE)
    for name in FIELDS:
        dirty[name] = events[name]
    write(tmp_path / "clean.aedat4", events, "none")
    write(tmp_path / "dirty.aedat4", dirty, "none")
    assert (tmp_path / "clean.aedat4").read_bytes() == (tmp_path / "dirty.aedat4").read_bytes()


def test_many_events_at_once_become_packets_of_a_size_to_seek_in(tmp_path: Path) -> None:
    events = random_events(PACKET_EVENTS * 2 + 1)
    write(tmp_path / "large.aedat4", events, chunk=len(events))
    with Aedat4Reader(tmp_path / "large.aedat4") as reader:
        packets = list(reader.packets())
    assert max(map(len, packets)) <= PACKET_EVENTS
    assert np.array_equal(join_events(packets), events)


def test_an_existing_file_is_left_alone_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "mine.aedat4"
    path.write_bytes(b"precious")
    with pytest.raises(UserError, match="exists already: choose another name"):
        Aedat4Writer(path, 1, 1, "")
    assert path.read_bytes() == b"precious"
    Aedat4Writer(path, 1, 1, "", overwrite=True).close()
    assert read_all(path).size == 0


def test_what_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no folder"):
        Aedat4Writer(tmp_path / "no" / "where.aedat4", 1, 1, "")
    with pytest.raises(UserError, match="There is no compression 'zip': use one of none, lz4"):
        Aedat4Writer(tmp_path / "it.aedat4", 1, 1, "", "zip")
    with pytest.raises(UserError, match="cannot be written"):
        Aedat4Writer(tmp_path, 1, 1, "", overwrite=True)


def test_events_that_have_not_passed_the_door_are_a_bug(tmp_path: Path) -> None:
    events = random_events(10)
    with Aedat4Writer(tmp_path / "it.aedat4", 346, 260, "") as writer:
        writer.write(events)
        for wrong in (events, events[::-1]):
            with pytest.raises(ValueError, match="backwards"):
                writer.write(wrong)
        outside = random_events(1)
        outside["timestamp"] += 1000
        outside["x"] = 346
        with pytest.raises(ValueError, match="outside"):
            writer.write(outside)
    with pytest.raises(ValueError, match="closed"):
        writer.write(events)
    assert np.array_equal(read_all(tmp_path / "it.aedat4"), events)


def test_a_full_disk_is_told_in_a_sentence() -> None:
    with pytest.raises(UserError, match=r"The disk is full: .* make room"):
        Aedat4Writer("/dev/full", 1, 1, "", overwrite=True)


def test_everything_before_a_write_that_failed_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "limited.aedat4"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    writer = Aedat4Writer(path, 346, 260, "", "none")
    events = random_events(5_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(UserError, match=r"Writing stopped .* are safe in"):
            for start in range(0, len(events), 100):
                writer.write(events[start : start + 100])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    writer.close()
    with Aedat4Reader(path) as reader:
        kept = join_events(list(reader.packets()))
        assert "never closed" in reader.recovered
    assert 2_000 < len(kept) < 5_000
    assert np.array_equal(kept, events[: len(kept)])


def test_a_killed_recording_lacks_at_most_its_last_packet(tmp_path: Path) -> None:
    path = tmp_path / "killed.aedat4"
    program = (
        "import os, sys; import numpy as np; from pipeline.events import EVENT_DTYPE; from pipeline.formats.aedat4 import Aedat4Writer\n"
        "w = Aedat4Writer(sys.argv[1], 4, 4, '')\n"
        "for i in range(95):\n"
        "    e = np.zeros(10, EVENT_DTYPE); e['timestamp'] = i * 1000 + np.arange(10); w.write(e)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    root = Path(__file__).parents[3]
    ended = subprocess.run([sys.executable, "-c", program, str(path)], cwd=root, timeout=60)
    assert ended.returncode == -9
    dv = Path(__file__).with_name("dv_read.py")
    theirs = json.loads(subprocess.run([sys.executable, str(dv), str(path)], capture_output=True, check=True, timeout=60).stdout)
    kept = read_all(path)
    assert theirs[0]["events"] == len(kept) >= 850
    assert np.array_equal(kept["timestamp"], (np.arange(len(kept)) // 10) * 1000 + np.arange(len(kept)) % 10)
