"""Heads on the shelf: lessons add up, and taking one back is as if it had never been."""

from pathlib import Path

import pytest
from lessons import PUNCHING, WAVING, examples, few_movements, untrained

from app.engine import heads
from app.engine.heads import Shelf
from models.teaching.teacher import Teacher
from pipeline.errors import USAGE, UserError


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Teacher:
    folder = tmp_path_factory.mktemp("weights")
    return Teacher(untrained(folder / "weights.safetensors"), folder / "cache", few_movements(folder / "movements.npz"))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "deep" / "head.safetensors")


def test_lessons_add_up_and_are_taken_back_to_the_same_bytes(teacher: Teacher, shelf: Shelf) -> None:
    shelf.teach(teacher, "Sway", examples(WAVING, 2))
    first = shelf.path.read_bytes()
    shelf.teach(teacher, "Punch", examples(PUNCHING, 2))
    second = shelf.path.read_bytes()
    head = shelf.teach(teacher, "sway", examples(WAVING, 3)[2:])
    assert head.taught == ("sway", "punch")
    assert head.figures["taught"]["sway"]["examples"] == 3
    shelf.undo(teacher, "Sway")
    assert shelf.path.read_bytes() == second
    shelf.undo(teacher, "punch")
    assert shelf.path.read_bytes() == first
    assert shelf.undo(teacher, "sway") is None
    assert not shelf.path.exists() and not list(shelf.path.parent.iterdir())


def test_a_lesson_out_of_the_middle_leaves_no_trace(teacher: Teacher, shelf: Shelf, tmp_path: Path) -> None:
    shelf.teach(teacher, "sway", examples(WAVING, 2))
    shelf.teach(teacher, "punch", examples(PUNCHING, 2))
    shelf.undo(teacher, "sway")
    alone = Shelf(tmp_path / "alone.safetensors")
    alone.teach(teacher, "punch", examples(PUNCHING, 2))
    assert shelf.path.read_bytes() == alone.path.read_bytes()
    assert shelf.undo(teacher, "punch") is None


@pytest.mark.parametrize("damage", ["missing", "broken", "another"])
def test_without_its_history_a_lesson_is_taken_back_all_the_same(teacher: Teacher, shelf: Shelf, damage: str) -> None:
    shelf.teach(teacher, "sway", examples(WAVING, 2))
    first = shelf.path.read_bytes()
    shelf.teach(teacher, "punch", examples(PUNCHING, 2))
    (kept,) = shelf.path.with_suffix(".history").iterdir()
    if damage == "missing":
        kept.unlink()
    elif damage == "broken":
        kept.write_bytes(first[:100])
    else:
        kept.write_bytes(shelf.path.read_bytes())
    shelf.undo(teacher, "punch")
    assert shelf.path.read_bytes() == first


def test_what_was_not_taught_cannot_be_taken_back(teacher: Teacher, shelf: Shelf) -> None:
    with pytest.raises(UserError, match="nothing has been taught") as refused:
        shelf.undo(teacher, "sway")
    assert refused.value.exit_code == USAGE
    shelf.teach(teacher, "sway", examples(WAVING, 2))
    with pytest.raises(UserError, match="taught are sway"):
        shelf.undo(teacher, "punch")


def test_a_lesson_that_fails_changes_nothing(teacher: Teacher, shelf: Shelf) -> None:
    shelf.teach(teacher, "sway", examples(WAVING, 2))
    before = shelf.path.read_bytes()
    with pytest.raises(UserError, match="no example of punch"):
        shelf.teach(teacher, "punch", examples(PUNCHING, 1, counter=True))
    assert shelf.path.read_bytes() == before and not shelf.path.with_suffix(".history").exists()


def test_a_head_of_other_weights_is_refused(teacher: Teacher, shelf: Shelf, tmp_path: Path) -> None:
    shelf.teach(teacher, "sway", examples(WAVING, 2))
    other = Teacher(untrained(tmp_path / "other.safetensors", seed=2))
    for attempt in (lambda: shelf.current(other), lambda: shelf.teach(other, "punch", ()), lambda: shelf.undo(other, "sway")):
        with pytest.raises(UserError, match="belongs to the weights"):
            attempt()


def test_a_place_that_cannot_be_written_is_a_sentence(teacher: Teacher, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="could not be written"):
        Shelf(tmp_path / "file" / "head.safetensors").teach(teacher, "sway", examples(WAVING, 2))


def test_the_head_that_is_used_is_the_named_one_or_this_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    path = tmp_path / "egret" / "taught-abc.safetensors"
    assert heads.default_path("abc") == path
    assert heads.chosen(None, "abc") is None
    path.parent.mkdir()
    path.touch()
    assert heads.chosen(None, "abc") == path and heads.chosen(None, "abd") is None
    assert heads.chosen("none", "abc") is None and heads.chosen("my.safetensors", "abc") == Path("my.safetensors")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert heads.data_folder() == Path.home() / ".local/share/egret"
