"""The window at a booth: what changes when visitors are alone with it.

Panels take away what could break a demonstration (`Panel.lock`); this module watches the visitors: the mouse pointer disappears while it
rests, and what one visitor wrote is gone before the next one comes. It listens to the window's own surface, which gets every key and
mouse event exactly once, whichever widget they are for; an event filter on the whole application would see each of its timers and paints.
"""

from typing import ClassVar

from PySide6.QtCore import QEvent, QObject, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QMouseEvent
from PySide6.QtWidgets import QWidget

POINTER_MS = 3_000
"""A pointer that rests this long is hidden."""
FORGET_MS = 120_000
"""Without a key or a move of the mouse for this long the visitor has gone."""
RESTART_MS = 3_000
"""An engine that has gone is started again after this."""
ZOOM = 1.3
"""Type is so much larger than in a window of the same size (read from two metres)."""
LEAVE = "Ctrl+Shift+Q"
"""The only way out."""
ACTIONS = frozenset({"chat.focus_prompt", "chat.send", "chat.stop", "chat.clear_memory"})
"""What keys may do here."""


class Visitors(QObject):
    """Watches keys and mouse over `window`, which must be shown. Hides the pointer; emits `left` when nobody has been there."""

    left = Signal()

    WAKING: ClassVar[frozenset[QEvent.Type]] = frozenset(
        {QEvent.Type.KeyPress, QEvent.Type.MouseButtonPress, QEvent.Type.Wheel, QEvent.Type.TouchBegin, QEvent.Type.TouchUpdate}
    )

    def __init__(self, window: QWidget, *, pointer_ms: int = POINTER_MS, forget_ms: int = FORGET_MS) -> None:
        super().__init__(window)
        self.pointer_hidden = False
        """Whether the mouse pointer is hidden."""
        self._at = QPointF(-1, -1)
        self._pointer, self._forget = QTimer(self), QTimer(self)
        for timer, limit_ms, action in ((self._pointer, pointer_ms, self._hide_pointer), (self._forget, forget_ms, self.left.emit)):
            timer.setSingleShot(True)
            timer.setInterval(limit_ms)
            timer.timeout.connect(action)
            timer.start()
        self._surface = window.windowHandle()
        self._surface.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Somebody is there; nothing is kept from the window."""
        if event.type() == QEvent.Type.MouseMove and isinstance(event, QMouseEvent):
            if event.globalPosition() != self._at:  # some window systems repeat themselves
                self._at = event.globalPosition()
                self._show_pointer()
                self._forget.start()
        elif event.type() in self.WAKING:
            self._forget.start()
        return False

    def stop(self) -> None:
        """Watch no longer; the pointer is there again."""
        self._surface.removeEventFilter(self)
        self._show_pointer()
        self._pointer.stop()
        self._forget.stop()

    def _hide_pointer(self) -> None:
        self.pointer_hidden = True
        QGuiApplication.setOverrideCursor(Qt.CursorShape.BlankCursor)

    def _show_pointer(self) -> None:
        if self.pointer_hidden:
            self.pointer_hidden = False
            QGuiApplication.restoreOverrideCursor()
        self._pointer.start()
