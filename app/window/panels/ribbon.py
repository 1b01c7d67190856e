"""The history ribbon: the answers of the last half minute, a stretch of colour for every stretch of time."""

from collections.abc import Iterable

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.window import theme
from app.window.facts import Segment
from app.window.figures import gesture_name
from app.window.state import RIBBON_US
from app.window.texts import tr
from app.window.theme import Scale


class HistoryRibbon(QWidget):
    """Newest at the right. Stretches without an accepted gesture stay dark; a name is written where it fits."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName(tr("Gestures of the last 30 seconds"))
        self.setToolTip(tr("Gestures of the last 30 seconds (sensor time), the newest at the right; dark where none was accepted"))
        self._scale = Scale(1.0)
        self._segments: tuple[Segment, ...] = ()
        self._labels: tuple[str, ...] = ()

    def sizeHint(self) -> QSize:
        """A band and a line of figures."""
        return QSize(self._scale.px(300), self._scale.px(44))

    def minimumSizeHint(self) -> QSize:
        """As high as wished, narrow if need be."""
        return QSize(self._scale.px(120), self._scale.px(44))

    def rescale(self, scale: Scale) -> None:
        """New type size."""
        self._scale = scale
        self.updateGeometry()
        self.update()

    def show_history(self, segments: Iterable[Segment], labels: tuple[str, ...]) -> None:
        """The stretches, oldest first, and the classes whose colours they take."""
        self._segments, self._labels = tuple(segments), labels
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The band, then the time below it."""
        px = self._scale.px
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.PANEL))
        width = self.width()
        band = QRectF(0, 0, width, px(26))
        painter.fillRect(band, QColor(theme.RAISED))
        end_us = self._segments[-1].end_us if self._segments else 0
        unit = width / RIBBON_US
        painter.setFont(self._scale.font(11.5, bold=True))
        metrics = painter.fontMetrics()
        for segment in self._segments:
            if segment.label not in self._labels:
                continue
            left = max(width - (end_us - segment.start_us) * unit, 0.0)
            right = width - (end_us - segment.end_us) * unit
            box = QRectF(left, 0, max(right - left, 1.0), band.height())
            painter.fillRect(box, theme.class_colour(self._labels.index(segment.label)))
            name = gesture_name(segment.label)
            if metrics.horizontalAdvance(name) + px(8) < box.width():
                painter.setPen(QColor(theme.GROUND))
                painter.drawText(box, Qt.AlignmentFlag.AlignCenter, name)
        self._draw_time(painter, band)

    def _draw_time(self, painter: QPainter, band: QRectF) -> None:
        painter.setFont(self._scale.font(11))
        painter.setPen(QColor(theme.MUTED))
        below = QRectF(0, band.bottom() + self._scale.px(2), self.width(), self.height() - band.height() - self._scale.px(2))
        for alignment, text in (
            (Qt.AlignmentFlag.AlignLeft, tr("30 s ago")),
            (Qt.AlignmentFlag.AlignHCenter, tr("15 s")),
            (Qt.AlignmentFlag.AlignRight, tr("now")),
        ):
            painter.drawText(below, alignment | Qt.AlignmentFlag.AlignVCenter, text)
