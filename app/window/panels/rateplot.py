"""The plot of the event rate: a minute of history that can be zoomed and panned with the mouse.

Importing pyqtgraph costs more than the rest of the window together, so this module is imported only once events are on screen
(rates.py). The plot is built once and its curves keep their arrays (PySide6 leaks plot items that are made anew, pyqtgraph#2672); time
runs from -60 s to now, so that a new point moves data and never an axis. Without OpenGL, which costs more where there is no GPU, and
without antialiasing.
"""

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QMouseEvent
from PySide6.QtWidgets import QWidget

from app.window import theme
from app.window.figures import LEAST_TOP, axis_rate, nice_top, tick_step
from app.window.state import RATE_POINTS, STATUS_S
from app.window.texts import number, tr
from app.window.theme import Scale

SPAN_S = RATE_POINTS * STATUS_S
"""Seconds that the plot shows; the oldest point is one status message younger."""
END_PX = 30
"""The labels at the ends of an axis may reach so far beyond it (px)."""
FILL = QColor(76, 194, 255, 90)


class RateAxis(pg.AxisItem):
    """Events per second, with few ticks."""

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:
        """One level of ticks."""
        return [(tick_step(max(maxVal - minVal, 1.0)), 0.0)]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """With unit, without digits that say nothing."""
        return [axis_rate(value) for value in values]

    def boundingRect(self) -> QRectF:
        """With room for the labels at both ends, which are left out otherwise while there is a grid."""
        return super().boundingRect().adjusted(0, -END_PX, 0, END_PX)


class TimeAxis(pg.AxisItem):
    """Seconds before now."""

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:
        """One level of ticks."""
        span = max(maxVal - minVal, 1.0)
        return [(20.0 if span > 40 else tick_step(span), 0.0)]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """The newest is now."""
        return [tr("now") if value == 0 else number(f"−{-value:g} s") for value in values]


class RatePlot(pg.PlotWidget):
    """Two curves in events/s: a line for what arrived, a filled one for what the filters kept."""

    def __init__(self, parent: QWidget | None = None) -> None:
        axes: dict[str, pg.AxisItem] = {"left": RateAxis("left"), "bottom": TimeAxis("bottom")}
        super().__init__(parent, background=theme.PANEL, axisItems=axes, enableMenu=False, antialias=False, useOpenGL=False)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # keys are the window's
        self.setFrameShape(self.Shape.NoFrame)
        self.setAccessibleName(tr("Event rate of the last minute"))
        self.hideButtons()
        self._x = np.arange(1 - RATE_POINTS, 1) * STATUS_S
        self._y = np.zeros((2, RATE_POINTS))
        self.kept = pg.PlotCurveItem(fillLevel=0.0, brush=FILL, pen=None, antialias=False)
        self.arrived = pg.PlotCurveItem(pen=pg.mkPen(theme.ACCENT, width=2), antialias=False)
        self.top = LEAST_TOP
        """The rate that the axis reaches while it follows the data (events/s)."""
        self.following = True
        """Whether the axes follow the data; not while the user has zoomed or moved."""
        box = self.getViewBox()
        box.setLimits(xMin=-SPAN_S, xMax=0.0, yMin=0.0, yMax=1e10, minXRange=2.0, minYRange=10.0)
        box.disableAutoRange()
        for curve in (self.kept, self.arrived):
            self.addItem(curve, ignoreBounds=True)
        for name, axis in axes.items():
            axis.enableAutoSIPrefix(False)
            axis.setTextPen(theme.MUTED)
            axis.setPen(theme.PANEL if name == "left" else theme.LINE)
            axis.setTickPen(theme.LINE)
            axis.setStyle(tickLength=0, tickTextOffset=5, hideOverlappingLabels=END_PX)  # the ends have labels too
        axes["left"].setGrid(255)
        box.sigRangeChangedManually.connect(self._moved)
        self.follow()

    def follow(self) -> None:
        """All of the minute, from zero to the top."""
        self.following = True
        self.getViewBox().setRange(xRange=(-SPAN_S, 0.0), yRange=(0.0, self.top), padding=0.0)

    def lock(self) -> None:
        """Take no zooming or panning any more."""
        self.getViewBox().setMouseEnabled(False, False)

    def _moved(self, *_: object) -> None:
        self.following = False

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Back to all of it."""
        self.follow()

    def show_rates(self, points: Sequence[tuple[float, float]]) -> None:
        """(rate, kept rate) in events/s, oldest first; at most RATE_POINTS."""
        count = len(points)
        if count == 0:
            self.arrived.clear()
            self.kept.clear()
            return
        self._y[:, -count:] = np.asarray(points).T
        x, y = self._x[-count:], self._y[:, -count:]
        self.arrived.setData(x, y[0], connect="all", skipFiniteCheck=True)
        self.kept.setData(x, y[1], connect="all", skipFiniteCheck=True)
        top = nice_top(float(y.max()))
        if top != self.top:
            self.top = top
            if self.following:
                self.follow()

    def rescale(self, scale: Scale) -> None:
        """New type size."""
        font = scale.font(11)
        for name in ("left", "bottom"):
            self.getAxis(name).setTickFont(font)
        self.getAxis("left").setWidth(scale.px(70))
        self.getAxis("bottom").setHeight(scale.px(20))
        self.getPlotItem().layout.setContentsMargins(0, scale.px(6), scale.px(16), 0)
