"""What the networks of others compute with: products, of which only what fires costs anything, and LayerNorm. Compiled, in float32.

**Order of summation.** A spike is a comparison, so a sum that is rounded differently may become another text. Every element of `products`
is therefore summed over the events of its own token, in the order of the sources and four at a time, and nothing else: not how many tokens
are read at once, nor what the others hold. N single steps so equal a sequence of N to the last bit, and the same weights give the same text
on every run. (No `fastmath`: it would let the compiler choose the order.)

**Speed.** Weights are stored by source, so a source that is zero has its row neither read nor multiplied. Columns are taken `COLUMNS` at
a time for all tokens: that part of the matrix stays in the second-level cache while it is used again for every token of a prompt.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Floats = npt.NDArray[np.float32]
Int32s = npt.NDArray[np.int32]

COLUMNS = 512
EPSILON = 1e-5
"""LayerNorm's, as torch has it."""


@njit(cache=True, nogil=True)
def products(x: Floats, weights: Floats, synapses: Int32s, out: Floats) -> int:
    """out [T, M] = x [T, K] @ weights [K, M], rows of sources other than 0 only. Returns the operations: the sum of `synapses` [K] over
    these sources of all tokens."""
    tokens, width = out.shape
    sources = np.empty(x.shape, np.int32)
    events = np.zeros(tokens, np.int64)
    operations = 0
    for t in range(tokens):
        for k in range(x.shape[1]):
            if x[t, k] != 0:
                sources[t, events[t]] = k
                events[t] += 1
                operations += synapses[k]
    for begin in range(0, width, COLUMNS):
        end = min(begin + COLUMNS, width)
        for t in range(tokens):
            _rows(x[t], weights, sources[t, : events[t]], begin, end, out[t, begin:end])
    return operations


@njit(cache=True, nogil=True)
def _rows(x: Floats, weights: Floats, sources: Int32s, begin: int, end: int, out: Floats) -> None:
    """out [end - begin] = the sum over `sources` of x times columns begin to end of the weights."""
    out[:] = 0
    grouped = sources.size - sources.size % 4
    for i in range(0, grouped, 4):
        k0, k1, k2, k3 = sources[i], sources[i + 1], sources[i + 2], sources[i + 3]
        x0, x1, x2, x3 = x[k0], x[k1], x[k2], x[k3]
        row0, row1, row2, row3 = weights[k0, begin:end], weights[k1, begin:end], weights[k2, begin:end], weights[k3, begin:end]
        for j in range(out.size):
            out[j] += x0 * row0[j] + x1 * row1[j] + x2 * row2[j] + x3 * row3[j]
    for i in range(grouped, sources.size):
        x0, row0 = x[sources[i]], weights[sources[i], begin:end]
        for j in range(out.size):
            out[j] += x0 * row0[j]


@njit(cache=True, nogil=True)
def layer_norm(x: Floats, weight: Floats, bias: Floats, out: Floats) -> None:
    """out [T, D] = LayerNorm of every row of x [T, D]; `out` may be x. Mean and variance are summed in float64."""
    width = x.shape[1]
    for t in range(x.shape[0]):
        total = squares = 0.0
        for j in range(width):
            total += x[t, j]
        mean = total / width
        for j in range(width):
            squares += (x[t, j] - mean) ** 2
        factor = 1 / np.sqrt(squares / width + EPSILON)
        for j in range(width):
            out[t, j] = np.float32((x[t, j] - mean) * factor) * weight[j] + bias[j]


class Matrix:
    """Weights by source [K, M], with the number of those other than 0 in every row."""

    def __init__(self, weights: npt.NDArray[Any]) -> None:
        self.weights: Floats = np.ascontiguousarray(weights, np.float32)
        self.synapses = np.count_nonzero(self.weights, axis=1).astype(np.int32)

    @property
    def shape(self) -> tuple[int, int]:
        """(K, M)."""
        return self.weights.shape[0], self.weights.shape[1]

    @property
    def dense(self) -> int:
        """Operations of a token of which no source is 0."""
        return int(self.synapses.sum(dtype=np.int64))

    def times(self, x: Floats) -> tuple[Floats, int]:
        """x [T, K] times the weights, [T, M], and the operations it took: weights other than 0 of every row that an event fetched."""
        out = np.empty((len(x), self.weights.shape[1]), np.float32)
        return out, products(x, self.weights, self.synapses, out)
