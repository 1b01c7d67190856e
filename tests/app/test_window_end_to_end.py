"""Promises of the whole application: engine process, source process and window, on a real screen buffer."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from commandline import dv_count, egret, environment
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.commands.gui import EngineProcess
from app.engine import session
from app.window.mainwindow import MainWindow
from pipeline.formats.aedat4 import Aedat4Reader


@contextmanager
def engine(*arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """An engine in a process of its own, ready for windows; ends well."""
    command = [sys.executable, "-m", "app.cli", "run", "--stay", "--quiet", *arguments]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: session.answers(session.folder_of(process.pid)), "the engine to listen")
        yield process
    finally:
        process.terminate()
        assert process.wait(20) == 0


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Poll until `condition()` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def pixels(picture: QImage, window: QWidget, widget: QWidget) -> np.ndarray:
    """The part of `window`'s `picture` that `widget` takes, uint8 [height, width, 4]."""
    corner = widget.mapTo(window, widget.rect().topLeft())
    whole = picture.convertToFormat(QImage.Format.Format_RGB32)
    raw = np.frombuffer(whole.constBits(), np.uint8).reshape(whole.height(), whole.bytesPerLine() // 4, 4)
    return raw[corner.y() : corner.y() + widget.height(), corner.x() : corner.x() + widget.width()].copy()


def unattached(window: MainWindow, qtbot: QtBot) -> QImage:
    """A picture of a window like `window` that has no engine."""
    with tempfile.TemporaryDirectory() as nowhere:
        other = MainWindow(Path(nowhere))
        qtbot.addWidget(other)
        other.resize(window.size())
        other.show()
        qtbot.wait(100)
        picture = other.grab().toImage()
        other.close()
        return picture


def test_the_window_shows_events_a_label_and_text_of_a_real_wave_while_the_model_writes(wave_near: list[Path], qtbot: QtBot) -> None:
    with engine("--source", str(wave_near[0]), "--loop") as process:
        window = MainWindow(session.folder_of(process.pid))
        qtbot.addWidget(window)
        window.show()
        qtbot.waitUntil(lambda: window.state.decision is not None, timeout=30_000)
        window.client.send({"op": "chat", "prompt": "hello", "seed": 1, "temperature": 0.7, "top_k": 40, "tokens": 100})
        qtbot.waitUntil(lambda: len(window.chat.transcript.toPlainText()) > 40, timeout=30_000)
        decided = window.state.decision
        qtbot.waitUntil(lambda: window.state.decision is not decided, timeout=10_000)
        qtbot.wait(300)
        picture, blank = window.grab().toImage(), unattached(window, qtbot)
        events = pixels(picture, window, window.events.view)
        assert (np.ptp(events[..., :3].astype(int), axis=2) > 80).sum() > 300, "no pixel has the colour of a polarity"
        for widget in (window.events.view, window.gesture.verdict, window.gesture.bars, window.chat.transcript):
            shown, bare = pixels(picture, window, widget), pixels(blank, window, widget)
            assert (shown != bare).any(axis=2).sum() > 300, f"{type(widget).__name__} shows nothing"
        assert window.gesture.verdict.reason not in ("", "nothing has been decided yet")
        assert "hello" in window.chat.transcript.toPlainText()
        window.close()


def test_killing_the_window_stops_neither_recognition_nor_recording_and_a_new_window_attaches(
    wave_near: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "kept.aedat4"
    with engine("--source", str(wave_near[0]), "--loop", "--record", str(out)) as process:
        command = [sys.executable, "-m", "app.cli", "gui", "--attach"]
        environ = environment(QT_QPA_PLATFORM="offscreen")
        with subprocess.Popen([*command, "--timing"], env=environ, stderr=subprocess.PIPE, text=True) as window:
            assert window.stderr
            assert any("first frame" in line for line in window.stderr), "the window has shown nothing"
            wait_for(lambda: out.exists() and out.stat().st_size > 50_000, "the recording to grow")
            os.kill(window.pid, signal.SIGKILL)
        size = out.stat().st_size
        wait_for(lambda: out.stat().st_size > size + 50_000, "the recording to go on")
        picture = tmp_path / "again.png"
        again = egret("gui", "--attach", "--screenshot", picture, "--after", "2", QT_QPA_PLATFORM="offscreen")
        assert again.returncode == 0, again.stderr
        assert picture.stat().st_size > 10_000
        assert process.poll() is None
    with Aedat4Reader(out) as reader:
        times = np.concatenate([packet["timestamp"] for packet in reader.packets()])
    assert (np.diff(times) >= 0).all()
    assert len(times) == dv_count(out)


def test_the_application_starts_takes_its_picture_and_leaves_nothing_running(simulated_wave: Path, tmp_path: Path, sessions: Path) -> None:
    picture = tmp_path / "window.png"
    ended = egret("gui", "--source", simulated_wave, "--screenshot", picture, "--after", "2", QT_QPA_PLATFORM="offscreen")
    assert ended.returncode == 0, ended.stderr
    assert picture.stat().st_size > 10_000
    assert list(sessions.iterdir()) == []


def test_a_window_that_qt_cannot_open_leaves_no_engine_behind(simulated_wave: Path, sessions: Path) -> None:
    arguments = ("run", "--stay", "--quiet", "--loop", "--source", simulated_wave, "--window-within", "1")
    ended = egret(*arguments, timeout=60)
    assert ended.returncode == 1
    assert "No window came" in ended.stderr
    assert list(sessions.iterdir()) == []


def test_a_killed_engine_is_started_again_from_the_window_that_stays(simulated_wave: Path, qtbot: QtBot) -> None:
    arguments = ["run", "--stay", "--quiet", "--loop", "--source", str(simulated_wave)]
    with tempfile.TemporaryFile() as said, EngineProcess(arguments, said) as keeper:
        window = MainWindow(keeper.start(), keeper=keeper)
        qtbot.addWidget(window)
        window.show()
        for _ in range(2):
            qtbot.waitUntil(lambda: window.state.decision is not None and window.events.view.heading == "", timeout=60_000)
            os.kill(session.pid_of(Path(window.state.session)), signal.SIGKILL)
            qtbot.waitUntil(lambda: window.events.view.overlay.button.isVisible(), timeout=10_000)
            window.restart_engine()
        qtbot.waitUntil(lambda: window.state.decision is not None and window.events.view.heading == "", timeout=60_000)
        window.close()
        keeper.end()
        assert keeper.failure() is None
    assert session.running() == []


def test_an_engine_that_cannot_start_gives_its_own_sentence_and_code_and_no_window_stays() -> None:
    ended = egret("gui", "--runtime", "abacus", "--source", "simulated:1", QT_QPA_PLATFORM="offscreen")
    assert ended.returncode == 2
    assert "abacus" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_the_window_of_a_source_that_is_not_there_opens_and_says_so(tmp_path: Path, qtbot: QtBot) -> None:
    with engine("--source", str(tmp_path / "missing.aedat4")) as process:
        window = MainWindow(session.folder_of(process.pid))
        qtbot.addWidget(window)
        window.show()
        qtbot.waitUntil(lambda: window.events.view.heading == "The source has failed", timeout=30_000)
        assert "missing.aedat4" in window.events.view.sentence
        assert window.events.view.overlay.button.isVisible()
        window.client.send({"op": "source", "spec": "simulated:1"})
        qtbot.waitUntil(lambda: window.events.view.heading == "" and window.state.decision is not None, timeout=30_000)
        window.close()


def test_a_german_kiosk_shows_events_and_ends_when_it_is_told_to(simulated_wave: Path, sessions: Path) -> None:
    command = [sys.executable, "-m", "app.cli", "gui", "--kiosk", "--lang", "de", "--timing", "--source", str(simulated_wave)]
    begun = time.monotonic()
    with subprocess.Popen(command, env=environment(QT_QPA_PLATFORM="offscreen"), stderr=subprocess.PIPE, text=True) as window:
        assert window.stderr is not None
        said = next(line for line in window.stderr if line.startswith("egret: first frame "))
        assert begun < float(said.split()[-1]) < time.monotonic()
        window.terminate()
        assert window.wait(20) == 0
    assert list(sessions.iterdir()) == []


@pytest.mark.parametrize("display", ["", ":987", "nonsense"])
def test_without_a_screen_that_answers_the_application_says_so_and_runs_headless(display: str, simulated_wave: Path) -> None:
    kept = {name: value for name, value in environment(DISPLAY=display).items() if name != "QT_QPA_PLATFORM"}
    command = [sys.executable, "-m", "app.cli", "gui", "--source", str(simulated_wave)]
    ended = subprocess.run(command, env=kept, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "no screen" in ended.stderr
    assert "decisions from" in ended.stdout


def test_a_picture_without_a_screen_is_refused_with_the_way_out(tmp_path: Path) -> None:
    kept = {name: value for name, value in environment().items() if name != "QT_QPA_PLATFORM"}
    command = [sys.executable, "-m", "app.cli", "gui", "--screenshot", str(tmp_path / "x.png")]
    ended = subprocess.run(command, env=kept, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "QT_QPA_PLATFORM=offscreen" in ended.stderr


@pytest.mark.parametrize("arguments", [("--attach",)])
def test_attaching_where_no_engine_runs_says_so(arguments: tuple[str, ...]) -> None:
    ended = egret("gui", *arguments, QT_QPA_PLATFORM="offscreen")
    assert ended.returncode == 1
    assert "No engine is running" in ended.stderr
