"""`egret simulate`: a recording of a simulated person performing a gesture, of one who makes none, or of things."""

import argparse
from pathlib import Path

from app.commands.common import add_json, json_line, real, seed
from app.progress import progress

STEP_US = 100_000
MAX_SECONDS = 3600


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `egret simulate`."""
    parser.add_argument("--gesture", required=True, metavar="NAME", help="one of the eleven DVS128 gestures, idle or things")
    parser.add_argument("--seed", type=seed, required=True, metavar="N", help="equal seeds give equal recordings")
    parser.add_argument("--preset", default="wide", metavar="NAME", help="ranges that people and scenes are drawn from (default: wide)")
    parser.add_argument("--duration", type=real(0, MAX_SECONDS, above=True), default=6.0, metavar="SEC", help="length (default: 6)")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.aedat4", help="the file to write; must not exist")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Simulate and write."""
    from pipeline.formats.aedat4 import Aedat4Writer
    from pipeline.simulator import Simulator

    simulator = Simulator(arguments.gesture, arguments.seed, arguments.preset)
    steps = [STEP_US] * int(arguments.duration * 1e6 // STEP_US)
    rest = int(arguments.duration * 1e6) - sum(steps)
    with Aedat4Writer(arguments.out, simulator.width, simulator.height, f"simulated {arguments.gesture} {arguments.seed}") as writer:
        for step in progress(steps + [rest] * (rest > 0), "simulating"):
            writer.write(simulator.advance(step))
    said = {"path": str(arguments.out), "gesture": arguments.gesture, "seed": arguments.seed, "preset": arguments.preset}
    said |= {"events": writer.events, "bytes": writer.bytes}
    if arguments.json:
        json_line({"type": "simulation"} | said)
    else:
        print(f"{writer.events:,} events of {arguments.gesture} in {arguments.out}.")
    return 0
