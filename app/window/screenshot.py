"""A picture of the window for a file, taken once there is something in it."""

import time
from pathlib import Path

from PySide6.QtCore import QObject, QTimer

from app.window.mainwindow import MainWindow

PATIENCE_S = 30.0
"""The first events are waited for at most this long (s)."""
LOOK_MS = 50


class Screenshot(QObject):
    """Saves a picture of `window` to `path` and closes the window.

    It is taken `after` seconds (s) after the first events were painted; where none are painted, after the source failed, the engine was
    found gone, or PATIENCE_S passed.
    """

    def __init__(self, window: MainWindow, path: Path, after: float) -> None:
        super().__init__(window)
        self.saved: bool | None = None
        """Whether it could be written; None before it was tried."""
        self._window, self._path, self._after_s = window, path, max(after, 0.0)
        self._deadline_s = time.monotonic() + PATIENCE_S
        self._look = QTimer(self)
        self._look.setInterval(LOOK_MS)
        self._look.timeout.connect(self._wait)
        self._look.start()

    def _wait(self) -> None:
        window = self._window
        hopeless = window.state.gone or (window.state.source is not None and window.state.source.state == "failed")
        if window.events.view.events_painted or hopeless or time.monotonic() > self._deadline_s:
            self._look.stop()
            QTimer.singleShot(round(self._after_s * 1e3), self, self._take)

    def _take(self) -> None:
        self.saved = self._window.grab().save(str(self._path))
        self._window.leave()
