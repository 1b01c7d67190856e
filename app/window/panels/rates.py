"""Event rate of the last minute: what the sensor sends, and what the filters let through.

A curve that gains four points a second needs no plotting library: the polyline is drawn from the ring of the state, and only when it grew.
"""

from collections.abc import Sequence
from typing import ClassVar

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.window import theme
from app.window.figures import rate
from app.window.panels.base import Panel
from app.window.state import RATE_POINTS, Topic, WindowState
from app.window.theme import Scale


def nice_top(value: float) -> float:
    """The least 1, 2 or 5 times a power of ten that is not below `value`, at least 100: an axis that seldom changes."""
    top = 100.0
    while top < value:
        for factor in (2.0, 2.5, 2.0):
            top *= factor
            if top >= value:
                break
    return top


def axis_rate(value: float) -> str:
    """A rate at an axis, without digits that say nothing: ``50 kev/s``."""
    figure, _, unit = rate(value, "ev/s").partition(" ")
    return f"{float(figure):g} {unit}"


class RateCurve(QWidget):
    """Two curves over a minute, newest at the right."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName("Event rate of the last minute")
        self.setToolTip("Events a second over the last minute: bright, from the sensor; filled, after the filters")
        self._scale = Scale(1.0)
        self._points: Sequence[tuple[float, float]] = ()
        self.top = 100.0

    def minimumSizeHint(self) -> QSize:
        """A curve that still says something."""
        return QSize(self._scale.px(140), self._scale.px(60))

    def rescale(self, scale: Scale) -> None:
        """New type size."""
        self._scale = scale
        self.update()

    def show_rates(self, points: Sequence[tuple[float, float]]) -> None:
        """(rate, kept rate) in events/s, oldest first."""
        self._points = tuple(points)
        self.top = nice_top(max((max(pair) for pair in self._points), default=0.0))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Grid, filled curve of kept events, line of all events."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.PANEL))
        px = self._scale.px
        painter.setFont(self._scale.font(11))
        height = painter.fontMetrics().height()
        gutter = painter.fontMetrics().horizontalAdvance("500 kev/s") + px(6)
        area = QRectF(gutter, height / 2, self.width() - gutter - 1, self.height() - height * 1.7)
        for share in (0.0, 0.5, 1.0):
            y = area.bottom() - share * area.height()
            painter.setPen(QColor(theme.LINE))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(QColor(theme.MUTED))
            label = QRectF(0, y - height / 2, gutter - px(6), height)
            painter.drawText(label, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, axis_rate(self.top * share))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if len(self._points) > 1:
            kept, all_events = self._line(area, 1), self._line(area, 0)
            filled = QPolygonF([*kept, QPointF(area.right(), area.bottom()), QPointF(kept[0].x(), area.bottom())])
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(76, 194, 255, 90))
            painter.drawPolygon(filled)
            painter.setPen(QPen(QColor(theme.ACCENT), max(px(1.5), 1)))
            painter.drawPolyline(QPolygonF(all_events))
        painter.setPen(QColor(theme.MUTED))
        below = QRectF(area.left(), area.bottom(), area.width(), self.height() - area.bottom())
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, "1 min ago")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, "now")

    def _line(self, area: QRectF, column: int) -> list[QPointF]:
        unit = area.width() / (RATE_POINTS - 1)
        first = RATE_POINTS - len(self._points)
        height = area.height() / self.top
        return [QPointF(area.left() + (first + i) * unit, area.bottom() - pair[column] * height) for i, pair in enumerate(self._points)]


class RatesPanel(Panel):
    """Event rate."""

    INTERESTS: ClassVar[Topic] = Topic.STATUS | Topic.SOURCE
    RATE_HZ: ClassVar[float] = 5.0

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(state, "Event rate", parent)
        self.curve = RateCurve(self)
        self.column.addWidget(self.curve, 1)

    def refresh(self, changed: Topic) -> None:
        """One more point."""
        self.curve.show_rates(tuple(self.state.rates))

    def rescale(self, scale: Scale) -> None:
        """The curve draws its own text."""
        super().rescale(scale)
        self.curve.rescale(scale)
