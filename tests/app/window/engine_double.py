"""An engine for window tests: the real protocol over a real UNIX socket, served from a thread, saying what a test tells it to."""

import contextlib
import queue
import socket
import threading
from pathlib import Path
from typing import Any

import numpy as np

from app.protocol import TICK_US, Message, decode, encode

LABELS = (
    "hand_clapping",
    "right_hand_wave",
    "left_hand_wave",
    "right_arm_clockwise",
    "right_arm_counter_clockwise",
    "left_arm_clockwise",
    "left_arm_counter_clockwise",
    "arm_roll",
    "air_drums",
    "air_guitar",
    "other_gestures",
)
FILTERS = {"background_us": 2000, "refractory_us": None, "hot_pixel": True, "polarity": "both", "region": None}


def source(folder: Path | None, *, live: bool = False, width: int = 32, height: int = 24, **fields: Any) -> Message:
    """A source message; with a folder, a surface file of zeros is made there for it."""
    surface = (folder or Path("/nowhere")) / f"surface.{width}x{height}"
    if folder is not None and not surface.exists():
        surface.write_bytes(bytes(4 * width * height))
    message = {"type": "source", "state": "live", "sentence": "", "spec": "file:wave.aedat4", "kind": "file", "title": "wave.aedat4"}
    message |= {"width": width, "height": height, "live": live, "duration_us": 5_000_000, "surface": str(surface)}
    return message | fields


def hello(source_message: Message | None = None, **fields: Any) -> Message:
    """The first message."""
    models = {
        "gesture": {"name": "gesture-1", "hash": "0123456789ab", "labels": list(LABELS)},
        "language": {"name": "language-1", "hash": "ba9876543210"},
    }
    message: Message = {"type": "hello", "version": "0.1.0", "pid": 1, "session": "1", "models": models, "source": source_message}
    message |= {"runtime": {"backend": "host", "badge": "HOST", "heartbeat": 0, "activity": [0.1, 0.05], "steps_per_s": 40.0}}
    message |= {"settings": {"filters": FILTERS, "threshold": 0.5, "min_events": 8.0}, "chat": [], "recording": None}
    return message | fields


def decision(t_us: int, label: str = "right_hand_wave", confidence: float = 0.9, **fields: Any) -> Message:
    """A decision whose scores favour `label`."""
    rest = (1.0 - confidence) / (len(LABELS) - 1)
    scores = [confidence if name == label else rest for name in LABELS]
    message: Message = {"type": "decision", "t_us": t_us, "label": label, "confidence": confidence, "accepted": True, "reason": ""}
    message |= {"latency_ms": {"queue": 0.2, "frame": 0.1, "chip": 0.8, "decision": 0.02, "total": 1.12}, "runtime": "host"}
    return message | {"events": 120, "scores": scores, "activity": [0.1, 0.05], "kept": 100} | fields


def status(now_us: int, **fields: Any) -> Message:
    """A status message of an engine that runs well."""
    message: Message = {"type": "status", "now_us": now_us, "rate": 12_500.0, "kept_rate": 9000.0, "lost": 0, "repaired": 0, "refused": 0}
    message |= {"skipped": 0, "position_us": now_us, "playing": True, "speed": 1.0, "loop": False}
    message |= {"latency": {"queue": {"p50": 0.2, "p95": 0.6}, "chip": {"p50": 0.8, "p95": 1.1}, "total": {"p50": 1.1, "p95": 1.9}}}
    message |= {"runtime": {"backend": "host", "badge": "HOST", "heartbeat": now_us // 25_000, "activity": [0.1], "steps_per_s": 40.0}}
    return message | {"recording": None, "chat": {"busy": False, "tokens_per_s": 0.0, "memory_age": 0}} | fields


def fire(folder: Path, width: int, height: int, t_us: int, xs: slice, ys: slice, polarity: int = 1) -> None:
    """Events at `t_us` in a rectangle of the surface file, written in place as the engine does."""
    words = np.memmap(folder / f"surface.{width}x{height}", "<u4", "r+", shape=(height, width))
    words[ys, xs] = (t_us // TICK_US) << 1 | polarity
    words.flush()


class EngineDouble:
    """Serves one window at a time in `folder`. `greeting` is sent to whoever attaches."""

    def __init__(self, folder: Path, greeting: Message | None = None) -> None:
        self.folder = folder
        self.greeting = greeting
        self.received: list[Message] = []
        self.left = threading.Event()
        """Set when a window has hung up."""
        self._client: socket.socket | None = None
        self._outgoing: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(folder / "engine.sock"))
        self._listener.listen(2)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._sender = threading.Thread(target=self._send, daemon=True)
        self._attached = threading.Event()
        self._thread.start()
        self._sender.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                if self.greeting is not None:
                    with contextlib.suppress(OSError):  # the window has hung up already
                        client.sendall(encode(self.greeting))
                self._client = client
                self._attached.set()
                self._read(client)
            self.left.set()

    def _read(self, client: socket.socket) -> None:
        rest = b""
        while True:
            try:
                data = client.recv(65536)
            except OSError:
                return
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            self.received += [decode(line) for line in lines]
            if self.ops("quit"):
                client.shutdown(socket.SHUT_RDWR)  # as the engine does when it ends
                return

    def send(self, *messages: Message) -> None:
        """Tell the window."""
        self.send_raw(b"".join(encode(message) for message in messages))

    def send_raw(self, data: bytes) -> None:
        """Tell it anything; does not wait, because the window reads in the test's own thread."""
        self._outgoing.put(data)

    def _send(self) -> None:
        while (data := self._outgoing.get()) is not None:
            self._attached.wait()
            if self._client is not None:
                with contextlib.suppress(OSError):  # the window has hung up
                    self._client.sendall(data)

    def ops(self, op: str) -> list[Message]:
        """Commands of one kind that came."""
        return [message for message in list(self.received) if message.get("op") == op]

    def close(self) -> None:
        """Vanish, as a killed engine does. A second call does nothing."""
        if not self._thread.is_alive():
            return
        with contextlib.suppress(OSError):  # the window was first
            if self._client is not None:
                self._client.shutdown(socket.SHUT_RDWR)
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        (self.folder / "engine.sock").unlink(missing_ok=True)
        self._outgoing.put(None)
        self._attached.set()
        self._thread.join(5)
        self._sender.join(5)
