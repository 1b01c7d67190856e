"""The forward and backward pass of a training step, on a graphics processor recorded once and then played back.

A window of text is a few hundred small kernels in a row, each over in microseconds; launched one by one from Python they leave the device
idle most of the time. A CUDA graph holds them all and is launched as one. What it needs: the same shapes in every step, inputs and outputs
at fixed places (they are copied in, and copied out by whoever keeps them beyond the next step), and no wait for the device in between.
Random numbers in it follow the generator's seed and offset of the moment of playing, as they do without a graph.

On a processor, nothing is recorded.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

WARM_UP = 3
"""Runs ahead of the recording, in which libraries choose their kernels and take their memory."""

Compute = Callable[..., Sequence[Tensor]]


class Passes:
    """`compute` takes tensors, adds to the gradients of `model`, and returns tensors without a history."""

    def __init__(self, model: nn.Module, compute: Compute) -> None:
        self.model, self.compute = model, compute
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: list[Tensor] = []
        self._outputs: list[Tensor] = []

    def __call__(self, *inputs: Tensor) -> list[Tensor]:
        """The outputs of one run, the gradients of `model` being those of this run alone."""
        if next(self.model.parameters()).device.type != "cuda":
            self.model.zero_grad()
            return list(self.compute(*inputs))
        if self._graph is None:
            self._record(inputs)
        for place, value in zip(self._inputs, inputs, strict=True):
            place.copy_(value, non_blocking=True)
        assert self._graph is not None
        self._graph.replay()
        return [output.clone() for output in self._outputs]

    def _record(self, inputs: Sequence[Tensor]) -> None:
        device = next(self.model.parameters()).device
        self._inputs = [value.to(device, copy=True) for value in inputs]
        seed = torch.cuda.get_rng_state(device)
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                self.model.zero_grad()
                self.compute(*self._inputs)
        torch.cuda.current_stream().wait_stream(aside)
        self.model.zero_grad()  # the recording makes the gradients anew, at places of its own
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = list(self.compute(*self._inputs))
        torch.cuda.set_rng_state(seed, device)
