"""The runtime: what it loads, what it refuses and with which sentence, and that it runs the program of the weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import checkpoint
from models.chip import host, runtime, storage
from models.chip.compress import compress
from models.chip.failover import Watched
from models.chip.runtime import Runtime
from models.chip.worker_process import Lost
from models.teaching.head import Head
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


def test_the_emulated_chip_answers_what_the_host_answers(gesture: Path, language: Path) -> None:
    host, chip = Runtime(gesture, language), Runtime(gesture, language, "emulator")
    assert (chip.backend, chip.badge) == ("emulator", "EMULATED CHIP")
    for mine, theirs, given in ((host.gesture, chip.gesture, np.ones((2, 32, 32), np.uint16)), (host.language, chip.language, 3)):
        assert np.array_equal(mine.step(given), theirs.step(given))
        assert (mine.activity, mine.operations) == (theirs.activity, theirs.operations)
    chip.warm()
    assert (chip.gesture.steps, chip.language.operations) == (0, 0)


def test_who_recognises_nothing_leaves_the_chip_to_the_language_network(gesture: Path, language: Path) -> None:
    host, chip = Runtime(gesture, language), Runtime(gesture, language, "emulator", recognises=False)
    assert isinstance(chip.language, Watched) and chip.language.chip is not None
    assert not isinstance(chip.gesture, Watched)
    assert np.array_equal(host.language.step(3), chip.language.step(3))
    assert chip.backend == "emulator"
    chip.language.chip.process.close()


@pytest.mark.parametrize(("backend", "code"), [("spinnaker2", FAILED), ("gpu", USAGE), ("", USAGE)])
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


def test_what_runs_is_the_program_of_the_weights(gesture: Path, language: Path, tmp_path: Path) -> None:
    """Weights become a program when they are loaded; a file that holds this program does the same, bit for bit."""
    runtime = Runtime(gesture, language)
    for path, kind in ((gesture, "gesture"), (language, "language")):
        storage.save(tmp_path / f"{kind}.program", compress(*checkpoint.load(path, kind)))
    programs = Runtime(tmp_path / "gesture.program", tmp_path / "language.program")
    for counts in np.random.default_rng(1).poisson(0.5, (10, 2, 32, 32)).astype(np.uint16):
        np.testing.assert_array_equal(runtime.gesture.step(counts), programs.gesture.step(counts))
    for token in range(10):
        np.testing.assert_array_equal(runtime.language.step(token), programs.language.step(token))


def test_the_program_says_what_the_float_network_says(gesture: Path, language: Path) -> None:
    runtime, exact = Runtime(gesture, language), host.LanguageNetwork(*checkpoint.load(language, "language"))
    best = [(int(runtime.language.step(token).argmax()), int(exact.step(token).argmax())) for token in range(VOCABULARY)]
    assert np.mean([mine == theirs for mine, theirs in best]) > 0.8


def test_weights_beyond_the_chips_integers_are_refused(gesture: Path, language: Path) -> None:
    tensors, metadata = checkpoint.load(language, "language")
    tensors["bias"][0] = 1e6
    checkpoint.save(language, tensors, metadata)
    with pytest.raises(UserError, match=r"do not fit the chip's integers: .* 1e\+06 is too large"):
        Runtime(gesture, language)


def test_classes_are_not_taught_to_a_program(gesture: Path, language: Path, tmp_path: Path) -> None:
    path = tmp_path / "gesture.program"
    storage.save(path, compress(*checkpoint.load(gesture, "gesture")))
    head = Head("0" * 12, tuple(LABELS), ("thumbs_up",), np.zeros((16, 1), np.float32), np.zeros(1, np.float32), ())
    with pytest.raises(UserError, match="name the weights"):
        Runtime(path, language, head=head)
    assert Runtime(gesture, language, head=head).gesture.labels == ("wave", "clap", "thumbs_up")


def test_a_chip_that_was_left_is_returned_to_with_the_classes_that_were_taught_meanwhile(
    gesture: Path, language: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A taught network has a chip of its own; where one chip is lost the other is left too, and going back brings both to one."""
    pytest.importorskip("unicorn", reason="the emulated chip needs the extra emulator")
    host, chip = Runtime(gesture, language), Runtime(gesture, language, "emulator")
    told: list[str] = []
    monkeypatch.setattr(runtime, "OVERDUE_S", 60.0)  # a busy machine is not what this is about
    chip.live(lambda level, sentence: told.append(sentence), in_time=False)
    with pytest.raises(UserError, match="no chip to go back to"):
        chip.go_back()
    head = Head("0" * 12, tuple(LABELS), ("thumbs_up",), np.zeros((16, 1), np.float32), np.zeros(1, np.float32), ())
    counts = np.random.default_rng(3).poisson(0.5, (9, 2, 32, 32)).astype(np.uint16)
    for each in (host, chip):
        each.gesture.step(counts[0])
        taught = each.taught(head)
        taught.go_on(each.gesture.state)
        each.gesture = taught
    assert isinstance(chip.gesture, Watched) and chip.gesture.chip is not None
    chip.gesture.chip.process.lose(Lost("was given up"))
    assert (chip.backend, chip.badge, chip.offer, chip.telemetry()["energy"]) == ("host", "HOST", "emulator", None)
    assert isinstance(chip.language, Watched) and not chip.language.on_chip
    assert told == ["The emulated chip was given up: the host goes on from the same state, and no decision is missing."]
    for step, given in enumerate(counts):
        if step == 4:
            chip.go_back()
        np.testing.assert_array_equal(chip.gesture.step(given), host.gesture.step(given))
    assert (chip.backend, chip.offer) == ("emulator", "") and chip.language.on_chip
    telemetry = chip.telemetry()
    work, others = telemetry["work"]["gesture"], host.telemetry()["work"]["gesture"]
    assert (work["events"], work["operations"]) == (others["events"], others["operations"]) and others["bytes"] is others["ticks"] is None
    assert work["events"] >= np.count_nonzero(counts[-1]) and work["bytes"] > 4 * work["ticks"] > 0
    assert telemetry["checked"] > 0 and telemetry["energy"]["gesture"]["work_uj"] > 0
    chip.close()
