"""Random programs, and the arithmetic of models/chip/program.py once more: plain, slow, written from its docstring alone."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from models.chip import integer
from models.chip.program import (
    FEATURES,
    SIGMOID,
    TANH,
    Embedding,
    Int8s,
    Layer,
    LayerSignals,
    Program,
    Readout,
    Signals,
    State,
    largest_sums,
    tied,
)

Numbers = npt.NDArray[np.int64]
WEIGHTS = {"usual": 40, "extreme": 127, "zero": 0}
"""Kinds of random weights: the largest magnitude."""


def wide(values: Any) -> Numbers:
    return np.asarray(values).astype(np.int64)


def scale(v: Numbers, m: Any) -> Numbers:
    assert np.abs(v).max(initial=0) < 2**31
    return (v * wide(m) + 2**31) // 2**32


def mix(k: Any, s: Numbers, t: Numbers) -> Numbers:
    assert max(np.abs(s).max(initial=0), np.abs(t).max(initial=0)) < 2**29
    return t + (k * (s - t) + 2**14) // 2**15


def curve(table: Any, u: Numbers) -> Numbers:
    w = np.clip(u, -(2**15), 2**15 - 1) + 2**15
    i, f = w // 128, w % 128
    return wide(table)[i] + ((wide(table)[i + 1] - wide(table)[i]) * f + 64) // 128


def layer_step(layer: Layer, x: Numbers, h: Numbers, y: Numbers) -> LayerSignals:
    """One step from (h, y) with the events x."""
    sums_x, sums_y = x @ wide(layer.wx), y @ wide(layer.wh)
    a, q = scale(sums_x, layer.mx) + layer.b, scale(sums_y, layer.mh) + layer.d
    (a_z, a_r, a_g), (q_z, q_r, q_g) = np.split(a, 3), np.split(q, 3)
    z, r = curve(SIGMOID, a_z + q_z), curve(SIGMOID, a_r + q_r)
    g = curve(TANH, a_g + (r * np.clip(q_g, -(2**16), 2**16 - 1) + 2**14) // 2**15)
    c = mix(z, h, g * 256)
    e = c > layer.theta
    event, rest = np.where(e, (c + 128) // 256, 0), c - e * wide(layer.theta)
    return LayerSignals(*(part.astype(np.int32) for part in (sums_x, sums_y, a, q, z, r, g, c, event, rest)))


def step(program: Program, state: State, given: Any) -> tuple[Signals, State]:
    """One step of `program` from `state` with counts or a token; all signals, and the state after it."""
    if program.embedding is None:
        x = wide(FEATURES)[np.minimum(wide(given).ravel(), 255)]
    else:
        x = wide(program.embedding.rows[given]) * int(program.embedding.scale[given])
    first = x
    layers = []
    for layer, h, y in zip(program.layers, state.h, state.y, strict=True):
        layers.append(layer_step(layer, x, wide(h), wide(y)))
        x = wide(layers[-1].y)
    readout = program.readout
    sums = x @ wide(readout.w)
    p = scale(sums, readout.m)
    o = mix(readout.leak, wide(state.o) if state.o.size else np.zeros_like(p), p)
    ends = (part.astype(np.int32) for part in (sums, p, o, o + readout.b))
    after = State(tuple(s.h for s in layers), tuple(s.y.astype(np.int16) for s in layers), o.astype(np.int32) if readout.leak else state.o)
    return Signals(first.astype(np.int32), tuple(layers), *ends), after


def start(program: Program) -> State:
    """The state of a network that has seen nothing."""
    h = tuple(np.zeros(n, np.int32) for n in program.hidden)
    y = tuple(np.zeros(n, np.int16) for n in program.hidden)
    return State(h, y, np.zeros(program.readout.b.size if program.readout.leak else 0, np.int32))


def matrix(rng: np.random.Generator, sources: int, targets: int, density: float, largest: int) -> Int8s:
    """Random int8 [sources, targets]: either single weights or, half of the time, stretches of them."""
    values = rng.integers(-largest, largest + 1, (sources, targets)).astype(np.int8)
    if rng.random() < 0.5:
        kept = rng.random((sources, targets)) < density
    else:
        centre = rng.integers(0, targets, (sources, 1))
        kept = np.abs(np.arange(targets) - centre) < max(density * targets / 2, 0.5)
    return np.where(kept, values, np.int8(0))


def multipliers(rng: np.random.Generator, weights: Int8s, events: int, target: float) -> npt.NDArray[np.int32]:
    """One a target, so that its largest sum becomes at most about `target`; 2^28 where it has none."""
    sums = np.maximum(largest_sums(weights, np.full(len(weights), events), signed=True), 1)
    return np.minimum(target * 2.0**32 / sums * rng.random(sums.size), 2**28).astype(np.int32)


def layer(rng: np.random.Generator, inputs: int, units: int, density: float, largest: int, gain: float, theta: float) -> Layer:
    """A random layer whose gates see up to about `gain`."""
    wx, wh = matrix(rng, inputs, 3 * units, density, largest), matrix(rng, units, 3 * units, density, largest)
    b, d = rng.integers(-int(gain * 1000) - 1, int(gain * 1000) + 1, (2, 3 * units)).astype(np.int32)
    thresholds = (rng.random(units) * theta * 2**23).astype(np.int32)
    return Layer(wx, wh, multipliers(rng, wx, 32767, gain * 4096), multipliers(rng, wh, 32767, gain * 4096), b, d, thresholds)


def program(
    seed: int,
    kind: str,
    hidden: list[int],
    outputs: int = 5,
    inputs: int = 60,
    density: float = 0.5,
    largest: int = 40,
    gain: float = 30.0,
    theta: float = 0.4,
) -> Program:
    """A random program. `gain` is what the worst input gives a gate: few units fire at their limits below 10, most above 100.

    The embedding of a language program is as wide as its last layer, because its read-out is the embedding; `inputs` are of a gesture's.
    """
    rng = np.random.default_rng(seed)
    embedding = None
    if kind == "language":
        inputs = hidden[-1]
        rows = matrix(rng, outputs, inputs, max(density, 0.3), max(largest, 1))
        embedding = Embedding(rows, rng.integers(1, 256, outputs).astype(np.int16))
    layers = tuple(layer(rng, below, units, density, largest, gain, theta) for below, units in zip([inputs, *hidden], hidden, strict=False))
    w = matrix(rng, hidden[-1], outputs, density, largest)
    b = rng.integers(-(2**17), 2**17, outputs).astype(np.int32)
    readout = tied(embedding, b) if embedding else Readout(w, multipliers(rng, w, 32767, 2.0**20), b, leak=29491)
    metadata = {"config": {"hidden": hidden}, "labels": [f"class {i}" for i in range(outputs)]}
    return Program(kind, embedding, layers, readout, metadata)


def inputs(program: Program, seed: int, steps: int, mean: float = 0.2) -> list[Any]:
    """Random inputs for `program`: counts, among them windows without any and with the largest, or tokens."""
    rng = np.random.default_rng(seed)
    if program.embedding is not None:
        return [int(token) for token in rng.integers(0, len(program.embedding.rows), steps)]
    windows = rng.poisson(mean, (steps, program.inputs)).astype(np.uint16)
    windows[rng.random(steps) < 0.1] = 0
    windows[rng.random(steps) < 0.1] = 65535
    return list(windows)


def on_host(program: Program) -> Any:
    """The host's network."""
    return integer.GestureNetwork(program) if program.kind == "gesture" else integer.LanguageNetwork(program)


def same(mine: Any, theirs: Any, path: str = "") -> None:
    """Two dataclasses of arrays hold the same bits."""
    if isinstance(mine, np.ndarray):
        assert mine.dtype == theirs.dtype, path
        np.testing.assert_array_equal(mine, theirs, path)
    elif isinstance(mine, tuple):
        assert len(mine) == len(theirs)
        for index, (a, b) in enumerate(zip(mine, theirs, strict=True)):
            same(a, b, f"{path}[{index}]")
    else:
        for field in dataclasses.fields(mine):
            same(getattr(mine, field.name), getattr(theirs, field.name), f"{path}.{field.name}")


def continues(whole: Any, cut: Any, program: Program, seed: int, steps: int) -> None:
    """`cut`, whose state is saved, disturbed and put back at every step, stays what `whole` is that just goes on; both are new."""
    saved = cut.state
    for given in inputs(program, seed, steps):
        straight = whole.step(given)
        cut.step(inputs(program, seed + 1, 1)[0])
        cut.reset()
        cut.state = saved
        np.testing.assert_array_equal(cut.step(given), straight)
        saved = cut.state
    same(whole.state, saved)
