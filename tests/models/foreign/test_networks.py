"""Promises of others' networks: they compute the equations of their papers, steps equal a sequence, and their state is their own."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from models.foreign import evnn, spikegpt
from models.foreign.kernels import COLUMNS, Matrix
from models.foreign.network import PIECE, Network
from tests.models.foreign import checkpoints, equations

TIE = 1e-4
"""A membrane this near to its threshold in float64 may be on either side of it in float32."""
tokens = st.lists(st.integers(0, 39), min_size=1, max_size=24)


def spiking(arrays: checkpoints.Arrays, binary: bool = False) -> spikegpt.SpikeGPT:
    layout = spikegpt.layout({name: value.shape for name, value in arrays.items()})
    return spikegpt.SpikeGPT(layout, lambda name: arrays[name].copy(), binary=binary)


def gated(arrays: checkpoints.Arrays) -> evnn.EvNN:
    layout = evnn.layout({name: value.shape for name, value in arrays.items()})
    return evnn.EvNN(layout, lambda name: arrays[name].copy())


MAKE: dict[str, Callable[[], Network]] = {"evnn": lambda: gated(checkpoints.evnn()), "spikegpt": lambda: spiking(checkpoints.spikegpt())}
both = pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)


@given(st.integers(0, 2**31), st.sampled_from([(8, 1), (16, 2), (12, 3)]), tokens, st.booleans(), st.sampled_from([0.5, 1.0, 2.0]))
@settings(max_examples=60)
def test_spikegpt_computes_the_equations_of_its_paper(
    seed: int, size: tuple[int, int], text: list[int], binary: bool, strength: float
) -> None:
    arrays = checkpoints.spikegpt(width=size[0], blocks=size[1], seed=seed, strength=strength)
    logits, nearest, rates = equations.spikegpt(arrays, text, binary)
    assume(nearest > TIE)
    network = spiking(arrays, binary)
    np.testing.assert_allclose(network.read(text), logits, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(network.activity, rates, atol=1e-6)


@given(st.integers(0, 2**31), st.sampled_from([(12,), (20, 12), (9, 30, 12)]), tokens, st.booleans())
@settings(max_examples=60)
def test_evnn_computes_the_equations_of_its_paper(seed: int, hidden: tuple[int, ...], text: list[int], older: bool) -> None:
    arrays = checkpoints.evnn(hidden=hidden, seed=seed, older=older)
    logits, nearest, rates = equations.evnn(arrays, text)
    assume(nearest > TIE)
    network = gated(arrays)
    np.testing.assert_allclose(network.read(text), logits, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(network.activity, rates, atol=1e-6)


def test_the_comparison_sees_spikes_of_all_gates_and_units_of_all_layers() -> None:
    text = list(range(40))
    assert (equations.spikegpt(checkpoints.spikegpt(), text, False)[2] > 0.02).all()
    assert (equations.evnn(checkpoints.evnn(), text)[2] > 0.02).all()


def test_the_weighted_mean_survives_keys_that_would_overflow() -> None:
    random = np.random.default_rng(0)
    k, v = ((random.standard_normal((50, 8)) * scale).astype(np.float32) for scale in (300.0, 1.0))
    decay, first = -np.exp(random.standard_normal(8).astype(np.float32)), random.standard_normal(8).astype(np.float32)
    r = np.full_like(k, 100)  # its sigmoid is 1
    state = spikegpt.start(1, 8)
    spikegpt.wkv(k, v, r, decay, first, *(state[f"att.{name}"][0] for name in ("numerator", "denominator", "exponent")))
    expected = equations.weighted_mean(*(part.astype(np.float64) for part in (k, v, decay, first)))
    np.testing.assert_allclose(r, expected, rtol=1e-3, atol=1e-4)


@both
@given(st.data())
@settings(max_examples=25)
def test_single_steps_equal_one_sequence_to_the_last_bit_however_it_is_cut(make: Callable[[], Network], data: st.DataObject) -> None:
    text = data.draw(st.lists(st.integers(0, 39), min_size=1, max_size=2 * PIECE))
    cut = data.draw(st.integers(0, len(text)))
    at_once, in_two, step_by_step = make(), make(), make()
    logits = at_once.read(text)
    np.testing.assert_array_equal(np.vstack([in_two.read(text[:cut]), in_two.read(text[cut:])]), logits)
    np.testing.assert_array_equal(np.stack([step_by_step.step(token) for token in text]), logits)
    for name, value in at_once.state.items():
        np.testing.assert_array_equal(step_by_step.state[name], value, err_msg=name)
    assert at_once.operations == step_by_step.operations and at_once.steps == step_by_step.steps == len(text)


@both
def test_a_state_that_is_put_back_goes_on_as_if_nothing_had_happened_since(make: Callable[[], Network]) -> None:
    network = make()
    network.read([3, 1, 4])
    kept = network.state
    expected = network.read([1, 5])
    network.read([9, 2, 6])
    network.state = kept
    np.testing.assert_array_equal(network.read([1, 5]), expected)
    network.reset()
    np.testing.assert_array_equal(network.read([3, 1, 4]), make().read([3, 1, 4]))


@both
def test_a_state_of_another_network_or_with_impossible_numbers_is_refused(make: Callable[[], Network]) -> None:
    network = make()
    name, value = next(iter(network.state.items()))
    for broken in (network.state | {name: value[..., :-1]}, network.state | {"more": value}, network.state | {name: value * np.nan}):
        with pytest.raises(ValueError, match="state"):
            network.state = broken


@both
@pytest.mark.parametrize("token", [-1, 40, 2**40])
def test_a_token_outside_the_vocabulary_is_refused_and_changes_nothing(make: Callable[[], Network], token: int) -> None:
    network = make()
    with pytest.raises(ValueError, match=f"no token {token}"):
        network.read([1, token])
    np.testing.assert_array_equal(network.step(2), make().step(2))


@both
def test_operations_are_those_of_inputs_and_weights_other_than_zero(make: Callable[[], Network]) -> None:
    network = make()
    network.read(list(range(20)))
    assert 0.2 * network.dense < network.operations / 20 < network.dense
    assert all(0 < share < 1 for share in network.activity)
    network.warm()
    assert network.operations == network.steps == 0 and set(network.activity) == {0.0}


@given(st.integers(1, 9), st.integers(1, 2 * COLUMNS), st.integers(1, 5), st.integers(0, 2**31))
@settings(max_examples=40)
def test_a_product_of_many_tokens_is_the_product_of_each_to_the_last_bit(sources: int, targets: int, count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    weights: npt.NDArray[np.float32] = random.standard_normal((sources, targets)).astype(np.float32)
    weights[random.random(weights.shape) < 0.3] = 0
    x = random.standard_normal((count, sources)).astype(np.float32)
    x[random.random(x.shape) < 0.5] = 0
    matrix = Matrix(weights)
    out, operations = matrix.times(x)
    np.testing.assert_allclose(out, x.astype(np.float64) @ weights.astype(np.float64), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(out, np.vstack([matrix.times(row[None])[0] for row in x]))
    assert operations == ((x != 0).astype(int) @ (weights != 0).astype(int)).sum()
