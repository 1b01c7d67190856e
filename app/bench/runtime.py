"""One step of each network on the host, beside the same step in numpy, PyTorch and onnxruntime (app/bench/alternatives.py).

The gesture network sees the frames of a simulated wave and the language model reads its own answer, so activity is that of real use. All
take turns step by step with the same inputs in one process, one thread each, in an order that moves on by one every step, so that none is
always the one that finds the caches cold. Every one of them goes its own way from the same beginning: how often its best answer is
Egret's says that it is the same network (tests/app/bench/test_alternatives.py compares the numbers of single steps).

The ratio is that of processor times: on a machine that does other things too, wall clock would count against whoever takes longer.

How the time of a step follows activity is in app/bench/activity.py.
"""

import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.bench import activity, alternatives
from app.bench.turns import Turns
from app.engine.models import Models
from models import checkpoint
from models.chip import energy, firmware, placement
from models.chip.integer import Network
from models.chip.runtime import Runtime
from models.sampling import Sampling, sample
from pipeline.frames import frames_of
from pipeline.simulator import simulate

Floats = npt.NDArray[np.float32]
EGRET = "egret, int8, event-driven"
BEGIN = 20
"""Windows of the wave: before, the person stands."""
NOTE = "one thread each, in turns; ratios are of processor time; a local first layer is written out dense for all but `convolutions`"


def run(seconds: float = 3.0, picture: Path | None = None) -> dict[str, Any]:
    """Figures per network and way of running it; with `picture`, time against activity is drawn there (PNG)."""
    models = Models()
    runtime = models.runtime("host")
    gesture, language = runtime.gesture, runtime.language
    figures: dict[str, Any] = {
        "gesture step": _measure(models.gesture_path, gesture, gesture.step, _windows(), seconds),
        "language step": _measure(models.language_path, language, language.step, _Tokens(), seconds),
        "time against activity": activity.measure(models.gesture_path, seconds),
    }
    if picture is not None:
        activity.plot(figures["time against activity"], picture)
    return figures | {"energy on a chip": _energy(runtime, figures), "how": " ".join(filter(None, [f"{NOTE}.", alternatives.absent()]))}


def readable(figures: dict[str, Any]) -> list[str]:
    """`run` as lines."""
    lines = []
    for name in ("gesture step", "language step"):
        ways = dict(figures[name])
        work = ways.pop("work")
        shares = ", ".join(f"{100 * share:.1f} %" for layer, share in work.items() if layer.startswith("layer"))
        lines.append(f"  {name}: {shares} of the layers' units fire, {work['operations']:,} synaptic operations")
        lines.append("    " + f"{'':28}{'median ms':>10}{'p95 ms':>10}{'processor ms':>14}{'times egret':>13}{'same answer':>13}")
        for way, row in ways.items():
            line = f"    {way:28}{row['median ms']:10.3f}{row['p95 ms']:10.3f}{row['processor ms']:14.3f}"
            lines.append(line + (f"{row['times egret']:13.1f}{100 * row['same answer']:11.1f} %" if "times egret" in row else ""))
    lines += ["  a gesture step's processor time against activity", *activity.table(figures["time against activity"])]
    lines.append("  energy on a chip")
    for name, row in figures["energy on a chip"].items():
        said = row if isinstance(row, str) else "  ".join(f"{key} {value:,.4g}" for key, value in row.items())
        lines.append(f"    {name:28}{said}")
    return [*lines, f"  {figures['how']}"]


def _energy(runtime: Runtime, figures: dict[str, Any]) -> dict[str, Any]:
    """Joules of these steps on a chip, estimated, beside what others have published."""
    programs = [runtime.gesture.program, runtime.language.program]
    plan = placement.place(programs, firmware.image())
    counts = _wave()
    pixels = float(np.count_nonzero(counts) / len(counts))
    said: dict[str, Any] = {"how": energy.SOURCE}
    for index, (program, events) in enumerate(zip(programs, (pixels, energy.token_events(programs[1])), strict=True)):
        work = figures[f"{program.kind} step"]["work"]
        estimate = energy.Costs(plan, index).step(work["operations"], events, [work["activity"]] * len(program.hidden))
        said[f"{program.kind} step"] = estimate.figures() | {"ms": round(estimate.seconds * 1e3, 2), "PEs": estimate.pes}
        said[f"{program.kind}, others"] = energy.PUBLISHED[program.kind]
    return said


def _wave() -> npt.NDArray[np.uint16]:
    """Windows of a simulated wave."""
    return frames_of(simulate("right_hand_wave", 0, 2_000_000), 128, 128).counts


def _windows() -> "_Windows":
    return _Windows(_wave())


class _Windows:
    """The wave's windows over and over, from the middle of the first stroke on."""

    def __init__(self, counts: npt.NDArray[np.uint16]) -> None:
        self._counts = counts

    def __iter__(self) -> Iterator[npt.NDArray[np.uint16]]:
        return (self._counts[step % len(self._counts)] for step in count(BEGIN))

    def heard(self, logits: Floats) -> None:
        """What is seen does not depend on the answers."""


class _Tokens:
    """What the language model says, from its own logits."""

    def __init__(self) -> None:
        self._token, self._random, self._how = 1, np.random.default_rng(0), Sampling()

    def __iter__(self) -> Iterator[int]:
        while True:
            yield self._token

    def heard(self, logits: Floats) -> None:
        """The next token is drawn from `logits`."""
        self._token = sample(logits, self._how, self._random)


def _measure(
    path: Path, network: Network, step: Callable[[Any], Floats], inputs: "_Windows | _Tokens", seconds: float
) -> dict[str, dict[str, Any]]:
    tensors, metadata = checkpoint.load(path)
    geometry = checkpoint.local_of(metadata["config"])
    local = None if geometry is None else (geometry, checkpoint.load(path, written_out=False)[0])
    others = alternatives.ways(alternatives.Weights(tensors, metadata), local)
    steps = {EGRET: step} | {name: make().step for name, make in others.items()}
    turns = Turns(steps)
    shares = []
    end = time.perf_counter() + seconds
    for given in inputs:
        inputs.heard(turns.take(given))
        shares.append(network.activity)
        if time.perf_counter() > end:
            break
    work = {
        "activity": round(float(np.mean(shares)), 4),
        **{f"layer {index}": round(share, 4) for index, share in enumerate(np.mean(shares, 0).tolist())},
        "operations": round(network.operations / network.steps),
    }
    return turns.figures() | {"work": work}
