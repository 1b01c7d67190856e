"""What the window may do about its engine: see that it ended, and start it again.

The window does not know how an engine is started; whoever opens the window (app/commands/gui.py) does and hands in an `EngineKeeper`.
The connection tells at once when an engine goes (client.py). What it cannot tell is an engine that ended before it was ever reached, bad
weights for instance: that is asked for twice a second. Reached means that it has spoken: its socket is there while it still loads, and a
connection to that may break with nothing said. The first such engine closes the window, so that the command line can print the
engine's own sentence; after a restart the sentence is shown and the button stays, because a way back without a restart of the program is
the point (DESIGN.md section 3).
"""

from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QObject, QTimer, Signal, Slot

POLL_MS = 500


class EngineKeeper(Protocol):
    """Starts engines, and knows how the newest one is."""

    @property
    def owned(self) -> bool:
        """Whether the newest engine was started here, and shall end with the window."""
        ...

    def ended(self) -> bool:
        """Whether an engine that was started here has ended."""
        ...

    def sentence(self) -> str:
        """What it said last; empty if nothing."""
        ...

    def restart(self) -> Path:
        """Put an end to what is left of the engine, start a new one, and name its session's folder. UserError if that cannot be done."""
        ...


class EngineWatch(QObject):
    """Polls `keeper` until the engine is reached; emits `stillborn` once if it ended before."""

    stillborn = Signal(str, bool)
    """The engine's sentence, and whether this was the first engine of the window."""

    def __init__(self, keeper: EngineKeeper, parent: QObject) -> None:
        super().__init__(parent)
        self.keeper = keeper
        self._first = True
        self._poll = QTimer(self)
        self._poll.setInterval(POLL_MS)
        self._poll.timeout.connect(self._look)
        self._poll.start()

    @Slot()
    def reached(self) -> None:
        """The engine has spoken: from here on the connection tells."""
        self._poll.stop()
        self._first = False

    def restart(self) -> Path:
        """Start a new engine and watch it; its session's folder."""
        self._first = False
        folder = self.keeper.restart()
        self._poll.start()
        return folder

    def stop(self) -> None:
        """Look no longer."""
        self._poll.stop()

    def _look(self) -> None:
        if self.keeper.ended():
            self._poll.stop()
            self.stillborn.emit(self.keeper.sentence(), self._first)
