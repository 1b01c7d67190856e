"""The element-wise half of an EGRU step and of its backward pass, compiled: what training on a processor spends its time on otherwise.

A step is two products and a dozen element-wise operations on [rows, units]. Taken one by one in torch, each of them reads and writes
memory and costs a call; here a row is carried through all of them while it is in the cache. The equations are those of models/egru.py, and
models/sequence.py falls back on torch for other devices and types; the tests hold the two against each other.

Every loop below touches few arrays, and the row is cut into views first: that is what lets the compiler prove the accesses apart and use
vector instructions.

tanh is the ninth convergent of Lambert's continued fraction x / (1 + x^2 / (3 + x^2 / (5 + ...))), a ratio of two polynomials that
vectorises; cut off at |x| = 6 its error is below 1e-5, far below that of the bfloat16 products around it. sigmoid(x) = (1 + tanh(x/2)) / 2.

What goes into products and comes out of them is bfloat16, and half of the work is moving it: so a, q, y and the gradients of a and q pass
as bfloat16 (int16 holds their bits, numpy has no such type), rounded to nearest and even. Everything that is summed over steps is float32.
"""

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.int16]
"""The bits of bfloat16 numbers."""

_LIMIT = np.float32(6.0)
_HALF, _ONE = np.float32(0.5), np.float32(1.0)
_N0, _N1, _N2, _N3 = (np.float32(value) for value in (34459425, 4729725, 135135, 990))
_D0, _D1, _D2, _D3, _D4 = (np.float32(value) for value in (34459425, 16216200, 945945, 13860, 45))

compiled = njit(cache=True, nogil=True, error_model="numpy")


@intrinsic
def float_from(typing, bits):  # type: ignore[no-untyped-def]
    """The float32 with these 32 bits."""
    return types.float32(types.int32), lambda context, builder, signature, values: builder.bitcast(values[0], ir.FloatType())


@intrinsic
def _bits_of(typing, value):  # type: ignore[no-untyped-def]
    """The 32 bits of a float32."""
    return types.int32(types.float32), lambda context, builder, signature, values: builder.bitcast(values[0], ir.IntType(32))


@compiled
def wide(bits: np.int16) -> np.float32:
    """The float32 that a bfloat16 with these bits is."""
    return float_from(np.int32(bits) << np.int32(16))


@compiled
def half(value: np.float32) -> np.int16:
    """The bits of the bfloat16 nearest to `value`."""
    bits = _bits_of(value)
    return np.int16((bits + np.int32(0x7FFF) + ((bits >> np.int32(16)) & np.int32(1))) >> np.int32(16))


@compiled
def _tanh(x: np.float32) -> np.float32:
    x = min(max(x, -_LIMIT), _LIMIT)
    s = x * x
    return x * (_N0 + s * (_N1 + s * (_N2 + s * (_N3 + s)))) / (_D0 + s * (_D1 + s * (_D2 + s * (_D3 + s * _D4))))


@compiled
def _sigmoid(x: np.float32) -> np.float32:
    return _HALF + _HALF * _tanh(_HALF * x)


@compiled
def forward(
    a: Halves,
    q: Halves,
    b: Floats,
    d: Floats,
    theta: Floats,
    before: Floats,
    gates: Floats,
    reset: Floats,
    c: Floats,
    y: Halves,
    after: Floats,
) -> None:
    """One step: a, q [R, 3U] (without their biases b, d [3U]), theta [U], h' in `before` [R, U].

    Writes z, r, g to `gates` [R, 3U], q_g with bias to `reset` [R, U], the membrane to `c`, the output to `y` and h to `after`, all
    [R, U].
    """
    units = theta.size
    for row in range(a.shape[0]):
        a_row, q_row, gate = a[row], q[row], gates[row]
        for j in range(2 * units):
            gate[j] = _sigmoid(wide(a_row[j]) + wide(q_row[j]) + (b[j] + d[j]))
        kept = reset[row]
        for j in range(units):
            kept[j] = wide(q_row[2 * units + j]) + d[2 * units + j]
        for j in range(units):
            gate[2 * units + j] = _tanh(wide(a_row[2 * units + j]) + b[2 * units + j] + gate[units + j] * kept[j])
        c_row, before_row = c[row], before[row]
        for j in range(units):
            g = gate[2 * units + j]
            c_row[j] = g + gate[j] * (before_row[j] - g)
        y_row, after_row = y[row], after[row]
        for j in range(units):
            y_row[j] = half(c_row[j]) if c_row[j] > theta[j] else np.int16(0)
        for j in range(units):
            after_row[j] = c_row[j] - theta[j] if c_row[j] > theta[j] else c_row[j]


@compiled
def backward(
    gates: Floats,
    reset: Floats,
    before: Floats,
    c: Floats,
    theta: Floats,
    surrogate: tuple[np.float32, np.float32],
    grad_rate: Floats,
    grad_y: Halves,
    from_above: Halves,
    grad_h: Floats,
    da: Halves,
    dq: Halves,
    sums: Floats,
) -> None:
    """The backward pass of one step, against what `forward` wrote.

    `surrogate` is (dampening, support); `grad_rate` [U] the gradient of every single event; `grad_y` [R, U] reaches y by the next step's
    product and `from_above` [R, U] otherwise; `grad_h` [R, U] reaches h, and is replaced by what reaches h'. Writes the gradients of a and
    of q to `da`, `dq` [R, 3U] and adds those of theta, b_z, b_r, b_g and d_g to `sums` [5, U] (d_z, d_r have the gradients of b).
    """
    units = theta.size
    dampening, support = surrogate
    slope, gc = np.empty(units, np.float32), np.empty(units, np.float32)
    fired, gy = np.empty(units, np.float32), np.empty(units, np.float32)
    dz, dr, dg = np.empty(units, np.float32), np.empty(units, np.float32), np.empty(units, np.float32)
    for row in range(c.shape[0]):
        c_row, gh = c[row], grad_h[row]
        for j in range(units):
            distance = c_row[j] - theta[j]
            slope[j] = dampening * max(_ONE - support * abs(distance), np.float32(0.0))
            fired[j] = _ONE if distance > 0 else np.float32(0.0)
        next_row, above_row = grad_y[row], from_above[row]
        for j in range(units):
            gy[j] = wide(next_row[j]) + wide(above_row[j])
        for j in range(units):  # y = e c, h = c - e theta, with e' = slope
            gc[j] = gy[j] * (fired[j] + c_row[j] * slope[j]) + gh[j] * (_ONE - theta[j] * slope[j]) + grad_rate[j] * slope[j]
        _add_theta(sums[0], gh, gy, c_row, theta, slope, fired, grad_rate)
        gate, before_row, reset_row = gates[row], before[row], reset[row]
        z, r, g = gate[:units], gate[units : 2 * units], gate[2 * units :]
        for j in range(units):
            dg[j] = gc[j] * (_ONE - z[j]) * (_ONE - g[j] * g[j])
        for j in range(units):
            dz[j] = gc[j] * (before_row[j] - g[j]) * z[j] * (_ONE - z[j])
        for j in range(units):
            dr[j] = dg[j] * reset_row[j] * r[j] * (_ONE - r[j])
        for j in range(units):
            gh[j] = gc[j] * z[j]
        _put(da[row], dq[row], sums, dz, dr, dg, r)


@compiled
def _add_theta(total: Floats, gh: Floats, gy: Floats, c: Floats, theta: Floats, slope: Floats, fired: Floats, grad_rate: Floats) -> None:
    part = np.empty(total.size, np.float32)
    for j in range(total.size):
        part[j] = gh[j] * (theta[j] * slope[j] - fired[j])
    for j in range(total.size):
        part[j] -= (gy[j] * c[j] + grad_rate[j]) * slope[j]
    for j in range(total.size):
        total[j] += part[j]


@compiled
def _put(da: Halves, dq: Halves, sums: Floats, dz: Floats, dr: Floats, dg: Floats, r: Floats) -> None:
    """One row's gradients into the arrays that the products read, and into the sums over rows."""
    units = r.size
    for j in range(units):
        da[j] = dq[j] = half(dz[j])
    for j in range(units):
        da[units + j] = dq[units + j] = half(dr[j])
    for j in range(units):
        da[2 * units + j] = half(dg[j])
    for j in range(units):
        dq[2 * units + j] = half(dg[j] * r[j])
    for j in range(units):
        sums[1, j] += dz[j]
    for j in range(units):
        sums[2, j] += dr[j]
    for j in range(units):
        sums[3, j] += dg[j]
    for j in range(units):
        sums[4, j] += dg[j] * r[j]
