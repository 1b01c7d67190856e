"""What several subcommands share: options, output, and the source to take when none is named."""

import argparse
import json
from pathlib import Path
from typing import Any

import app
import assets

DEMO = "demo.aedat4"
INIVATION = "152a"
"""USB vendor of iniVation's cameras."""


def add_source(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """The option --source."""
    what = "camera[:SERIAL], file:PATH or PATH, tcp://HOST:PORT, unix:PATH, simulated[:SEED]"
    parser.add_argument("--source", metavar="S", required=required, help=what)


def add_runtime(parser: argparse.ArgumentParser) -> None:
    """The option --runtime."""
    parser.add_argument("--runtime", default="auto", metavar="R", help="where the networks run: auto, host (default: auto)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option --json."""
    parser.add_argument("--json", action="store_true", help="print machine-readable lines on stdout")


def camera_is_there() -> bool:
    """Whether an iniVation camera is on the USB bus. Asks the kernel, because asking the driver takes half a second."""
    vendors = Path("/sys/bus/usb/devices").glob("*/idVendor")
    return any(vendor.read_text().strip() == INIVATION for vendor in vendors)


def default_source() -> str:
    """The camera if one is there, else the bundled demo recording."""
    return "camera" if camera_is_there() else f"file:{assets.path(DEMO)}"


def json_line(message: dict[str, Any], model: dict[str, str] | None = None) -> None:
    """Print `message` as one line, with Egret's version and the model it came from."""
    print(json.dumps(message | {"version": app.__version__, "model": model}, ensure_ascii=False), flush=True)
