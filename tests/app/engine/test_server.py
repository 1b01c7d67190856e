"""Promises of the socket that windows attach to, over a real socket."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.engine.server import MAX_BACKLOG, Server
from app.protocol import Message, decode, encode


class Window:
    """A plain client."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(10)
        self.socket.connect(str(path))
        self.lines = self.socket.makefile("rb")

    def read(self) -> Message:
        return decode(self.lines.readline())

    def close(self) -> None:
        self.lines.close()
        self.socket.close()


@pytest.fixture
def served(sessions: Path) -> Iterator[tuple[Server, Path, list[Message], threading.Event]]:
    orders: list[Message] = []
    ordered = threading.Event()

    def on_command(message: Message) -> None:
        orders.append(message)
        ordered.set()

    path = sessions / "engine.sock"
    server = Server(path, lambda: {"type": "hello"}, on_command)
    server.start()
    yield server, path, orders, ordered
    assert server.stop()


Served = tuple[Server, Path, list[Message], threading.Event]


def test_a_new_window_is_greeted_and_then_told_what_is_published(served: Served) -> None:
    server, path, _, _ = served
    window = Window(path)
    assert window.read() == {"type": "hello"}
    server.publish({"type": "notice", "sentence": "größer – µs"})
    assert window.read() == {"type": "notice", "sentence": "größer – µs"}
    window.close()


def test_a_window_may_attach_while_somebody_publishes_under_the_lock_that_the_hello_takes(sessions: Path) -> None:
    lock = threading.RLock()

    def hello() -> Message:
        with lock:
            return {"type": "hello"}

    server = Server(sessions / "engine.sock", hello, lambda order: None, lambda: lock)
    server.start()
    first = Window(sessions / "engine.sock")
    assert first.read() == {"type": "hello"}
    with lock:
        second = Window(sessions / "engine.sock")
        time.sleep(0.1)  # the server wants to greet it
        publishing = threading.Thread(target=server.publish, args=({"type": "notice"},), daemon=True)
        publishing.start()
        publishing.join(5)
        assert not publishing.is_alive()
    assert first.read() == {"type": "notice"}
    assert second.read() == {"type": "hello"}
    for window in (first, second):
        window.close()
    assert server.stop()


def test_a_command_arrives_whole_however_it_is_cut(served: Served) -> None:
    _, path, orders, ordered = served
    window = Window(path)
    for byte in encode({"op": "seek", "position_us": 12}):
        window.socket.sendall(bytes([byte]))
    assert ordered.wait(10)
    assert orders == [{"op": "seek", "position_us": 12}]
    window.close()


def test_garbage_from_a_window_does_no_harm(served: Served) -> None:
    server, path, orders, ordered = served
    window = Window(path)
    window.read()
    window.socket.sendall(b"\xff\xfe not json\n[1, 2]\n" + encode({"op": "play"}))
    assert ordered.wait(10)
    assert orders == [{"op": "play"}]
    server.publish({"type": "status"})
    assert window.read() == {"type": "status"}
    window.close()


def test_an_endless_line_cuts_the_window_off(served: Served) -> None:
    _, path, orders, _ = served
    window = Window(path)
    window.read()
    with pytest.raises(OSError):
        for _ in range(100):
            window.socket.sendall(b"x" * 65536)
    assert orders == []
    window.close()


def test_a_window_that_stops_reading_is_cut_off_and_costs_the_others_nothing(served: Served) -> None:
    server, path, _, _ = served
    hanging, reading = Window(path), Window(path)
    reading.read()
    message = {"type": "status", "padding": "x" * 65536}
    for _ in range(2 * MAX_BACKLOG // 65536):
        server.publish(message)
        assert reading.read() == message
    for _ in range(100):
        if server.windows == 1:
            break
        server.publish(message)
        reading.read()
    assert server.windows == 1
    hanging.close()
    reading.close()


def test_windows_may_come_and_go(served: Served) -> None:
    server, path, _, _ = served
    for _ in range(5):
        window = Window(path)
        assert window.read()["type"] == "hello"
        window.close()
    server.publish({"type": "status"})
