"""A chip in a process of its own: started, asked with a time limit, and left for good the moment it fails.

Nothing here knows what a network is: `ChipProcess.send` and `collect` are one exchange over the link (board/link.py). Whatever goes wrong,
silence that somebody has had enough of (`overdue`), an end of the process, an answer that is none, raises `Lost` with the reason in words,
kills the process, and thereby wakes whoever else waits for it; asking a lost chip again raises the same reason.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from models.chip.board import link
from models.chip.board.link import Channel, Kind, LinkError, Span, Write
from pipeline.errors import FAILED, UserError
from pipeline.processes import how_it_ended

ROOT = Path(__file__).resolve().parents[2]
STARTING_S = 120.0
"""A cold disk, a plan for a hundred PEs to be loaded, on a busy machine."""
KILL_S = 2.0
ENDED_S = 0.005
"""A process that has closed its sockets takes this long to be gone at most, or nobody waits to learn why."""


class Lost(Exception):
    """The chip cannot be asked any more. The text ends a sentence that begins with the chip's name."""


@dataclass(frozen=True, slots=True)
class Power:
    """What a chip measured of a run."""

    joules: float = 0.0
    seconds: float = 0.0
    sentence: str = ""
    """Why it is not known, where it is not."""

    @classmethod
    def of(cls, message: dict[str, Any]) -> "Power":
        """LinkError where `message` is none."""
        if sentence := message.get("sentence"):
            return cls(sentence=str(sentence)[:300])
        values = message.get("joules"), message.get("seconds")
        if not all(isinstance(value, (int, float)) and 0 <= value < 1e9 for value in values):
            raise LinkError("a measurement without joules and seconds")
        return cls(*values)  # type: ignore[arg-type]


class ChipProcess:
    """A worker with one link a network. UserError, with the worker's own sentence, where it cannot start.

    `name` begins sentences; `arguments` follow the interpreter, and after them come the numbers of the sockets; `path` is a folder where
    the interpreter looks for packages besides. `told` is called once, in the thread that found out, when the chip is lost.
    """

    def __init__(
        self, name: str, python: str, arguments: Sequence[str], networks: int, *, path: str = "", starting_s: float = STARTING_S
    ) -> None:
        self.name = name
        self.told: Callable[[Lost], None] = lambda lost: None
        self.lost: Lost | None = None
        self._lock = threading.Lock()
        pairs = [socket.socketpair() for _ in range(networks)]
        self._channels = [Channel(ours) for ours, _ in pairs]
        self._words = [0] * networks
        self._numbers = [0] * networks
        self.power: dict[int, Power] = {}
        """What the chip measured in the last run of a network, by the network's index."""
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the finalizer
        theirs = [end.fileno() for _, end in pairs]
        search = [path, str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(str(Path(entry).resolve()) for entry in search if entry))
        folder = tempfile.mkdtemp(prefix="egret-worker-")
        try:
            self._process = subprocess.Popen(
                [str(Path(python).absolute()) if os.sep in python else python, "-P", *arguments, *map(str, theirs)],
                cwd=folder,  # a board's package leaves files where it runs
                stdin=subprocess.DEVNULL,
                stdout=self._errors,
                stderr=self._errors,
                pass_fds=theirs,
                env=environment,
                start_new_session=True,  # Ctrl-C in the terminal is for us; the worker ends when its sockets do
            )
        finally:
            for _, end in pairs:
                end.close()
        self._finalizer = weakref.finalize(self, _end, self._process, self._channels, self._errors, folder)
        self.hello = self._hello(starting_s)

    @property
    def pid(self) -> int:
        """The worker's process number."""
        return self._process.pid

    def _hello(self, starting_s: float) -> dict[str, Any]:
        try:
            kind, body = self._channels[0].receive(starting_s)
            message = link.decode_text(body) if kind in (Kind.HELLO, Kind.FAILURE) else {}
        except (OSError, EOFError, LinkError) as error:
            raise self._cannot_start(self._why(error, starting_s)) from None
        if kind == Kind.HELLO:
            return message
        sentence = message.get("sentence")
        self.close()
        if kind == Kind.FAILURE and isinstance(sentence, str):
            raise UserError(sentence, FAILED)
        raise self._cannot_start("sent something that makes no sense")

    def _cannot_start(self, why: str) -> UserError:
        self.close()
        return UserError(f"{self.name} {why} while it was started; use --runtime host.", FAILED)

    def load(self, network: int, reads: Sequence[Span], words: int, timeout: float = STARTING_S) -> None:
        """Tell what is to be read back after every run of `network`: `words` words in all. Lost where the worker does not take it."""
        self._words[network] = words
        with self._blamed(timeout):
            self._channels[network].send(Kind.LOAD, link.encode_load(network, reads), timeout=timeout)
            self._receive(network, Kind.READY, timeout)

    def send(self, network: int, ticks: int, reset: bool, writes: Sequence[Write], timeout: float) -> None:
        """Ask for a run of `network`, whose answer is to be collected before the next; by one thread at a time. Lost where the worker
        does not take it within `timeout` s."""
        if self.lost:
            raise self.lost
        self._numbers[network] = number = (self._numbers[network] + 1) % (1 << 32)
        with self._blamed(timeout):
            self._channels[network].send(Kind.RUN, link.encode_run(number, ticks, reset, writes), timeout=timeout)

    def collect(self, network: int, timeout: float) -> bytes | None:
        """The words read after the run that was asked for; None where they are not there within `timeout` s, to be collected another time.
        Lost where they will not come, or are none."""
        if self.lost:
            raise self.lost
        with self._blamed(timeout):
            try:
                body = self._receive(network, Kind.RAN, timeout)
            except TimeoutError:
                return None
            return link.decode_ran(body, self._numbers[network], self._words[network])

    def overdue(self, limit_s: float) -> Lost:
        """Leave the chip because it owes an answer for `limit_s` s; the reason that counts."""
        return self.lose(Lost(_silent(limit_s)))

    def _receive(self, network: int, due: Kind, timeout: float) -> bytes:
        kind, body = self._channels[network].receive(timeout)
        if kind == Kind.POWER:
            self.power[network] = Power.of(link.decode_text(body))
            kind, body = self._channels[network].receive(timeout)
        if kind == Kind.FAILURE:
            raise Lost(_reason(link.decode_text(body)))
        if kind != due:
            raise LinkError(f"a frame {kind.name} where {due.name} was due")
        return body

    @contextlib.contextmanager
    def _blamed(self, timeout: float) -> Any:
        """Whatever fails inside loses the chip."""
        try:
            yield
        except Lost as lost:
            raise self.lose(lost) from None
        except (OSError, EOFError, LinkError) as error:
            raise self.lose(Lost(self._why(error, timeout))) from None

    def _why(self, error: BaseException, timeout: float) -> str:
        match error:
            case TimeoutError():
                return _silent(timeout)
            case LinkError():
                return f"sent something that makes no sense ({error})"
        return how_it_ended(self._process, self._errors, min(KILL_S, max(timeout / 4, ENDED_S)))  # whoever asks has no more time than that

    def lose(self, lost: Lost, tell: bool = True) -> Lost:
        """Leave the chip for this reason; the reason that counts, which is the first."""
        with self._lock:
            first = self.lost is None
            self.lost = self.lost or lost
        if first:
            self._process.kill()  # which also wakes whoever waits for it in another thread
            if tell:
                self.told(self.lost)
        return self.lost

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self.lost = self.lost or Lost("was closed")
        self._finalizer()


def _silent(seconds: float) -> str:
    return f"did not answer within {seconds:g} s" if seconds >= 1 else f"did not answer within {seconds * 1e3:.0f} ms"


def _reason(message: dict[str, Any]) -> str:
    sentence = message.get("sentence")
    return f"gave up: {str(sentence)[:300]}" if sentence else "gave up"


def _end(process: subprocess.Popen[bytes], channels: list[Channel], errors: IO[bytes], folder: str) -> None:
    """One that hangs in the kernel cannot be waited for; it ends when the kernel lets go."""
    process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(KILL_S)
    for channel in channels:
        channel.close()
    errors.close()
    shutil.rmtree(folder, ignore_errors=True)
