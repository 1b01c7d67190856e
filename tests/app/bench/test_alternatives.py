"""What `egret bench runtime` compares is the same computation: every way comes to the same numbers from the same state."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.bench import activity, alternatives
from app.bench.alternatives import Weights
from app.bench.turns import Turns
from app.cli import run_command
from models import checkpoint
from models.checkpoint import Metadata, Tensors
from models.chip import integer
from models.chip.compress import compress, neighbours
from models.local import Local
from pipeline.errors import UserError

STEPS = 12
FLOAT = 2e-4
"""Largest difference of any number of the state or the logits between two ways in float32."""
LOGITS = 0.1
"""Largest difference of a logit after a step from the same state, between Egret's integers, float32, and int8 of others."""
FLIPS = 0.02
"""Share of units that may fire in one and not in the other: those whose membrane is as near to the threshold as numbers are apart."""
GEOMETRY = Local(2)
LOCAL = {"kind": "gesture", "labels": list("abcde")} | {
    "config": {"inputs": 2048, "hidden": [128, 24], "window_us": 25_000, "leak": 0.9, "temperature": 1.0, "threshold": 0.5}
    | {"local": asdict(GEOMETRY)}
}
LANGUAGE = {"kind": "language", "config": {"vocabulary": 40, "embedding": 20, "hidden": [24, 20], "tokenizer": "none"}}


def network(metadata: Metadata, tmp_path: Path) -> tuple[Tensors, Tensors, Metadata]:
    """Random weights as they are on disk, and written out."""
    rng = np.random.default_rng(5)
    tensors = {}
    for name, shape in checkpoint.shapes(metadata).items():
        fan = int(np.prod(shape[1:])) if len(shape) == 4 else shape[0]
        tensors[name] = (rng.normal(size=shape) * (1 / np.sqrt(fan) if len(shape) > 1 else 0.3)).astype(np.float32)
        if name.endswith("theta"):
            tensors[name] = np.full(shape, 0.1, np.float32)
    checkpoint.save(tmp_path / "weights", tensors, metadata)
    return tensors, *checkpoint.load(tmp_path / "weights")


def inputs(metadata: Metadata) -> list[Any]:
    rng = np.random.default_rng(6)
    if metadata["kind"] == "language":
        return [int(token) for token in rng.integers(0, 40, STEPS)]
    return list(rng.poisson(0.05, (STEPS, 2, 32, 32)).astype(np.uint16))


def as_floats(state: Any, outputs: int) -> list[np.ndarray]:
    """An integer network's state in the form of `Weights.start`."""
    pairs = [(h / 2**23, y / 2**15) for h, y in zip(state.h, state.y, strict=True)]
    o = state.o / 2**16 if state.o.size else np.zeros(outputs)
    return [part[None].astype(np.float32) for part in (*(part for pair in pairs for part in pair), o)]


def all_ways(tensors: Tensors, metadata: Metadata, kernels: Tensors | None = None) -> dict[str, Any]:
    """Every stepper of the network in `tensors`, which are written out; with the `kernels` of its local layer also that in convolutions."""
    ways = alternatives.ways(Weights(tensors, metadata), None if kernels is None else (GEOMETRY, kernels))
    return {name: make() for name, make in ways.items()}


@pytest.mark.parametrize("metadata", [LOCAL, LANGUAGE], ids=["gesture, local", "language"])
def test_every_way_computes_the_step_that_egret_computes(metadata: Metadata, tmp_path: Path) -> None:
    _, tensors, metadata = network(metadata, tmp_path)
    program = compress(tensors, metadata)
    egret: Any = integer.LanguageNetwork(program) if program.kind == "language" else integer.GestureNetwork(program)
    ways = all_ways(neighbours(tensors, len(program.layers)), metadata)  # units numbered as the program numbers them
    expected = {"numpy"} | ({"torch", "torch, int8"} if alternatives.there("torch") else set())
    expected |= {"onnxruntime", "onnxruntime, int8"} if alternatives.there("onnx") and alternatives.there("onnxruntime") else set()
    assert set(ways) == expected
    flips: dict[str, list[float]] = {name: [] for name in ways}
    for given in inputs(metadata):
        before = as_floats(egret.state, program.readout.b.size)
        wanted = egret.step(given)
        fired = [y > 0 for y in egret.state.y]
        for name, way in ways.items():
            way.state = [part.copy() for part in before]
            assert np.abs(way.step(given) - wanted).max() < LOGITS, name
            flips[name] += [float(np.mean((way.state[2 * index + 1][0] > 0) != mine)) for index, mine in enumerate(fired)]
    assert {name: np.mean(shares) < FLIPS for name, shares in flips.items()} == dict.fromkeys(ways, True)
    assert 0.02 < np.mean(egret.activity) < 0.9


@pytest.mark.parametrize("metadata", [LOCAL, LANGUAGE], ids=["gesture, local", "language"])
def test_ways_in_float32_agree_in_every_number_of_the_state(metadata: Metadata, tmp_path: Path) -> None:
    kernels, tensors, metadata = network(metadata, tmp_path)
    ways = all_ways(tensors, metadata, kernels if metadata["kind"] == "gesture" else None)
    floats = {name: way for name, way in ways.items() if "int8" not in name}
    for given in inputs(metadata):
        before = [part.copy() for part in ways["numpy"].state]
        said = {}
        for name, way in floats.items():
            way.state = [part.copy() for part in before]
            said[name] = [way.step(given)[None], *way.state]
        for name, found in said.items():
            for one, other in zip(found[1:-1], said["numpy"][1:-1], strict=True):  # the average is in the logits
                assert np.mean(np.abs(one - other) > FLOAT) < FLIPS, name
            assert np.abs(found[0] - said["numpy"][0]).max() < LOGITS, name


def test_what_is_not_installed_is_left_out_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alternatives, "there", lambda package: False)
    _, tensors, metadata = network(LANGUAGE, tmp_path)
    assert set(all_ways(tensors, metadata)) == {"numpy"}
    assert "sh app/environment.sh train" in alternatives.absent() and "onnx and onnxruntime" in alternatives.absent()
    monkeypatch.setattr(alternatives, "there", lambda package: True)
    assert alternatives.absent() == ""


def test_activity_is_what_was_asked_for_and_more_of_it_is_more_work(tmp_path: Path) -> None:
    _, tensors, metadata = network(LOCAL, tmp_path)
    program = compress(tensors, metadata)
    operations = []
    for share in activity.SHARES:
        which = [activity.drawn(units, share) for units in program.hidden]
        driven = integer.GestureNetwork(activity.driven(program, which))
        for counts in activity.windows(program.inputs, share)[:4]:
            driven.step(counts)
        assert driven.activity == tuple(fires.mean() for fires in which)
        operations.append(driven.operations)
    assert operations == sorted(operations) and operations[-1] > 20 * operations[0]


def test_time_against_activity_is_measured_and_drawn(tmp_path: Path) -> None:
    network(LOCAL, tmp_path)
    measured = activity.measure(tmp_path / "weights", 0.01)
    assert [row["activity"] for row in measured.values()] == pytest.approx(activity.SHARES, abs=0.02)
    assert len(activity.table(measured)) == 1 + len(activity.SHARES)
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib, of the extra train")
    activity.plot(measured, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with pytest.raises(UserError, match="could not be written"):
        activity.plot(measured, tmp_path / "absent" / "picture.png")


def test_a_picture_is_of_the_one_benchmark_that_draws_it() -> None:
    with pytest.raises(UserError, match="name that benchmark"):
        run_command(["bench", "latency", "--plot", "time.png"])


def test_turns_give_every_way_every_input_and_count_the_same_answers() -> None:
    heard: list[tuple[str, int]] = []

    def way(name: str, answer: int) -> Any:
        def step(given: int) -> np.ndarray:
            heard.append((name, given))
            return np.eye(3)[answer if given else 0]

        return step

    turns = Turns({"one": way("one", 1), "two": way("two", 2)})
    for given in range(4):
        assert turns.take(given).argmax() == (1 if given else 0)
    assert [name for name, _ in heard] == ["one", "two", "two", "one", "one", "two", "two", "one"]
    figures = turns.figures()
    assert figures["two"]["same answer"] == 0.25 and "times egret" not in figures["one"]
