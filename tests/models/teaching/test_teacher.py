"""What teaching promises: the new gesture is found, the old ones stay, and the same lessons give the same head."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from lessons import PUNCHING, WAVING, examples, few_movements, untrained

import assets
from models import checkpoint
from models.chip.host import GestureNetwork
from models.decision import OTHER, Decider
from models.teaching import figures
from models.teaching.clips import pack
from models.teaching.features import WARM, counting
from models.teaching.head import Example, Head, Lesson, load, save
from models.teaching.movements import Movements
from models.teaching.teacher import MOST_FOLDS, Shown, Teacher, folds
from pipeline.errors import UserError
from pipeline.frames import GRID


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("weights") / "weights.safetensors")


@pytest.fixture(scope="module")
def teacher(weights: Path) -> Teacher:
    return Teacher(weights, weights.parent / "cache", few_movements(weights.parent / "movements.npz"))


@pytest.fixture(scope="module")
def taught(teacher: Teacher) -> Head:
    """Two gestures, with four and three examples."""
    return teacher.learn((Lesson("sway", examples(WAVING, 4)), Lesson("punch", examples(PUNCHING, 3))))


def answers(path: Path, head: Head, clip_frames: np.ndarray) -> list[str]:
    """The leading class of every window that counts, from the network with the head."""
    network = GestureNetwork(*head.extend(*checkpoint.load(path)))
    read = [network.labels[int(network.step(counts).argmax())] for counts in clip_frames]
    return [label for label, counts in zip(read, counting(clip_frames), strict=True) if counts]


def test_movements_that_were_taught_are_found_where_they_were_not_shown(weights: Path, taught: Head) -> None:
    for name, seed in (("sway", WAVING), ("punch", PUNCHING)):
        assert taught.figures["taught"][name]["found"] >= 0.8
        read = answers(weights, taught, examples(seed, 5)[4].clip.frames())
        assert len(read) > 40 and read.count(name) >= 0.8 * len(read)


def test_what_the_figures_say_is_what_the_network_with_the_head_does(weights: Path, taught: Head) -> None:
    said, labels = taught.figures, taught.figures["labels"]
    assert labels == [*taught.labels, "sway", "punch"]
    read = [label for example in examples(PUNCHING, 3) for label in answers(weights, taught, example.clip.frames())]
    assert sum(said["after"][labels.index("punch")]) == len(read) == said["taught"]["punch"]["windows"]
    assert np.array(said["before"]).sum(1)[:-2].tolist() == np.array(said["after"]).sum(1)[:-2].tolist()
    assert said["known"]["windows"] == np.array(said["after"])[:-2].sum()


def test_a_decision_is_made_of_a_taught_class_as_of_any(weights: Path, taught: Head) -> None:
    tensors, metadata = taught.extend(*checkpoint.load(weights))
    network, decider = GestureNetwork(tensors, metadata), Decider(tuple(metadata["labels"]), threshold=0.5)
    clip = examples(WAVING, 4)[0].clip.frames()
    decisions = [decider.decide(network.step(counts), int(counts.sum())) for counts in clip]
    assert sum(decision.accepted and decision.label == "sway" for decision in decisions) > 40


def test_the_same_lessons_give_the_same_bytes(weights: Path, taught: Head, tmp_path: Path) -> None:
    another = Teacher(weights, movements=weights.parent / "movements.npz")  # nothing cached
    another.learn((Lesson("else", examples(PUNCHING, 3)),))  # what it learnt before does not matter
    save(tmp_path / "first", taught)
    save(tmp_path / "second", another.learn(load(tmp_path / "first").lessons))
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_the_bundled_network_learns_a_movement_and_keeps_what_it_knew(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = assets.path("gesture.safetensors")
    head = Teacher(path, tmp_path_factory.getbasetemp() / "cache" / "egret").learn((Lesson("sway", examples(WAVING, 4)),))
    said = head.figures
    assert said["taught"]["sway"]["found"] >= 0.9
    assert said["known"]["after"] >= said["known"]["before"] - 0.03, "old gestures lose more than is promised"


def test_counter_examples_are_not_read_as_the_gesture(weights: Path, teacher: Teacher) -> None:
    counter = examples(PUNCHING, 4, counter=True)
    head = teacher.learn((Lesson("sway", (*examples(WAVING, 3), *counter[:3])),))
    read = answers(weights, head, counter[3].clip.frames())
    assert len(read) > 40 and read.count("sway") < 0.1 * len(read)
    assert head.figures["taught"]["sway"]["examples"] == 3


@pytest.mark.parametrize(("count", "kind"), [(1, "one"), (2, "few")])
def test_few_examples_are_called_few(teacher: Teacher, count: int, kind: str) -> None:
    said = teacher.learn((Lesson("sway", examples(WAVING, count)),)).figures
    assert kind in [remark["kind"] for remark in said["remarks"]]
    assert (said["taught"]["sway"]["found"] is None) == (count == 1)
    assert all(figures.sentence(remark).endswith((".", "three.")) for remark in said["remarks"])
    assert "sway" in figures.readable(said, "sway") and len(figures.listed(said)) == 1


def test_two_gestures_that_are_the_same_movement_are_called_alike(teacher: Teacher) -> None:
    four = examples(WAVING, 4)
    said = teacher.learn((Lesson("sway", four[:2]), Lesson("swing", four[2:]))).figures
    alike = [remark for remark in said["remarks"] if remark["kind"] == "alike"]
    assert {remark["label"] for remark in alike} & {"sway", "swing"}
    assert "choose another movement" in figures.sentence(alike[0])


def test_an_example_without_movement_is_refused_by_name(teacher: Teacher) -> None:
    still = Example(pack(np.zeros((80, 2, GRID, GRID), np.uint16)), "still.aedat4, 0 to 2 s", 0)
    with pytest.raises(UserError, match=r"Too little happens in still\.aedat4, 0 to 2 s: 0 windows"):
        teacher.learn((Lesson("sway", (still,)),))
    assert teacher.reading(still.clip) == (0, "", 0.0)


def test_a_gesture_without_an_example_is_refused(teacher: Teacher) -> None:
    with pytest.raises(UserError, match="no example of sway"):
        teacher.learn((Lesson("sway", examples(PUNCHING, 1, counter=True)),))


def test_learning_can_be_broken_off_and_begun_again(weights: Path) -> None:
    teacher, told = Teacher(weights, movements=few_movements(weights.parent / "movements.npz")), []

    class Enough(Exception):
        pass

    def until_some(share: float) -> None:
        told.append(share)
        if share > 0.1:
            raise Enough

    with pytest.raises(Enough):
        teacher.prepare(until_some)
    teacher.prepare(told.append)
    assert all(before <= after for before, after in pairwise(told))


def test_known_movements_are_kept_and_a_damaged_cache_is_made_anew(weights: Path, teacher: Teacher) -> None:
    network, cache = GestureNetwork(*checkpoint.load(weights)), weights.parent / "cache"
    teacher.prepare()
    (kept,) = cache.glob("known-*.npz")
    movements = weights.parent / "movements.npz"
    first = Movements(movements).known(network, teacher.weights, cache, lambda share: pytest.fail("it was not found in the cache"))
    kept.write_bytes(kept.read_bytes()[:1000])
    again = Movements(movements).known(network, teacher.weights, cache, lambda share: None)
    assert again.memories.tobytes() == first.memories.tobytes()
    assert first.fitted.any() and not first.fitted.all() and len(first.memories) == len(first.kind)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"x" * 1000])
def test_broken_movements_are_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "movements.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"known movements .* cannot be read"):
        Movements(tmp_path / "movements.npz")


def test_weights_without_a_class_for_everything_else_can_be_taught(tmp_path: Path) -> None:
    tensors, metadata = checkpoint.load(untrained(tmp_path / "weights.safetensors"))
    named = [label for label in metadata["labels"] if label != OTHER]
    columns = {"readout.w": tensors["readout.w"][:, : len(named)], "readout.b": tensors["readout.b"][: len(named)]}
    checkpoint.save(tmp_path / "named.safetensors", tensors | columns, metadata | {"labels": named})
    head = Teacher(tmp_path / "named.safetensors", movements=few_movements(tmp_path / "movements.npz")).learn(
        (Lesson("sway", examples(WAVING, 3)),)
    )
    assert head.figures["taught"]["sway"]["found"] >= 0.8


def shown(recordings: Sequence[int], name: str = "a") -> list[Shown]:
    """Examples of these recordings."""
    nothing = np.empty((0, 1), np.float32)
    return [Shown(name, False, (0, recording), (), nothing) for recording in recordings]


def test_recordings_are_held_out_whole_and_stretches_where_there_is_one_recording() -> None:
    assert folds(shown([0, 0, 1, 2]), ["a"]) == {0: 0, 1: 0, 2: 1, 3: 2}
    assert folds(shown([0, 0, 0]), ["a"]) == {0: 0, 1: 1, 2: 2}
    assert folds(shown([0]), ["a"]) == {}
    assert max(folds(shown(range(20)), ["a"]).values()) == MOST_FOLDS - 1
    assert folds([*shown([0, 1]), *shown([5], "b")], ["a", "b"]) == {0: 0, 1: 1}


def test_an_example_needs_its_warm_up() -> None:
    clip = examples(WAVING, 1)[0].clip
    assert counting(clip.frames()).sum() <= len(clip) - WARM
