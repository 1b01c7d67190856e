"""Where the time goes between the sensor and the screen: a bar per stage, median solid and 95th percentile pale."""

from collections.abc import Mapping
from typing import ClassVar

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.window import theme
from app.window.figures import three
from app.window.panels.base import Panel
from app.window.state import Topic, WindowState
from app.window.texts import mark, tr
from app.window.theme import Scale

CHAIN = (
    mark("sensor"),
    mark("arrival"),
    mark("queue"),
    mark("filter"),
    mark("frame"),
    mark("chip"),
    mark("decision"),
    mark("painted"),
    mark("total"),
)
"""Stages in the order in which an event passes them; others follow in the order in which the engine names them."""
MEANINGS = {
    "sensor": mark("from the pixel to the camera's interface"),
    "arrival": mark("later than the quickest packet so far"),
    "queue": mark("waiting in the engine"),
    "filter": mark("noise filters"),
    "frame": mark("filters and pooling into the window's counts"),
    "chip": mark("one step of the gesture network"),
    "decision": mark("scores to decision"),
    "painted": mark("from the decision until it was on screen"),
    "total": mark("from the arrival of the last packet to the decision"),
}


def in_order(stages: Mapping[str, tuple[float, float]]) -> list[tuple[str, float, float]]:
    """(stage, p50, p95) along the chain."""
    known = [name for name in CHAIN if name in stages]
    others = [name for name in stages if name not in CHAIN]
    return [(name, *stages[name]) for name in known + others]


class StageBars(QWidget):
    """A row a stage; all bars share one scale, its end is written below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setAccessibleName(tr("Latency of every stage"))
        self._scale = Scale(1.0)
        self.stages: list[tuple[str, float, float]] = []

    def minimumSizeHint(self) -> QSize:
        """Eight rows that can be read."""
        return QSize(self._scale.px(210), self._scale.px(84))

    def rescale(self, scale: Scale) -> None:
        """New type size."""
        self._scale = scale
        self.update()

    def show_stages(self, stages: list[tuple[str, float, float]]) -> None:
        """(stage, p50, p95) in ms, in order."""
        if stages != self.stages:
            self.stages = stages
            lines = [f"{tr(name)}: {tr(MEANINGS[name])}" for name, *_ in stages if name in MEANINGS]
            self.setToolTip("\n".join([tr("Median (solid) and 95th percentile (pale), in ms"), *lines]))
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """All rows."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.PANEL))
        if not self.stages:
            painter.setPen(QColor(theme.MUTED))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, tr("no decision yet"))
            return
        px = self._scale.px
        pitch = min(self.height() / len(self.stages), px(22))
        font = self._scale.font(12)
        font.setPixelSize(max(min(font.pixelSize(), int(pitch * 0.9)), 8))
        painter.setFont(font)
        metrics = painter.fontMetrics()
        left = max(metrics.horizontalAdvance(tr(name)) for name, *_ in self.stages) + px(8)
        right = metrics.horizontalAdvance("00.0 / 00.0 ms") + px(6)
        room = max(self.width() - left - right, 1)
        top = max(max(p95 for _, _, p95 in self.stages), 1e-3)
        for index, (name, p50, p95) in enumerate(self.stages):
            row = QRectF(left, index * pitch + pitch * 0.18, room, pitch * 0.64)
            colour = QColor(theme.GOOD if name == "total" else theme.ACCENT)
            painter.fillRect(row, QColor(theme.RAISED))
            pale = QColor(colour)
            pale.setAlpha(90)
            painter.fillRect(QRectF(left, row.top(), room * p95 / top, row.height()), pale)
            painter.fillRect(QRectF(left, row.top(), room * p50 / top, row.height()), colour)
            painter.setPen(QColor(theme.TEXT))
            full = QRectF(0, index * pitch, self.width(), pitch)
            painter.drawText(full.adjusted(0, 0, -self.width() + left - px(8), 0), _RIGHT, tr(name))
            painter.setPen(QColor(theme.MUTED))
            painter.drawText(full, _RIGHT, f"{three(p50)} / {three(p95)} ms")


_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextDontClip


class LatencyPanel(Panel):
    """Latency per stage."""

    INTERESTS: ClassVar[Topic] = Topic.STATUS | Topic.SOURCE
    RATE_HZ: ClassVar[float] = 4.0

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(state, tr("Latency, p50 / p95"), parent)
        self.bars = StageBars(self)
        self.column.addWidget(self.bars, 1)

    def refresh(self, changed: Topic) -> None:
        """Other figures."""
        self.bars.show_stages(in_order(self.state.status.latency))

    def rescale(self, scale: Scale) -> None:
        """The bars draw their own text."""
        super().rescale(scale)
        self.bars.rescale(scale)
