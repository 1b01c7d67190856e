"""What the window's tests share: an engine that a test scripts, and a window that must leave nothing running."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot
from window.engine_double import EngineDouble, hello, source

from app.window.mainwindow import MainWindow

HARMLESS = ("propagateSizeHints", "does not support raise()", "does not support grabbing the keyboard")
"""Qt's offscreen platform says this of every top-level window, and of menus."""


@pytest.fixture
def folder(sessions: Path) -> Path:
    """The session's folder."""
    folder = sessions / "1"
    folder.mkdir()
    return folder


@pytest.fixture
def engine(folder: Path) -> Iterator[EngineDouble]:
    """An engine that plays a recording of a 32 x 24 sensor."""
    engine = EngineDouble(folder, hello(source(folder)))
    yield engine
    engine.close()


@pytest.fixture
def window(qtbot: QtBot, engine: EngineDouble, qtlog: pytest.FixtureRequest) -> Iterator[MainWindow]:
    """A shown window, attached to `engine`. Afterwards no timer of it may run and Qt must not have complained."""
    window = MainWindow(engine.folder)
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(lambda: window.state.connected and not window.events.view.heading)
    yield window
    window.close()
    assert not [timer for timer in window.findChildren(QTimer) if timer.isActive() and timer.parent() is not window.notice]
    complaints = [record.message for record in qtlog.records if not any(text in record.message for text in HARMLESS)]
    assert not complaints
