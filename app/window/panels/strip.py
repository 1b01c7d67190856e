"""The status strip: which source and which runtime are live, how fast, how late, and what was lost."""

from typing import ClassVar

from PySide6.QtCore import QEvent, QPoint, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QInputDialog, QLabel, QMenu, QToolButton, QWidget, QWidgetAction

from app.window import theme
from app.window.figures import milliseconds, rate, three, whole
from app.window.panels.base import Panel, quiet
from app.window.panels.filters import FiltersPanel, active
from app.window.panels.record import RecordPanel
from app.window.state import Topic, WindowState
from app.window.texts import mark, number, tr
from app.window.theme import Scale

SOURCE_COLOURS = {"live": theme.GOOD, "starting": theme.ACCENT, "waiting": theme.WARNING, "ended": theme.MUTED, "failed": theme.BAD}
KINDS = {"camera": mark("CAMERA"), "file": mark("RECORDING"), "network": mark("NETWORK"), "simulated": mark("SIMULATED")}
STATES = {
    "starting": mark("starting"),
    "live": mark("live"),
    "waiting": mark("waiting"),
    "ended": mark("ended"),
    "failed": mark("failed"),
}
COUNTERS = (mark("lost"), mark("repaired"), mark("refused"), mark("skipped"))
ARRIVAL = mark("Arrival to decision: median {p50} ms, 95th percentile {p95} ms")
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
        self.record = record
        self.brand = QLabel("Egret")
        self.brand.setObjectName("brand")
        self.source = self._menu_button(tr("Source: what Egret is looking at; click to choose another"))
        self.source.setMenu(self._source_menu())
        self.runtime = QLabel()
        self.runtime.setObjectName("badge")
        self.runtime.setAccessibleName(tr("Runtime"))
        self.runtime.linkActivated.connect(lambda _: self.command.emit({"op": "runtime", "value": "chip"}))
        self._only_tells = False
        self.rate, self.latency = QLabel(), QLabel()
        for label in (self.rate, self.latency):
            label.setObjectName("figure")
        self.loss = QLabel()
        self.loss.setObjectName("loss")
        self.loss.setVisible(False)
        self.loss.setAccessibleName(tr("Losses"))
        self.loss.setToolTip(
            tr(
                "Events lost before Egret, timestamps repaired, events outside the sensor refused,\n"
                "events skipped by view and recognition under overload"
            )
        )
        self.filters = self._menu_button(tr("Noise filters, polarity and region of interest"))
        menu = QMenu(self.filters)
        action = QWidgetAction(menu)
        action.setDefaultWidget(filters)
        menu.addAction(action)
        self.filters.setMenu(menu)
        self.help = QToolButton()
        self.help.setText("?")
        self.help.setToolTip(tr("Keys and hints (?)"))
        self.help.setAccessibleName(tr("Help"))
        quiet(self.help)
        self.row = QHBoxLayout()
        for widget in (self.brand, self.source, self.runtime, self.rate, self.latency, self.loss):
            self.row.addWidget(widget)
        self.row.addStretch(1)
        self.row.addWidget(self.filters)
        self.row.addWidget(record)
        self.row.addWidget(self.help)
        self.column.addLayout(self.row)
        self._arrow = "  ▾"
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
        menu.addAction(tr("Camera"), lambda: self._open("camera"))
        menu.addAction(tr("Recording ..."), self._open_file)
        menu.addAction(tr("Network stream ..."), self._open_network)
        menu.addAction(tr("Simulated person"), lambda: self._open("simulated"))
        return menu

    def choose_source(self, place: QPoint) -> None:
        """Open the menu of sources at `place` (global)."""
        self.source.menu().popup(place)

    def _open(self, spec: str) -> None:
        self.command.emit({"op": "source", "spec": spec})

    def _open_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, tr("Open a recording"), "", tr("Recordings (*.aedat4 *.aedat);;All files (*)"))
        if name:
            self._open(f"file:{name}")

    def _open_network(self) -> None:
        address, given = QInputDialog.getText(
            self, tr("Network stream"), tr("Address of a dv-processing stream:"), text="tcp://127.0.0.1:7777"
        )
        if given and address.strip():
            self._open(address.strip())

    def seek(self, now_s: float) -> None:
        """Host time, for the heartbeat."""
        self._now_s = now_s

    def refresh(self, changed: Topic) -> None:
        """All badges and figures, as far as there is room."""
        status = self.state.status
        self._show_runtime()
        count = active(self.state.settings)
        _set(self.filters, f"{tr('Filters')}: {count or tr('off')}  ▾")
        _set(self.rate, rate(status.rate, "ev/s"))
        total = status.latency.get("total")
        _set(self.latency, tr("{time} to decision").format(time=milliseconds(total[0])) if total else "")
        self.latency.setToolTip(tr(ARRIVAL).format(p50=three(total[0]), p95=three(total[1])) if total else "")
        self._fit()

    def event(self, event: QEvent) -> bool:
        """What else stands in the strip may have grown."""
        done = super().event(event)
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize):
            self._fit()
        return done

    def _fit(self) -> None:
        """Show what fits: the title is shortened first, then figures go that have panels of their own, then all losses but the first."""
        counters = ((name, getattr(self.state.status, name)) for name in COUNTERS)
        losses = [f"{tr(name)} {rate(count, '').strip()}" for name, count in counters if count]
        short = losses[:1] + ["…"] * (len(losses) > 1)
        choices = (
            (TITLE_LENGTH, True, True, losses),
            (SHORT_TITLE, True, True, losses),
            (SHORT_TITLE, False, True, losses),
            (SHORT_TITLE, False, False, losses),
            (SHORT_TITLE, False, False, short),
        )
        always = [widget for widget in (self.brand, self.runtime, self.filters, self.record, self.help) if not widget.isHidden()]
        margins = self.column.contentsMargins()
        room = self.width() - margins.left() - margins.right() - sum(widget.sizeHint().width() for widget in always)
        room -= self.row.spacing() * (self.row.count() - 1)
        for length, latency, events, shown in choices:
            source, loss = self._source_text(length), "   ".join(shown)
            need = _width(self.source, source) + latency * _width(self.latency, self.latency.text())
            need += events * max(_width(self.rate, self.rate.text()), self.rate.minimumWidth()) + bool(loss) * _width(self.loss, loss)
            if need <= room:
                break
        self._show_source(source)
        self.latency.setVisible(latency and bool(self.latency.text()))
        self.rate.setVisible(events)
        _set(self.loss, loss)
        self.loss.setVisible(bool(loss))

    def _source_text(self, length: int) -> str:
        """Kind, title in at most `length` characters, and state."""
        source = self.state.source
        if not self.state.connected:
            return f" {tr('No engine') if self.state.gone else tr('Starting ...')}"
        if source is None:
            return f" {tr('No source')}{self._arrow}"
        state = tr(STATES.get(source.state, source.state))
        title = shortened(source.title or source.spec, length)
        if not title:  # it never opened
            return f" {state.upper()}{self._arrow}"
        kind = tr(KINDS.get(source.kind, source.kind.upper()))
        return f" {kind}  {title}{'' if source.state == 'live' else f' ({state})'}{self._arrow}"

    def _show_source(self, text: str) -> None:
        source = self.state.source
        if self.state.connected:
            colour = SOURCE_COLOURS.get(source.state, theme.MUTED) if source else theme.BAD
        else:
            colour = theme.BAD if self.state.gone else theme.ACCENT
        if (text, colour) != (self.source.text(), self.source.property("colour")):
            self.source.setText(text)
            self.source.setProperty("colour", colour)
            self.source.setIcon(dot(colour, self.scale))
            self.source.setToolTip(f"{source.spec}\n{tr('Click to choose another source')}" if source else tr("Choose a source"))

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
        self.runtime.setVisible(bool(runtime.badge))  # unknown until the engine has told it
        name = runtime.badge
        name = tr("{name} IS SILENT").format(name=name) if silent else name
        text = f'<span style="color:{heart}">●</span>&nbsp; <span style="color:{colour}">{name}</span>'
        if runtime.offer and not self._only_tells:
            back = tr("back to the chip")
            text += f'&nbsp; <a href="chip" style="color:{theme.MUTED}">{back}</a>'
        _set(self.runtime, text)
        tip = tr("Networks run on: {backend}; {steps} steps so far").format(
            backend=runtime.backend or tr("unknown"), steps=whole(runtime.heartbeat)
        )
        if runtime.steps_per_s == runtime.steps_per_s:
            tip += tr(", {steps:.0f} a second").format(steps=runtime.steps_per_s)
        if runtime.activity == runtime.activity:
            tip += number(tr("; {share:.1f} % of units fired").format(share=runtime.activity * 100))
        self.runtime.setToolTip(tip)

    def lock(self) -> None:
        """It only tells."""
        self.source.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.source.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._arrow = ""
        self._only_tells = True
        for control in (self.filters, self.record, self.help):
            control.hide()

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


def _width(widget: QLabel | QToolButton, text: str) -> int:
    """How wide `widget` would like to be with `text` (px)."""
    metrics = widget.fontMetrics()
    return widget.sizeHint().width() - metrics.horizontalAdvance(widget.text()) + metrics.horizontalAdvance(text)


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
