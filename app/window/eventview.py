"""The event picture on screen: a plain widget that draws one QImage, scaled with hard pixel edges.

A QGraphicsView with an image item costs several milliseconds a frame for its scene; this costs the scaling and nothing else. The widget
is opaque and repaints only itself, so a frame does not touch the panels beside it.
"""

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.window import theme
from app.window.frametime import FrameMeter
from app.window.overlay import Overlay
from app.window.surface import Picture
from app.window.texts import tr

Region = tuple[int, int, int, int]


class EventView(QWidget):
    """Shows a picture (uint32[height, width], 0xffRRGGBB), aspect kept; over it a sentence, or the region of interest."""

    region_drawn = Signal(tuple)
    """A rectangle (x, y, w, h) in sensor pixels was drawn with the mouse."""
    first_events = Signal()
    """Once: a picture with events in it is on screen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setAccessibleName(tr("Event picture"))
        self.meter = FrameMeter()
        self.overlay = Overlay(self)
        self.heading = ""
        """Large text over the picture; empty while events are shown."""
        self.sentence = ""
        self.action = ""
        self.region: Region | None = None
        self.picking = False
        """Whether the mouse draws a region."""
        self.events_painted = False
        """Whether a picture with events in it has been painted."""
        self._picture: Picture | None = None
        self._image: QImage | None = None
        self._ground = QColor(theme.GROUND)
        self._corner: QPointF | None = None
        self._drawn: Region | None = None

    def sizeHint(self) -> QSize:
        """Room for a square picture."""
        return QSize(640, 640)

    def minimumSizeHint(self) -> QSize:
        """Still a picture at 1024 x 640."""
        return QSize(240, 180)

    def show_picture(self, picture: Picture | None, ground: QColor) -> None:
        """Show `picture`; its memory is used in place and must stay as it is until the next call."""
        if picture is not self._picture:
            self._picture = picture
            self._image = None
            if picture is not None:
                height, width = picture.shape
                self._image = QImage(picture.data, width, height, 4 * width, QImage.Format.Format_RGB32)
        self._ground = ground
        self.update()

    def show_text(self, heading: str, sentence: str, action: str = "") -> None:
        """Lay `heading` and `sentence` over the picture, and a button that says `action`; empty strings take them away."""
        if (heading, sentence, action) != (self.heading, self.sentence, self.action):
            self.heading, self.sentence, self.action = heading, sentence, action
            self.overlay.show_text(heading, sentence, action)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The text stays in the middle."""
        self.overlay.place()

    def target(self) -> QRect:
        """Where the picture is drawn: the largest rectangle of its aspect, centred."""
        if self._picture is None:
            return self.rect()
        height, width = self._picture.shape
        factor = min(self.width() / width, self.height() / height)
        if factor > 4:  # a few pixels of margin buy sensor pixels of equal size
            factor = int(factor * self.devicePixelRatio()) / self.devicePixelRatio()
        w, h = max(round(width * factor), 1), max(round(height * factor), 1)
        return QRect((self.width() - w) // 2, (self.height() - h) // 2, w, h)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The picture and the region."""
        self.meter.begin()
        painter = QPainter(self)
        target = self.target()
        if self._image is None:
            painter.fillRect(self.rect(), self._ground)
        else:
            self._fill_around(painter, target)
            painter.drawImage(target, self._image)
        region = self._drawn or self.region
        if region is not None:
            self._draw_region(painter, target, region)
        painter.end()
        self.meter.end()
        if not self.events_painted and self._picture is not None and (self._picture != self._ground.rgb()).any():
            self.events_painted = True
            QTimer.singleShot(0, self, self.first_events.emit)  # the backing store is flushed before the event loop turns again

    def _fill_around(self, painter: QPainter, target: QRect) -> None:
        """The margins only: filling what the picture covers would double the cost."""
        margin = QColor(theme.PANEL)
        rect = self.rect()
        painter.fillRect(0, 0, target.left(), rect.height(), margin)
        painter.fillRect(target.right() + 1, 0, rect.width() - target.right(), rect.height(), margin)
        painter.fillRect(target.left(), 0, target.width(), target.top(), margin)
        painter.fillRect(target.left(), target.bottom() + 1, target.width(), rect.height() - target.bottom(), margin)

    def _draw_region(self, painter: QPainter, target: QRect, region: Region) -> None:
        x, y, w, h = region
        unit = self._unit(target)
        painter.setPen(QPen(QColor(theme.TEXT), 1, Qt.PenStyle.DashLine))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(QRectF(target.left() + x * unit, target.top() + y * unit, w * unit, h * unit))

    def _unit(self, target: QRect) -> float:
        """Screen pixels per sensor pixel."""
        return target.width() / self._picture.shape[1] if self._picture is not None else 1.0

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a region."""
        if self.picking and self._picture is not None and event.button() == Qt.MouseButton.LeftButton:
            self._corner = event.position()
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Stretch it."""
        if self._corner is not None:
            self._drawn = self._between(self._corner, event.position())
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Tell it."""
        if self._corner is None:
            return
        region = self._between(self._corner, event.position())
        self._corner = self._drawn = None
        self.update()
        if region is not None:
            self.region_drawn.emit(region)

    def _between(self, a: QPointF, b: QPointF) -> Region | None:
        """The whole sensor pixels between two points of the widget; None where that is nothing."""
        if self._picture is None:
            return None
        target, unit = self.target(), self._unit(self.target())
        height, width = self._picture.shape
        xs = np.clip(np.sort([(p.x() - target.left()) / unit for p in (a, b)]), 0, width)
        ys = np.clip(np.sort([(p.y() - target.top()) / unit for p in (a, b)]), 0, height)
        x, y = int(xs[0]), int(ys[0])
        w, h = int(np.ceil(xs[1])) - x, int(np.ceil(ys[1])) - y
        return (x, y, w, h) if w > 1 and h > 1 else None
