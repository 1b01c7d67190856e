"""The keys, once: the window binds them from this table and the help dialog prints it."""

from dataclasses import dataclass

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QLabel, QVBoxLayout, QWidget

from app.window.texts import mark, tr


@dataclass(frozen=True, slots=True)
class Key:
    """`keys` (Qt key sequences) call the window's `action`; `shown` and `meaning` are for people."""

    keys: tuple[str, ...]
    action: str
    shown: str
    meaning: str


KEYS: tuple[Key, ...] = (
    Key(("Space",), "play_or_pause", mark("Space"), mark("play or pause the recording")),
    Key((".",), "step", ".", mark("one window of 25 ms on")),
    Key(("Left",), "back", "←", mark("a second back; a window back while paused")),
    Key(("Right",), "forward", "→", mark("a second on; a window on while paused")),
    Key(("/",), "chat.focus_prompt", "/", mark("write to the model")),
    Key(("Ctrl+Return", "Ctrl+Enter"), "chat.send", mark("Enter, Ctrl+Enter"), mark("send the prompt")),
    Key(("Esc",), "chat.stop", mark("Esc"), mark("stop the answer")),
    Key(("Ctrl+R",), "chat.regenerate", mark("Ctrl+R"), mark("write the last answer anew")),
    Key(("Alt+Return", "Alt+Enter"), "chat.proceed", mark("Alt+Enter"), mark("write on where the conversation stands")),
    Key(("Ctrl+E",), "chat.edit_last", mark("Ctrl+E, or ↑ in an empty prompt"), mark("change the last prompt and send it anew")),
    Key(("Ctrl+B",), "chat.show_branches", mark("Ctrl+B"), mark("the conversation's branches")),
    Key(("Ctrl+L",), "chat.clear_memory", mark("Ctrl+L"), mark("clear the model's memory")),
    Key(("T",), "teach_gesture", "T", mark("teach a new gesture")),
    Key(("R",), "record", "R", mark("start or stop recording")),
    Key(("F5",), "restart_engine", "F5", mark("start the engine again when it has gone")),
    Key(("Ctrl++", "Ctrl+="), "larger", mark("Ctrl +"), mark("larger type")),
    Key(("Ctrl+-",), "smaller", mark("Ctrl −"), mark("smaller type")),
    Key(("F11",), "full_screen", "F11", mark("full screen")),
    Key(("?", "F1"), "help", "?", mark("this page")),
)

HINTS = (
    mark("The picture shows every pixel's last event, fading with time: one colour for brighter, one for darker."),
    mark("A gesture is accepted when its confidence passes the line in the bars; drag the line to set the threshold."),
    mark("The badge at the top says where the networks really run: HOST, CHIP or EMULATED CHIP. Its dot beats with their steps."),
    mark("Closing this window ends the engine that came with it; one that was started by `egret run` goes on."),
)


class HelpDialog(QDialog):
    """Keys and hints."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Egret: keys and hints"))
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(10)
        grid = QGridLayout()
        grid.setHorizontalSpacing(20)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        for row, key in enumerate(KEYS):
            grid.addWidget(QLabel(f"<b>{tr(key.shown)}</b>"), row, 0)
            grid.addWidget(QLabel(tr(key.meaning)), row, 1)
        column.addLayout(grid)
        column.addSpacing(6)
        for hint in HINTS:
            text = QLabel(tr(hint))
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
