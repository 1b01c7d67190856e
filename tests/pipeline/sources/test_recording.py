"""A recording is played completely, in order, and from wherever the transport puts it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import PARTIAL, UserError
from pipeline.events import EVENT_DTYPE, Events, Packet, SourceInfo, join_events
from pipeline.formats.aedat4 import Aedat4Reader, Aedat4Writer
from pipeline.frames import WINDOW_US
from pipeline.sources.base import Notice, Options
from pipeline.sources.recording import GAP_US, RecordingSource

Makes = Callable[..., "Player"]

START = 1_700_000_000_012_345
DURATION = 400_000


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """0.4 s of random events on an 8x8 sensor."""
    path = tmp_path / "it.aedat4"
    random = np.random.default_rng(3)
    events = np.zeros(4000, EVENT_DTYPE)
    events["timestamp"] = START + np.sort(random.integers(0, DURATION, len(events)))
    events["timestamp"][0], events["timestamp"][-1] = START, START + DURATION
    events["x"], events["y"] = random.integers(0, 8, (2, len(events)))
    with Aedat4Writer(path, 8, 8, "Sample") as writer:
        writer.write(events)
    return path


@pytest.fixture
def player_of() -> Iterator[Makes]:
    """Makes players, and closes them."""
    players: list[Player] = []

    def make(path: Path, **options: object) -> Player:
        players.append(Player(path, **options))
        return players[-1]

    yield make
    for player in players:
        player.source.close()


def events_of(path: Path) -> Events:
    with Aedat4Reader(path) as reader:
        return join_events(list(reader.packets()))


class Player:
    """Drives a source as the worker does, and collects what it tells."""

    def __init__(self, path: Path, **options: object) -> None:
        self.source = RecordingSource(str(path), str(path), Options(**options))  # type: ignore[arg-type]
        self.source.open()
        self.packets: list[Packet] = []
        self.notices: list[Notice] = []
        self.infos: list[SourceInfo] = []

    def play(self, most: int = 100_000) -> "Player":
        """Until nothing is due any more (paused or ended), or a number of packets has come."""
        while len(self.packets) < most:
            due = self.source.due()
            if due > 10:
                return self
            time.sleep(due)
            item = self.source.read()
            if isinstance(item, Packet):
                self.packets.append(item)
            elif isinstance(item, Notice):
                self.notices.append(item)
            elif item is not None:
                self.infos.append(item)
        return self

    @property
    def events(self) -> Events:
        return join_events([packet.events for packet in self.packets])

    def check_time(self) -> None:
        """What every consumer may rely on."""
        last = 0
        for number, packet in enumerate(self.packets):
            assert packet.status.sequence == number
            assert packet.status.until_us >= last
            if len(packet.events):
                assert packet.events["timestamp"][0] >= last
                assert packet.events["timestamp"][-1] <= packet.status.until_us
                assert (np.diff(packet.events["timestamp"]) >= 0).all()
            last = packet.status.until_us


@pytest.mark.parametrize("speed", [0.0, 4.0, 40.0])
def test_every_event_is_handed_on_once_and_unchanged(player_of: Makes, recording: Path, speed: float) -> None:
    player = player_of(recording, speed=speed).play()
    assert np.array_equal(player.events, events_of(recording))
    player.check_time()
    assert [packet.status.end for packet in player.packets].count(True) == 1
    assert player.packets[-1].status.end
    assert player.packets[-1].status.position_us == DURATION
    assert [notice.state for notice in player.notices] == ["live", "ended"]
    assert player.notices[-1].exit_code == 0
    info = player.infos[0]
    assert (info.kind, info.width, info.height, info.live, info.duration_us, info.start_us) == ("file", 8, 8, False, DURATION, START)


def test_slices_end_where_windows_end(player_of: Makes, recording: Path) -> None:
    for speed in (0.0, 1.0):
        for packet in player_of(recording, speed=speed).play(most=20).packets:
            assert packet.status.until_us % (WINDOW_US if speed == 0 else 5000) == 0


def test_playing_takes_the_time_that_the_recording_took(player_of: Makes, recording: Path) -> None:
    begin = time.monotonic()
    player_of(recording, speed=2.0).play()
    assert time.monotonic() - begin >= DURATION / 2e6 * 0.9


def test_a_damaged_recording_plays_what_is_intact_and_ends_as_partial(player_of: Makes, recording: Path) -> None:
    whole = events_of(recording)
    data = recording.read_bytes()
    recording.write_bytes(data[: len(data) * 2 // 3])
    player = player_of(recording, speed=0).play()
    assert 1000 < len(player.events) < len(whole)
    assert np.array_equal(player.events, whole[: len(player.events)])
    assert player.notices[-1] == Notice("warning", "ended", "it.aedat4 is cut off: everything before the cut was kept.", PARTIAL)
    assert "recovered" in player.infos[0].extra


def test_an_empty_recording_ends_at_once_even_in_a_loop(player_of: Makes, tmp_path: Path) -> None:
    path = tmp_path / "empty.aedat4"
    Aedat4Writer(path, 8, 8, "").close()
    for loop in (False, True):
        player = player_of(path, loop=loop).play()
        assert player.packets[-1].status.end
        assert player.notices[-1].state == "ended"


def test_a_loop_goes_on_in_time_with_the_same_windows_each_round(player_of: Makes, recording: Path) -> None:
    whole = events_of(recording)
    player = player_of(recording, speed=0, loop=True).play(most=60)
    player.source.command("loop", {"value": False})
    player.play()
    player.check_time()
    rounds = len(player.events) // len(whole)
    assert rounds >= 3
    assert len(player.events) == rounds * len(whole)
    assert [p.status.discontinuity for p in player.packets].count(True) == rounds - 1
    for number in range(rounds):
        again = player.events[number * len(whole) : (number + 1) * len(whole)]
        shift = again["timestamp"] - whole["timestamp"]
        assert (shift == shift[0]).all()
        assert shift[0] % WINDOW_US == 0


def test_paused_it_waits_and_steps_one_window_at_a_time(player_of: Makes, recording: Path) -> None:
    player = player_of(recording, paused=True).play()
    assert player.packets == []
    for _ in range(3):
        player.source.command("step", {})
        player.play()
    ends = [(START // WINDOW_US + n) * WINDOW_US for n in (1, 2, 3)]
    assert player.packets[-1].status.until_us == ends[-1]
    whole = events_of(recording)
    assert np.array_equal(player.events, whole[whole["timestamp"] < ends[-1]])
    assert set(ends) <= {packet.status.until_us for packet in player.packets}


def test_pause_and_play_lose_nothing(player_of: Makes, recording: Path) -> None:
    player = player_of(recording, speed=0).play(most=5)
    player.source.command("pause", {})
    count = len(player.packets)
    player.play()
    assert len(player.packets) <= count + 1
    player.source.command("play", {})
    player.play()
    assert np.array_equal(player.events, events_of(recording))


@pytest.mark.parametrize("position", [0, 1, 100_000, 250_001, DURATION, DURATION + 1, -5])
def test_after_seeking_events_from_there_on_follow(player_of: Makes, recording: Path, position: int) -> None:
    player = player_of(recording, speed=0).play(most=6)
    player.source.command("seek", {"position_us": position})
    first = len(player.packets)
    player.play()
    player.check_time()
    whole = events_of(recording)
    clamped = min(max(0, position), DURATION)
    expected = whole[whole["timestamp"] >= START + clamped]
    got = join_events([packet.events for packet in player.packets[first:]])
    assert len(got) == len(expected)
    shift = got["timestamp"] - expected["timestamp"]
    assert (shift == shift[0]).all()
    assert shift[0] % WINDOW_US == 0
    assert player.packets[first].status.discontinuity
    assert player.packets[first].status.position_us == clamped


def test_a_recording_that_has_ended_plays_again(player_of: Makes, recording: Path) -> None:
    player = player_of(recording, speed=0).play()
    for again in ("play", "seek"):
        player.source.command(again, {"position_us": 0})
        player.play()
    assert len(player.events) == 3 * len(events_of(recording))
    assert [notice.state for notice in player.notices] == ["live", "ended"] * 3


def test_carrying_on_where_a_worker_was_lost_repeats_and_loses_nothing(player_of: Makes, recording: Path) -> None:
    first = player_of(recording, speed=0).play(most=7)
    last = first.packets[-1].status
    second = player_of(recording, speed=0, position_us=last.position_us, not_before_us=last.until_us, sequence=7).play()
    assert second.packets[0].status.sequence == 7
    assert second.packets[0].status.discontinuity
    assert second.events["timestamp"][0] >= last.until_us
    assert len(first.events) + len(second.events) == len(events_of(recording))


def test_a_long_gap_is_passed_over_but_time_is_not(player_of: Makes, tmp_path: Path) -> None:
    path = tmp_path / "gap.aedat4"
    events = np.zeros(4, EVENT_DTYPE)
    events["timestamp"] = [0, 1, 1800 * GAP_US, 1800 * GAP_US + 1]
    with Aedat4Writer(path, 1, 1, "") as writer:
        writer.write(events)
    player = player_of(path).play()
    assert np.array_equal(player.events, events)
    player.check_time()


@pytest.mark.parametrize(
    ("op", "arguments"),
    [("seek", {}), ("seek", {"position_us": "x"}), ("seek", {"position_us": float("nan")}), ("speed", {"value": -1}), ("fly", {})],
)
def test_a_command_that_makes_no_sense_gets_a_sentence(player_of: Makes, recording: Path, op: str, arguments: dict[str, object]) -> None:
    player = player_of(recording, paused=True)
    with pytest.raises(UserError):
        player.source.command(op, arguments)


def test_events_that_lie_are_put_right_at_the_door(player_of: Makes, tmp_path: Path) -> None:
    path = tmp_path / "lies.aedat4"
    events = np.zeros(1000, EVENT_DTYPE)
    events["timestamp"] = START + np.arange(1000) * 100
    with Aedat4Writer(path, 8, 8, "", "none") as writer:
        writer.write(events)
    data = bytearray(path.read_bytes())
    place = data.index(events[500:501].tobytes())
    data[place : place + 12] = np.array([START + 10_000], "<i8").tobytes() + b"\x05\x00\x07\x00"
    place = data.index(events[700:701].tobytes())
    data[place + 8 : place + 10] = b"\x40\x00"
    path.write_bytes(data)
    player = player_of(path, speed=0).play()
    player.check_time()
    assert sum(packet.status.repaired for packet in player.packets) == 1
    assert sum(packet.status.refused for packet in player.packets) == 1
    assert len(player.events) == 999
