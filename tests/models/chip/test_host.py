"""The host's kernels and networks against the equations written out in numpy, and the promises about state, threads and counters."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import checkpoint
from models.chip import host
from models.chip.host import GestureNetwork, LanguageNetwork, Network, State, event_product

INPUTS = 2 * 32 * 32
CLASSES = 3
Floats = npt.NDArray[np.float32]


def layers(rng: np.random.Generator, inputs: int, hidden: list[int], threshold: float) -> dict[str, Floats]:
    """Random tensors of EGRU layers as a checkpoint holds them."""
    tensors = {}
    for index, (i, h) in enumerate(zip([inputs, *hidden], hidden, strict=False)):
        tensors |= {
            f"layers.{index}.wx": rng.normal(size=(i, 3 * h)) / np.sqrt(i) * 3,
            f"layers.{index}.wh": rng.normal(size=(h, 3 * h)) / np.sqrt(h) * 2,
            f"layers.{index}.b": rng.normal(size=3 * h) * 0.3,
            f"layers.{index}.d": rng.normal(size=3 * h) * 0.3,
            f"layers.{index}.theta": np.full(h, threshold),
        }
    return {name: value.astype(np.float32) for name, value in tensors.items()}


def gesture_network(seed: int, hidden: list[int], threshold: float = 0.2, **replaced: Floats) -> GestureNetwork:
    rng = np.random.default_rng(seed)
    tensors = layers(rng, INPUTS, hidden, threshold)
    tensors["readout.w"] = rng.normal(size=(hidden[-1], CLASSES)).astype(np.float32)
    tensors["readout.b"] = rng.normal(size=CLASSES).astype(np.float32)
    config = {"inputs": INPUTS, "hidden": hidden, "leak": 0.9}
    return GestureNetwork(tensors | replaced, {"config": config, "labels": ["a", "b", "c"]})


def language_network(seed: int, vocabulary: int, hidden: list[int], threshold: float = 0.2) -> LanguageNetwork:
    rng = np.random.default_rng(seed)
    tensors = layers(rng, hidden[-1], hidden, threshold)
    tensors["embedding"] = rng.normal(size=(vocabulary, hidden[-1])).astype(np.float32)
    tensors["bias"] = rng.normal(size=vocabulary).astype(np.float32)
    return LanguageNetwork(tensors, {"config": {"vocabulary": vocabulary, "embedding": hidden[-1], "hidden": hidden}})


def windows(seed: int, n: int, mean: float = 0.1) -> npt.NDArray[np.uint16]:
    return np.random.default_rng(seed).poisson(mean, (n, 2, 32, 32)).astype(np.uint16)


def sigmoid(v: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return 1 / (1 + np.exp(-v))


def egru(layer: host.Layer, x: npt.NDArray[Any], h: npt.NDArray[Any], y: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The candidate membrane c of DESIGN.md section 4, dense, in float64."""
    a_z, a_r, a_g = np.split(x.astype(np.float64) @ layer.wx + layer.b, 3)
    q_z, q_r, q_g = np.split(y.astype(np.float64) @ layer.wh + layer.d, 3)
    z, r = sigmoid(a_z + q_z), sigmoid(a_r + q_r)
    g = np.tanh(a_g + r * q_g)
    return z * h + (1 - z) * g


def check_layers(network: Network, before: State, x: npt.NDArray[Any], tolerance: float = 1e-5) -> None:
    """Every layer's (h, y) after a step from `before` with input x is what the equations say.

    Each layer is given the input it really had, so a unit so near its threshold that rounding decides whether it fires in this step (its
    two answers are both right: c - theta and an event, or c and none) does not make the next layer's comparison meaningless.
    """
    after = network.state
    for index, layer in enumerate(network._layers):
        c = egru(layer, x, before.h[index], before.y[index])
        h, y, theta = after.h[index], after.y[index], layer.theta
        fired = y != 0
        sure = np.abs(c - theta) > tolerance
        assert np.array_equal(fired[sure], (c > theta)[sure])
        np.testing.assert_allclose(h + np.where(fired, theta, 0), c, atol=tolerance)
        np.testing.assert_allclose(y[fired], c[fired], atol=tolerance)
        assert network.activity[index] == np.count_nonzero(fired) / theta.size
        x = y


sizes = st.lists(st.sampled_from([1, 2, 3, 5, 17, 64]), min_size=1, max_size=3)
thresholds = st.sampled_from([0.0, 0.1, 0.4])


@given(st.integers(0, 2**32), sizes, thresholds, st.sampled_from([0.0, 0.05, 3.0]))
def test_a_gesture_step_is_the_equations(seed: int, hidden: list[int], threshold: float, mean: float) -> None:
    network = gesture_network(seed, hidden, threshold)
    for counts in windows(seed, 4, mean):
        before = network.state
        logits = network.step(counts)
        check_layers(network, before, np.log1p(counts.reshape(-1).astype(np.float64)))
        after = network.state
        np.testing.assert_allclose(after.readout, 0.9 * before.readout + 0.1 * after.y[-1], atol=1e-6)
        np.testing.assert_allclose(logits, after.readout @ network._w + network._b, atol=1e-5)
        assert logits.dtype == np.float32


@given(st.integers(0, 2**32), sizes, thresholds, st.integers(1, 40))
def test_a_language_step_is_the_equations(seed: int, hidden: list[int], threshold: float, vocabulary: int) -> None:
    network = language_network(seed, vocabulary, hidden, threshold)
    for token in np.random.default_rng(seed).integers(0, vocabulary, 4):
        before = network.state
        logits = network.step(int(token))
        check_layers(network, before, network._embedding[token])
        np.testing.assert_allclose(logits, network.state.y[-1] @ network._embedding.T + network._bias, atol=2e-5)


@given(st.integers(0, 2**32), st.integers(1, 20), st.integers(1, 40), st.sampled_from([0.0, 0.3, 1.0]))
def test_a_product_fetches_the_rows_of_nonzero_inputs_and_no_other(seed: int, inputs: int, outputs: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    x = np.where(rng.random(inputs) < density, rng.normal(size=inputs), 0).astype(np.float32)
    weights, bias = rng.normal(size=(inputs, outputs)).astype(np.float32), rng.normal(size=outputs).astype(np.float32)
    weights[x == 0] = np.nan
    out = np.empty(outputs, np.float32)
    assert event_product(x, weights, bias, out) == np.count_nonzero(x)
    one_by_one = bias.copy()
    for k in np.flatnonzero(x):
        one_by_one += x[k] * weights[k]
    assert np.array_equal(out, one_by_one)


def test_without_any_input_a_silent_network_fetches_no_row() -> None:
    hidden = [8, 4]
    zero = {f"layers.{i}.{name}": np.zeros(3 * n, np.float32) for i, n in enumerate(hidden) for name in ("b", "d")}
    network = gesture_network(1, hidden, 0.1, **zero)
    logits = network.step(np.zeros((2, 32, 32), np.uint16))
    assert (network.activity, network.operations) == ((0.0, 0.0), 0)
    assert np.array_equal(logits, network._b)


def test_where_everything_fires_every_row_is_fetched() -> None:
    hidden = [8, 4]
    eager = {f"layers.{i}.b": np.repeat(np.float32([-50, 0, 50]), n) for i, n in enumerate(hidden)}
    network = gesture_network(1, hidden, 0.1, **eager)
    counts = np.full((2, 32, 32), 65535, np.uint16)
    for layer in network._layers:
        layer.wx *= 1e-6
    network.step(counts)
    assert network.activity == (1.0, 1.0)
    operations = network.operations
    network.step(counts)
    assert network.operations - operations == (INPUTS + 8) * 24 + (8 + 4) * 12 + 4 * CLASSES


@given(st.integers(0, 2**32), st.integers(1, 12), sizes)
def test_a_saved_state_continues_bit_for_bit(seed: int, steps: int, hidden: list[int]) -> None:
    whole, cut = gesture_network(seed, hidden), gesture_network(seed, hidden)
    saved = cut.state
    for counts in windows(seed, steps, 0.3):
        straight = whole.step(counts)
        cut.step(windows(7, 1)[0])
        cut.reset()
        cut.state = saved
        assert np.array_equal(cut.step(counts), straight)
        saved = cut.state
    for mine, theirs in zip([*whole.state.h, *whole.state.y], [*saved.h, *saved.y], strict=True):
        assert np.array_equal(mine, theirs)


def test_a_state_taken_out_is_a_copy() -> None:
    network = language_network(1, 20, [16, 16])
    network.step(3)
    saved = network.state
    kept = [part.copy() for part in saved.h]
    network.step(4)
    assert all(np.array_equal(a, b) for a, b in zip(saved.h, kept, strict=True))
    network.state = saved
    saved.h[0].fill(9)
    assert not np.any(network.state.h[0] == 9)


def test_after_a_reset_a_network_is_as_new() -> None:
    used, fresh = language_network(1, 20, [16, 16]), language_network(1, 20, [16, 16])
    used.step(3)
    used.reset()
    assert used.activity == (0.0, 0.0)
    assert np.array_equal(used.step(5), fresh.step(5))
    assert used.steps == 2


def test_a_state_of_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match="other sizes"):
        language_network(1, 20, [16, 16]).state = language_network(1, 20, [8, 16]).state
    with pytest.raises(ValueError, match="other sizes"):
        language_network(1, 20, [16]).state = gesture_network(1, [16]).state


def test_a_large_vocabulary_without_a_table_gives_the_same_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    with_table = language_network(5, 50, [24, 16])
    monkeypatch.setattr(host, "TABLE_LIMIT_BYTES", 50 * 72 * 4 - 1)
    without = language_network(5, 50, [24, 16])
    assert with_table._table is not None
    assert without._table is None
    for token in range(30):
        np.testing.assert_allclose(with_table.step(token), without.step(token), atol=1e-4)
    assert without.operations > with_table.operations


@pytest.mark.parametrize("token", [-1, 20, 10**12])
def test_a_token_outside_the_vocabulary_is_refused(token: int) -> None:
    network = language_network(1, 20, [16])
    with pytest.raises(ValueError, match="vocabulary of 20"):
        network.step(token)
    assert network.steps == 0


@pytest.mark.parametrize("counts", [np.zeros((2, 16, 16), np.uint16), np.zeros((2, 32, 32), np.float32)])
def test_counts_of_another_shape_are_refused(counts: npt.NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="2048 numbers of uint16"):
        gesture_network(1, [16]).step(counts)


def test_networks_of_any_size_run_on_kernels_compiled_once() -> None:
    gesture_network(1, [1]).step(windows(1, 1)[0])
    language_network(1, 1, [3, 1]).step(0)
    frozen = windows(1, 1)[0]
    frozen.flags.writeable = False
    gesture_network(1, [16, 5]).step(frozen)
    assert [len(kernel.signatures) for kernel in (host.event_product, host.gates, host.leak_towards)] == [1, 1, 1]


def test_two_networks_in_two_threads_do_as_alone() -> None:
    counts = windows(3, 300, 0.5)

    def gesture() -> list[Floats]:
        network = gesture_network(1, [64, 32])
        return [network.step(frame) for frame in counts]

    def language() -> list[Floats]:
        network = language_network(2, 100, [64, 32])
        return [network.step(token % 100) for token in range(2000)]

    works = [gesture, language]
    alone = [work() for work in works]
    together: list[list[Floats]] = [[], []]
    threads = [threading.Thread(target=lambda i=i: together[i].extend(works[i]())) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(np.array(one), np.array(other))


def test_the_language_network_agrees_with_the_torch_reference(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(5)
    tensors = layers(rng, 16, [24, 16], 0.15) | {"embedding": rng.normal(size=(30, 16)), "bias": rng.normal(size=30)}
    config = {"vocabulary": 30, "embedding": 16, "hidden": [24, 16], "tokenizer": "language.tokenizer.json"}
    path = tmp_path / "language.safetensors"
    checkpoint.save(path, {name: value.astype(np.float32) for name, value in tensors.items()}, {"kind": "language", "config": config})
    tokens = rng.integers(0, 30, 40)
    with torch.no_grad():
        wanted, outputs, *_ = pytest.importorskip("models.language").load(path)(torch.from_numpy(tokens)[:, None])
    network = LanguageNetwork(*checkpoint.load(path, "language"))
    for step, token in enumerate(tokens.tolist()):
        np.testing.assert_allclose(network.step(token), wanted[step, 0], atol=1e-4)
        for index, output in enumerate(outputs):
            np.testing.assert_allclose(network.state.y[index], output[step, 0], atol=1e-4)
