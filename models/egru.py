"""The event-based gated recurrent unit (EGRU), in torch: the reference that every other implementation is compared with.

One step of H units, gates in the order z, r, g (DESIGN.md section 4; Subramoney et al., "Efficient recurrent architectures through activity
sparsity and sparse back-propagation through time", ICLR 2023, in the form that the published networks were trained with):

    a = x wx + b ;  q = y' wh + d            y' = the last step's output: graded events, mostly zeros
    z = sigmoid(a_z + q_z) ; r = sigmoid(a_r + q_r) ; g = tanh(a_g + r q_g)
    c = z h' + (1 - z) g
    e = 1 if c > theta else 0 ;  y = e c ;  h = c - e theta

The state is the pair (h, y), and the caller owns it: `EGRU.forward` takes one and returns the next, so a sequence may be cut anywhere and a
live network may be fed one frame at a time. Nothing is reset behind the caller's back.

**Why an autograd function by hand.** A step is two small products and a dozen element-wise operations; recorded one by one by autograd it
costs more in bookkeeping than in arithmetic. `_Sequence` runs the loop without recording, keeps what the backward pass needs, and takes the
gradient of `wh` as a single product over all steps. The products with `x` are outside the loop: one call for the whole sequence.

**Surrogate gradient.** e is a step function of c - theta, whose derivative is replaced by a triangle,
`dampening * max(0, 1 - support * |c - theta|)`; it is zero outside, so units far from their threshold take no part in the backward pass.

**Training options.** Zoneout (a unit keeps its old membrane for a step), dropconnect (recurrent weights left out for a sequence) and
activity regularisation (`activity_loss`) act in training only; in evaluation the equations above hold as they stand, because they are what
the chip computes. Thresholds are trained, and clamped to [0, 1] where they are used (g is a tanh: above 1 a unit could never fire).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]
"""(h, y): membrane and last output of a layer, both [batch, H]."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a layer is trained. None of it changes what the trained layer computes."""

    dampening: float = 0.7
    """Height of the surrogate triangle (EvNN's default)."""
    support: float = 1.0
    """One over the triangle's half-width, in units of the membrane (EvNN's default)."""
    zoneout: float = 0.0
    """Probability that a unit keeps its membrane for a step."""
    dropconnect: float = 0.0
    """Probability that a recurrent weight is left out for a whole sequence."""
    threshold_mean: float = 0.15
    """Mean of the Beta distribution (beta = 3) that thresholds start from."""
    train_threshold: bool = True


def surrogate(distance: Tensor, options: Options) -> Tensor:
    """The triangle that stands for the derivative of the step function at c - theta = `distance`."""
    return options.dampening * (1 - options.support * distance.abs()).clamp_(min=0)


class _Sequence(torch.autograd.Function):
    """(a [T, B, 3H], wh, d, theta, h0, y0, hold or None) -> (y [T, B, H], c [T, B, H], h_T [B, H]).

    `hold` [T, B, H] is 1 where zoneout keeps the old membrane. `dtype` is that of the recurrent product; the state and gates keep a's.
    """

    @staticmethod
    def forward(
        ctx: Any,
        a: Tensor,
        wh: Tensor,
        d: Tensor,
        theta: Tensor,
        h: Tensor,
        y: Tensor,
        hold: Tensor | None,
        options: Options,
        dtype: torch.dtype,
    ) -> tuple[Tensor, Tensor, Tensor]:
        steps, batch, units = a.shape[0], a.shape[1], wh.shape[0]
        gates = a.new_empty(steps, batch, 3 * units)  # z, r, g after their functions
        product = a.new_empty(steps, batch, units)  # q_g, before the reset gate
        before = a.new_empty(steps + 1, batch, units)  # h' of every step, and h_T
        outputs = a.new_empty(steps + 1, batch, units)  # y' of every step, and y_T
        membranes = a.new_empty(steps, batch, units)  # c
        before[0], outputs[0] = h, y
        weights = wh.to(dtype)
        for t in range(steps):
            q = torch.addmm(d, outputs[t], weights) if dtype == a.dtype else (outputs[t].to(dtype) @ weights).to(a.dtype).add_(d)
            gate, c = gates[t], membranes[t]
            torch.add(a[t, :, : 2 * units], q[:, : 2 * units], out=gate[:, : 2 * units]).sigmoid_()
            z, r, g = gate.split(units, -1)
            product[t] = q[:, 2 * units :]
            torch.addcmul(a[t, :, 2 * units :], r, product[t], out=g).tanh_()
            torch.lerp(g, before[t], z, out=c)  # g + z (h' - g)
            if hold is not None:
                c.lerp_(before[t], hold[t])
            e = (c > theta).to(a.dtype)
            torch.mul(e, c, out=outputs[t + 1])
            torch.addcmul(c, e, theta, value=-1, out=before[t + 1])
        ctx.save_for_backward(gates, product, before, outputs, membranes, weights, theta, hold)
        ctx.options = options
        return outputs[1:], membranes, before[-1].clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        grad_y, grad_c, grad_h = gradients
        gates, product, before, outputs, membranes, weights, theta, hold = ctx.saved_tensors
        steps, _, units = membranes.shape
        distance = membranes - theta
        slope = surrogate(distance, ctx.options)
        fired = (distance > 0).to(slope.dtype)
        through_y = torch.addcmul(fired, membranes, slope)  # dy/dc
        through_h = 1 - theta * slope  # dh/dc
        fire_h = theta * slope - fired  # dh/dtheta
        fire_y = -membranes * slope  # dy/dtheta
        da, dq = torch.empty_like(gates), torch.empty_like(gates)
        grad_theta = torch.zeros_like(theta)
        transposed = weights.t()
        gh, gy = grad_h, torch.zeros_like(grad_h)
        for t in range(steps - 1, -1, -1):
            gy = gy + grad_y[t]
            grad_theta += (gy * fire_y[t] + gh * fire_h[t]).sum(0)
            gc = torch.addcmul(grad_c[t], gy, through_y[t]).addcmul_(gh, through_h[t])
            new = gc if hold is None else gc * (1 - hold[t])
            z, r, g = gates[t].split(units, -1)
            into, recurrent = da[t], dq[t]
            dz, dr, dg = into.split(units, -1)
            torch.mul(new, 1 - z, out=dg).mul_(1 - g * g)
            torch.mul(new, before[t] - g, out=dz)
            torch.mul(dg, product[t], out=dr)
            into[:, : 2 * units] *= gates[t, :, : 2 * units] * (1 - gates[t, :, : 2 * units])
            recurrent[:, : 2 * units] = into[:, : 2 * units]
            torch.mul(dg, r, out=recurrent[:, 2 * units :])
            gh = new * z if hold is None else new * z + gc * hold[t]
            gy = (recurrent.to(weights.dtype) @ transposed).to(gc.dtype)
        flat = dq.flatten(0, 1)
        grad_wh = (outputs[:-1].flatten(0, 1).to(weights.dtype).t() @ flat.to(weights.dtype)).to(flat.dtype)
        return da, grad_wh, flat.sum(0), grad_theta, gh, gy, None, None, None


class EGRU(nn.Module):
    """One layer: `wx` [inputs, 3H], `wh` [H, 3H], `b` [3H], `d` [3H], `theta` [H], named as they are on disk (models.checkpoint)."""

    def __init__(self, inputs: int, units: int, options: Options | None = None) -> None:
        super().__init__()
        self.inputs, self.units = inputs, units
        self.options = options or Options()
        self.wx = nn.Parameter(torch.empty(inputs, 3 * units))
        self.wh = nn.Parameter(torch.empty(units, 3 * units))
        self.b = nn.Parameter(torch.zeros(3 * units))
        self.d = nn.Parameter(torch.zeros(3 * units))
        self.theta = nn.Parameter(torch.empty(units), requires_grad=self.options.train_threshold)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Glorot inputs, orthogonal recurrence, keep gates half open, thresholds from Beta(alpha, 3) with the mean of the options."""
        mean = self.options.threshold_mean
        with torch.no_grad():
            for block in self.wx.split(self.units, 1):
                nn.init.xavier_uniform_(block)
            for block in self.wh.split(self.units, 1):
                nn.init.orthogonal_(block)
            self.b[: self.units] = 1.0
            # Drawn as a ratio of Gammas on torch's default generator, so that the run's seed decides the thresholds too.
            alpha = torch.full((self.units,), 3 * mean / (1 - mean))
            left, right = torch._standard_gamma(alpha), torch._standard_gamma(torch.full_like(alpha, 3.0))
            self.theta.copy_(left / (left + right))

    def start(self, batch: int) -> State:
        """The state of a network that has seen nothing: zeros."""
        return self.wx.new_zeros(batch, self.units), self.wx.new_zeros(batch, self.units)

    def threshold(self) -> Tensor:
        """The thresholds in use, within [0, 1]."""
        return self.theta.clamp(0, 1)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, Tensor, State]:
        """x [T, B, inputs] from `state` -> outputs y [T, B, H], membranes c [T, B, H], the state after the last step.

        Under bfloat16 autocast the products are bfloat16; state, gates and sums stay float32.
        """
        h, y = state if state is not None else self.start(x.shape[1])
        mixed = torch.is_autocast_enabled("cpu")
        wh = self.wh
        hold = None
        if self.training and self.options.dropconnect > 0:
            wh = nn.functional.dropout(wh, self.options.dropconnect)
        if self.training and self.options.zoneout > 0:
            hold = torch.rand(*x.shape[:2], self.units).lt_(self.options.zoneout).to(h.dtype)
        a = (x @ self.wx).to(h.dtype) + self.b
        dtype = torch.bfloat16 if mixed else h.dtype
        outputs, membranes, h = _Sequence.apply(a, wh, self.d, self.threshold(), h, y, hold, self.options, dtype)
        return outputs, membranes, (h, outputs[-1])


class _Fire(torch.autograd.Function):
    """The step function, with the triangle as its derivative."""

    @staticmethod
    def forward(ctx: Any, distance: Tensor, options: Options) -> Tensor:
        ctx.save_for_backward(distance)
        ctx.options = options
        return (distance > 0).to(distance.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients[0] * surrogate(ctx.saved_tensors[0], ctx.options), None


def activity_loss(membranes: Sequence[Tensor], layers: Sequence[EGRU], target: float) -> Tensor:
    """Mean over units of the squared excess of their firing rate (events per step, over time and batch) above `target`.

    Rates below the target cost nothing: silence is free on an event-driven machine, and the task loss keeps units alive that it needs.
    """
    total = membranes[0].new_zeros(())
    for c, layer in zip(membranes, layers, strict=True):
        rate = _Fire.apply(c - layer.threshold(), layer.options).mean((0, 1))
        total = total + (rate - target).clamp(min=0).square().mean()
    return total


class LockedDropout(nn.Module):
    """Dropout on [T, B, features] that leaves out the same features at every step of a sequence (Gal and Ghahramani, NIPS 2016)."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """x, in training with a share of its features zero throughout and the others scaled up."""
        if not self.training or self.probability == 0:
            return x
        return x * nn.functional.dropout(x.new_ones(1, *x.shape[1:]), self.probability)


class Stack(nn.Module):
    """EGRU layers one above the other; the outputs of a layer are the inputs of the next in the same step.

    `dropout` is the probability, in training, that a unit's outputs do not reach the layer above for a sequence.
    """

    def __init__(self, inputs: int, hidden: Sequence[int], options: Options | None = None, dropout: float = 0.0) -> None:
        super().__init__()
        self.between = LockedDropout(dropout)
        self.layers = nn.ModuleList(EGRU(into, units, options) for into, units in zip([inputs, *hidden], hidden, strict=False))

    def start(self, batch: int) -> list[State]:
        """The state of a network that has seen nothing: zeros, one pair a layer."""
        return [layer.start(batch) for layer in self.layers]

    def forward(self, x: Tensor, states: list[State] | None = None) -> tuple[list[Tensor], list[Tensor], list[State]]:
        """x [T, B, inputs] -> outputs and membranes of every layer (each [T, B, H_l]) and the states after the last step."""
        outputs, membranes, after = [], [], []
        for index, layer in enumerate(self.layers):
            x, c, state = layer(self.between(x) if index else x, None if states is None else states[index])
            outputs.append(x)
            membranes.append(c)
            after.append(state)
        return outputs, membranes, after
