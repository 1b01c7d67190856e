"""Transport of a recording: play, pause, step, seek, speed, loop. Hidden for live sources, which have no past here."""

from typing import Any, ClassVar

from PySide6.QtCore import QSignalBlocker, Qt, QTimer
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSlider, QStyle, QStyleOptionSlider, QWidget

from app.window.figures import clock_time
from app.window.panels.base import Choice, Panel, quiet
from app.window.state import Topic, WindowState
from app.window.texts import number, tr
from app.window.theme import Scale

SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
STEP_US = 25_000
JUMP_US = 1_000_000
SEEK_MS = 60
"""While the slider is dragged the engine is asked to seek at most this often."""
SLIDER_STEPS = 10_000
POSITION_S = 0.1
"""The position is redrawn this often (s)."""


class SeekSlider(QSlider):
    """A slider that jumps to where it is clicked."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self.setRange(0, SLIDER_STEPS)
        self.setAccessibleName(tr("Position in the recording"))
        self.setToolTip(tr("Position; click or drag to seek (← → for a second)"))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Put the handle under the pointer first: the ordinary handling then drags it."""
        if event.button() == Qt.MouseButton.LeftButton:
            option = QStyleOptionSlider()
            self.initStyleOption(option)
            style, part = self.style(), QStyle.ComplexControl.CC_Slider
            handle = style.subControlRect(part, option, QStyle.SubControl.SC_SliderHandle, self)
            groove = style.subControlRect(part, option, QStyle.SubControl.SC_SliderGroove, self)
            if not handle.contains(event.position().toPoint()):
                room = max(groove.width() - handle.width(), 1)
                place = int(event.position().x()) - groove.x() - handle.width() // 2
                self.setSliderPosition(QStyle.sliderValueFromPosition(self.minimum(), self.maximum(), place, room))
        super().mousePressEvent(event)


class TransportPanel(Panel):
    """Buttons, slider, speed, loop, time."""

    INTERESTS: ClassVar[Topic] = Topic.SOURCE | Topic.STATUS | Topic.CONNECTION
    RATE_HZ: ClassVar[float] = 15.0

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(state, "", parent)
        self.setObjectName("transport")
        self.play = self._button(tr("Play"), tr("Play or pause (Space)"), self.toggle)
        self.step_button = self._button(tr("Step"), tr("One window of 25 ms on (.)"), self.step)
        self.slider = SeekSlider()
        quiet(self.slider)
        self.slider.sliderMoved.connect(self._moved)
        self.slider.sliderPressed.connect(self._moved)
        self.slider.sliderReleased.connect(self._send_seek)
        self.time = QLabel("0:00.0 / 0:00.0")
        self.time.setObjectName("figure")
        self.time.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.speed = Choice()
        self.speed.setToolTip(tr("Speed, in sensor time per real time"))
        self.speed.setAccessibleName(tr("Speed"))
        for value in SPEEDS:
            self.speed.addItem(number(f"{value:g} ×"), value)
        quiet(self.speed)
        self.speed.activated.connect(lambda _: self.command.emit({"op": "speed", "value": self.speed.currentData()}))
        self.loop = QPushButton(tr("Loop"))
        self.loop.setCheckable(True)
        self.loop.setToolTip(tr("Start again at the end"))
        quiet(self.loop)
        self.loop.clicked.connect(lambda checked: self.command.emit({"op": "loop", "value": checked}))
        row = QHBoxLayout()
        for widget in (self.play, self.step_button, self.slider, self.time, self.speed, self.loop):
            row.addWidget(widget, 1 if widget is self.slider else 0)
        self.row = row
        self.column.addLayout(row)
        self._shown_s = 0.0
        self._throttle = QTimer(self)
        self._throttle.setSingleShot(True)
        self._throttle.setInterval(SEEK_MS)
        self._throttle.timeout.connect(self._send_seek)
        self.locked = False
        self.setVisible(False)

    def lock(self) -> None:
        """Not there."""
        self.locked = True
        self.hide()

    def _button(self, text: str, tip: str, action: Any) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.clicked.connect(lambda: action())
        quiet(button)
        return button

    @property
    def usable(self) -> bool:
        """Whether there is a recording to move in."""
        source = self.state.source
        return source is not None and source.open and not source.live and self.state.connected

    def toggle(self) -> None:
        """Play or pause; at the end, play from the start."""
        if not self.usable:
            return
        ended = self.state.source is not None and self.state.source.state == "ended"
        if ended:
            self.command.emit({"op": "seek", "position_us": 0})
        self.command.emit({"op": "pause" if self.state.status.playing and not ended else "play"})

    def step(self) -> None:
        """One window on."""
        if self.usable:
            self.command.emit({"op": "step"})

    def hop(self, direction: int) -> None:
        """Arrow keys: a second while playing, a window while paused."""
        if not self.usable:
            return
        if direction > 0 and not self.state.status.playing:
            self.step()
            return
        distance = JUMP_US if self.state.status.playing else STEP_US
        self._seek(self.state.status.position_us + direction * distance)

    def _seek(self, position_us: int) -> None:
        assert self.state.source is not None
        self.command.emit({"op": "seek", "position_us": min(max(position_us, 0), self.state.source.duration_us)})

    def _moved(self) -> None:
        if not self._throttle.isActive():
            self._throttle.start()

    def _send_seek(self) -> None:
        self._throttle.stop()
        if self.usable and self.state.source is not None:
            self._seek(self.slider.sliderPosition() * self.state.source.duration_us // SLIDER_STEPS)

    def seek(self, now_s: float) -> None:
        """Move the handle along, ten times a second."""
        if self.isVisible() and now_s - self._shown_s >= POSITION_S:
            self._shown_s = now_s
            self._show_position(self.state.clock.position_us(now_s))

    def _show_position(self, position_us: int) -> None:
        duration = self.state.source.duration_us if self.state.source else 0
        position_us = min(position_us, duration)
        if self.slider.isSliderDown():
            position_us = self.slider.sliderPosition() * duration // SLIDER_STEPS
        elif duration > 0:
            self.slider.setValue(position_us * SLIDER_STEPS // duration)
        text = f"{clock_time(position_us)} / {clock_time(duration)}"
        if text != self.time.text():
            self.time.setText(text)

    def refresh(self, changed: Topic) -> None:
        """Appear for recordings; show what the engine does."""
        source = self.state.source
        recording = source is not None and source.open and not source.live
        if self.isHidden() == (recording and not self.locked):
            self.setVisible(not self.locked and recording)
        if self.isHidden():
            return
        status = self.state.status
        playing = status.playing and self.state.connected and source is not None and source.state != "ended"
        self.play.setText(tr("Pause") if playing else tr("Play"))
        for widget in (self.play, self.step_button, self.slider, self.speed, self.loop):
            widget.setEnabled(self.state.connected)
        with QSignalBlocker(self.speed), QSignalBlocker(self.loop):
            if not self.speed.view().isVisible():
                self.speed.setCurrentIndex(min(range(len(SPEEDS)), key=lambda i: abs(SPEEDS[i] - status.speed)))
            self.loop.setChecked(status.loop)
        if not self.state.clock.running:
            self._show_position(status.position_us)

    def rescale(self, scale: Scale) -> None:
        """Widths that must not change while figures do."""
        super().rescale(scale)
        self.play.setFixedWidth(scale.px(76))
        self.time.setMinimumWidth(scale.px(124))
        self.row.setSpacing(scale.px(8))
