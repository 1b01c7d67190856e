"""Fewer weights, learnt: while a network trains, the smallest weights of its layers are taken away step by step.

Taken away after training, half of a language model's weights cost it 6 % of its perplexity, seven tenths 40 %; a network that goes on
learning while they go makes up for most of it (Zhu and Gupta, "To prune, or not to prune", 2017, arXiv 1710.01878, whose schedule this
is). Which weights go is what `models.chip.compress.prune` says, here with torch, as the network may be on another device; so the chip's
program of the finished network keeps every weight that is left. A weight that is gone may come back: until the next choice it is held at
zero, but its gradient is not.

Weights need no training against quantisation: int8 with a step per target costs less than 0.1 % (tests/models/chip/test_shipped.py).
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from pipeline.errors import USAGE, UserError

BEGIN, END = 0.1, 0.8
"""Shares of the run between which the density falls; what comes after is for recovery."""
EVERY = 50
"""Steps between two choices of what goes."""


def density_at(progress: float, density: float) -> float:
    """The share of weights that is kept when `progress` (0 to 1) of a run is done that ends with `density`."""
    done = min(max((progress - BEGIN) / (END - BEGIN), 0.0), 1.0)
    return density + (1 - density) * (1 - done) ** 3


def kept(matrices: Mapping[str, Tensor], density: float) -> dict[str, Tensor]:
    """Where the share `density` of the largest weights of all `matrices` is, each measured by its matrix's root mean square."""
    ranks = {name: matrix.detach().abs() / _rms(matrix) for name, matrix in matrices.items()}
    every = torch.cat([rank.flatten() for rank in ranks.values()])
    gone = every.numel() - max(1, round(every.numel() * density))
    if gone == 0:
        return {name: matrix != 0 for name, matrix in matrices.items()}
    # A processor selects faster than it sorts, a graphics processor the other way round.
    least = every.kthvalue(gone + 1).values if every.device.type == "cpu" else every.sort().values[gone]
    return {name: (rank >= least) & (rank > 0) for name, rank in ranks.items()}


def _rms(matrix: Tensor) -> Tensor:
    """Root mean square of what is not zero."""
    found = torch.count_nonzero(matrix).clamp(min=1)
    return (matrix.detach().double().square().sum() / found).sqrt().clamp(min=torch.finfo(torch.float32).tiny).float()


def _share(matrices: Mapping[str, Tensor]) -> float:
    """Share of weights that are not zero."""
    return sum(int(torch.count_nonzero(matrix)) for matrix in matrices.values()) / sum(matrix.numel() for matrix in matrices.values())


def check(density: float) -> None:
    """UserError where `density` is not a share above 0."""
    if not 0 < density <= 1:
        raise UserError(f"A density of {density:g} is not a share of the weights: name one above 0 and at most 1.", USAGE)


class Pruner:
    """Holds the layers' smallest weights at zero. Call `hold` after every step of the optimiser."""

    def __init__(self, parameters: Iterable[tuple[str, nn.Parameter]], density: float) -> None:
        """`parameters` are a `models.egru.Stack`'s, by name; its matrices are pruned, the shared kernels of a local layer are not.

        Matrices that are pruned already keep at most the share of weights that they have now.

        UserError where `density` is not a share above 0.
        """
        check(density)
        self.density = density
        self._matrices = {name: parameter for name, parameter in parameters if parameter.ndim == 2}
        self._most = _share(self._matrices)
        self._kept: dict[str, Tensor] = {}
        self._step = 0

    @torch.no_grad()
    def hold(self, progress: float) -> None:
        """Set to zero what is gone when `progress` (0 to 1) of the run is done."""
        if self._step % EVERY == 0 or progress >= 1:
            self._kept = kept(self._matrices, min(self._most, density_at(progress, self.density)))
        self._step += 1
        self.cut(self._matrices.items())

    @torch.no_grad()
    def cut(self, parameters: Iterable[tuple[str, Tensor]]) -> None:
        """Set to zero what is gone, in any tensors of the same names and shapes; others stay as they are."""
        for name, parameter in parameters:
            if name in self._kept:
                parameter.mul_(self._kept[name])

    def resume(self, step: int) -> None:
        """Go on as after `step` calls of `hold`, with the parameters as they were then: what is zero is gone."""
        self._step, self._most = step, _share(self._matrices)
        self._kept = {name: matrix.detach() != 0 for name, matrix in self._matrices.items()}
