"""Teaching from the window: what is pressed reaches the engine, and what the engine says is seen, in both languages and by keyboard."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel
from pytestqt.qtbot import QtBot
from window.engine_double import LABELS, EngineDouble, decision, hello, source, status

from app.protocol import Message
from app.window.fields import Fields
from app.window.lessons import Teaching, teaching_of
from app.window.main import speak
from app.window.mainwindow import MainWindow
from app.window.panels import teach
from app.window.panels.teach import REMARKS, TeachPanel
from models.teaching.figures import SENTENCES

TAUGHT = "thumbs_up"
REMARKED = [
    {"kind": "alike", "name": TAUGHT, "label": "right_hand_wave", "share": 0.81},
    {"kind": "takes", "label": "arm_roll", "share": 0.12},
    {"kind": "from another version", "name": TAUGHT},
]


def figures() -> dict[str, Any]:
    """Figures after one gesture was taught: every old one right, the new one half right."""
    labels = [*LABELS, TAUGHT]
    size = len(labels)
    before = [[100 if row == column else 0 for column in range(size)] for row in range(size)]
    after = [list(row) for row in before]
    before[-1] = [0, 75, 0, 0, 25, *[0] * (size - 5)]
    after[-1] = [0, 50, *[0] * (size - 3), 50]
    known = {"windows": 1100, "before": 0.741, "after": 0.7395}
    own = {TAUGHT: {"examples": 4, "recordings": 4, "windows": 100, "found": 0.5, "accepted": 0.31}}
    return {"labels": labels, "before": before, "after": after, "known": known, "taught": own, "remarks": REMARKED}


def example(number: int, **fields: Any) -> dict[str, Any]:
    """An example that waits."""
    return {"id": number, "windows": 104, "label": "air_drums", "share": 0.52, "counter": False} | fields


def told(**fields: Any) -> Message:
    """A `teach` message."""
    message: Message = {"type": "teach", "state": "idle", "share": 0.0, "seconds": 3.0, "counter": False, "examples": [], "figures": None}
    return message | {"newest": "", "taught": []} | fields


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A countdown of one."""
    monkeypatch.setattr(teach, "COUNTDOWN", 1)


@pytest.fixture
def panel(qtbot: QtBot, window: MainWindow) -> TeachPanel:
    """The panel in its open dialog."""
    window.teach_gesture()
    qtbot.waitUntil(window.teach_dialog.isVisible)
    return window.teach


@pytest.fixture
def german(qapp: QApplication) -> Iterator[None]:
    speak(qapp, "de")
    yield
    speak(qapp, "en")


def rows(panel: TeachPanel) -> list[str]:
    return [panel.examples.item(row).text() for row in range(panel.examples.count())]


def test_an_example_is_recorded_after_a_countdown_and_listed(qtbot: QtBot, quick: None, engine: EngineDouble, panel: TeachPanel) -> None:
    assert panel.call.text() == "Record the gesture"
    panel.record.click()
    assert "1 ... get ready" in panel.call.text() and not panel.record.isEnabled()
    assert engine.ops("teach_record") == []
    qtbot.waitUntil(lambda: engine.ops("teach_record") == [{"op": "teach_record", "seconds": 3.0, "counter": False}])
    engine.send(told(state="recording", share=0.5))
    qtbot.waitUntil(lambda: panel.call.text() == "Now make the gesture" and panel.progress.value() == 500)
    engine.send(told(examples=[example(7), example(9, counter=True, label="", share=0.0)]))
    qtbot.waitUntil(lambda: len(rows(panel)) == 2)
    assert rows(panel) == [
        "1   2.6 s of movement, now read as Air drums in 5 of 10 windows",
        "2   counter-example: what the gesture is not",
    ]
    assert panel.call.text() == "Once more, a little differently" and panel.record.isEnabled()


def test_a_countdown_can_be_stopped_and_nothing_is_recorded(
    qtbot: QtBot, engine: EngineDouble, window: MainWindow, panel: TeachPanel
) -> None:
    panel.counter.click()
    qtbot.keyClick(window.teach_dialog, Qt.Key.Key_Escape)
    assert window.teach_dialog.isVisible() and panel.record.isEnabled()
    qtbot.keyClick(window.teach_dialog, Qt.Key.Key_Escape)
    assert not window.teach_dialog.isVisible()
    assert engine.ops("teach_record") == []


def test_stop_reaches_an_engine_that_records_or_learns(qtbot: QtBot, engine: EngineDouble, panel: TeachPanel) -> None:
    engine.send(told(state="learning", share=0.25))
    qtbot.waitUntil(lambda: panel.call.text() == "Learning ..." and panel.progress.value() == 250)
    assert not panel.record.isEnabled() and not panel.train.isEnabled()
    panel.stop.click()
    qtbot.waitUntil(lambda: engine.ops("teach_stop") != [])


def test_everything_is_done_by_keyboard(qtbot: QtBot, quick: None, window: MainWindow, engine: EngineDouble) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    qtbot.keyClick(window.events.view, Qt.Key.Key_T)
    qtbot.waitUntil(window.teach_dialog.isVisible)
    panel = window.teach
    qtbot.waitUntil(panel.name.hasFocus)
    qtbot.keyClicks(panel.name, "Thumbs up")
    qtbot.keyClick(panel.name, Qt.Key.Key_Return)  # presses nothing
    qtbot.keyClick(panel.name, Qt.Key.Key_Tab)
    assert panel.record.hasFocus()
    qtbot.keyClick(panel.record, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: len(engine.ops("teach_record")) == 1)
    engine.send(told(examples=[example(3)]))
    qtbot.waitUntil(lambda: panel.examples.count() == 1)
    panel.examples.setCurrentRow(0)
    panel.examples.setFocus()
    qtbot.keyClick(panel.examples, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: engine.ops("teach_drop") == [{"op": "teach_drop", "id": 3}])
    panel.train.setFocus()
    qtbot.keyClick(panel.train, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: engine.ops("teach_learn") == [{"op": "teach_learn", "name": "Thumbs up"}])
    assert not {message["op"] for message in engine.received} & {"record", "play", "pause"}


def test_training_needs_a_name_and_an_example_that_is_no_counter_example(qtbot: QtBot, engine: EngineDouble, panel: TeachPanel) -> None:
    engine.send(told(examples=[example(1, counter=True)]))
    qtbot.waitUntil(lambda: panel.examples.count() == 1)
    panel.name.setText("Thumbs up")
    assert not panel.train.isEnabled()
    engine.send(told(examples=[example(1, counter=True), example(2)]))
    qtbot.waitUntil(panel.train.isEnabled)
    panel.name.setText("  ")
    assert not panel.train.isEnabled()


def test_before_and_after_are_shown_with_what_is_to_be_said(qtbot: QtBot, engine: EngineDouble, panel: TeachPanel) -> None:
    engine.send(told(figures=figures(), taught=[TAUGHT], newest=TAUGHT))
    qtbot.waitUntil(panel.maps.isVisible)
    assert "Thumbs up (4 examples): 50 % of held-out windows found, 31 % with enough confidence" in panel.result.text()
    assert "74.1 % of windows right before, 74.0 % now" in panel.result.text()
    said = panel.remarks.text().splitlines()
    assert said[0].startswith("Thumbs up reads as Right hand wave in 8 of 10 windows") and said[1].startswith(
        "12 % of the windows of Arm roll"
    )
    assert len(said) == 2  # what this version does not know is left out
    new = len(LABELS)
    assert panel.maps.share(0, new, 1) == 0.75 and panel.maps.share(1, new, new) == 0.5
    place = panel.maps.cell(1, new, 1).center()
    assert panel.maps._told_at(place) == "Thumbs up is read as Right hand wave in 50 % of its windows"
    corner = panel.maps.grab().toImage()
    assert corner.pixelColor(panel.maps.cell(0, 0, 0).topLeft()) != corner.pixelColor(panel.maps.cell(0, 0, 5).topLeft())
    assert panel.undo.text() == "Take back Thumbs up"
    panel.undo.click()
    qtbot.waitUntil(lambda: engine.ops("teach_undo") == [{"op": "teach_undo", "name": TAUGHT}])
    engine.send(told())
    qtbot.waitUntil(lambda: not panel.maps.isVisible() and not panel.undo.isVisible() and panel.result.text() == "")


def test_what_goes_wrong_is_said_where_it_was_asked_for(qtbot: QtBot, quick: None, engine: EngineDouble, panel: TeachPanel) -> None:
    engine.send({"type": "notice", "level": "error", "sentence": "Something of before."})
    qtbot.waitUntil(lambda: panel.state.notices_seen == 1)
    panel.record.click()
    qtbot.waitUntil(lambda: len(engine.ops("teach_record")) == 1)
    engine.send({"type": "notice", "level": "error", "sentence": "Too little happened."})
    qtbot.waitUntil(lambda: panel.trouble.isVisible() and panel.trouble.text() == "Too little happened.")
    panel.record.click()
    assert not panel.trouble.isVisible()
    panel.break_off()


def test_classes_that_were_taught_are_seen_in_the_bars(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(decision(1_000_000))
    qtbot.waitUntil(lambda: window.gesture.verdict.headline == "Right hand wave")
    models = {"gesture": {"name": "g", "hash": "0", "labels": [*LABELS, TAUGHT], "taught": [TAUGHT]}, "language": {}}
    scores = [*[0.01] * len(LABELS), 0.89]
    engine.send({"type": "models", "models": models}, decision(1_025_000, TAUGHT, 0.89, scores=scores))
    qtbot.waitUntil(lambda: window.gesture.verdict.headline == "Thumbs up")
    assert window.gesture.bars.labels[-1] == TAUGHT and window.gesture.bars.best == len(LABELS)


def test_a_window_that_attaches_sees_what_was_taught_before(qtbot: QtBot, engine: EngineDouble) -> None:
    engine.greeting = hello(source(engine.folder), teach=told(figures=figures(), taught=[TAUGHT], newest=TAUGHT))
    window = MainWindow(engine.folder)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(lambda: window.teach.result.text() != "")
    assert window.teach.call.text() == "Record another gesture, or more of one"
    window.close()


def test_without_a_source_nothing_can_be_recorded(qtbot: QtBot, engine: EngineDouble, panel: TeachPanel) -> None:
    engine.send(source(None, state="failed", width=0, height=0, surface="", spec="camera"))
    qtbot.waitUntil(lambda: panel.call.text() == "There is nothing to see yet")
    assert not panel.record.isEnabled() and not panel.counter.isEnabled()


def test_visitors_of_a_kiosk_teach_nothing(qtbot: QtBot, engine: EngineDouble) -> None:
    window = MainWindow(engine.folder, kiosk=True)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(lambda: window.state.connected)
    qtbot.keyClick(window.events.view, Qt.Key.Key_T)
    assert window.teach.button.isHidden() and not window.teach_dialog.isVisible()
    window.leave()


def test_the_german_dialog_clips_no_text(qtbot: QtBot, german: None, engine: EngineDouble) -> None:
    engine.greeting = hello(source(engine.folder), teach=told(figures=figures(), taught=[TAUGHT], newest=TAUGHT, examples=[example(1)]))
    window = MainWindow(engine.folder)
    qtbot.addWidget(window)
    window.show()
    window.teach_gesture()
    engine.send(status(1_000_000))
    qtbot.waitUntil(lambda: window.teach.maps.isVisible() and window.teach.examples.count() == 1)
    shown = [w for kind in (QLabel, QAbstractButton) for w in window.teach.findChildren(kind) if w.isVisible()]

    def clipped() -> list[str]:
        short = [w.text() for w in shown if not (isinstance(w, QLabel) and w.wordWrap()) and w.sizeHint().width() > w.width() + 1]
        return short + [w.text() for w in shown if isinstance(w, QLabel) and w.wordWrap() and w.heightForWidth(w.width()) > w.height() + 1]

    qtbot.waitUntil(lambda: clipped() == [])
    assert "zurückgehaltenen" in window.teach.result.text() and "74,1 %" in window.teach.result.text()
    assert "richtig, jetzt" in window.teach.result.text()
    assert rows(window.teach) == ["1   2,6 s Bewegung, jetzt in 5 von 10 Fenstern gelesen als Luftschlagzeug"]
    window.close()


def test_every_remark_of_the_engine_has_its_words_here() -> None:
    assert REMARKS.keys() == SENTENCES.keys()


def test_figures_of_a_gesture_that_could_not_be_held_out_have_no_number() -> None:
    said = figures()
    said["taught"][TAUGHT] |= {"found": None, "accepted": None}
    (one,) = teaching_of(Fields(told(figures=said, taught=[TAUGHT]))).taught
    assert math.isnan(one.found) and one.examples == 4


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3)
)


@given(name=st.sampled_from(sorted(figures())), value=JSON)
def test_figures_of_a_wrong_type_are_refused_as_a_whole(name: str, value: Any) -> None:
    try:
        found = teaching_of(Fields(told(figures=figures() | {name: value}, taught=[TAUGHT])))
    except ValueError:
        return
    assert isinstance(found, Teaching)
    assert len(found.before) in (0, len(found.labels)) and len(found.after) in (0, len(found.labels))
