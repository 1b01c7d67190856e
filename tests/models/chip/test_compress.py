"""From float weights to a program: the same network, within its formats, whatever the weights; pruned as asked."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.chip import host, integer
from models.chip.compress import compress, neighbours, prune, quantise, thinned
from models.chip.program import EVENT_BITS, GATE_BITS, MAX_EVENT

Floats = npt.NDArray[np.float32]
seeds = st.integers(0, 2**32)


def tensors(seed: int, inputs: int, hidden: list[int], outputs: int, kind: str, gain: float = 1.0) -> dict[str, Floats]:
    """Random float weights of the size that trained ones have."""
    rng = np.random.default_rng(seed)
    made: dict[str, Any] = {}
    for index, (i, h) in enumerate(zip([inputs, *hidden], hidden, strict=False)):
        made |= {
            f"layers.{index}.wx": rng.normal(size=(i, 3 * h)) * gain / np.sqrt(i),
            f"layers.{index}.wh": rng.normal(size=(h, 3 * h)) * gain / np.sqrt(h),
            f"layers.{index}.b": rng.normal(size=3 * h) * 0.3,
            f"layers.{index}.d": rng.normal(size=3 * h) * 0.1,
            f"layers.{index}.theta": rng.random(h) * 0.3,
        }
    if kind == "gesture":
        made |= {"readout.w": rng.normal(size=(hidden[-1], outputs)), "readout.b": rng.normal(size=outputs)}
    else:
        made |= {"embedding": rng.normal(size=(outputs, inputs)) * 0.3, "bias": rng.normal(size=outputs)}
    return {name: value.astype(np.float32) for name, value in made.items()}


def metadata(kind: str, inputs: int, hidden: list[int], outputs: int) -> dict[str, Any]:
    if kind == "gesture":
        return {"kind": kind, "config": {"inputs": inputs, "hidden": hidden, "leak": 0.9}, "labels": [str(i) for i in range(outputs)]}
    return {"kind": kind, "config": {"vocabulary": outputs, "embedding": inputs, "hidden": hidden}}


@given(seeds, st.integers(1, 20), st.integers(1, 20), st.floats(1e-6, 10))
def test_a_quantised_matrix_is_within_half_a_step_of_the_weights(seed: int, sources: int, targets: int, size: float) -> None:
    matrix = (np.random.default_rng(seed).normal(size=(sources, targets)) * size).astype(np.float32)
    matrix[:, 0] = 0
    weights, multipliers = quantise(matrix, np.full(sources, MAX_EVENT), EVENT_BITS, GATE_BITS)
    step = multipliers / 2.0**29
    assert np.all(np.abs(weights * step - matrix) <= 0.5 * step + 1e-12)
    assert np.all(weights[matrix == 0] == 0)


@given(seeds, st.sampled_from([1, 3, 700, 3000]), st.sampled_from(["positive", "mixed"]), st.booleans())
def test_whatever_the_weights_no_sum_can_overflow(seed: int, sources: int, signs: str, signed: bool) -> None:
    matrix = np.random.default_rng(seed).random((sources, 3)).astype(np.float32) + np.float32(0.5)
    if signs == "mixed":
        matrix[::3] *= -1
    largest = np.full(sources, MAX_EVENT)
    wide = quantise(matrix, largest, 15, 12, signed)[0].astype(np.int64)
    sums = [largest @ np.abs(wide)] if signed else [largest @ np.maximum(wide, 0), largest @ np.maximum(-wide, 0)]
    assert max(part.max() for part in sums) < 2**31


def test_a_weight_that_no_multiplier_holds_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a weight of 600 is too large: at most 508"):
        quantise(np.full((1, 1), 600, np.float32), np.full(1, MAX_EVENT), EVENT_BITS, GATE_BITS)
    with pytest.raises(ValueError, match="200,000 sources are too many"):
        quantise(np.broadcast_to(np.float32(0), (200_000, 0)), np.full(200_000, MAX_EVENT), EVENT_BITS, GATE_BITS)


@pytest.mark.parametrize("name", ["layers.0.b", "embedding", "layers.1.wx"])
def test_weights_outside_of_the_formats_are_refused_with_the_number(name: str) -> None:
    made = tensors(1, 6, [8, 6], 10, "language")
    made[name].flat[0] = 1e7
    with pytest.raises(ValueError, match=r"1e\+07 is too large"):
        compress(made, metadata("language", 6, [8, 6], 10))


@pytest.mark.parametrize("kind", ["gesture", "language"])
@pytest.mark.parametrize("seed", range(5))
def test_a_program_does_as_the_float_network(seed: int, kind: str) -> None:
    """With thresholds of 0, where outputs are continuous in the inputs; what thresholds do is the arithmetic's (test_integer.py)."""
    inputs, hidden, outputs = 2048 if kind == "gesture" else 16, [24, 16], 12
    made, about = tensors(seed, inputs, hidden, outputs, kind), metadata(kind, inputs, hidden, outputs)
    for index in range(2):
        made[f"layers.{index}.theta"][:] = 0
    program = compress(made, about)
    rng = np.random.default_rng(seed)
    given_: list[Any] = list(rng.poisson(0.1, (30, 2048)).astype(np.uint16)) if kind == "gesture" else rng.integers(0, 12, 30).tolist()
    exact: Any = host.GestureNetwork(made, about) if kind == "gesture" else host.LanguageNetwork(made, about)
    mine: Any = integer.GestureNetwork(program) if kind == "gesture" else integer.LanguageNetwork(program)
    for x in given_:
        np.testing.assert_allclose(mine.step(x), exact.step(x), atol=0.08)
    for ours, floats in zip(mine.state.h, exact.state.h, strict=True):
        np.testing.assert_allclose(ours / 2**23, floats, atol=0.03)


def test_a_threshold_above_any_membrane_is_one_that_nothing_passes() -> None:
    made, about = tensors(1, 20, [6, 4], 3, "gesture"), metadata("gesture", 20, [6, 4], 3)
    made["layers.0.theta"][:] = 70_000
    network = integer.GestureNetwork(compress(made, about))
    for counts in np.random.default_rng(1).poisson(3.0, (20, 20)).astype(np.uint16):
        network.step(counts)
        assert network.activity[0] == 0


def test_a_program_says_which_share_of_weights_is_left() -> None:
    made, about = tensors(1, 200, [60], 3, "gesture"), metadata("gesture", 200, [60], 3)
    assert compress(made, about, 0.25).metadata["density"] == pytest.approx(0.25, abs=0.01)
    assert compress(prune(made, 0.25), about).metadata["density"] == pytest.approx(0.25, abs=0.01)


def test_the_read_out_of_a_language_program_is_its_embedding() -> None:
    made = tensors(1, 16, [8, 16], 30, "language")
    program = compress(made, metadata("language", 16, [8, 16], 30))
    assert program.embedding is not None
    np.testing.assert_array_equal(program.readout.w, program.embedding.rows.T)
    step = program.embedding.scale[:, None] / 4096
    np.testing.assert_allclose(program.embedding.rows * step, made["embedding"], atol=step.max() / 2)
    np.testing.assert_allclose(program.readout.m / 2.0**33, step[:, 0])


@given(seeds, st.sampled_from([0.001, 0.1, 0.5, 0.9, 1.0]))
def test_pruning_keeps_the_share_asked_for_and_the_larger_weights(seed: int, density: float) -> None:
    made = tensors(seed, 12, [20, 12], 30, "language")
    kept = prune(made, density)
    names = [name for name in made if name.endswith((".wx", ".wh"))]
    assert sum(np.count_nonzero(kept[name]) for name in names) == round(density * sum(made[name].size for name in names))
    for name in names:
        gone = kept[name] == 0
        np.testing.assert_array_equal(kept[name][~gone], made[name][~gone])
        if gone.any() and not gone.all():
            assert np.abs(made[name][gone]).max() <= np.abs(made[name][~gone]).min()
    for name in made.keys() - set(names):
        assert kept[name] is made[name]


@pytest.mark.parametrize("density", [0.02, 0.3, 0.7])
def test_a_program_is_thinned_to_the_weights_that_the_pruned_network_has(density: float) -> None:
    made, about = tensors(1, 200, [60, 30], 3, "gesture"), metadata("gesture", 200, [60, 30], 3)
    mine, pruned = thinned(compress(made, about), density), compress(made, about, density)
    for one, other in zip(mine.layers, pruned.layers, strict=True):
        for name in ("wx", "wh"):
            assert np.mean((getattr(one, name) != 0) != (getattr(other, name) != 0)) < 0.01


def test_weights_that_are_zero_already_count_as_pruned() -> None:
    made = tensors(1, 12, [20], 3, "gesture")
    made["layers.0.wx"][:6] = 0
    kept = prune(made, 0.75)
    np.testing.assert_array_equal(kept["layers.0.wx"] == 0, (made["layers.0.wx"] == 0) | (kept["layers.0.wx"] == 0))
    assert np.count_nonzero(kept["layers.0.wx"]) + np.count_nonzero(kept["layers.0.wh"]) == round(0.75 * (12 + 20) * 60)


@pytest.mark.parametrize("density", [0.0, -1.0, 1.1, float("nan")])
def test_a_density_that_is_none_is_refused(density: float) -> None:
    with pytest.raises(ValueError, match="density"):
        prune(tensors(1, 4, [4], 3, "gesture"), density)


def local_tensors() -> dict[str, Floats]:
    """Units (channel, place) of 3 channels at 5 places, each seeing the inputs and units of its place and the next; a dense layer above."""
    made = tensors(7, 10, [15, 4], 3, "gesture")
    place = np.arange(15) % 5
    seen = np.arange(10)[:, None] // 2 - place
    near = place[:, None] - place
    made["layers.0.wx"] *= np.tile((seen == 0) | (seen == 1), 3)
    made["layers.0.wh"] *= np.tile((near == 0) | (near == 1), 3)
    return made


def test_units_with_the_same_sources_become_neighbours_and_the_network_stays_the_same() -> None:
    made, about = local_tensors(), metadata("gesture", 10, [15, 4], 3)
    ordered = neighbours(made, 2)
    order = np.arange(15).reshape(3, 5).T.ravel()
    np.testing.assert_array_equal(ordered["layers.0.theta"], made["layers.0.theta"][order])
    one, other = host.GestureNetwork(made, about), host.GestureNetwork(ordered, about)
    for counts in np.random.default_rng(1).poisson(1.0, (20, 10)).astype(np.uint16):
        np.testing.assert_allclose(one.step(counts), other.step(counts), atol=1e-4)
    np.testing.assert_allclose(one.state.h[0][order], other.state.h[0], atol=1e-4)


def test_units_that_all_see_everything_keep_their_numbers() -> None:
    made = tensors(1, 6, [8, 6], 10, "language")
    ordered = neighbours(made, 2)
    assert ordered.keys() == made.keys()
    for name in made:
        np.testing.assert_array_equal(ordered[name], made[name])


@pytest.mark.parametrize("density", [0.02, 0.1, 0.4])
def test_units_whose_weights_were_pruned_one_by_one_keep_their_numbers(density: float) -> None:
    """An order by sources would put the units with few weights together."""
    made = prune(tensors(1, 300, [200, 50], 10, "gesture"), density)
    ordered = neighbours(made, 2)
    for name in made:
        np.testing.assert_array_equal(ordered[name], made[name])


def test_the_units_of_a_local_layer_are_brought_together_though_most_weights_were_pruned() -> None:
    made = local_tensors()
    gone = np.random.default_rng(1).random(made["layers.0.wx"].shape) > 0.6
    made["layers.0.wx"] = np.where(gone, np.float32(0), made["layers.0.wx"])
    place = np.arange(15) % 5
    order = np.array([place[np.flatnonzero(made["layers.0.theta"] == theta)[0]] for theta in neighbours(made, 2)["layers.0.theta"]])
    assert np.count_nonzero(np.diff(order)) < 14
