"""Event rate of the last minute: what the sensor sends, and what the filters let through.

The plot needs pyqtgraph, whose import would delay the first picture by most of a second: it is imported in a thread once events are on
screen (`load`; importing it makes no Qt objects), and the plot takes its place here at the next status message.
"""

import importlib
import threading
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtWidgets import QSizePolicy, QWidget

from app.window.panels.base import Panel
from app.window.state import Topic, WindowState
from app.window.texts import tr
from app.window.theme import Scale

if TYPE_CHECKING:
    from app.window.panels.rateplot import RatePlot


class RatesPanel(Panel):
    """Event rate."""

    INTERESTS: ClassVar[Topic] = Topic.STATUS | Topic.SOURCE
    RATE_HZ: ClassVar[float] = 5.0

    def __init__(self, state: WindowState, parent: QWidget | None = None) -> None:
        super().__init__(state, tr("Event rate"), parent)
        self.plot: RatePlot | None = None
        self._loader: threading.Thread | None = None
        self._locked = False
        self._place = QWidget()
        self._place.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.column.addWidget(self._place, 1)

    def load(self) -> None:
        """Begin to load the plot; a second call does nothing."""
        if self._loader is None:
            self._loader = threading.Thread(target=importlib.import_module, args=("app.window.panels.rateplot",), name="egret-plot")
            self._loader.start()

    def finish(self) -> None:
        """Wait for the loading to end, where it runs: no thread outlives the window."""
        if self._loader is not None:
            self._loader.join()

    def _build(self) -> None:
        from app.window.panels.rateplot import RatePlot

        self.plot = RatePlot(self)
        self.plot.setToolTip(
            tr(
                "Events a second over the last minute: line, from the sensor; filled, after the filters.\n"
                "Wheel and mouse zoom and move it; a double click shows all again."
            )
        )
        if self._locked:
            self.plot.lock()
            self.plot.setToolTip("")
        self.plot.setMinimumSize(self._place.minimumSize())
        self.plot.rescale(self.scale)
        self.column.replaceWidget(self._place, self.plot)
        self._place.deleteLater()

    def lock(self) -> None:
        """No zooming and panning."""
        self._locked = True

    def refresh(self, changed: Topic) -> None:
        """One more point."""
        if self.plot is None and self._loader is not None and not self._loader.is_alive():
            self._build()
        if self.plot is not None:
            self.plot.show_rates(self.state.rates)

    def rescale(self, scale: Scale) -> None:
        """The plot has type sizes of its own."""
        super().rescale(scale)
        if self.plot is None:
            self._place.setMinimumSize(scale.px(140), scale.px(60))
        else:
            self.plot.setMinimumSize(scale.px(140), scale.px(60))
            self.plot.rescale(scale)
