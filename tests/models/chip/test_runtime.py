"""The runtime: what it loads, what it refuses and with which sentence, and that it agrees with the torch reference."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import checkpoint
from models.chip.runtime import Runtime
from pipeline.errors import FAILED, USAGE, UserError

HIDDEN = [24, 16]
VOCABULARY = 30
LABELS = ["wave", "clap"]
GESTURE = {"inputs": 2048, "hidden": HIDDEN, "window_us": 25_000, "leak": 0.9, "temperature": 1.0, "threshold": 0.5}
LANGUAGE = {"vocabulary": VOCABULARY, "embedding": HIDDEN[-1], "hidden": HIDDEN, "tokenizer": "language.tokenizer.json"}


def save(path: Path, kind: str, **changes: Any) -> Path:
    """A checkpoint of random weights with the shapes that its config asks for."""
    config = (GESTURE if kind == "gesture" else LANGUAGE) | changes
    metadata = {"kind": kind, "config": config, "labels": LABELS}
    rng = np.random.default_rng(5)
    tensors = {}
    for name, shape in checkpoint.shapes(metadata).items():
        scale = 2 / np.sqrt(shape[0]) if len(shape) == 2 else 0.3
        tensors[name] = (rng.normal(size=shape) * scale).astype(np.float32)
        if name.endswith("theta"):
            tensors[name] = np.full(shape, 0.15, np.float32)
    checkpoint.save(path, tensors, metadata)
    return path


@pytest.fixture
def gesture(tmp_path: Path) -> Path:
    return save(tmp_path / "gesture.safetensors", "gesture")


@pytest.fixture
def language(tmp_path: Path) -> Path:
    return save(tmp_path / "language.safetensors", "language")


@pytest.mark.parametrize("backend", ["auto", "host"])
def test_both_networks_step_and_the_badge_says_host(gesture: Path, language: Path, backend: str) -> None:
    runtime = Runtime(gesture, language, backend)
    assert (runtime.backend, runtime.badge) == ("host", "HOST")
    assert runtime.gesture.labels == ("wave", "clap")
    assert runtime.gesture.step(np.ones((2, 32, 32), np.uint16)).shape == (2,)
    assert runtime.language.step(3).shape == (runtime.language.vocabulary,) == (VOCABULARY,)
    assert (runtime.gesture.steps, runtime.language.steps) == (1, 1)
    assert runtime.gesture.metadata["config"]["hidden"] == HIDDEN


def test_a_warm_runtime_is_as_new(gesture: Path, language: Path) -> None:
    warm, cold = Runtime(gesture, language), Runtime(gesture, language)
    warm.warm()
    for mine, theirs in ((warm.gesture, cold.gesture), (warm.language, cold.language)):
        assert (mine.steps, mine.operations, mine.activity) == (0, 0, (0.0, 0.0))
        for a, b in zip(mine.state.h + mine.state.y, theirs.state.h + theirs.state.y, strict=True):
            assert np.array_equal(a, b)


@pytest.mark.parametrize(("backend", "code"), [("emulator", FAILED), ("spinnaker2", FAILED), ("gpu", USAGE), ("", USAGE)])
def test_another_backend_is_refused_by_name(gesture: Path, language: Path, backend: str, code: int) -> None:
    with pytest.raises(UserError, match="host") as caught:
        Runtime(gesture, language, backend)
    assert caught.value.exit_code == code


def test_weights_of_another_shape_are_refused(tmp_path: Path, language: Path) -> None:
    with pytest.raises(UserError, match="another shape: 512 inputs"):
        Runtime(save(tmp_path / "small.safetensors", "gesture", inputs=512), language)


def test_weights_of_another_window_are_refused(tmp_path: Path, language: Path) -> None:
    with pytest.raises(UserError, match="10000 us"):
        Runtime(save(tmp_path / "quick.safetensors", "gesture", window_us=10_000), language)


def test_weights_in_each_others_place_are_refused(gesture: Path, language: Path) -> None:
    with pytest.raises(UserError, match="language network where a gesture network"):
        Runtime(language, gesture)


def test_missing_weights_are_named(tmp_path: Path, language: Path) -> None:
    with pytest.raises(UserError, match=r"no weights at .*absent\.safetensors"):
        Runtime(tmp_path / "absent.safetensors", language)


def test_the_language_network_agrees_with_the_torch_reference(gesture: Path, language: Path) -> None:
    torch = pytest.importorskip("torch")
    reference = pytest.importorskip("models.language").load(language)
    tokens = np.random.default_rng(1).integers(0, VOCABULARY, 40)
    with torch.no_grad():
        wanted, outputs, *_ = reference(torch.from_numpy(tokens)[:, None])
    network = Runtime(gesture, language).language
    for step, token in enumerate(tokens.tolist()):
        np.testing.assert_allclose(network.step(token), wanted[step, 0], atol=1e-4)
        for index, output in enumerate(outputs):
            np.testing.assert_allclose(network.state.y[index], output[step, 0], atol=1e-4)
