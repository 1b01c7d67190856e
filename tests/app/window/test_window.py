"""The window as a whole: it survives its engine, keeps what the user set, pictures itself, and leaves nothing behind."""

import json
import time
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot
from window.engine_double import EngineDouble, decision, fire, hello, source, status

from app.window.help import KEYS, HelpDialog
from app.window.main import run_window
from app.window.mainwindow import MainWindow
from app.window.theme import SMALLEST, scale_for
from pipeline.errors import USAGE, UserError


def test_a_gone_engine_is_said_over_the_last_picture_and_a_new_one_is_attached_by_itself(
    qtbot: QtBot, window: MainWindow, engine: EngineDouble
) -> None:
    engine.close()
    qtbot.waitUntil(lambda: window.events.view.heading == "No engine")
    assert "The engine has gone." in window.events.view.sentence or "There is no engine" in window.events.view.sentence
    assert "by itself" in window.events.view.sentence
    qtbot.waitUntil(lambda: "No engine" in window.strip.source.text() and not window.chat.stop_button.isEnabled())
    again = EngineDouble(engine.folder, hello(source(engine.folder, title="again.aedat4")))
    try:
        qtbot.waitUntil(lambda: window.events.view.heading == "" and "again.aedat4" in window.strip.source.text())
        window.chat.stop()
        qtbot.waitUntil(lambda: again.ops("chat_stop") != [])
    finally:
        again.close()


def test_a_command_without_an_engine_is_answered_with_a_sentence(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.close()
    qtbot.waitUntil(lambda: not window.state.connected)
    window.chat.stop()
    assert window.notice.isVisible()
    assert "no engine" in window.notice.text()


def test_garbage_from_the_engine_changes_nothing_and_the_next_message_counts(
    qtbot: QtBot, window: MainWindow, engine: EngineDouble
) -> None:
    engine.send_raw(
        b'garbage\n{"type":"decision","t_us":"x"}\n{"type":"status","latency":[1]}\n{"type":17}\n\xff\n{"type":"source","width":-5}\n'
    )
    engine.send(source(engine.folder), decision(50_000, "arm_roll"))
    qtbot.waitUntil(lambda: window.gesture.verdict.headline == "Arm roll")
    assert window.client.garbage == 2
    assert window.state.refused == 2


def test_the_gravest_notice_is_shown_and_goes_by_a_click(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(
        {"type": "notice", "level": "error", "sentence": "The disk is full."}, {"type": "notice", "level": "info", "sentence": "Hello."}
    )
    qtbot.waitUntil(window.notice.isVisible)
    assert window.notice.text() in ("The disk is full.", "Hello.")
    qtbot.mouseClick(window.notice, Qt.MouseButton.LeftButton)
    assert not window.notice.isVisible()


@pytest.mark.parametrize("size", [SMALLEST, (1024, 640), (1280, 800), (1920, 1080), (3840, 2160)])
def test_everything_fits_at_every_size(qtbot: QtBot, window: MainWindow, engine: EngineDouble, size: tuple[int, int]) -> None:
    recording = {"path": "/a.aedat4", "events": 10, "bytes": 12_345_678, "seconds": 65.3, "sentence": ""}
    engine.send(decision(1_000_000), status(1_000_000, lost=12, skipped=40_000, recording=recording))
    window.resize(*size)
    qtbot.waitUntil(lambda: window.strip.loss.isVisible() and window._scale == scale_for(*size))
    assert (window.width(), window.height()) == size

    def fits() -> bool:
        needed = window.centralWidget().minimumSizeHint()
        return needed.width() <= size[0] and needed.height() <= size[1]

    def clipped() -> list[str]:
        """Panels that are smaller than what is in them."""
        shown = [(name, panel, panel.minimumSizeHint()) for name, panel in window.panels.items() if panel.isVisible()]
        return [name for name, panel, least in shown if least.width() > panel.width() + 1 or least.height() > panel.height() + 1]

    qtbot.waitUntil(fits)
    qtbot.waitUntil(lambda: clipped() == [])
    assert window.chat.transcript.height() >= 2 * window.chat.transcript.fontMetrics().height()


@pytest.mark.parametrize("focus", ["none", "prompt"])
def test_keys_do_what_the_help_says_and_typing_is_only_typing(qtbot: QtBot, window: MainWindow, engine: EngineDouble, focus: str) -> None:
    engine.send(status(2_000_000))
    qtbot.waitUntil(lambda: window.transport.isVisible() and window.state.status.now_us == 2_000_000)
    window.activateWindow()
    target = window.chat.prompt if focus == "prompt" else window.events.view
    target.setFocus()
    qtbot.waitUntil(target.hasFocus)
    for key in (Qt.Key.Key_Space, Qt.Key.Key_R, Qt.Key.Key_Period):
        qtbot.keyClick(target, key)
    qtbot.keyClick(target, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(target, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: engine.ops("chat_stop") != [])
    ops = [message["op"] for message in engine.received if message["op"] != "chat_doubts"]
    assert ops == (["chat_clear", "chat_stop"] if focus == "prompt" else ["pause", "record", "step", "chat_clear", "chat_stop"])


def test_arrows_seek_while_playing_and_step_while_paused(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(status(2_000_000))
    qtbot.waitUntil(lambda: window.state.status.position_us == 2_000_000)
    window.forward()
    window.back()
    engine.send(status(2_000_000, playing=False))
    qtbot.waitUntil(lambda: not window.state.status.playing)
    window.forward()
    window.back()
    seeks = [{"op": "seek", "position_us": position} for position in (3_000_000, 1_000_000, 1_975_000)]
    qtbot.waitUntil(lambda: engine.received == [seeks[0], seeks[1], {"op": "step"}, seeks[2]])


def test_every_key_of_the_help_is_an_action_of_the_window(window: MainWindow) -> None:
    assert all(callable(attrgetter(key.action)(window)) for key in KEYS)


def test_the_help_opens_and_closes(qtbot: QtBot, window: MainWindow) -> None:
    window.help()
    dialog = window.findChild(HelpDialog)
    assert dialog is not None and dialog.isVisible()
    dialog.reject()
    qtbot.waitUntil(lambda: window.findChild(HelpDialog) is None)


def test_type_can_be_made_larger_and_smaller(window: MainWindow) -> None:
    before = window.chat.scale.factor
    window.larger()
    assert window.chat.scale.factor > before
    window.smaller()
    window.smaller()
    assert window.chat.scale.factor < before


def test_what_the_user_set_is_there_again_in_the_next_window(qtbot: QtBot, engine: EngineDouble, tmp_path: Path) -> None:
    kept = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    first = MainWindow(engine.folder, settings=kept)
    qtbot.addWidget(first)
    first.show()
    first.events.decay.setCurrentIndex(5)
    first.events.colours.setCurrentIndex(2)
    first.chat.settings.temperature.setValue(0.35)
    first.larger()
    first.close()
    second = MainWindow(engine.folder, settings=kept)
    qtbot.addWidget(second)
    assert (second.events.painter.decay_us, second.events.painter.theme.name) == (500_000, "White / violet")
    assert second.chat.settings.temperature.value() == 0.35
    assert second._zoom == first._zoom > 1.0
    second.close()


@pytest.mark.parametrize("rubbish", ["{", "[]", '{"decay_ms": "x", "colours": 5, "seed": "y", "temperature": null, "folder": 7}'])
def test_settings_that_were_tampered_with_are_passed_over(qtbot: QtBot, engine: EngineDouble, tmp_path: Path, rubbish: str) -> None:
    kept = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    for name in ("events", "chat", "record", "gesture"):
        kept.setValue(f"panels/{name}", rubbish)
    kept.setValue("zoom", "huge")
    window = MainWindow(engine.folder, settings=kept)
    qtbot.addWidget(window)
    assert window.events.painter.decay_us == 100_000
    window.close()


class Keeper:
    """Keeps engine doubles: `restart` says where the next one is."""

    owned = True

    def __init__(self, *folders: Path) -> None:
        self.folders = list(folders)
        self.dead = False

    def ended(self) -> bool:
        return self.dead

    def sentence(self) -> str:
        return "The weights are damaged: fetch them again."

    def restart(self) -> Path:
        self.dead = False
        return self.folders.pop(0)


def test_an_engine_that_has_gone_is_started_again_with_the_button_and_the_window_goes_on(
    qtbot: QtBot, engine: EngineDouble, sessions: Path
) -> None:
    second = sessions / "2"
    second.mkdir()
    window = MainWindow(engine.folder, keeper=Keeper(second))
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(lambda: window.state.connected)
    engine.close()
    overlay = window.events.view.overlay
    qtbot.waitUntil(lambda: overlay.isVisible() and overlay.button.text() == "Start it again")
    assert "recorded until then is kept" in window.events.view.sentence
    overlay.button.click()
    qtbot.waitUntil(lambda: window.events.view.heading == "Starting ..." and not overlay.button.isVisible())
    again = EngineDouble(second, hello(source(second, title="again.aedat4")))
    qtbot.waitUntil(lambda: window.events.view.heading == "" and "again.aedat4" in window.strip.source.text())
    window.close()
    again.close()


def test_an_engine_that_cannot_start_again_says_why_and_may_be_tried_again(qtbot: QtBot, engine: EngineDouble, sessions: Path) -> None:
    keeper = Keeper(sessions / "2", sessions / "3")
    window = MainWindow(engine.folder, keeper=keeper)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(lambda: window.state.connected)
    engine.close()
    for _ in range(2):
        qtbot.waitUntil(lambda: window.events.view.overlay.button.isVisible())
        window.restart_engine()
        qtbot.waitUntil(lambda: window.events.view.heading == "Starting ...")
        keeper.dead = True
        qtbot.waitUntil(lambda: window.events.view.sentence == keeper.sentence())
    assert window.isVisible()
    window.close()


def test_a_first_engine_that_ends_before_it_is_reached_closes_the_window_at_once(qtbot: QtBot, folder: Path) -> None:
    keeper = Keeper()
    window = MainWindow(folder, keeper=keeper)
    qtbot.addWidget(window)
    window.show()
    keeper.dead = True
    qtbot.waitUntil(lambda: not window.isVisible())


def test_a_first_engine_that_hangs_up_before_it_has_spoken_closes_the_window_at_once(qtbot: QtBot, folder: Path) -> None:
    keeper, loading = Keeper(), EngineDouble(folder)
    window = MainWindow(folder, keeper=keeper)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(lambda: window.client.is_connected)
    loading.close()
    keeper.dead = True
    qtbot.waitUntil(lambda: not window.isVisible())


def test_a_source_that_failed_offers_to_open_another_one(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send({"type": "source", "state": "failed", "sentence": "There is no such file."})
    button = window.events.view.overlay.button
    qtbot.waitUntil(lambda: button.isVisible() and button.text().startswith("Open another source"))
    button.click()
    menu = window.strip.source.menu()
    qtbot.waitUntil(menu.isVisible)
    menu.actions()[-1].trigger()
    menu.close()
    qtbot.waitUntil(lambda: engine.ops("source") == [{"op": "source", "spec": "simulated"}])


def test_closing_a_window_that_owns_its_engine_ends_the_engine(qtbot: QtBot, engine: EngineDouble) -> None:
    window = MainWindow(engine.folder, keeper=Keeper(engine.folder))
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(lambda: window.state.connected)
    window.close()
    qtbot.waitUntil(lambda: engine.ops("quit") == [{"op": "quit"}])


def test_closing_a_window_that_only_attached_leaves_the_engine(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    window.close()
    qtbot.waitUntil(engine.left.is_set)
    assert engine.received == []


def test_a_screenshot_shows_events_gesture_and_text(engine: EngineDouble, tmp_path: Path) -> None:
    fire(engine.folder, 32, 24, 10_000_000, slice(8, 24), slice(4, 20))
    told = [
        status(10_000_000, playing=False),
        decision(10_000_000, "air_guitar", 0.91),
        {"type": "chat", "event": "started", "id": 1, "prompt": "hi"},
    ]
    engine.send(*told, {"type": "token", "id": 1, "index": 0, "text": "word " * 40, "activity": 0.1, "tokens_per_s": 300.0})
    picture = tmp_path / "window.png"
    assert run_window(engine.folder, screenshot=picture, after=1.0) == 0
    image = QImage(str(picture)).convertToFormat(QImage.Format.Format_RGB888)
    assert (image.width(), image.height()) == (1280, 800)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())[:, : 3 * image.width()]
    rgb = rows.reshape(image.height(), image.width(), 3).astype(int)

    def count(area: np.ndarray, colour: tuple[int, int, int]) -> int:
        return int((np.abs(area - colour).max(axis=-1) <= 2).sum())

    assert count(rgb[:, :740], (255, 176, 64)) > 10_000  # events
    assert count(rgb[60:440, 740:], (0xD9, 0xA6, 0x79)) > 3_000  # the bar of the gesture, and its name
    assert count(rgb[440:, 740:], (0xE8, 0xEC, 0xF1)) > 400  # the answer


def test_a_screenshot_into_no_folder_is_refused_before_anything_is_shown(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no folder") as error:
        run_window(folder, screenshot=tmp_path / "none" / "a.png")
    assert error.value.exit_code == USAGE


def test_the_first_picture_with_events_is_told_once_and_none_before(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    told: list[int] = []
    window.events.view.first_events.connect(lambda: told.append(len(engine.received)))
    engine.send(status(9_000_000, playing=False))
    qtbot.waitUntil(lambda: window.state.status.now_us == 9_000_000)
    qtbot.wait(100)
    assert told == []
    fire(engine.folder, 32, 24, 10_000_000, slice(8, 9), slice(4, 5))
    engine.send(*(status(10_000_000 + t, playing=False) for t in range(5)))
    qtbot.waitUntil(lambda: len(told) == 1 and window.state.status.now_us == 10_000_004)
    qtbot.wait(100)
    assert len(told) == 1


def test_timing_says_on_stderr_when_the_first_events_were_on_screen(
    engine: EngineDouble, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fire(engine.folder, 32, 24, 10_000_000, slice(8, 24), slice(4, 20))
    engine.send(status(10_000_000, playing=False))
    begun = time.monotonic()
    assert run_window(engine.folder, screenshot=tmp_path / "a.png", after=0.0, timing=True) == 0
    said = capsys.readouterr().err.split()
    assert said[:3] == ["egret:", "first", "frame"]
    assert begun < float(said[3]) < time.monotonic()


def test_a_screenshot_of_a_source_that_failed_does_not_wait_for_events(engine: EngineDouble, tmp_path: Path) -> None:
    engine.send({"type": "source", "state": "failed", "sentence": "There is no such file."})
    assert run_window(engine.folder, screenshot=tmp_path / "a.png", after=0.0) == 0
    assert (tmp_path / "a.png").stat().st_size > 10_000


def test_a_screenshot_that_cannot_be_written_is_one_sentence(engine: EngineDouble, tmp_path: Path) -> None:
    fire(engine.folder, 32, 24, 10_000_000, slice(8, 24), slice(4, 20))
    engine.send(status(10_000_000, playing=False))
    with pytest.raises(UserError, match="cannot be written"):
        run_window(engine.folder, screenshot=tmp_path / "picture.nonsense", after=0.0)


def test_frame_times_are_measured(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(status(1_000_000))
    qtbot.waitUntil(lambda: len(window.frame_times()) >= 10)
    assert (window.frame_times() > 0).all()


def test_the_benchmark_of_the_window_runs_and_reports() -> None:
    from app.bench.window import run

    result = run(0.5)
    assert json.loads(json.dumps(result)) == result
    assert result["frames"] > 5
    assert result["decisions"] > 5
    assert result["frame_ms"]["p50"] <= result["frame_ms"]["p95"] <= result["frame_ms"]["p99"]


def test_a_window_that_is_quicker_than_its_engine_says_that_it_is_starting(qtbot: QtBot, folder: Path) -> None:
    window = MainWindow(folder)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(lambda: window.events.view.heading == "Starting ...")
    engine = EngineDouble(folder, hello(source(folder)))
    qtbot.waitUntil(lambda: window.state.connected and window.events.view.heading == "")
    window.close()
    engine.close()
