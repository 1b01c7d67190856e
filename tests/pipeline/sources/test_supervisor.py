"""A source process that crashes, hangs or cannot start is replaced or given up with a sentence, and the engine never waits for it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import USAGE, UserError
from pipeline.events import EVENT_DTYPE, Events, Packet, SourceInfo, join_events
from pipeline.formats.aedat4 import Aedat4Reader, Aedat4Writer
from pipeline.sources import supervisor
from pipeline.sources.base import Notice
from pipeline.sources.supervisor import SupervisedSource

COUNT = 30_000


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds, an event every 100 us."""
    path = tmp_path_factory.mktemp("supervisor") / "it.aedat4"
    events = np.zeros(COUNT, EVENT_DTYPE)
    events["timestamp"] = 1_000_000 + np.arange(COUNT) * 100
    events["x"] = np.arange(COUNT) % 32
    with Aedat4Writer(path, 32, 32, "Sample") as writer:
        writer.write(events)
    return path


class Engine:
    """Reads a source as the engine does."""

    def __init__(self, spec: str, **options: Any) -> None:
        self.source = SupervisedSource(spec, **options)
        self.source.start()
        self.packets: list[Packet] = []
        self.notices: list[Notice] = []
        self.infos: list[SourceInfo] = []

    def read(self, timeout: float = 0.1) -> None:
        item = self.source.read(timeout)
        if isinstance(item, Packet):
            self.packets.append(item)
        elif isinstance(item, Notice):
            self.notices.append(item)
        elif item is not None:
            self.infos.append(item)

    def until(self, condition: Callable[["Engine"], bool], seconds: float = 60) -> "Engine":
        deadline = time.monotonic() + seconds
        while not condition(self):
            assert time.monotonic() < deadline, self.notices
            self.read()
        return self

    def until_state(self, state: str, times: int = 1) -> "Engine":
        return self.until(lambda e: [n.state for n in e.notices].count(state) >= times)

    @property
    def events(self) -> Events:
        return join_events([packet.events for packet in self.packets])

    @property
    def pid(self) -> int:
        worker = self.source._worker
        assert worker is not None
        return worker._process.pid


@pytest.fixture
def engine_of() -> Iterator[Callable[..., Engine]]:
    """Makes engines; afterwards none of their processes may be left."""
    engines: list[Engine] = []

    def make(spec: object, **options: Any) -> Engine:
        engines.append(Engine(str(spec), **options))
        return engines[-1]

    yield make
    for engine in engines:
        engine.source.close(5)
    children = [int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    assert not [pid for pid in children if b"pipeline.sources.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


Makes = Callable[..., Engine]


def test_a_recording_comes_whole_and_in_order_through_the_process(engine_of: Makes, recording: Path) -> None:
    engine = engine_of(recording, speed=0).until_state("ended")
    with Aedat4Reader(recording) as reader:
        assert np.array_equal(engine.events, join_events(list(reader.packets())))
    assert [packet.status.sequence for packet in engine.packets] == list(range(len(engine.packets)))
    assert [notice.state for notice in engine.notices] == ["starting", "live", "ended"]
    assert len(engine.infos) == 1
    assert all(packet.status.source == str(recording) for packet in engine.packets)
    assert engine.source.close(10)
    assert engine.source.read(0) is None


def test_a_reader_that_is_slow_loses_nothing_and_its_source_is_not_taken_for_hung(
    monkeypatch: pytest.MonkeyPatch, engine_of: Makes, recording: Path
) -> None:
    monkeypatch.setattr(supervisor, "SILENCE_S", 1.0)
    engine = engine_of(recording, speed=0).until(lambda e: len(e.packets) == 3)
    time.sleep(2.5)
    engine.until_state("ended")
    assert len(engine.events) == COUNT
    assert "waiting" not in [notice.state for notice in engine.notices]


@pytest.mark.parametrize(("number", "told"), [(signal.SIGKILL, "crashed (SIGKILL)"), (signal.SIGSTOP, "stopped answering")])
def test_a_worker_that_dies_or_hangs_is_replaced_where_it_was(
    monkeypatch: pytest.MonkeyPatch, engine_of: Makes, recording: Path, number: signal.Signals, told: str
) -> None:
    monkeypatch.setattr(supervisor, "SILENCE_S", 1.5)
    engine = engine_of(recording, speed=2.0).until(lambda e: len(e.packets) > 10)
    os.kill(engine.pid, number)
    engine.until_state("waiting").until_state("ended")
    assert told in engine.notices[2].sentence
    assert [notice.state for notice in engine.notices] == ["starting", "live", "waiting", "live", "ended"]
    assert len(engine.events) == COUNT
    times = engine.events["timestamp"]
    assert (np.diff(times) >= 0).all()
    assert (np.diff([packet.status.until_us for packet in engine.packets]) >= 0).all()
    assert [packet.status.discontinuity for packet in engine.packets].count(True) == 1


def test_a_recording_that_kills_its_worker_twice_at_the_same_place_is_given_up(engine_of: Makes, recording: Path) -> None:
    engine = engine_of(recording, start_paused=True)
    for lives in (1, 2):
        engine.until_state("live", lives)
        os.kill(engine.pid, signal.SIGSEGV)
    engine.until_state("failed")
    assert engine.notices[-1].exit_code == 1
    assert "crashed (SIGSEGV), again and again" in engine.notices[-1].sentence
    assert engine.source.read(0.3) is None


def test_a_live_source_is_never_given_up(monkeypatch: pytest.MonkeyPatch, engine_of: Makes) -> None:
    monkeypatch.setattr(supervisor, "BACKOFF_S", (0.05,))
    engine = engine_of("tcp://127.0.0.1:9").until_state("waiting")
    for crashes in range(2):
        before = len(engine.notices)
        os.kill(engine.pid, signal.SIGKILL)
        engine.until(lambda e, n=before: len(e.notices) >= n + 2)  # type: ignore[misc]
        assert "started again" in engine.notices[before].sentence, crashes
    assert "failed" not in [notice.state for notice in engine.notices]


def test_a_worker_that_cannot_start_is_given_up_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch, engine_of: Makes, tmp_path: Path, recording: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nprint('ImportError: libatomic.so.1', file=sys.stderr, flush=True)\nos._exit(1)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(supervisor, "BACKOFF_S", (0.05,))
    engine = engine_of(recording).until_state("failed")
    assert "ImportError: libatomic.so.1" in engine.notices[-1].sentence


def test_what_is_not_there_fails_with_a_sentence_and_is_not_tried_again(engine_of: Makes, tmp_path: Path) -> None:
    engine = engine_of(tmp_path / "nothing.aedat4").until_state("failed")
    assert "There is no file" in engine.notices[-1].sentence
    assert engine.notices[-1].exit_code == 1
    assert engine.source.read(1.0) is None
    assert [notice.state for notice in engine.notices] == ["starting", "failed"]


def test_no_camera_fails_with_exit_code_1(engine_of: Makes) -> None:
    from pipeline.sources.camera import dv_cameras

    if dv_cameras().serials():
        pytest.skip("an event camera is connected to this computer")
    engine = engine_of("camera").until_state("failed")
    assert engine.notices[-1].sentence.startswith("No event camera is connected")
    assert engine.notices[-1].exit_code == 1


def test_commands_from_another_thread_are_carried_out_and_survive_the_worker(engine_of: Makes, recording: Path) -> None:
    engine = engine_of(recording, start_paused=True).until_state("live")
    for op, arguments in (("speed", {"value": 0}), ("seek", {"position_us": 2_000_000}), ("step", {})):
        thread = threading.Thread(target=engine.source.command, args=(op,), kwargs=arguments)
        thread.start()
        thread.join()
    engine.until(lambda e: len(e.events) == 250)
    engine.source.command("fly")
    engine.until(lambda e: "cannot fly" in e.notices[-1].sentence)
    os.kill(engine.pid, signal.SIGKILL)
    engine.until_state("live", 3)
    assert engine.source.read(0.5) is None, "it was paused"
    engine.source.command("play")
    engine.until_state("ended")
    assert len(engine.events) == COUNT // 3


def test_close_ends_a_read_that_waits(engine_of: Makes, recording: Path) -> None:
    engine = engine_of(recording, start_paused=True).until_state("live")
    thread = threading.Thread(target=engine.source.read, args=(60,))
    thread.start()
    time.sleep(0.1)
    assert engine.source.close(10)
    thread.join(10)
    assert not thread.is_alive()


def test_a_worker_that_does_not_end_is_killed_and_that_is_reported(engine_of: Makes, recording: Path) -> None:
    engine = engine_of(recording, start_paused=True).until_state("live")
    os.kill(engine.pid, signal.SIGSTOP)
    assert not engine.source.close(0.3)


def test_the_worker_ends_itself_when_the_engine_dies(recording: Path, tmp_path: Path) -> None:
    program = (
        "import os, sys; from pipeline.sources.supervisor import SupervisedSource, Notice\n"
        "s = SupervisedSource(sys.argv[1], start_paused=True); s.start()\n"
        "while not (isinstance(i := s.read(1), Notice) and i.state == 'live'): pass\n"
        "print(s._worker._process.pid, flush=True); os.kill(os.getpid(), 9)\n"
    )
    root = Path(__file__).parents[3]
    dead = subprocess.run([sys.executable, "-c", program, str(recording)], cwd=root, stdout=subprocess.PIPE, timeout=60)
    status = Path(f"/proc/{int(dead.stdout)}/status")
    deadline = time.monotonic() + 20
    while status.exists() and "Z (zombie)" not in status.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("spec", ["", "webcam:x", "tcp://nowhere"])
def test_an_unknown_source_is_a_mistake_of_usage(spec: str) -> None:
    with pytest.raises(UserError) as error:
        SupervisedSource(spec)
    assert error.value.exit_code == USAGE
