"""Program files: what is written is read back, and nothing else is taken for a program."""

import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

from models import checkpoint
from models.chip import storage
from models.chip.program import Program
from pipeline.errors import UserError
from tests.models.chip import programs
from tests.models.chip.programs import same

GESTURE = {"inputs": 60, "hidden": [9, 4], "window_us": 25_000, "leak": 0.9, "temperature": 1.0, "threshold": 0.5}
LANGUAGE = {"vocabulary": 5, "embedding": 4, "hidden": [9, 4], "tokenizer": "language.tokenizer.json"}
PLAIN: dict[str, Any] = {"layers__0__wx__where": None, "layers__0__wx__kept": None}


def program(kind: str, seed: int = 1, density: float = 1.0) -> Program:
    made = programs.program(seed, kind, [9, 4], inputs=60 if kind == "gesture" else 4, density=density)
    made.metadata.update(config=GESTURE if kind == "gesture" else LANGUAGE, kind=kind, version=storage.VERSION)
    return made


@pytest.mark.parametrize("density", [1.0, 0.5, 0.01])
@pytest.mark.parametrize("kind", ["gesture", "language"])
def test_a_program_that_was_saved_is_read_back_bit_for_bit(kind: str, density: float, tmp_path: Path) -> None:
    made, path = program(kind, density=density), tmp_path / "a.program"
    storage.save(path, made)
    again = storage.load(path, kind)
    same(
        (made.layers, made.embedding or (), made.readout.w, made.readout.m),
        (again.layers, again.embedding or (), again.readout.w, again.readout.m),
    )
    assert again.readout.leak == made.readout.leak
    assert again.metadata == made.metadata
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.program"]


def test_a_pruned_program_takes_a_bit_for_a_weight_that_is_gone(tmp_path: Path) -> None:
    storage.save(tmp_path / "program", program("gesture", density=0.1))
    with safe_open(tmp_path / "program", framework="numpy") as file:
        assert "layers.0.wx" not in set(file.keys())
        assert file.get_tensor("layers.0.wx.where").shape == (-(-60 * 27 // 8),)
        assert file.get_tensor("layers.0.wx.kept").size < 0.2 * 60 * 27


def test_a_program_is_told_from_a_checkpoint_by_its_header(tmp_path: Path) -> None:
    storage.save(tmp_path / "program", program("gesture"))
    tensors = {name: np.zeros(shape, np.float32) for name, shape in checkpoint.shapes(program("gesture").metadata).items()}
    checkpoint.save(tmp_path / "weights", tensors, program("gesture").metadata)
    (tmp_path / "noise").write_bytes(b"\xff" * 100)
    assert storage.is_program(tmp_path / "program")
    assert not any(storage.is_program(tmp_path / name) for name in ("weights", "noise", "absent"))


def rewrite(path: Path, about: dict[str, Any] | None = None, **tensors: Any) -> None:
    """The file again, with entries of its metadata changed (None: left out), and tensors replaced (None: left out)."""
    with safe_open(path, framework="numpy") as file:
        kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = json.loads(file.metadata()[checkpoint.ENTRY])
    kept |= {name.replace("__", "."): value for name, value in tensors.items()}
    metadata |= about or {}
    entries = {name: value for name, value in metadata.items() if value is not None}
    save_file({name: value for name, value in kept.items() if value is not None}, path, {checkpoint.ENTRY: json.dumps(entries)})


@pytest.mark.parametrize(
    ("about", "tensors", "sentence"),
    [
        ({"kind": "gesture"}, {}, "'gesture' where a gesture program"),
        ({"kind": "language program"}, {}, "'language program' where a gesture program"),
        ({"version": 1}, {}, "of version 1, and this Egret reads version 2"),
        ({"leak": None}, {}, "leak is no whole number"),
        ({"leak": 1 << 15}, {}, "leak 32768"),
        ({"config": None}, {}, "no config"),
        ({"labels": ["one", "two"]}, {}, "its config says"),
        ({"config": GESTURE | {"hidden": [9, 5]}}, {}, "its config says|does not say of each"),
        ({}, {"layers__1__wh": None}, "layers.1.wh is missing"),
        ({}, {"readout__m": None}, "readout.m is missing"),
        ({}, {"layers__7__wx": np.zeros((2, 2), np.int8)}, "layers.7.wx that does not belong"),
        ({}, {"layers__0__wx": np.zeros((60, 27), np.float32)}, "stored as F32"),
        ({}, PLAIN | {"layers__0__wx": np.zeros((60, 27), np.int32)}, r"wx is int32\[60, 27\]"),
        ({}, PLAIN | {"layers__0__wx": np.full((60, 27), -128, np.int8)}, "holds -128"),
        ({}, PLAIN | {"layers__0__wx": np.zeros((), np.int8)}, "matrix"),
        ({}, {"layers__0__b": np.full(27, 2**31 - 1, np.int32)}, "could overflow"),
        ({}, {"readout__b": np.zeros((5, 2), np.int32)}, "read-out"),
    ],
)
def test_a_file_that_is_no_such_program_is_refused_in_a_sentence(
    about: dict[str, Any], tensors: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.program"
    storage.save(path, program("gesture"))
    rewrite(path, about, **tensors)
    with pytest.raises(UserError, match=sentence) as caught:
        storage.load(path, "gesture")
    assert str(caught.value).startswith(f"The program {path} cannot be used: ")


@pytest.mark.parametrize(
    ("about", "tensors", "sentence"),
    [
        ({}, {"layers__0__wx__where": None}, "wx is missing"),
        ({}, {"layers__0__wx__kept": None}, "wx.kept is missing"),
        ({}, {"layers__0__wx__where": np.zeros(202, np.uint8)}, "does not say of each of 1,620 weights"),
        ({}, {"layers__0__wx__where": np.zeros(203, np.int8)}, "does not say of each of 1,620 weights"),
        ({}, {"layers__0__wx__where": np.zeros(203, np.uint8)}, "does not hold the 0 weights"),
        ({}, {"layers__0__wx__kept": np.zeros((), np.int8)}, "does not hold the"),
        ({}, {"layers__0__wx": np.zeros((60, 27), np.int8)}, "layers.0.wx that does not belong"),
        ({"config": GESTURE | {"hidden": [65536, 4]}}, {}, "more than the chip has bits"),
        ({"config": GESTURE | {"hidden": [9, 4, 3]}}, {}, "layers.2.wx is missing"),
    ],
)
def test_a_pruned_matrix_that_is_none_is_refused_before_memory_is_spent_on_it(
    about: dict[str, Any], tensors: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.program"
    storage.save(path, program("gesture", density=0.1))
    rewrite(path, about, **tensors)
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=sentence):
            storage.load(path, "gesture")
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "tensors",
    [
        {"embedding__scale": np.zeros(5, np.int16)},
        {"embedding__scale": np.full(5, 2**14, np.int16)},
        {"embedding__scale": np.zeros((), np.int16)},
        {"embedding__scale": np.zeros(4, np.int16)},
        {"embedding__rows": np.zeros((), np.int8)},
        {"embedding__rows": np.zeros((5, 4), np.int32)},
        {"readout__b": np.zeros(4, np.int32)},
        {"readout__w": np.zeros((4, 5), np.int8)},
    ],
)
def test_an_embedding_that_is_none_is_refused_in_a_sentence(tensors: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "a.program"
    storage.save(path, program("language"))
    rewrite(path, **tensors)
    with pytest.raises(UserError, match="cannot be used"):
        storage.load(path, "language")


@given(st.binary(max_size=300), st.integers(0, 400))
def test_damage_is_a_sentence_and_never_a_traceback(noise: bytes, at: int) -> None:
    path = Path(os.environ["EGRET_SESSIONS"]) / "damaged.program"
    storage.save(path, program("gesture"))
    contents = path.read_bytes()
    path.write_bytes(contents[:at] + noise + contents[at + len(noise) :])
    try:
        storage.load(path, "gesture")
    except UserError as error:
        assert "cannot be used" in str(error)


def test_a_file_larger_than_any_chip_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(storage.MAX_BYTES + 1)
    with pytest.raises(UserError, match="larger than 256 MB"):
        storage.load(path, "gesture")


def test_a_program_that_could_not_be_read_again_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MOST_WEIGHTS", 100)
    with pytest.raises(UserError, match="a file holds 100 at most"):
        storage.save(tmp_path / "a.program", program("gesture"))
    assert not list(tmp_path.iterdir())


def test_checking_a_program_takes_little_more_memory_than_its_weights(tmp_path: Path) -> None:
    made = programs.program(1, "gesture", [2000], inputs=60, density=0.01)
    made.metadata.update(config=GESTURE | {"hidden": [2000]}, kind="gesture", version=storage.VERSION)
    storage.save(tmp_path / "a.program", made)
    tracemalloc.start()
    try:
        storage.load(tmp_path / "a.program", "gesture")
        assert tracemalloc.get_traced_memory()[1] < 5 * sum(layer.wx.size + layer.wh.size for layer in made.layers)
    finally:
        tracemalloc.stop()


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no program at .*absent"):
        storage.load(tmp_path / "absent", "gesture")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="could not be written"):
        storage.save(tmp_path / "absent" / "a.program", program("gesture"))
