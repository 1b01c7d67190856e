"""Confidence of every class as bars, with the threshold as a line across all of them that can be dragged."""

from collections.abc import Sequence

from PySide6.QtCore import QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetrics, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QPolygon, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.window import theme
from app.window.figures import gesture_name
from app.window.texts import tr
from app.window.theme import Scale

GRAB_PX = 8
"""How near the pointer must be to take hold of the line."""


class ConfidenceBars(QWidget):
    """One row a class: name, bar, per cent. Names and tracks are drawn once into a pixmap; a decision redraws bars and figures only."""

    threshold_dragged = Signal(float)
    """The line was moved to this confidence (0 to 1)."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self.setAccessibleName(tr("Confidence of every gesture"))
        self.setToolTip(tr("Confidence of every gesture. Drag the line to set the threshold."))
        self.labels: tuple[str, ...] = ()
        self.scores: Sequence[float] = ()
        self.best = -1
        """Row drawn with emphasis: the accepted class; -1 for none."""
        self.threshold = 0.5
        self._scale = Scale(1.0)
        self._ground: QPixmap | None = None
        self._track: QRect | None = None
        self._dragging = False
        self.locked = False
        """Whether the line stays where it is."""

    def sizeHint(self) -> QSize:
        """Comfortable rows for eleven classes."""
        return QSize(self._scale.px(360), self._scale.px(22) * max(len(self.labels), 11))

    def minimumSizeHint(self) -> QSize:
        """Rows that can still be read."""
        return QSize(self._scale.px(250), round(self._scale.px(14.5) * max(len(self.labels), 11)) + self._scale.px(10))

    def rescale(self, scale: Scale) -> None:
        """New type size."""
        self._scale = scale
        self._ground = self._track = None
        self.updateGeometry()
        self.update()

    def show_labels(self, labels: tuple[str, ...]) -> None:
        """The classes, in the order of the scores."""
        if labels != self.labels:
            self.labels, self.scores = labels, ()
            self._ground = self._track = None
            self.updateGeometry()
            self.update()

    def show_scores(self, scores: Sequence[float], best: int) -> None:
        """A confidence per class, and the accepted class or -1."""
        self.scores, self.best = scores, best
        self.update()

    def show_threshold(self, threshold: float) -> None:
        """Where the line is; passed over while it is being dragged."""
        if not self._dragging and threshold != self.threshold:
            self.threshold = threshold
            self.update()

    def lock(self) -> None:
        """The line cannot be dragged any more."""
        self.locked = True
        self.setToolTip(tr("Confidence of every gesture"))

    def track(self) -> QRect:
        """The area that the bars of 0 to 100 % may fill."""
        if self._track is None:
            self._track = self._measure()
        return self._track

    def _measure(self) -> QRect:
        metrics = QFontMetrics(self._font())
        left = max((metrics.horizontalAdvance(gesture_name(name)) for name in self.labels), default=0) + self._scale.px(11)
        left = min(left, self.width() // 2)
        right = metrics.horizontalAdvance("100 %") + self._scale.px(6)
        top = self._scale.px(10)
        return QRect(left, top, max(self.width() - left - right, 10), max(self.height() - top, 10))

    def row(self, index: int) -> QRect:
        """The bar of class `index` at 100 %."""
        track = self.track()
        pitch = track.height() / max(len(self.labels), 1)
        gap = max(round(pitch * 0.2), 1)
        return QRect(track.left(), round(track.top() + index * pitch) + gap // 2, track.width(), max(round(pitch) - gap, 2))

    def line_x(self) -> int:
        """Where the threshold's line is."""
        track = self.track()
        return track.left() + round(self.threshold * track.width())

    def _font(self) -> QFont:
        rows = max(len(self.labels), 11)
        font = self._scale.font(12.5)
        font.setPixelSize(min(font.pixelSize(), max(int(self.height() / rows * 0.78), 8)))
        return font

    def _draw_ground(self) -> QPixmap:
        ratio = self.devicePixelRatio()
        ground = QPixmap(self.size() * ratio)
        ground.setDevicePixelRatio(ratio)
        ground.fill(QColor(theme.PANEL))
        painter = QPainter(ground)
        painter.setFont(self._font())
        metrics = painter.fontMetrics()
        for index, name in enumerate(self.labels):
            row = self.row(index)
            painter.fillRect(row, QColor(theme.RAISED))
            space = QRect(0, row.top(), row.left() - self._scale.px(8), row.height())
            text = metrics.elidedText(gesture_name(name), Qt.TextElideMode.ElideRight, space.width())
            painter.setPen(QColor(theme.TEXT))
            painter.drawText(space, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextDontClip, text)
        painter.end()
        return ground

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground, bars, figures, line."""
        if self._ground is None:
            self._ground = self._draw_ground()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._ground)
        painter.setFont(self._font())
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextDontClip
        for index, score in enumerate(self.scores[: len(self.labels)]):
            row = self.row(index)
            colour = theme.class_colour(index)
            passed = score >= self.threshold
            bar = QRect(row.left(), row.top(), round(min(max(score, 0.0), 1.0) * row.width()), row.height())
            painter.fillRect(bar, colour if index == self.best else colour.darker(150 if passed else 210))
            painter.setPen(QColor(theme.TEXT if index == self.best else theme.MUTED))
            figure = QRect(row.right(), row.top(), self.width() - row.right() - 1, row.height())
            painter.drawText(figure, right, f"{score * 100:.0f} %")
        if self.labels:
            self._draw_line(painter)

    def _draw_line(self, painter: QPainter) -> None:
        x, track, grip = self.line_x(), self.track(), self._scale.px(5)
        painter.setPen(QPen(QColor(theme.TEXT), max(self._scale.px(1.4), 1)))
        painter.drawLine(x, track.top() - grip // 2, x, track.bottom())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.TEXT))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawPolygon(QPolygon([QPoint(x - grip, 0), QPoint(x + grip + 1, 0), QPoint(x, track.top() - 1)]))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The ground is of another size."""
        self._ground = self._track = None

    def _near_line(self, x: float) -> bool:
        return bool(self.labels) and not self.locked and abs(x - self.line_x()) <= self._scale.px(GRAB_PX)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of the line."""
        self._dragging = event.button() == Qt.MouseButton.LeftButton and self._near_line(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move it."""
        self.setCursor(
            Qt.CursorShape.SplitHCursor if self._dragging or self._near_line(event.position().x()) else Qt.CursorShape.ArrowCursor
        )
        if self._dragging:
            track = self.track()
            self.threshold = round(min(max((event.position().x() - track.left()) / track.width(), 0.0), 1.0), 2)
            self.update()
            self.threshold_dragged.emit(self.threshold)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self._dragging = False
