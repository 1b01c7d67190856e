"""Promises of `models.checkpoint`: what is saved comes back, and nothing else gets in."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from models import checkpoint
from pipeline.errors import FAILED, UserError

GESTURE: dict[str, Any] = {
    "kind": "gesture",
    "config": {"inputs": 12, "hidden": [5, 4], "window_us": 25_000, "leak": 0.9, "temperature": 1.0, "threshold": 0.5},
    "labels": ["wave", "clap", "other"],
}
LANGUAGE: dict[str, Any] = {"kind": "language", "config": {"vocabulary": 20, "embedding": 4, "hidden": [6, 4], "tokenizer": "t.json"}}


def tensors_for(metadata: dict[str, Any], dtype: type = np.float32) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {name: rng.random(shape).astype(dtype) for name, shape in checkpoint.shapes(metadata).items()}


def saved(folder: Path, metadata: dict[str, Any] = GESTURE) -> Path:
    path = folder / "net.safetensors"
    checkpoint.save(path, tensors_for(metadata), metadata)
    return path


@pytest.mark.parametrize("metadata", [GESTURE, LANGUAGE], ids=["gesture", "language"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_what_is_saved_is_loaded_as_float32(tmp_path: Path, metadata: dict[str, Any], dtype: type) -> None:
    wanted = tensors_for(metadata, dtype)
    checkpoint.save(tmp_path / "net.safetensors", wanted, metadata)
    tensors, found = checkpoint.load(tmp_path / "net.safetensors", metadata["kind"])
    assert found == metadata | {"version": checkpoint.VERSION}
    assert tensors.keys() == wanted.keys()
    for name, value in tensors.items():
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, wanted[name].astype(np.float32))


def test_saving_leaves_no_scratch_file_and_replaces_the_old_one(tmp_path: Path) -> None:
    path = saved(tmp_path)
    before = checkpoint.digest(path)
    checkpoint.save(path, tensors_for(LANGUAGE), LANGUAGE)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert checkpoint.digest(path) != before


def test_the_digest_names_the_content_not_the_place(tmp_path: Path) -> None:
    path = saved(tmp_path)
    copy = tmp_path / "copy"
    copy.write_bytes(path.read_bytes())
    assert checkpoint.digest(path) == checkpoint.digest(copy)
    assert len(checkpoint.digest(path)) == 12


@pytest.mark.parametrize("action", [checkpoint.load, checkpoint.digest])
def test_a_missing_file_is_one_sentence(tmp_path: Path, action: Any) -> None:
    with pytest.raises(UserError, match="absent") as caught:
        action(tmp_path / "absent.safetensors")
    assert caught.value.exit_code == FAILED
    assert "\n" not in str(caught.value)


def test_a_folder_that_does_not_exist_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="could not be written"):
        checkpoint.save(tmp_path / "no" / "net.safetensors", tensors_for(GESTURE), GESTURE)


def test_a_network_of_the_other_kind_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds a gesture network where a language network is needed"):
        checkpoint.load(saved(tmp_path), "language")


def test_a_safetensors_file_of_somebody_else_is_refused(tmp_path: Path) -> None:
    save_file({"x": np.zeros(3, np.float32)}, tmp_path / "foreign.safetensors")
    with pytest.raises(UserError, match="not written by Egret"):
        checkpoint.load(tmp_path / "foreign.safetensors")


@pytest.mark.parametrize("change", ["missing", "extra", "shape", "dtype", "nan", "theta"])
def test_tensors_that_do_not_fit_the_config_are_refused(tmp_path: Path, change: str) -> None:
    tensors = tensors_for(GESTURE)
    if change == "missing":
        del tensors["readout.b"]
    elif change == "extra":
        tensors["layers.2.wx"] = np.zeros((2, 2), np.float32)
    elif change == "shape":
        tensors["layers.0.wh"] = tensors["layers.0.wh"][:, :-3]
    elif change == "dtype":
        tensors["readout.b"] = tensors["readout.b"].astype(np.float64)
    elif change == "nan":
        tensors["readout.b"][0] = np.nan
    else:
        tensors["layers.1.theta"][0] = -0.5
    if change != "theta":
        with pytest.raises(ValueError):
            checkpoint.save(tmp_path / "never", tensors, GESTURE)
    metadata = json.dumps(GESTURE | {"version": checkpoint.VERSION})
    save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, tmp_path / "bad", {checkpoint.ENTRY: metadata})
    with pytest.raises(UserError, match="cannot be used") as caught:
        checkpoint.load(tmp_path / "bad")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "metadata",
    [
        "not json",
        "[]",
        json.dumps(GESTURE),
        json.dumps(GESTURE | {"version": 99}),
        json.dumps(GESTURE | {"version": 1, "kind": "cat"}),
        json.dumps(GESTURE | {"version": 1, "config": None}),
        json.dumps(GESTURE | {"version": 1, "labels": None}),
        json.dumps(GESTURE | {"version": 1, "config": GESTURE["config"] | {"hidden": [5, "4"]}}),
        json.dumps(GESTURE | {"version": 1, "config": GESTURE["config"] | {"hidden": []}}),
        json.dumps(GESTURE | {"version": 1, "config": GESTURE["config"] | {"hidden": [10**12]}}),
        json.dumps(GESTURE | {"version": 1, "config": GESTURE["config"] | {"inputs": -1}}),
        json.dumps(GESTURE | {"version": 1, "config": GESTURE["config"] | {"leak": 1.5}}),
        json.dumps(LANGUAGE | {"version": 1, "config": LANGUAGE["config"] | {"embedding": 5}}),
        json.dumps(LANGUAGE | {"version": 1, "config": LANGUAGE["config"] | {"tokenizer": None}}),
    ],
)
def test_metadata_that_make_no_sense_are_refused(tmp_path: Path, metadata: str) -> None:
    save_file(tensors_for(GESTURE), tmp_path / "bad", {checkpoint.ENTRY: metadata})
    with pytest.raises(UserError, match="cannot be used"):
        checkpoint.load(tmp_path / "bad")


def test_a_header_that_claims_to_be_huge_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(struct.pack("<Q", 2**62) + b"{}")
    with pytest.raises(UserError, match="cannot be used"):
        checkpoint.load(tmp_path / "bad")


@given(st.binary(max_size=300))
@settings(max_examples=50, deadline=None)
def test_no_bytes_whatever_raise_anything_but_the_sentence(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "net.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError):
        checkpoint.load(path)


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_a_damaged_header_is_refused_or_the_network_is_still_of_the_right_shape(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = saved(tmp_path_factory.mktemp("damaged"))
    content = bytearray(path.read_bytes())
    header = struct.unpack_from("<Q", content)[0]
    content[data.draw(st.integers(0, 8 + header - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        tensors, metadata = checkpoint.load(path)
    except UserError:
        return
    assert {name: value.shape for name, value in tensors.items()} == checkpoint.shapes(metadata)
