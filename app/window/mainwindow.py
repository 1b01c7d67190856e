"""The main window: one client, one state, one paint timer, and panels that know nothing of each other.

Messages change the state as they come; nothing is drawn then. A timer of 16 ms hands every panel the time (`seek`) and tells it what
changed since its last turn (`refresh`), at the panel's own rate. The event picture is the only thing that is drawn at every frame; its
cost does not depend on the event rate (surface.py), so neither does the window's.
"""

import contextlib
import json
import time
from operator import attrgetter
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QSettings, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QCursor, QKeySequence, QResizeEvent, QShortcut, QShowEvent
from PySide6.QtWidgets import QMainWindow, QSplitter, QVBoxLayout, QWidget

from app.protocol import Message
from app.window import theme
from app.window.client import PATIENCE_MS, EngineClient
from app.window.help import KEYS, HelpDialog
from app.window.keeper import EngineKeeper, EngineWatch
from app.window.kiosk import ACTIONS, LEAVE, RESTART_MS, ZOOM, Visitors
from app.window.notices import NoticeBar
from app.window.panels.base import Panel
from app.window.panels.chat import ChatPanel
from app.window.panels.events import EventsPanel
from app.window.panels.filters import FiltersPanel
from app.window.panels.gesture import GesturePanel
from app.window.panels.latency import LatencyPanel
from app.window.panels.rates import RatesPanel
from app.window.panels.record import RecordPanel
from app.window.panels.strip import StripPanel
from app.window.panels.teach import TeachDialog, TeachPanel
from app.window.panels.transport import TransportPanel
from app.window.state import Topic, WindowState
from app.window.texts import mark, tr
from pipeline.errors import UserError

FRAME_MS = 16
RESTYLE_MS = 120
ZOOMS = (0.8, 0.9, 1.0, 1.15, 1.3, 1.5, 1.75)
ORDINARY = (1280, 800)
KEPT = mark("What was recorded until then is kept.")
ATTACHES = mark("Egret attaches by itself as soon as an engine answers here.")
PLOT_LATEST_MS = 15_000
"""The plot is loaded by then even if no event came."""
STARTING_MS = 60_000
"""An engine that was started for this window may take so long before it is called gone."""


class MainWindow(QMainWindow):
    """A window on the engine whose socket lies in `session`.

    `settings` keeps geometry and panel settings between runs (None: nothing is kept). With a `keeper` the window can start another
    engine when its own has gone, and closing it ends an engine that the keeper started. With `kiosk` it is for visitors (kiosk.py). With
    `chat_gestures` gestures drive the chat from the beginning.
    """

    def __init__(
        self,
        session: Path,
        *,
        settings: QSettings | None = None,
        keeper: EngineKeeper | None = None,
        kiosk: bool = False,
        chat_gestures: bool = False,
    ) -> None:
        super().__init__()
        self.setWindowTitle("Egret")
        self.setMinimumSize(*theme.SMALLEST)
        self.resize(*ORDINARY)
        self.state = WindowState()
        self.client = EngineClient(session, self, STARTING_MS if keeper and keeper.owned else PATIENCE_MS)
        self._watch = EngineWatch(keeper, self) if keeper else None
        self._settings = settings
        self.kiosk, self._leaving = kiosk, False
        self.visitors: Visitors | None = None
        self._zoom = ZOOM if kiosk else 1.0
        self._changed = Topic.ALL
        self._notices_shown = 0
        self._build()
        self._due: dict[Panel, tuple[float, Topic]] = dict.fromkeys(self.panels.values(), (0.0, Topic.NONE))
        self._bind_keys()
        if kiosk:
            self._lock()
        self.client.received.connect(self._receive)
        self.client.gone.connect(self._gone)
        if self._watch:
            self._watch.stillborn.connect(self._stillborn)
            self.client.received.connect(self._watch.reached)
        for panel in self.panels.values():
            panel.command.connect(self._send)
        self._frames = QTimer(self)
        self._frames.setTimerType(Qt.TimerType.PreciseTimer)
        self._frames.setInterval(FRAME_MS)
        self._frames.timeout.connect(self._tick)
        self._restyle = QTimer(self)
        self._restyle.setSingleShot(True)
        self._restyle.setInterval(RESTYLE_MS)
        self._restyle.timeout.connect(self._apply_scale)
        self._scale = theme.Scale(0.0)
        self.restored = False
        """Whether the user's own size of the window was restored."""
        self._restore()
        if chat_gestures:
            self.chat.gestures.on.setChecked(True)
        self._apply_scale()
        QTimer.singleShot(PLOT_LATEST_MS, self, self.rates.load)
        self._frames.start()
        self.events.view.setFocus()
        self.client.connect_now()

    def _build(self) -> None:
        state = self.state
        self.events, self.gesture, self.chat = EventsPanel(state), GesturePanel(state), ChatPanel(state)
        self.rates, self.latency, self.transport = RatesPanel(state), LatencyPanel(state), TransportPanel(state)
        self.filters, self.record_panel, self.teach = FiltersPanel(state), RecordPanel(state), TeachPanel(state)
        self.teach_dialog = TeachDialog(self.teach, self)
        self.gesture.header.addWidget(self.teach.button)
        self.strip = StripPanel(state, self.filters, self.record_panel)
        self.panels: dict[str, Panel] = {
            "events": self.events,
            "gesture": self.gesture,
            "chat": self.chat,
            "rates": self.rates,
            "latency": self.latency,
            "transport": self.transport,
            "filters": self.filters,
            "record": self.record_panel,
            "strip": self.strip,
            "teach": self.teach,
        }
        self.notice = NoticeBar(self.events.view)
        self.filters.pick_region.connect(self._pick_region)
        self.events.view.region_drawn.connect(self._region_drawn)
        self.strip.help.clicked.connect(self.help)
        self.teach.button.clicked.connect(self.teach_gesture)
        self.events.view.first_events.connect(self.rates.load)
        self.events.restartable = self._watch is not None and not self.kiosk
        self.events.another_engine.connect(self.restart_engine)
        self.events.another_source.connect(lambda: self.strip.choose_source(QCursor.pos()))
        lower = _splitter(Qt.Orientation.Horizontal, (self.rates, 1), (self.latency, 1))
        left = _splitter(Qt.Orientation.Vertical, (self.events, 4), (lower, 1))
        right = _splitter(Qt.Orientation.Vertical, (self.gesture, 1), (self.chat, 1))
        middle = _splitter(Qt.Orientation.Horizontal, (left, 3), (right, 2))
        left.setSizes([560, 150])
        right.setSizes([390, 320])
        middle.setSizes([740, 520])
        self._splitters = {"lower": lower, "left": left, "right": right, "middle": middle}
        centre = QWidget()
        self.column = QVBoxLayout(centre)
        self.column.addWidget(self.strip)
        self.column.addWidget(middle, 1)
        self.column.addWidget(self.transport)
        self.setCentralWidget(centre)

    def _bind_keys(self) -> None:
        for key in KEYS:
            for keys in key.keys if not self.kiosk or key.action in ACTIONS else ():
                shortcut = QShortcut(QKeySequence(keys), self)
                shortcut.setAutoRepeat(key.action in ("back", "forward", "step"))
                shortcut.activated.connect(attrgetter(key.action)(self))

    def _lock(self) -> None:
        """For visitors: no frame, fewer controls, one way out."""
        self.setWindowFlag(Qt.WindowType.FramelessWindowHint)
        for panel in self.panels.values():
            panel.lock()
        for splitter in self._splitters.values():
            for index in range(splitter.count()):
                splitter.handle(index).setEnabled(False)
        QShortcut(QKeySequence(LEAVE), self).activated.connect(self.leave)

    def showEvent(self, event: QShowEvent) -> None:
        """From now on there may be visitors."""
        super().showEvent(event)
        if self.kiosk and self.visitors is None:
            self.visitors = Visitors(self)
            self.visitors.left.connect(self.chat.forget)

    # What keys and buttons do

    def leave(self) -> None:
        """Close, even a kiosk."""
        self._leaving = True
        self.close()

    def play_or_pause(self) -> None:
        """Space."""
        self.transport.toggle()

    def step(self) -> None:
        """One window on."""
        self.transport.step()

    def back(self) -> None:
        """Arrow left."""
        self.transport.hop(-1)

    def forward(self) -> None:
        """Arrow right."""
        self.transport.hop(1)

    def record(self) -> None:
        """Start or stop."""
        self.record_panel.toggle()

    def teach_gesture(self) -> None:
        """Teach a new gesture."""
        self.teach_dialog.open_beside()

    def restart_engine(self) -> None:
        """Start a new engine in place of one that has gone."""
        if self._watch is None or not self.state.gone:
            return
        self._changed |= self.state.engine_gone("")
        try:
            self.client.attach(self._watch.restart(), STARTING_MS)
        except UserError as error:
            self._lost(str(error))

    def larger(self) -> None:
        """Larger type."""
        self._set_zoom(1)

    def smaller(self) -> None:
        """Smaller type."""
        self._set_zoom(-1)

    def full_screen(self) -> None:
        """In and out."""
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def help(self) -> None:
        """Keys and hints."""
        dialog = HelpDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _set_zoom(self, steps: int) -> None:
        index = min(range(len(ZOOMS)), key=lambda i: abs(ZOOMS[i] - self._zoom))
        self._zoom = ZOOMS[min(max(index + steps, 0), len(ZOOMS) - 1)]
        self._apply_scale()

    def _pick_region(self, on: bool) -> None:
        self.events.view.picking = on
        self.events.view.setCursor(Qt.CursorShape.CrossCursor if on else Qt.CursorShape.ArrowCursor)
        if on:
            self.notice.say("info", tr("Draw the region of interest with the mouse in the event picture."))

    def _region_drawn(self, region: tuple[int, int, int, int]) -> None:
        self.notice.hide()
        self.filters.use_region(region)

    # Messages

    def _receive(self, message: Message) -> None:
        self._changed |= self.state.apply(message, time.monotonic())

    def _gone(self, sentence: str) -> None:
        if not self.state.gone:
            self._lost(f"{sentence} {tr(KEPT if self._watch else ATTACHES)}")

    def _lost(self, sentence: str) -> None:
        self._changed |= self.state.engine_gone(sentence)
        if self.kiosk:
            QTimer.singleShot(RESTART_MS, self, self.restart_engine)

    def _stillborn(self, sentence: str, first: bool) -> None:
        if first:
            self.leave()  # whoever opened the window tells what the engine said
        else:
            self._lost(sentence or tr("It ended while it was starting."))

    def _send(self, message: Message) -> None:
        optional = message["op"] in ("painted", "chat_doubts")
        if not self.client.send(message, optional) and not optional:
            self.notice.say("warning", tr("There is no engine to do that."))

    # Frames

    def _tick(self) -> None:
        now_s = time.monotonic()
        changed, self._changed = self._changed, Topic.NONE
        for panel, (due_s, pending) in self._due.items():
            pending |= changed & panel.INTERESTS
            panel.seek(now_s)
            if pending and now_s >= due_s:
                panel.refresh(pending)
                self._due[panel] = (now_s + 1.0 / panel.RATE_HZ, Topic.NONE)
            elif pending:
                self._due[panel] = (due_s, pending)
        if changed & Topic.NOTICE:
            self._show_notice()

    def _show_notice(self) -> None:
        new = self.state.notices_seen - self._notices_shown
        self._notices_shown = self.state.notices_seen
        if new > 0 and self.state.notices:
            order = ("error", "warning")
            newest = list(self.state.notices)[-new:]
            level, sentence = min(reversed(newest), key=lambda n: order.index(n[0]) if n[0] in order else len(order))
            if sentence != self.events.over_picture()[1]:  # said there already
                self.notice.say(level, sentence)

    def frame_times(self) -> npt.NDArray[np.float64]:
        """Milliseconds between successive paints of the event picture, oldest first."""
        return self.events.view.meter.intervals_ms()

    # Size, and what is kept

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Type follows the window's height, after a moment of quiet."""
        super().resizeEvent(event)
        self._restyle.start()
        self.notice.place()

    def _apply_scale(self) -> None:
        scale = theme.scale_for(self.width(), self.height(), self._zoom)
        if scale == self._scale:
            return
        self._scale = scale
        self.setStyleSheet(theme.style_sheet(scale))
        self.column.setContentsMargins(scale.px(8), scale.px(8), scale.px(8), scale.px(8))
        self.column.setSpacing(scale.px(8))
        for splitter in self._splitters.values():
            splitter.setHandleWidth(scale.px(8))
        for panel in self.panels.values():
            panel.rescale(scale)
        self.notice.rescale(scale)
        self._changed |= Topic.ALL

    def _restore(self) -> None:
        kept = self._settings
        if kept is None:
            return
        if kept.contains("geometry"):
            self.restored = self.restoreGeometry(kept.value("geometry"))
        for name, splitter in self._splitters.items():
            if kept.contains(f"splitters/{name}"):
                splitter.restoreState(kept.value(f"splitters/{name}"))
        with contextlib.suppress(ValueError):  # an edited file: begin with the ordinary size
            self._zoom = min(max(float(str(kept.value("zoom", 1.0))), ZOOMS[0]), ZOOMS[-1])
        for name, panel in self.panels.items():
            try:
                values = json.loads(str(kept.value(f"panels/{name}", "{}")))
            except ValueError:
                continue
            if isinstance(values, dict):
                panel.set_settings(values)

    def _keep(self) -> None:
        kept = self._settings
        if kept is None:
            return
        kept.setValue("geometry", self.saveGeometry())
        kept.setValue("zoom", self._zoom)
        for name, splitter in self._splitters.items():
            kept.setValue(f"splitters/{name}", splitter.saveState())
        for name, panel in self.panels.items():
            kept.setValue(f"panels/{name}", json.dumps(panel.get_settings()))
        kept.sync()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep settings, end the engine if it is ours, close the line. A kiosk stays, unless it was told to `leave`."""
        if self.kiosk and not self._leaving:
            event.ignore()
            return
        if self.visitors:
            self.visitors.stop()
        self._frames.stop()
        self._restyle.stop()
        self._keep()
        self.hide()
        self.rates.finish()
        if self._watch:
            self._watch.stop()
        self.client.close({"op": "quit"} if self._watch and self._watch.keeper.owned else None)
        super().closeEvent(event)


def _splitter(orientation: Qt.Orientation, *parts: tuple[QWidget, int]) -> QSplitter:
    splitter = QSplitter(orientation)
    splitter.setChildrenCollapsible(False)
    for index, (widget, stretch) in enumerate(parts):
        splitter.addWidget(widget)
        splitter.setStretchFactor(index, stretch)
    return splitter
