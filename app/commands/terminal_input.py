"""Where the lines of a chat come from, and what Ctrl-C does there.

Python carries a signal out between two instructions of the main thread, wherever that stands just then. So Ctrl-C raises where a line is
awaited and nowhere else; while a line is carried out it asks the chat's thread to stop, as often as it is pressed, and the conversation
goes on with the next line. From a script, where nobody sees what was stopped, the next line may be one of thousands that are there already:
Ctrl-C stops what waits too, so the program ends then.
"""

import contextlib
import io
import select
import signal
import sys
from collections.abc import Callable, Iterator

from app.engine.wishes import MAX_PROMPT

LONGEST = 2 * MAX_PROMPT
"""Characters of a line from a script that are taken; no prompt is as long, and a file without an end has no line's end either."""


class Input:
    """Lines from stdin; a context manager, in which Ctrl-C is what the module's text says."""

    def __init__(self, interactive: bool, stop: Callable[[], None]) -> None:
        """`interactive`: somebody types, and is shown where. `stop` gives up what is being carried out, wherever the program stands."""
        self._interactive, self._stop = interactive, stop
        self._awaits = self._ends = False
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(errors="replace")  # bytes that are no text are a prompt too
        if interactive:
            with contextlib.suppress(ImportError):  # a Python without it has lines without history
                import readline  # noqa: F401

    def __enter__(self) -> "Input":
        self._previous = signal.signal(signal.SIGINT, lambda *_: self._interrupted())
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._previous)

    def lines(self) -> Iterator[str]:
        """What is typed, without empty lines. KeyboardInterrupt for a Ctrl-C that ends."""
        while (line := self._line()) is not None:
            if line.strip():
                yield line.strip()

    def _interrupted(self) -> None:
        if self._awaits:
            self._awaits = False
            raise KeyboardInterrupt
        self._ends = self._ends or (not sys.stdin.isatty() and _waits())
        self._stop()

    def _line(self) -> str | None:
        """The next line, an empty one where Ctrl-C dropped it; None at the end."""
        if self._ends:
            raise KeyboardInterrupt
        try:
            self._awaits = True
            try:
                return input("> ") if self._interactive else _read()
            finally:
                self._awaits = False  # a Ctrl-C that comes before this is done is one while the line was awaited
        except EOFError:
            print()
            return None
        except KeyboardInterrupt:
            if not self._interactive:
                raise
            print()
            return ""


def _read() -> str | None:
    """A line of a script, cut to `LONGEST`; None at the end."""
    line = rest = sys.stdin.readline(LONGEST)
    while rest and not rest.endswith("\n"):
        rest = sys.stdin.readline(LONGEST)
    return line or None


def _waits() -> bool:
    """Whether more of the input is there, or its end: nobody sends it line by line, as answers come."""
    with contextlib.suppress(OSError, ValueError):  # it cannot be asked
        return bool(select.select([sys.stdin], [], [], 0)[0])
    return False
