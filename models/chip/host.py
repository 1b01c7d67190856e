"""The networks in float32: event-driven, compiled, one step at a time. What programs (models/chip/integer.py) are compared with.

**Weights by source unit.** Every product is `out = bias + sum over k of x_k * w[k, :]`, with the row of a source unit contiguous, and the
row of a zero is never touched (`event_product`). Inputs are mostly empty pixels and outputs mostly silent units, so a step costs what
fires: at 10 % activity a tenth of the memory traffic, which is what bounds it. The chip does the same: an event fetches one synaptic row.
The rows fetched are counted, since energy is estimated from them.

**One order of summation.** Rows are added in ascending order of k, four at a time to save passes over `out`, and without fused or
reordered arithmetic (no fastmath), so a step depends on its input and state alone: N single steps equal one sequence of N, and a saved
state continues, bit for bit.

**State belongs to the caller.** (h, y) of every layer and the gesture read-out can be taken out, put back and reset; nothing else is
remembered between steps but counters.

The kernels release Python's lock, and a network has its own buffers, so two networks step in two threads at once. One network is for one
thread at a time.

Equations: DESIGN.md section 4, after Subramoney et al., "Efficient recurrent architectures through activity sparsity and sparse
back-propagation through time", ICLR 2023, equations 1-8; the torch reference is models/egru.py.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from models.checkpoint import Metadata, Tensors

Floats = npt.NDArray[np.float32]

TABLE_LIMIT_BYTES = 64 << 20
"""Largest product of embedding and input weights that is kept in memory; a larger vocabulary feeds its embedding row as a dense input."""

_ONE = np.float32(1)


@njit(cache=True, nogil=True)
def event_product(x: Floats, weights: Floats, bias: Floats, out: Floats) -> int:
    """out [M] = bias [M] + x [N] @ weights [N, M], skipping zeros of x; the number of rows fetched."""
    for j in range(out.size):
        out[j] = bias[j]
    fetched = 0
    k0 = k1 = k2 = 0
    for source in range(x.size):
        if x[source] == 0:
            continue
        fetched += 1
        if fetched & 3 == 0:
            _add_four(x, weights, k0, k1, k2, source, out)
        k0, k1, k2 = k1, k2, source
    if fetched & 3 == 3:
        _add_one(x, weights, k0, out)
    if fetched & 3 >= 2:
        _add_one(x, weights, k1, out)
    if fetched & 3 >= 1:
        _add_one(x, weights, k2, out)
    return fetched


@njit(cache=True, nogil=True)
def _add_one(x: Floats, weights: Floats, k: int, out: Floats) -> None:
    """Add the weighted row k to `out`."""
    value, row = x[k], weights[k]
    for j in range(out.size):
        out[j] += value * row[j]


@njit(cache=True, nogil=True)
def _add_four(x: Floats, weights: Floats, k0: int, k1: int, k2: int, k3: int, out: Floats) -> None:
    """Add the weighted rows k0 to k3 to `out`, in this order: as four times `_add_one`, in one pass over `out`."""
    x0, x1, x2, x3 = x[k0], x[k1], x[k2], x[k3]
    row0, row1, row2, row3 = weights[k0], weights[k1], weights[k2], weights[k3]
    for j in range(out.size):
        out[j] = (((out[j] + x0 * row0[j]) + x1 * row1[j]) + x2 * row2[j]) + x3 * row3[j]


@njit(cache=True, nogil=True)
def gates(a: Floats, q: Floats, theta: Floats, h: Floats, y: Floats) -> int:
    """One EGRU update from the sums a, q [3H] (gates z, r, g); h, y [H] are replaced by the next. The number of units that fired."""
    units = h.size
    fired = 0
    for j in range(units):
        z = _ONE / (_ONE + math.exp(-(a[j] + q[j])))
        r = _ONE / (_ONE + math.exp(-(a[units + j] + q[units + j])))
        g = math.tanh(a[2 * units + j] + r * q[2 * units + j])
        c = z * h[j] + (_ONE - z) * g
        if c > theta[j]:
            fired += 1
            y[j] = c
            h[j] = c - theta[j]
        else:
            y[j] = 0
            h[j] = c
    return fired


@njit(cache=True, nogil=True)
def leak_towards(state: Floats, target: Floats, leak: np.float32) -> None:
    """state = leak * state + (1 - leak) * target, in place."""
    for j in range(state.size):
        state[j] = leak * state[j] + (_ONE - leak) * target[j]


@dataclass(frozen=True, slots=True)
class State:
    """All that a network remembers, as copies: put into a network with the same sizes, it continues bit for bit."""

    h: tuple[Floats, ...]
    """[H] per layer: membranes after the last step."""
    y: tuple[Floats, ...]
    """[H] per layer: outputs of the last step, graded events."""
    readout: Floats
    """[H_last]: the leaky read-out of the gesture network; empty for the language network."""


class Layer:
    """One EGRU layer of H units with I inputs, with its state."""

    def __init__(self, tensors: Tensors, index: int) -> None:
        names = ("wx", "wh", "b", "d", "theta")
        self.wx, self.wh, self.b, self.d, self.theta = (_own(tensors[f"layers.{index}.{name}"]) for name in names)
        self.h = np.zeros(self.theta.size, np.float32)
        self.y = np.zeros(self.theta.size, np.float32)
        self.fired = 0
        self._a = np.zeros(self.b.size, np.float32)
        self._q = np.zeros(self.b.size, np.float32)

    def step(self, x: Floats) -> int:
        """Advance by one step with the input x [I]; the rows of weights fetched."""
        return event_product(x, self.wx, self.b, self._a) + self.step_from(self._a)

    def step_from(self, a: Floats) -> int:
        """Advance by one step with the input's sum a = x @ wx + b [3H] given; the rows of weights fetched."""
        fetched = event_product(self.y, self.wh, self.d, self._q)
        self.fired = gates(a, self._q, self.theta, self.h, self.y)
        return fetched


class Network:
    """What both networks have in common: layers, explicit state, counters."""

    def __init__(self, tensors: Tensors, metadata: Metadata) -> None:
        self.metadata = metadata
        self.steps = 0
        """Steps since loading: the heartbeat."""
        self.operations = 0
        """Synaptic operations since loading: every weight of every row fetched, of the layers and the read-out."""
        self._layers = [Layer(tensors, index) for index in range(len(metadata["config"]["hidden"]))]
        self._readout = np.zeros(0, np.float32)

    @property
    def activity(self) -> tuple[float, ...]:
        """Share of units that fired in the last step, per layer."""
        return tuple(layer.fired / layer.h.size for layer in self._layers)

    @property
    def state(self) -> State:
        """A copy of the state."""
        layers = self._layers
        return State(tuple(layer.h.copy() for layer in layers), tuple(layer.y.copy() for layer in layers), self._readout.copy())

    @state.setter
    def state(self, state: State) -> None:
        """Continue from `state`, which is copied. ValueError if it is of a network of other sizes."""
        mine = [*(layer.h for layer in self._layers), *(layer.y for layer in self._layers), self._readout]
        theirs = [*state.h, *state.y, state.readout]
        if [part.shape for part in mine] != [part.shape for part in theirs]:
            raise ValueError("the state is of a network of other sizes")
        for own, given in zip(mine, theirs, strict=True):
            own[:] = given

    def reset(self) -> None:
        """Forget everything: h = y = 0, and the read-out."""
        for layer in self._layers:
            layer.h.fill(0)
            layer.y.fill(0)
            layer.fired = 0
        self._readout.fill(0)

    def _count_rows(self, layer: Layer, rows: int) -> None:
        self.operations += rows * layer.b.size

    def _through(self, first: int, x: Floats) -> Floats:
        """Step the layers from `first` on with the input x; the last layer's output."""
        for layer in self._layers[first:]:
            self._count_rows(layer, layer.step(x))
            x = layer.y
        self.steps += 1
        return x


class GestureNetwork(Network):
    """Counts of a window in, logits out: log1p, EGRU layers, a leaky read-out o = leak * o + (1 - leak) * y, logits = o @ w + b."""

    def __init__(self, tensors: Tensors, metadata: Metadata) -> None:
        super().__init__(tensors, metadata)
        self.labels = tuple(metadata["labels"])
        self._leak = np.float32(metadata["config"]["leak"])
        self._w = _own(tensors["readout.w"])
        self._b = _own(tensors["readout.b"])
        self._readout = np.zeros(self._w.shape[0], np.float32)
        self._log1p = np.log1p(np.arange(1 << 16, dtype=np.float32))
        self._x = np.zeros(metadata["config"]["inputs"], np.float32)

    def step(self, counts: npt.NDArray[np.uint16]) -> Floats:
        """logits [classes] after a window with counts [2, 32, 32] (polarity OFF and ON, row, column); ValueError for another shape."""
        if counts.dtype != np.uint16 or counts.size != self._x.size:
            raise ValueError(f"the counts are {counts.dtype}{list(counts.shape)}, not {self._x.size} numbers of uint16")
        np.take(self._log1p, counts.reshape(-1), out=self._x, mode="clip")
        y = self._through(0, self._x)
        leak_towards(self._readout, y, self._leak)
        logits = np.empty(len(self.labels), np.float32)
        self.operations += event_product(self._readout, self._w, self._b, logits) * logits.size
        return logits


class LanguageNetwork(Network):
    """A token in, logits of the next token out: embedding, EGRU layers, a read-out tied to the embedding.

    A token is one of V dense vectors, so what it contributes to the first layer is one of V sums, `embedding[token] @ wx + b`: they are
    computed once when the weights are loaded, and a step fetches one row of 3H numbers instead of E of them. The table takes V * 3H * 4
    bytes (25 MB for 4,096 tokens and 512 units); above `TABLE_LIMIT_BYTES` there is none. Both ways agree to rounding.

    The read-out keeps the embedding by unit of the last layer, [E, V], so that only units that fired are multiplied.
    """

    def __init__(self, tensors: Tensors, metadata: Metadata) -> None:
        super().__init__(tensors, metadata)
        self._embedding = _own(tensors["embedding"])
        self._rows_by_unit = _own(self._embedding.T)
        self._bias = _own(tensors["bias"])
        first = self._layers[0]
        self._table: Floats | None = None
        if self._bias.size * first.b.nbytes <= TABLE_LIMIT_BYTES:
            self._table = self._embedding @ first.wx + first.b

    @property
    def vocabulary(self) -> int:
        """Number of tokens V."""
        return self._bias.size

    def step(self, token: int) -> Floats:
        """logits [V] of the token that follows `token`. ValueError for a token outside the vocabulary."""
        if not 0 <= token < self._bias.size:
            raise ValueError(f"there is no token {token} in a vocabulary of {self._bias.size}")
        if self._table is None:
            y = self._through(0, self._embedding[token])
        else:
            first = self._layers[0]
            self._count_rows(first, 1 + first.step_from(self._table[token]))
            y = self._through(1, first.y)
        logits = np.empty(self._bias.size, np.float32)
        self.operations += event_product(y, self._rows_by_unit, self._bias, logits) * logits.size
        return logits


def _own(values: Floats) -> Floats:
    """A contiguous, writable float32 array, the one type that the kernels are compiled for."""
    return np.require(values, np.float32, ("C", "W"))
