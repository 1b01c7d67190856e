"""What the engine has to say, over the picture's lower edge for as long as it takes to read."""

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QLabel, QWidget

from app.window.texts import tr
from app.window.theme import Scale

STAY_MS = {"info": 4_000, "warning": 12_000, "error": 30_000}


class NoticeBar(QLabel):
    """A sentence that goes by itself, or by a click. Lies over its parent, as wide as that allows."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("notice")
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAccessibleName(tr("Notice"))
        self.setToolTip(tr("Click to take away"))
        self._over = parent
        self._scale = Scale(1.0)
        self._stay = QTimer(self)
        self._stay.setSingleShot(True)
        self._stay.timeout.connect(self.hide)
        self.hide()

    def say(self, level: str, sentence: str) -> None:
        """Show `sentence`; `level` is info, warning or error."""
        self.setText(sentence)
        if self.property("level") != level:
            self.setProperty("level", level)
            self.style().unpolish(self)
            self.style().polish(self)
        self._stay.start(STAY_MS.get(level, STAY_MS["info"]))
        self.place()
        self.show()
        self.raise_()

    def rescale(self, scale: Scale) -> None:
        """New type size."""
        self._scale = scale
        self.place()

    def place(self) -> None:
        """To the lower edge of the parent."""
        parent = self._over
        margin = self._scale.px(12)
        width = min(parent.width() - 2 * margin, self._scale.px(760))
        height = max(self.heightForWidth(width), self._scale.px(28))
        self.setGeometry((parent.width() - width) // 2, parent.height() - height - margin, width, height)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Read."""
        self.hide()
