"""`egret gui`, and `egret` alone: the window, a client of an engine in a process of its own.

The engine is started here unless one runs already and no other source is asked for. Closing the window ends an engine that it started;
a window that is killed does not: recognition and recording go on, and the next `egret gui` attaches to them.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from app import libraries
from app.commands import run as headless
from app.commands.common import add_runtime, add_source, default_source
from pipeline.errors import USAGE, UserError

STOP_S = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `egret gui`."""
    add_source(parser, required=False)
    add_runtime(parser)
    parser.add_argument("--attach", action="store_true", help="attach to the engine that runs; start none")
    parser.add_argument("--kiosk", action="store_true", help="full screen, for visitors")
    parser.add_argument("--lang", choices=("en", "de"), default="en", help="language of the window (default: en)")
    parser.add_argument("--screenshot", type=Path, metavar="PNG", help="take a picture of the window and end")
    parser.add_argument("--after", type=float, default=5.0, metavar="SECONDS", help="when to take it (default: 5)")


def run(arguments: argparse.Namespace) -> int:
    """Open the window, or say that there is no screen and run headless."""
    from pipeline.sources.supervisor import parse_spec

    if arguments.source:
        parse_spec(arguments.source)
    if not libraries.screen():
        return _headless(arguments)
    if absent := libraries.missing_for_window():
        raise UserError(f"The window needs system libraries that are missing here: run `{libraries.install_command(absent)}`.")
    from app.engine import session

    others = session.running()
    if arguments.attach and not others:
        raise UserError("No engine is running that a window could attach to: start one with `egret run`, or leave out --attach.")
    if others and not arguments.source:
        return _window(arguments, others[0], owns_engine=False)
    return _with_engine(arguments)


def _headless(arguments: argparse.Namespace) -> int:
    if arguments.screenshot or arguments.attach:
        raise UserError("There is no screen here: set DISPLAY, or QT_QPA_PLATFORM=offscreen to draw the window into a picture.", USAGE)
    source = arguments.source or default_source()
    print(f"egret: there is no screen here, so Egret runs without its window, on {source}.", file=sys.stderr)
    parser = argparse.ArgumentParser()
    headless.add_arguments(parser)
    return headless.run(parser.parse_args(["--source", source, "--runtime", arguments.runtime]))


def _window(arguments: argparse.Namespace, folder: Path, owns_engine: bool) -> int:
    from app.window.main import run_window

    return run_window(folder, screenshot=arguments.screenshot, after=arguments.after, owns_engine=owns_engine)


def _with_engine(arguments: argparse.Namespace) -> int:
    """Start an engine, attach the window to it, and see to it that the engine ends with the window."""
    from app.engine import session

    source = arguments.source or default_source()
    command = [sys.executable, "-m", "app.cli", "run", "--source", source, "--runtime", arguments.runtime, "--stay", "--quiet"]
    command += [] if arguments.source else ["--loop"]
    with tempfile.TemporaryFile() as said:
        # A session of its own: Ctrl-C in the terminal closes the window, and the window tells the engine.
        engine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True)
        try:
            code = _window(arguments, session.root() / str(engine.pid), owns_engine=True)
        finally:
            _end(engine)
        said.seek(0)
        words = said.read().decode(errors="replace").strip()
    if engine.returncode:
        raise UserError(words.removeprefix("egret: ") or f"The engine ended with code {engine.returncode}.", engine.returncode)
    return code


def _end(engine: "subprocess.Popen[bytes]") -> None:
    """Wait for the engine, which the window has told to quit; then insist."""
    for signal in (None, "terminate", "kill"):
        if signal:
            getattr(engine, signal)()
        try:
            engine.wait(STOP_S if signal is None else 3.0)
            return
        except subprocess.TimeoutExpired:
            continue
