"""Promises of the compiled loss: it is torch's, and so are its gradients."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.training import likelihood  # noqa: E402
from models.training.likelihood import mean_loss  # noqa: E402


def results(x: torch.Tensor, embedding: torch.Tensor, bias: torch.Tensor, targets: torch.Tensor) -> list[torch.Tensor]:
    leaves = [part.detach().clone().requires_grad_() for part in (x, embedding, bias)]
    loss = mean_loss(leaves[0], leaves[1], leaves[2], targets)
    (3 * loss).backward()
    return [loss.detach(), *(leaf.grad.float() for leaf in leaves)]


@pytest.mark.parametrize("vocabulary", [3, 64, 200])
def test_loss_and_gradients_are_torchs(vocabulary: int) -> None:
    torch.manual_seed(1)
    x, embedding = torch.randn(5, 4, 8).bfloat16(), torch.randn(vocabulary, 8).bfloat16().float()
    bias, targets = torch.randn(vocabulary), torch.randint(0, vocabulary, (5, 4))
    for ours, wanted in zip(results(x, embedding, bias, targets), results(x.float(), embedding, bias, targets), strict=True):
        torch.testing.assert_close(ours, wanted, rtol=2e-2, atol=1e-2 * float(wanted.abs().max()))


def test_gradients_of_a_row_of_logits_add_up_to_nothing_and_the_loss_is_exact() -> None:
    rng = np.random.default_rng(1)
    logits, bias = torch.from_numpy(rng.normal(0, 9, (50, 130)).astype(np.float32)).bfloat16(), rng.normal(0, 1, 130).astype(np.float32)
    targets, losses, grad_bias = rng.integers(0, 130, 50), np.empty(50, np.float32), np.zeros(130, np.float32)
    wide = logits.double().numpy() + bias
    likelihood.softmax_gradient(logits.view(torch.int16).numpy(), bias, targets, losses, grad_bias)
    np.testing.assert_allclose(losses, np.log(np.exp(wide).sum(1)) - wide[np.arange(50), targets], rtol=1e-5, atol=1e-5)
    assert abs(grad_bias.sum()) < 1e-5
    np.testing.assert_allclose(logits.float().numpy().sum(0), grad_bias, atol=1e-4)


def test_no_logit_is_too_far_from_the_others() -> None:
    logits = torch.tensor([[3e4, -3e4, 0.0]]).bfloat16()
    losses, grad_bias = np.empty(1, np.float32), np.zeros(3, np.float32)
    likelihood.softmax_gradient(logits.view(torch.int16).numpy(), np.zeros(3, np.float32), np.array([0]), losses, grad_bias)
    assert losses[0] == pytest.approx(0, abs=1e-6) and np.isfinite(grad_bias).all()
