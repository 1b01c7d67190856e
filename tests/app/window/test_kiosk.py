"""What the kiosk promises to whoever leaves it alone with visitors."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QGuiApplication, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot
from window.engine_double import EngineDouble, decision, hello, source, status

from app.commands import gui
from app.window import kiosk
from app.window.kiosk import Visitors
from app.window.mainwindow import MainWindow
from pipeline.errors import USAGE, UserError


@pytest.fixture
def booth(qtbot: QtBot, engine: EngineDouble) -> Iterator[MainWindow]:
    """A kiosk on a recording, attached and shown."""
    window = MainWindow(engine.folder, kiosk=True)
    qtbot.addWidget(window)
    window.show()
    engine.send(status(1_000_000), decision(1_000_000))
    qtbot.waitUntil(lambda: window.state.connected and window.state.decision is not None and window.gesture.bars.labels != ())
    yield window
    window.leave()


def move(window: QWidget, x: int) -> None:
    """The mouse moves over the window, as the window system tells it."""
    at = QPointF(x, 100)
    none = Qt.MouseButton.NoButton
    event = QMouseEvent(QEvent.Type.MouseMove, at, at, none, none, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(window.windowHandle(), event)


def press_key(window: QWidget) -> None:
    """A key is pressed over the window, as the window system tells it."""
    QApplication.sendEvent(window.windowHandle(), QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_A, Qt.KeyboardModifier.NoModifier, "a"))


def test_it_has_no_title_bar(booth: MainWindow) -> None:
    assert booth.windowFlags() & Qt.WindowType.FramelessWindowHint


def test_type_is_larger_than_in_an_ordinary_window(qtbot: QtBot, booth: MainWindow, engine: EngineDouble) -> None:
    booth.resize(1920, 1080)
    qtbot.waitUntil(lambda: booth.width() == 1920 and not booth._restyle.isActive())
    ordinary = MainWindow(engine.folder)
    qtbot.addWidget(ordinary)
    ordinary.resize(1920, 1080)
    ordinary._apply_scale()
    assert booth._scale.factor >= 1.2 * ordinary._scale.factor
    ordinary.close()


def test_controls_that_can_break_a_demonstration_are_not_there(qtbot: QtBot, booth: MainWindow, engine: EngineDouble) -> None:
    engine.send(status(2_000_000))
    qtbot.waitUntil(lambda: booth.state.status.now_us == 2_000_000)
    qtbot.wait(300)
    strip, chat = booth.strip, booth.chat
    hidden: list[QWidget] = [strip.filters, strip.help, booth.record_panel, booth.transport, booth.events.decay, booth.events.colours]
    hidden += [
        booth.gesture.threshold,
        booth.gesture.min_events,
        chat.export,
        chat.again,
        chat.more,
        chat.tree_button,
        chat.settings_button,
    ]
    assert [widget for widget in hidden if widget.isVisible()] == []
    assert "▾" not in strip.source.text()
    shown: list[QWidget] = [booth.events.view, booth.gesture.bars, chat.prompt, chat.send_button, chat.stop_button, chat.clear]
    assert [widget for widget in shown if not widget.isVisible()] == []


def test_keys_mouse_and_clicks_change_nothing_but_the_chat(qtbot: QtBot, booth: MainWindow, engine: EngineDouble) -> None:
    booth.activateWindow()
    for key in (Qt.Key.Key_Space, Qt.Key.Key_R, Qt.Key.Key_Period, Qt.Key.Key_Left, Qt.Key.Key_F11, Qt.Key.Key_F1):
        qtbot.keyClick(booth.events.view, key)
    bars = booth.gesture.bars
    qtbot.mousePress(bars, Qt.MouseButton.LeftButton, pos=QPoint(bars.line_x(), bars.track().center().y()))
    qtbot.mouseMove(bars, QPoint(bars.line_x() - 60, bars.track().center().y()))
    qtbot.mouseRelease(bars, Qt.MouseButton.LeftButton, pos=QPoint(bars.line_x() - 60, bars.track().center().y()))
    centre = booth.strip.source.mapTo(booth, booth.strip.source.rect().center())
    assert booth.childAt(centre) is not booth.strip.source
    qtbot.keyClick(booth.events.view, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: engine.ops("chat_stop") != [])
    assert [message["op"] for message in engine.received if message["op"] not in ("painted", "chat_doubts")] == ["chat_stop"]


def test_a_visitor_can_talk_with_the_model(qtbot: QtBot, booth: MainWindow, engine: EngineDouble) -> None:
    booth.chat.prompt.setText("hello")
    qtbot.keyClick(booth.chat.prompt, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: [message["prompt"] for message in engine.ops("chat")] == ["hello"])


def test_only_the_key_of_the_house_closes_it(qtbot: QtBot, booth: MainWindow) -> None:
    refused = QCloseEvent()
    QApplication.sendEvent(booth, refused)
    assert not refused.isAccepted()
    assert not booth.close()
    assert booth.isVisible()
    booth.activateWindow()
    qtbot.keyClick(booth, Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: not booth.isVisible())


def test_the_pointer_hides_while_it_rests_and_is_back_when_it_moves(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.show()
    visitors = Visitors(window, pointer_ms=60, forget_ms=60_000)
    qtbot.waitUntil(lambda: QGuiApplication.overrideCursor() is not None)
    assert QGuiApplication.overrideCursor().shape() == Qt.CursorShape.BlankCursor
    move(window, 50)
    assert QGuiApplication.overrideCursor() is None
    qtbot.waitUntil(lambda: visitors.pointer_hidden)
    move(window, 50)
    assert visitors.pointer_hidden, "the same place is no move"
    visitors.stop()
    assert QGuiApplication.overrideCursor() is None


@pytest.mark.parametrize("sign", ["key", "mouse"])
def test_the_visitor_is_gone_only_after_rest_from_keys_and_mouse(qtbot: QtBot, sign: str) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    window.show()
    visitors = Visitors(window, forget_ms=400)
    gone: list[bool] = []
    visitors.left.connect(lambda: gone.append(True))
    for turn in range(8):
        qtbot.wait(100)
        press_key(window) if sign == "key" else move(window, turn)
    assert gone == []
    qtbot.waitUntil(lambda: gone == [True])
    visitors.stop()


def test_the_times_are_those_that_were_promised() -> None:
    assert (kiosk.POINTER_MS, kiosk.FORGET_MS, kiosk.RESTART_MS) == (3_000, 120_000, 3_000)


def test_what_a_visitor_wrote_and_the_models_memory_are_gone_with_him(qtbot: QtBot, booth: MainWindow, engine: EngineDouble) -> None:
    engine.send({"type": "chat", "event": "started", "id": 1, "prompt": "a secret"})
    qtbot.waitUntil(lambda: "a secret" in booth.chat.transcript.toPlainText())
    booth.chat.prompt.setText("half a ques")
    assert booth.visitors is not None
    booth.visitors.left.emit()
    assert booth.chat.prompt.text() == ""
    qtbot.waitUntil(lambda: [m["op"] for m in engine.received if m["op"] not in ("painted", "chat_doubts")] == ["chat_stop", "chat_clear"])
    engine.send({"type": "chat", "event": "cleared"})
    qtbot.waitUntil(lambda: "a secret" not in booth.chat.transcript.toPlainText())


class Keeper:
    """Restarts into the folders it was given, and counts."""

    owned = True

    def __init__(self, *folders: Path) -> None:
        self.folders = list(folders)

    def ended(self) -> bool:
        return False

    def sentence(self) -> str:
        return ""

    def restart(self) -> Path:
        return self.folders.pop(0)


def test_a_lost_engine_is_started_again_by_itself(
    qtbot: QtBot, engine: EngineDouble, sessions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.window.mainwindow.RESTART_MS", 200)
    second = sessions / "2"
    second.mkdir()
    again = EngineDouble(second, hello(source(second, title="again.aedat4")))
    window = MainWindow(engine.folder, keeper=Keeper(second), kiosk=True)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(lambda: window.state.connected)
    engine.close()
    qtbot.waitUntil(lambda: window.events.view.heading == "No engine")
    assert not window.events.view.overlay.button.isVisible()
    qtbot.waitUntil(lambda: "again.aedat4" in window.strip.source.text() and window.events.view.heading == "")
    window.leave()
    again.close()


def test_the_plot_cannot_be_moved(qtbot: QtBot, booth: MainWindow, engine: EngineDouble) -> None:
    booth.rates.load()
    booth.rates.finish()
    engine.send(status(3_000_000))
    qtbot.waitUntil(lambda: booth.rates.plot is not None)
    assert booth.rates.plot is not None
    assert booth.rates.plot.getViewBox().state["mouseEnabled"] == [False, False]


@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080), (3840, 2160)])
def test_everything_fits_at_every_size_of_a_booths_screen(qtbot: QtBot, booth: MainWindow, size: tuple[int, int]) -> None:
    booth.resize(*size)

    def nothing_is_clipped() -> None:
        shown = [(name, panel, panel.minimumSizeHint()) for name, panel in booth.panels.items() if panel.isVisible()]
        assert [n for n, panel, least in shown if least.width() > panel.width() + 1 or least.height() > panel.height() + 1] == []

    qtbot.waitUntil(lambda: (booth.width(), booth.height()) == size and not booth._restyle.isActive())
    qtbot.waitUntil(nothing_is_clipped)


def test_gestures_drive_the_chat_of_a_booth_that_was_opened_so(engine: EngineDouble) -> None:
    parser = argparse.ArgumentParser()
    gui.add_arguments(parser)

    def look() -> None:
        if engine.ops("chat_gestures"):
            timer.stop()
            (window,) = (widget for widget in QApplication.topLevelWidgets() if isinstance(widget, MainWindow) and widget.isVisible())
            assert not window.chat.settings_button.isVisible()
            window.leave()

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(50)
    assert gui._window(parser.parse_args(["--kiosk", "--chat-gestures"]), engine.folder, None) == 0
    (told,) = engine.ops("chat_gestures")
    assert told["on"]
    assert told["actions"] == {"hand_clapping": "stop", "arm_roll": "regenerate", "right_hand_wave": "accept"}


def test_gestures_for_a_booth_are_refused_where_there_is_none() -> None:
    parser = argparse.ArgumentParser()
    gui.add_arguments(parser)
    with pytest.raises(UserError, match="--kiosk") as error:
        gui.run(parser.parse_args(["--chat-gestures"]))
    assert error.value.exit_code == USAGE
