"""The prompt's field keeps what a visitor wrote: drafts, undo, and prompts that the engine did not take."""

import pytest
from PySide6.QtGui import QGuiApplication, QTextCursor
from pytestqt.qtbot import QtBot
from window.chat_messages import ANSWERED, ASKED, done, path, started
from window.engine_double import EngineDouble

from app.window.mainwindow import MainWindow


@pytest.fixture
def editing(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> MainWindow:
    """A window in which a long question was half written when an earlier prompt was taken up to be changed."""
    engine.send(path(ASKED, ANSWERED))
    qtbot.waitUntil(lambda: len(window.state.talk.turns) == 2)
    qtbot.keyClicks(window.chat.prompt, "A long question that")
    window.chat.edit_last()
    assert window.chat.prompt.text() == "Who are you"
    return window


def test_a_half_written_prompt_is_back_when_editing_is_left(editing: MainWindow) -> None:
    editing.chat.stop()
    assert (editing.chat.prompt.text(), editing.chat.send_button.text()) == ("A long question that", "Send")


def test_a_half_written_prompt_is_back_when_the_changed_one_is_sent(qtbot: QtBot, editing: MainWindow, engine: EngineDouble) -> None:
    qtbot.keyClicks(editing.chat.prompt, "?")
    editing.chat.send()
    qtbot.waitUntil(lambda: [message["prompt"] for message in engine.ops("chat_edit")] == ["Who are you?"])
    assert editing.chat.prompt.text() == "A long question that"


def test_another_prompt_taken_up_to_be_changed_leaves_the_draft_as_it_was(editing: MainWindow) -> None:
    menu = editing.chat.token_menu(editing.state.talk.turns[0], 2)
    next(action for action in menu.actions() if action.text() == "Change this prompt").trigger()
    editing.chat.stop()
    assert editing.chat.prompt.text() == "A long question that"


def test_what_replaced_a_prompt_can_be_undone(qtbot: QtBot, editing: MainWindow) -> None:
    editing.chat.prompt.undo()
    assert editing.chat.prompt.text() == "A long question that"


def test_a_prompt_that_was_sent_can_be_undone_into_the_field(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.keyClicks(window.chat.prompt, "Hello")
    window.chat.send()
    assert window.chat.prompt.text() == ""
    window.chat.prompt.undo()
    assert window.chat.prompt.text() == "Hello"


def test_a_text_that_was_cut_to_what_fits_can_be_undone(qtbot: QtBot, window: MainWindow) -> None:
    prompt = window.chat.prompt
    qtbot.keyClicks(prompt, "a")
    QGuiApplication.clipboard().setText("x" * 30_000)
    prompt.moveCursor(QTextCursor.MoveOperation.Start)
    prompt.paste()
    assert len(prompt.toPlainText()) == len(prompt.text()) == 20_000
    prompt.undo()
    assert prompt.text() == "a"


def test_nothing_of_a_visitor_who_left_can_be_brought_back(qtbot: QtBot, editing: MainWindow) -> None:
    prompt = editing.chat.prompt
    editing.chat.forget()
    prompt.undo()
    assert prompt.text() == ""
    editing.chat.edit_last()
    editing.chat.stop()
    assert prompt.text() == ""


@pytest.mark.parametrize("how", ["refused", "stopped before it was read", "the engine is gone"])
def test_a_prompt_that_was_not_read_is_back_in_the_empty_field(qtbot: QtBot, window: MainWindow, engine: EngineDouble, how: str) -> None:
    prompt = window.chat.prompt
    qtbot.keyClicks(prompt, "Who are you")
    window.chat.send()
    qtbot.waitUntil(lambda: engine.ops("chat") != [])
    if how == "refused":
        engine.send({"type": "chat", "event": "refused", "prompt": "Who are you"})
    elif how == "the engine is gone":
        engine.close()
    else:
        engine.send(started(1, "Who are you"), done(1, "stopped", "Who are you", read=False), path())
    qtbot.waitUntil(lambda: prompt.text() == "Who are you")


def test_a_prompt_that_was_not_read_does_not_take_the_place_of_another(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    prompt = window.chat.prompt
    qtbot.keyClicks(prompt, "first")
    window.chat.send()
    qtbot.keyClicks(prompt, "second")
    engine.send({"type": "chat", "event": "refused", "prompt": "first"}, {"type": "chat", "event": "cleared"})
    before = window.state.talk.generation
    qtbot.waitUntil(lambda: window.state.talk.generation > before and window.state.talk.fates == [])
    assert prompt.text() == "second"


def test_a_prompt_that_another_window_sent_does_not_come_here(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send({"type": "chat", "event": "refused", "prompt": "theirs"}, started(1, "read"), done(1, prompt="read"))
    qtbot.waitUntil(lambda: window.state.talk.turns != [] and window.state.talk.fates == [])
    assert window.chat.prompt.text() == ""


def test_nothing_that_a_visitor_who_left_sent_comes_back(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    qtbot.keyClicks(window.chat.prompt, "a secret")
    window.chat.send()
    window.chat.forget()
    engine.send(started(1, "a secret"), done(1, "stopped", "a secret", read=False), path())
    qtbot.waitUntil(lambda: window.state.talk.fates == [] and engine.ops("chat") != [])
    assert window.chat.prompt.text() == ""
