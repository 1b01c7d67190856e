"""Promises of a step's element-wise half for a GPU: torch computes the same.

They run where Triton is, which no extra of the project names: it comes with the CUDA builds of torch for Linux, and beside a build for
processors it is installed by hand (`pip install triton`). Without a GPU Triton's interpreter then runs the kernels.
"""

import pytest
import torch
from torch import Tensor

from models import sequence
from models.sequence import Dense, Local, Product, Sequence, Surrogate

pytest.importorskip("triton", reason="the kernels for a GPU need triton, which no extra names: pip install triton")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
with pytest.MonkeyPatch.context() as patch:
    if DEVICE == "cpu":
        patch.setenv("TRITON_INTERPRET", "1")  # read when the kernels are decorated
    from models import elementwise_gpu  # noqa: F401


def whole(kind: str, dtype: torch.dtype, product: Product, weights: Tensor, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """Outputs, rates and last membranes of a sequence, and the gradients of all that went into it."""
    monkeypatch.setattr(sequence, "_kind", lambda *_: kind)
    random, steps, batch, units = torch.Generator().manual_seed(1), 7, 5, 32

    def normal(*shape: int, scale: float = 1.0) -> Tensor:
        return torch.randn(shape, generator=random) * scale

    given = [normal(steps, batch, 3 * units).to(dtype), weights, normal(3 * units, scale=0.3), normal(3 * units, scale=0.3)]
    given += [torch.rand(units, generator=random) * 0.3, normal(batch, units, scale=0.3), normal(batch, units, scale=0.3).to(dtype)]
    given = [value.to(DEVICE).requires_grad_() for value in given]
    y, rate, h = Sequence.apply(*given, None, Surrogate(), product)
    loss = (y.float() * normal(steps, batch, units).to(DEVICE)).sum() + (rate * normal(units).to(DEVICE)).sum()
    (loss + (h * normal(batch, units).to(DEVICE)).sum()).backward()
    return [
        value.float().cpu() for value in (y.detach(), rate.detach(), h.detach(), *(value.grad for value in given if value.grad is not None))
    ]


@pytest.mark.parametrize("local", [False, True], ids=["dense", "local"])
@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-4), (torch.bfloat16, 0.05)])
def test_a_sequence_and_all_its_gradients_are_those_of_torch(
    local: bool, dtype: torch.dtype, error: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = torch.Generator().manual_seed(2)
    product: Product = Local(2, 4) if local else Dense()
    weights = torch.randn((6, 2, 3, 3) if local else (32, 96), generator=random) * 0.2
    torchs = whole("torch", dtype, product, weights, monkeypatch)
    ours = whole("gpu", dtype, product, weights, monkeypatch)
    assert len(ours) == 10
    for mine, other in zip(ours, torchs, strict=True):
        assert (mine - other).norm() <= error * other.norm()
