"""EvNN's language models: EGRU layers between an embedding and a read-out, as its published checkpoints lay them out.

Layout (papers: Subramoney et al., ICLR 2023, arXiv 2206.06178; V words, E the embedding's width, layer l with I inputs and H units):

    embeddings.weight [V, E]          decoder.decoder.weight [V, E]    decoder.decoder.bias [V]       (E = H of the last layer)
    rnns.{l}.kernel [I, 3H]           rnns.{l}.recurrent_kernel [H, 3H]
    rnns.{l}.bias [3H]                rnns.{l}.recurrent_bias [3H]
    rnns.{l}.thr [H]                  in older checkpoints thr_reparam [H], of which the threshold is the sigmoid
    rnns.{l}.dampening_factor, .pseudo_derivative_support, ._max_norm    [1], of training only

Step, gates in the order z, r, g; e is 1 only strictly above the threshold, which is held between 0 and 1:

    a = x kernel + bias ;  q = y' recurrent_kernel + recurrent_bias
    z = sigmoid(a_z + q_z) ;  r = sigmoid(a_r + q_r) ;  g = tanh(a_g + r q_g)
    c = z h' + (1 - z) g ;  e = c > theta ;  y = e c ;  h = c - e theta

These are the steps of models/egru.py; what differs is the names. The package that wrote the checkpoints carries y from call to call and
begins every call with h = 0, so its own evaluation forgets the membrane every 70 words. Here (h, y) is the state and both are carried.

**What a token costs.** Outputs y are mostly 0, so the recurrent product, the next layer's and the read-out's fetch only the rows of units
that fired. Only the first layer reads every number of the embedding.
"""

import math
import re
from collections.abc import Callable, Mapping

import numpy as np
from numba import njit

from models.foreign.kernels import Floats, Int32s, Matrix, products
from models.foreign.network import Network, Tokens

Shape = tuple[int, ...]
Read = Callable[[str], Floats]

_TRAINING_ONLY = re.compile(r"rnns\.\d+\.(dampening_factor|pseudo_derivative_support|_max_norm)")
_MARK = "embeddings.weight"


def belongs(names: Mapping[str, Shape]) -> bool:
    """True where the names of tensors are those of an EvNN language model rather than of anything else."""
    return _MARK in names and any(name.startswith("rnns.") for name in names)


def layout(found: Mapping[str, Shape]) -> dict[str, Shape]:
    """Names and shapes of the tensors that a checkpoint with these must hold, sizes taken from the first few of them. ValueError where
    these do not exist."""
    vocabulary, width = _sizes(found, _MARK, 2)
    layers = 1 + max((int(name.split(".")[1]) for name in found if re.fullmatch(r"rnns\.\d{1,3}\.kernel", name)), default=-1)
    if not layers:
        raise ValueError("the tensor rnns.0.kernel is missing")
    wanted: dict[str, Shape] = {_MARK: (vocabulary, width)}
    into = width
    for layer in range(layers):
        units = _sizes(found, f"rnns.{layer}.recurrent_kernel", 2)[0]
        threshold = "thr_reparam" if f"rnns.{layer}.thr_reparam" in found else "thr"
        shapes = {"kernel": (into, 3 * units), "recurrent_kernel": (units, 3 * units), threshold: (units,)}
        shapes |= {"bias": (3 * units,), "recurrent_bias": (3 * units,)}
        wanted |= {f"rnns.{layer}.{name}": shape for name, shape in shapes.items()}
        into = units
    return wanted | {"decoder.decoder.weight": (vocabulary, into), "decoder.decoder.bias": (vocabulary,)}


def is_training_only(name: str) -> bool:
    """True for tensors of the layout that no step needs."""
    return _TRAINING_ONLY.fullmatch(name) is not None


def _sizes(found: Mapping[str, Shape], name: str, dimensions: int) -> Shape:
    if name not in found:
        raise ValueError(f"the tensor {name} is missing")
    if len(found[name]) != dimensions or 0 in found[name]:
        raise ValueError(f"{name} has the shape {list(found[name])} where {dimensions} sizes are needed")
    return found[name]


class _Layer:
    """One layer's weights."""

    def __init__(self, index: int, layout: Mapping[str, Shape], read: Read) -> None:
        prefix = f"rnns.{index}."
        self.below, self.own = Matrix(read(prefix + "kernel")), Matrix(read(prefix + "recurrent_kernel"))
        self.bias, self.recurrent_bias = read(prefix + "bias"), read(prefix + "recurrent_bias")
        if prefix + "thr" in layout:
            self.theta = read(prefix + "thr").clip(0, 1)
        else:
            self.theta = (1 / (1 + np.exp(-read(prefix + "thr_reparam").astype(np.float64)))).astype(np.float32)
        self.units = self.theta.size


class EvNN(Network):
    """An EGRU language model with a published checkpoint's weights. State: ``h.{l}``, ``y.{l}`` [H]; `activity` is by layer."""

    def __init__(self, layout: Mapping[str, Shape], read: Read) -> None:
        """`layout` as the function of that name gives it, `read` the tensors."""
        depth = sum(name.endswith(".kernel") for name in layout)
        self._layers = [_Layer(index, layout, read) for index in range(depth)]
        self._embedding = read(_MARK)
        self._readout, self._bias = Matrix(read("decoder.decoder.weight").T), read("decoder.decoder.bias")
        start = {f"{part}.{index}": np.zeros(layer.units, np.float32) for index, layer in enumerate(self._layers) for part in "hy"}
        sizes = ", ".join(str(layer.units) for layer in self._layers)
        parameters = sum(math.prod(shape) for shape in layout.values())
        super().__init__(len(self._embedding), start, f"EvNN, EGRU layers of {sizes} units, {parameters / 1e6:.1f} M numbers")
        self.dense = self._readout.dense + sum(layer.below.dense + layer.own.dense for layer in self._layers)

    def _advance(self, tokens: Tokens) -> tuple[Floats, tuple[float, ...]]:
        x = self._embedding[tokens]
        shares = []
        for index, layer in enumerate(self._layers):
            a, operations = layer.below.times(x)
            x = np.empty((tokens.size, layer.units), np.float32)
            state = self._state[f"h.{index}"], self._state[f"y.{index}"]
            own = layer.own.weights, layer.own.synapses
            fired, more = steps(a, layer.bias, *own, layer.recurrent_bias, layer.theta, *state, x)
            self.operations += operations + more
            shares.append(fired / x.size)
        logits, operations = self._readout.times(x)
        self.operations += operations
        logits += self._bias
        return logits, tuple(shares)


@njit(cache=True, nogil=True)
def steps(
    a: Floats, bias: Floats, recurrent: Floats, synapses: Int32s, recurrent_bias: Floats, theta: Floats, h: Floats, y: Floats, out: Floats
) -> tuple[int, int]:
    """The steps of one layer over T tokens: a [T, 3H] without `bias`, weights `recurrent` [H, 3H]; h, y [H] are replaced.

    `out` [T, H] gets the outputs. Returns how many of them fired and the operations of the recurrent products.
    """
    units = theta.size
    q = np.empty((1, 3 * units), np.float32)
    one = np.float32(1)
    fired = operations = 0
    for t in range(a.shape[0]):
        operations += products(y.reshape(1, units), recurrent, synapses, q)
        for j in range(units):
            z_of = a[t, j] + bias[j] + (q[0, j] + recurrent_bias[j])
            r_of = a[t, units + j] + bias[units + j] + (q[0, units + j] + recurrent_bias[units + j])
            r = one / (one + np.exp(-r_of))
            g = np.tanh(a[t, 2 * units + j] + bias[2 * units + j] + r * (q[0, 2 * units + j] + recurrent_bias[2 * units + j]))
            z = one / (one + np.exp(-z_of))
            c = z * h[j] + (one - z) * g
            fires = c > theta[j]
            y[j] = c if fires else np.float32(0)
            h[j] = c - theta[j] if fires else c
            fired += fires
        out[t] = y
    return fired, operations
