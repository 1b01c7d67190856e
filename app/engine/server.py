"""The engine's end of the socket that windows attach to.

One thread owns every client socket. Other threads only append encoded lines to bounded queues and wake it, so a window that hangs
costs the engine nothing: when its queue is full it is cut off, and may attach again.
"""

import contextlib
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from app.protocol import MAX_LINE, Message, decode, encode
from pipeline.errors import UserError

MAX_BACKLOG = 8 << 20
"""Bytes that may wait for one window before it is cut off (about a minute of decisions)."""


class _Client:
    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.incoming = b""
        self.outgoing: deque[bytes] = deque()
        self.waiting = 0
        self.hopeless = False
        """To be cut off at the next turn."""
        self.deaf = False
        """It has hung up its end; what it said before that is still to be read."""


class Server:
    """Serves `app.protocol` on a UNIX socket."""

    def __init__(
        self,
        path: Path,
        hello: Callable[[], Message],
        on_command: Callable[[Message], None],
        still: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext,
    ) -> None:
        """`hello` makes a new window's first message; `on_command` is called in the server's thread and must be quick.

        `still` gives the lock that `hello` takes and under which others publish, if there is one: it is always taken before the server's.
        """
        self._hello, self._still = hello, still
        self._on_command = on_command
        self._clients: dict[socket.socket, _Client] = {}
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listener.bind(str(path))
        except OSError as error:
            self._listener.close()
            raise UserError(f"The socket {path} cannot be made ({error.strerror}): set EGRET_SESSIONS to a writable folder.") from None
        self._listener.listen(8)
        self._listener.setblocking(False)
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, name="egret-server", daemon=True)

    def start(self) -> None:
        """Begin to accept windows."""
        self._thread.start()

    @property
    def windows(self) -> int:
        """Windows attached now."""
        return len(self._clients)

    def publish(self, message: Message) -> None:
        """Send `message` to every attached window; never waits. Any thread may call."""
        with self._lock:
            if not self._clients:
                return
            line = encode(message)
            for client in self._clients.values():
                self._append(client, line)
        self._wake()

    def stop(self, timeout: float = 2.0) -> bool:
        """Send what waits, close every connection; False if the thread did not end in time."""
        self._stopping = True
        self._wake()
        if self._thread.is_alive():
            self._thread.join(timeout)
        elif self._thread.ident is None:  # never started
            self._close()
        return not self._thread.is_alive()

    @staticmethod
    def _append(client: _Client, line: bytes) -> None:
        if client.deaf:
            return
        client.outgoing.append(line)
        client.waiting += len(line)
        client.hopeless |= client.waiting > MAX_BACKLOG

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it is awake already; closed: it has ended
            self._wake_in.send(b"w")

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake_out, selectors.EVENT_READ)
            while not self._stopping:
                for key, events in selector.select():
                    if key.fileobj is self._listener:
                        self._accept(selector)
                    elif key.fileobj is self._wake_out:
                        with contextlib.suppress(BlockingIOError):
                            self._wake_out.recv(4096)
                    elif events & selectors.EVENT_READ:
                        self._receive(selector, self._clients[key.fileobj])  # type: ignore[index]
                self._send_all(selector)
            for client in list(self._clients.values()):
                self._drop(selector, client)
        self._close()

    def _close(self) -> None:
        for end in (self._listener, self._wake_in, self._wake_out):
            end.close()

    def _accept(self, selector: selectors.BaseSelector) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        client = _Client(connection)
        with self._still(), self._lock:  # nothing may be published between the hello and the first message after it
            self._append(client, encode(self._hello()))
            self._clients[connection] = client
        selector.register(connection, selectors.EVENT_READ)

    def _receive(self, selector: selectors.BaseSelector, client: _Client) -> None:
        try:
            data = client.connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(selector, client)
            return
        *lines, client.incoming = (client.incoming + data).split(b"\n")
        if len(client.incoming) > MAX_LINE:
            client.hopeless = True
        for line in lines:
            try:
                message = decode(line)
            except ValueError:
                continue  # not one of ours; the next line may be
            self._on_command(message)

    def _send_all(self, selector: selectors.BaseSelector) -> None:
        for client in list(self._clients.values()):
            try:
                while client.outgoing and not client.hopeless:
                    with self._lock:
                        line = client.outgoing.popleft()
                    sent = client.connection.send(line)
                    with self._lock:
                        client.waiting -= sent
                        if sent < len(line):
                            client.outgoing.appendleft(line[sent:])
            except BlockingIOError:
                with self._lock:
                    client.outgoing.appendleft(line)
            except OSError:
                client.deaf = True
                client.outgoing.clear()
            if client.hopeless:
                self._drop(selector, client)
                continue
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.outgoing else 0)
            selector.modify(client.connection, wanted)

    def _drop(self, selector: selectors.BaseSelector, client: _Client) -> None:
        with self._lock:
            self._clients.pop(client.connection, None)
        with contextlib.suppress(KeyError, ValueError):
            selector.unregister(client.connection)
        client.connection.close()
