"""The source process: ``python -m pipeline.sources.worker SPEC DESCRIPTOR OPTIONS_JSON``.

One thread does everything: it waits until the source has something or a command has come, and hands on what there is. Because the same
loop sends the heartbeat, a heartbeat proves that events could flow. dv-processing holds Python's lock in every call and may never
return from one; then the heartbeat stops, and the engine's supervisor kills this process. If the engine itself is gone at that time,
`faulthandler`'s watchdog, which needs no lock, ends the process.
"""

import contextlib
import faulthandler
import json
import math
import select
import signal
import socket
import sys
import time

from pipeline.errors import UserError
from pipeline.events import Packet
from pipeline.sources.base import Item, Notice, Options, Source
from pipeline.sources.link import Command, Connection, Heartbeat, Message, split
from pipeline.sources.spec import Spec, parse_spec

HEARTBEAT_S = 0.5
STUCK_S = 60
"""Without a turn of the loop for this long the process ends itself."""


class Worker:
    """Drives one source and talks to the engine."""

    def __init__(self, source: Source, connection: Connection) -> None:
        self._source = source
        self._connection = connection
        self._beat_at = self._alive_at = 0.0
        self._state: Notice | None = None

    def run(self) -> None:
        """Until the engine closes the link (EOFError) or the source fails for good."""
        try:
            self._source.open()
            while True:
                self._wait(self._source.due())
                self._obey()
                if (item := self._source.read()) is not None:
                    self._send(item)
        except UserError as error:
            self._send(Notice("error", "failed", str(error), error.exit_code))
        finally:
            self._source.close()

    def _wait(self, seconds: float) -> None:
        """Until `seconds` have passed, the source's descriptor or a command is there; the heartbeat goes on."""
        end = time.monotonic() + seconds if math.isfinite(seconds) else math.inf
        descriptors = [self._connection.fileno()]
        if (own := self._source.fileno()) is not None:
            descriptors.append(own)
        while True:
            self._beat()
            left = end - time.monotonic()
            if select.select(descriptors, [], [], max(0.0, min(left, HEARTBEAT_S)))[0] or left <= HEARTBEAT_S:
                return

    def _obey(self) -> None:
        """Carry out the commands that have come."""
        while (message := self._connection.receive()) is not None:
            if not isinstance(message, Command):
                continue
            try:
                self._source.command(message.op, message.arguments)
            except UserError as error:
                state = self._state.state if self._state else "starting"
                self._send(Notice("warning", state, str(error)))

    def _send(self, item: Item) -> None:
        if isinstance(item, Notice):
            self._state = item
        for part in split(item) if isinstance(item, Packet) else (item,):
            self._transmit(part)
        self._beat_at = time.monotonic() + HEARTBEAT_S

    def _transmit(self, message: Message) -> None:
        """Send, and wait as long as the engine takes: that is how it holds back a source that would be too fast."""
        self._connection.queue(message)
        self._connection.flush()
        while self._connection.sending:
            select.select([], [self._connection], [], HEARTBEAT_S)
            _still_alive()
            self._connection.flush()

    def _beat(self) -> None:
        """Tell the watchdog and, if nothing else has been said for a while, the engine that this loop still turns."""
        now = time.monotonic()
        if now >= self._alive_at:
            _still_alive()
            self._alive_at = now + HEARTBEAT_S
        if now >= self._beat_at:
            self._transmit(Heartbeat())
            self._beat_at = now + HEARTBEAT_S


def _still_alive() -> None:
    faulthandler.dump_traceback_later(STUCK_S, exit=True)


def make_source(spec: Spec, options: Options) -> Source:
    """The source that `spec` names; each kind is imported only where it runs."""
    match spec.kind:
        case "file":
            from pipeline.sources.recording import RecordingSource

            return RecordingSource(spec.text, spec.path, options)
        case "tcp" | "unix":
            from pipeline.sources.network import NetworkSource

            return NetworkSource(spec, options)
        case "camera":
            from pipeline.sources.camera import CameraSource, dv_cameras

            return CameraSource(spec.text, spec.serial, options, dv_cameras())
        case "simulated":
            from pipeline.sources.simulated import SimulatedSource

            return SimulatedSource(spec.text, spec.seed, spec.gesture, options)


def main(arguments: list[str]) -> int:
    """Run the source `arguments` names; the engine's socket is an inherited descriptor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the engine's: it ends us when it is done
    _still_alive()
    text, descriptor, options = arguments
    connection = Connection(socket.socket(fileno=int(descriptor)), text)
    with contextlib.suppress(EOFError), contextlib.closing(connection):  # EOFError: the engine is gone or has had enough
        Worker(make_source(parse_spec(text), Options(**json.loads(options))), connection).run()
    faulthandler.cancel_dump_traceback_later()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
