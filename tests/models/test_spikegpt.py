"""Promises of SpikeGPT for training: gradients are those of the equations, and what it saves is a checkpoint as they are published."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models import spiking
from models.foreign import opening
from models.foreign import spikegpt as foreign
from models.spikegpt import SpikeGPT
from models.spiking import Gate, WeightedMean
from models.tokenizer import Tokenizer

STEPS, ROWS, WIDTH = 7, 2, 3


def normal(*shape: int, scale: float = 1.0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))) * scale


def mean_by_hand(k: Tensor, v: Tensor, w: Tensor, u: Tensor) -> Tensor:
    """The weighted mean as sums over all earlier steps, for autograd."""
    rows = []
    for t in range(len(k)):
        distance = torch.arange(t - 1, -1, -1, dtype=k.dtype)[:, None, None]
        share = torch.cat((distance * w + k[:t], (u + k[t])[None])).softmax(0)
        rows.append((share * v[: t + 1]).sum(0))
    return torch.stack(rows)


@pytest.mark.parametrize("scale", [1.0, 60.0])
def test_the_weighted_mean_and_its_gradients_are_those_of_the_sums_however_large_the_keys(scale: float) -> None:
    k, v, w, u, grad = (
        normal(STEPS, ROWS, WIDTH, scale=scale),
        normal(STEPS, ROWS, WIDTH) + 1,
        -normal(WIDTH).exp(),
        normal(WIDTH),
        normal(STEPS, ROWS, WIDTH),
    )
    exact = [value.double().requires_grad_() for value in (k, v, w, u)]
    expected = mean_by_hand(*exact)
    expected.backward(grad.double())
    found = [value.clone().requires_grad_() for value in (k, v, w, u)]
    state = torch.zeros(ROWS, WIDTH), torch.zeros(ROWS, WIDTH), torch.full((ROWS, WIDTH), float(spiking.NEVER))
    mean = WeightedMean.apply(*found, *state)
    mean.backward(grad)
    torch.testing.assert_close(mean.double(), expected, rtol=1e-4, atol=1e-4)
    for value, right in zip(found, exact, strict=True):
        assert value.grad is not None and right.grad is not None
        torch.testing.assert_close(value.grad.double(), right.grad, rtol=1e-3, atol=1e-4)


class Spike(torch.autograd.Function):
    """H(distance) with the gradient of an arctangent."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, distance: Tensor) -> Tensor:
        ctx.save_for_backward(distance)
        return (distance >= 0).to(distance.dtype)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> Tensor:
        (distance,) = ctx.saved_tensors  # type: ignore[attr-defined]
        alpha = 2.0
        return gradients[0] * alpha / (2 * (1 + (math.pi / 2 * alpha * distance) ** 2))


def test_the_gates_spikes_and_gradients_are_those_of_the_equations_step_by_step() -> None:
    drive, grad = normal(20, ROWS, WIDTH, scale=2.0), normal(20, ROWS, WIDTH)
    by_hand = drive.double().requires_grad_()
    v, spikes = torch.zeros(ROWS, WIDTH, dtype=torch.float64), []
    for step in by_hand:
        v = v + (step - v) / 2
        spikes.append(Spike.apply(v - 1))
        v = v * (1 - spikes[-1])
    torch.stack(spikes).backward(grad.double())
    found = drive.clone().requires_grad_()
    membrane = torch.zeros(ROWS, WIDTH)
    fired = Gate.apply(found, membrane)
    fired.backward(grad)
    assert 0 < float(fired.detach().mean()) < 1
    torch.testing.assert_close(fired.detach().double(), torch.stack(spikes).detach())
    torch.testing.assert_close(membrane.double(), v.detach())
    assert found.grad is not None and by_hand.grad is not None
    torch.testing.assert_close(found.grad.double(), by_hand.grad, rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def model() -> SpikeGPT:
    torch.manual_seed(0)
    made = SpikeGPT(280, 16, 3)
    for module in made.modules():
        if isinstance(module, nn.LayerNorm):
            nn.init.normal_(module.weight, 1, 0.1)
    return made.eval()


def test_its_weights_have_the_names_and_shapes_that_are_published(model: SpikeGPT) -> None:
    assert {name: tuple(value.shape) for name, value in model.state_dict().items()} == foreign.shapes(280, 16, 3)


@torch.no_grad()
def test_what_it_saves_is_opened_as_a_published_checkpoint_and_computes_the_same(model: SpikeGPT, tmp_path: Path) -> None:
    torch.save(model.state_dict(), tmp_path / "made.pth")
    tokenizer = Tokenizer.train([opening.SAMPLE] * 9, 280)
    tokenizer.save(tmp_path / "made.tokenizer.json")
    network = opening.load(tmp_path / "made.pth").network
    assert isinstance(network, foreign.SpikeGPT) and len(tokenizer) == 280
    network.binary = False  # an untrained network reads no better one way than the other
    tokens = [3, 7, 270, 9, 9, 100] * 5
    top, spikes, state = model.read(torch.tensor(tokens)[:, None], model.start(1))
    np.testing.assert_allclose(network.read(tokens), (top[:, 0] @ model.head.weight.t()).numpy(), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(network.activity, [float(part.mean()) for part in spikes], atol=1e-6)
    for name, part in network.state.items():
        np.testing.assert_allclose(part, state[name][:, 0].numpy(), rtol=1e-3, atol=1e-3, err_msg=name)


@torch.no_grad()
def test_windows_with_the_state_carried_are_one_sequence(model: SpikeGPT) -> None:
    tokens = torch.arange(24).view(12, 2)
    whole, _, _ = model.read(tokens, model.start(2))
    state = model.start(2)
    parts = []
    for part in tokens.split(5):
        top, _, state = model.read(part, state)
        parts.append(top)
    torch.testing.assert_close(torch.cat(parts), whole, rtol=1e-4, atol=1e-4)
