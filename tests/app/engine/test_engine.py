"""Promises of the engine to its windows, over the real socket, on a real source process."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commandline import environment

from app.engine import session
from app.engine.loop import Engine, EngineSettings
from app.protocol import MAX_LINE, TICK_US, Message, decode, encode
from pipeline.errors import UserError
from pipeline.events import EVENT_DTYPE
from pipeline.formats.aedat4 import Aedat4Reader, Aedat4Writer


class Window:
    """A client that keeps all it is told."""

    def __init__(self, engine: Engine) -> None:
        self.told: list[Message] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(str(engine.folder / session.SOCKET))
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with self._socket.makefile("rb") as lines:
            for line in lines:
                self.told.append(decode(line))

    def order(self, op: str, **arguments: Any) -> None:
        self._socket.sendall(encode({"op": op} | arguments))

    def last(self, kind: str) -> Message:
        return next((message for message in reversed(self.told) if message["type"] == kind), {})

    def wait_for(self, condition: Callable[[], Any], what: str, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}; last: {self.told[-3:]}"
            time.sleep(0.01)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


@pytest.fixture
def attached(simulated_wave: Path) -> Iterator[tuple[Engine, Window]]:
    """An engine that loops over a simulated wave, and a window on it."""
    with Engine(EngineSettings(str(simulated_wave), loop=True, stay=True)) as engine:
        loop = threading.Thread(target=engine.run)
        loop.start()
        window = Window(engine)
        window.wait_for(lambda: window.last("decision"), "a decision")
        yield engine, window
        window.close()
        engine.stop()
        loop.join()
    assert not engine.folder.exists()


Attached = tuple[Engine, Window]


def test_a_new_window_is_told_all_it_needs(attached: Attached) -> None:
    _, window = attached
    hello = window.told[0]
    assert hello["type"] == "hello"
    assert hello["runtime"]["badge"] == "HOST"
    assert len(hello["models"]["gesture"]["labels"]) == 11
    assert {"version", "pid", "session", "settings", "source", "chat", "recording", "latency"} <= set(hello)
    decision = window.last("decision")
    assert sum(decision["scores"]) == pytest.approx(1, abs=0.01)


def test_the_surface_holds_the_newest_events(attached: Attached) -> None:
    engine, window = attached
    window.wait_for(lambda: window.last("source").get("surface") or window.told[0]["source"].get("surface"), "the surface")
    source = window.last("source") or window.told[0]["source"]
    surface = np.memmap(source["surface"], np.uint32, "r", shape=(source["height"], source["width"]))
    window.wait_for(lambda: surface.any(), "events on the surface")
    assert int(surface.max() >> 1) * TICK_US <= engine.recognition.now_us


def settled(window: Window) -> int:
    """The number of decisions once it has stood still for half a second."""
    count, since = -1, time.monotonic()
    while time.monotonic() - since < 0.5:
        if (now := sum(m["type"] == "decision" for m in window.told)) != count:
            count, since = now, time.monotonic()
        time.sleep(0.02)
    return count


def test_pause_stops_decisions_step_makes_one_and_play_goes_on(attached: Attached) -> None:
    _, window = attached
    window.order("pause")
    window.wait_for(lambda: window.last("status").get("playing") is False, "the pause")
    count = settled(window)
    window.order("step")
    window.wait_for(lambda: sum(m["type"] == "decision" for m in window.told) == count + 1, "one more decision")
    assert settled(window) == count + 1
    window.order("play")
    window.wait_for(lambda: sum(m["type"] == "decision" for m in window.told) > count + 4, "more decisions")


def test_a_looped_and_sought_recording_never_goes_back_in_time(attached: Attached) -> None:
    _, window = attached
    window.order("speed", value=4)
    for position_us in (1_507_000, 210_000, 913_003, 315_000, 510_000):
        window.order("seek", position_us=position_us)
        time.sleep(0.2)
    window.wait_for(lambda: sum(m["type"] == "decision" for m in window.told) > 150, "two rounds")
    times = np.array([m["t_us"] for m in window.told if m["type"] == "decision"])
    assert (np.diff(times) > 0).all()


def test_settings_change_live_and_every_window_is_told(attached: Attached) -> None:
    engine, window = attached
    window.order("threshold", value=0.9)
    window.order("filters", background_us=None, hot_pixel=None, polarity=None, region=[0, 0, 64, 64])
    window.wait_for(lambda: window.last("settings").get("filters", {}).get("background_us", 1) is None, "the settings")
    assert window.last("settings")["threshold"] == 0.9
    assert tuple(window.last("settings")["filters"]["region"]) == (0, 0, 64, 64)
    assert engine.recognition.decider.threshold == 0.9


@pytest.mark.parametrize(
    "order",
    [
        {"op": "fly"},
        {"op": None},
        {"op": "seek"},
        {"op": "seek", "position_us": "soon"},
        {"op": "speed", "value": -1},
        {"op": "threshold", "value": 7},
        {"op": "filters", "polarity": "sideways"},
        {"op": "filters", "region": [1, 2]},
        {"op": "filters", "background_us": "long"},
        {"op": "filters", "hot_pixel": "no"},
        {"op": "painted", "t_us": float("inf"), "ns": 0},
        {"op": "threshold", "value": 10**400},
        {"op": "ended"},
        {"op": "source", "spec": "telepathy"},
        {"op": "chat"},
        {"op": "chat", "prompt": "x", "top_p": "much"},
        {"op": "chat", "prompt": "x", "preset": "daft"},
        {"op": "chat_edit", "prompt": "x"},
        {"op": "chat_rewind", "node": -1},
        {"op": "chat_switch", "node": "there"},
        {"op": "chat_check", "value": True},
        {"op": "chat_gestures", "on": True, "actions": ["wave"], "prompts": []},
        {"op": "record", "path": "/nowhere/at/all.aedat4"},
    ],
    ids=str,
)
def test_an_order_that_makes_no_sense_costs_one_sentence(attached: Attached, order: Message) -> None:
    _, window = attached
    window.order(order["op"], **{name: value for name, value in order.items() if name != "op"})
    window.wait_for(lambda: window.last("notice").get("level") in ("warning", "error"), "a sentence")
    seen = sum(m["type"] == "decision" for m in window.told)
    window.wait_for(lambda: sum(m["type"] == "decision" for m in window.told) > seen, "decisions to go on")


def test_windows_may_attach_while_an_answer_streams(attached: Attached) -> None:
    engine, window = attached
    window.order("chat", prompt="hello", seed=1, temperature=1.5, top_k=0, tokens=2000)
    window.wait_for(lambda: window.last("token"), "a token")
    for _ in range(20):
        other = Window(engine)
        other.wait_for(lambda other=other: other.last("hello"), "the hello", 10)
        other.close()
    window.order("chat_stop")
    window.wait_for(lambda: any(m.get("event") == "done" for m in window.told), "the end")


def test_chat_streams_stops_and_clears(attached: Attached) -> None:
    engine, window = attached
    ask = {"prompt": "hello", "temperature": 1.0, "top_k": 40, "tokens": 2000}
    window.order("chat", seed=1, **ask)
    window.wait_for(lambda: window.last("token"), "a token")
    window.order("chat_stop")
    window.wait_for(lambda: any(m.get("event") == "done" for m in window.told), "the end")
    window.order("chat_clear")
    window.wait_for(lambda: window.last("chat").get("event") == "cleared", "the cleared memory")
    assert engine.chat
    assert engine.chat.memory_age == 0
    texts = []
    for _ in range(2):
        begun = len(window.told)
        window.order("chat", seed=5, **ask | {"tokens": 30})
        window.wait_for(lambda begun=begun: any(m.get("event") == "done" for m in window.told[begun:]), "the answer")
        texts.append("".join(m["text"] for m in window.told[begun:] if m["type"] == "token"))
        window.order("chat_clear")
        window.wait_for(lambda: window.last("chat").get("event") == "cleared", "the cleared memory")
    assert texts[0] == texts[1] != ""


def test_a_prompt_that_is_not_put_in_line_is_told_of_with_its_text(attached: Attached) -> None:
    _, window = attached
    window.order("chat", prompt="hello", tokens=10**9)
    window.wait_for(lambda: window.last("notice").get("level") == "error", "a sentence")
    assert window.last("chat") == {"type": "chat", "event": "refused", "prompt": "hello"}


def test_a_gesture_sends_a_suggested_prompt_where_that_was_asked_for(attached: Attached) -> None:
    engine, window = attached
    window.wait_for(lambda: any(m["type"] == "decision" and m["accepted"] for m in window.told), "a gesture")
    assert not any(m["type"] == "chat" for m in window.told)
    actions = dict.fromkeys(engine.models.labels, "accept") | {"nonsense": "explode"}
    window.order("chat_gestures", on=True, actions=actions, prompts=["hello", "good bye"], tokens=5)
    window.wait_for(lambda: any(m.get("event") == "done" for m in window.told), "an answer")
    assert next(m for m in window.told if m.get("event") == "started")["prompt"] == "hello"
    window.wait_for(lambda: window.last("status")["chat"]["suggestion"] != "hello", "the next suggestion")
    told = window.last("status")["chat"]
    assert told["gestures"] == {"on": True, "actions": dict.fromkeys(engine.models.labels, "accept"), "prompts": ["hello", "good bye"]}
    assert told["kept"] > 0
    window.order("chat_gestures", on=False, actions={}, prompts=[])
    window.wait_for(lambda: window.last("status")["chat"]["suggestion"] == "", "no suggestion")


def test_a_recording_started_by_a_window_is_a_whole_file(attached: Attached, tmp_path: Path) -> None:
    _, window = attached
    out = tmp_path / "kept.aedat4"
    window.order("record", path=str(out))
    window.wait_for(lambda: (window.last("status").get("recording") or {}).get("events", 0) > 1000, "events in the recording")
    window.order("record_stop")
    window.wait_for(lambda: "Recorded" in window.last("notice").get("sentence", ""), "the end of the recording")
    with Aedat4Reader(out) as reader:
        assert sum(map(len, reader.packets())) > 1000
        assert reader.recovered == ""


def test_a_recording_ends_where_another_sensor_comes(attached: Attached, tmp_path: Path) -> None:
    _, window = attached
    small = tmp_path / "small.aedat4"
    events = np.zeros(2000, EVENT_DTYPE)
    events["timestamp"] = np.arange(2000) * 500
    with Aedat4Writer(small, 1, 1, "small") as writer:
        writer.write(events)
    out = tmp_path / "kept.aedat4"
    window.order("record", path=str(out))
    window.wait_for(lambda: (window.last("status").get("recording") or {}).get("events", 0) > 1000, "events in the recording")
    window.order("source", spec=str(small))
    window.wait_for(lambda: window.last("source").get("width") == 1, "the other sensor")
    window.wait_for(lambda: window.last("status").get("recording", 0) is None, "the end of the recording")
    with Aedat4Reader(out) as reader:
        assert (reader.width, reader.height) == (128, 128)
        assert sum(map(len, reader.packets())) > 1000


def test_another_source_can_be_opened_and_one_that_fails_leaves_the_engine_running(attached: Attached, tmp_path: Path) -> None:
    _, window = attached
    window.order("source", spec=str(tmp_path / "missing.aedat4"))
    window.wait_for(lambda: window.last("source").get("state") == "failed", "the failure")
    window.order("source", spec="simulated:3")
    window.wait_for(lambda: window.last("source").get("kind") == "simulated", "the simulated person")
    begun = len(window.told)
    window.wait_for(lambda: any(m["type"] == "decision" for m in window.told[begun:]), "decisions")


def test_a_recording_that_has_ended_plays_again(simulated_wave: Path) -> None:
    with Engine(EngineSettings(str(simulated_wave), speed=4, stay=True, chat=False)) as engine:
        loop = threading.Thread(target=engine.run)
        loop.start()
        window = Window(engine)
        window.wait_for(lambda: engine.ended, "the end")
        seen = sum(m["type"] == "decision" for m in window.told)
        window.order("play")
        window.wait_for(lambda: sum(m["type"] == "decision" for m in window.told) > seen + 10, "more decisions")
        times = np.array([m["t_us"] for m in window.told if m["type"] == "decision"])
        assert (np.diff(times) > 0).all()
        window.close()
        engine.stop()
        loop.join()


def test_quit_from_a_window_ends_the_engine(simulated_wave: Path) -> None:
    with Engine(EngineSettings(str(simulated_wave), loop=True, stay=True, chat=False)) as engine:
        loop = threading.Thread(target=engine.run)
        loop.start()
        window = Window(engine)
        window.wait_for(lambda: window.told, "the greeting")
        window.order("quit")
        loop.join(10)
        assert not loop.is_alive()
        window.close()


def test_a_duration_is_kept_to_the_window_at_any_speed(simulated_wave: Path) -> None:
    for speed in (0, 4):
        decisions: list[Message] = []
        with Engine(EngineSettings(str(simulated_wave), speed=speed, duration=1.0, chat=False), decisions.append) as engine:
            assert engine.run() == 0
        assert len(decisions) == engine.recognition.totals.windows == 40


def test_a_speed_that_makes_no_sense_leaves_nothing_behind(simulated_wave: Path, sessions: Path) -> None:
    with pytest.raises(UserError, match="speed"), Engine(EngineSettings(str(simulated_wave), speed=-1)):
        pass
    assert list(sessions.iterdir()) == []


def test_a_runtime_that_is_not_there_leaves_nothing_behind(simulated_wave: Path, sessions: Path) -> None:
    with pytest.raises(UserError, match="abacus"), Engine(EngineSettings(str(simulated_wave), runtime="abacus")):
        pass
    assert list(sessions.iterdir()) == []


def test_a_recording_that_cannot_be_written_ends_the_run_as_failed(simulated_wave: Path, tmp_path: Path) -> None:
    full = tmp_path / "small.aedat4"
    code = f"""
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from app.cli import main
sys.argv = ["egret", "run", "--source", {str(simulated_wave)!r}, "--speed", "0", "--quiet", "--record", {str(full)!r}]
import app.engine.loop, app.engine.recorder
from app.engine.loop import Engine
start = Engine.start_recording
def limited(self, path):
    start(self, path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
Engine.start_recording = limited
sys.exit(main())
"""
    ended = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1, ended.stderr
    assert "Writing stopped" in ended.stderr
    with Aedat4Reader(full) as reader:
        assert sum(map(len, reader.packets())) > 0


def test_a_prompt_of_any_length_locks_no_window_out(attached: Attached) -> None:
    engine, window = attached
    for _ in range(3):
        window.order("chat", prompt="x" * 400_000, seed=1, temperature=1.0, top_k=40, tokens=1)
    window.wait_for(lambda: sum(m.get("event") == "done" for m in window.told) == 3, "the answers", seconds=60)
    another = Window(engine)
    another.wait_for(lambda: another.told, "the greeting")
    assert another.told[0]["type"] == "hello"
    assert len(encode(another.told[0])) < MAX_LINE
    another.close()
