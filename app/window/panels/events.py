"""The event view: the time surface as a fading picture, with a sentence over it whenever there is nothing to see and why."""

from pathlib import Path
from typing import Any, ClassVar

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QLabel, QWidget

from app.window.eventview import EventView
from app.window.panels.base import Choice, Panel, quiet
from app.window.state import Topic, WindowState
from app.window.surface import THEMES, Painter, SurfaceFile
from app.window.texts import mark, tr
from app.window.theme import Scale

DECAYS_MS = (10, 25, 50, 100, 200, 500, 1000)
HEADINGS = {
    "starting": mark("Opening the source ..."),
    "waiting": mark("Waiting for events"),
    "ended": mark("The recording has ended"),
    "failed": mark("The source has failed"),
}
START_AGAIN = mark("Start it again")
OPEN_SOURCE = mark("Open another source ...")


class EventsPanel(Panel):
    """Event picture with decay time and polarity colours to choose."""

    INTERESTS: ClassVar[Topic] = Topic.SOURCE | Topic.STATUS | Topic.SETTINGS | Topic.CONNECTION
    another_source = Signal()
    """The user wants to choose a source."""
    another_engine = Signal()
    """The user wants the engine started again."""
    RATE_HZ: ClassVar[float] = 10.0

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(state, tr("Events"), parent)
        self.view = EventView(self)
        self.view.overlay.pressed.connect(self._mend)
        self.locked = False
        self.restartable = False
        """Whether the window can start an engine."""
        self.figures = QLabel()
        self.figures.setObjectName("muted")
        self.decay = Choice()
        self.decay.setToolTip(tr("Decay: how long an event stays visible (time constant)"))
        self.decay.setAccessibleName(tr("Decay time"))
        for ms in DECAYS_MS:
            self.decay.addItem(f"{ms} ms" if ms < 1000 else f"{ms // 1000} s", ms)
        self.decay.setCurrentIndex(DECAYS_MS.index(100))
        self.colours = Choice()
        self.colours.setToolTip(tr("Colours of ON / OFF events; the first is safe for colour-blind eyes"))
        self.colours.setAccessibleName(tr("Polarity colours"))
        for theme in THEMES:
            self.colours.addItem(tr(theme.name), theme.name)
        self.header.insertWidget(1, self.figures)
        for control in (self.decay, self.colours):
            self.header.addWidget(quiet(control))
            control.currentIndexChanged.connect(self._chosen)
        self.column.addWidget(self.view, 1)
        self.painter = Painter(THEMES[0], 100_000)
        self._surface: SurfaceFile | None = None
        self._trouble = ""
        self._shown_us = -1

    def seek(self, now_s: float) -> None:
        """Paint the surface at the clock's time; nothing is painted while neither time nor surface moves."""
        if self._surface is None:
            return
        now_us = self.state.clock.now_us(now_s)
        if now_us != self._shown_us and self.state.clock.known:
            self._shown_us = now_us
            self._paint(now_us)

    def _paint(self, now_us: int) -> None:
        if self._surface is not None:
            picture = self.painter.paint(self._surface.words, now_us)
            self.view.show_picture(picture, QColor(*self.painter.theme.background))

    def refresh(self, changed: Topic) -> None:
        """Map the surface anew where the source changed; keep sentence, region and figures up to date."""
        if changed & Topic.SOURCE:
            self._map()
        self.view.show_text(*self.over_picture())
        if self.view.region != self.state.settings.region:
            self.view.region = self.state.settings.region
            self.view.update()
        source = self.state.source
        text = f"{source.width} × {source.height} {tr('pixels')}" if source and source.open else ""
        if text != self.figures.text():
            self.figures.setText(text)
        if changed & Topic.STATUS and not self.state.clock.running:
            self._paint(max(self._shown_us, 0))  # stepped or sought while paused

    def _map(self) -> None:
        source = self.state.source
        self._trouble = ""
        self._shown_us = -1
        if source is None or not source.open:
            self._surface = None
            self.view.show_picture(None, QColor(*self.painter.theme.background))
            return
        try:
            self._surface = SurfaceFile(Path(source.surface), source.width, source.height)
        except ValueError as error:
            if self.state.connected:  # a dead engine takes its file along; the last picture stays
                self._trouble = str(error)
                self._surface = None
                self.view.show_picture(None, QColor(*self.painter.theme.background))
            return
        self._paint(self.state.status.now_us)

    def over_picture(self) -> tuple[str, str, str]:
        """Heading, sentence and button over the picture; empty while it is live."""
        state = self.state
        if not state.connected:
            if not state.gone:
                return tr("Starting ..."), tr("The engine is getting ready."), ""
            return tr("No engine"), state.gone, tr(START_AGAIN) if self.restartable else ""
        if self._trouble:
            return tr("No picture"), self._trouble, ""
        another = "" if self.locked else tr(OPEN_SOURCE)
        if state.source is None:
            return tr("No source"), tr("Choose a camera, a recording, a network stream or the simulated person."), another
        if state.source.state not in HEADINGS:
            return "", "", ""
        return tr(HEADINGS[state.source.state]), state.source.sentence, another if state.source.state == "failed" else ""

    def _mend(self) -> None:
        """The overlay's button."""
        (self.another_engine if not self.state.connected else self.another_source).emit()

    def _chosen(self) -> None:
        self.painter.use(THEMES[self.colours.currentIndex()], self.decay.currentData() * 1000)
        self._paint(max(self._shown_us, 0))

    def rescale(self, scale: Scale) -> None:
        """The text over the picture too."""
        super().rescale(scale)
        self.view.overlay.rescale(scale)

    def lock(self) -> None:
        """One decay, one pair of colours, no other source."""
        self.locked = True
        self.decay.hide()
        self.colours.hide()

    def get_settings(self) -> dict[str, Any]:
        """Decay and colours."""
        return {"decay_ms": self.decay.currentData(), "colours": self.colours.currentData()}

    def set_settings(self, settings: dict[str, Any]) -> None:
        """Restore decay and colours."""
        with QSignalBlocker(self.decay), QSignalBlocker(self.colours):
            for control, index in (
                (self.decay, self.decay.findData(settings.get("decay_ms"))),
                (self.colours, self.colours.findData(str(settings.get("colours", "")))),
            ):
                if index >= 0:
                    control.setCurrentIndex(index)
        self._chosen()
