"""A sentence over the picture whenever there is nothing to see: what is the matter, why, and a button that mends it where there is one."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QVBoxLayout, QWidget

from app.window.theme import Scale


class Overlay(QFrame):
    """Lies in the middle of its parent, as wide as that allows; hidden while it has nothing to say."""

    pressed = Signal()
    """The button was pressed."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("overlay")
        self._over = parent
        self._scale = Scale(1.0)
        self._heading, self._sentence = QLabel(), QLabel()
        self._column = QVBoxLayout(self)
        for label, name in ((self._heading, "heading"), (self._sentence, "sentence")):
            label.setObjectName(name)
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            self._column.addWidget(label)
        self.button = QPushButton()
        self.button.setObjectName("primary")
        self.button.clicked.connect(self.pressed.emit)
        self._column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)
        self.hide()

    def show_text(self, heading: str, sentence: str, action: str) -> None:
        """Say this; empty strings are left out, and without a heading and a sentence there is no overlay."""
        for widget, text in ((self._heading, heading), (self._sentence, sentence), (self.button, action)):
            widget.setText(text)
            widget.setVisible(bool(text))
        self.setVisible(bool(heading or sentence))
        self.place()

    def rescale(self, scale: Scale) -> None:
        """New type size."""
        self._scale = scale
        self._column.setContentsMargins(scale.px(20), scale.px(16), scale.px(20), scale.px(18))
        self._column.setSpacing(scale.px(8))
        self.place()

    def place(self) -> None:
        """To the middle of the parent."""
        parent = self._over
        width = min(parent.width() - self._scale.px(32), self._scale.px(560))
        height = self._column.totalHeightForWidth(width)
        self.setGeometry((parent.width() - width) // 2, (parent.height() - height) // 2, width, height)
