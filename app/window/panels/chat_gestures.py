"""Gestures that drive the chat: which one stops an answer, has it written anew, or sends the prompt that is suggested. Off at first."""

from typing import Any

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QFrame, QGridLayout, QLabel, QPlainTextEdit, QWidget

from app.protocol import Message
from app.window.facts import Driving
from app.window.figures import gesture_name
from app.window.panels.base import Choice
from app.window.panels.echo import Echo
from app.window.texts import mark, tr
from app.window.theme import Scale

ACTIONS = {
    "stop": mark("Stop the answer"),
    "regenerate": mark("Write the answer anew"),
    "accept": mark("Send the suggested prompt"),
}
USUAL = {"stop": "hand_clapping", "regenerate": "arm_roll", "accept": "right_hand_wave"}
PROMPTS = "I am looking for a restaurant in San Jose.\nI need a hotel room for two.\nHello, how are you?"
"""In the language that the model speaks."""
LONGEST = 5000


class ChatGestures(QFrame):
    """A switch, a gesture per action, and prompts to suggest; shown in a menu under the chat's settings."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._labels: dict[str, str] = dict(USUAL)
        """The gesture chosen for an action, known to the network or not; "" for none."""
        self._echo = Echo()
        self.on = QCheckBox(tr("Gestures drive the chat"))
        self.on.setToolTip(tr("A gesture that is recognised for a third of a second acts once; it acts again after it was away"))
        self.grid = QGridLayout(self)
        self.grid.addWidget(self.on, 0, 0, 1, 2)
        self.choices: dict[str, Choice] = {}
        for row, (action, text) in enumerate(ACTIONS.items(), 1):
            self.choices[action] = choice = Choice()
            choice.setAccessibleName(tr(text))
            self.grid.addWidget(QLabel(tr(text)), row, 0)
            self.grid.addWidget(choice, row, 1)
            choice.activated.connect(lambda _, action=action: self._choose(action))
        self.prompts = QPlainTextEdit(PROMPTS)
        self.prompts.setTabChangesFocus(True)
        self.prompts.setAccessibleName(tr("Suggested prompts"))
        self.prompts.setToolTip(tr("Suggested prompts, one a line, sent one after the other"))
        self.grid.addWidget(self.prompts, 5, 0, 1, 2)
        self.show_labels(tuple(USUAL.values()))
        self.on.toggled.connect(lambda _: self._changed())
        self.prompts.textChanged.connect(self.changed.emit)
        self._enable()

    def _choose(self, action: str) -> None:
        self._assign(action, str(self.choices[action].currentData() or ""))
        self.changed.emit()

    def _assign(self, action: str, label: str) -> None:
        """Have `label` do this and nothing else: a gesture does one thing."""
        for other, choice in self.choices.items():
            if label and other != action and self._labels[other] == label:
                self._labels[other] = ""
                choice.setCurrentIndex(0)
        self._labels[action] = label

    def _changed(self) -> None:
        self._enable()
        self.changed.emit()

    def _enable(self) -> None:
        for widget in (*self.choices.values(), self.prompts):
            widget.setEnabled(self.on.isChecked())

    def show_labels(self, labels: tuple[str, ...]) -> None:
        """Offer these gestures."""
        for action, choice in self.choices.items():
            with QSignalBlocker(choice):
                choice.clear()
                choice.addItem(tr("none"), "")
                for label in labels:
                    choice.addItem(gesture_name(label), label)
                choice.setCurrentIndex(max(choice.findData(self._labels[action]), 0))

    def gesture(self, action: str) -> str:
        """The gesture that does this, if gestures do anything; else ""."""
        return self._labels[action] if self.on.isChecked() else ""

    def driving(self) -> Driving:
        """What gestures are to do, as it stands here."""
        actions = {label: action for action, label in self._labels.items() if label}
        lines = (line.strip() for line in self.prompts.toPlainText().splitlines())
        return Driving(self.on.isChecked(), actions, tuple(filter(None, lines)))

    def message(self) -> Message:
        """The command for the engine, which is on its way from now on."""
        driving = self.driving()
        self._echo.ask(driving)
        return {"op": "chat_gestures", "on": driving.on, "actions": driving.actions, "prompts": list(driving.prompts)}

    def show_driving(self, told: Driving) -> None:
        """What gestures really do, whichever window asked for it; where they do nothing, what they would do here stays."""
        mine = self.driving()
        if not self._echo.believes(told) or told == mine or not (told.on or mine.on):
            return
        with QSignalBlocker(self.on), QSignalBlocker(self.prompts):
            self.on.setChecked(told.on)
            if told.on:
                labels = {action: label for label, action in told.actions.items()}
                for action, choice in self.choices.items():
                    self._labels[action] = labels.get(action, "")
                    choice.setCurrentIndex(max(choice.findData(self._labels[action]), 0))
                self.prompts.setPlainText("\n".join(told.prompts))
        self._enable()

    def rescale(self, scale: Scale) -> None:
        """The window's type size changed."""
        self.grid.setContentsMargins(scale.px(10), 0, scale.px(10), scale.px(10))
        self.grid.setSpacing(scale.px(7))
        self.prompts.setFixedHeight(scale.px(68))

    def get(self) -> dict[str, Any]:
        """As JSON values."""
        return {"on": self.on.isChecked(), "labels": dict(self._labels), "prompts": self.prompts.toPlainText()[:LONGEST]}

    def set(self, settings: dict[str, Any]) -> None:
        """Restore what `get` gave; odd values are passed over."""
        labels = settings.get("labels")
        for action, choice in self.choices.items():
            if isinstance(labels, dict) and isinstance(label := labels.get(action), str):
                self._assign(action, label)
                choice.setCurrentIndex(max(choice.findData(label), 0))
        if isinstance(settings.get("prompts"), str):
            self.prompts.setPlainText(settings["prompts"][:LONGEST])
        if isinstance(settings.get("on"), bool):
            self.on.setChecked(settings["on"])
