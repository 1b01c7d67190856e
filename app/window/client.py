"""The line to the engine: JSON lines over its UNIX socket, in Qt's event loop, without threads.

Reading never blocks the window and writing never blocks on the engine: what it does not take waits in Qt's buffer, and once too much
waits there (the engine hangs), messages that are only for statistics are dropped. When the line breaks the client says why and tries again
every second; the window stays usable and attaches to a new engine in the same folder by itself.
"""

from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal, Slot
from PySide6.QtNetwork import QLocalSocket

from app.protocol import MAX_LINE, Message, decode, encode
from app.window.texts import tr

SOCKET_NAME = "engine.sock"
RETRY_MS = 1000
EAGER_MS = 50
PATIENCE_MS = 8000
"""At first the engine may still be starting: for this long it is tried more often, and not called gone."""
BACKLOG_BYTES = 64 * 1024
"""More unsent bytes than this: the engine is not listening, optional messages are dropped."""


class EngineClient(QObject):
    """Signals `received` for every message, `connected`, and `gone` with a sentence when there is no engine."""

    received = Signal(dict)
    connected = Signal()
    gone = Signal(str)

    def __init__(self, session: Path, parent: QObject | None = None, patience_ms: int = PATIENCE_MS) -> None:
        super().__init__(parent)
        self._eager_tries = patience_ms // EAGER_MS
        self._path = session / SOCKET_NAME
        self._rest = b""
        self._closing = False
        self._why = ""
        self.garbage = 0
        """Lines that were not a JSON object."""
        self._socket = QLocalSocket(self)
        self._socket.connected.connect(self._on_connected)
        self._socket.readyRead.connect(self._on_ready)
        self._socket.disconnected.connect(self._on_disconnected)
        self._socket.errorOccurred.connect(self._on_error)
        self._retry = QTimer(self)
        self._retry.setSingleShot(True)
        self._retry.timeout.connect(self.connect_now)

    @property
    def is_connected(self) -> bool:
        """Whether there is a line to the engine."""
        return self._socket.state() == QLocalSocket.LocalSocketState.ConnectedState

    @Slot()
    def connect_now(self) -> None:
        """Try to reach the engine at once."""
        self._retry.stop()
        if not self._closing and self._socket.state() == QLocalSocket.LocalSocketState.UnconnectedState:
            self._rest = b""
            self._socket.connectToServer(str(self._path))

    def attach(self, session: Path, patience_ms: int = PATIENCE_MS) -> None:
        """Turn to the engine in another folder, which may still be starting for `patience_ms`."""
        self._closing = True  # what the old line says now is of no interest
        self._socket.abort()
        self._closing = False
        self._path, self._why = session / SOCKET_NAME, ""
        self._eager_tries = patience_ms // EAGER_MS
        self.connect_now()

    def send(self, message: Message, optional: bool = False) -> bool:
        """Send a command; False if there is no engine, or if it does not listen and the message is `optional`."""
        if not self.is_connected or (optional and self._socket.bytesToWrite() > BACKLOG_BYTES):
            return False
        return self._socket.write(encode(message)) >= 0

    def close(self, farewell: Message | None = None, limit_ms: int = 1000) -> None:
        """Close for good. After a `farewell` that makes the engine hang up, wait until it did: what a peer sends to a closed socket fails,
        and an engine that fails to send may drop the window before it has read the farewell."""
        self._closing = True
        self._retry.stop()
        if farewell is not None and self.send(farewell):
            self._socket.flush()
            self._socket.waitForDisconnected(limit_ms)
        self._socket.abort()

    def _on_connected(self) -> None:
        self._eager_tries = 0
        self._why = tr("The engine has gone.")
        self.connected.emit()

    def _on_disconnected(self) -> None:
        self._lost(self._why)

    def _on_error(self, error: QLocalSocket.LocalSocketError) -> None:
        if error == QLocalSocket.LocalSocketError.PeerClosedError:
            return  # `disconnected` follows
        missing = error == QLocalSocket.LocalSocketError.ServerNotFoundError
        self._lost(tr("There is no engine to show.") if missing else tr("The engine cannot be reached."))

    def _lost(self, sentence: str) -> None:
        if self._closing:
            return
        if self._eager_tries > 0:
            self._eager_tries -= 1
            self._retry.start(EAGER_MS)
        else:
            self.gone.emit(sentence)
            self._retry.start(RETRY_MS)

    def _on_ready(self) -> None:
        if self._closing:
            return
        data = self._rest + self._socket.readAll().data()
        *lines, self._rest = data.split(b"\n")
        if len(self._rest) > MAX_LINE or any(len(line) > MAX_LINE for line in lines):
            self._why = tr("What answers at the engine's socket is not an engine.")
            self._socket.abort()
            return
        for line in lines:
            try:
                message = decode(line)
            except ValueError:
                self.garbage += 1
                continue
            self.received.emit(message)
