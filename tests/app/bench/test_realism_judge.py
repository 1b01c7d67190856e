"""Promises of the judge: the network described, whatever the order its sums are taken in; and nothing but weights is read from its file."""

from pathlib import Path

import numpy as np
import pytest

from app.bench import judge
from app.bench.judge import CLASSES, LAYERS, SIDE, STEP_US, Judge
from pipeline.errors import UserError
from pipeline.events import EVENT_DTYPE, Events, empty_events
from pipeline.simulator import GESTURES, simulate

torch = pytest.importorskip("torch")


def made_weights(seed: int, unit: int = 64) -> list[judge.Float32]:
    """Random weights that keep all layers busy, as multiples of 1 / `unit`: then every sum is exact in 32-bit floats, in any order."""
    random = np.random.default_rng(seed)
    weights = []
    for layer in LAYERS:
        fan_in = layer.inputs * layer.kernel**2
        drawn = random.normal(1 / fan_in, 2.5 / np.sqrt(fan_in), (layer.outputs, layer.inputs, layer.kernel, layer.kernel))
        weights.append((np.round(drawn * unit) / unit).astype(np.float32))
    return weights


def made_events(seed: int, count: int, duration_us: int) -> Events:
    random = np.random.default_rng(seed)
    events = np.zeros(count, EVENT_DTYPE)
    events["timestamp"] = np.sort(random.integers(0, duration_us, count))
    events["x"], events["y"] = (np.clip(random.normal(64, 40, count), 0, SIDE - 1) for _ in range(2))
    events["polarity"] = random.integers(0, 2, count)
    return events


def dense(weights: list[judge.Float32], events: Events, steps: int) -> list[np.ndarray]:
    """The same network as dense products: spikes per layer, summed over the steps."""
    kernels = [torch.from_numpy(np.ascontiguousarray(w)) for w in weights]
    membranes = [torch.zeros(1, layer.outputs, layer.side, layer.side) for layer in LAYERS]
    totals = [torch.zeros_like(v, dtype=torch.float64) for v in membranes]
    frames = np.zeros((steps, 1, 2, SIDE, SIDE), np.float32)
    inside = events[events["timestamp"] < steps * STEP_US]
    np.add.at(frames, (inside["timestamp"] // STEP_US, 0, inside["polarity"], inside["y"], inside["x"]), 1)
    for frame in frames:
        x = torch.from_numpy(frame)
        for k, layer in enumerate(LAYERS):
            membranes[k] += torch.nn.functional.conv2d(x, kernels[k], stride=layer.stride, padding=layer.padding)
            x = membranes[k].floor().clamp(min=0)
            totals[k] += x
            membranes[k] = (membranes[k] - x).clamp(min=-1)
            x = torch.nn.functional.avg_pool2d(x, layer.pool)
    return [total.flatten().numpy() for total in totals]


@pytest.mark.parametrize("seed", [1, 2])
def test_spikes_are_those_of_dense_products_to_the_last_one(seed: int) -> None:
    weights, events = made_weights(seed), made_events(seed, 6_000, 160_000)
    expected = dense(weights, events, 15)
    assert all(layer.any() for layer in expected), "a layer that never fires tests nothing"
    np.testing.assert_array_equal(Judge(weights).spikes(events, 159_999), expected[-1])


def test_a_clip_is_judged_from_a_clean_state() -> None:
    events, referee = made_events(3, 5_000, 100_000), Judge(made_weights(3))
    first = referee.spikes(events, 100_000)
    assert first.any()
    np.testing.assert_array_equal(referee.spikes(events, 100_000), first)


def test_a_network_that_never_fired_has_no_answer() -> None:
    assert Judge(made_weights(4)).answer(empty_events(), 1_000_000) == CLASSES


def test_full_layers_may_come_as_matrices() -> None:
    weights, events = made_weights(5), made_events(5, 5_000, 100_000)
    flat = [w[:, :, 0, 0] if layer.kernel == 1 else w for w, layer in zip(weights, LAYERS, strict=True)]
    np.testing.assert_array_equal(Judge(flat).spikes(events, 100_000), Judge(weights).spikes(events, 100_000))


def test_the_judge_is_read_from_the_file_of_its_weights(tmp_path: Path) -> None:
    weights, events = made_weights(6), made_events(6, 5_000, 100_000)
    torch.save({f"{k}.weight": torch.from_numpy(w) for k, w in enumerate(weights)}, tmp_path / "judge.pt")
    np.testing.assert_array_equal(judge.load(tmp_path / "judge.pt").spikes(events, 100_000), Judge(weights).spikes(events, 100_000))


class Harm:
    """Runs a command where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.path,)  # type: ignore[return-value]


def test_what_is_no_file_of_these_weights_is_refused_in_a_sentence_and_not_run(tmp_path: Path) -> None:
    whole, harm = tmp_path / "whole.pt", tmp_path / "harmed"
    torch.save({"0.weight": torch.zeros(3, 3)}, tmp_path / "shapes.pt")
    torch.save({"0.weight": Harm(harm)}, tmp_path / "harm.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({k: torch.from_numpy(w) for k, w in enumerate(made_weights(7))}, whole)
    (tmp_path / "cut.pt").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (tmp_path / "empty.pt").touch()
    (tmp_path / "text.pt").write_text("no weights")
    for name in ("shapes.pt", "harm.pt", "list.pt", "cut.pt", "empty.pt", "text.pt", "missing.pt"):
        with pytest.raises(UserError, match="judge's weights") as told:
            judge.load(tmp_path / name)
        assert "\n" not in str(told.value)
    assert not harm.exists()


def test_with_its_own_weights_it_answers_as_dense_products_do(shared_data: Path) -> None:
    path = shared_data / "judges" / "dvs_gesture_params.pt"
    weights = [w.numpy() for w in torch.load(path, weights_only=True, map_location="cpu").values()]
    weights = [w if w.ndim == 4 else w[:, :, None, None] for w in weights]
    events = simulate("arm_roll", 5, 600_000, "dvs128")
    spikes, expected = judge.load(path).spikes(events, 600_000), dense(weights, events, 60)[-1]
    assert spikes.argmax() == expected.argmax()
    assert np.abs(spikes - expected).sum() <= 0.02 * expected.sum()  # sums rounded in another order move a few spikes


def test_gestures_of_the_narrow_preset_are_taken_for_what_they_are(shared_data: Path) -> None:
    referee = judge.load(shared_data / "judges" / "dvs_gesture_params.pt")
    answers = [[referee.answer(simulate(gesture, seed, 2_000_000, "dvs128"), 2_000_000) for seed in (71, 72)] for gesture in GESTURES[:10]]
    assert np.mean(np.array(answers) == np.arange(10)[:, None]) >= 0.8
