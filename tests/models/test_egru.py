"""Promises of `models.egru`: the written equations, a state that is the caller's, and a backward pass that is theirs too."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models import sequence
from models.egru import EGRU, LocalEGRU, Options, Stack, activity_loss
from models.local import Local
from models.sequence import Surrogate

OPTIONS = {
    "plain": Options(),
    "zoneout": Options(zoneout=0.3),
    "dropconnect": Options(dropconnect=0.3),
    "fixed-threshold": Options(train_threshold=False),
    "narrow-surrogate": Options(Surrogate(0.4, 2.0)),
    "everything": Options(Surrogate(0.5, 1.7), zoneout=0.2, dropconnect=0.2, threshold_mean=0.3),
}


def layer_of(options: Options, inputs: int = 5, units: int = 7, dtype: torch.dtype = torch.float64) -> EGRU:
    torch.manual_seed(3)
    layer = EGRU(inputs, units, options).to(dtype)
    with torch.no_grad():
        layer.b.normal_(), layer.d.normal_()
    return layer


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, distance, options):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(distance)
        ctx.options = options
        return (distance > 0).to(distance.dtype)

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        return gradient * ctx.options.surrogate(ctx.saved_tensors[0]), None


def by_the_book(layer: EGRU, x: Tensor, h: Tensor, y: Tensor, hold: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs, firing rates and h by the module's equations, differentiated by autograd; `hold` is where zoneout holds."""
    outputs, events = [], []
    theta = layer.theta.clamp(0, 1)
    for t, now in enumerate(x):
        a, q = now @ layer.wx + layer.b, y @ layer.wh + layer.d
        (az, ar, ag), (qz, qr, qg) = a.chunk(3, -1), q.chunk(3, -1)
        z, r = torch.sigmoid(az + qz), torch.sigmoid(ar + qr)
        c = z * h + (1 - z) * torch.tanh(ag + r * qg)
        c = c if hold is None else torch.where(hold[t], h, c)
        e = _Step.apply(c - theta, layer.options)
        y, h = e * c, c - e * theta
        outputs.append(y)
        events.append(e)
    return torch.stack(outputs), torch.stack(events).mean((0, 1)), h


def test_a_step_is_what_the_equations_say() -> None:
    layer = layer_of(Options())
    x, h, y = torch.randn(9, 2, 5, dtype=torch.float64), torch.rand(2, 7, dtype=torch.float64), torch.rand(2, 7, dtype=torch.float64)
    outputs, rate, (h_end, y_end) = layer(x, (h, y))
    wanted, wanted_rate, wanted_h = by_the_book(layer, x, h, y)
    assert (outputs > 0).any() and (outputs == 0).any()
    torch.testing.assert_close(outputs, wanted)
    torch.testing.assert_close(rate, wanted_rate)
    torch.testing.assert_close(h_end, wanted_h)
    assert torch.equal(y_end, outputs[-1])


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_single_steps_equal_one_sequence_in_evaluation(options: Options) -> None:
    layer = layer_of(options).eval()
    x = torch.randn(20, 3, 5, dtype=torch.float64)
    whole, _, (h, y) = layer(x)
    state, parts = layer.start(3), []
    for now in x:
        output, _, state = layer(now[None], state)
        parts.append(output)
    assert torch.equal(torch.cat(parts), whole)
    assert torch.equal(state[0], h)
    assert torch.equal(state[1], y)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.sampled_from(sorted(OPTIONS)))
@settings(max_examples=25, deadline=None)
def test_a_sequence_may_be_cut_anywhere(lengths: list[int], name: str) -> None:
    torch.manual_seed(1)
    stack = Stack(4, [6, 5], OPTIONS[name]).double().eval()
    x = torch.randn(sum(lengths), 2, 4, dtype=torch.float64)
    whole, _, end = stack(x)
    states, parts = None, []
    for part in x.split(lengths):
        outputs, _, states = stack(part, states)
        parts.append(outputs[-1])
    assert torch.equal(torch.cat(parts), whole[-1])
    assert states is not None
    for state, wanted in zip(states, end, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(state, wanted, strict=True))


@pytest.mark.parametrize("name", ["zoneout", "dropconnect"])
def test_training_options_do_nothing_in_evaluation_and_something_in_training(name: str) -> None:
    noisy, plain = layer_of(OPTIONS[name]), layer_of(OPTIONS["plain"])
    x = torch.randn(12, 2, 5, dtype=torch.float64)
    assert torch.equal(noisy.eval()(x)[0], plain.eval()(x)[0])
    assert not torch.equal(noisy.train()(x)[0], plain.train()(x)[0])


@pytest.mark.parametrize("options", [Options(), OPTIONS["zoneout"], OPTIONS["narrow-surrogate"]], ids=["plain", "zoneout", "narrow"])
def test_the_backward_pass_is_the_one_of_the_equations(options: Options) -> None:
    layer = layer_of(options)
    x = torch.randn(11, 3, 5, dtype=torch.float64, requires_grad=True)
    h = torch.rand(3, 7, dtype=torch.float64, requires_grad=True)
    y = torch.rand(3, 7, dtype=torch.float64, requires_grad=True)
    weights = [torch.randn(size, dtype=torch.float64) for size in ((11, 3, 7), (7,), (3, 7))]
    inputs = [x, h, y, *layer.parameters()]

    def gradients(outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return torch.autograd.grad(sum((o * w).sum() for o, w in zip(outputs, weights, strict=True)), inputs)  # type: ignore[arg-type]

    torch.manual_seed(8)
    hold = torch.rand(11, 3, 7) < options.zoneout
    torch.manual_seed(8)
    outputs, rate, (h_end, _) = layer(x, (h, y))
    for ours, wanted in zip(gradients((outputs, rate, h_end)), gradients(by_the_book(layer, x, h, y, hold)), strict=True):
        torch.testing.assert_close(ours, wanted)


def test_far_from_every_threshold_the_gradient_is_the_true_one() -> None:
    # Where the triangle is zero everywhere the surrogate changes nothing, and finite differences may judge.
    layer = layer_of(Options(Surrogate(support=1e6)))
    x = torch.randn(4, 2, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda value: (layer(value)[0], layer(value)[2][0]), (x,))


def test_zoneout_holds_the_membrane() -> None:
    layer = layer_of(Options(zoneout=1.0)).train()
    h, y = torch.full((2, 7), -0.25, dtype=torch.float64), torch.zeros(2, 7, dtype=torch.float64)
    outputs, _, (end, _) = layer(torch.randn(5, 2, 5, dtype=torch.float64), (h, y))
    assert torch.equal(end, h) and not outputs.any()


def test_thresholds_start_and_stay_between_zero_and_one() -> None:
    layer = EGRU(4, 2000, Options(threshold_mean=0.3))
    theta = layer.theta.detach()
    assert (theta >= 0).all() and (theta <= 1).all()
    assert abs(float(theta.mean()) - 0.3) < 0.02
    with torch.no_grad():
        layer.theta += 5
    assert torch.equal(layer.threshold(), torch.ones(2000))


def test_a_unit_at_its_threshold_does_not_fire() -> None:
    layer = layer_of(Options())
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    outputs, _, _ = layer(torch.zeros(1, 1, 5, dtype=torch.float64))
    assert not outputs.any()  # c = 0 = theta: strictly greater is asked


def test_activity_regularisation_charges_only_what_fires_too_often() -> None:
    layer = layer_of(Options())
    _, rate, _ = layer(torch.randn(30, 4, 5, dtype=torch.float64))
    assert not activity_loss([rate], 1.0).any()
    busy = activity_loss([rate], 0.0)
    (gradient,) = torch.autograd.grad(busy, layer.theta)
    assert busy > 0 and (gradient <= 0).all() and (gradient < 0).any()  # a higher threshold would make it cheaper


def test_bfloat16_products_stay_near_the_exact_ones() -> None:
    layer = layer_of(Options(), dtype=torch.float32)
    x = torch.randn(10, 2, 5)
    with torch.autocast("cpu", torch.bfloat16):
        mixed, _, (h, _) = layer(x)
    assert mixed.dtype == torch.bfloat16 and h.dtype == torch.float32
    close = (mixed.float() - layer(x)[0]).abs() < 0.05
    assert float(close.double().mean()) > 0.9


@pytest.mark.parametrize("geometry", [None, Local(3, grid=4, block=2)], ids=["dense", "local"])
def test_the_compiled_steps_and_torchs_are_the_same(geometry: Local | None, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(5)
    stack = Stack(128, [48, 20], geometry=geometry)
    x = (torch.rand(9, 3, 128) < 0.2).float()

    def results() -> list[Tensor]:
        stack.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            outputs, rates, states = stack(x)
        (outputs[-1].float().square().sum() + 3 * rates[0].sum() + states[0][0].sum() + states[1][0].sum()).backward()
        return [outputs[-1].detach().float(), rates[0].detach(), states[1][0].detach(), *(p.grad for p in stack.parameters())]

    compiled = results()
    monkeypatch.setattr(sequence, "_step_compiled", sequence._step)
    monkeypatch.setattr(sequence, "_back_compiled", sequence._back)
    for ours, wanted in zip(compiled, results(), strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-2, atol=1e-3 * float(wanted.abs().max()))


def test_a_local_layer_written_out_is_the_same_layer() -> None:
    torch.manual_seed(2)
    geometry = Local(3, grid=4, block=2)
    layer, wide = LocalEGRU(geometry).double(), EGRU(geometry.inputs, geometry.units).double()
    with torch.no_grad():
        layer.b.normal_(), layer.d.normal_()
    tensors = geometry.written_out({name: value.detach().numpy() for name, value in layer.named_parameters()})
    wide.load_state_dict({name: torch.from_numpy(value).double() for name, value in tensors.items()})
    x = torch.rand(12, 2, geometry.inputs, dtype=torch.float64)
    for ours, wanted in zip(layer(x)[:2], wide(x)[:2], strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-5, atol=1e-6)  # what is written out is float32


def test_moving_a_local_layers_input_by_a_place_moves_its_answer() -> None:
    torch.manual_seed(4)
    geometry = Local(2, grid=6, block=2)
    layer = LocalEGRU(geometry).double()
    frames = torch.zeros(8, 1, 2, 12, 12, dtype=torch.float64)
    frames[..., 4:8, 4:8] = torch.rand(8, 1, 2, 4, 4, dtype=torch.float64) > 0.5
    here, there = (layer(x.flatten(2))[0].view(8, 2, 6, 6) for x in (frames, frames.roll(2, -1)))
    torch.testing.assert_close(here[:3, :, 1:-1, 0:4], there[:3, :, 1:-1, 1:5])  # the border is reached after three steps
