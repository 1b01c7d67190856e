"""The chat panel: prompts go out with their settings, answers stream in, Stop and Clear always act."""

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot
from window.engine_double import EngineDouble, status

from app.window.mainwindow import MainWindow


def started(number: int, prompt: str = "hi") -> dict[str, Any]:
    return {"type": "chat", "event": "started", "id": number, "prompt": prompt, "seed": 1}


def token(number: int, text: str) -> dict[str, Any]:
    return {"type": "token", "id": number, "index": 0, "text": text, "activity": 0.125, "tokens_per_s": 321.0}


def done(number: int, reason: str = "end") -> dict[str, Any]:
    message = {"type": "chat", "event": "done", "id": number, "reason": reason, "tokens": 2, "seconds": 0.01}
    return message | {"first_token_ms": 4.5, "seed": 1}


def test_a_prompt_is_sent_with_its_sampling_settings(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    chat = window.chat
    chat.set_settings({"seed": 7, "temperature": 0.6, "top_k": 12, "tokens": 99})
    qtbot.keyClicks(chat.prompt, "Hello you")
    qtbot.keyClick(chat.prompt, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: engine.ops("chat") != [])
    assert engine.ops("chat") == [{"op": "chat", "prompt": "Hello you", "seed": 7, "temperature": 0.6, "top_k": 12, "tokens": 99}]
    assert chat.prompt.text() == ""


def test_an_empty_prompt_is_not_sent(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    qtbot.keyClick(window.chat.prompt, Qt.Key.Key_Return)
    qtbot.keyClicks(window.chat.prompt, "   ")
    qtbot.keyClick(window.chat.prompt, Qt.Key.Key_Return)
    assert not window.chat.send_button.isEnabled()
    window.chat.stop_button.click()
    qtbot.waitUntil(lambda: engine.ops("chat_stop") != [])
    assert engine.ops("chat") == []


def test_tokens_stream_into_the_transcript_and_stopping_is_marked(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(started(1, "Who are you?"), token(1, "A small"), token(1, " net"))
    qtbot.waitUntil(lambda: "A small net" in window.chat.transcript.toPlainText())
    text = window.chat.transcript.toPlainText()
    assert text.index("continues text") < text.index("Who are you?") < text.index("A small net")
    engine.send(token(1, "work"), done(1, "stopped"), started(2, "Really?"), token(2, "Yes"), done(2))
    qtbot.waitUntil(lambda: "Yes" in window.chat.transcript.toPlainText())
    text = window.chat.transcript.toPlainText()
    assert "A small network  [stopped]" in text
    assert text.endswith("Yes")


def test_nothing_can_be_sent_while_an_answer_streams_but_it_can_be_stopped(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(started(1))
    qtbot.waitUntil(lambda: window.state.chat_busy)
    qtbot.keyClicks(window.chat.prompt, "more")
    qtbot.keyClick(window.chat.prompt, Qt.Key.Key_Return)
    assert window.chat.prompt.text() == "more"
    assert window.chat.stop_button.isEnabled()
    qtbot.mouseClick(window.chat.stop_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: engine.ops("chat_stop") != [])
    assert engine.ops("chat") == []


def test_clear_memory_is_asked_for_and_empties_the_transcript_once_done(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(started(1), token(1, "secret"), done(1))
    qtbot.waitUntil(lambda: "secret" in window.chat.transcript.toPlainText())
    qtbot.mouseClick(window.chat.clear, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: engine.ops("chat_clear") != [])
    assert "secret" in window.chat.transcript.toPlainText()
    engine.send({"type": "chat", "event": "cleared"})
    qtbot.waitUntil(lambda: "secret" not in window.chat.transcript.toPlainText())


def test_the_chat_tells_its_speed_and_the_age_of_its_memory(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(started(1), token(1, "x"), done(1), status(1, chat={"busy": False, "tokens_per_s": 0.0, "memory_age": 1234}))
    qtbot.waitUntil(lambda: "memory 1,234 tokens" in window.chat.figures.text())
    for part in ("200 tokens/s", "first token 4.50 ms", "12 % of units"):
        assert part in window.chat.figures.text()


def test_the_conversation_can_be_copied(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(started(1, "hi"), token(1, "hello"), done(1))
    qtbot.waitUntil(window.chat.copy.isEnabled)
    window.chat.copy.click()
    assert QGuiApplication.clipboard().text() == "You: hi\nEgret: hello"


def test_the_transcript_follows_the_text_unless_the_reader_scrolled_back(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    bar = window.chat.transcript.verticalScrollBar()
    engine.send(started(1), *(token(1, "many words\n") for _ in range(100)))
    qtbot.waitUntil(lambda: bar.maximum() > 500 and bar.value() == bar.maximum())
    bar.setValue(10)
    highest = bar.maximum()
    engine.send(*(token(1, "many words\n") for _ in range(100)))
    qtbot.waitUntil(lambda: bar.maximum() > highest + 500)
    assert bar.value() == 10
