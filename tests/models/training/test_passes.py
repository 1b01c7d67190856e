"""Promises of a step's passes: on any device, recorded or not, the same gradients; and of the choice of a device."""

import pytest
import torch
from torch import Tensor, nn

from app.cli import run_command
from models.training.passes import Passes
from pipeline.errors import USAGE, UserError


@pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU here"))]
)
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


@pytest.mark.parametrize("kind", ["gesture", "language", "spikegpt"])
def test_a_device_that_is_not_here_is_refused_in_a_sentence(kind: str) -> None:
    device = "tpu" if torch.cuda.is_available() else "cuda"
    with pytest.raises(UserError, match=device) as refused:
        run_command(["train", kind, "--device", device])
    assert refused.value.exit_code == USAGE
