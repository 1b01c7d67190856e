"""The conversation as text: read-only, growing at its end, and brought up to date by the least change.

Turns are compared with what stands there. What is the same stays, what streamed in is added, and from the first turn that differs on the
text is written anew; so an answer costs its own length and not the conversation's. Every token's letters carry its place in the
conversation's tree as a property of their format: pointing at a letter finds the token without any table.

A faint line under a token shows the share of units that fired in its step, from dark (none) to bright (`FULL` and more); a wavy one
at the first token in whose step chip and host differed.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, Signal
from PySide6.QtGui import QColor, QHelpEvent, QMouseEvent, QTextCharFormat, QTextCursor, QTextFormat
from PySide6.QtWidgets import QTextEdit, QToolTip, QWidget

from app.window import theme
from app.window.figures import three, whole
from app.window.talk import USER, Piece, Turn
from app.window.texts import mark, tr

WHAT_IT_IS = mark(
    "A small recurrent network that continues text. It knows words and manners, not facts; "
    "its whole memory of the conversation is its state, a few thousand numbers, until you clear it."
)
REASONS = {"stopped": mark("stopped"), "limit": mark("token limit reached"), "error": mark("broken off")}
FULL = 0.25
"""Share of units at which the line under a token is brightest."""
NODE = QTextFormat.Property.UserProperty + 1
"""Format property: a token's place in the conversation."""
VERSION = QTextFormat.Property.UserProperty + 2
"""Format property: pressing the letters goes to this version."""


@dataclass(slots=True)
class _Shown:
    """A turn as it stands in the document."""

    role: str
    versions: tuple[int, ...]
    node: int
    start: int
    """Position of its heading."""
    text_start: int
    text: str = ""
    marked: bool = False
    """Whether its letters carry the places of their tokens."""
    closed: bool = False
    """Whether it was over; what comes after an end is another text."""

    def is_beginning_of(self, turn: Turn) -> bool:
        """Whether `turn` is this one, or this one gone further."""
        streamed = self.node == 0 and len(turn.versions) <= 1
        if self.role != turn.role or ((self.versions, self.node) != (turn.versions, turn.node) and not streamed):
            return False
        return turn.text == self.text if self.closed else turn.text.startswith(self.text)


class Transcript(QTextEdit):
    """Read-only text that stays where the reader scrolled to."""

    pressed = Signal(object, int, QPoint)
    """A token of a turn was pressed: the turn, the token's place in the conversation, the point on the screen."""
    version = Signal(int)
    """Another version of a turn is wanted."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setAccessibleName(tr("Conversation"))
        self.setMouseTracking(True)
        self.underline = True
        """Whether tokens are underlined with their activity."""
        self.locked = False
        self._generation = -1
        self._shown: list[_Shown] = []
        self._turns: list[Turn] = []
        self._pieces: dict[int, Piece] = {}
        self._follow = True
        self._press = QPoint()
        self.verticalScrollBar().valueChanged.connect(self._scrolled)
        self.verticalScrollBar().rangeChanged.connect(self._grown)

    def show_turns(self, turns: list[Turn], generation: int) -> None:
        """Bring the text up to date with `turns`; begins anew when `generation` changes."""
        if generation != self._generation:
            self.anew(turns, generation)
            return
        whole = QTextCursor(self.document())
        whole.beginEditBlock()  # laid out once, not once a token
        self._update(turns)
        whole.endEditBlock()

    def _update(self, turns: list[Turn]) -> None:
        self._turns = turns
        self._forget_gone(turns)
        same = 0
        for shown, turn in zip(self._shown, turns, strict=False):
            last = same == len(self._shown) - 1
            if not shown.is_beginning_of(turn) or (not last and turn.text != shown.text):
                break
            same += 1
        if same < len(self._shown):
            self._cut(self._shown[same].start)
            del self._shown[same:]
        for shown, turn in zip(self._shown, turns, strict=False):
            self._go_on(shown, turn)
        for turn in turns[len(self._shown) :]:
            self._begin(turn)
            self._go_on(self._shown[-1], turn)

    def anew(self, turns: list[Turn], generation: int) -> None:
        """Write everything anew."""
        self.clear()
        self._generation, self._shown, self._pieces = generation, [], {}
        self._insert(tr(WHAT_IT_IS), _style(theme.MUTED))
        self.show_turns(turns, generation)

    def set_underline(self, on: bool) -> None:
        """With or without lines under the tokens."""
        if on != self.underline:
            self.underline = on
            self.anew(self._turns, self._generation)

    def token_at(self, point: QPoint) -> Piece | None:
        """The token at a point of the viewport."""
        node = self._property(point, NODE)
        return self._pieces.get(node) if node else None

    # What is written

    def _forget_gone(self, turns: list[Turn]) -> None:
        """Take away turns at the beginning that are no longer among `turns`."""
        gone = next((index for index, shown in enumerate(self._shown) if turns and shown.is_beginning_of(turns[0])), 0)
        if gone:
            first, after = self._shown[0].start, self._shown[gone].start
            cursor = self._select(first, after)
            cursor.removeSelectedText()
            del self._shown[:gone]
            for shown in self._shown:
                shown.start -= after - first
                shown.text_start -= after - first

    def _cut(self, start: int) -> None:
        self._select(start, self.document().characterCount() - 1).removeSelectedText()

    def _select(self, start: int, stop: int) -> QTextCursor:
        cursor = QTextCursor(self.document())
        cursor.setPosition(start)
        cursor.setPosition(stop, QTextCursor.MoveMode.KeepAnchor)
        return cursor

    def _begin(self, turn: Turn) -> None:
        mine = turn.role == USER
        start = self.document().characterCount() - 1
        self._insert("\n\n" if mine else "\n", _style(theme.MUTED))
        self._insert(tr("You") if mine else "Egret", _style(theme.ACCENT if mine else theme.GOOD, bold=True))
        if len(turn.versions) > 1 and turn.node in turn.versions:
            self._insert_versions(turn.versions, turn.versions.index(turn.node))
        self._insert("  ", _style(theme.MUTED))
        self._shown.append(_Shown(turn.role, turn.versions, turn.node, start, self.document().characterCount() - 1))

    def _insert_versions(self, versions: tuple[int, ...], index: int) -> None:
        """‹ 2/3 ›, whose ends can be pressed."""
        for text, other in (("  ‹ ", index - 1), (f"{index + 1}/{len(versions)}", -1), (" ›", index + 1)):
            style = _style(theme.MUTED)
            if 0 <= other < len(versions):
                style = _style(theme.ACCENT)
                style.setProperty(VERSION, versions[other])
            self._insert(text, style)

    def _go_on(self, shown: _Shown, turn: Turn) -> None:
        """Add what has been written of `turn` since."""
        shown.versions, shown.node = turn.versions, turn.node
        if shown.text and turn.pieces and not shown.marked:
            self._mark(shown, turn)
        if len(turn.text) > len(shown.text):
            position = 0
            for piece in turn.pieces:
                if position >= len(shown.text):
                    self._insert(piece.text, self._of(piece))
                position += len(piece.text)
            self._insert(turn.text[max(position, len(shown.text)) :], _style(theme.TEXT))
            shown.text, shown.marked = turn.text, bool(turn.pieces)
        if turn.done and not shown.closed and shown is self._shown[-1]:
            shown.closed = True
            if turn.reason in REASONS:
                self._insert(f"  [{tr(REASONS[turn.reason])}]", _style(theme.MUTED))
            if turn.host and turn.host.difference >= 0:
                self._insert(f"\n{tr('Chip and host differ from the marked token on')}  ", _style(theme.WARNING, bold=True))
                self._insert(turn.host.reason, _style(theme.MUTED))

    def _mark(self, shown: _Shown, turn: Turn) -> None:
        """Give the letters of a turn that stands there already the places of its tokens."""
        shown.marked = True
        position = shown.text_start
        if "".join(piece.text for piece in turn.pieces) == shown.text:
            for piece in turn.pieces:
                stop = position + len(piece.text.encode("utf-16-le")) // 2
                self._select(position, stop).setCharFormat(self._of(piece))
                position = stop

    def _of(self, piece: Piece) -> QTextCharFormat:
        """How a token's letters look."""
        style = _style(theme.TEXT)
        style.setProperty(NODE, piece.node)
        self._pieces[piece.node] = piece
        if not piece.agrees:
            style.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
            style.setUnderlineColor(QColor(theme.BAD))
        elif self.underline and math.isfinite(piece.activity):
            style.setUnderlineStyle(QTextCharFormat.UnderlineStyle.SingleUnderline)
            style.setUnderlineColor(shade(piece.activity))
        return style

    def _insert(self, text: str, style: QTextCharFormat) -> None:
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(text, style)

    # The reader

    def _scrolled(self, value: int) -> None:
        self._follow = value >= self.verticalScrollBar().maximum() - 4

    def _grown(self, least: int, most: int) -> None:
        if self._follow:
            self.verticalScrollBar().setValue(most)

    def _property(self, point: QPoint, name: int) -> int:
        """Format property of the letter at a point of the viewport; 0 where there is none."""
        offset = QPointF(self.horizontalScrollBar().value(), self.verticalScrollBar().value())
        place = self.document().documentLayout().hitTest(QPointF(point) + offset, Qt.HitTestAccuracy.ExactHit)
        if place < 0:
            return 0
        cursor = QTextCursor(self.document())
        cursor.setPosition(min(place + 1, self.document().characterCount() - 1))
        return int(cursor.charFormat().property(name) or 0)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Where a press began."""
        super().mousePressEvent(event)
        self._press = event.position().toPoint()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A press that is no selection is for the token under it."""
        super().mouseReleaseEvent(event)
        point = event.position().toPoint()
        still = (point - self._press).manhattanLength() < 5 and not self.textCursor().hasSelection()
        if self.locked or not still or event.button() != Qt.MouseButton.LeftButton:
            return
        if version := self._property(point, VERSION):
            self.version.emit(version)
        elif node := self._property(point, NODE):
            turn = next((t for t in self._turns if any(piece.node == node for piece in t.pieces)), None)
            if turn is not None:
                self.pressed.emit(turn, node, event.globalPosition().toPoint())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """A hand over what can be pressed."""
        super().mouseMoveEvent(event)
        point = event.position().toPoint()
        hand = not self.locked and bool(self._property(point, NODE) or self._property(point, VERSION))
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if hand else Qt.CursorShape.IBeamCursor)

    def viewportEvent(self, event: QEvent) -> bool:
        """What is known of the token under the mouse."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            piece = self.token_at(event.pos())
            QToolTip.showText(event.globalPos(), "\n".join(about(piece)) if piece else "", self)
            return True
        return bool(super().viewportEvent(event))


def about(piece: Piece) -> Iterable[str]:
    """What a token's step took, in words."""
    yield f"“{piece.text.strip() or '␣'}”"
    if math.isfinite(piece.activity):
        yield tr("{share} % of units active").format(share=three(piece.activity * 100))
    if piece.operations:
        yield tr("{count} synaptic operations").format(count=whole(piece.operations))
    if math.isfinite(piece.energy_uj):
        yield tr("{energy} µJ (estimated)").format(energy=three(piece.energy_uj))
    if not piece.agrees:
        yield tr("Chip and host differ here first")


def shade(activity: float) -> QColor:
    """Colour of the line under a token: faint below half of `FULL`, so that it is the busy ones that are seen."""
    share = min(max(activity / FULL, 0.0), 1.0) ** 2
    dark, bright = QColor(theme.RAISED), QColor(theme.ACCENT)
    channels = ((dark.red(), bright.red()), (dark.green(), bright.green()), (dark.blue(), bright.blue()))
    return QColor(*(round(low + share * (high - low)) for low, high in channels))


def _style(colour: str, bold: bool = False) -> QTextCharFormat:
    style = QTextCharFormat()
    style.setForeground(QColor(colour))
    style.setFontWeight(600 if bold else 400)
    return style
