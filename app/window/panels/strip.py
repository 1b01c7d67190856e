"""The status strip: which source and which runtime are live, how fast, how late, and what was lost."""

from typing import ClassVar

from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QInputDialog, QLabel, QMenu, QToolButton, QWidget, QWidgetAction

from app.window import theme
from app.window.figures import milliseconds, rate, three
from app.window.panels.base import Panel, quiet
from app.window.panels.filters import FiltersPanel, active
from app.window.panels.record import RecordPanel
from app.window.state import Topic, WindowState
from app.window.theme import Scale

SOURCE_COLOURS = {"live": theme.GOOD, "starting": theme.ACCENT, "waiting": theme.WARNING, "ended": theme.MUTED, "failed": theme.BAD}
KINDS = {"camera": "CAMERA", "file": "RECORDING", "network": "NETWORK", "simulated": "SIMULATED"}
BADGES = {"HOST": theme.ACCENT, "CHIP": theme.GOOD, "EMULATED CHIP": "#b39dff"}
SILENT_S = 2.0
"""A runtime that takes no step for this long while the source is live is called silent."""
TITLE_LENGTH, SHORT_TITLE = 28, 13


class StripPanel(Panel):
    """Badges and figures at the left, filters, record and help at the right."""

    INTERESTS: ClassVar[Topic] = Topic.ALL & ~Topic.CHAT
    RATE_HZ: ClassVar[float] = 5.0

    def __init__(self, state: WindowState, filters: FiltersPanel, record: RecordPanel, parent: QWidget | None = None) -> None:
        super().__init__(state, "", parent)
        self.setObjectName("strip")
        brand = QLabel("Egret")
        brand.setObjectName("brand")
        self.source = self._menu_button("Source: what Egret is looking at; click to choose another")
        self.source.setMenu(self._source_menu())
        self.runtime = QLabel()
        self.runtime.setObjectName("badge")
        self.runtime.setAccessibleName("Runtime")
        self.rate, self.latency = QLabel(), QLabel()
        for label in (self.rate, self.latency):
            label.setObjectName("figure")
        self.loss = QLabel()
        self.loss.setObjectName("loss")
        self.loss.setVisible(False)
        self.loss.setAccessibleName("Losses")
        self.filters = self._menu_button("Noise filters, polarity and region of interest")
        menu = QMenu(self.filters)
        action = QWidgetAction(menu)
        action.setDefaultWidget(filters)
        menu.addAction(action)
        self.filters.setMenu(menu)
        self.help = QToolButton()
        self.help.setText("?")
        self.help.setToolTip("Keys and hints (?)")
        self.help.setAccessibleName("Help")
        quiet(self.help)
        self.row = QHBoxLayout()
        for widget in (brand, self.source, self.runtime, self.rate, self.latency, self.loss):
            self.row.addWidget(widget)
        self.row.addStretch(1)
        self.row.addWidget(self.filters)
        self.row.addWidget(record)
        self.row.addWidget(self.help)
        self.column.addLayout(self.row)
        self._beat = (-1, 0.0)
        self._pulse = False
        self._now_s = 0.0

    @staticmethod
    def _menu_button(tip: str) -> QToolButton:
        button = QToolButton()
        button.setToolTip(tip)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        quiet(button)
        return button

    def _source_menu(self) -> QMenu:
        menu = QMenu(self.source)
        menu.addAction("Camera", lambda: self._open("camera"))
        menu.addAction("Recording ...", self._open_file)
        menu.addAction("Network stream ...", self._open_network)
        menu.addAction("Simulated person", lambda: self._open("simulated"))
        return menu

    def choose_source(self, place: QPoint) -> None:
        """Open the menu of sources at `place` (global)."""
        self.source.menu().popup(place)

    def _open(self, spec: str) -> None:
        self.command.emit({"op": "source", "spec": spec})

    def _open_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open a recording", "", "Recordings (*.aedat4);;All files (*)")
        if name:
            self._open(f"file:{name}")

    def _open_network(self) -> None:
        address, given = QInputDialog.getText(self, "Network stream", "Address of a dv-processing stream:", text="tcp://127.0.0.1:7777")
        if given and address.strip():
            self._open(address.strip())

    def seek(self, now_s: float) -> None:
        """Host time, for the heartbeat."""
        self._now_s = now_s

    def refresh(self, changed: Topic) -> None:
        """All badges and figures."""
        status = self.state.status
        self._show_source()
        self._show_runtime()
        _set(self.rate, rate(status.rate, "ev/s"))
        total = status.latency.get("total")
        counters = (("lost", status.lost), ("repaired", status.repaired), ("refused", status.refused), ("skipped", status.skipped))
        narrow = self.width() < self.scale.px(1150)
        _set(self.latency, f"{milliseconds(total[0])} to decision" if total else "")
        self.latency.setToolTip(f"Arrival to decision: median {three(total[0])} ms, 95th percentile {three(total[1])} ms" if total else "")
        crowded = narrow * ((self.state.recording is not None) + any(count for _, count in counters))
        self.latency.setVisible(total is not None and crowded < 1)
        self.rate.setVisible(crowded < 2)  # both have panels of their own
        text = "   ".join(f"{name} {rate(count, '').strip()}" for name, count in counters if count)
        _set(self.loss, text)
        self.loss.setVisible(bool(text))
        self.loss.setToolTip(
            "Events lost before Egret, timestamps repaired, events outside the sensor refused,\n"
            "events skipped by view and recognition under overload"
        )
        count = active(self.state.settings)
        _set(self.filters, f"Filters: {count}  ▾" if count else "Filters: off  ▾")

    def _show_source(self) -> None:
        source = self.state.source
        if not self.state.connected or source is None:
            text, colour = (" No source  ▾" if self.state.connected else " No engine"), theme.BAD
            if not self.state.connected and not self.state.gone:
                text, colour = " Starting ...", theme.ACCENT
        else:
            kind = KINDS.get(source.kind, source.kind.upper())
            title = source.title or source.spec
            if not title:  # it never opened
                kind, title = source.state.upper(), ""
            title = shortened(title, SHORT_TITLE if self.width() < self.scale.px(1150) else TITLE_LENGTH)
            state = f" ({source.state})" if title and source.state != "live" else ""
            text, colour = f" {kind}  {title}{state}  ▾" if title else f" {kind}  ▾", SOURCE_COLOURS.get(source.state, theme.MUTED)
        if (text, colour) != (self.source.text(), self.source.property("colour")):
            self.source.setText(text)
            self.source.setProperty("colour", colour)
            self.source.setIcon(dot(colour, self.scale))
            self.source.setToolTip(f"{source.spec}\nClick to choose another source" if source else "Choose a source")

    def _show_runtime(self) -> None:
        runtime = self.state.runtime
        beat, since = self._beat
        if runtime.heartbeat != beat:
            self._beat = (runtime.heartbeat, self._now_s)
            self._pulse = not self._pulse
            since = self._now_s
        live = self.state.clock.running and self.state.connected
        silent = live and self._now_s - since > SILENT_S
        colour = theme.WARNING if silent else BADGES.get(runtime.badge, theme.MUTED)
        heart = colour if (self._pulse and live) or silent else theme.LINE
        name = runtime.badge or "NO RUNTIME"
        text = f'<span style="color:{heart}">●</span>&nbsp; <span style="color:{colour}">{name}{" IS SILENT" if silent else ""}</span>'
        _set(self.runtime, text)
        tip = f"Networks run on: {runtime.backend or 'unknown'}; {runtime.heartbeat:,} steps so far"
        if runtime.steps_per_s == runtime.steps_per_s:
            tip += f", {runtime.steps_per_s:.0f} a second"
        if runtime.activity == runtime.activity:
            tip += f"; {runtime.activity * 100:.1f} % of units fired"
        self.runtime.setToolTip(tip)

    def rescale(self, scale: Scale) -> None:
        """Even distances; widths that must not change while figures do."""
        super().rescale(scale)
        self.row.setSpacing(scale.px(10))
        self.rate.setMinimumWidth(scale.px(78))
        self.source.setIconSize(QSize(scale.px(9), scale.px(9)))
        self.source.setProperty("colour", None)
        self.column.setContentsMargins(scale.px(10), scale.px(5), scale.px(8), scale.px(5))


def _set(widget: QLabel | QToolButton, text: str) -> None:
    """Set a text only if it is another one: layouts stay as they are."""
    if widget.text() != text:
        widget.setText(text)


def shortened(title: str, length: int) -> str:
    """`title` in at most `length` characters, beginning and end kept."""
    half = length // 2
    return title if len(title) <= length else f"{title[: length - half - 1]}…{title[-half:]}"


def dot(colour: str, scale: Scale) -> QIcon:
    """A filled circle."""
    side = scale.px(9) * 2
    pixmap = QPixmap(side, side)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(colour))
    painter.drawEllipse(0, 0, side, side)
    painter.end()
    return QIcon(pixmap)
