"""How the time of a gesture step follows activity: on the host, which skips what is silent, and in frameworks that multiply everything.

The weights are the bundled network's, so rows are as long and as sparse as they really are. How many units fire is decided by their biases:
a share of them, drawn at random, gets a candidate gate of 1 and a threshold of 0 and so fires in every step, the others -1 and never do
(`driven`). The same share of the pixels has an event, drawn anew for every window. So the activity of inputs and of all layers is exactly
what is asked for, from one unit in a hundred to all of them, which no recording gives.
"""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.bench import alternatives
from app.bench.turns import Turns
from models import checkpoint
from models.checkpoint import Tensors
from models.chip.compress import compress
from models.chip.integer import GestureNetwork
from models.chip.program import GATE_BITS, Program
from models.chip.report import write_picture
from pipeline.errors import UserError

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
DRIVE = 1000.0
"""Added to the candidate's bias: more than all weights of a row can say against it. The curve of tanh ends at 8 anyway."""
EGRET = "egret"
OTHERS = ("torch", "torch, convolutions", "onnxruntime")
"""In float32: how they quantise does not depend on activity either."""
WINDOWS = 32
WARM = 3
"""Steps until every unit that is to fire does."""


def measure(path: Path, seconds: float) -> dict[str, dict[str, float]]:
    """By share of units that fire: the median processor time of a step in ms, on the host and elsewhere, in about `seconds` in all."""
    tensors, metadata = checkpoint.load(path, "gesture")
    geometry = checkpoint.local_of(metadata["config"])
    kernels = {} if geometry is None else checkpoint.load(path, written_out=False)[0]
    program = compress(tensors, metadata)
    found = {}
    for share in SHARES:
        which = [drawn(units, share) for units in program.hidden]
        network = GestureNetwork(driven(program, which))
        weights = alternatives.Weights(_driven_tensors(tensors, which), metadata)
        every = alternatives.ways(weights, None if geometry is None else (geometry, kernels))
        turns = Turns({EGRET: network.step} | {name: every[name]().step for name in OTHERS if name in every})
        figures = _timed(turns, windows(program.inputs, share), seconds / len(SHARES))
        found[f"{100 * share:g} %"] = {f"{name} ms": one["processor ms"] for name, one in figures.items()} | {
            "activity": round(float(np.mean(network.activity)), 4)
        }
    return found


def driven(program: Program, which: list[npt.NDArray[np.bool_]]) -> Program:
    """`program` with biases and thresholds such that of every layer the units `which` [H] fire in every step, and no others."""
    layers = []
    for layer, fires in zip(program.layers, which, strict=True):
        b = layer.b.copy()
        b[2 * fires.size :] = np.where(fires, DRIVE, -DRIVE) * (1 << GATE_BITS)
        layers.append(replace(layer, b=b, theta=np.zeros_like(layer.theta)))
    return replace(program, layers=tuple(layers))


def _driven_tensors(tensors: Tensors, which: list[npt.NDArray[np.bool_]]) -> Tensors:
    """The same of the float network."""
    out = dict(tensors)
    for index, fires in enumerate(which):
        b = tensors[f"layers.{index}.b"].copy()
        b[2 * fires.size :] = np.where(fires, DRIVE, -DRIVE)
        out |= {f"layers.{index}.b": b, f"layers.{index}.theta": np.zeros_like(tensors[f"layers.{index}.theta"])}
    return out


def drawn(units: int, share: float) -> npt.NDArray[np.bool_]:
    """[units]: a share of them, at random."""
    chosen = np.zeros(units, np.bool_)
    chosen[np.random.default_rng(0).permutation(units)[: round(share * units)]] = True
    return chosen


def windows(inputs: int, share: float) -> list[npt.NDArray[np.uint16]]:
    """Windows in which that share of the inputs has one event."""
    rng = np.random.default_rng(1)
    found = np.zeros((WINDOWS, inputs), np.uint16)
    for window in found:
        window[rng.permutation(inputs)[: round(share * inputs)]] = 1
    return list(found)


def _timed(turns: Turns, windows: list[npt.NDArray[np.uint16]], seconds: float) -> dict[str, dict[str, float]]:
    step, end = 0, time.perf_counter() + seconds
    while step < WARM or time.perf_counter() < end:
        turns.take(windows[step % len(windows)])
        step += 1
    return turns.figures()


def plot(measured: dict[str, dict[str, float]], path: Path) -> None:
    """A picture (PNG) of time against activity. UserError without matplotlib, or where `path` cannot be written."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.ticker import FuncFormatter, LogLocator
    except ImportError as missing:
        raise UserError("The picture needs matplotlib, which the extra `train` brings: run `sh app/environment.sh train`.") from missing
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    canvas, axes = FigureCanvasAgg(figure), figure.add_subplot()
    shares = [100 * row["activity"] for row in measured.values()]
    for name in next(iter(measured.values())):
        if name != "activity":
            axes.plot(shares, [row[name] for row in measured.values()], marker="o", label=name.removesuffix(" ms"))
    axes.set(xscale="log", yscale="log", xlabel="units and inputs that fire, %", ylabel="processor time of a step, ms")
    axes.set_xticks(shares, [f"{share:.0f}" for share in shares])
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.set_title("A gesture step on the host, at batch 1", fontsize=10)
    axes.legend(frameon=False, fontsize=8)
    write_picture(canvas, path)


def table(measured: dict[str, dict[str, Any]]) -> list[str]:
    """`measure` as lines."""
    names = [name for name in next(iter(measured.values())) if name != "activity"]
    lines = ["    " + f"{'activity':>9}" + "".join(f"{name:>24}" for name in names)]
    lines += ["    " + f"{share:>9}" + "".join(f"{row[name]:24.3f}" for name in names) for share, row in measured.items()]
    return lines
