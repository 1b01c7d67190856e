"""The gesture panel: what the network sees, how sure it is, and why it stays silent when it does."""

import time
from typing import ClassVar

from PySide6.QtCore import QRect, QSignalBlocker, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QDoubleSpinBox, QHBoxLayout, QLabel, QSizePolicy, QWidget

from app.window import theme
from app.window.facts import Decision
from app.window.figures import gesture_name
from app.window.panels.bars import ConfidenceBars
from app.window.panels.base import Panel, roomy
from app.window.panels.ribbon import HistoryRibbon
from app.window.state import Topic, WindowState
from app.window.texts import mark, tr
from app.window.theme import Scale

DRAG_MS = 80
"""While the line is dragged the engine hears of it at most this often."""
REASONS = (
    mark("too few events"),
    mark("not a known gesture"),
    mark("classes too close"),
    mark("below the threshold"),
    mark("settling"),
)
"""Why the engine rejects a decision; others are shown as they come."""
REJECTED = mark("rejected")


class Verdict(QWidget):
    """The answer in large type, and under it the reason. Tells when it has really been painted."""

    painted = Signal(object, object)
    """Sensor time of the decision (us) and the monotonic time (ns) at which it was on screen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.headline, self.reason = tr("No gesture"), ""
        self._colour = QColor(theme.MUTED)
        self._scale = Scale(1.0)
        self._t_us: int | None = None

    def sizeHint(self) -> QSize:
        """Two lines."""
        return QSize(self._scale.px(300), self._scale.px(66))

    def rescale(self, scale: Scale) -> None:
        """New type size."""
        self._scale = scale
        self.updateGeometry()
        self.update()

    def show_decision(self, decision: Decision | None, colour: QColor) -> None:
        """Show `decision`; accepted ones in their class's colour."""
        self._t_us = decision.t_us if decision else None
        if decision is None:
            self.headline, self.reason, self._colour = tr("No gesture"), tr("nothing has been decided yet"), QColor(theme.MUTED)
        elif decision.accepted:
            self.headline, self._colour = gesture_name(decision.label), colour
            self.reason = tr("accepted with {share:.0f} % confidence").format(share=decision.confidence * 100)
        else:
            why = tr(decision.reason or REJECTED)
            guess = tr("best guess {label} {share:.0f} %").format(label=gesture_name(decision.label), share=decision.confidence * 100)
            self.headline, self._colour = tr("No gesture"), QColor(theme.MUTED)
            self.reason = f"{why}  ·  {guess}"
        self.setAccessibleName(f"{self.headline}: {self.reason}")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Both lines; afterwards, once the window's picture has been handed over, `painted`."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.PANEL))
        px = self._scale.px
        font = self._scale.font(28, bold=True)
        painter.setFont(font)
        while font.pixelSize() > 10 and painter.fontMetrics().horizontalAdvance(self.headline) > self.width():
            font.setPixelSize(font.pixelSize() - 1)
            painter.setFont(font)
        painter.setPen(self._colour)
        middle = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRect(0, 0, self.width(), px(42)), middle, self.headline)
        painter.setFont(self._scale.font(13))
        painter.setPen(QColor(theme.MUTED))
        text = painter.fontMetrics().elidedText(self.reason, Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(QRect(0, px(42), self.width(), px(22)), middle, text)
        painter.end()
        if self._t_us is not None:
            t_us, self._t_us = self._t_us, None
            # Widgets paint into the window's backing store, which is flushed to the screen before the event loop turns again.
            QTimer.singleShot(0, self, lambda: self.painted.emit(t_us, time.monotonic_ns()))


class GesturePanel(Panel):
    """Verdict, bars with the threshold, ribbon."""

    INTERESTS: ClassVar[Topic] = Topic.DECISION | Topic.SETTINGS | Topic.MODELS | Topic.SOURCE
    RATE_HZ: ClassVar[float] = 1000.0  # at the very next frame: what is shown late counts as latency

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(state, tr("Gesture"), parent)
        self._controls: list[QWidget] = []
        self.verdict = Verdict(self)
        self.bars = ConfidenceBars(self)
        self.ribbon = HistoryRibbon(self)
        self.threshold = self._spin(tr("Threshold"), tr("Confidence a gesture must reach to be accepted"), 1.0, 0.01, 2)
        self.min_events = self._spin(
            tr("Min. events"), tr("Events per window (25 ms, filtered) a scene needs before anything is recognised"), 1e5, 1.0, 0
        )
        self.column.addWidget(self.verdict)
        self.column.addWidget(self.bars, 1)
        self.column.addWidget(self.ribbon)
        self.verdict.painted.connect(lambda t_us, ns: self.command.emit({"op": "painted", "t_us": t_us, "ns": ns}))
        self.threshold.valueChanged.connect(lambda value: self.command.emit({"op": "threshold", "value": round(value, 2)}))
        self.min_events.valueChanged.connect(lambda value: self.command.emit({"op": "min_events", "value": value}))
        self.bars.threshold_dragged.connect(self._dragged)
        self._drag = QTimer(self)
        self._drag.setSingleShot(True)
        self._drag.setInterval(DRAG_MS)
        self._drag.timeout.connect(self._send_dragged)

    def _spin(self, name: str, tip: str, top: float, step: float, decimals: int) -> QDoubleSpinBox:
        label = QLabel(name)
        label.setObjectName("muted")
        spin = QDoubleSpinBox()
        roomy(spin)
        spin.setRange(0.0, top)
        spin.setSingleStep(step)
        spin.setDecimals(decimals)
        spin.setKeyboardTracking(False)
        spin.setToolTip(tip)
        spin.setAccessibleName(name)
        pair = QHBoxLayout()
        pair.setSpacing(5)
        pair.addWidget(label)
        pair.addWidget(spin)
        self.header.addLayout(pair)
        self._controls += [label, spin]
        return spin

    def refresh(self, changed: Topic) -> None:
        """A new decision, other settings, other classes."""
        state = self.state
        if changed & Topic.MODELS:
            self.bars.show_labels(state.labels)
            self.setToolTip("")
        if changed & (Topic.SETTINGS | Topic.MODELS):
            self._show_settings()
        if changed & (Topic.DECISION | Topic.MODELS | Topic.SOURCE):
            decision = state.decision
            best = state.labels.index(decision.label) if decision and decision.accepted and decision.label in state.labels else -1
            self.verdict.show_decision(decision, theme.class_colour(max(best, 0)))
            self.bars.show_scores(decision.scores if decision else (), best)
            self.ribbon.show_history(state.history, state.labels)

    def lock(self) -> None:
        """The gates stay as they are."""
        for control in self._controls:
            control.hide()
        self.bars.lock()

    def _show_settings(self) -> None:
        settings = self.state.settings
        if not self._drag.isActive():
            self.bars.show_threshold(settings.threshold)
        for spin, value in ((self.threshold, settings.threshold), (self.min_events, settings.min_events)):
            if not spin.hasFocus():
                with QSignalBlocker(spin):
                    spin.setValue(value)

    def _dragged(self, value: float) -> None:
        with QSignalBlocker(self.threshold):
            self.threshold.setValue(value)
        if not self._drag.isActive():
            self._drag.start()

    def _send_dragged(self) -> None:
        self.command.emit({"op": "threshold", "value": self.bars.threshold})

    def rescale(self, scale: Scale) -> None:
        """All parts draw their own text."""
        super().rescale(scale)
        for part in (self.verdict, self.bars, self.ribbon):
            part.rescale(scale)
