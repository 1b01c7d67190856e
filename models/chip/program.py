"""A trained network as integers, and the one arithmetic by which the host, the emulated chip and the chip compute it.

Everything below is exact: 32-bit two's complement integers, no floating point, no order of summation that matters. Whoever follows this
text computes the same bits, so any two executors can be compared signal by signal (DESIGN.md section 5). A `Program` can only be made if
its own weights prove that nothing overflows, whatever the input (`bounds`).

**Notation.** Qn: an integer v stands for the number v / 2^n. ``>>`` is the arithmetic shift, rounding towards minus infinity.
All operations are of 32 bits but for the products inside `scale` and `mix`, which are exact (64 bits) before their shift.

    scale(v, m)    = (v m + 2^31) >> 32           v int32, 0 <= m < 2^31           Cortex-M4: SMMULR v, m
    mix(k, s, t)   = t + ((k (s - t) + 2^14) >> 15)        0 <= k < 2^15, |s|, |t| < 2^29
                                                  Cortex-M4: t + SMMULR((s - t) << 1, k << 16); it lies between s and t, both included
    clamp(v, n)    = v limited to -2^(n-1) .. 2^(n-1) - 1                          Cortex-M4: SSAT
    curve(T, u)    : w = clamp(u, 16) + 2^15 ;  i = w >> 7 ;  f = w & 127 ;  T[i] + (((T[i + 1] - T[i]) f + 64) >> 7)

`SIGMOID` and `TANH` (513 entries, int16) hold the functions at u = -8 + i / 32 as Q15: straight lines between points 1/32 apart, at most 4
units of Q15 beside the function. Beyond +-8 they stay at their last value, so z and r are within 11 .. 32757.

**Inputs of a step**, int16 values of the sources of layer 0; a source of value 0 is no event and costs nothing.

    gesture     x[k] = FEATURES[min(count[k], 255)]     Q12: log(1 + count), count of pixel k in the order polarity, row, column
    language    x[k] = E[token, k] n[token]             Q12: the embedding's row, int8, times its scale, 1 <= n <= 255

**A layer** of I sources below (events x) and H units, columns j of 3H in the order z, r, g (column = gate H + unit):

    A[j] = sum over k of x[k]  wx[k, j]           int32; x of this step: inputs (Q12), or y of the layer below (Q15)
    Q[j] = sum over k of y'[k] wh[k, j]           int32; y' of the step before, Q15
    a[j] = scale(A[j], mx[j]) + b[j]              Q12
    q[j] = scale(Q[j], mh[j]) + d[j]              Q12
    z    = curve(SIGMOID, a_z + q_z)              Q15
    r    = curve(SIGMOID, a_r + q_r)              Q15
    g    = curve(TANH, a_g + ((r clamp(q_g, 17) + 2^14) >> 15))       Q15
    c    = mix(z, h', g << 8)                     Q23
    if c > theta:  y = (c + 128) >> 8 ;  h = c - theta        y Q15, h Q23
    else:          y = 0 ;               h = c

y is never negative and at most 32767. A unit is said to fire, and sends an event with the value y, where y > 0: a unit that passes its
threshold with c < 2^-16 is reset but sends nothing, because an event of value 0 changes nothing.

**The read-out** of K sources (y of the last layer) and M targets, classes or tokens:

    P[i] = sum over k of y[k] w[k, i]             int32
    p[i] = scale(P[i], m[i])                      Q16
    o[i] = mix(leak, o'[i], p[i])                 Q16; language: leak = 0, hence o = p and no state
    logit[i] = o[i] + b[i]                        Q16

The leaky average is taken of the M products and not, as in training, of the K outputs before the product: both are linear, so it is the
same number, with M cells of state instead of K, and only units that fired are multiplied. For the language network w[k, i] = E[i, k] and
m[i] = n[i] 2^21, without leak: the embedding and the read-out are the same numbers, and a column of w is a token's row.

**State**: h int32 and y int16 of every layer, o int32. Nothing else is remembered; zeros are the state of a network that has seen nothing.

**Why these formats.** Weights are int8 (-127 .. 127) with one step per target, which is exact to undo after the sum; a step per source
could not be. The multiplier m = step 2^(32 + 12 - n) (Qn: format of the events) holds the step to 20 bits and more, in one instruction.
h has eight more bits than y because a keep gate near 1 moves it by less than a unit of Q15 a step: rounded to 16 bits, a membrane with
z = 0.999 would stop decaying at 0.015. |c| <= 1 always (c lies between h and g, and 0 <= theta <= 1), so Q23 cannot overflow.

**Bounds** (`Program` checks them and refuses with the numbers). Let X[k] be the largest magnitude of event k (features: 22713; y: 32767;
embedding: the largest in column k). For every target, the sum over k of X[k] |w[k, j]|, separately of the positive and the negative
contributions where events cannot be negative, is the largest |A|, |Q| or |P| that any set of events can give, in any order, at any moment
of the summation: it must be below 2^31. From it follow |a| + |q| < 2^30, |p| < 2^29 and |logit| < 2^31.

Layout is no part of the arithmetic. A program holds whole matrices by source (row k belongs to source k); `Layer.part` and `Readout.part`
cut out what some of the targets need, and `synapses` lists a matrix's rows without zeros.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Int8s = npt.NDArray[np.int8]
Int16s = npt.NDArray[np.int16]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]

INPUT_BITS = 12
"""Fraction bits of the inputs of layer 0 (Q12)."""
GATE_BITS = 12
"""Fraction bits of a and q (Q12)."""
EVENT_BITS = 15
"""Fraction bits of y, z, r and g (Q15)."""
STATE_BITS = 23
"""Fraction bits of c, h and theta (Q23)."""
LOGIT_BITS = 16
"""Fraction bits of p, o and the logits (Q16)."""

MAX_EVENT = (1 << EVENT_BITS) - 1
"""Largest y, and largest magnitude of g."""
MAX_STATE = MAX_EVENT << (STATE_BITS - EVENT_BITS)
"""Largest magnitude of h and c."""
MAX_READOUT = (1 << 29) - 1
"""Largest magnitude of p and o."""
MAX_WEIGHT = 127
MAX_ROW_SCALE = 255
"""Largest scale n of an embedding row: 127 * 255 still fits an int16."""
COUNTS = 256
"""Entries of the table of features; larger counts are taken as 255, as in the training data."""
CURVE_POINTS = 513

SCALE_BITS = 32 + LOGIT_BITS - EVENT_BITS - INPUT_BITS
"""A read-out's step is its token's scale n 2^-12, which makes the multiplier n 2^21 exactly."""

_INT32 = (1 << 31) - 1


def _curve(values: npt.NDArray[np.float64]) -> Int16s:
    table = np.clip(np.rint(values * (1 << EVENT_BITS)), -MAX_EVENT, MAX_EVENT).astype(np.int16)
    table.flags.writeable = False
    return table


_POINTS = np.arange(CURVE_POINTS) / 32 - 8
SIGMOID = _curve(1 / (1 + np.exp(-_POINTS)))
"""int16 [513], Q15."""
TANH = _curve(np.tanh(_POINTS))
"""int16 [513], Q15."""
FEATURES = np.rint(np.log1p(np.arange(COUNTS)) * (1 << INPUT_BITS)).astype(np.int16)
"""int16 [256], Q12: log(1 + count)."""
FEATURES.flags.writeable = False


@dataclass(frozen=True, eq=False, slots=True)
class Layer:
    """An EGRU layer, or the part of one that belongs to n of its H units."""

    wx: Int8s
    """[I, 3n] by source of the layer below or of the input."""
    wh: Int8s
    """[H, 3n] by unit of the whole layer."""
    mx: Int32s
    """[3n] multipliers of A."""
    mh: Int32s
    """[3n] multipliers of Q."""
    b: Int32s
    """[3n] Q12."""
    d: Int32s
    """[3n] Q12."""
    theta: Int32s
    """[n] Q23, 0 to 2^23."""

    def part(self, start: int, stop: int) -> "Layer":
        """What units `start` to `stop` (excluded) need: columns in the order z, r, g of these units. Contiguous copies."""
        columns = (np.arange(3)[:, None] * self.theta.size + np.arange(start, stop)).ravel()
        wx, wh = (np.ascontiguousarray(matrix[:, columns]) for matrix in (self.wx, self.wh))
        mx, mh, b, d = (vector[columns] for vector in (self.mx, self.mh, self.b, self.d))
        return Layer(wx, wh, mx, mh, b, d, self.theta[start:stop].copy())


@dataclass(frozen=True, eq=False, slots=True)
class Readout:
    """The read-out, or the part of it that belongs to some of its targets."""

    w: Int8s
    """[K, M] by unit of the last layer."""
    m: Int32s
    """[M] multipliers of P."""
    b: Int32s
    """[M] Q16."""
    leak: int
    """0 to 2^15 - 1, Q15: share of the old value that is kept."""

    def part(self, start: int, stop: int) -> "Readout":
        """What targets `start` to `stop` (excluded) need. Contiguous copies."""
        return Readout(np.ascontiguousarray(self.w[:, start:stop]), self.m[start:stop].copy(), self.b[start:stop].copy(), self.leak)


@dataclass(frozen=True, eq=False, slots=True)
class Embedding:
    """What a token is to the first layer."""

    rows: Int8s
    """[V, E]"""
    scale: Int16s
    """[V], 1 to 255: a row's events are its numbers times this, Q12."""


def tied(embedding: Embedding, bias: Int32s) -> Readout:
    """The read-out of the language network: it shares the numbers of `embedding`."""
    return Readout(np.ascontiguousarray(embedding.rows.T), embedding.scale.astype(np.int32) << SCALE_BITS, bias, 0)


@dataclass(frozen=True, eq=False, slots=True)
class Synapses:
    """A matrix by source without its zeros: source k reaches `targets[starts[k]:starts[k + 1]]`, ascending, with `weights` likewise."""

    starts: Int32s
    """[K + 1]"""
    targets: npt.NDArray[np.uint16]
    """[synapses] columns of the matrix."""
    weights: Int8s
    """[synapses] none of them 0."""


def synapses(matrix: Int8s) -> Synapses:
    """The rows of `matrix` [K, M] without zeros; ValueError where M does not fit 16 bits."""
    if matrix.shape[1] > 1 << 16:
        raise ValueError(f"a synaptic row reaches {matrix.shape[1]} targets, and an index has 16 bits")
    sources, targets = np.nonzero(matrix)
    starts = np.searchsorted(sources, np.arange(matrix.shape[0] + 1)).astype(np.int32)
    return Synapses(starts, targets.astype(np.uint16), matrix[sources, targets])


@dataclass(frozen=True, eq=False, slots=True)
class Program:
    """A whole network. ValueError, with the numbers, where shapes, ranges or bounds do not hold (module docstring)."""

    kind: str
    """"gesture" or "language"."""
    embedding: Embedding | None
    """Of the language network; the gesture network has the table `FEATURES` instead."""
    layers: tuple[Layer, ...]
    readout: Readout
    metadata: dict[str, Any]
    """Of the checkpoint that it was made from (models.checkpoint), and how it was made."""

    def __post_init__(self) -> None:
        _check(self)

    @property
    def inputs(self) -> int:
        """Sources of layer 0."""
        return self.layers[0].wx.shape[0]

    @property
    def hidden(self) -> tuple[int, ...]:
        """Units of every layer."""
        return tuple(layer.theta.size for layer in self.layers)


@dataclass(frozen=True, eq=False, slots=True)
class State:
    """All that a network remembers between steps."""

    h: tuple[Int32s, ...]
    """[H] per layer, Q23, at most `MAX_STATE` in magnitude."""
    y: tuple[Int16s, ...]
    """[H] per layer, Q15, never negative: events of the last step."""
    o: Int32s
    """[M] of a leaky read-out, Q16, at most `MAX_READOUT` in magnitude; empty for the language network."""


@dataclass(frozen=True, eq=False, slots=True)
class LayerSignals:
    """Every signal of a layer in one step, named as in the module docstring. A, Q, a, q are [3H] and the others [H], all int32."""

    A: Int32s
    Q: Int32s
    a: Int32s
    q: Int32s
    z: Int32s
    r: Int32s
    g: Int32s
    c: Int32s
    y: Int32s
    h: Int32s


@dataclass(frozen=True, eq=False, slots=True)
class Signals:
    """Every signal of a network in one step, in the order in which they come about; all int32."""

    x: Int32s
    """[inputs] events of layer 0."""
    layers: tuple[LayerSignals, ...]
    P: Int32s
    p: Int32s
    o: Int32s
    """[M], as P and p."""
    logits: Int32s
    """[M], Q16."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The largest magnitudes that any input can give, over all targets of a layer or the read-out."""

    where: str
    """"layer 0", ..., "read-out"."""
    sums: int
    """Of A and Q, or of P."""
    scaled: int
    """Of |a| + |q|, or of |p|."""
    last: int
    """As `scaled` for a layer; of |logit|."""

    def hold(self) -> bool:
        """True where nothing can overflow."""
        limit = MAX_READOUT if self.where == "read-out" else 1 << 30
        return self.sums <= _INT32 and self.scaled < limit and self.last <= _INT32


def largest_inputs(program: Program) -> Int64s:
    """[inputs] the largest magnitude of every input of layer 0."""
    if program.embedding is None:
        return np.full(program.inputs, FEATURES.max(), np.int64)
    rows, scale = program.embedding.rows, program.embedding.scale
    return np.abs(rows.astype(np.int64) * scale[:, None]).max(0)


BLOCK = 256
"""Columns that are widened at once."""


def largest_sums(matrix: Int8s, largest: Int64s, signed: bool = False) -> Int64s:
    """[M] the largest magnitude of the sum of events times `matrix` [K, M], events at most `largest` [K], negative only if `signed`."""
    found = np.empty(matrix.shape[1], np.int64)
    for first in range(0, found.size, BLOCK):
        wide = matrix[:, first : first + BLOCK].astype(np.float64)  # exact: every sum is far below 2^53, and BLAS is fast
        up, down = largest @ np.maximum(wide, 0), largest @ np.maximum(-wide, 0)
        found[first : first + BLOCK] = up + down if signed else np.maximum(up, down)
    return found


def bounds(program: Program) -> list[Bounds]:
    """One entry a layer, and the read-out's."""
    found = []
    largest, signed = largest_inputs(program), program.embedding is not None
    for index, layer in enumerate(program.layers):
        below = largest_sums(layer.wx, largest, signed)
        own = largest_sums(layer.wh, np.full(layer.wh.shape[0], MAX_EVENT))
        total = _scaled(below, layer.mx) + np.abs(layer.b.astype(np.int64)) + _scaled(own, layer.mh) + np.abs(layer.d.astype(np.int64))
        found.append(Bounds(f"layer {index}", int(max(below.max(), own.max())), int(total.max()), int(total.max())))
        largest, signed = np.full(layer.theta.size, MAX_EVENT), False
    readout = program.readout
    sums = largest_sums(readout.w, largest)
    scaled = _scaled(sums, readout.m)
    logit = scaled + np.abs(readout.b.astype(np.int64))
    return [*found, Bounds("read-out", int(sums.max()), int(scaled.max()), int(logit.max()))]


def _scaled(sums: Int64s, multipliers: Int32s) -> Int64s:
    """Upper bound of |scale(v, m)| for |v| <= sums; sums above 2^31 are refused anyway and only kept from wrapping around here."""
    return (np.minimum(sums, 1 << 32) * multipliers.astype(np.int64) >> 32) + 1


def _check(program: Program) -> None:
    """ValueError where `program` is not one."""
    if program.kind not in ("gesture", "language") or (program.kind == "language") != (program.embedding is not None):
        raise ValueError(f"a {program.kind} program with{'out' if program.embedding is None else ''} an embedding is none")
    if not program.layers or program.layers[0].wx.ndim != 2:
        raise ValueError("a program has at least one layer, with a matrix of inputs")
    inputs = program.inputs
    if program.embedding is not None:
        _check_array("embedding", program.embedding.rows, np.int8, (len(program.embedding.scale), inputs), -MAX_WEIGHT, MAX_WEIGHT)
        _check_array("embedding scale", program.embedding.scale, np.int16, (len(program.embedding.rows),), 1, MAX_ROW_SCALE)
    for index, layer in enumerate(program.layers):
        units = layer.theta.size
        name = f"layer {index} "
        _check_array(name + "theta", layer.theta, np.int32, (units,), 0, 1 << STATE_BITS)
        _check_array(name + "wx", layer.wx, np.int8, (inputs, 3 * units), -MAX_WEIGHT, MAX_WEIGHT)
        _check_array(name + "wh", layer.wh, np.int8, (units, 3 * units), -MAX_WEIGHT, MAX_WEIGHT)
        for label, vector, low in (("mx", layer.mx, 0), ("mh", layer.mh, 0), ("b", layer.b, -_INT32), ("d", layer.d, -_INT32)):
            _check_array(name + label, vector, np.int32, (3 * units,), low, _INT32)
        inputs = units
    readout = program.readout
    targets = readout.b.size
    _check_array("read-out w", readout.w, np.int8, (inputs, targets), -MAX_WEIGHT, MAX_WEIGHT)
    _check_array("read-out m", readout.m, np.int32, (targets,), 0, _INT32)
    _check_array("read-out b", readout.b, np.int32, (targets,), -_INT32, _INT32)
    if not 0 <= readout.leak <= MAX_EVENT:
        raise ValueError(f"the read-out's leak {readout.leak} is not between 0 and {MAX_EVENT}")
    if program.embedding is not None:
        same = tied(program.embedding, readout.b)
        if not (np.array_equal(readout.w, same.w) and np.array_equal(readout.m, same.m) and readout.leak == 0):
            raise ValueError("the read-out of a language program is its embedding, and this one is another")
    for bound in bounds(program):
        if not bound.hold():
            raise ValueError(
                f"{bound.where} could overflow: sums up to {bound.sums:,} (limit {_INT32:,}), scaled {bound.scaled:,}, last {bound.last:,}"
            )


def _check_array(name: str, array: npt.NDArray[Any], dtype: type, shape: tuple[int, ...], low: int, high: int) -> None:
    if array.dtype != dtype or array.shape != shape or 0 in shape:
        raise ValueError(f"{name} is {array.dtype}{list(array.shape)}, not {np.dtype(dtype)}{list(shape)}")
    if array.min() < low or array.max() > high:
        raise ValueError(f"{name} holds {array.min()} to {array.max()}, outside of {low} to {high}")
