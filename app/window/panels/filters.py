"""The noise filters: each can be switched off, and each shows what the engine really uses."""

from typing import Any, ClassVar

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QGridLayout, QPushButton, QSpinBox, QWidget

from app.window.facts import Settings
from app.window.panels.base import Choice, Panel, roomy
from app.window.state import Topic, WindowState
from app.window.texts import mark, tr

POLARITIES = (("both", mark("ON and OFF")), ("on", mark("ON only")), ("off", mark("OFF only")))


def active(settings: Settings) -> int:
    """How many filters are on."""
    on = (settings.background_us is not None, settings.refractory_us is not None, settings.hot_pixel)
    return sum(on) + (settings.polarity != "both") + (settings.region is not None)


class FiltersPanel(Panel):
    """A grid of switches; shown in a menu."""

    INTERESTS: ClassVar[Topic] = Topic.SETTINGS
    pick_region = Signal(bool)
    """The mouse shall draw a region in the picture, or no longer."""

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(state, tr("Filters"), parent)
        self.background, self.background_us = QCheckBox(tr("Background activity")), _spin(1, 1_000_000, 2000)
        self.background.setToolTip(tr("Drops events that no neighbour supported within this time"))
        self.refractory, self.refractory_us = QCheckBox(tr("Refractory period")), _spin(1, 1_000_000, 1000)
        self.refractory.setToolTip(tr("Drops events of a pixel that fired less than this time before"))
        self.hot_pixel = QCheckBox(tr("Hot pixels"))
        self.hot_pixel.setToolTip(tr("Masks pixels that fire far more often than the others"))
        self.polarity = Choice()
        self.polarity.setAccessibleName(tr("Polarity"))
        for value, name in POLARITIES:
            self.polarity.addItem(tr(name), value)
        self.region = QPushButton(tr("Draw region ..."))
        self.region.setCheckable(True)
        self.region.setToolTip(tr("Draw a rectangle in the event picture; events outside are dropped"))
        self.whole = QPushButton(tr("Whole sensor"))
        grid = QGridLayout()
        grid.addWidget(self.background, 0, 0)
        grid.addWidget(self.background_us, 0, 1)
        grid.addWidget(self.refractory, 1, 0)
        grid.addWidget(self.refractory_us, 1, 1)
        grid.addWidget(self.hot_pixel, 2, 0)
        grid.addWidget(self.polarity, 2, 1)
        grid.addWidget(self.region, 3, 0)
        grid.addWidget(self.whole, 3, 1)
        self.column.addLayout(grid)
        self._connect()

    def _connect(self) -> None:
        for box, spin, name in (
            (self.background, self.background_us, "background_us"),
            (self.refractory, self.refractory_us, "refractory_us"),
        ):
            box.toggled.connect(lambda on, spin=spin, name=name: self._send(name, spin.value() if on else None))
            spin.valueChanged.connect(lambda value, box=box, name=name: self._send(name, value) if box.isChecked() else None)
        self.hot_pixel.toggled.connect(lambda on: self._send("hot_pixel", on))
        self.polarity.activated.connect(lambda _: self._send("polarity", self.polarity.currentData()))
        self.region.toggled.connect(self.pick_region.emit)
        self.whole.clicked.connect(lambda: self._send("region", None))

    def _send(self, name: str, value: Any) -> None:
        self.command.emit({"op": "filters", name: value})

    def use_region(self, region: tuple[int, int, int, int]) -> None:
        """A region was drawn."""
        self.region.setChecked(False)
        self._send("region", list(region))

    def refresh(self, changed: Topic) -> None:
        """Show what the engine uses."""
        settings = self.state.settings
        for box, spin, value in (
            (self.background, self.background_us, settings.background_us),
            (self.refractory, self.refractory_us, settings.refractory_us),
        ):
            with QSignalBlocker(box), QSignalBlocker(spin):
                box.setChecked(value is not None)
                if value is not None and not spin.hasFocus():
                    spin.setValue(value)
        with QSignalBlocker(self.hot_pixel), QSignalBlocker(self.polarity):
            self.hot_pixel.setChecked(settings.hot_pixel)
            self.polarity.setCurrentIndex(max(self.polarity.findData(settings.polarity), 0))
        self.whole.setEnabled(settings.region is not None)


def _spin(least: int, most: int, value: int) -> QSpinBox:
    spin = QSpinBox()
    spin.setRange(least, most)
    spin.setValue(value)
    spin.setSuffix(" µs")
    spin.setKeyboardTracking(False)
    roomy(spin)
    return spin
