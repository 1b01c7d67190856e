"""The chat panel: the conversation, a prompt, what can be done with either, and plain words about what is answering.

Tokens come faster than anybody reads; they are drawn in batches at the panel's rate. Stop and Send never move and never hide. Nothing is
changed here by a button: what it did is seen when the engine tells the conversation anew.
"""

import math
from collections.abc import Callable
from typing import Any, ClassVar

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QSizePolicy, QWidget, QWidgetAction

from app.protocol import Message
from app.window.figures import gesture_name
from app.window.panels.base import Panel, quiet
from app.window.panels.chat_asked import Asked
from app.window.panels.chat_clear import ClearDialog
from app.window.panels.chat_figures import ChatFigures
from app.window.panels.chat_files import ConversationMenu
from app.window.panels.chat_gestures import ChatGestures
from app.window.panels.chat_prompt import Prompt
from app.window.panels.chat_settings import NAMES, ChatSettings
from app.window.panels.chat_transcript import WHAT_IT_IS, Transcript
from app.window.panels.chat_tree import Branches
from app.window.state import Topic, WindowState
from app.window.talk import MODEL, USER, Turn
from app.window.texts import tr
from app.window.theme import Scale

PAUSE_S = 0.15
"""After so long without a key the engine is asked what it can make of the prompt."""
ARROW = "▾"


class ChatPanel(Panel):
    """Transcript, prompt, tools, figures."""

    INTERESTS: ClassVar[Topic] = Topic.CHAT | Topic.STATUS | Topic.MODELS | Topic.CONNECTION
    RATE_HZ: ClassVar[float] = 15.0

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(state, tr("Chat"), parent)
        self._editing: Turn | None = None
        """The visitor's turn that the prompt is to replace."""
        self._typed_s = math.inf
        """When the prompt was last changed, as long as the engine has not been asked about it."""
        self._now_s = 0.0
        self._locked = False
        self.settings = ChatSettings()
        self.gestures = ChatGestures()
        self.branches = Branches()
        self.transcript = Transcript(self)
        self.prompt = Prompt(self)
        self.asked = Asked()
        self.figures = ChatFigures()
        self.conversation = ConversationMenu(state, self)
        self._build_header()
        self._build_lines()
        self._connect()
        self._show_buttons()

    # What it is made of

    def _build_header(self) -> None:
        self.model = QLabel()
        self.model.setObjectName("muted")
        self.header.insertWidget(1, self.model)
        tip = tr("Copy or save the conversation, or take up a saved one")
        self.export = _menu_button(tr("Conversation"), tip, self.conversation)
        self.clear = self._button(
            tr("Clear memory"), tr("Forget the conversation: the network starts from nothing (Ctrl+L)"), self.clear_memory
        )
        self.header.addWidget(self.export)
        self.header.addWidget(self.clear)

    def _build_lines(self) -> None:
        self.send_button = self._button(tr("Send"), tr("Send the prompt (Enter)"), self.send)
        self.send_button.setObjectName("primary")
        self.stop_button = self._button(tr("Stop"), tr("Stop the answer at once (Esc)"), self.stop)
        self.again = self._button(tr("Write anew"), tr("Write the last answer anew, with another seed (Ctrl+R)"), self.regenerate)
        self.more = self._button(tr("Write on"), tr("Go on where the conversation stands (Alt+Enter)"), self.proceed)
        self.tree_button = _menu_button(tr("Branches"), tr("Everything that was said and answered (Ctrl+B)"), _holding(self, self.branches))
        self.settings_button = _menu_button("", tr("How answers are written"), _holding(self, self.settings, self.gestures))
        line, self.tools = QHBoxLayout(), QHBoxLayout()
        line.addWidget(self.prompt, 1)
        line.addWidget(self.send_button)
        line.addWidget(self.stop_button)
        for tool in (self.again, self.more, self.tree_button, self.settings_button):
            tool.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            self.tools.addWidget(tool, 1)
        self.column.addWidget(self.transcript, 1)
        self.column.addWidget(self.figures)
        self.column.addLayout(line)
        self.column.addLayout(self.tools)

    def _connect(self) -> None:
        self.prompt.entered.connect(self.send)
        self.prompt.recalled.connect(self.edit_last)
        self.prompt.textChanged.connect(self._typed)
        self.transcript.pressed.connect(self._press)
        self.transcript.version.connect(lambda node: self.command.emit({"op": "chat_switch", "node": node}))
        self.branches.chosen.connect(self._switch)
        self.tree_button.menu().aboutToShow.connect(lambda: self.command.emit({"op": "chat_tree"}))
        self.settings.changed.connect(self._settings_changed)
        self.settings.check_wanted.connect(lambda on: self.command.emit({"op": "chat_check", "value": on}))
        self.gestures.changed.connect(self._tell_gestures)
        self.conversation.command.connect(self.command)
        self._settings_changed()

    def _button(self, text: str, tip: str, action: Callable[[], None]) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.clicked.connect(lambda: action())
        quiet(button)
        return button

    def lock(self) -> None:
        """Ask, stop and clear; nothing else."""
        self._locked = self.transcript.locked = True
        for control in (self.export, self.again, self.more, self.tree_button, self.settings_button):
            control.hide()
        for field in (self.prompt, self.transcript):
            field.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)

    # What buttons and keys do

    def focus_prompt(self) -> None:
        """Write to the model."""
        self.prompt.setFocus()

    def send(self) -> None:
        """Ask, if there is something to ask; while an answer is written the engine puts it in line."""
        prompt = self.prompt.text().strip()
        if not prompt or not self.state.connected:
            return
        self.asked.sent(prompt)
        message: Message = {"op": "chat", "prompt": prompt} | self.settings.question()
        if self._editing is not None:
            message |= {"op": "chat_edit", "node": self._editing.node}
        self.command.emit(message)
        self.leave_editing()
        self.prompt.give_back()

    def stop(self) -> None:
        """End the answer; while nobody talks, leave an earlier prompt as it was."""
        if self._editing is not None and not self.state.talk.busy:
            self.leave_editing()
            self.prompt.give_back()
        else:
            self.command.emit({"op": "chat_stop"})

    def regenerate(self, node: int | None = None) -> None:
        """Write the last answer, or that of a token, anew; the engine takes another seed where a version of it has this one."""
        if self._something():
            where = {} if node is None else {"node": node}
            self.command.emit({"op": "chat_regenerate"} | where | self.settings.question())

    def proceed(self) -> None:
        """Write on."""
        if self._something():
            self.command.emit({"op": "chat_continue"} | self.settings.question())

    def edit_last(self) -> None:
        """Bring the last prompt back, to be sent in its own place."""
        turn = next((turn for turn in reversed(self.state.talk.turns) if turn.role == USER and turn.node), None)
        if turn is not None:
            self._edit(turn)

    def leave_editing(self) -> None:
        """The prompt is a new one again."""
        self._editing = None
        self.send_button.setText(tr("Send"))

    def show_branches(self) -> None:
        """Open the tree."""
        if self.state.connected and self.tree_button.isVisible():
            self.tree_button.showMenu()

    def clear_memory(self) -> None:
        """Forget the conversation; where more than a turn would be lost, only if that is meant."""
        talk = self.state.talk
        branches = talk.kept > sum(turn.tokens for turn in talk.turns)
        if self._locked or not (len(talk.turns) > 1 or branches):
            self._clear()
            return
        dialog = ClearDialog(self)
        dialog.accepted.connect(self._clear)
        dialog.open()

    def _clear(self) -> None:
        self.command.emit({"op": "chat_clear"})

    def forget(self) -> None:
        """Begin anew for the next visitor: nothing half written, nothing said, nothing remembered."""
        self.leave_editing()
        self.asked.give_up()
        self.prompt.forget()
        if self.state.talk.busy:
            self.command.emit({"op": "chat_stop"})
        if self._something():
            self._clear()

    def _edit(self, turn: Turn) -> None:
        if self._editing is None:
            self.prompt.lend(turn.text.strip())
        else:
            self.prompt.setText(turn.text.strip())
        self._editing = turn
        self.send_button.setText(tr("Send anew"))
        self.prompt.setFocus()

    def _switch(self, node: int) -> None:
        self.tree_button.menu().close()
        self.command.emit({"op": "chat_switch", "node": node})

    def _press(self, turn: Turn, node: int, point: QPoint) -> None:
        """A token was pressed: what can be done from there."""
        menu = self.token_menu(turn, node)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(point)

    def token_menu(self, turn: Turn, node: int) -> QMenu:
        """What can be done from token `node` of `turn`."""
        menu = QMenu(self)
        menu.addAction(tr("Go back to here"), lambda: self.command.emit({"op": "chat_rewind", "node": node}))
        menu.addAction(tr("Go back to here and write on"), lambda: self._rewind_and_proceed(node))
        menu.addSeparator()
        if turn.role == MODEL:
            menu.addAction(tr("Write this answer anew"), lambda: self.regenerate(node))
        else:
            menu.addAction(tr("Change this prompt"), lambda: self._edit(turn))
        menu.addAction(tr("Copy"), lambda: QGuiApplication.clipboard().setText(turn.text.strip()))
        return menu

    def _rewind_and_proceed(self, node: int) -> None:
        self.command.emit({"op": "chat_rewind", "node": node})
        self.command.emit({"op": "chat_continue"} | self.settings.question())

    # What is shown

    def _something(self) -> bool:
        """Whether there is anything to go on from, be it on another branch."""
        return self.state.connected and (self.state.talk.kept > 0 or bool(self.state.talk.turns))

    def _settings_changed(self) -> None:
        name = self.settings.name()
        self.settings_button.setText(f"{tr(NAMES[name]) if name else tr('Own settings')} {ARROW}")
        self.transcript.set_underline(self.settings.underline.isChecked())
        if self.gestures.on.isChecked():
            self._tell_gestures()

    def _tell_gestures(self) -> None:
        """The engine is to do what gestures mean here."""
        if self.state.connected:
            self.command.emit(self.gestures.message() | self.settings.message())

    def _show_suggestion(self) -> None:
        """What the gesture would send stands where the visitor would write."""
        text, gesture = self.state.status.suggestion, self.gestures.gesture("accept")
        hint = tr("{gesture} sends: {text}").format(gesture=gesture_name(gesture), text=text)
        self.prompt.invite(hint if text and gesture else "")

    def _typed(self) -> None:
        self._typed_s = self._now_s if self.prompt.text().strip() else math.inf
        self._show_buttons()

    def seek(self, now_s: float) -> None:
        """Ask about the prompt when the visitor pauses."""
        self._now_s = now_s
        if now_s - self._typed_s > PAUSE_S and self.state.connected:
            self._typed_s = math.inf
            self.command.emit({"op": "chat_doubts", "text": self.prompt.text()})

    def _take_back(self) -> None:
        """A prompt that was not read comes back, unless something else stands where it stood."""
        unread = self.asked.hear(self.state.talk.fates)
        self.state.talk.fates.clear()
        if not self.state.connected:
            unread += self.asked.give_up()
        if unread and not self.prompt.text().strip():
            self.prompt.setText(unread[0])

    def _show_buttons(self) -> None:
        connected = self.state.connected
        self.send_button.setEnabled(connected and bool(self.prompt.text().strip()))
        self.stop_button.setEnabled(connected)
        self.clear.setEnabled(connected)
        self.conversation.enable()
        for button in (self.again, self.more, self.tree_button):
            button.setEnabled(self._something())

    def refresh(self, changed: Topic) -> None:
        """More text, other figures."""
        state, talk = self.state, self.state.talk
        if self._editing is not None and (not state.connected or all(turn.node != self._editing.node for turn in talk.turns)):
            self.leave_editing()  # there is nothing left to replace: what was written becomes a new prompt
        self._take_back()
        if changed & Topic.CHAT:
            self.transcript.show_turns(talk.turns, talk.generation)
            self.branches.show_rows(talk.rows)
            if talk.doubted == self.prompt.text():
                self.prompt.show_doubts(talk.doubts)
        if changed & Topic.MODELS:
            name, digest = state.models.get("language", ("", ""))
            self.model.setText(name)
            self.model.setToolTip(f"{tr(WHAT_IT_IS)}\n{tr('Weights:')} {name} {digest}")
            self.gestures.show_labels(state.labels)
            if self.gestures.on.isChecked():
                self._tell_gestures()
        if changed & Topic.STATUS:
            if state.status.driving:
                self.gestures.show_driving(state.status.driving)
            self._show_suggestion()
            self.settings.show_check(state.status.checks, state.status.may_check)
        self._show_buttons()
        if changed & ~Topic.CHAT or not talk.busy:  # not with every token: nobody reads figures that fast
            self.figures.show_talk(talk, state.status.memory_age, self.asked.waiting)

    def rescale(self, scale: Scale) -> None:
        """Spacing of the tools too."""
        super().rescale(scale)
        self.tools.setSpacing(scale.px(8))
        self.transcript.document().setDefaultFont(scale.font(14))
        self.settings.rescale(scale)
        self.gestures.rescale(scale)
        self.branches.rescale(scale)
        self.prompt.updateGeometry()

    def get_settings(self) -> dict[str, Any]:
        """Sampling settings, and what gestures do."""
        return self.settings.get() | {"gestures": self.gestures.get()}

    def set_settings(self, settings: dict[str, Any]) -> None:
        """Restore them."""
        self.settings.set(settings)
        if isinstance(gestures := settings.get("gestures"), dict):
            self.gestures.set(gestures)


def _menu_button(text: str, tip: str, menu: QMenu) -> QPushButton:
    button = QPushButton(f"{text} {ARROW}")
    button.setToolTip(tip)
    button.setMenu(menu)
    quiet(button)
    return button


def _holding(parent: QWidget, *widgets: QWidget) -> QMenu:
    """A menu that is `widgets`, one below the other."""
    menu = QMenu(parent)
    for widget in widgets:
        action = QWidgetAction(menu)
        action.setDefaultWidget(widget)
        menu.addAction(action)
    return menu
