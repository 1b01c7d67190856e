"""The chat panel: a prompt, an answer that streams in, and plain words about what is answering.

Tokens come faster than anybody reads; they are drawn in batches at the panel's rate. Stop and Send never move and never hide.
"""

from typing import Any, ClassVar, TypeVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QTextEdit,
    QWidget,
)

from app.window import theme
from app.window.facts import Turn
from app.window.figures import milliseconds, three, whole
from app.window.panels.base import Panel, quiet, roomy
from app.window.state import Topic, WindowState
from app.window.texts import mark, tr
from app.window.theme import Scale

WHAT_IT_IS = mark(
    "A small recurrent network that continues text. It knows words and manners, not facts; "
    "its whole memory of the conversation is its state, a few thousand numbers, until you clear it."
)
Spin = TypeVar("Spin", QSpinBox, QDoubleSpinBox)
REASONS = {"stopped": mark("stopped"), "limit": mark("token limit reached"), "error": mark("broken off")}
MOST_BLOCKS = 2000
"""Paragraphs kept on screen."""


class Transcript(QTextEdit):
    """Read-only text that grows at its end and stays where the reader scrolled to."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.document().setMaximumBlockCount(MOST_BLOCKS)
        self.setAccessibleName(tr("Conversation"))
        self._generation = -1
        self._last: Turn | None = None
        self._written = 0
        self._closed = True
        self._follow = True
        self.verticalScrollBar().valueChanged.connect(self._scrolled)
        self.verticalScrollBar().rangeChanged.connect(self._grown)

    def show_turns(self, turns: list[Turn], generation: int) -> None:
        """Bring the text up to date with `turns`; begins anew when `generation` changes."""
        if generation != self._generation:
            self.clear()
            self._generation, self._last, self._closed = generation, None, True
            self._insert(tr(WHAT_IT_IS), theme.MUTED)
        for turn in turns[self._place(turns) :]:
            if turn is not self._last:
                self._begin(turn)
            if len(turn.text) > self._written:
                self._insert(turn.text[self._written :], theme.TEXT)
                self._written = len(turn.text)
            if turn.done and not self._closed:
                self._closed = True
                if turn.reason in REASONS:
                    self._insert(f"  [{tr(REASONS[turn.reason])}]", theme.MUTED)

    def _scrolled(self, value: int) -> None:
        self._follow = value >= self.verticalScrollBar().maximum() - 4

    def _grown(self, least: int, most: int) -> None:
        if self._follow:
            self.verticalScrollBar().setValue(most)

    def _place(self, turns: list[Turn]) -> int:
        """Index of the turn that was being written; 0 if it has gone."""
        if self._last is not None:
            for index in range(len(turns) - 1, -1, -1):
                if turns[index] is self._last:
                    return index
        return 0

    def _begin(self, turn: Turn) -> None:
        self._last, self._written, self._closed = turn, 0, False
        mine = turn.role == "user"
        self._insert("\n\n" if mine else "\n", theme.MUTED)
        self._insert(f"{tr('You')}  " if mine else "Egret  ", theme.ACCENT if mine else theme.GOOD, bold=True)

    def _insert(self, text: str, colour: str, bold: bool = False) -> None:
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        style = QTextCharFormat()
        style.setForeground(QColor(colour))
        style.setFontWeight(600 if bold else 400)
        cursor.insertText(text, style)


class ChatPanel(Panel):
    """Transcript, prompt, sampling settings, figures."""

    INTERESTS: ClassVar[Topic] = Topic.CHAT | Topic.STATUS | Topic.MODELS | Topic.CONNECTION
    RATE_HZ: ClassVar[float] = 15.0

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(state, tr("Chat"), parent)
        self.model = QLabel()
        self.model.setObjectName("muted")
        self.header.insertWidget(1, self.model)
        self.copy = self._button(tr("Copy"), tr("Copy the conversation"), self._copy)
        self.clear = self._button(
            tr("Clear memory"), tr("Forget the conversation: the network starts from nothing (Ctrl+L)"), self.clear_memory
        )
        self.header.addWidget(self.copy)
        self.header.addWidget(self.clear)
        self.transcript = Transcript(self)
        self.figures = QLabel()
        self.figures.setObjectName("muted")
        self.figures.setAccessibleName(tr("Chat figures"))
        self.figures.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        self.prompt = QLineEdit()
        self.prompt.setPlaceholderText(tr("Write something for the model to answer"))
        self.prompt.setAccessibleName(tr("Prompt"))
        self.prompt.setMaxLength(20_000)
        self.prompt.returnPressed.connect(self.send)
        self.prompt.textChanged.connect(lambda _: self._show_buttons())
        self.send_button = self._button(tr("Send"), tr("Send the prompt (Enter)"), self.send)
        self.send_button.setObjectName("primary")
        self.stop_button = self._button(tr("Stop"), tr("Stop the answer at once (Esc)"), self.stop)
        self._arrange()
        self._show_buttons()

    def _button(self, text: str, tip: str, action: Any) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.clicked.connect(lambda: action())
        quiet(button)
        return button

    def _arrange(self) -> None:
        line = QHBoxLayout()
        line.addWidget(self.prompt, 1)
        line.addWidget(self.send_button)
        line.addWidget(self.stop_button)
        self.seed = _spin(QSpinBox(), 0, 2**31 - 1, 1, tr("Seed"), tr("The same seed, prompt and memory give the same answer"))
        self.temperature = _spin(
            QDoubleSpinBox(), 0.0, 5.0, 0.8, tr("Temp."), tr("Temperature. 0: always the likeliest token; higher: more daring")
        )
        self.temperature.setSingleStep(0.05)
        self.top_k = _spin(QSpinBox(), 0, 10_000, 40, tr("Top-k"), tr("Top-k. Only the k likeliest tokens may be drawn (0: all)"))
        self.tokens = _spin(QSpinBox(), 1, 2000, 200, tr("Tokens"), tr("The longest answer, in tokens"))
        self.options = QHBoxLayout()
        for spin in (self.seed, self.temperature, self.top_k, self.tokens):
            self.options.addWidget(spin, 1)
        self.column.addWidget(self.transcript, 1)
        self.column.addWidget(self.figures)
        self.column.addLayout(line)
        self.column.addLayout(self.options)

    def lock(self) -> None:
        """Ask, stop and clear; nothing else."""
        for control in (self.copy, self.seed, self.temperature, self.top_k, self.tokens):
            control.hide()
        for field in (self.prompt, self.transcript):
            field.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)

    def forget(self) -> None:
        """Begin anew for the next visitor: nothing half written, nothing said, nothing remembered."""
        self.prompt.clear()
        if self.state.chat_busy:
            self.stop()
        if self.state.turns or self.state.status.memory_age:
            self.clear_memory()

    def send(self) -> None:
        """Ask, if there is something to ask and nobody is talking."""
        prompt = self.prompt.text().strip()
        if not prompt or not self._may_send():
            return
        message = {"op": "chat", "prompt": prompt, "seed": self.seed.value(), "temperature": round(self.temperature.value(), 2)}
        self.command.emit(message | {"top_k": self.top_k.value(), "tokens": self.tokens.value()})
        self.prompt.clear()

    def stop(self) -> None:
        """End the answer."""
        self.command.emit({"op": "chat_stop"})

    def clear_memory(self) -> None:
        """Forget the conversation."""
        self.command.emit({"op": "chat_clear"})

    def _copy(self) -> None:
        names = {"user": tr("You"), "model": "Egret"}
        text = "\n".join(f"{names.get(turn.role, turn.role)}: {turn.text}" for turn in self.state.turns)
        QGuiApplication.clipboard().setText(text)

    def _may_send(self) -> bool:
        return self.state.connected and not self.state.chat_busy

    def _show_buttons(self) -> None:
        self.send_button.setEnabled(self._may_send() and bool(self.prompt.text().strip()))
        self.stop_button.setEnabled(self.state.connected)
        self.clear.setEnabled(self.state.connected)
        self.copy.setEnabled(bool(self.state.turns))

    def refresh(self, changed: Topic) -> None:
        """More text, other figures."""
        state = self.state
        if changed & Topic.CHAT:
            self.transcript.show_turns(state.turns, state.chat_generation)
        if changed & Topic.MODELS:
            name, digest = state.models.get("language", ("", ""))
            self.model.setText(name)
            self.model.setToolTip(f"{tr(WHAT_IT_IS)}\n{tr('Weights:')} {name} {digest}")
        self._show_buttons()
        if changed & ~Topic.CHAT or not state.chat_busy:
            self._show_figures()

    def _show_figures(self) -> None:
        """At the pace of the status messages: nobody reads figures that change with every token."""
        state = self.state
        parts = [f"{three(state.tokens_per_s)} {tr('tokens/s')}"] if state.tokens_per_s else []
        if state.first_token_ms == state.first_token_ms:
            parts.append(tr("first token {time}").format(time=milliseconds(state.first_token_ms)))
        if state.token_activity == state.token_activity:
            parts.append(tr("{share:.0f} % of units active").format(share=state.token_activity * 100))
        parts.append(tr("memory {count} tokens").format(count=whole(state.status.memory_age)))
        text = "   ·   ".join(parts)
        if text != self.figures.text():
            self.figures.setText(text)

    def rescale(self, scale: Scale) -> None:
        """Spacing of the options too."""
        super().rescale(scale)
        self.options.setSpacing(scale.px(8))
        self.transcript.document().setDefaultFont(scale.font(14))

    def get_settings(self) -> dict[str, Any]:
        """Sampling settings."""
        return {
            "seed": self.seed.value(),
            "temperature": self.temperature.value(),
            "top_k": self.top_k.value(),
            "tokens": self.tokens.value(),
        }

    def set_settings(self, settings: dict[str, Any]) -> None:
        """Restore sampling settings."""
        for name, spin in (("seed", self.seed), ("top_k", self.top_k), ("tokens", self.tokens)):
            if isinstance(settings.get(name), int):
                spin.setValue(settings[name])
        if isinstance(settings.get("temperature"), int | float):
            self.temperature.setValue(settings["temperature"])


def _spin(spin: Spin, least: float, most: float, value: float, name: str, tip: str) -> Spin:
    kind = float if isinstance(spin, QDoubleSpinBox) else int
    spin.setRange(kind(least), kind(most))
    spin.setValue(kind(value))
    spin.setToolTip(tip)
    spin.setAccessibleName(name)
    spin.setPrefix(f"{name}  ")
    spin.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    roomy(spin)
    return spin
