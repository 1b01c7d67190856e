"""Every text of the window has its German, and every German text is used."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QLocale
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel
from pytestqt.qtbot import QtBot
from window.engine_double import LABELS, EngineDouble, decision, hello, source, status

from app.window import texts
from app.window.figures import axis_rate, clock_time, gesture_name, rate, whole
from app.window.german import GERMAN
from app.window.help import HelpDialog
from app.window.main import speak
from app.window.mainwindow import MainWindow
from app.window.theme import SMALLEST, scale_for

WINDOW = Path(texts.__file__).parent
SHOWN = {"setText", "setToolTip", "setAccessibleName", "setPlaceholderText", "setWindowTitle", "addAction", "addItem", "drawText", "say"}
SHOWN |= {"QLabel", "QPushButton", "QCheckBox", "QMenu", "QAction"}
SAME_IN_EVERY_LANGUAGE = {"Egret", "AEDAT 4 (*.aedat4)"}


def calls() -> Iterator[tuple[Path, str, ast.Call]]:
    """Every call in the window's sources, with its function's name."""
    for path in sorted(WINDOW.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                yield path, node.func.id if isinstance(node.func, ast.Name) else node.func.attr, node


def written() -> set[str]:
    """Every text that the sources hand to `tr` or `mark`."""
    texts = (node.args[0] for _, name, node in calls() if name in ("tr", "mark"))
    return {text.value for text in texts if isinstance(text, ast.Constant)}


@pytest.fixture
def german(qapp: QApplication) -> Iterator[None]:
    """German, and English again afterwards."""
    speak(qapp, "de")
    yield
    speak(qapp, "en")


def test_every_text_has_a_german_one() -> None:
    assert written() - GERMAN.keys() == set()


def test_no_german_text_is_left_over() -> None:
    assert GERMAN.keys() - written() == set()


def test_no_text_is_shown_without_being_translated() -> None:
    found = [
        (path.name, argument.value)
        for path, name, node in calls()
        if name in SHOWN
        for argument in node.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and re.search("[A-Za-z]{2}", argument.value)
        if argument.value not in SAME_IN_EVERY_LANGUAGE | {"info", "warning", "error"}
    ]
    assert found == []


@pytest.mark.parametrize("english", sorted(GERMAN))
def test_a_translation_has_the_same_places_for_figures(english: str) -> None:
    places = re.compile(r"{[^}]*}")
    assert sorted(places.findall(english)) == sorted(places.findall(GERMAN[english]))


def test_every_gesture_has_a_german_name(german: None) -> None:
    names = [gesture_name(label) for label in LABELS]
    assert names[0] == "Klatschen"
    assert len(set(names)) == len(LABELS)
    assert not any(gesture_name(label) == label.replace("_", " ").capitalize() for label in LABELS)
    assert gesture_name("thumbs_up") == "Thumbs up"


def test_figures_are_german_in_german(german: None) -> None:
    assert rate(12_540.0, "ev/s") == "12,5 kev/s"
    assert axis_rate(2500.0) == "2,5 kev/s"
    assert whole(1_234_567) == "1.234.567"
    assert clock_time(65_300_000) == "1:05,3"
    assert QLocale().decimalPoint() == ","


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="fr"):
        texts.use("fr")


@pytest.mark.parametrize("size", [SMALLEST, (1280, 800), (1920, 1080)])
def test_the_german_window_clips_no_text(qtbot: QtBot, german: None, engine: EngineDouble, size: tuple[int, int]) -> None:
    window = MainWindow(engine.folder)
    qtbot.addWidget(window)
    window.resize(*size)
    window.show()
    recording = {"path": "/a.aedat4", "events": 10, "bytes": 12_345_678, "seconds": 65.3, "sentence": ""}
    engine.send(decision(1_000_000, "right_arm_counter_clockwise"), status(1_000_000, lost=12, skipped=40_000, recording=recording))
    qtbot.waitUntil(lambda: window.strip.loss.isVisible() and window._scale == scale_for(*size))

    def clipped() -> list[str]:
        shown = [w for kind in (QLabel, QAbstractButton) for w in window.findChildren(kind) if w.isVisible()]
        short = [w.text() for w in shown if w.sizeHint().width() > w.width() + 1 and not (isinstance(w, QLabel) and w.wordWrap())]
        panels = [(name, panel, panel.minimumSizeHint()) for name, panel in window.panels.items() if panel.isVisible()]
        return short + [name for name, panel, least in panels if least.width() > panel.width() + 1 or least.height() > panel.height() + 1]

    def nothing_is_clipped() -> None:
        assert clipped() == []

    qtbot.waitUntil(nothing_is_clipped)
    assert (window.width(), window.height()) == size
    bars = window.gesture.bars
    assert bars.track().left() < bars.width() // 2, "a gesture's name is cut"
    assert window.gesture.verdict.headline == "Rechter Arm linksherum"
    window.close()


def test_the_german_help_names_german_keys(qtbot: QtBot, german: None) -> None:
    dialog = HelpDialog()
    qtbot.addWidget(dialog)
    said = " ".join(label.text() for label in dialog.findChildren(QLabel))
    assert "Leertaste" in said and "Strg+L" in said and "Vollbild" in said
    assert "Space" not in said


def test_the_overlay_speaks_german(qtbot: QtBot, german: None, engine: EngineDouble) -> None:
    engine.greeting = hello(source(engine.folder, state="failed", sentence="There is no such file."))
    window = MainWindow(engine.folder)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(lambda: window.events.view.heading == "Die Quelle ist ausgefallen")
    assert window.events.view.sentence == "There is no such file."
    assert window.events.view.overlay.button.text() == "Andere Quelle öffnen ..."
    window.close()
