"""The engine's side of a source: starts its process, watches it, and replaces it when it crashes or stops answering.

There is no thread here. All work happens inside `SupervisedSource.read`, in the thread that calls it: taking messages, sending commands,
noticing silence, starting the next worker. `command` and `close` may be called from any thread; they leave their wish and wake `read` up.

Silence counts only while `read` waits with nothing to take: a worker that is held back because the engine does not read is not hung.
"""

import contextlib
import dataclasses
import json
import math
import os
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from pathlib import Path
from typing import IO, Any

from pipeline.errors import FAILED
from pipeline.events import Packet, SourceInfo
from pipeline.processes import how_it_ended
from pipeline.sources.base import Item, Notice, Options, check_speed
from pipeline.sources.link import Command, Connection, Heartbeat, LinkError, Message
from pipeline.sources.spec import Spec, parse_spec

__all__ = ["Notice", "Spec", "SupervisedSource", "parse_spec"]

SILENCE_S = 5.0
"""A worker that says nothing for this long, not even a heartbeat, is hung."""
STARTING_S = 60.0
"""The first sign of life may take longer: a cold disk, compiled code to be built."""
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)
HEALTHY_S = 10.0
"""A worker that lived this long has earned a quick replacement."""
KILL_S = 2.0
_ROOT = Path(__file__).resolve().parents[2]


class SupervisedSource:
    """A source in a process of its own. `spec` as in `parse_spec` (UserError); `speed` 0 means as fast as it is read."""

    def __init__(self, spec: str, *, speed: float = 1.0, loop: bool = False, start_paused: bool = False) -> None:
        self.spec = parse_spec(spec)
        self._next = Options(speed=check_speed(speed), loop=loop, paused=start_paused)
        self._info: SourceInfo | None = None
        self._items: deque[Item] = deque()
        self._commands: deque[Command] = deque()
        self._worker: _Worker | None = None
        self._start_at = math.inf
        self._failures = 0
        self._crashed_at: int | None = None
        self._over = False
        self._closing = False
        self._reading = threading.Lock()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)

    def start(self) -> None:
        """Start the source process. `read` tells how it goes."""
        self._items.append(Notice("info", "starting", f"Opening {self.spec.text}."))
        self._start_at = time.monotonic()

    def read(self, timeout: float) -> Item | None:
        """The next thing the source has to tell, in order; None if there is nothing within `timeout` seconds, or after `close`."""
        deadline = time.monotonic() + timeout
        with self._reading:
            while not self._closing:
                if self._items:
                    return self._items.popleft()
                self._turn(deadline)
                if not self._items and time.monotonic() >= deadline:
                    return None
            return None

    def command(self, op: str, **arguments: Any) -> None:
        """Pass on a command of the transport (`Source.command`)."""
        self._commands.append(Command(op, arguments))
        self._wake()

    def close(self, timeout: float = 2.0) -> bool:
        """End the source. False if its process had to be killed because it did not end within `timeout` seconds."""
        self._closing = True
        self._wake()
        with self._reading:
            worker, self._worker = self._worker, None
            self._wake_in.close()
            self._wake_out.close()
            return worker is None or worker.end(timeout)

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # full: it will wake up anyway; closed: nobody waits any more
            self._wake_in.send(b"\0")

    def _turn(self, deadline: float) -> None:
        """One wait, and what came of it."""
        now = time.monotonic()
        if self._worker is None and now >= self._start_at:
            self._spawn()
        worker = self._worker
        if worker is None:
            self._select(None, min(deadline, self._start_at) - now)
            return
        self._pass_commands(worker)
        limit = SILENCE_S if worker.alive else STARTING_S
        seconds = max(0.0, min(deadline - now, limit - worker.silence))
        try:
            worker.connection.flush()
            if self._select(worker, seconds):
                self._take(worker)
                return
            # not by the clock: this process may have been stopped, or busy elsewhere, and the worker with it
            worker.silence += min(time.monotonic() - now, seconds)
            if worker.silence >= limit:
                self._replace(worker, "stopped answering")
        except EOFError:
            self._replace(worker, worker.how_it_ended())
        except LinkError:
            self._replace(worker, "sent something that makes no sense")

    def _select(self, worker: "_Worker | None", seconds: float) -> bool:
        """Wait for the worker, or to be woken up; whether the worker has sent something."""
        wake = self._wake_out.fileno()
        link = [worker.connection.fileno()] if worker else []
        writing = link if worker and worker.connection.sending else []
        ready, _, _ = select.select([wake, *link], writing, [], max(0.0, min(seconds, 3600.0)))
        if wake in ready:
            with contextlib.suppress(BlockingIOError):
                self._wake_out.recv(4096)
        return any(descriptor in ready for descriptor in link)

    def _take(self, worker: "_Worker") -> None:
        """What the worker has sent, up to a packet: the engine takes it before more memory is used."""
        worker.silence = 0.0
        while (message := worker.connection.receive()) is not None:
            worker.alive = True
            self._note(message)
            if isinstance(message, Packet):
                return

    def _note(self, message: Message) -> None:
        match message:
            case Packet(status=status):
                self._next = dataclasses.replace(
                    self._next, position_us=status.position_us, not_before_us=status.until_us, sequence=status.sequence + 1
                )
            case SourceInfo():
                if message == self._info:
                    return
                self._info = message
            case Notice(state=state):
                self._over = state in ("ended", "failed")
            case Heartbeat() | Command():
                return
        self._items.append(message)

    def _pass_commands(self, worker: "_Worker") -> None:
        while self._commands:
            command = self._commands.popleft()
            worker.connection.queue(command)
            match command:
                case Command("play"):
                    self._next = dataclasses.replace(self._next, paused=False)
                case Command("pause" | "step"):
                    self._next = dataclasses.replace(self._next, paused=True)
                case Command("speed", {"value": int(value) | float(value)}):
                    self._next = dataclasses.replace(self._next, speed=float(value))
                case Command("loop", {"value": bool(value)}):
                    self._next = dataclasses.replace(self._next, loop=value)

    def _spawn(self) -> None:
        self._start_at = math.inf
        self._worker = _Worker(self.spec, self._next)

    def _replace(self, worker: "_Worker", what: str) -> None:
        """The worker is lost: say so, and start another unless that is of no use."""
        self._worker = None
        worker.kill()
        if self._over:
            return
        if time.monotonic() - worker.started_at > HEALTHY_S:
            self._failures = 0
        position = self._next.position_us
        again = not self.spec.live and self._failures > 0 and position == self._crashed_at
        if again or (not worker.alive and self._failures >= 2):
            self._over = True
            self._items.append(
                Notice("error", "failed", f"{self.spec.text}: the source process {what}, again and again; it is given up.", FAILED)
            )
            return
        self._crashed_at = position
        delay = BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)]
        self._failures += 1
        self._start_at = time.monotonic() + delay
        self._items.append(Notice("warning", "waiting", f"{self.spec.text}: the source process {what} and is started again."))


class _Worker:
    """One source process, and the engine's end of the link to it."""

    def __init__(self, spec: Spec, options: Options) -> None:
        ours, theirs = socket.socketpair()
        self.connection = Connection(ours, spec.text)
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `_closed`
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")])))
        command = [sys.executable, "-P", "-m", "pipeline.sources.worker", spec.text, str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                [*command, json.dumps(dataclasses.asdict(options))],
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                pass_fds=[theirs.fileno()],
                env=environment,
            )
        self.started_at = time.monotonic()
        self.silence = 0.0
        """Seconds that its engine has waited for it since it last said something."""
        self.alive = False
        """It has said something: it could be started."""

    def how_it_ended(self) -> str:
        """Why it closed the link, as the end of a sentence that begins with its name."""
        return how_it_ended(self._process, self._errors, KILL_S)

    def kill(self) -> None:
        """End it at once. One that hangs in the kernel (a USB transfer) cannot be waited for; it ends when the kernel lets go."""
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(KILL_S)
        self._closed()

    def end(self, timeout: float) -> bool:
        """Ask it to end by closing the link, wait, else kill it; whether it ended by itself (it need not if it holds nothing yet)."""
        if not self.alive:
            self.kill()
            return True
        self.connection.close()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        self._closed()
        return True

    def _closed(self) -> None:
        self.connection.close()
        self._errors.close()
