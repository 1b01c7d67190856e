"""`egret verify [MODEL]`: whether the chip's firmware computes, to the last bit, what the host computes."""

import argparse
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.commands.common import DEMO, MAX_WHOLE, add_json, json_line, whole
from app.commands.compile import add_density, program_of
from app.progress import progress
from models.chip.program import Program
from pipeline.errors import FAILED, USAGE, UserError

AGAINST = ("emulator",)
TOKENS = 200
CLOCKS_MHZ = (150, 300)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `egret verify`."""
    parser.add_argument("model", nargs="?", type=Path, metavar="MODEL", help="weights or a program (default: the bundled gesture network)")
    parser.add_argument("--source", type=Path, metavar="FILE", help="a recording for a gesture network (default: the demo recording)")
    parser.add_argument(
        "--steps", type=whole(1, MAX_WHOLE), metavar="N", help=f"stop after N steps (default: the recording; {TOKENS} tokens)"
    )
    parser.add_argument("--against", default="emulator", metavar="R", help=f"what the host is compared with: {', '.join(AGAINST)}")
    add_density(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare and print; exit code 1 if a signal differs."""
    import assets
    from models import checkpoint

    if arguments.against not in AGAINST:
        raise UserError(f"There is nothing called {arguments.against!r} to compare with: choose one of {', '.join(AGAINST)}.", USAGE)
    model = arguments.model or assets.path("gesture.safetensors")
    program = program_of(model, arguments.density)
    if arguments.source is not None and program.kind != "gesture":
        raise UserError(f"{model} is a language model, which reads no recording: leave out --source.", USAGE)
    source = (arguments.source or assets.path(DEMO)) if program.kind == "gesture" else None
    said = verify(program, source, arguments.steps)
    if arguments.json:
        json_line(said, {"name": model.name, "hash": checkpoint.digest(model)})
    else:
        print(readable(said))
    return 0 if said["difference"] is None else FAILED


def verify(program: Program, source: Path | None, steps: int | None = None) -> dict[str, Any]:
    """Run `program` on the host and on an emulated chip, with the frames of `source` or with tokens: what came of it, as plain data."""
    from models.chip import emulated, integer, parity

    language = program.kind == "language"
    host = integer.LanguageNetwork(program) if language else integer.GestureNetwork(program)
    (other,) = emulated.on_one_chip([program])
    plan = other.chip.plan
    meter = _Meter(other)
    writer = _Writer() if source is None else None
    inputs = islice(writer or _counts(source), steps or (TOKENS if language else None))  # type: ignore[arg-type]
    found = parity.compare(host, meter, progress(inputs, "comparing", total=steps, unit=" steps"), writer or (lambda logits: None))
    difference = found.difference
    return {
        "type": "verify",
        "against": "emulator",
        "kind": program.kind,
        "steps": found.steps,
        "numbers": found.numbers,
        "difference": None
        if difference is None
        else {
            "step": found.steps,
            "signal": difference.signal,
            "index": difference.index,
            "host": difference.one,
            "emulator": difference.other,
        },
        "pes": len(plan.elements),
        "tick_ms": plan.tick_us / 1e3,
        "deadlines_missed": other.deadlines_missed,
    } | meter.figures()


class _Writer:
    """Tokens as the model itself would write them: every token is drawn from the answer to the one before."""

    def __init__(self) -> None:
        from models.sampling import Sampling

        self._token, self._how, self._random = 1, Sampling(), np.random.default_rng(0)

    def __iter__(self) -> Iterator[int]:
        while True:
            yield self._token

    def __call__(self, logits: npt.NDArray[np.float32]) -> None:
        from models.sampling import sample

        self._token = sample(logits, self._how, self._random)


def _counts(source: Path) -> Iterator[npt.NDArray[np.uint16]]:
    from app.evaluation import material

    for piece in material.recordings([source], material.NONE):
        for frames in piece.frames:
            yield from frames.counts


class _Meter:
    """The emulated network, with what its steps took."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self._wall_ms: list[float] = []
        self._cpu_ms: list[float] = []
        self._loads: list[Any] = []

    @property
    def signals(self) -> Any:
        return self._network.signals

    def step(self, given: Any) -> Any:
        begun, worked = time.perf_counter(), time.thread_time()
        logits = self._network.step(given)
        self._wall_ms.append((time.perf_counter() - begun) * 1e3)
        self._cpu_ms.append((time.thread_time() - worked) * 1e3)
        self._loads.append(self._network.load)
        return logits

    def figures(self) -> dict[str, Any]:
        """Medians a step, and the longest turn of a PE in clock cycles as time at either clock."""
        longest = max(self._loads, key=lambda load: load.longest_cycles)
        return {
            "wall_ms": round(float(np.median(self._wall_ms)), 3),
            "cpu_ms": round(float(np.median(self._cpu_ms)), 3),
            "instructions": round(float(np.median([load.instructions for load in self._loads]))),
            "events": round(float(np.median([load.events for load in self._loads]))),
            "longest_turn": {
                "instructions": longest.longest_instructions,
                "cycles": longest.longest_cycles,
                "cycles_per_instruction": round(longest.longest_cycles / longest.longest_instructions, 2),
                **{f"ms_at_{mhz}_mhz": round(longest.turn_ms(mhz * 1_000_000), 3) for mhz in CLOCKS_MHZ},
            },
            "pipeline_ms": {
                f"at_{mhz}_mhz": round(float(np.median([load.path_cycles for load in self._loads])) / mhz / 1e3, 3) for mhz in CLOCKS_MHZ
            },
        }


def readable(said: dict[str, Any]) -> str:
    """`verify` as lines."""
    turn, difference = said["longest_turn"], said["difference"]
    if difference is None:
        first = f"The same: {said['numbers']:,} numbers in {said['steps']:,} steps of the {said['kind']} network, host and emulated chip."
    else:
        first = (
            f"Step {difference['step']} differs first in {difference['signal']}[{difference['index']}]: "
            f"{difference['host']} on the host, {difference['emulator']} on the emulated chip."
        )
    return "\n".join(
        [
            first,
            f"{said['pes']} PEs; a step: {said['instructions']:,} instructions, {said['events']:,} events, "
            f"{said['wall_ms']:.1f} ms on this machine, {said['cpu_ms']:.1f} ms of processor time (medians).",
            f"Longest turn of a PE: {turn['instructions']:,} instructions, estimated {turn['cycles']:,} cycles "
            f"({turn['cycles_per_instruction']} each): {turn['ms_at_150_mhz']} ms at 150 MHz, {turn['ms_at_300_mhz']} ms at 300 MHz; "
            f"a tick is {said['tick_ms']:g} ms, {said['deadlines_missed']} deadlines missed.",
            f"Through the chip without waiting for ticks: {said['pipeline_ms']['at_150_mhz']} ms at 150 MHz, "
            f"{said['pipeline_ms']['at_300_mhz']} ms at 300 MHz.",
        ]
    )
