"""The event-based gated recurrent unit (EGRU), in torch: the reference that every other implementation is compared with.

One step of H units, gates in the order z, r, g (DESIGN.md section 4; Subramoney et al., "Efficient recurrent architectures through activity
sparsity and sparse back-propagation through time", ICLR 2023, in the form that the published networks were trained with):

    a = x wx + b ;  q = y' wh + d            y' = the last step's output: graded events, mostly zeros
    z = sigmoid(a_z + q_z) ; r = sigmoid(a_r + q_r) ; g = tanh(a_g + r q_g)
    c = z h' + (1 - z) g
    e = 1 if c > theta else 0 ;  y = e c ;  h = c - e theta

The state is the pair (h, y), and the caller owns it: `EGRU.forward` takes one and returns the next, so a sequence may be cut anywhere and a
live network may be fed one frame at a time. Nothing is reset behind the caller's back. The products with `x` are outside the loop over
steps: one call for the whole sequence; the loop itself is models/sequence.py.

**Training options.** Zoneout (a unit keeps its old membrane for a step), dropconnect (recurrent weights left out for a sequence) and
activity regularisation (`activity_loss`) act in training only; in evaluation the equations above hold as they stand, because they are what
the chip computes. Thresholds are trained, and clamped to [0, 1] where they are used (g is a tanh: above 1 a unit could never fire).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from models import local, sequence

State = tuple[Tensor, Tensor]
"""(h, y): membrane and last output of a layer, both [batch, H]."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a layer is trained. None of it changes what the trained layer computes."""

    surrogate: sequence.Surrogate = field(default_factory=sequence.Surrogate)
    zoneout: float = 0.0
    """Probability that a unit keeps its membrane for a step."""
    dropconnect: float = 0.0
    """Probability that a recurrent weight is left out for a whole sequence."""
    threshold_mean: float = 0.15
    """Mean of the Beta distribution (beta = 3) that thresholds start from."""
    train_threshold: bool = True


class EGRU(nn.Module):
    """One layer: `wx` [inputs, 3H], `wh` [H, 3H], `b` [3H], `d` [3H], `theta` [H], named as they are on disk (models.checkpoint)."""

    def __init__(self, inputs: int, units: int, options: Options | None = None) -> None:
        super().__init__()
        self.inputs, self.units = inputs, units
        self.options = options or Options()
        self.product: sequence.Product = sequence.Dense()
        self.make_parameters()

    def make_parameters(self) -> None:
        """Glorot inputs, orthogonal recurrence, keep gates half open, thresholds from Beta(alpha, 3) with the mean of the options."""
        wx, wh = torch.empty(self.inputs, 3 * self.units), torch.empty(self.units, 3 * self.units)
        for block in wx.split(self.units, 1):
            nn.init.xavier_uniform_(block)
        for block in wh.split(self.units, 1):
            nn.init.orthogonal_(block)
        self.wx, self.wh = nn.Parameter(wx), nn.Parameter(wh)
        self._make_vectors(self.units)

    def _make_vectors(self, units: int) -> None:
        """Biases and thresholds of so many units."""
        self.b, self.d = nn.Parameter(torch.zeros(3 * units)), nn.Parameter(torch.zeros(3 * units))
        # Drawn as a ratio of Gammas on torch's default generator, so that the run's seed decides the thresholds too.
        mean = self.options.threshold_mean
        alpha = torch.full((units,), 3 * mean / (1 - mean))
        left, right = torch._standard_gamma(alpha), torch._standard_gamma(torch.full_like(alpha, 3.0))
        self.theta = nn.Parameter(left / (left + right), requires_grad=self.options.train_threshold)
        with torch.no_grad():
            self.b[:units] = 1.0

    def start(self, batch: int) -> State:
        """The state of a network that has seen nothing: zeros."""
        return self.wx.new_zeros(batch, self.units), self.wx.new_zeros(batch, self.units)

    def threshold(self) -> Tensor:
        """The thresholds in use [H], within [0, 1]."""
        return self.theta.clamp(0, 1)

    def inputs_sum(self, x: Tensor) -> Tensor:
        """X [T, B, inputs] -> x wx [T, B, 3H]."""
        return self.product.inputs(x, self.wx)

    def vectors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Biases b and d [3H] and thresholds [H] of all units."""
        return self.b, self.d, self.threshold()

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, Tensor, State]:
        """x [T, B, inputs] from `state` -> outputs y [T, B, H], how often each unit fired [H], the state after the last step.

        The rate is a share of all steps of the batch. Under bfloat16 autocast products and outputs are bfloat16; membranes, gates and sums
        stay float32.
        """
        h, y = state if state is not None else self.start(x.shape[1])
        wh, hold = self.wh, None
        if self.training and self.options.dropconnect > 0:
            wh = functional.dropout(wh, self.options.dropconnect)
        if self.training and self.options.zoneout > 0:
            hold = torch.rand(*x.shape[:2], self.units, device=x.device).lt_(self.options.zoneout).to(h.dtype)
        a, (b, d, theta) = self.inputs_sum(x), self.vectors()
        outputs, rate, h = sequence.Sequence.apply(a, wh, b, d, theta, h, y, hold, self.options.surrogate, self.product)
        return outputs, rate, (h, outputs[-1])


class LocalEGRU(EGRU):
    """A layer on a map with shared weights (models.local): `wx` and `wh` are kernels, `b`, `d`, `theta` are per channel."""

    def __init__(self, geometry: local.Local, options: Options | None = None) -> None:
        self.geometry = geometry
        super().__init__(geometry.inputs, geometry.units, options)
        self.product = sequence.Local(geometry.channels, geometry.grid, geometry.reach)

    def make_parameters(self) -> None:
        """As for any layer; recurrence starts orthogonal at a place and weak between places."""
        shapes, channels, middle = self.geometry.shapes(), self.geometry.channels, self.geometry.reach
        wx, wh = torch.empty(shapes["wx"]), torch.empty(shapes["wh"]).normal_(std=0.3 / (shapes["wh"][1] * shapes["wh"][2] ** 2) ** 0.5)
        for block in wx.split(channels):
            nn.init.xavier_uniform_(block)
        for block in wh.split(channels):
            nn.init.orthogonal_(block[:, :, middle, middle])
        self.wx, self.wh = nn.Parameter(wx), nn.Parameter(wh)
        self._make_vectors(channels)

    def inputs_sum(self, x: Tensor) -> Tensor:
        """X [T, B, inputs] -> x wx [T, B, 3H], as a convolution over places."""
        grid, block = self.geometry.grid, self.geometry.block
        cells = x.reshape(-1, 2, grid, block, grid, block).permute(0, 2, 4, 1, 3, 5).reshape(-1, grid, grid, 2 * block**2)
        mixed = torch.is_autocast_enabled(x.device.type)
        dtype = torch.bfloat16 if mixed else x.dtype
        maps, kernel = cells.to(dtype).permute(0, 3, 1, 2), sequence.weights_of(self.wx.to(dtype))
        return functional.conv2d(maps, kernel, padding=self.geometry.reach).flatten(1).view(*x.shape[:2], -1)

    def vectors(self) -> tuple[Tensor, Tensor, Tensor]:
        """Biases and thresholds of all units, from those per channel."""
        places = self.geometry.grid**2
        b, d, theta = (value.repeat_interleave(places) for value in (self.b, self.d, self.threshold()))
        return b, d, theta


def activity_loss(rates: Sequence[Tensor], target: float) -> Tensor:
    """Mean over units of the squared excess of their firing rate (events per step, over time and batch) above `target`.

    Rates below the target cost nothing: silence is free on an event-driven machine, and the task loss keeps units alive that it needs.
    """
    total = rates[0].new_zeros(())
    for rate in rates:
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

    With a `geometry` the first layer is local and `hidden[0]` its number of units. `dropout` is the probability, in training, that a unit's
    outputs do not reach the layer above for a sequence.
    """

    def __init__(
        self, inputs: int, hidden: Sequence[int], options: Options | None = None, dropout: float = 0.0, geometry: local.Local | None = None
    ) -> None:
        super().__init__()
        self.between = LockedDropout(dropout)
        layers = [EGRU(into, units, options) for into, units in list(zip([inputs, *hidden], hidden, strict=False))[geometry is not None :]]
        self.layers = nn.ModuleList(layers if geometry is None else [LocalEGRU(geometry, options), *layers])

    def start(self, batch: int) -> list[State]:
        """The state of a network that has seen nothing: zeros, one pair a layer."""
        return [layer.start(batch) for layer in self.layers]

    def forward(self, x: Tensor, states: list[State] | None = None) -> tuple[list[Tensor], list[Tensor], list[State]]:
        """x [T, B, inputs] -> outputs [T, B, H_l] and firing rates [H_l] of every layer and the states after the last step."""
        outputs, rates, after = [], [], []
        for index, layer in enumerate(self.layers):
            x, rate, state = layer(self.between(x) if index else x, None if states is None else states[index])
            outputs.append(x)
            rates.append(rate)
            after.append(state)
        return outputs, rates, after
