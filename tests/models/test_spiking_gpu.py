"""Promises of the recurrences for a GPU: they compute what those for a processor do.

They run where Triton is, which no extra of the project names: it comes with the CUDA builds of torch for Linux, and beside a build for
processors it is installed by hand (`pip install triton`). Without a GPU Triton's interpreter then runs the kernels.
"""

import pytest
import torch
from torch import Tensor

from models import spiking
from models.spikegpt import SpikeGPT

pytest.importorskip("triton", reason="the kernels for a GPU need triton, which no extra names: pip install triton")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
with pytest.MonkeyPatch.context() as patch:
    if DEVICE == "cpu":
        patch.setenv("TRITON_INTERPRET", "1")  # read when the kernels are decorated
    from models import spiking_gpu

on_a_gpu = pytest.mark.skipif(DEVICE == "cpu", reason="there is no CUDA GPU here")
SHAPES = [(7, 2, 3), (1, 1, 1), (12, 5, spiking_gpu.PAIRS)]


def normal(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


def on_both(name: str, given: list[Tensor], replaced: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """What `name` of either module makes of `replaced`, from the same beginning: (processor, GPU)."""
    ours, theirs = ([part.clone().to(device) for part in replaced] for device in ("cpu", DEVICE))
    getattr(spiking, name)(*(part.numpy() for part in [*given, *ours]))
    getattr(spiking_gpu, name)(*(part.to(DEVICE) for part in given), *theirs)
    return [(mine, other.cpu()) for mine, other in zip(ours, theirs, strict=True)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [1.0, 60.0, 3e4])
@pytest.mark.parametrize("read", [False, True], ids=["from nothing", "with a state"])
def test_the_weighted_mean_and_its_gradients_are_those_of_a_processor_however_large_the_keys(
    shape: tuple[int, int, int], scale: float, read: bool
) -> None:
    state_shape, width = shape[1:], shape[2]
    k, v, w, u = normal(*shape, scale=scale), normal(*shape, seed=1), -normal(width, seed=2).exp(), normal(width, seed=3)
    state = [normal(*state_shape, seed=4), normal(*state_shape, seed=5).exp(), normal(*state_shape, seed=6, scale=scale)]
    if not read:
        state = [torch.zeros(state_shape), torch.zeros(state_shape), torch.full(state_shape, float(spiking.NEVER))]
    kept, out = torch.full((3, *shape), torch.nan), torch.full(shape, torch.nan)
    forward = on_both("mean_forward", [k, v, w, u], [*state, kept, out])
    for mine, other in forward:
        torch.testing.assert_close(other, mine, rtol=3e-5, atol=3e-5)
    kept, out = forward[3][0], forward[4][0]
    gradients = [torch.full(shape, torch.nan), torch.full(shape, torch.nan), torch.ones(width), torch.ones(width)]
    for mine, other in on_both("mean_backward", [normal(*shape, seed=7), k, v, w, u, kept, out], gradients):
        assert mine.isfinite().all()
        torch.testing.assert_close(other, mine, rtol=3e-5, atol=3e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_gates_spikes_and_gradients_are_those_of_a_processor(shape: tuple[int, int, int]) -> None:
    drive, membrane = normal(*shape, scale=3.0), normal(*shape[1:], seed=1)
    forward = on_both("gate_forward", [drive], [membrane, torch.full(shape, torch.nan), torch.full(shape, torch.nan)])
    for mine, other in forward:
        torch.testing.assert_close(other, mine)
    assert shape == (1, 1, 1) or 0 < forward[2][0].mean() < 1
    ((mine, other),) = on_both("gate_backward", [normal(*shape, seed=2), forward[1][0]], [torch.full(shape, torch.nan)])
    torch.testing.assert_close(other, mine, rtol=1e-5, atol=1e-6)


def test_tensors_that_are_laid_out_otherwise_are_refused() -> None:
    drive = normal(4, 2, 6).to(DEVICE)
    with pytest.raises(ValueError, match="contiguous"):
        spiking_gpu.gate_backward(drive[..., ::2], drive[..., ::2], drive[..., 1::2])
    with pytest.raises(ValueError, match="float32"):
        spiking_gpu.gate_backward(drive.double(), drive, drive)


def loss_of(model: SpikeGPT, tokens: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    top, _, after = model.read(tokens[:-1], state)
    return torch.nn.functional.cross_entropy((top @ model.head.weight.t()).flatten(0, 1), tokens[1:].flatten()), after


@on_a_gpu
def test_the_network_has_the_loss_gradients_and_state_on_a_gpu_that_it_has_on_a_processor() -> None:
    torch.manual_seed(0)
    model, tokens = SpikeGPT(100, 96, 2), torch.arange(30 * 3).view(30, 3) * 7 % 100
    found: list[list[Tensor]] = []
    for device in ("cpu", "cuda"):
        model.to(device).zero_grad()
        loss, after = loss_of(model, tokens.to(device), model.start(3))
        loss.backward()
        gradients = [p.grad.cpu() for p in model.parameters() if p.grad is not None]
        found.append([loss.detach().cpu(), *gradients, *(part.cpu() for part in after.values())])
    for mine, other in zip(*found, strict=True):
        torch.testing.assert_close(other, mine, rtol=1e-3, atol=1e-4)


@on_a_gpu
def test_a_captured_step_goes_on_from_the_state_that_it_is_given_each_time() -> None:
    torch.manual_seed(0)
    model, tokens = SpikeGPT(100, 96, 2).cuda(), (torch.arange(9 * 3).view(9, 3) * 7 % 100).cuda()
    state, side = model.start(3), torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # compiles the kernels, as capture asks
        loss_of(model, tokens, state)[0].backward()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        model.zero_grad()
        loss, after = loss_of(model, tokens, state)
        loss.backward()
    eager = model.start(3)
    for _ in range(3):
        expected, eager = loss_of(model, tokens, eager)
        graph.replay()
        torch.testing.assert_close(loss, expected)
        for name, part in state.items():
            torch.testing.assert_close(after[name], eager[name])
            part.copy_(after[name])
