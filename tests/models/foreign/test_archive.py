"""Promises of reading what torch wrote: every number as torch has it, nothing run, and for anything else a reason instead of a crash."""

import io
import os
import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save
from torch import nn

from models.foreign import archive
from models.foreign.archive import Archive, is_archive, state_dict
from tests.models.foreign import checkpoints

KINDS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


def everything(path: Path) -> dict[str, Any]:
    with Archive(path) as opened:
        return {name: opened.read(name) for name in opened.tensors}


def rebuilt(path: Path, replace: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """`path`, the members of its archive that end so replaced."""
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", compression) as new:
        for name, contents in members.items():
            new.writestr(name, next((value for ending, value in replace.items() if name.endswith(ending)), contents))
    return path


def pickled(path: Path) -> bytes:
    with zipfile.ZipFile(path) as opened:
        return next(opened.read(name) for name in opened.namelist() if name.endswith("data.pkl"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoints.save(checkpoints.spikegpt(8, 4, 1), tmp_path_factory.mktemp("made") / "whole.pth")


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_number_is_the_one_that_torch_wrote(kind: torch.dtype, tmp_path: Path) -> None:
    path = checkpoints.save(checkpoints.evnn(), tmp_path / "made.cpt", kind)
    expected = torch.load(path, weights_only=True)
    found = everything(path)
    assert set(found) == set(expected) and is_archive(path)
    for name, value in found.items():
        assert value.dtype == np.float32 and value.flags.c_contiguous and value.flags.writeable
        np.testing.assert_array_equal(value, expected[name].float().numpy(), err_msg=name)


def test_views_parameters_empty_tensors_and_a_models_own_state_dict_are_read(tmp_path: Path) -> None:
    base = torch.arange(24.0).reshape(2, 3, 4)
    tensors = {"turned": base.permute(2, 0, 1), "part": base[1, :, 1:3], "one": base[1, 1, 1], "none": torch.zeros(0, 3)}
    parameter = nn.Parameter(torch.ones(2, 2))
    torch.save(tensors | {"parameter": parameter}, tmp_path / "views.pth")
    found = everything(tmp_path / "views.pth")
    for name, value in (tensors | {"parameter": parameter.detach()}).items():
        np.testing.assert_array_equal(found[name], value.numpy(), err_msg=name)
    model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
    torch.save(model.state_dict(), tmp_path / "model.pth")
    assert everything(tmp_path / "model.pth").keys() == model.state_dict().keys()


class Trap:
    """Pickled so that reading it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "caught")


def test_nothing_that_a_file_asks_for_is_run(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(2), "more": Trap(tmp_path / "sprung")}, tmp_path / "trap.pth")
    with pytest.raises(ValueError, match=r"wants .* to be run, which no weights need"):
        Archive(tmp_path / "trap.pth")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_of_other_things_are_refused_with_a_reason(protocol: int) -> None:
    for thing in ([1], {}, {"a": 1}, {"a": b"bytes"}, {1: 2}, {"a": {1, 2}}, Path, 2**70, "text", {"epoch": {"step": 3}}):
        with pytest.raises(ValueError, match=r"it |its "):
            state_dict(pickle.dumps(thing, protocol))


@given(st.data())
@settings(max_examples=150)
def test_a_damaged_file_gives_a_reason_or_the_numbers_as_they_were(whole: Path, data: st.DataObject) -> None:
    contents = bytearray(whole.read_bytes())
    if data.draw(st.booleans()):
        del contents[data.draw(st.integers(0, len(contents) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            contents[data.draw(st.integers(0, len(contents) - 1))] = data.draw(st.integers(0, 255))
    path = whole.with_name("damaged.pth")
    path.write_bytes(contents)
    try:
        found = everything(path)
    except ValueError:
        return
    expected = torch.load(whole, weights_only=True)
    for name in found.keys() & expected.keys():  # a flipped bit in the directory may rename a member that nobody reads
        if found[name].shape == expected[name].shape:
            np.testing.assert_array_equal(found[name], expected[name].numpy())


@given(st.data())
@settings(max_examples=300)
def test_a_list_of_tensors_with_other_bytes_in_it_gives_a_reason_or_tensors(whole: Path, data: st.DataObject) -> None:
    contents = bytearray(pickled(whole))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(contents) - 1))
        contents[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=6))
    try:
        found = state_dict(bytes(contents))
    except ValueError:
        return
    assert all(isinstance(value, archive.Tensor) for value in found.values())


def test_an_escape_that_python_frowns_upon_is_no_warning() -> None:
    with pytest.raises(ValueError):
        state_dict(b"\x80\x02S'\\8'\n.")


@given(st.binary(max_size=200))
def test_any_bytes_as_a_list_of_tensors_give_a_reason(contents: bytes) -> None:
    with pytest.raises(ValueError):
        state_dict(b"\x80\x02" + contents)


@pytest.mark.parametrize(
    ("shape", "strides", "offset", "numbers"),
    [
        ((1 << 39, 1 << 39), (1, 1), 0, 4),
        ((1 << 35,), (0,), 0, 4),  # one number, repeated
        ((1 << 35,), (1,), 0, 1 << 35),
        ((2, 2), (2, 1), 1, 4),
        ((2,), (1 << 38,), 0, 4),
        ((2, 2), (4, 1), 0, 4),
    ],
)
def test_a_tensor_that_claims_more_than_there_is_costs_no_memory(
    shape: tuple[int, ...], strides: tuple[int, ...], offset: int, numbers: int, tmp_path: Path
) -> None:
    torch.save({"weight": torch.ones(2, 2)}, tmp_path / "claims.pth")
    storage = archive.Storage("FloatStorage", "0", numbers)
    with Archive(tmp_path / "claims.pth") as opened:
        opened.tensors["weight"] = archive.Tensor(storage, offset, shape, strides)
        tracemalloc.start()
        with pytest.raises(ValueError, match="weight"):
            opened.read("weight")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()


def test_sizes_that_no_tensor_has_are_refused_where_they_are_read() -> None:
    for size in (-1, 1 << 50, True, 1.5, "2"):
        with pytest.raises(TypeError):
            archive._tensor(archive.Storage("FloatStorage", "0", 4), 0, (size,), (1,))


def test_compressed_archives_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1 << 18)}, tmp_path / "packed.pth")
    rebuilt(tmp_path / "packed.pth", {}, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="compressed"):
        Archive(tmp_path / "packed.pth")


def test_files_of_other_kinds_are_told_from_checkpoints(tmp_path: Path) -> None:
    old = tmp_path / "old.pth"
    torch.save({"weight": torch.ones(2)}, old, _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match=r"before its version 1\.6"):
        Archive(old)
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as made:
        made.writestr("letter.txt", "hello")
    with pytest.raises(ValueError, match="none that torch wrote"):
        Archive(other)
    text = tmp_path / "text.pth"
    text.write_text("no weights")
    with pytest.raises(ValueError, match="no ZIP archive"):
        Archive(text)
    assert is_archive(old) and is_archive(other) and not is_archive(text) and not is_archive(tmp_path)


@pytest.mark.parametrize("length", [128, 384, 640])
def test_weights_of_our_own_are_no_checkpoint_of_others_however_long_their_header_is(length: int, tmp_path: Path) -> None:
    tensors = {"weight": np.ones(2, np.float32)}
    empty = int.from_bytes(save(tensors, {"egret": ""})[:8], "little")
    contents = save(tensors, {"egret": "x" * (length - empty)})
    assert int.from_bytes(contents[:8], "little") == length and contents[0] == 0x80  # as a pickle begins
    (tmp_path / "own.safetensors").write_bytes(contents)
    assert not is_archive(tmp_path / "own.safetensors")


def test_a_pipe_is_no_checkpoint_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = os.open(tmp_path / "pipe", os.O_RDWR)
    os.write(writer, archive.SIGNATURE)
    assert not is_archive(tmp_path / "pipe")
    os.close(writer)


def test_numbers_in_the_other_order_of_bytes_and_of_other_kinds_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "made.pth"
    torch.save({"weight": torch.ones(2)}, path)
    rebuilt(path, {"byteorder": b"big"})
    with pytest.raises(ValueError, match="order of bytes"):
        Archive(path)
    torch.save({"count": torch.ones(2, dtype=torch.int64)}, path)
    with pytest.raises(ValueError, match="LongStorage"):
        everything(path)


def test_an_enormous_list_of_tensors_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = checkpoints.save(checkpoints.spikegpt(8, 4, 1), tmp_path / "long.pth")
    monkeypatch.setattr(archive, "MAX_PICKLE_BYTES", 100)
    with pytest.raises(ValueError, match="far too long"):
        Archive(path)


def test_a_memo_of_absurd_size_takes_no_memory() -> None:
    tracemalloc.start()
    with pytest.raises(ValueError):
        state_dict(b"\x80\x02}r\xff\xff\xff\x7f.")
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_what_is_saved_with_todays_pickle_defaults_is_what_the_machine_knows() -> None:
    """Were torch to write other operations one day, this would say so."""
    buffer = io.BytesIO()
    torch.save(nn.Linear(2, 2).state_dict(), buffer)
    with zipfile.ZipFile(buffer) as opened:
        assert set(state_dict(opened.read("archive/data.pkl"))) == {"weight", "bias"}
