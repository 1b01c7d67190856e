"""The chat panel: prompts go out with their settings, answers stream in, Stop and Clear always act."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QTextCharFormat
from pytestqt.qtbot import QtBot
from window.chat_messages import ANSWERED, ASKED, done, path, started, token, turn
from window.engine_double import EngineDouble, status

from app.window import theme
from app.window.mainwindow import MainWindow
from app.window.panels.chat_transcript import FULL, NODE, VERSION, Transcript, about, shade
from app.window.panels.chat_tree import children
from app.window.talk import Piece, Row, Turn


def test_a_prompt_is_sent_with_its_sampling_settings(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    chat = window.chat
    chat.set_settings({"seed": 7, "temperature": 0.6, "top_k": 12, "tokens": 99, "top_p": 0.9, "min_p": "odd"})
    qtbot.keyClicks(chat.prompt, "Hello you")
    qtbot.keyClick(chat.prompt, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: engine.ops("chat") != [])
    settings = {"seed": 7, "temperature": 0.6, "top_k": 12, "tokens": 99, "top_p": 0.9, "min_p": 0.0, "repetition_penalty": 1.0}
    assert engine.ops("chat") == [{"op": "chat", "prompt": "Hello you"} | settings]
    assert chat.prompt.text() == ""


def formats(transcript: Transcript, name: int) -> dict[str, int]:
    """Stretches of letters whose format has this property."""
    found: dict[str, int] = {}
    block = transcript.document().begin()
    while block.isValid():
        iterator = block.begin()
        while not iterator.atEnd():
            fragment = iterator.fragment()
            if value := fragment.charFormat().property(name):
                found[fragment.text()] = int(value)
            iterator += 1
        block = block.next()
    return found


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


def test_what_is_sent_while_an_answer_streams_waits_and_that_is_said(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    chat = window.chat
    engine.send(started(1))
    qtbot.waitUntil(lambda: window.state.talk.busy)
    for prompt in ("more", "and more"):
        qtbot.keyClicks(chat.prompt, prompt)
        assert chat.send_button.isEnabled()
        qtbot.keyClick(chat.prompt, Qt.Key.Key_Return)
        assert chat.prompt.text() == ""
    qtbot.waitUntil(lambda: [message["prompt"] for message in engine.ops("chat")] == ["more", "and more"])
    engine.send(status(1_000_000, chat={"busy": True}))
    qtbot.waitUntil(lambda: chat.figures.text().startswith("2 wait"))
    engine.send(done(1), started(2, "more"), status(2_000_000, chat={"busy": True}))
    qtbot.waitUntil(lambda: chat.figures.text().startswith("1 wait"))
    assert chat.stop_button.isEnabled()
    qtbot.mouseClick(chat.stop_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: engine.ops("chat_stop") != [])
    dropped = done(3, "stopped", "and more", read=False) | {"tokens": 0, "first_token_ms": 0.0}
    engine.send(done(2, "stopped", "more"), dropped)
    qtbot.waitUntil(lambda: "wait" not in chat.figures.text())
    assert "first token 4.50 ms" in chat.figures.text()


def test_a_conversation_that_is_being_taken_up_is_said_to_be_and_can_be_stopped(
    qtbot: QtBot, window: MainWindow, engine: EngineDouble
) -> None:
    chat = window.chat
    said = "taking up the conversation"
    engine.send(path(ASKED, ANSWERED), status(1_000_000, chat={"busy": True, "kept": 8}))
    qtbot.waitUntil(lambda: chat.figures.text().startswith(said))
    assert chat.stop_button.isEnabled()
    chat.edit_last()
    qtbot.mouseClick(chat.stop_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: engine.ops("chat_stop") != [])
    engine.send(status(2_000_000))
    qtbot.waitUntil(lambda: said not in chat.figures.text())
    engine.send(started(1), status(3_000_000, chat={"busy": True, "tokens_per_s": 12.0}))
    qtbot.waitUntil(lambda: "12.0 tokens/s" in chat.figures.text())
    assert said not in chat.figures.text()


def test_the_chat_tells_its_speed_and_the_age_of_its_memory(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(started(1), token(1, "x"), done(1), status(1, chat={"busy": False, "tokens_per_s": 0.0, "memory_age": 1234}))
    qtbot.waitUntil(lambda: "memory 1,234 tokens" in window.chat.figures.text())
    for part in ("321 tokens/s", "first token 4.50 ms", "12 % of units"):
        assert part in window.chat.figures.text()


def test_figures_that_do_not_fit_are_cut_and_move_nothing(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    width = window.chat.width()
    host = {"agreed": 5, "alone": 3, "reason": "", "difference": {"node": 7, "text": " tiny", "index": 1}}
    engine.send(started(1), token(1, "x") | {"energy_uj": 0.34}, done(1) | {"host": host}, status(1, chat={"memory_age": 12_345}))
    figures = window.chat.figures
    qtbot.waitUntil(lambda: "memory 12,345 tokens" in figures.text() and "they differ" in figures.text())
    qtbot.wait(100)
    assert figures.fontMetrics().horizontalAdvance(figures.text()) > figures.width()
    assert window.chat.width() == width
    assert figures.toolTip() == figures.text()


def test_the_conversation_can_be_copied(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(started(1, "hi"), token(1, "hello"), done(1))
    qtbot.waitUntil(window.chat.conversation.copy.isEnabled)
    window.chat.conversation.copy.trigger()
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


# ---- memory as an object -------------------------------------------------------------------------------------------------------------


def test_every_letter_knows_its_token_once_the_engine_has_said_where_the_conversation_stands(
    qtbot: QtBot, window: MainWindow, engine: EngineDouble
) -> None:
    transcript = window.chat.transcript
    engine.send(started(1, "Who are you"), *(token(1, text) | {"node": 6 + i} for i, text in enumerate(("A", " tiny", " net"))))
    qtbot.waitUntil(lambda: "tiny net" in transcript.toPlainText())
    text = transcript.toPlainText()
    assert formats(transcript, NODE) == {"A": 6, " tiny": 7, " net": 8}
    engine.send(done(1), path(ASKED, ANSWERED))
    qtbot.waitUntil(lambda: "Who" in formats(transcript, NODE))
    assert formats(transcript, NODE) == {"Who": 2, " are": 3, " you": 4, "A": 6, " tiny": 7, " net": 8}
    assert transcript.toPlainText() == text


def test_what_is_rewound_goes_and_what_is_written_on_comes(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    transcript = window.chat.transcript
    engine.send(path(ASKED, ANSWERED))
    qtbot.waitUntil(lambda: "tiny net" in transcript.toPlainText())
    engine.send(path(ASKED, turn("model", 5, "", "A")))
    qtbot.waitUntil(lambda: "tiny" not in transcript.toPlainText())
    assert transcript.toPlainText().endswith("Egret  A")
    engine.send({"type": "chat", "event": "started", "id": 2, "prompt": None, "seed": 1}, token(2, " large") | {"node": 20}, done(2))
    qtbot.waitUntil(lambda: transcript.toPlainText().endswith("Egret  A large"))
    assert formats(transcript, NODE)[" large"] == 20


def test_a_press_on_a_token_offers_to_go_back_there(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    chat = window.chat
    engine.send(path(ASKED, ANSWERED))
    qtbot.waitUntil(lambda: len(window.state.talk.turns) == 2)
    user, model = window.state.talk.turns
    back, back_and_on, _, anew, _ = chat.token_menu(model, 7).actions()
    back.trigger()
    back_and_on.trigger()
    anew.trigger()
    qtbot.waitUntil(lambda: engine.ops("chat_regenerate") != [])
    assert [message["node"] for message in engine.ops("chat_rewind")] == [7, 7]
    assert len(engine.ops("chat_continue")) == 1
    assert engine.ops("chat_regenerate")[0]["node"] == 7
    assert [action.text() for action in chat.token_menu(user, 2).actions()][3] == "Change this prompt"


def test_the_press_finds_the_token_under_the_mouse(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    transcript = window.chat.transcript
    engine.send(path(ASKED, ANSWERED))
    qtbot.waitUntil(lambda: " net" in formats(transcript, NODE))
    found: list[tuple[Turn, int]] = []
    transcript.pressed.disconnect()
    transcript.pressed.connect(lambda turn, node, point: found.append((turn, node)))
    cursor = transcript.textCursor()
    cursor.setPosition(transcript.toPlainText().index("tiny") + 2)
    transcript.setTextCursor(cursor)
    point = transcript.cursorRect(cursor).center()
    cursor.clearSelection()
    qtbot.mouseClick(transcript.viewport(), Qt.MouseButton.LeftButton, pos=point)
    assert [(turn.role, node) for turn, node in found] == [("model", 7)]
    piece = transcript.token_at(point)
    assert piece is not None
    assert "1,002 synaptic operations" in list(about(piece))
    transcript.locked = True
    qtbot.mouseClick(transcript.viewport(), Qt.MouseButton.LeftButton, pos=point)
    assert len(found) == 1


def test_versions_of_a_turn_can_be_paged_through(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    transcript = window.chat.transcript
    engine.send(path(ASKED, ANSWERED | {"versions": [3, 8, 12]}))
    qtbot.waitUntil(lambda: "‹ 2/3 ›" in transcript.toPlainText())
    assert sorted(formats(transcript, VERSION).values()) == [3, 12]
    transcript.version.emit(12)
    qtbot.waitUntil(lambda: engine.ops("chat_switch") == [{"op": "chat_switch", "node": 12}])


def test_another_version_with_the_same_text_is_seen_to_be_another(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    transcript = window.chat.transcript
    engine.send(path(ASKED, ANSWERED | {"versions": [8, 12]}))
    qtbot.waitUntil(lambda: "‹ 1/2 ›" in transcript.toPlainText())
    engine.send(path(ASKED, turn("model", 9, "", "A", " tiny", " net") | {"versions": [8, 12]}))
    qtbot.waitUntil(lambda: "‹ 2/2 ›" in transcript.toPlainText())
    assert list(formats(transcript, VERSION).values()) == [8]
    assert formats(transcript, NODE)[" net"] == 12


def test_write_anew_sends_the_settings_and_leaves_another_seed_to_the_engine(
    qtbot: QtBot, window: MainWindow, engine: EngineDouble
) -> None:
    assert not window.chat.again.isEnabled()
    engine.send(started(1) | {"seed": 41}, token(1, "A"), done(1), path(ASKED, ANSWERED))
    qtbot.waitUntil(lambda: window.chat.again.isEnabled() and window.chat.more.isEnabled())
    window.chat.again.click()
    window.chat.more.click()
    qtbot.waitUntil(lambda: engine.ops("chat_continue") != [])
    assert engine.ops("chat_regenerate") == [{"op": "chat_regenerate"} | window.chat.settings.message()]


def test_an_earlier_prompt_is_changed_in_its_own_place_and_escape_leaves_it(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    chat = window.chat
    engine.send(path(ASKED, ANSWERED))
    qtbot.waitUntil(lambda: len(window.state.talk.turns) == 2)
    qtbot.keyClick(chat.prompt, Qt.Key.Key_Up)
    assert (chat.prompt.text(), chat.send_button.text()) == ("Who are you", "Send anew")
    chat.stop()
    assert (chat.prompt.text(), chat.send_button.text()) == ("", "Send")
    chat.edit_last()
    qtbot.keyClicks(chat.prompt, "?")
    qtbot.keyClick(chat.prompt, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: engine.ops("chat_edit") != [])
    (edited,) = engine.ops("chat_edit")
    assert (edited["node"], edited["prompt"]) == (4, "Who are you?")
    assert engine.ops("chat_stop") == engine.ops("chat") == []
    assert chat.send_button.text() == "Send"


def test_what_can_be_done_is_there_as_long_as_there_is_a_branch_to_go_to(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    chat = window.chat
    buttons = (chat.again, chat.more, chat.tree_button)
    assert not any(button.isEnabled() for button in buttons)
    engine.send(status(1_000_000, chat={"busy": False, "kept": 9}))  # all is on branches, for a window that attaches too
    qtbot.waitUntil(lambda: all(button.isEnabled() for button in buttons))
    engine.send(path(ASKED, ANSWERED), status(2_000_000, chat={"busy": True, "kept": 9}))
    qtbot.waitUntil(lambda: window.state.talk.busy)
    engine.send(path(age=9))
    qtbot.waitUntil(lambda: window.state.talk.turns == [])
    qtbot.wait(100)
    assert all(button.isEnabled() for button in buttons)
    engine.send({"type": "chat", "event": "cleared"}, status(3_000_000))
    qtbot.waitUntil(lambda: not any(button.isEnabled() for button in buttons))


def test_the_tree_is_asked_for_and_a_turn_in_it_is_gone_to(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    chat = window.chat
    engine.send(path(ASKED, ANSWERED))
    qtbot.waitUntil(chat.tree_button.isEnabled)
    chat.tree_button.menu().aboutToShow.emit()
    qtbot.waitUntil(lambda: engine.ops("chat_tree") != [])
    rows = [(4, 0, "user", "Who are you", True), (8, 1, "model", "A tiny net", False), (12, 1, "model", "Nobody", True)]
    names = ("node", "depth", "role", "text", "here")
    engine.send({"type": "chat", "event": "tree", "rows": [dict(zip(names, row, strict=True)) for row in rows]})
    qtbot.waitUntil(lambda: chat.branches.topLevelItemCount() == 1)
    top = chat.branches.topLevelItem(0)
    assert top is not None
    assert [top.child(index).text(0) for index in range(2)] == ["Egret:  A tiny net", "Egret:  Nobody"]
    chat.branches.itemClicked.emit(top.child(0), 0)
    qtbot.waitUntil(lambda: engine.ops("chat_switch") == [{"op": "chat_switch", "node": 8}])


def test_a_conversation_without_branches_is_not_indented(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    rows = tuple(Row(index, index, "user", str(index), True) for index in range(5))
    assert children(rows) == [1, 1, 1, 1, 0]
    window.chat.branches.show_rows(rows)
    assert window.chat.branches.topLevelItemCount() == 5


def test_the_first_token_at_which_chip_and_host_differ_is_marked_with_the_reason(
    qtbot: QtBot, window: MainWindow, engine: EngineDouble
) -> None:
    transcript = window.chat.transcript
    reason = "The emulated chip answered wrongly"
    host = {"agreed": 5, "alone": 3, "reason": reason, "difference": {"node": 7, "text": " tiny", "index": 1}}
    streamed = [token(1, text) | {"node": 6 + i, "agrees": i != 1} for i, text in enumerate(("A", " tiny", " net"))]
    engine.send(started(1, "Who are you"), *streamed, done(1) | {"host": host}, path(ASKED, ANSWERED))
    qtbot.waitUntil(lambda: f"from the marked token on  {reason}" in transcript.toPlainText() and "Who" in formats(transcript, NODE))
    pieces = window.state.talk.turns[1].pieces
    assert [piece.agrees for piece in pieces] == [True, True, False, True]
    assert "agree on 5 tokens   ·   they differ at one   ·   3 by the host alone" in window.chat.figures.text()


def test_comparing_with_the_host_can_be_chosen_where_there_is_a_chip(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    settings = window.chat.settings
    engine.send(status(1_000_000))
    qtbot.waitUntil(lambda: not settings.check.isEnabled())
    engine.send(status(2_000_000, chat={"busy": False, "checks": False, "may_check": True}))
    qtbot.waitUntil(settings.check.isEnabled)
    settings.check.click()
    qtbot.waitUntil(lambda: engine.ops("chat_check") == [{"op": "chat_check", "value": True}])


@pytest.mark.parametrize("obeys", [True, False])
def test_the_box_for_comparing_keeps_unless_the_engine_goes_on_saying_otherwise(
    qtbot: QtBot, window: MainWindow, engine: EngineDouble, obeys: bool
) -> None:
    box = window.chat.settings.check
    engine.send(status(1_000_000, chat={"checks": False, "may_check": True}))
    qtbot.waitUntil(box.isEnabled)
    box.click()
    flips: list[bool] = []
    box.toggled.connect(flips.append)
    for number, checks in enumerate([False] + [obeys] * 5):  # the first was on its way when the box was pressed
        engine.send(status(2_000_000 + number, chat={"checks": checks, "may_check": True}))
        qtbot.waitUntil(lambda number=number: window.state.status.now_us == 2_000_000 + number)
        qtbot.wait(100)
    assert flips == ([] if obeys else [False])


def test_the_line_under_a_token_is_brighter_the_more_units_fired(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    assert shade(0.0) == theme.RAISED
    assert shade(FULL) == shade(1.0) == theme.ACCENT
    assert shade(0.05).lightness() < shade(0.15).lightness()
    engine.send(path(ASKED, ANSWERED))
    qtbot.waitUntil(lambda: "tiny" in window.chat.transcript.toPlainText())

    def lines() -> bool:
        cursor = window.chat.transcript.textCursor()
        cursor.setPosition(window.chat.transcript.toPlainText().index("tiny") + 1)
        return cursor.charFormat().underlineStyle() != QTextCharFormat.UnderlineStyle.NoUnderline

    assert lines()
    window.chat.settings.underline.setChecked(False)
    assert not lines()
    assert list(about(Piece(1, " x", energy_uj=1.234)))[-1] == "1.23 µJ (estimated)"


def test_old_turns_that_the_engine_no_longer_tells_go_from_the_top(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    transcript = window.chat.transcript
    later = turn("user", 20, "", "Really")
    engine.send(path(ASKED, ANSWERED, later))
    qtbot.waitUntil(lambda: "Really" in transcript.toPlainText())
    engine.send(path(ANSWERED, later, turn("model", 30, "", "Yes")))
    qtbot.waitUntil(lambda: transcript.toPlainText().endswith("Yes"))
    assert "Who are" not in transcript.toPlainText()
    assert transcript.toPlainText().count("tiny net") == 1


def test_a_path_that_tells_only_what_changed_is_joined_to_what_was_told(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    transcript = window.chat.transcript
    engine.send(path(ASKED, ANSWERED), started(3, "Really"), token(3, "Yes") | {"node": 22}, done(3))
    engine.send(path(turn("user", 20, "Really"), turn("model", 21, "", "Yes")) | {"after": 8})
    qtbot.waitUntil(lambda: formats(transcript, NODE).get("Really") == 20)
    assert [turn.text for turn in window.state.talk.turns] == ["Who are you", "A tiny net", "Really", "Yes"]
    assert transcript.toPlainText().count("Yes") == 1
    engine.send(path(turn("model", 30, "", "No")) | {"after": 4})
    qtbot.waitUntil(lambda: transcript.toPlainText().endswith("Egret  No"))
    assert "Really" not in transcript.toPlainText()


def test_a_prompt_whose_turn_has_gone_from_the_conversation_is_a_new_one(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    chat = window.chat
    for forgotten in ({"type": "chat", "event": "cleared"}, path(turn("user", 50, "", "Other"), turn("model", 52, "", "Yes"))):
        engine.send(path(ASKED, ANSWERED))
        qtbot.waitUntil(lambda: [turn.node for turn in window.state.talk.turns] == [4, 8])
        chat.edit_last()
        assert chat.send_button.text() == "Send anew"
        engine.send(forgotten)
        qtbot.waitUntil(lambda: chat.send_button.text() == "Send")
    chat.send()
    qtbot.waitUntil(lambda: engine.ops("chat") != [])
    assert engine.ops("chat")[0]["prompt"] == "Who are you"
    assert engine.ops("chat_edit") == []
