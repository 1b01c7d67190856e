"""`egret bench [NAME]`: speed on this machine, printed with median and 95th percentile, and how real the simulator is."""

import argparse
import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from app.commands.common import add_json, json_line, real, seed, whole
from pipeline.errors import USAGE, UserError

NAMES = {
    "pipeline": "filter and framing in events a second, beside dv-processing's filter and numpy",
    "runtime": "one step of both networks, beside numpy, torch and onnxruntime, and how its time follows activity",
    "latency": "from packet arrival to decision with a source of 1 Mev/s, source process and engine as they run live",
    "language": "tokens a second, alone and beside gesture recognition",
    "window": "frame rate of the window at 1 Mev/s with text streaming",
    "start": "cold start of the whole application to the first painted frame",
    "nmnist": "the gesture network's trainer on real events with labels (minutes; needs the extra train)",
    "realism": "simulated gestures beside real recordings, and judged by a network trained on real ones (minutes)",
}

LONG = ("nmnist", "realism")
"""Run only when they are named."""
MAX_SECONDS = 600
MAX_CLIPS = 10_000
CLIPS = 20
FIRST_SEED = 3 << 30
"""Beyond the seeds of training (from 0) and of its held-out clips (from 1 << 30)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `egret bench`."""
    parser.add_argument("name", nargs="?", metavar="NAME", help=f"one of {', '.join(NAMES)} (default: all that take seconds)")
    parser.add_argument(
        "--seconds", type=real(0, MAX_SECONDS, above=True), default=3.0, metavar="S", help="how long each measurement takes (default: 3)"
    )
    parser.add_argument(
        "--clips", type=whole(1, MAX_CLIPS), default=20, metavar="N", help="realism: clips a gesture and preset (default: 20)"
    )
    parser.add_argument("--seed", type=seed, default=3 << 30, metavar="N", help="realism: first seed (default: one that no training uses)")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="runtime: draw time against activity")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    if arguments.name is not None and arguments.name not in NAMES:
        raise UserError(f"There is no benchmark {arguments.name!r}: choose one of {', '.join(NAMES)}.", USAGE)
    if arguments.plot is not None and arguments.name != "runtime":
        raise UserError("--plot draws what `egret bench runtime` measures: name that benchmark, or leave it out.", USAGE)
    for name in [arguments.name] if arguments.name else [name for name in NAMES if name not in LONG]:
        bench = _module(name)
        options = {
            "realism": (arguments.clips, arguments.seed),
            "nmnist": (),
            "runtime": (arguments.seconds, arguments.plot),
        }.get(name, (arguments.seconds,))
        figures = bench.run(*options)
        if arguments.json:
            json_line({"type": "bench", "name": name, "figures": figures})
        else:
            print(f"{name}: {NAMES[name]}")
            print("\n".join(getattr(bench, "readable", readable)(figures)), flush=True)
    return 0


def _module(name: str) -> ModuleType:
    """The benchmark; UserError where it needs an extra that is not installed."""
    try:
        return importlib.import_module(f"app.bench.{name}")
    except ModuleNotFoundError as error:
        raise UserError(f"This benchmark needs {error.name}, which is not installed: run `sh app/environment.sh train` first.") from None


def readable(figures: dict[str, Any], indent: str = "  ") -> list[str]:
    """Nested figures as indented lines."""
    lines = []
    for name, value in figures.items():
        if isinstance(value, dict):
            if all(not isinstance(inner, dict) for inner in value.values()):
                lines.append(f"{indent}{name:34} " + "  ".join(f"{key} {_number(inner)}" for key, inner in value.items()))
            else:
                lines += [f"{indent}{name}", *readable(value, indent + "  ")]
        else:
            lines.append(f"{indent}{name:34} {_number(value)}")
    return lines


def _number(value: Any) -> str:
    return (
        f"{value:,.4g}" if isinstance(value, float) and abs(value) < 10_000 else f"{value:,.0f}" if isinstance(value, float) else str(value)
    )
