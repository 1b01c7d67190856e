"""Clearing the memory: at once where little is lost, after a question where much is."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QDialogButtonBox
from pytestqt.qtbot import QtBot
from window.chat_messages import ANSWERED, ASKED, path
from window.engine_double import EngineDouble, status

from app.window.mainwindow import MainWindow
from app.window.panels.chat_clear import ClearDialog


def asked(window: MainWindow) -> list[ClearDialog]:
    """The questions that stand open."""
    return [dialog for dialog in window.findChildren(ClearDialog) if dialog.isVisible()]


def test_a_conversation_is_forgotten_only_after_a_question(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(path(ASKED, ANSWERED))
    qtbot.waitUntil(lambda: "tiny net" in window.chat.transcript.toPlainText())
    qtbot.mouseClick(window.chat.clear, Qt.MouseButton.LeftButton)
    (dialog,) = asked(window)
    qtbot.mouseClick(dialog.clear, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: engine.ops("chat_clear") != [])
    assert "tiny net" in window.chat.transcript.toPlainText(), "it is forgotten when the engine says so"
    engine.send({"type": "chat", "event": "cleared"})
    qtbot.waitUntil(lambda: "tiny net" not in window.chat.transcript.toPlainText())
    assert asked(window) == []


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Escape])
def test_enter_and_escape_keep_the_conversation(qtbot: QtBot, window: MainWindow, engine: EngineDouble, key: Qt.Key) -> None:
    engine.send(path(ASKED, ANSWERED))
    qtbot.waitUntil(lambda: len(window.state.talk.turns) == 2)
    window.chat.clear_memory()
    (dialog,) = asked(window)
    cancel = dialog.buttons.button(QDialogButtonBox.StandardButton.Cancel)
    assert cancel.isDefault()
    qtbot.keyClick(dialog, key)
    assert asked(window) == []
    window.chat.focus_prompt()
    window.chat.stop()
    qtbot.waitUntil(lambda: engine.ops("chat_stop") != [])
    assert engine.ops("chat_clear") == []


def test_branches_that_are_elsewhere_are_not_lost_without_a_question(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(path(age=9))
    qtbot.waitUntil(lambda: window.state.talk.kept == 9)
    window.chat.clear_memory()
    assert len(asked(window)) == 1


def test_a_single_turn_is_forgotten_at_once(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(path(ASKED, age=4), status(1_000_000, chat={"kept": 4}))
    qtbot.waitUntil(lambda: len(window.state.talk.turns) == 1 and window.state.talk.kept == 4)
    window.chat.clear_memory()
    qtbot.waitUntil(lambda: engine.ops("chat_clear") != [])
    assert asked(window) == []


def test_visitors_are_not_asked(qtbot: QtBot, engine: EngineDouble) -> None:
    booth = MainWindow(engine.folder, kiosk=True)
    qtbot.addWidget(booth)
    booth.show()
    engine.send(path(ASKED, ANSWERED))
    qtbot.waitUntil(lambda: len(booth.state.talk.turns) == 2)
    booth.chat.clear_memory()
    qtbot.waitUntil(lambda: engine.ops("chat_clear") != [])
    assert asked(booth) == []
    booth.leave()
    QApplication.processEvents()
