"""The menu of what can be done with the conversation as a whole: copy it, save it, take up a saved one."""

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from app.window.state import WindowState
from app.window.talk import MODEL, USER
from app.window.texts import mark, tr

FILES = mark("Conversations (*.json);;Texts (*.txt)")


class ConversationMenu(QMenu):
    """Asks for files and for the engine's part in it."""

    command = Signal(dict)
    """A message for the engine."""

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.copy = self.addAction(tr("Copy"), self._copy)
        self.addAction(tr("Save ..."), self._save)
        self.load = self.addAction(tr("Take up a saved one ..."), self._load)

    def enable(self) -> None:
        """Offer what can be done now."""
        self.copy.setEnabled(bool(self._state.talk.turns))
        self.load.setEnabled(self._state.connected)

    def _copy(self) -> None:
        names = {USER: tr("You"), MODEL: "Egret"}
        text = "\n".join(f"{names.get(turn.role, turn.role)}: {turn.text.strip()}" for turn in self._state.talk.turns)
        QGuiApplication.clipboard().setText(text)

    def _save(self) -> None:
        path, kind = QFileDialog.getSaveFileName(self.parentWidget(), tr("Save the conversation"), "egret-chat.json", tr(FILES))
        if path:
            named = path if "." in path.rsplit("/", 1)[-1] else path + (".txt" if "txt" in kind else ".json")
            self.command.emit({"op": "chat_export", "path": named})

    def _load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self.parentWidget(), tr("Take up a saved conversation"), "", tr(FILES))
        if path:
            self.command.emit({"op": "chat_load", "path": path})
