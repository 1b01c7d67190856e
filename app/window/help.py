"""The keys, once: the window binds them from this table and the help dialog prints it."""

from dataclasses import dataclass

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QLabel, QVBoxLayout, QWidget


@dataclass(frozen=True, slots=True)
class Key:
    """`keys` (Qt key sequences) call the window's `action`; `shown` and `meaning` are for people."""

    keys: tuple[str, ...]
    action: str
    shown: str
    meaning: str


KEYS: tuple[Key, ...] = (
    Key(("Space",), "play_or_pause", "Space", "play or pause the recording"),
    Key((".",), "step", ".", "one window of 25 ms on"),
    Key(("Left",), "back", "←", "a second back; a window back while paused"),
    Key(("Right",), "forward", "→", "a second on; a window on while paused"),
    Key(("/",), "focus_prompt", "/", "write to the model"),
    Key(("Ctrl+Return", "Ctrl+Enter"), "send_prompt", "Enter, Ctrl+Enter", "send the prompt"),
    Key(("Esc",), "stop_answer", "Esc", "stop the answer"),
    Key(("Ctrl+L",), "clear_memory", "Ctrl+L", "clear the model's memory"),
    Key(("R",), "record", "R", "start or stop recording"),
    Key(("F5",), "restart_engine", "F5", "start the engine again when it has gone"),
    Key(("Ctrl++", "Ctrl+="), "larger", "Ctrl +", "larger type"),
    Key(("Ctrl+-",), "smaller", "Ctrl −", "smaller type"),
    Key(("F11",), "full_screen", "F11", "full screen"),
    Key(("?", "F1"), "help", "?", "this page"),
)

HINTS = (
    "The picture shows every pixel's last event, fading with time: one colour for brighter, one for darker.",
    "A gesture is accepted when its confidence passes the line in the bars; drag the line to set the threshold.",
    "The badge at the top says where the networks really run: HOST, CHIP or EMULATED CHIP. Its dot beats with their steps.",
    "Closing this window ends the engine that came with it; one that was started by `egret run` goes on.",
)


class HelpDialog(QDialog):
    """Keys and hints."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Egret: keys and hints")
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(10)
        grid = QGridLayout()
        grid.setHorizontalSpacing(20)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        for row, key in enumerate(KEYS):
            grid.addWidget(QLabel(f"<b>{key.shown}</b>"), row, 0)
            grid.addWidget(QLabel(key.meaning), row, 1)
        column.addLayout(grid)
        column.addSpacing(6)
        for hint in HINTS:
            text = QLabel(hint)
            text.setObjectName("muted")
            text.setWordWrap(True)
            column.addWidget(text)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)

    def showEvent(self, event: QShowEvent) -> None:
        """As high as the wrapped hints need: known only once the style is applied."""
        super().showEvent(event)
        width = self.fontMetrics().averageCharWidth() * 76
        self.setFixedSize(width, self._column.totalHeightForWidth(width))
