"""Promises of a step's passes: on any device, recorded or not, the same gradients and random numbers; and of the choice of a device."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from app.cli import run_command
from models.training.passes import Passes
from pipeline.errors import USAGE, UserError

on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU here")
DEVICES = ["cpu", pytest.param("cuda", marks=on_a_gpu)]


@pytest.mark.parametrize("device", DEVICES)
def test_every_run_leaves_its_own_gradients_and_outputs(device: str) -> None:
    model = nn.Linear(3, 2, bias=False).to(device)

    def compute(x: Tensor) -> list[Tensor]:
        y = model(x)
        y.sum().backward()
        return [y.detach()]

    passes, kept = Passes(model, compute), []
    for step in range(4):
        x = torch.full((5, 3), float(step), device=device)
        kept.append((x, *passes(x)))
        assert model.weight.grad is not None
        torch.testing.assert_close(model.weight.grad, torch.full_like(model.weight, 5.0 * step))
    for x, y in kept:
        torch.testing.assert_close(y, model(x).detach())


@pytest.mark.parametrize("device", DEVICES)
def test_dropout_follows_the_seed_of_every_run_as_it_does_without_a_recording(device: str) -> None:
    model, x = nn.Linear(64, 64, bias=False).to(device), torch.rand(32, 64, device=device)

    def compute(x: Tensor) -> list[Tensor]:
        once = functional.dropout(model(x), 0.5)
        twice = functional.dropout(once, 0.5)
        twice.sum().backward()
        return [once.detach(), twice.detach()]

    passes, found = Passes(model, compute), []
    for seed in (1, 2, 1):
        torch.manual_seed(seed)
        drawn = passes(x)
        gradient = model.weight.grad
        assert gradient is not None
        recorded = [*drawn, gradient.clone()]
        gradient.zero_()
        torch.manual_seed(seed)
        for mine, plain in zip(recorded, (*compute(x), gradient), strict=True):
            torch.testing.assert_close(mine, plain)
        found.append(recorded)
        once, twice = drawn
        assert 0.4 < float((once != 0).float().mean()) < 0.6
        assert not torch.equal(once != 0, twice != 0), "the second dropout draws numbers of its own"
    first, other, again = found
    assert all(torch.equal(one, same) for one, same in zip(first, again, strict=True))
    assert not any(torch.equal(one, another) for one, another in zip(first, other, strict=True))


@pytest.mark.parametrize("kind", ["gesture", "language", "spikegpt"])
def test_a_device_that_is_not_here_is_refused_in_a_sentence(kind: str) -> None:
    device = "tpu" if torch.cuda.is_available() else "cuda"
    with pytest.raises(UserError, match=device) as refused:
        run_command(["train", kind, "--device", device])
    assert refused.value.exit_code == USAGE
