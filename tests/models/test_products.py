"""Promises of the products of a layer: however the weights are laid out, they are the same products."""

import pytest

torch = pytest.importorskip("torch")

from models import sequence  # noqa: E402
from models.egru import EGRU  # noqa: E402


@pytest.mark.parametrize("mixed", [True, False])
@pytest.mark.parametrize("batch", [1, 5, 32])
def test_packed_products_are_the_dense_ones(mixed: bool, batch: int) -> None:
    torch.manual_seed(4)
    layer = EGRU(24, 40)
    x = torch.randn(6, batch, 24)

    def results(product: sequence.Product) -> list[torch.Tensor]:
        layer.product = product
        layer.zero_grad()
        inputs = x.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            outputs, rate, (h, _) = layer(inputs)
        (outputs.float().square().sum() + rate.sum() + h.sum()).backward()
        return [outputs.detach().float(), h.detach(), inputs.grad, layer.wx.grad, layer.wh.grad, layer.b.grad]

    for ours, wanted in zip(results(sequence.Packed()), results(sequence.Dense()), strict=True):
        torch.testing.assert_close(ours, wanted, rtol=2e-2 if mixed else 1e-4, atol=(1e-2 if mixed else 1e-5) * float(wanted.abs().max()))


def test_a_sum_over_rows_is_the_product_of_the_transpose() -> None:
    left, right = torch.randn(9, 3), torch.randn(9, 4)
    torch.testing.assert_close(sequence.over_rows(left, right), left.T @ right)
