"""One step of each network on the runtime, beside the same step as dense numpy products (a program without event-driven kernels).

The gesture network sees the frames of a simulated wave and the language model reads its own answer, so activity is that of real use.
The two ways take turns step by step with the same inputs. numpy's products use as many threads as its BLAS likes; the runtime uses one.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from app.engine.models import Models
from models import checkpoint
from models.checkpoint import Tensors
from models.chip import energy, firmware, placement
from models.chip.integer import Network
from models.chip.runtime import Runtime
from models.sampling import Sampling, sample
from pipeline.frames import frames_of
from pipeline.latency import percentiles
from pipeline.simulator import simulate

Floats = npt.NDArray[np.float32]


def run(seconds: float = 3.0) -> dict[str, Any]:
    """Figures per network: time of a step, share of units that fired, synaptic operations, and the dense step's time."""
    models = Models()
    runtime = models.runtime("host")
    figures: dict[str, Any] = {
        "gesture step": _gesture(runtime.gesture.step, runtime.gesture, checkpoint.load(models.gesture_path)[0], seconds),
        "language step": _language(runtime.language.step, runtime.language, checkpoint.load(models.language_path)[0], seconds),
    }
    return figures | {"energy on a chip": _energy(runtime, figures)}


def _energy(runtime: Runtime, figures: dict[str, Any]) -> dict[str, Any]:
    """Joules of these steps on a chip, estimated, beside what others have published."""
    programs = [runtime.gesture.program, runtime.language.program]
    plan = placement.place(programs, firmware.image())
    counts = _wave()
    pixels = float(np.count_nonzero(counts) / len(counts))
    said: dict[str, Any] = {"how": energy.SOURCE}
    for index, (program, events) in enumerate(zip(programs, (pixels, energy.token_events(programs[1])), strict=True)):
        step = figures[f"{program.kind} step"]
        estimate = energy.Costs(plan, index).step(step["operations"], events, [step["activity"]] * len(program.hidden))
        said[f"{program.kind} step"] = estimate.figures() | {"ms": round(estimate.seconds * 1e3, 2), "PEs": estimate.pes}
        said[f"{program.kind}, others"] = energy.PUBLISHED[program.kind]
    return said


def _wave() -> npt.NDArray[np.uint16]:
    """Windows of a simulated wave."""
    return frames_of(simulate("right_hand_wave", 0, 2_000_000), 128, 128).counts


class DenseNetwork:
    """The layers of a network in plain numpy: every weight of every step is multiplied."""

    def __init__(self, tensors: Tensors, readout: Floats, bias: Floats) -> None:
        depth = sum(name.endswith(".wx") for name in tensors)
        self._layers = [[tensors[f"layers.{index}.{name}"] for name in ("wx", "wh", "b", "d", "theta")] for index in range(depth)]
        self._h = [np.zeros_like(layer[-1]) for layer in self._layers]
        self._y = [np.zeros_like(layer[-1]) for layer in self._layers]
        self._readout, self._bias = readout, bias

    def step(self, x: Floats) -> Floats:
        """Scores after one step with the input x."""
        for index, (wx, wh, b, d, theta) in enumerate(self._layers):
            a_z, a_r, a_g = np.split(x @ wx + b, 3)
            q_z, q_r, q_g = np.split(self._y[index] @ wh + d, 3)
            z, r = (1 + np.tanh((a_z + q_z) / 2)) / 2, (1 + np.tanh((a_r + q_r) / 2)) / 2  # a sigmoid that cannot overflow
            c = z * self._h[index] + (1 - z) * np.tanh(a_g + r * q_g)
            fires = c > theta
            x = self._y[index] = np.where(fires, c, np.float32(0))
            self._h[index] = c - np.where(fires, theta, np.float32(0))
        return x @ self._readout + self._bias


def _gesture(step: Callable[[npt.NDArray[np.uint16]], Floats], network: Network, tensors: Tensors, seconds: float) -> dict[str, float]:
    counts = _wave()
    dense = DenseNetwork(tensors, tensors["readout.w"], tensors["readout.b"])

    def both() -> tuple[float, float]:
        window = counts[network.steps % len(counts)]
        begun = time.perf_counter()
        step(window)
        between = time.perf_counter()
        dense.step(np.log1p(window.reshape(-1).astype(np.float32)))
        return between - begun, time.perf_counter() - between

    return _measure(network, both, seconds)


def _language(step: Callable[[int], Floats], network: Network, tensors: Tensors, seconds: float) -> dict[str, float]:
    embedding = tensors["embedding"]
    dense = DenseNetwork(tensors, embedding.T, tensors["bias"])
    random, how, token = np.random.default_rng(0), Sampling(), 1

    def both() -> tuple[float, float]:
        nonlocal token
        given, begun = token, time.perf_counter()
        logits = step(given)
        between = time.perf_counter()
        dense.step(embedding[given])
        after = time.perf_counter()
        token = sample(logits, how, random)
        return between - begun, after - between

    return _measure(network, both, seconds)


def _measure(network: Network, both: Callable[[], tuple[float, float]], seconds: float) -> dict[str, float]:
    took, activity = [], []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        took.append(both())
        activity.append(network.activity)
    (median, p95), (dense, _) = (percentiles(column) for column in np.array(took).T * 1e3)
    return {
        "median ms": round(median, 4),
        "p95 ms": round(p95, 4),
        "dense numpy, median ms": round(dense, 4),
        "times dense": round(dense / median, 2),
        "activity": round(float(np.mean(activity)), 4),
        "operations": round(network.operations / network.steps),
    }
