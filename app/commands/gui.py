"""`egret gui`, and `egret` alone: the window, a client of an engine in a process of its own.

The engine is started here unless one runs already and no other source is asked for. Closing the window ends an engine that it started;
a window that is killed does not: recognition and recording go on, and the next `egret gui` attaches to them. An engine that dies is
started again from the window (`EngineProcess.restart`); one that cannot start says why, with its own sentence and exit code.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

from app import libraries
from app.commands import run as headless
from app.commands.common import add_head, add_runtime, add_source, as_process, default_source
from pipeline.errors import FAILED, USAGE, UserError

STOP_S = 10.0
WINDOW_S = 60
"""An engine that was started for a window ends by itself if none has come by then (Qt may end this process without a word)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `egret gui`."""
    add_source(parser, required=False)
    add_runtime(parser)
    add_head(parser)
    parser.add_argument("--attach", action="store_true", help="attach to the engine that runs; start none")
    parser.add_argument("--kiosk", action="store_true", help="full screen, for visitors; leave with Ctrl+Shift+Q")
    parser.add_argument(
        "--chat-gestures", action="store_true", help="with --kiosk: gestures drive the chat (clap: stop, roll arms: anew, wave: ask)"
    )
    parser.add_argument("--lang", choices=("en", "de"), default="en", help="language of the window (default: en)")
    parser.add_argument("--screenshot", type=Path, metavar="PNG", help="take a picture of the window and end")
    parser.add_argument("--after", type=float, default=5.0, metavar="SECONDS", help="how long after the first events (default: 5)")
    parser.add_argument("--timing", action="store_true", help="say on stderr when the first picture with events was on screen")


def run(arguments: argparse.Namespace) -> int:
    """Open the window, or say that there is no screen and run headless."""
    from pipeline.sources.spec import parse_spec

    if arguments.source:
        parse_spec(arguments.source)
    if arguments.screenshot and not arguments.screenshot.absolute().parent.is_dir():
        raise UserError(f"There is no folder {arguments.screenshot.parent} for the screenshot: make it or name another.", USAGE)
    if arguments.chat_gestures and not arguments.kiosk:
        raise UserError("--chat-gestures is for --kiosk: in an ordinary window, switch gestures on in the chat's settings.", USAGE)
    if not libraries.screen():
        return _headless(arguments)
    if absent := libraries.missing_for_window():
        raise UserError(f"The window needs system libraries that are missing here: run `{libraries.install_command(absent)}`.")
    from app.engine import session

    others = session.running()
    if arguments.attach and not others:
        raise UserError("No engine is running that a window could attach to: start one with `egret run`, or leave out --attach.")
    if arguments.attach:
        return _window(arguments, others[0], None)
    return _with_engine(arguments, others[0] if others and not arguments.source else None)


def _headless(arguments: argparse.Namespace) -> int:
    if arguments.screenshot or arguments.attach:
        raise UserError("There is no screen here: set DISPLAY, or QT_QPA_PLATFORM=offscreen to draw the window into a picture.", USAGE)
    source = arguments.source or default_source()
    print(f"egret: there is no screen here, so Egret runs without its window, on {source}.", file=sys.stderr)
    parser = argparse.ArgumentParser()
    headless.add_arguments(parser)
    head = ["--head", arguments.head] if arguments.head else []
    return headless.run(parser.parse_args(["--source", source, "--runtime", arguments.runtime, *head]))


def _window(arguments: argparse.Namespace, folder: Path, engine: "EngineProcess | None") -> int:
    from app.window.main import run_window

    return run_window(
        folder,
        keeper=engine,
        language=arguments.lang,
        kiosk=arguments.kiosk,
        chat_gestures=arguments.chat_gestures,
        screenshot=arguments.screenshot,
        after=arguments.after,
        timing=arguments.timing,
    )


def _with_engine(arguments: argparse.Namespace, attached: Path | None) -> int:
    """Attach the window to the engine that runs or to a new one; an engine that was started here ends with the window."""
    with tempfile.TemporaryFile() as said, EngineProcess(_engine_arguments(arguments), said) as engine:
        code = _window(arguments, attached or engine.start(), engine)
        engine.end()
        if failed := engine.failure():
            raise failed
    return code


def _engine_arguments(arguments: argparse.Namespace) -> list[str]:
    source = arguments.source or default_source()
    chosen = ["run", "--source", source, "--runtime", arguments.runtime, "--stay", "--quiet", "--window-within", str(WINDOW_S)]
    chosen += ["--head", arguments.head] if arguments.head else []
    return chosen if arguments.source else [*chosen, "--loop"]


class EngineProcess:
    """The engine as a child of this process: `app.window.keeper.EngineKeeper`. Nothing runs until `start`."""

    def __init__(self, arguments: list[str], said: BinaryIO) -> None:
        """``egret ARGUMENTS`` starts an engine; `said` is an empty file that takes what it says on stderr."""
        self._arguments, self._said = arguments, said
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "EngineProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def owned(self) -> bool:
        """Whether an engine was started here."""
        return self._process is not None

    def start(self) -> Path:
        """Start an engine; the folder in which its session will be."""
        from app.engine import session

        session.root()  # a folder that cannot be used is told before anything starts
        self._said.seek(0)
        self._said.truncate()
        # A session of its own: Ctrl-C in the terminal closes the window, and the window tells the engine.
        command, environment = as_process(*self._arguments)
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, env=environment, stdin=quiet, stdout=quiet, stderr=self._said, start_new_session=True)
        return session.folder_of(self._process.pid)

    def restart(self) -> Path:
        """End what is left of the engine and start a new one; the folder in which its session will be."""
        from app.engine import session

        if self._process:
            _insist(self._process, 1.0)
        session.running()  # removes the folder that a killed engine left
        return self.start()

    def ended(self) -> bool:
        """Whether the engine that was started here has ended."""
        return self._process is not None and self._process.poll() is not None

    def sentence(self) -> str:
        """The last line that the engine said on stderr."""
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return lines[-1].removeprefix("egret: ") if lines else ""

    def end(self) -> None:
        """Wait for the engine, which the window has told to quit; then insist."""
        if self._process and not self.ended():
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                _insist(self._process, 3.0)

    def failure(self) -> UserError | None:
        """What was wrong with the newest engine, which has ended; None if nothing."""
        code = self._process.returncode if self._process else 0
        if not code:
            return None
        if code < 0:
            return UserError(f"The engine was ended by signal {-code}; what it had recorded is kept.", FAILED)
        return UserError(self.sentence() or f"The engine ended with code {code}.", code)


def _insist(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """End `process` politely, after `seconds` by force."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
