"""A program in a terminal of its own: what a person types, and what is shown."""

import os
import pty
import select
import signal
import sys
from types import TracebackType

from commandline import environment

CTRL_C, CTRL_D = b"\x03", b"\x04"


class Screen:
    """`egret chat` with `arguments` in a pseudoterminal. A context manager."""

    def __init__(self, *arguments: str) -> None:
        self.shown = b""
        """What has come and was not waited for yet."""
        self.child, self._screen = pty.fork()
        if self.child == 0:
            os.execve(sys.executable, [sys.executable, "-m", "app.cli", "chat", *arguments], environment(TERM="dumb"))

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            os.kill(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)
        os.close(self._screen)

    def type(self, keys: bytes) -> None:
        os.write(self._screen, keys)

    def until(self, text: bytes, patience: float = 60) -> bytes:
        """What is shown up to `text`, for which nothing new may come for so many seconds."""
        while text not in self.shown and select.select([self._screen], [], [], patience)[0]:
            self.shown += os.read(self._screen, 4096)
        assert text in self.shown, self.shown
        before, _, self.shown = self.shown.partition(text)
        return before

    def prompt(self, presses: int = 20) -> bytes:
        """What is shown up to the next prompt, for which Ctrl-C may have to be pressed again: readline misses one that comes as soon as it
        has shown a prompt, and a person would press again too."""
        for _ in range(presses):
            while b"> " not in self.shown and select.select([self._screen], [], [], 3)[0]:
                self.shown += os.read(self._screen, 4096)
            if b"> " in self.shown:
                break
            self.type(CTRL_C)
        return self.until(b"> ", 0)

    def ended(self) -> int:
        """The exit code, once the program has ended."""
        return os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
