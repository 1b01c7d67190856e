"""The networks on the host, as programs: the arithmetic of models/chip/program.py, event-driven and compiled.

Every sum is exact, so rows are added in whatever order is fastest, and the outcome is the chip's bit for bit. The cost of a step follows
what fires: a source without an event has its row neither read nor multiplied. Weights stay int8 in memory, a quarter of float32's traffic.

**Two layouts.** A vector unit multiplies neighbours, zeros included, far faster than a processor scatters single synapses: at a density of
one in twenty both take the same time. So the rows of a matrix are stored whole and added four at a time (`whole_rows`), or, where a row's
weights lie in a few stretches as those of a local layer do, as these stretches (`stretches`); `Matrix` takes what costs less.

What a token gives to the first layer, A of layer 0, is one of V sums. They are made once, when a program is loaded, and looked up, unless
that takes more than `TABLE_LIMIT_BYTES`. `operations` counts what the chip does in either case: synapses, that is weights other than 0, of
every row that an event fetches.

The kernels release Python's lock, and a network has its own buffers, so two networks step in two threads at once. One network is for one
thread at a time.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from models.chip.program import (
    FEATURES,
    LOGIT_BITS,
    MAX_EVENT,
    MAX_READOUT,
    MAX_STATE,
    SIGMOID,
    TANH,
    Embedding,
    Int8s,
    Int16s,
    Int32s,
    Layer,
    LayerSignals,
    Program,
    Readout,
    Signals,
    State,
)

Floats = npt.NDArray[np.float32]

TABLE_LIMIT_BYTES = 64 << 20
"""Largest table of a vocabulary's sums that is kept; a larger vocabulary feeds its embedding row as events."""
GAP = 16
"""Zeros in a row that are rather multiplied than skipped: beginning another stretch costs as much."""


@njit(cache=True, nogil=True)
def whole_rows(x: Int16s, weights: Int8s, synapses: Int32s, sources: Int32s, out: Int32s) -> int:
    """out [M] = x [K] @ weights [K, M], rows of events only. Returns the operations: the sum of `synapses` [K] over events.

    `sources` [K] is scratch.
    """
    events = operations = 0
    for k in range(x.size):
        if x[k] != 0:
            sources[events] = k
            events += 1
            operations += synapses[k]
    out[:] = 0
    grouped = events - events % 4
    for i in range(0, grouped, 4):
        k0, k1, k2, k3 = sources[i], sources[i + 1], sources[i + 2], sources[i + 3]
        x0, x1, x2, x3 = x[k0], x[k1], x[k2], x[k3]
        row0, row1, row2, row3 = weights[k0], weights[k1], weights[k2], weights[k3]
        for j in range(out.size):
            out[j] += x0 * row0[j] + x1 * row1[j] + x2 * row2[j] + x3 * row3[j]
    for i in range(grouped, events):
        x0, row0 = x[sources[i]], weights[sources[i]]
        for j in range(out.size):
            out[j] += x0 * row0[j]
    return operations


@njit(cache=True, nogil=True)
def stretches(x: Int16s, weights: Int8s, synapses: Int32s, first: Int32s, begin: Int32s, offset: Int32s, out: Int32s) -> int:
    """As `whole_rows`, with rows as stretches: row k is the stretches first[k] to first[k + 1], stretch s the `weights` from offset[s] to
    offset[s + 1], and reaches targets from begin[s] on."""
    operations = 0
    out[:] = 0
    for k in range(x.size):
        if x[k] == 0:
            continue
        operations += synapses[k]
        value = x[k]
        for s in range(first[k], first[k + 1]):
            row = weights[offset[s] : offset[s + 1]]
            part = out[begin[s] : begin[s] + row.size]
            for j in range(row.size):
                part[j] += value * row[j]
    return operations


@njit(cache=True, nogil=True, inline="always")
def _scale(value: int, multiplier: int) -> int:
    return int((np.int64(value) * multiplier + (1 << 31)) >> 32)


@njit(cache=True, nogil=True, inline="always")
def _mix(share: int, old: int, new: int) -> int:
    return int(new + ((share * (np.int64(old) - new) + (1 << 14)) >> 15))


@njit(cache=True, nogil=True, inline="always")
def _curve(table: Int16s, u: int) -> int:
    w = min(max(u, -32768), 32767) + 32768
    i = w >> 7
    return table[i] + (((np.int32(table[i + 1]) - table[i]) * (w & 127) + 64) >> 7)


@njit(cache=True, nogil=True)
def advance(
    sums: Int32s,
    mx: Int32s,
    mh: Int32s,
    b: Int32s,
    d: Int32s,
    theta: Int32s,
    sigmoid: Int16s,
    tanh: Int16s,
    inputs: Int32s,
    gates: Int32s,
    h: Int32s,
    y: Int16s,
) -> int:
    """The units' step from `sums` [2, 3H], A and Q: h, y [H] are replaced; `inputs` [2, 3H] gets a, q, and `gates` [4, H] z, r, g, c.

    Returns how many units fired. The tables are arguments because compiled code on disk would keep those it was compiled with.
    """
    units = theta.size
    for j in range(3 * units):
        inputs[0, j] = _scale(sums[0, j], mx[j]) + b[j]
        inputs[1, j] = _scale(sums[1, j], mh[j]) + d[j]
    a, q = inputs[0], inputs[1]
    fired = 0
    for j in range(units):
        z = _curve(sigmoid, a[j] + q[j])
        r = _curve(sigmoid, a[units + j] + q[units + j])
        q_g = min(max(q[2 * units + j], -65536), 65535)
        g = _curve(tanh, a[2 * units + j] + ((r * q_g + (1 << 14)) >> 15))
        c = _mix(z, h[j], g << 8)
        gates[0, j], gates[1, j], gates[2, j], gates[3, j] = z, r, g, c
        fires = c > theta[j]
        y[j] = (c + 128) >> 8 if fires else 0
        h[j] = c - theta[j] if fires else c
        fired += y[j] != 0
    return fired


@njit(cache=True, nogil=True)
def answer(sums: Int32s, m: Int32s, b: Int32s, leak: int, p: Int32s, o: Int32s, logits: Int32s, out: Floats) -> None:
    """The read-out's step from P = `sums` [M]: `o` [M] is replaced, `p`, `logits` and `out` (logits as float32) are filled."""
    for i in range(p.size):
        p[i] = _scale(sums[i], m[i])
        o[i] = _mix(leak, o[i], p[i])
        logits[i] = o[i] + b[i]
        out[i] = logits[i] * np.float32(2.0**-LOGIT_BITS)


@njit(cache=True, nogil=True)
def features(counts: npt.NDArray[np.uint16], table: Int16s, x: Int16s) -> None:
    """x [K] = the entries of `table` at counts [K], beyond it its last."""
    last = table.size - 1
    for k in range(x.size):
        x[k] = table[min(counts[k], last)]


class Matrix:
    """The rows of a weight matrix [K, M] in the cheaper of the two layouts."""

    def __init__(self, weights: Int8s) -> None:
        self.synapses = np.count_nonzero(weights, 1).astype(np.int32)
        self._first, self._begin, self._offset, kept = stretched(weights)
        self.whole = 2 * (kept.size + GAP * self._begin.size) > weights.size
        """True where every row is stored with all its zeros."""
        self._rows = np.ascontiguousarray(weights) if self.whole else kept
        self._sources = np.zeros(weights.shape[0], np.int32)

    def add(self, x: Int16s, out: Int32s) -> int:
        """out [M] = the sums of the events in x [K]; the operations it takes."""
        if self.whole:
            return whole_rows(x, self._rows, self.synapses, self._sources, out)
        return stretches(x, self._rows, self.synapses, self._first, self._begin, self._offset, out)


def stretched(weights: Int8s) -> tuple[Int32s, Int32s, Int32s, Int8s]:
    """(first [K + 1], begin [S], offset [S + 1], weights) as `stretches` takes them: a row is cut where more than `GAP` zeros follow."""
    row, column = np.nonzero(weights)
    apart = np.flatnonzero((np.diff(row) > 0) | (np.diff(column) > GAP))
    heads, tails = np.append(0, apart + 1)[: row.size], np.append(apart, row.size - 1)[: row.size]
    first = np.searchsorted(row[heads], np.arange(weights.shape[0] + 1)).astype(np.int32)
    begin, lengths = column[heads], column[tails] + 1 - column[heads]
    offset = np.append(0, np.cumsum(lengths))
    places = np.repeat(row[heads] * weights.shape[1] + begin - offset[:-1], lengths) + np.arange(offset[-1])
    return first, begin.astype(np.int32), offset.astype(np.int32), weights.ravel()[places]


class _Units:
    """One layer with its state and the signals of its last step."""

    def __init__(self, layer: Layer) -> None:
        units = layer.theta.size
        self.layer = layer
        self.below, self.own = Matrix(layer.wx), Matrix(layer.wh)
        self.sums, self.inputs = np.zeros((2, 3 * units), np.int32), np.zeros((2, 3 * units), np.int32)
        self.gates = np.zeros((4, units), np.int32)
        self.h, self.y = np.zeros(units, np.int32), np.zeros(units, np.int16)
        self.fired = 0

    def step(self, x: Int16s) -> int:
        """Advance with the events x [I]; the operations it takes."""
        return self.below.add(x, self.sums[0]) + self.advance()

    def advance(self) -> int:
        """Advance with A in its place already; the operations it takes."""
        operations = self.own.add(self.y, self.sums[1])
        of = self.layer
        ends = self.inputs, self.gates, self.h, self.y
        self.fired = advance(self.sums, of.mx, of.mh, of.b, of.d, of.theta, SIGMOID, TANH, *ends)
        return operations

    def signals(self) -> LayerSignals:
        """Those of the last step, as copies."""
        (a, q), (z, r, g, c) = self.inputs.copy(), self.gates.copy()
        return LayerSignals(self.sums[0].copy(), self.sums[1].copy(), a, q, z, r, g, c, self.y.astype(np.int32), self.h.copy())


class _Answers:
    """The read-out with its state and the signals of its last step."""

    def __init__(self, readout: Readout) -> None:
        self._readout, self.matrix = readout, Matrix(readout.w)
        self.sums, self.p, self.o, self.logits = np.zeros((4, readout.b.size), np.int32)

    def step(self, y: Int16s) -> tuple[Floats, int]:
        """Logits after the events y [K], and the operations it takes."""
        operations = self.matrix.add(y, self.sums)
        out = np.empty(self.logits.size, np.float32)
        answer(self.sums, self._readout.m, self._readout.b, self._readout.leak, self.p, self.o, self.logits, out)
        return out, operations


def _shapes(state: State) -> list[tuple[int, ...]]:
    parts: list[npt.NDArray[Any]] = [*state.h, *state.y, state.o]
    return [part.shape for part in parts]


class Network:
    """What both networks have in common: layers, explicit state, counters."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.metadata = program.metadata
        self.steps = 0
        """Steps since loading: the heartbeat."""
        self.operations = 0
        """Synaptic operations since loading: weights other than 0 of every row that an event fetched."""
        self._units = [_Units(layer) for layer in program.layers]
        self._answers = _Answers(program.readout)
        self._x = np.zeros(program.inputs, np.int16)

    @property
    def activity(self) -> tuple[float, ...]:
        """Share of units that fired in the last step, per layer."""
        return tuple(units.fired / units.h.size for units in self._units)

    @property
    def events(self) -> int:
        """Of the last step: inputs other than 0, and units that fired."""
        return int(np.count_nonzero(self._x)) + sum(units.fired for units in self._units)

    @property
    def state(self) -> State:
        """A copy of the state."""
        h, y = tuple(units.h.copy() for units in self._units), tuple(units.y.copy() for units in self._units)
        return State(h, y, self._answers.o.copy() if self.program.readout.leak else np.zeros(0, np.int32))

    @state.setter
    def state(self, state: State) -> None:
        """Continue from `state`, which is copied. ValueError if it is of a network of other sizes, or holds what no step can leave."""
        if _shapes(self.state) != _shapes(state):
            raise ValueError("the state is of a network of other sizes")
        for values, low, high in ((state.h, -MAX_STATE, MAX_STATE), (state.y, 0, MAX_EVENT), ((state.o,), -MAX_READOUT, MAX_READOUT)):
            if any(part.size and not low <= part.min() <= part.max() <= high for part in values):
                raise ValueError("the state holds what no step can leave")
        for units, h, y in zip(self._units, state.h, state.y, strict=True):
            units.h[:], units.y[:] = h, y
        if state.o.size:
            self._answers.o[:] = state.o

    def go_on(self, state: State) -> None:
        """Continue from `state` of a network with the same layers but more or fewer classes: new classes have been heard nothing of."""
        common = min(state.o.size, self._answers.o.size)
        o = np.zeros(self.state.o.size, np.int32)
        o[:common] = state.o[:common]
        self.state = State(state.h, state.y, o)

    def reset(self) -> None:
        """Forget everything: h = y = 0, and the read-out."""
        for units in self._units:
            units.h.fill(0)
            units.y.fill(0)
            units.fired = 0
        self._answers.o.fill(0)

    @property
    def signals(self) -> Signals:
        """Every signal of the last step, as copies."""
        answers = self._answers
        ends = (answers.sums.copy(), answers.p.copy(), answers.o.copy(), answers.logits.copy())
        return Signals(self._x.astype(np.int32), tuple(units.signals() for units in self._units), *ends)

    def _through(self, first: int, x: Int16s) -> Floats:
        """Step the layers from `first` on with the events x, and the read-out; the logits."""
        for units in self._units[first:]:
            self.operations += units.step(x)
            x = units.y
        logits, operations = self._answers.step(x)
        self.operations += operations
        self.steps += 1
        return logits


class GestureNetwork(Network):
    """Counts of a window in, logits out."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.labels = tuple(program.metadata["labels"])

    def step(self, counts: npt.NDArray[np.uint16]) -> Floats:
        """logits [classes] after a window with counts [2, 32, 32] (polarity OFF and ON, row, column); ValueError for another shape."""
        if counts.dtype != np.uint16 or counts.size != self._x.size:
            raise ValueError(f"the counts are {counts.dtype}{list(counts.shape)}, not {self._x.size} numbers of uint16")
        features(np.require(counts.reshape(-1), requirements=("C", "W")), FEATURES, self._x)  # copied if not of the compiled type
        return self._through(0, self._x)


class LanguageNetwork(Network):
    """A token in, logits of the next token out."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        assert program.embedding is not None
        self._embedding = program.embedding
        self._table: Int32s | None = None
        if len(program.embedding.rows) * program.layers[0].mx.nbytes <= TABLE_LIMIT_BYTES:
            self._table = _table(program.embedding, program.layers[0].wx)
            synapses = self._units[0].below.synapses
            self._table_operations = (program.embedding.rows != 0) @ synapses

    @property
    def vocabulary(self) -> int:
        """Number of tokens V."""
        return self._answers.logits.size

    def step(self, token: int) -> Floats:
        """logits [V] of the token that follows `token`. ValueError for a token outside the vocabulary."""
        if not 0 <= token < self.vocabulary:
            raise ValueError(f"there is no token {token} in a vocabulary of {self.vocabulary}")
        np.multiply(self._embedding.rows[token], self._embedding.scale[token], out=self._x)
        if self._table is None:
            return self._through(0, self._x)
        first = self._units[0]
        first.sums[0] = self._table[token]
        self.operations += int(self._table_operations[token]) + first.advance()
        return self._through(1, first.y)


def _table(embedding: Embedding, wx: Int8s) -> Int32s:
    """[V, 3H]: A of layer 0 for every token.

    Exact in float32: that no sum of the read-out, which has the same numbers, can overflow means that those of a row add up to at most
    2 * 2^31 / 32767 = 131,076 in magnitude, and 127 times that is below 2^24.
    """
    sums = (embedding.rows.astype(np.float32) @ wx.astype(np.float32)).astype(np.int32)
    sums *= embedding.scale[:, None]
    return sums
