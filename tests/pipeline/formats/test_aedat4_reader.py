"""AEDAT 4 recordings are read as dv-processing reads them, from any place in them."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.events import EVENT_DTYPE, Events, join_events
from pipeline.formats.aedat4 import Aedat4Reader, Compression, container
from pipeline.formats.aedat4.container import PACKET_HEADER, VERSION_LINE, Table, build_table, pack_events

FIELDS = ("timestamp", "x", "y", "polarity")


def read_all(path: Path) -> Events:
    with Aedat4Reader(path) as reader:
        return join_events(list(reader.packets()))


def digests(events: Events) -> dict[str, str]:
    return {name: hashlib.sha256(events[name].astype(np.int64).tobytes()).hexdigest() for name in FIELDS}


@pytest.fixture(scope="session")
def recordings(shared_data: Path, wave_far: list[Path], wave_near: list[Path]) -> list[Path]:
    return [*wave_far, *wave_near, *sorted((shared_data / "formats").glob("*.aedat4"))]


def test_every_real_recording_is_read_as_dv_reads_it(recordings: list[Path]) -> None:
    dv = Path(__file__).with_name("dv_read.py")
    answer = subprocess.run([sys.executable, str(dv), *map(str, recordings)], capture_output=True, check=True, timeout=100)
    assert len(recordings) == 12
    for path, expected in zip(recordings, json.loads(answer.stdout), strict=True):
        with Aedat4Reader(path) as reader:
            events = join_events(list(reader.packets()))
            assert reader.event_count == len(events) == expected["events"] > 0
            assert [reader.width, reader.height] == expected["size"]
            assert reader.source == expected["source"]
            assert reader.recovered == ""
            assert (reader.start_us, reader.end_us) == (events["timestamp"][0], events["timestamp"][-1])
        assert events.dtype == EVENT_DTYPE
        assert digests(events) == expected["digests"]


def test_reading_from_any_time_gives_the_events_from_then_on(wave_far: list[Path]) -> None:
    events = read_all(wave_far[0])
    times = events["timestamp"]
    with Aedat4Reader(wave_far[0]) as reader:
        for time in (0, times[0], times[0] + 1, times[5000], times[5000] + 1, reader.start_us + reader.duration_us // 2, times[-1]):
            rest = join_events(list(reader.packets(int(time))))
            assert np.array_equal(rest, events[times >= time])
        assert list(reader.packets(int(times[-1]) + 1)) == []


def file_of(*streams: tuple[int, str], packets: bytes = b"", size: tuple[int, int] = (4, 3)) -> bytes:
    """A recording with the streams (number, type) given, never closed."""
    nodes = "".join(
        f'<node name="{number}"><attr key="typeIdentifier">{kind}</attr>'
        f'<node name="info"><attr key="sizeX">{size[0]}</attr><attr key="sizeY">{size[1]}</attr></node></node>'
        for number, kind in streams
    )
    header, _ = container.build_header(1, 1, "", Compression.NONE)
    old = header[header.index(b"<dv") : header.index(b"</dv>") + 5]
    new = f'<dv><node name="outInfo">{nodes}</node></dv>'.encode()
    at = header.index(old)
    header = header[: at - 4] + len(new).to_bytes(4, "little") + new + b"\0" * 8
    return VERSION_LINE + (len(header) - 4).to_bytes(4, "little") + header[4:] + packets


def packet(stream: int, payload: bytes) -> bytes:
    return PACKET_HEADER.pack(stream, len(payload)) + payload


def some_events(count: int, start: int = 0) -> Events:
    events = np.zeros(count, EVENT_DTYPE)
    events["timestamp"] = start + np.arange(count)
    return events


def test_streams_of_other_and_unknown_kinds_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "many.aedat4"
    unknown = b"\x14\0\0\0\x10\0\0\0WXYZ" + bytes(12)
    packets = packet(7, unknown) + packet(2, pack_events(some_events(5))) + packet(99, unknown) + packet(2, pack_events(some_events(3, 5)))
    path.write_bytes(file_of((7, "WXYZ"), (2, "EVTS"), packets=packets))
    assert np.array_equal(read_all(path), some_events(8))


@pytest.mark.parametrize("size", [(1, 1), (1280, 720), (32768, 32768)])
def test_sensors_of_any_size_are_read(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "sized.aedat4"
    path.write_bytes(file_of((0, "EVTS"), packets=packet(0, pack_events(some_events(2))), size=size))
    with Aedat4Reader(path) as reader:
        assert (reader.width, reader.height) == size


def test_a_recording_without_events_is_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "quiet.aedat4"
    path.write_bytes(file_of((0, "EVTS")))
    with Aedat4Reader(path) as reader:
        assert list(reader.packets()) == []
        assert list(reader.packets(5)) == []
        assert (reader.duration_us, reader.event_count) == (0, 0)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"#!AER", "not an AEDAT 4 recording"),
        (b"#!AER-DAT3.1\r\n#Format: RAW\r\n", "is an AEDAT 3.1 recording"),
        (b"#!AER-DAT2.0\r\n# jAER\r\n", "is an AEDAT 2.0 recording"),
        (b"hello, I am a text", "not an AEDAT 4 recording"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "not an AEDAT 4 recording"),
        (VERSION_LINE, "header of it.aedat4 is damaged"),
        (VERSION_LINE + b"\xff\xff\xff\xff", "header of it.aedat4 is damaged"),
        (VERSION_LINE + b"\x10\x00\x00\x00" + bytes(16), "header of it.aedat4 is damaged"),
        (file_of((0, "FRME"), (1, "IMUS")), "holds no event stream (it holds FRME, IMUS)"),
        (file_of(), "holds no event stream (it holds no stream at all)"),
        (file_of((0, "EVTS"), size=(0, 3)), "holds no event stream"),
        (file_of((0, "EVTS")).replace(b"<dv>", b"<!x>"), "header of it.aedat4 is damaged"),
        (file_of((0, "EVTS")).replace(b'"0"', b'"z"'), "header of it.aedat4 is damaged"),
    ],
)
def test_a_file_that_cannot_be_played_gets_one_sentence(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "it.aedat4"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        Aedat4Reader(path)
    assert told in str(error.value)
    assert error.value.exit_code == 1


def test_a_missing_file_and_a_folder_get_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no file"):
        Aedat4Reader(tmp_path / "nothing.aedat4")
    with pytest.raises(UserError, match="is a folder"):
        Aedat4Reader(tmp_path)
    with pytest.raises(UserError, match="cannot be read"):
        Aedat4Reader("a\0b")


def test_a_table_of_any_length_is_read_back() -> None:
    for count in (0, 1, 2, 7, 1000):
        columns = [np.arange(count, dtype=np.int64) + shift for shift in (0, 100, 200, 300, -400, 1 << 60)]
        columns[0] %= 5
        table = container.parse_table(bytearray(build_table(Table(*columns))))
        for name, column in zip(("stream", "offset", "size", "elements", "start_us", "end_us"), columns, strict=True):
            assert np.array_equal(getattr(table, name), column)


def test_a_small_frame_cannot_make_us_take_much_memory() -> None:
    bomb = (1 << 30).to_bytes(4, "little") + bytes(1 << 20)
    for compression in Compression:
        with pytest.raises(container.Damaged):
            container.decompress(container.compress(bomb, compression))
    announced = (100 << 20).to_bytes(4, "little")  # allowed, but an LZ4 frame of this size cannot hold it
    with pytest.raises(container.Damaged, match="at most"):
        container.decompress(container.compress(announced, Compression.LZ4))
