"""`egret verify [MODEL]`: whether two places to run a network, usually the host and the chip's firmware, compute the same to the last bit.

A board is asked for a run a step, which takes seconds, so few steps are compared there unless more are asked for. Where there is no board,
the state (models/chip/spinnaker2.py) is told, and nothing was verified.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import ExitStack
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

PLACES = {"host": "the host", "emulator": "the emulated chip", "spinnaker2": "the board"}
"""By the name of the runtime."""
TOKENS = 200
BOARD_STEPS = 5
CLOCKS_MHZ = (150, 300)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `egret verify`."""
    parser.add_argument("model", nargs="?", type=Path, metavar="MODEL", help="weights or a program (default: the bundled gesture network)")
    parser.add_argument("--source", type=Path, metavar="FILE", help="a recording for a gesture network (default: the demo recording)")
    steps = f"stop after N steps (default: the recording; {TOKENS} tokens; {BOARD_STEPS} steps on a board)"
    parser.add_argument("--steps", type=whole(1, MAX_WHOLE), metavar="N", help=steps)
    names = f"{', '.join(PLACES)}[:ADDRESS]"
    parser.add_argument("--against", default="emulator", metavar="R", help=f"the one to be verified: {names} (default: emulator)")
    parser.add_argument("--runtime", default="host", metavar="R", help=f"what it is compared with: {names} (default: host)")
    add_density(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Compare and print; exit code 1 if a signal differs."""
    import assets
    from models import checkpoint

    pair = arguments.runtime, arguments.against
    for place in pair:
        name, colon, address = place.partition(":")
        if name not in PLACES:
            raise UserError(f"There is nothing called {place!r} to compare with: choose one of {', '.join(PLACES)}.", USAGE)
        if colon and (name != "spinnaker2" or not address):
            raise UserError(f"Only a board has an address behind the colon: write {name}, not {place!r}.", USAGE)
    if pair[0] == pair[1]:
        raise UserError(f"Comparing {pair[0]} with itself proves nothing: name two of {', '.join(PLACES)}.", USAGE)
    model = arguments.model or assets.path("gesture.safetensors")
    program = program_of(model, arguments.density)
    if arguments.source is not None and program.kind != "gesture":
        raise UserError(f"{model} is a language model, which reads no recording: leave out --source.", USAGE)
    source = (arguments.source or assets.path(DEMO)) if program.kind == "gesture" else None
    said = verify(program, source, arguments.steps, *pair)
    if arguments.json:
        json_line(said, {"name": model.name, "hash": checkpoint.digest(model)})
    else:
        print(readable(said))
    return 0 if said["difference"] is None else FAILED


def verify(program: Program, source: Path | None, steps: int | None = None, one: str = "host", other: str = "emulator") -> dict[str, Any]:
    """Run `program` in two places, with the frames of `source` or with tokens: what came of it, as plain data.

    UserError where one of them is a board that cannot be had or does not answer.
    """
    from models.chip import parity
    from models.chip.worker_process import Lost

    places = (one, other)
    names = [place.partition(":")[0] for place in places]
    if steps is None:
        steps = BOARD_STEPS if "spinnaker2" in names else TOKENS if source is None else None
    writer = _Writer() if source is None else None
    inputs = islice(writer or _counts(source), steps)  # type: ignore[arg-type]
    with ExitStack() as held:
        first, second = (_Meter(name, *_placed(place, program, held)) for name, place in zip(names, places, strict=True))
        shown = progress(inputs, "comparing", total=steps, unit=" steps")
        unseen = ("x",) if "spinnaker2" in names else ()  # no memory of a PE holds it
        try:
            found = parity.compare(first, second, shown, writer or (lambda logits: None), unseen)
        except Lost as lost:
            raise UserError(f"The board {lost}, after {len(second.wall_ms)} steps: nothing was verified.", FAILED) from None
        difference = found.difference
        said = None if difference is None else {"step": found.steps, "signal": difference.signal, "index": difference.index}
        return {
            "type": "verify",
            "runtime": one,
            "against": other,
            "kind": program.kind,
            "steps": found.steps,
            "numbers": found.numbers,
            "difference": None if said is None or difference is None else said | {"runtime": difference.one, "against": difference.other},
        } | (second if second.plan else first).figures()


def _placed(place: str, program: Program, held: ExitStack) -> tuple[Any, Any]:
    """A network that runs `program` there, and the plan of a chip. UserError, with the name of the state, where there is no board."""
    from models.chip import emulated, firmware, integer, observed, placement, spinnaker2
    from models.chip.worker_process import Lost

    name, _, address = place.partition(":")
    if name == "host":
        return integer.LanguageNetwork(program) if program.kind == "language" else integer.GestureNetwork(program), None
    if name == "emulator":
        (network,) = emulated.on_one_chip([program])
        return network, network.chip.plan
    settings = spinnaker2.settings(address)
    plan = placement.place([program], firmware.image())
    process = spinnaker2.start(plan, settings)
    held.callback(process.close)
    try:
        return observed.Observed(process, plan, 0, program, settings.limit_s), plan
    except Lost as lost:
        raise UserError(f"The board {lost}: nothing was verified.", FAILED) from None


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
    """A network, with what its steps took. `plan` is that of its chip; the host has none."""

    def __init__(self, name: str, network: Any, plan: Any) -> None:
        self._name, self._network, self.plan = name, network, plan
        self.wall_ms: list[float] = []
        self._cpu_ms: list[float] = []
        self._loads: list[Any] = []

    @property
    def signals(self) -> Any:
        return self._network.signals

    def step(self, given: Any) -> Any:
        begun, worked = time.perf_counter(), time.thread_time()
        logits = self._network.step(given)
        self.wall_ms.append((time.perf_counter() - begun) * 1e3)
        self._cpu_ms.append((time.thread_time() - worked) * 1e3)
        if self._name == "emulator":
            self._loads.append(self._network.load)
        return logits

    def figures(self) -> dict[str, Any]:
        """Medians a step; of an emulated chip also what it counted, and a PE's longest turn in clock cycles as time at either clock."""
        found = {
            "pes": len(self.plan.elements),
            "tick_ms": self.plan.tick_us / 1e3,
            "deadlines_missed": self._network.deadlines_missed,
            "wall_ms": round(float(np.median(self.wall_ms)), 3),
        }
        if not self._loads:
            return found
        longest = max(self._loads, key=lambda load: load.longest_cycles)
        return found | {
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


def _called(place: str) -> str:
    """A place in words."""
    name, _, address = place.partition(":")
    return f"{PLACES[name]}{f' {address}' if address else ''}"


def readable(said: dict[str, Any]) -> str:
    """`verify` as lines."""
    difference = said["difference"]
    one, other = (_called(said[role]) for role in ("runtime", "against"))
    if difference is None:
        first = f"The same: {said['numbers']:,} numbers in {said['steps']:,} steps of the {said['kind']} network, {one} and {other}."
    else:
        first = (
            f"Step {difference['step']} differs first in {difference['signal']}[{difference['index']}]: "
            f"{difference['runtime']} on {one}, {difference['against']} on {other}."
        )
    ticks = f"a tick is {said['tick_ms']:g} ms, {said['deadlines_missed']} deadlines missed."
    if "longest_turn" not in said:
        return f"{first}\n{said['pes']} PEs; a step took {said['wall_ms']:,.0f} ms (median); {ticks}"
    turn = said["longest_turn"]
    return "\n".join(
        [
            first,
            f"{said['pes']} PEs; a step: {said['instructions']:,} instructions, {said['events']:,} events, "
            f"{said['wall_ms']:.1f} ms on this machine, {said['cpu_ms']:.1f} ms of processor time (medians).",
            f"Longest turn of a PE: {turn['instructions']:,} instructions, estimated {turn['cycles']:,} cycles "
            f"({turn['cycles_per_instruction']} each): {turn['ms_at_150_mhz']} ms at 150 MHz, "
            f"{turn['ms_at_300_mhz']} ms at 300 MHz; {ticks}",
            f"Through the chip without waiting for ticks: {said['pipeline_ms']['at_150_mhz']} ms at 150 MHz, "
            f"{said['pipeline_ms']['at_300_mhz']} ms at 300 MHz.",
        ]
    )
