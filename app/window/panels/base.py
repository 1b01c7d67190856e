"""What every panel is: one contract, after ephyviewer's `ViewerBase`.

A panel draws from the `WindowState` and from nothing else. The main window relays one time to all (`seek`, every frame) and tells a panel
that topics of its interest changed (`refresh`, at most `RATE_HZ` times a second, so that labels do not cost what the picture costs). A
panel asks for something by emitting `command`, a message of app/protocol.py for the engine. What a user set in it goes through
`get_settings` and `set_settings` as plain JSON values.
"""

from typing import Any, ClassVar

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QAbstractSpinBox, QComboBox, QFrame, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from app.window.state import Topic, WindowState
from app.window.theme import MUTED, Scale


class Panel(QFrame):
    """Base of all panels."""

    command = Signal(dict)
    """A message for the engine."""

    INTERESTS: ClassVar[Topic] = Topic.NONE
    """Topics that call `refresh`."""
    RATE_HZ: ClassVar[float] = 15.0
    """`refresh` is not called more often."""

    def __init__(self, state: WindowState, title: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self.state = state
        self.scale = Scale(1.0)
        self.column = QVBoxLayout(self)
        self.header = QHBoxLayout()
        if title:
            label = QLabel(title)
            label.setObjectName("title")
            self.header.addWidget(label)
            self.header.addStretch(1)
            self.column.addLayout(self.header)
        self._space()

    def _space(self) -> None:
        self.column.setContentsMargins(self.scale.px(10), self.scale.px(7), self.scale.px(10), self.scale.px(9))
        self.column.setSpacing(self.scale.px(6))
        self.header.setSpacing(self.scale.px(6))

    def seek(self, now_s: float) -> None:
        """A frame at host time `now_s` (s, monotonic) is due; the state's clock has the sensor time that goes with it."""

    def refresh(self, changed: Topic) -> None:
        """Show what changed in the state."""

    def rescale(self, scale: Scale) -> None:
        """The window's type size changed."""
        self.scale = scale
        self._space()

    def lock(self) -> None:
        """Take away, for good, what visitors could break a demonstration with (kiosk.py)."""

    def get_settings(self) -> dict[str, Any]:
        """What the user set here, as JSON values."""
        return {}

    def set_settings(self, settings: dict[str, Any]) -> None:
        """Restore what `get_settings` gave; unknown or odd values are passed over."""


class Choice(QComboBox):
    """A combo box that draws its own arrow: a style sheet takes the style's away."""

    def paintEvent(self, event: QPaintEvent) -> None:
        """The box, then the arrow."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = self.height() / 6
        x, y = self.width() - 2.6 * side, self.height() / 2 - side / 3
        painter.setPen(QPen(QColor(MUTED), max(side / 3, 1.0)))
        painter.drawPolyline(QPolygonF([QPointF(x - side, y), QPointF(x, y + side), QPointF(x + side, y)]))


def quiet(widget: QWidget) -> QWidget:
    """Keep a control out of the way of the window's own keys: it takes the focus by Tab or for typing, not by a click."""
    widget.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return widget


def roomy(spin: QAbstractSpinBox) -> None:
    """Keep the figures of a spin box off its frame: the style sheet's padding does not reach the line edit inside."""
    edit = spin.findChild(QLineEdit)
    if edit is not None:
        edit.setTextMargins(5, 0, 2, 0)
