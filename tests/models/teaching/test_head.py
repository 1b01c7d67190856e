"""A head on disk comes back as it was; anything else is one sentence."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lessons import UNITS, untrained
from safetensors.numpy import load_file, save_file

from models import checkpoint
from models.teaching.clips import pack
from models.teaching.head import Example, Head, Lesson, as_label, load, save
from pipeline.errors import USAGE, UserError
from pipeline.frames import GRID

LABELS = ("wave", "other_gestures")


def head(taught: tuple[str, ...] = ("rod", "box")) -> Head:
    """A head with an example and a counter-example a gesture."""
    rng = np.random.default_rng(1)
    w, b = rng.normal(size=(UNITS, len(taught))).astype(np.float32), rng.normal(size=len(taught)).astype(np.float32)
    clips = [pack((rng.random((30, 2, GRID, GRID)) < 0.02).astype(np.uint16)) for _ in range(2 * len(taught))]
    lessons = tuple(
        Lesson(name, (Example(clips[2 * i], "a.aedat4, 0 to 0.75 s", 0), Example(clips[2 * i + 1], "live", 1, counter=True)))
        for i, name in enumerate(taught)
    )
    return Head("0123456789ab", LABELS, taught, w, b, lessons, {"known": {"before": 0.5}})


def told(one: Head) -> list[object]:
    """Everything in a head, to compare."""
    lessons = [(lesson.name, [(e.clip.key(), e.source, e.group, e.counter) for e in lesson.examples]) for lesson in one.lessons]
    return [one.weights, one.labels, one.taught, one.w.tobytes(), one.b.tobytes(), lessons, one.figures]


def test_a_head_comes_back_as_it_was_and_equal_heads_are_equal_files(tmp_path: Path) -> None:
    save(tmp_path / "new" / "a.safetensors", head())
    assert told(load(tmp_path / "new" / "a.safetensors")) == told(head())
    save(tmp_path / "b.safetensors", head())
    assert (tmp_path / "b.safetensors").read_bytes() == (tmp_path / "new" / "a.safetensors").read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "gesture"},
        {"version": 2},
        {"taught": ["rod"]},
        {"taught": ["rod", "wave"]},
        {"taught": []},
        {"lessons": []},
        {"lessons": [{"name": "rod", "examples": [{}]}]},
        {"lessons": [{"name": "rod"}]},
        {"lessons": 3},
        {"labels": None},
    ],
)
def test_metadata_that_does_not_fit_is_refused_in_a_sentence(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "head.safetensors"
    save(path, head())
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        about = json.loads(json.loads(file.read(length))["__metadata__"]["egret"])
    save_file(load_file(path), path, {"egret": json.dumps(about | change)})
    with pytest.raises(UserError, match=r"^The taught head .* cannot be used: .*; teach again"):
        load(path)


@given(st.data())
def test_a_damaged_head_is_a_sentence_or_a_head(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    save(path, head(("rod",)))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, min(len(content) - 1, 3000)))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    try:
        found = load(path)
    except UserError:
        return
    assert found.w.shape == (UNITS, len(found.taught))


def test_other_weights_are_refused_with_both_names(tmp_path: Path) -> None:
    weights = untrained(tmp_path / "weights.safetensors")
    digest, metadata = checkpoint.digest(weights), checkpoint.load(weights)[1]
    with pytest.raises(UserError, match=f"belongs to the weights 0123456789ab, and these are {digest}.*--head none"):
        head().check(tmp_path / "head.safetensors", digest, metadata)


def test_the_weights_grow_by_the_taught_columns(tmp_path: Path) -> None:
    tensors, metadata = checkpoint.load(untrained(tmp_path / "weights.safetensors"))
    wider, about = head().extend(tensors, metadata)
    assert about["labels"] == [*metadata["labels"], "rod", "box"]
    assert np.array_equal(wider["readout.w"], np.concatenate([tensors["readout.w"], head().w], axis=1))
    assert wider["layers.0.wx"] is tensors["layers.0.wx"] and metadata["labels"] == about["labels"][:-2]


@pytest.mark.parametrize(("name", "label"), [("Thumbs up", "thumbs_up"), (" Daumen  hoch ", "daumen_hoch"), ("größe9", "größe9")])
def test_a_name_becomes_a_label(name: str, label: str) -> None:
    assert as_label(name, LABELS) == label


@pytest.mark.parametrize("name", ["", " ", "_x", "a/b", "x" * 41, "a\nb\0", "wave", "Wave", "other gestures"])
def test_a_name_that_cannot_be_or_is_known_is_a_usage_error(name: str) -> None:
    with pytest.raises(UserError) as refused:
        as_label(name, LABELS)
    assert refused.value.exit_code == USAGE
