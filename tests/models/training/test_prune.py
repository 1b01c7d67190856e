"""Pruning while training: the density reached, what is held at zero, and that the chip's program keeps exactly what is left."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from models.chip.compress import prune  # noqa: E402
from models.egru import Stack  # noqa: E402
from models.training import prune as pruning  # noqa: E402
from models.training.prune import END, Pruner, density_at  # noqa: E402


def share(stack: Stack) -> float:
    matrices = [p for p in stack.parameters() if p.ndim == 2]
    return sum(int((p != 0).sum()) for p in matrices) / sum(p.numel() for p in matrices)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 1))
def test_the_density_falls_from_all_to_what_is_asked_for_and_stays(earlier: float, later: float, density: float) -> None:
    first, last = sorted((earlier, later))
    assert density_at(first, density) >= density_at(last, density)
    assert density_at(0, density) == 1
    assert density_at(END, density) == density_at(1, density) == density


def shake(stack: Stack) -> None:
    """A step of some optimiser: every weight moves a little, those that are gone too."""
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.01)


def test_a_trained_network_ends_with_the_density_and_its_program_prunes_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "EVERY", 4)
    torch.manual_seed(1)
    stack = Stack(12, [16, 8])
    pruner = Pruner(stack.named_parameters(), 0.3)
    steps = 10
    for step in range(steps):
        shake(stack)
        pruner.hold((step + 1) / steps)
    assert share(stack) == pytest.approx(0.3, abs=0.002)
    tensors = {name: p.detach().numpy() for name, p in stack.named_parameters()}
    again = prune(tensors, 0.3)
    for name, values in tensors.items():
        np.testing.assert_array_equal(again[name], values)


def test_what_is_gone_stays_gone_between_two_choices() -> None:
    stack = Stack(12, [16])
    pruner = Pruner(stack.named_parameters(), 0.5)
    pruner.hold(1.0)
    gone = [p == 0 for p in stack.parameters() if p.ndim == 2]
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.add_(1)
    pruner.hold(0.99)
    for parameter, mask in zip((p for p in stack.parameters() if p.ndim == 2), gone, strict=True):
        assert torch.equal(parameter == 0, mask)


def test_a_network_that_is_pruned_already_gets_no_weights_back() -> None:
    stack = Stack(12, [16])
    Pruner(stack.named_parameters(), 0.25).hold(1.0)
    before = share(stack)
    again = Pruner(stack.named_parameters(), 0.25)
    for _ in range(3):
        shake(stack)
        again.hold(0.01)
        assert share(stack) == pytest.approx(before)


def test_a_resumed_run_of_a_pruned_network_gets_no_weights_back() -> None:
    stack, other = Stack(12, [16]), Stack(12, [16])
    Pruner(stack.named_parameters(), 0.25).hold(1.0)
    before = share(stack)
    pruner = Pruner(other.named_parameters(), 0.25)
    other.load_state_dict(stack.state_dict())
    pruner.resume(pruning.EVERY)
    shake(other)
    pruner.hold(0.01)
    assert share(other) == pytest.approx(before)


def test_a_density_below_one_weight_keeps_the_largest() -> None:
    stack = Stack(3, [4])
    matrices = {name: p for name, p in stack.named_parameters() if p.ndim == 2}
    assert sum(int(mask.sum()) for mask in pruning.kept(matrices, 1e-9).values()) == 1
