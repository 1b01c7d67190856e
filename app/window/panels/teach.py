"""Teaching a gesture from the window: record short examples live, train, see what it did, take it back.

    name    ->  record: countdown, then the engine takes the next seconds  ->  examples in a list, each with what it is read as now
    train   ->  the engine learns beside recognition  ->  confusion before and after, and what is to be said of it

The panel lies in a dialog beside the picture, which stays in sight. It never talks to the main window: what it wants goes to the engine as
commands, like everything.
"""

from typing import ClassVar

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.protocol import Message
from app.window.figures import gesture_name
from app.window.lessons import Remark, Shown, Teaching
from app.window.panels.base import Panel, quiet
from app.window.panels.confusion import ConfusionMaps
from app.window.state import Topic, WindowState
from app.window.texts import mark, number, tr
from app.window.theme import Scale

COUNTDOWN = 3
"""Seconds from the button to the recording: time to stand up and raise an arm."""
SECONDS = 3.0
"""Length of an example."""
WINDOW_S = 0.025
ENOUGH = 3
"""Examples from which the figures mean something."""
NAME_LENGTH = 40

REMARKS = {
    "few": mark("{name} has only {count} examples: the figures are rough, five or more are better."),
    "one": mark("{name} has a single example, so it is not known how well it will be found: teach at least three."),
    "recording": mark("The examples of {name} come from one recording, so its figure is optimistic."),
    "alike": mark("{name} reads as {label} in {tenths} of 10 windows: choose another movement or teach more examples."),
    "was": mark("Before, {name} read as {label} in {tenths} of 10 windows: whoever makes that gesture may now be read as {name}."),
    "missed": mark("{name} is found in only {tenths} of 10 windows: teach more examples, made as differently as they will be."),
    "takes": mark("{percent} % of the windows of {label} are lost to what was taught: choose another movement, or add counter-examples."),
}
"""What a remark of the engine means (`models.teaching.figures`)."""
READS = mark("{number}   {seconds} s of movement, now read as {label} in {tenths} of 10 windows")
UNREAD = mark("{number}   counter-example: what the gesture is not")
FOUND = mark("{name} ({count} examples): {found:.0f} % of held-out windows found, {accepted:.0f} % with enough confidence")
UNKNOWN = mark("{name} ({count} examples): nothing could be held out")
KEPT = mark("Old gestures (simulated people): {before} % of windows right before, {after} % now")


class TeachPanel(Panel):
    """Name, examples, training and its figures."""

    INTERESTS: ClassVar[Topic] = Topic.TEACH | Topic.SOURCE | Topic.CONNECTION | Topic.NOTICE
    RATE_HZ: ClassVar[float] = 10.0

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(state, "", parent)
        self.setObjectName("teach")
        self._left = 0
        """Seconds of the countdown that are left; 0 while there is none."""
        self._counter = False
        self._heard = 0
        """Notices that had come when something was last asked for; a newer one may be the answer."""
        self._countdown = QTimer(self)
        self._countdown.setInterval(1000)
        self._countdown.timeout.connect(self._count)
        self.button = QToolButton()
        """Opens the dialog; stands beside the verdict."""
        self.button.setText("+")
        self.button.setToolTip(tr("Teach a new gesture (T)"))
        self.button.setAccessibleName(tr("Teach a gesture"))
        quiet(self.button)
        self._build_recording()
        self._build_training()
        self._build_result()
        self.refresh(Topic.ALL)

    def _build_recording(self) -> None:
        self.name = QLineEdit()
        self.name.setMaxLength(NAME_LENGTH)
        self.name.setPlaceholderText(tr("What the gesture is called"))
        self.name.setAccessibleName(tr("Name of the gesture"))
        self.record = _button(tr("Record example"), tr("Record an example of {seconds:.0f} seconds").format(seconds=SECONDS))
        self.counter = _button(
            tr("Record counter-example"), tr("Record what the gesture is not: doing something else, or nothing, in front of this camera")
        )
        self.stop = _button(tr("Stop"), tr("Break off the recording or the training"))
        self.call, self.progress, self.trouble = QLabel(), QProgressBar(), QLabel()
        self.trouble.setObjectName("notice")
        self.trouble.setProperty("level", "error")
        self.trouble.setWordWrap(True)
        self.trouble.setTextFormat(Qt.TextFormat.PlainText)
        self.call.setObjectName("heading")
        self.call.setMinimumWidth(1)
        self.progress.setTextVisible(False)
        self.progress.setRange(0, 1000)
        self.progress.setAccessibleName(tr("Progress"))
        self.record.clicked.connect(lambda: self.begin(counter=False))
        self.counter.clicked.connect(lambda: self.begin(counter=True))
        self.stop.clicked.connect(self.break_off)
        self.name.textChanged.connect(lambda: self._enable(self.state.teaching))
        grid = QGridLayout()
        grid.addWidget(QLabel(tr("Name")), 0, 0)
        grid.addWidget(self.name, 0, 1)
        grid.setColumnStretch(1, 1)
        row = QHBoxLayout()
        row.addWidget(self.record)
        row.addWidget(self.counter)
        row.addStretch(1)
        row.addWidget(self.stop)
        self.column.addLayout(grid)
        self.column.addLayout(row)
        self.column.addWidget(self.call)
        self.column.addWidget(self.progress)
        self.column.addWidget(self.trouble)

    def _build_training(self) -> None:
        self.examples = QListWidget()
        self.examples.setAccessibleName(tr("Examples"))
        self.examples.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.drop = _button(tr("Remove"), tr("Remove the selected example (Delete)"))
        self.train = _button(tr("Train"), tr("Learn the gesture from the examples; takes some seconds"))
        self.train.setObjectName("primary")
        self.drop.clicked.connect(self._drop)
        self.train.clicked.connect(self._train)
        self.examples.itemSelectionChanged.connect(lambda: self._enable(self.state.teaching))
        key = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self.examples)
        key.setContext(Qt.ShortcutContext.WidgetShortcut)
        key.activated.connect(self._drop)
        row = QHBoxLayout()
        row.addWidget(self.drop)
        row.addStretch(1)
        row.addWidget(self.train)
        self.column.addWidget(self.examples, 1)
        self.column.addLayout(row)

    def _build_result(self) -> None:
        self.result, self.remarks = QLabel(), QLabel()
        self.remarks.setObjectName("notice")
        self.remarks.setProperty("level", "warning")
        self.legend = QLabel(tr("Rows: the gesture that is made. Columns, in the same order: what its windows are read as, in per cent."))
        self.legend.setObjectName("muted")
        self.legend.setWordWrap(True)
        for label in (self.result, self.remarks):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
        self.maps = ConfusionMaps()
        self.undo = _button("", tr("Take back what was taught last"))
        self.undo.clicked.connect(lambda: self._ask({"op": "teach_undo", "name": self.state.teaching.newest}))
        row = QHBoxLayout()
        row.addWidget(self.undo)
        row.addStretch(1)
        self.column.addWidget(self.result)
        self.column.addWidget(self.remarks)
        self.column.addWidget(self.maps, 3)
        self.column.addWidget(self.legend)
        self.column.addLayout(row)

    # What buttons do

    def begin(self, counter: bool) -> None:
        """Count down, then have the engine record."""
        if self.state.teaching.state == "idle" and not self._left:
            self._heard = self.state.notices_seen
            self._counter, self._left = counter, COUNTDOWN
            self._countdown.start()
            self.refresh(Topic.TEACH)

    def break_off(self) -> None:
        """Stop counting, recording or learning."""
        if self._left:
            self._left = 0
            self._countdown.stop()
        else:
            self.command.emit({"op": "teach_stop"})
        self.refresh(Topic.TEACH)

    def _count(self) -> None:
        self._left -= 1
        if self._left <= 0:
            self._countdown.stop()
            self._ask({"op": "teach_record", "seconds": SECONDS, "counter": self._counter})
        self.refresh(Topic.TEACH)

    def _drop(self) -> None:
        for item in self.examples.selectedItems():
            self.command.emit({"op": "teach_drop", "id": item.data(Qt.ItemDataRole.UserRole)})

    def _train(self) -> None:
        self._ask({"op": "teach_learn", "name": self.name.text().strip()})

    def _ask(self, message: Message) -> None:
        """Send `message`, and show what is said about it here too: the main window's notices are out of sight."""
        self._heard = self.state.notices_seen
        self.command.emit(message)

    # What is shown

    def refresh(self, changed: Topic) -> None:
        """Examples, state and figures as the engine tells them."""
        teaching = self.state.teaching
        self._show_state(teaching)
        self._show_trouble()
        self._show_examples(teaching.examples)
        self._show_result(teaching)
        self._enable(teaching)

    def _show_state(self, teaching: Teaching) -> None:
        counter = self._counter if self._left else teaching.counter
        if self._left:
            text, share = tr("{left} ... get ready").format(left=self._left), 0.0
        elif teaching.state == "recording":
            text, share = tr("Now do something else") if counter else tr("Now make the gesture"), teaching.share
        elif teaching.state == "looking":
            text, share = tr("Looking at it ..."), 1.0
        elif teaching.state == "learning":
            text, share = tr("Learning ..."), teaching.share
        else:
            text, share = self._advice(teaching), 0.0
        if text != self.call.text():
            self.call.setText(text)
        self.progress.setValue(round(1000 * share))

    def _show_trouble(self) -> None:
        """The newest thing that went wrong since something was asked for."""
        new = min(self.state.notices_seen - self._heard, len(self.state.notices))
        said = [sentence for level, sentence in list(self.state.notices)[len(self.state.notices) - new :] if level != "info"]
        self.trouble.setText(said[-1] if said else "")
        self.trouble.setVisible(bool(said))

    def _advice(self, teaching: Teaching) -> str:
        """What to do next."""
        shown = sum(not one.counter for one in teaching.examples)
        if not self.state.connected or self.state.source is None or not self.state.source.open:
            return tr("There is nothing to see yet")
        if shown == 0:
            return tr("Record the gesture") if not teaching.taught else tr("Record another gesture, or more of one")
        return tr("Once more, a little differently") if shown < ENOUGH else tr("Ready to train; more examples make it better")

    def _show_examples(self, examples: tuple[Shown, ...]) -> None:
        texts = {one.id: _told(place, one) for place, one in enumerate(examples, 1)}
        items = [self.examples.item(row) for row in range(self.examples.count())]
        if [(item.data(Qt.ItemDataRole.UserRole), item.text()) for item in items] == list(texts.items()):
            return
        self.examples.clear()
        for number_of, text in texts.items():
            item = QListWidgetItem(text)
            item.setData(Qt.ItemDataRole.UserRole, number_of)
            self.examples.addItem(item)
        self.examples.scrollToBottom()

    def _show_result(self, teaching: Teaching) -> None:
        lines = []
        for one in teaching.taught:
            known = one.found == one.found  # not NaN
            text = tr(FOUND if known else UNKNOWN)
            name = gesture_name(one.name)
            lines.append(
                text.format(name=name, count=one.examples, found=100 * one.found, accepted=100 * one.accepted)
                if known
                else text.format(name=name, count=one.examples)
            )
        if teaching.known_before == teaching.known_before and lines:
            before, after = (number(f"{100 * share:.1f}") for share in (teaching.known_before, teaching.known_after))
            lines.append(tr(KEPT).format(before=before, after=after))
        self.result.setText("\n".join(lines))
        said = "\n".join(_remark(remark) for remark in teaching.remarks if remark.kind in REMARKS)
        self.remarks.setText(said)
        self.result.setVisible(bool(lines))
        self.remarks.setVisible(bool(said))
        self.maps.setVisible(bool(lines))
        self.legend.setVisible(bool(lines))
        self.maps.show_maps(teaching.labels, teaching.before, teaching.after, len(teaching.taught))
        self.undo.setVisible(bool(teaching.newest))
        text = tr("Take back {name}").format(name=gesture_name(teaching.newest))
        if text != self.undo.text():
            self.undo.setText(text)

    def _enable(self, teaching: Teaching) -> None:
        """Buttons that make sense now."""
        idle = teaching.state == "idle" and not self._left and self.state.connected
        source = self.state.source
        for button in (self.record, self.counter):
            button.setEnabled(idle and source is not None and source.open)
        self.stop.setEnabled(bool(self._left) or teaching.state in ("recording", "learning"))
        self.drop.setEnabled(idle and bool(self.examples.selectedItems()))
        self.train.setEnabled(idle and bool(self.name.text().strip()) and any(not one.counter for one in teaching.examples))
        self.undo.setEnabled(idle)
        self.progress.setVisible(not idle)

    def lock(self) -> None:
        """Visitors teach nothing."""
        self.button.hide()

    def rescale(self, scale: Scale) -> None:
        """The list keeps room for a few examples."""
        super().rescale(scale)
        self.examples.setMinimumHeight(scale.px(76))
        self.progress.setFixedHeight(scale.px(8))
        self.maps.rescale(scale)


class TeachDialog(QDialog):
    """The panel in a window of its own that leaves the picture in sight. Closing it keeps examples and what was taught."""

    def __init__(self, panel: TeachPanel, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Egret: teach a gesture"))
        self.panel = panel
        column = QVBoxLayout(self)
        column.addWidget(panel)

    def open_beside(self) -> None:
        """Show it, ready for the name to be typed."""
        room = self.screen().availableSize()
        self.resize(min(self.panel.scale.px(700), room.width()), min(self.panel.scale.px(720), room.height()))
        self.show()
        self.raise_()
        self.activateWindow()
        self.panel.name.setFocus()

    def reject(self) -> None:
        """Escape stops a countdown first, and closes otherwise."""
        if self.panel.stop.isEnabled():
            self.panel.break_off()
        else:
            super().reject()


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    button.setAutoDefault(False)  # Enter in the name must not press it
    return button


def _told(place: int, one: Shown) -> str:
    """A line of the list of examples."""
    if one.counter:
        return tr(UNREAD).format(number=place)
    seconds = number(f"{one.windows * WINDOW_S:.1f}")
    return tr(READS).format(number=place, seconds=seconds, label=gesture_name(one.label), tenths=round(10 * one.share))


def _remark(remark: Remark) -> str:
    """A remark for people."""
    tenths, percent = round(10 * remark.share), round(100 * remark.share)
    names = {"name": gesture_name(remark.name), "label": gesture_name(remark.label)}
    return tr(REMARKS[remark.kind]).format(**names, count=remark.count, tenths=tenths, percent=percent)
