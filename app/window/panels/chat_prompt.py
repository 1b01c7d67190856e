"""The field for the prompt: one line that grows to a few, sent with Enter, with marks under what the model can make little of."""

from PySide6.QtCore import QEvent, QMimeData, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QResizeEvent, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QSizePolicy, QTextEdit, QWidget

from app.window import theme
from app.window.talk import Doubt
from app.window.texts import tr

LONGEST = 20_000
"""Characters that the engine takes."""
MOST_LINES = 4
MARGIN = 5
"""Pixels around the text."""


class Prompt(QPlainTextEdit):
    """Enter sends, Shift+Enter begins a line, the up arrow in an empty field brings the last prompt back.

    Nothing that is written is lost: whatever replaces it can be undone, and what was half written is a draft while the field is lent to
    another text."""

    entered = Signal()
    recalled = Signal()
    """The last prompt is to be written anew."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hint = ""
        self._drafts: list[str] = []
        """What was half written when the field was lent, newest last."""
        self.invite()
        self.setAccessibleName(tr("Prompt"))
        self.setTabChangesFocus(True)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.document().setDocumentMargin(MARGIN)
        self.textChanged.connect(self._changed)

    def text(self) -> str:
        """What is written, as much of it as the engine takes."""
        return self.toPlainText()[:LONGEST]

    def insertFromMimeData(self, source: QMimeData) -> None:
        """Take of what is pasted or dropped what there is room for."""
        room = LONGEST - len(self.toPlainText()) + len(self.textCursor().selectedText())
        self.insertPlainText(source.text()[: max(room, 0)])

    def setText(self, text: str) -> None:
        """Write `text` in place of what is there, with the cursor behind it; it can be undone."""
        cursor = self._all()
        cursor.insertText(text[:LONGEST])
        self.setTextCursor(cursor)

    def lend(self, text: str) -> None:
        """Write `text` for a while: what was half written comes back with `give_back`."""
        if self.text().strip():
            self._drafts.append(self.text())
        self.setText(text)

    def give_back(self) -> None:
        """What stands here is done with: the newest draft, or nothing."""
        self.setText(self._drafts.pop() if self._drafts else "")

    def forget(self) -> None:
        """Be empty, without drafts and without anything to undo."""
        self._drafts.clear()
        self.clear()

    def _all(self) -> QTextCursor:
        cursor = QTextCursor(self.document())
        cursor.select(QTextCursor.SelectionType.Document)
        return cursor

    def invite(self, hint: str = "") -> None:
        """Say `hint` while nothing is written, on one line, whole where the mouse rests; without one, what the field is for."""
        self._hint = hint or tr("Write something for the model to answer")
        self.setToolTip(hint)
        self._fit_hint()

    def _fit_hint(self) -> None:
        room = self.viewport().width() - 2 * MARGIN
        self.setPlaceholderText(self.fontMetrics().elidedText(self._hint, Qt.TextElideMode.ElideRight, room) if room > 0 else self._hint)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The hint is cut to the new width."""
        super().resizeEvent(event)
        self._fit_hint()

    def show_doubts(self, doubts: tuple[Doubt, ...]) -> None:
        """Mark these stretches: wavy where the model has no sign, dotted where it spells a word out."""
        marks = []
        for doubt in doubts:
            one = QTextEdit.ExtraSelection()
            style, cursor = QTextCharFormat(), QTextCursor(self.document())
            unknown = doubt.kind == "unknown"
            lines = QTextCharFormat.UnderlineStyle
            style.setUnderlineStyle(lines.WaveUnderline if unknown else lines.DotLine)
            style.setUnderlineColor(QColor(theme.BAD if unknown else theme.WARNING))
            cursor.setPosition(min(doubt.start, self.document().characterCount() - 1))
            cursor.setPosition(min(doubt.stop, self.document().characterCount() - 1), QTextCursor.MoveMode.KeepAnchor)
            one.format, one.cursor = style, cursor
            marks.append(one)
        self.setExtraSelections(marks)

    def _changed(self) -> None:
        self.setExtraSelections([])
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        """As high as what is written, up to `MOST_LINES`."""
        lines = min(max(round(self.document().size().height()), 1), MOST_LINES)
        return QSize(super().sizeHint().width(), self._height(lines))

    def minimumSizeHint(self) -> QSize:
        """A line."""
        return QSize(60, self._height(1))

    def _height(self, lines: int) -> int:
        return self.fontMetrics().lineSpacing() * lines + 2 * MARGIN + 2 * self.frameWidth()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter and the up arrow."""
        plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
        if plain and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.entered.emit()
        elif plain and event.key() == Qt.Key.Key_Up and not self.text():
            self.recalled.emit()
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Enter with a modifier is for the window's keys."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            commands = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and event.modifiers() & commands:
                event.ignore()
                return False
        return bool(super().event(event))
