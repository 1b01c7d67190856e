"""`egret compile MODEL [MODEL...] --out PLAN`: where networks go on the chip, and everything that it is sent."""

import argparse
from pathlib import Path

from app.commands.common import add_json, json_line, real
from models.chip.program import Program
from pipeline.errors import USAGE, UserError

MAX_TICK_US = 1e6


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `egret compile`."""
    parser.add_argument(
        "models", nargs="+", type=Path, metavar="MODEL", help="weights (.safetensors) or a program: side by side on one chip"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="PLAN", help="the plan to write")
    add_density(parser)
    parser.add_argument("--tick", type=real(1, MAX_TICK_US), metavar="US", help="length of a tick (default: the worst case of every PE)")
    parser.add_argument("--program", type=Path, metavar="FILE", help="write the only MODEL as a program, too")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw the chip's 38 quads, coloured by layer")
    add_json(parser)


def add_density(parser: argparse.ArgumentParser) -> None:
    """The option --density."""
    parser.add_argument(
        "--density", type=real(0, 1, above=True), default=1.0, metavar="D", help="share of the layers' weights that is kept (default: 1)"
    )


def program_of(path: Path, density: float = 1.0) -> Program:
    """The program at `path`, or made from the weights there, of which `density` is kept. UserError where neither is possible."""
    from models import checkpoint
    from models.chip import compress, storage

    kind = storage.kind_of(path)
    if kind is not None:
        if density != 1.0:
            raise UserError(f"{path} is a program already: --density is for weights.", USAGE)
        return storage.load(path, kind)
    tensors, metadata = checkpoint.load(path)
    try:
        return compress.compress(tensors, metadata, density)
    except ValueError as error:
        raise UserError(f"The weights {path} cannot be made into integers: {error}.") from error


def run(arguments: argparse.Namespace) -> int:
    """Place, write and report."""
    from models import checkpoint
    from models.chip import firmware, placement, plan, report, storage

    if arguments.program and len(arguments.models) > 1:
        raise UserError("--program is for one MODEL: name one, or leave it out.", USAGE)
    programs = [program_of(path, arguments.density) for path in arguments.models]
    made = placement.place(programs, firmware.image(), arguments.tick)
    plan.save(made, arguments.out)
    if arguments.program:
        storage.save(arguments.program, programs[0])
    if arguments.plot:
        report.plot(made, arguments.plot)
    said = report.summary(made)
    if arguments.json:
        models = [{"name": path.name, "hash": checkpoint.digest(path)} for path in arguments.models]
        json_line({"type": "plan", "plan": arguments.out.name, "models": models} | said, models[0])
    else:
        print(report.readable(said))
    return 0
