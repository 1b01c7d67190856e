"""What several subcommands share: options, output, and the source to take when none is named."""

import argparse
import contextlib
import json
import math
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import app
import assets

DEMO = "demo.aedat4"
INIVATION = "152a"
"""USB vendor of iniVation's cameras (Thesycon, which lends its number to the makers of other devices too, audio converters most of all)."""
CAMERAS = "84"
"""With this begin the product numbers of iniVation's cameras (841a and 841b DAVIS, 8419 DVXplorer, 8400 DVS128)."""
USB = Path("/sys/bus/usb/devices")
MAX_SECONDS = 10_000_000.0
"""Longest --duration: 115 days, well inside what the time stamps hold."""
MAX_WHOLE = (1 << 63) - 1
VOCABULARY = "what a checkpoint of others lacks: EvNN's corpus (a folder), SpikeGPT's tokenizer (a .json)"
"""What --vocabulary means."""


def add_source(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """The option --source."""
    what = "camera[:SERIAL], file:PATH or PATH, tcp://HOST:PORT, unix:PATH, simulated[:SEED]"
    parser.add_argument("--source", metavar="S", required=required, help=what)


def add_runtime(parser: argparse.ArgumentParser) -> None:
    """The option --runtime."""
    parser.add_argument(
        "--runtime", default="auto", metavar="R", help="where the networks run: auto, host, emulator, spinnaker2[:ADDRESS] (default: auto)"
    )


def add_head(parser: argparse.ArgumentParser) -> None:
    """The option --head."""
    what = "gestures taught with `egret teach` (default: this user's for these weights, if there are any)"
    parser.add_argument("--head", metavar="FILE|none", help=what)


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option --json."""
    parser.add_argument("--json", action="store_true", help="print machine-readable lines on stdout")


def real(low: float, high: float, *, above: bool = False) -> Callable[[str], float]:
    """A type of option: a finite number from `low` to `high`; with `above`, `low` itself is refused."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high or (above and value == low):
            wanted = f"above {low:g} and up to {high:,.12g}" if above else f"from {low:g} to {high:,.12g}"
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number {wanted}")
        return value

    return parse


def whole(low: int, high: int) -> Callable[[str], int]:
    """A type of option: a whole number from `low` to `high`."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from {low} to {high:,}")
        return value

    return parse


duration = real(0, MAX_SECONDS, above=True)
"""The type of --duration, in seconds."""
share = real(0, 1)
"""The type of --threshold."""
seed = whole(0, MAX_WHOLE)
"""The type of --seed."""


def stop_on_signals(stop: Callable[[], None]) -> None:
    """Call `stop` on Ctrl-C, when asked to terminate, and when the terminal goes away (unless `nohup` has that ignored)."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda *_: stop())


def camera_is_there(bus: Path = USB) -> bool:
    """Whether an iniVation camera is on the USB bus. Asks the kernel, because asking the driver takes half a second."""
    for vendor in bus.glob("*/idVendor"):
        with contextlib.suppress(OSError):  # it is being unplugged
            if vendor.read_text().strip() == INIVATION and vendor.with_name("idProduct").read_text().startswith(CAMERAS):
                return True
    return False


def default_source() -> str:
    """The camera if one is there, else the bundled demo recording."""
    return "camera" if camera_is_there() else f"file:{assets.path(DEMO)}"


def json_line(message: dict[str, Any], model: dict[str, str] | None = None) -> None:
    """Print `message` as one line, with Egret's version and the model it came from."""
    print(json.dumps(message | {"version": app.__version__, "model": model}, ensure_ascii=False), flush=True)


def as_process(*arguments: str) -> tuple[list[str], dict[str, str]]:
    """Command line and environment that run ``egret ARGUMENTS`` in a process of its own, wherever the caller stands.

    The present folder stays out of the search path (-P): it may hold an `app` of somebody else's.
    """
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return [sys.executable, "-P", "-m", "app.cli", *arguments], dict(os.environ, PYTHONPATH=path)
