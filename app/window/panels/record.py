"""The record button: where it writes, how much, how long; and the sentence if it cannot."""

import contextlib
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

from app.window.figures import clock_time, size, whole
from app.window.panels.base import Panel, quiet
from app.window.state import Topic, WindowState
from app.window.texts import tr
from app.window.theme import Scale


class RecordPanel(Panel):
    """Record and Stop, and what has been written."""

    INTERESTS: ClassVar[Topic] = Topic.STATUS | Topic.SOURCE | Topic.CONNECTION
    RATE_HZ: ClassVar[float] = 5.0

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(state, "", parent)
        self.setObjectName("record")
        self.folder = Path.home() / "Egret"
        self.button = QToolButton()
        self.button.setText(tr("● Record"))
        self.button.setAccessibleName(tr("Record"))
        self.button.setPopupMode(QToolButton.ToolButtonPopupMode.DelayedPopup)
        menu = QMenu(self.button)
        menu.addAction(tr("Record to ..."), self._choose)
        self.button.setMenu(menu)
        self.button.clicked.connect(self.toggle)
        quiet(self.button)
        self.figures = QLabel()
        self.figures.setObjectName("figure")
        self.figures.setVisible(False)
        row = QHBoxLayout()
        row.addWidget(self.figures)
        row.addWidget(self.button)
        self.column.addLayout(row)

    def _space(self) -> None:
        self.column.setContentsMargins(0, 0, 0, 0)

    def toggle(self) -> None:
        """Start a recording named by date and time, or stop the one that runs."""
        if self.state.recording is not None:
            self.command.emit({"op": "record_stop"})
        elif self._can_record():
            self._record(self.folder / f"egret-{datetime.now():%Y%m%d-%H%M%S}.aedat4")

    def _choose(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, tr("Record to"), str(self.folder), "AEDAT 4 (*.aedat4)")
        if name:
            path = Path(name).with_suffix(".aedat4")
            self.folder = path.parent
            self._record(path)

    def _record(self, path: Path) -> None:
        with contextlib.suppress(OSError):  # the engine says in one sentence what is wrong with the path
            path.parent.mkdir(parents=True, exist_ok=True)
        self.command.emit({"op": "record", "path": str(path)})

    def _can_record(self) -> bool:
        return self.state.connected and self.state.source is not None and self.state.source.open

    def refresh(self, changed: Topic) -> None:
        """Running or not, and how far."""
        recording = self.state.recording
        name = "recording" if recording else ""
        if self.button.objectName() != name:
            self.button.setObjectName(name)
            self.button.setText(tr("■ Stop") if recording else tr("● Record"))
            self.button.style().polish(self.button)
        self.button.setEnabled(self.state.connected and (recording is not None or self._can_record()))
        self.figures.setVisible(recording is not None)
        tip = tr("Record the events, before filters, as AEDAT 4 (R); hold for another place")
        if recording is not None:
            text = recording.sentence or f"{clock_time(int(recording.seconds * 1e6))}   {size(recording.bytes)}"
            if text != self.figures.text():
                self.figures.setText(text)
            tip = f"{recording.path}\n" + tr("{count} events; stop with R").format(count=whole(recording.events))
        self.button.setToolTip(tip)
        self.figures.setToolTip(tip)

    def rescale(self, scale: Scale) -> None:
        """The button keeps its width."""
        super().rescale(scale)
        self.button.setMinimumWidth(scale.px(92))

    def get_settings(self) -> dict[str, Any]:
        """Where recordings go."""
        return {"folder": str(self.folder)}

    def set_settings(self, settings: dict[str, Any]) -> None:
        """Restore it."""
        if isinstance(settings.get("folder"), str) and settings["folder"]:
            self.folder = Path(settings["folder"])
