"""How answers are written: presets, the rules of drawing a token, and what the transcript shows besides; opens from the chat's panel."""

from collections.abc import Mapping
from typing import Any, TypeVar

from PySide6.QtCore import QRandomGenerator, QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QDoubleSpinBox, QFrame, QGridLayout, QLabel, QSpinBox, QWidget

from app.protocol import Message
from app.window.panels.base import Choice, roomy
from app.window.panels.echo import Echo
from app.window.texts import mark, tr
from app.window.theme import Scale
from models.sampling import PRESETS

OWN = ""
"""Stands for settings that are no preset's."""
NAMES = {
    "exact": mark("Exact"),
    "careful": mark("Careful"),
    "balanced": mark("Balanced"),
    "lively": mark("Lively"),
}
TIPS = {
    "exact": mark("Always the likeliest token"),
    "careful": mark("Little variety: low temperature, nine tenths of the probability"),
    "balanced": mark("What Egret begins with"),
    "lively": mark("Much variety, repetition discouraged"),
}
Spin = TypeVar("Spin", QSpinBox, QDoubleSpinBox)
RULES = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
"""Settings that a preset has."""


class ChatSettings(QFrame):
    """A grid of settings; shown in a menu."""

    changed = Signal()
    """A setting is another one now."""
    check_wanted = Signal(bool)
    """It is to be told how chip and host get on, or no longer."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        how = PRESETS["balanced"]
        self.preset = Choice()
        self.preset.setAccessibleName(tr("Preset"))
        self.preset.setToolTip(tr("Settings that go together"))
        for name, text in NAMES.items():
            self.preset.addItem(tr(text), name)
            self.preset.setItemData(self.preset.count() - 1, tr(TIPS[name]), 3)  # Qt.ItemDataRole.ToolTipRole
        self.preset.addItem(tr("Own settings"), OWN)
        self.seed = _spin(QSpinBox(), 0, 2**31 - 1, 1, tr("Seed"), tr("The same seed, prompt and memory give the same answer"))
        self.temperature = _spin(QDoubleSpinBox(), 0.0, 5.0, how.temperature, tr("Temp."), tr("Temperature. 0: always the likeliest token"))
        self.top_k = _spin(QSpinBox(), 0, 10_000, how.top_k, tr("Top-k"), tr("Only the k likeliest tokens may be drawn (0: all)"))
        self.top_p = _spin(
            QDoubleSpinBox(), 0.0, 1.0, how.top_p, tr("Top-p"), tr("Only the likeliest tokens that together have this probability (1: all)")
        )
        self.min_p = _spin(
            QDoubleSpinBox(), 0.0, 1.0, how.min_p, tr("Min-p"), tr("Only tokens at least this part as likely as the likeliest (0: all)")
        )
        self.repetition_penalty = _spin(
            QDoubleSpinBox(), 1.0, 5.0, how.repetition_penalty, tr("Repetition"), tr("Makes what was just said less likely (1: off)")
        )
        self.tokens = _spin(QSpinBox(), 1, 2000, 200, tr("Tokens"), tr("The longest answer, in tokens"))
        self.underline = QCheckBox(tr("Show activity under every token"))
        self.underline.setToolTip(tr("The brighter the line, the more units fired in the token's step (brightest: 25 % and more)"))
        self.underline.setChecked(True)
        self.check = QCheckBox(tr("Host beside the chip"))
        self.check.setToolTip(tr("Says on how many tokens chip and host agree, and marks the first at which they differ; needs a chip"))
        self.fresh = QCheckBox(tr("New seed every time"))
        self.fresh.setToolTip(tr("A seed by chance for every question; it stands beside this box"))
        self._checks = Echo()
        self._own: dict[str, float] = {}
        """The rules that were set by hand and are no preset's; empty while there are none."""
        self._arrange()
        self._connect()
        self._changed()

    @property
    def _rules(self) -> dict[str, QSpinBox | QDoubleSpinBox]:
        return {name: getattr(self, name) for name in RULES}

    @property
    def _spins(self) -> dict[str, QSpinBox | QDoubleSpinBox]:
        return self._rules | {"tokens": self.tokens, "seed": self.seed}

    def _arrange(self) -> None:
        self.grid = QGridLayout(self)
        spins = self._spins.values()
        title = QLabel(tr("How answers are written"))
        title.setObjectName("title")
        self.grid.addWidget(title, 0, 0, 1, 2)
        self.grid.addWidget(self.preset, 1, 0, 1, 2)
        for place, spin in enumerate(spins):
            self.grid.addWidget(spin, 2 + place // 2, place % 2)
        self.grid.addWidget(self.fresh, 2 + len(spins) // 2, len(spins) % 2)
        self.grid.addWidget(self.underline, 6, 0, 1, 2)
        self.grid.addWidget(self.check, 7, 0, 1, 2)

    def _connect(self) -> None:
        for spin in self._spins.values():
            spin.valueChanged.connect(lambda _: self._changed())
        self.preset.activated.connect(lambda _: self.use(str(self.preset.currentData())))
        self.fresh.toggled.connect(self.seed.setDisabled)
        self.underline.toggled.connect(lambda _: self.changed.emit())
        self.check.clicked.connect(self._ask_to_check)

    def _ask_to_check(self) -> None:
        self._checks.ask(self.check.isChecked())
        self.check_wanted.emit(self.check.isChecked())

    def _changed(self) -> None:
        name = self.name()
        if name == OWN:
            self._own = self._values()
        with QSignalBlocker(self.preset):
            self.preset.setCurrentIndex(self.preset.findData(name))
        self.changed.emit()

    def name(self) -> str:
        """The preset that these settings are, or `OWN`."""
        return next((name for name, how in PRESETS.items() if all(getattr(how, r) == v for r, v in self._values().items())), OWN)

    def use(self, name: str) -> None:
        """Take a preset's settings, or those that were set by hand last."""
        self._show({rule: getattr(PRESETS[name], rule) for rule in RULES} if name in PRESETS else self._own)
        self._changed()

    def _show(self, values: Mapping[str, Any]) -> None:
        """Have the spin boxes hold what `values` say of them; odd values are passed over."""
        for name, spin in self._spins.items():
            value = values.get(name)
            if isinstance(value, int | float) and not isinstance(value, bool) and spin.minimum() <= value <= spin.maximum():
                with QSignalBlocker(spin):
                    spin.setValue(type(spin.value())(value))  # type: ignore[arg-type]

    def _values(self) -> dict[str, float]:
        return {name: round(spin.value(), 2) for name, spin in self._rules.items()}

    def message(self) -> Message:
        """The settings as commands for the engine carry them."""
        return self._values() | {"seed": self.seed.value(), "tokens": self.tokens.value()}

    def question(self) -> Message:
        """The same for a question, with a new seed where that is wanted."""
        if self.fresh.isChecked():
            with QSignalBlocker(self.seed):
                self.seed.setValue(QRandomGenerator.global_().bounded(self.seed.maximum()))
        return self.message()

    def show_check(self, on: bool, possible: bool) -> None:
        """What the engine says of comparing with the host."""
        if self._checks.believes(on):
            self.check.setChecked(on)
        self.check.setEnabled(possible)

    def rescale(self, scale: Scale) -> None:
        """The window's type size changed."""
        self.grid.setContentsMargins(*(scale.px(10),) * 4)
        self.grid.setSpacing(scale.px(7))
        for spin in self._spins.values():
            spin.setMinimumWidth(scale.px(150))

    def get(self) -> dict[str, Any]:
        """As JSON values."""
        return self.message() | {"own": self._own, "fresh": self.fresh.isChecked(), "underline": self.underline.isChecked()}

    def set(self, settings: dict[str, Any]) -> None:
        """Restore what `get` gave; odd values are passed over."""
        if isinstance(own := settings.get("own"), dict):
            self._show(own)
            self._changed()
        self._show(settings)
        self._changed()
        if isinstance(settings.get("fresh"), bool):
            self.fresh.setChecked(settings["fresh"])
        if isinstance(settings.get("underline"), bool):
            self.underline.setChecked(settings["underline"])


def _spin(spin: Spin, least: float, most: float, value: float, name: str, tip: str) -> Spin:
    kind = float if isinstance(spin, QDoubleSpinBox) else int
    spin.setRange(kind(least), kind(most))
    spin.setValue(kind(value))
    spin.setToolTip(tip)
    spin.setAccessibleName(name)
    spin.setPrefix(f"{name}  ")
    if isinstance(spin, QDoubleSpinBox):
        spin.setSingleStep(0.05)
    roomy(spin)
    return spin
