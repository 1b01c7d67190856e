"""A sequence of EGRU steps as one autograd function, and the kinds of product that a layer can have in it.

**Why an autograd function by hand.** A step is two small products and a dozen element-wise operations; recorded one by one by autograd it
costs more in bookkeeping than in arithmetic. `Sequence` runs the loop without recording, keeps what the backward pass needs, and takes the
gradient of the recurrent weights as a single product over all steps. The element-wise part is compiled: for a processor with bfloat16
products by models/elementwise.py, for a graphics processor by models/elementwise_gpu.py; anywhere else, and with zoneout, torch does it.
All compute the same.

**Surrogate gradient.** e is a step function of c - theta, whose derivative is replaced by a triangle,
`dampening * max(0, 1 - support * |c - theta|)`; it is zero outside, so units far from their threshold take no part in the backward pass.

**Products.** `Dense` is y @ wh. `Packed` is the same with the weights laid out once a sequence as the matrix unit of a processor reads
them, which it otherwise does in every step: with a thousand units that is half of a step's time (1.6 to 1.9 times faster). `Local` is for
units on a grid that are connected to their neighbours with weights that every place shares: a convolution, here only a cheap way to compute
a sparse product; on the chip its weights are rows like any others.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models import elementwise


@dataclass(frozen=True, slots=True)
class Surrogate:
    """The triangle that stands for the derivative of the step function."""

    dampening: float = 0.7
    """Its height (EvNN's default)."""
    support: float = 1.0
    """One over its half-width, in units of the membrane (EvNN's default)."""

    def __call__(self, distance: Tensor) -> Tensor:
        """The derivative at c - theta = `distance`."""
        return self.dampening * (1 - self.support * distance.abs()).clamp_(min=0)


class Product(Protocol):
    """What a layer multiplies its outputs with. y is [B, H], the result q [B, 3H], both contiguous; all of one type.

    `inputs` is the product with what comes from below, for all steps at once. `laid_out` and `laid_out_back` are called once a sequence of
    steps with a batch of B, and what they return is passed to every `forward` and `to_outputs` of that sequence.
    """

    def inputs(self, x: Tensor, weights: Tensor) -> Tensor:
        """X [T, B, I] times weights [I, 3H], differentiable."""
        ...

    def laid_out(self, weights: Tensor, batch: int) -> Tensor:
        """The weights as `forward` reads them best."""
        ...

    def laid_out_back(self, weights: Tensor, batch: int) -> Tensor:
        """The weights as `to_outputs` reads them best."""
        ...

    def forward(self, y: Tensor, weights: Tensor) -> Tensor:
        """Q of one step."""
        ...

    def to_outputs(self, dq: Tensor, weights: Tensor) -> Tensor:
        """The gradient of y from that of q."""
        ...

    def to_weights(self, y: Tensor, dq: Tensor) -> Tensor:
        """The gradient of the weights from all steps: y [T, B, H], dq [T, B, 3H]."""
        ...


class _AsTheyAre:
    """Products that read the weights as they are."""

    def inputs(self, x: Tensor, weights: Tensor) -> Tensor:
        """X [T, B, I] times weights [I, 3H]."""
        return x @ weights

    def laid_out(self, weights: Tensor, batch: int) -> Tensor:
        """The weights themselves."""
        return weights

    def laid_out_back(self, weights: Tensor, batch: int) -> Tensor:
        """The weights themselves."""
        return weights


class Dense(_AsTheyAre):
    """Every unit to every unit: weights [H, 3H]."""

    def forward(self, y: Tensor, weights: Tensor) -> Tensor:
        """Q of one step."""
        return y @ weights

    def to_outputs(self, dq: Tensor, weights: Tensor) -> Tensor:
        """The gradient of y."""
        return dq @ weights.t()

    def to_weights(self, y: Tensor, dq: Tensor) -> Tensor:
        """The gradient of the weights."""
        return y.flatten(0, 1).t() @ dq.flatten(0, 1)


class Packed(Dense):
    """As `Dense`; for bfloat16 on a processor everything is laid out as oneDNN's kernels read it, once and not in every step."""

    def inputs(self, x: Tensor, weights: Tensor) -> Tensor:
        """X [T, B, I] times weights [I, 3H]."""
        dtype = torch.bfloat16 if torch.is_autocast_enabled(x.device.type) else x.dtype
        return _Inputs.apply(x.to(dtype), weights)

    def laid_out(self, weights: Tensor, batch: int) -> Tensor:
        """The weights [H, 3H], or oneDNN's own form of them."""
        return _packed(weights.t(), batch) if _can_be_packed(weights) else weights

    def laid_out_back(self, weights: Tensor, batch: int) -> Tensor:
        """The same for their transpose."""
        return _packed(weights, batch) if _can_be_packed(weights) else weights

    def forward(self, y: Tensor, weights: Tensor) -> Tensor:
        """Q of one step."""
        return _times_packed(y, weights) if weights.is_mkldnn else super().forward(y, weights)

    def to_outputs(self, dq: Tensor, weights: Tensor) -> Tensor:
        """The gradient of y."""
        return _times_packed(dq, weights) if weights.is_mkldnn else super().to_outputs(dq, weights)

    def to_weights(self, y: Tensor, dq: Tensor) -> Tensor:
        """The gradient of the weights."""
        return over_rows(y.flatten(0, 1), dq.flatten(0, 1))


class _Inputs(torch.autograd.Function):
    """(x [T, B, I], weights [I, M]) -> their product, of x's type."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor) -> Tensor:
        narrow = weights.to(x.dtype)
        ctx.save_for_backward(x, narrow)
        ctx.wide = weights.dtype
        return x @ narrow

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (grad,) = gradients
        x, weights = ctx.saved_tensors
        return grad @ weights.t(), over_rows(x.flatten(0, 1), grad.flatten(0, 1)).to(ctx.wide)


def over_rows(left: Tensor, right: Tensor) -> Tensor:
    """left [N, K], right [N, M] -> left.T @ right [K, M]: the sum over rows that makes a gradient of weights.

    A bfloat16 matrix that is turned over only in name costs oneDNN two to three times the product (181 against 70 ms for [4480, 1024] and
    [4480, 3072]), so the left one, which should be the smaller, is turned over in memory.
    """
    return left.t().contiguous() @ right


def _can_be_packed(weights: Tensor) -> bool:
    usable = weights.device.type == "cpu" and weights.dtype == torch.bfloat16 and torch.backends.mkldnn.is_available()
    return usable and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _packed(weights: Tensor, batch: int) -> Tensor:
    """oneDNN's form of `weights` [targets, sources] for inputs [batch, sources]. Torch's own compiler (inductor) calls the same two."""
    return torch.ops.mkldnn._reorder_linear_weight(weights.contiguous(), batch)


def _times_packed(x: Tensor, weights: Tensor) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weights, None, "none", [], "")


class Local(_AsTheyAre):
    """Units on a `grid` x `grid` map with `channels` each (unit = channel, row, column) to those within `reach`: weights [3C, C, K, K]."""

    def __init__(self, channels: int, grid: int, reach: int = 1) -> None:
        self.channels, self.grid, self.reach = channels, grid, reach

    def forward(self, y: Tensor, weights: Tensor) -> Tensor:
        """Q of one step."""
        return functional.conv2d(self._map(y), weights, padding=self.reach).flatten(1)

    def to_outputs(self, dq: Tensor, weights: Tensor) -> Tensor:
        """The gradient of y."""
        return functional.conv_transpose2d(self._map(dq), weights, padding=self.reach).flatten(1)

    def to_weights(self, y: Tensor, dq: Tensor) -> Tensor:
        """The gradient of the weights."""
        inputs, outputs = self._map(y.flatten(0, 1)), self._map(dq.flatten(0, 1))
        size = (outputs.shape[1], inputs.shape[1], 2 * self.reach + 1, 2 * self.reach + 1)
        return torch.nn.grad.conv2d_weight(inputs, size, outputs, padding=self.reach)

    def _map(self, flat: Tensor) -> Tensor:
        """[B, n H] -> [B, n C, grid, grid] in the memory order in which convolutions are quick."""
        return flat.view(len(flat), -1, self.grid, self.grid).contiguous(memory_format=torch.channels_last)


def weights_of(weights: Tensor) -> Tensor:
    """`weights` in the memory order in which the products are quick."""
    return weights.contiguous(memory_format=torch.channels_last) if weights.ndim == 4 else weights


class Sequence(torch.autograd.Function):
    """(a [T, B, 3H], wh, b, d, theta, h0, y0, hold or None) -> (y [T, B, H], rate [H], h_T [B, H]).

    a comes without its bias b, and its type is that of y and of the recurrent product; state, gates and sums have that of the biases.
    `rate` is the mean of e over steps and batch: how often a unit fires. `hold` [T, B, H] is 1 where zoneout keeps the old membrane.
    """

    @staticmethod
    def forward(
        ctx: Any,
        a: Tensor,
        wh: Tensor,
        b: Tensor,
        d: Tensor,
        theta: Tensor,
        h: Tensor,
        y: Tensor,
        hold: Tensor | None,
        surrogate: Surrogate,
        product: Product,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """All steps, keeping what `backward` needs."""
        steps, batch, units = a.shape[0], a.shape[1], h.shape[1]
        gates = h.new_empty(steps, batch, 3 * units)  # z, r, g after their functions
        reset = h.new_empty(steps, batch, units)  # q_g, before the reset gate
        before = h.new_empty(steps + 1, batch, units)  # h' of every step, and h_T
        outputs = a.new_empty(steps + 1, batch, units)  # y' of every step, and y_T
        membranes = h.new_empty(steps, batch, units)  # c
        before[0], outputs[0] = h, y
        weights = weights_of(wh.to(a.dtype))
        kind = _kind(a, hold)
        run = _STEPS[kind]
        a, b, d, theta = a.contiguous(), b.contiguous(), d.contiguous(), theta.contiguous()
        laid_out = product.laid_out(weights, batch)
        for t in range(steps):
            q, held = product.forward(outputs[t], laid_out), None if hold is None else hold[t]
            run(a[t], q, b, d, theta, before[t], gates[t], reset[t], membranes[t], outputs[t + 1], before[t + 1], held)
        ctx.save_for_backward(gates, reset, before, outputs, membranes, weights, theta, hold)
        ctx.surrogate, ctx.product, ctx.kind = surrogate, product, kind
        return outputs[1:], (membranes > theta).to(h.dtype).mean((0, 1)), before[-1].clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """From the gradients of y, rate and h_T those of a, wh, b, d, theta, h0 and y0, the last step first."""
        grad_y, grad_rate, grad_h = gradients
        gates, reset, before, outputs, membranes, weights, theta, hold = ctx.saved_tensors
        steps, batch, units = membranes.shape
        da, dq = (torch.empty_like(gates, dtype=outputs.dtype) for _ in range(2))
        sums = theta.new_zeros(5, units)  # of the gradients of theta, of b_z, b_r, b_g, and of d_g
        each = (grad_rate / (steps * batch)).contiguous()
        gh, gy, grad_y = grad_h.contiguous().clone(), torch.zeros_like(outputs[0]), grad_y.contiguous()
        run = _BACK[ctx.kind]
        of_theta = torch.empty_like(membranes) if ctx.kind == _GPU else None  # summed in the end, as everything there
        laid_out = ctx.product.laid_out_back(weights, batch)
        for t in range(steps - 1, -1, -1):
            saved = gates[t], reset[t], before[t], membranes[t], theta, None if hold is None else hold[t]
            run(saved, ctx.surrogate, each, gy, grad_y[t], gh, da[t], dq[t], sums if of_theta is None else of_theta[t])
            gy = ctx.product.to_outputs(dq[t], laid_out)
        if of_theta is not None:
            rest = (part.sum((0, 1), dtype=sums.dtype) for part in (*da.split(units, -1), dq[..., 2 * units :]))
            sums = torch.stack([of_theta.sum((0, 1)), *rest])
        grad_wh = ctx.product.to_weights(outputs[:-1], dq).to(theta.dtype)
        grad_d = torch.cat((sums[1], sums[2], sums[4]))
        return da, grad_wh, sums[1:4].flatten(), grad_d, sums[0], gh, gy, None, None, None


def _step(
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
    hold: Tensor | None,
) -> None:
    """`elementwise.forward` in torch, with zoneout."""
    units = theta.shape[0]
    a, q = a.to(b.dtype) + b, q.to(b.dtype) + d
    torch.add(a[:, : 2 * units], q[:, : 2 * units], out=gates[:, : 2 * units]).sigmoid_()
    z, r, g = gates.split(units, -1)
    reset.copy_(q[:, 2 * units :])
    torch.addcmul(a[:, 2 * units :], r, reset, out=g).tanh_()
    torch.lerp(g, before, z, out=c)  # g + z (h' - g)
    if hold is not None:
        c.lerp_(before, hold)
    e = (c > theta).to(c.dtype)
    y.copy_(e * c)
    torch.addcmul(c, e, theta, value=-1, out=after)


def _back(
    saved: tuple[Any, ...],
    surrogate: Surrogate,
    grad_rate: Tensor,
    grad_y: Tensor,
    from_above: Tensor,
    grad_h: Tensor,
    da: Tensor,
    dq: Tensor,
    sums: Tensor,
) -> None:
    """`elementwise.backward` in torch, with zoneout."""
    gates, reset, before, c, theta, hold = saved
    slope, fired = surrogate(c - theta), (c > theta).to(c.dtype)
    gy = grad_y.to(c.dtype) + from_above.to(c.dtype)
    gc = gy * (fired + c * slope) + grad_h * (1 - theta * slope) + grad_rate * slope
    new = gc if hold is None else gc * (1 - hold)
    z, r, g = gates.split(theta.shape[0], -1)
    dg = new * (1 - z) * (1 - g * g)
    dz, dr = new * (before - g) * z * (1 - z), dg * reset * r * (1 - r)
    da.copy_(torch.cat((dz, dr, dg), -1))
    dq.copy_(torch.cat((dz, dr, dg * r), -1))
    of_theta = grad_h * (theta * slope - fired) - (gy * c + grad_rate) * slope
    sums += torch.stack([part.sum(0) for part in (of_theta, dz, dr, dg, dg * r)])
    grad_h.copy_(new * z if hold is None else new * z + gc * hold)


def _kind(a: Tensor, hold: Tensor | None) -> str:
    """What computes the element-wise part of a sequence with these inputs."""
    if hold is not None:
        return _TORCH
    if a.device.type == "cuda":
        return _GPU
    return _CPU if a.device.type == "cpu" and a.dtype == torch.bfloat16 else _TORCH


def _bits(value: Tensor) -> Any:
    """The array of a tensor, for bfloat16 that of its bits."""
    return (value.view(torch.int16) if value.dtype == torch.bfloat16 else value).numpy()


def _step_compiled(*arguments: Any) -> None:
    elementwise.forward(*map(_bits, arguments[:-1]))


def _back_compiled(saved: tuple[Any, ...], surrogate: Surrogate, *arguments: Tensor) -> None:
    shape = np.float32(surrogate.dampening), np.float32(surrogate.support)
    elementwise.backward(*map(_bits, saved[:-1]), shape, *map(_bits, arguments))


def _step_fused(*arguments: Any) -> None:
    from models import elementwise_gpu  # needs Triton, which only torch's builds for CUDA have

    elementwise_gpu.forward(*arguments[:-1])


def _back_fused(saved: tuple[Any, ...], surrogate: Surrogate, *arguments: Tensor) -> None:
    from models import elementwise_gpu

    elementwise_gpu.backward(saved[:-1], (surrogate.dampening, surrogate.support), *arguments)


_TORCH, _CPU, _GPU = "torch", "cpu", "gpu"
_STEPS = {_TORCH: _step, _CPU: _step_compiled, _GPU: _step_fused}
_BACK = {_TORCH: _back, _CPU: _back_compiled, _GPU: _back_fused}
