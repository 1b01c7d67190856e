"""What models/elementwise.py does, on a graphics processor: the element-wise half of an EGRU step and of its backward pass, in Triton.

One program takes `BLOCK` pairs of a row and a unit through all operations in registers. Sums over rows and steps are left to the caller,
who has the gradients of all steps in the end and adds them up in one go; so nothing is added in an order that changes from run to run.

Triton comes with torch's builds for CUDA. Where there is none this module cannot be imported, and nothing imports it.
"""

from typing import Any

import triton
import triton.language as tl
from torch import Tensor

BLOCK = 256


@triton.jit
def _forward(a, q, b, d, theta, before, gates, reset, c, y, after, units, total, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    pair = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = pair < total
    j = pair % units
    place = pair // units * 3 * units + j
    a_z, a_r, a_g = (
        tl.load(a + place, inside).to(tl.float32),
        tl.load(a + place + units, inside).to(tl.float32),
        tl.load(a + place + 2 * units, inside).to(tl.float32),
    )
    q_z, q_r, q_g = (
        tl.load(q + place, inside).to(tl.float32),
        tl.load(q + place + units, inside).to(tl.float32),
        tl.load(q + place + 2 * units, inside).to(tl.float32),
    )
    z = 1 / (1 + tl.exp(-(a_z + q_z + tl.load(b + j, inside) + tl.load(d + j, inside))))
    r = 1 / (1 + tl.exp(-(a_r + q_r + tl.load(b + units + j, inside) + tl.load(d + units + j, inside))))
    kept = q_g + tl.load(d + 2 * units + j, inside)
    g = 2 / (1 + tl.exp(-2 * (a_g + tl.load(b + 2 * units + j, inside) + r * kept))) - 1  # tanh
    membrane = g + z * (tl.load(before + pair, inside) - g)
    threshold = tl.load(theta + j, inside)
    fired = membrane > threshold
    tl.store(gates + place, z, inside)
    tl.store(gates + place + units, r, inside)
    tl.store(gates + place + 2 * units, g, inside)
    tl.store(reset + pair, kept, inside)
    tl.store(c + pair, membrane, inside)
    tl.store(y + pair, tl.where(fired, membrane, 0.0).to(y.dtype.element_ty), inside)
    tl.store(after + pair, tl.where(fired, membrane - threshold, membrane), inside)


@triton.jit
def _backward(  # type: ignore[no-untyped-def]
    gates, reset, before, c, theta, dampening, support, rate, grad_y, above, grad_h, da, dq, of_theta, units, total, BLOCK: tl.constexpr
):
    pair = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = pair < total
    j = pair % units
    place = pair // units * 3 * units + j
    membrane, threshold = tl.load(c + pair, inside), tl.load(theta + j, inside)
    slope = dampening * tl.maximum(1 - support * tl.abs(membrane - threshold), 0.0)
    fired = (membrane > threshold).to(tl.float32)
    gy = tl.load(grad_y + pair, inside).to(tl.float32) + tl.load(above + pair, inside).to(tl.float32)
    gh, each = tl.load(grad_h + pair, inside), tl.load(rate + j, inside)
    gc = gy * (fired + membrane * slope) + gh * (1 - threshold * slope) + each * slope
    tl.store(of_theta + pair, gh * (threshold * slope - fired) - (gy * membrane + each) * slope, inside)
    z, r, g = (
        tl.load(gates + place, inside),
        tl.load(gates + place + units, inside),
        tl.load(gates + place + 2 * units, inside),
    )
    dg = gc * (1 - z) * (1 - g * g)
    dz = gc * (tl.load(before + pair, inside) - g) * z * (1 - z)
    dr = dg * tl.load(reset + pair, inside) * r * (1 - r)
    tl.store(grad_h + pair, gc * z, inside)
    kind = da.dtype.element_ty
    tl.store(da + place, dz.to(kind), inside)
    tl.store(da + place + units, dr.to(kind), inside)
    tl.store(da + place + 2 * units, dg.to(kind), inside)
    tl.store(dq + place, dz.to(kind), inside)
    tl.store(dq + place + units, dr.to(kind), inside)
    tl.store(dq + place + 2 * units, (dg * r).to(kind), inside)


def forward(
    a: Tensor,
    q: Tensor,
    b: Tensor,
    d: Tensor,
    theta: Tensor,
    before: Tensor,
    gates: Tensor,
    reset: Tensor,
    c: Tensor,
    y: Tensor,
    after: Tensor,
) -> None:
    """`elementwise.forward` on tensors; a, q and y are of any one type, the others float32, all contiguous."""
    _check(a, q, b, d, theta, before, gates, reset, c, y, after)
    total = before.numel()
    _forward[_programs(total)](a, q, b, d, theta, before, gates, reset, c, y, after, theta.numel(), total, BLOCK)


def backward(
    saved: tuple[Any, ...],
    surrogate: tuple[float, float],
    grad_rate: Tensor,
    grad_y: Tensor,
    from_above: Tensor,
    grad_h: Tensor,
    da: Tensor,
    dq: Tensor,
    of_theta: Tensor,
) -> None:
    """`elementwise.backward` on tensors, all contiguous; `of_theta` [R, U] takes the gradient of every threshold in every row.

    `saved` is (gates, reset, before, c, theta); the sums over rows are the caller's.
    """
    _check(*saved, grad_rate, grad_y, from_above, grad_h, da, dq, of_theta)
    total = grad_h.numel()
    units = grad_rate.numel()
    _backward[_programs(total)](*saved, *surrogate, grad_rate, grad_y, from_above, grad_h, da, dq, of_theta, units, total, BLOCK)


def _check(*tensors: Tensor) -> None:
    """ValueError where the kernels, which know but the shape, would read something else than what is meant."""
    if not all(tensor.is_contiguous() for tensor in tensors):
        raise ValueError("the kernels read and write contiguous tensors alone")


def _programs(total: int) -> tuple[int]:
    return (triton.cdiv(total, BLOCK),)
