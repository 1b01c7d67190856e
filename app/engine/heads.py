"""Where taught heads lie, and how a lesson is added and taken back.

Every set of weights has its own head, ``$XDG_DATA_HOME/egret/taught-DIGEST.safetensors`` (else under ``~/.local/share``), so other
weights never meet a head that is not theirs; ``--head FILE`` names another place. Beside it lies a folder, ``taught-DIGEST.history``, with
the heads before it, named by how many lessons they hold: taking back the newest lesson puts the file of before back, the very same bytes.
A lesson that is not the newest is taken out by fitting the others anew, as if it had never been.
"""

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from models.teaching import head as heads
from models.teaching.head import Example, Head, Lesson, as_label
from models.teaching.teacher import Teacher, Tell
from pipeline.errors import USAGE, UserError

NONE = "none"
"""What --head is told to use no head."""


def data_folder() -> Path:
    """Where this user's heads lie; it may not be there yet."""
    return _base("XDG_DATA_HOME", ".local/share")


def cache_folder() -> Path:
    """Where this user keeps what can be made again; it may not be there yet."""
    return _base("XDG_CACHE_HOME", ".cache")


def _base(variable: str, otherwise: str) -> Path:
    """The folder `egret` under the base directory `variable`, which counts only if it is absolute (XDG Base Directory Specification)."""
    named = os.environ.get(variable, "")
    return (Path(named) if Path(named).is_absolute() else Path.home() / otherwise) / "egret"


def default_path(weights: str) -> Path:
    """The head of the weights with this digest."""
    return data_folder() / f"taught-{weights}.safetensors"


def chosen(option: str | None, weights: str) -> Path | None:
    """The head that `--head OPTION` means for these weights: the file named, none, or without the option this user's, if there is one."""
    if option == NONE:
        return None
    if option is not None:
        return Path(option)
    path = default_path(weights)
    return path if path.is_file() else None


def place(option: str | None, weights: str) -> Path:
    """Where `--head OPTION` keeps what these weights are taught; UserError for no place at all."""
    if option == NONE:
        raise UserError("With --head none there is no place for what is taught: leave it out, or name a file.", USAGE)
    return Path(option) if option else default_path(weights)


class Shelf:
    """The head at `path` with those before it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._history = path.with_suffix(".history")

    def current(self, teacher: Teacher) -> Head | None:
        """The head that is there, if it is; UserError if it belongs to other weights than the teacher's."""
        if not self.path.is_file():
            return None
        head = heads.load(self.path)
        head.check(self.path, teacher.weights, teacher.metadata)
        return head

    def teach(self, teacher: Teacher, name: str, examples: Sequence[Example], tell: Tell = lambda share: None) -> Head:
        """Add a lesson: `examples` of the gesture `name` (as a user calls it). UserError as `Teacher.learn` raises it."""
        before = self.current(teacher)
        lessons = before.lessons if before else ()
        head = teacher.learn((*lessons, Lesson(as_label(name, teacher.labels), tuple(examples))), tell)
        self._put(head, before)
        return head

    def undo(self, teacher: Teacher, name: str, tell: Tell = lambda share: None) -> Head | None:
        """Take back the newest lesson of the gesture `name`: the head as it is then; None if nothing is taught any more."""
        before = self.current(teacher)
        label = as_label(name, ())
        if before is None or label not in before.taught:
            there = f"taught are {', '.join(before.taught)}" if before else "nothing has been taught"
            raise UserError(f"No gesture {label} was taught to these weights: {there}.", USAGE)
        number = max(index for index, lesson in enumerate(before.lessons) if lesson.name == label)
        remaining = before.lessons[:number] + before.lessons[number + 1 :]
        if not remaining:
            self._remove()
            return None
        if number == len(remaining) and (earlier := self._earlier(number, remaining, before)):
            with contextlib.suppress(OSError):
                self._entry(number).replace(self.path)
                return earlier
        head = teacher.learn(remaining, tell)
        heads.save(self.path, head)
        for entry in self._entries():
            if int(entry.stem) > number:  # a head that holds what was taken out
                with contextlib.suppress(OSError):
                    entry.unlink(missing_ok=True)
        return head

    def _put(self, head: Head, before: Head | None) -> None:
        """Write `head`, and keep the file of the head `before` in the history."""
        if before is not None:
            try:
                self._history.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.path, self._entry(len(before.lessons)))
            except OSError as error:
                raise UserError(f"The earlier head could not be kept in {self._history} ({error.strerror}): make room there.") from error
        heads.save(self.path, head)

    def _earlier(self, number: int, lessons: tuple[Lesson, ...], now: Head) -> Head | None:
        """The head with these `lessons` out of the history; None if it is not there, damaged, or of other lessons or weights."""
        with contextlib.suppress(UserError):
            found = heads.load(self._entry(number))
            same = [_content(lesson) for lesson in found.lessons] == [_content(lesson) for lesson in lessons]
            if same and (found.weights, found.labels) == (now.weights, now.labels):
                return found
        return None

    def _entry(self, lessons: int) -> Path:
        return self._history / f"{lessons:04d}.safetensors"

    def _entries(self) -> list[Path]:
        return [path for path in self._history.glob("*.safetensors") if path.stem.isdecimal()]

    def _remove(self) -> None:
        """Nothing is taught any more: no head, no history."""
        try:
            self.path.unlink()
            for entry in self._entries():
                entry.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"The head {self.path} could not be removed ({error.strerror}): remove it yourself.") from error
        with contextlib.suppress(OSError):  # something of somebody else's is in it
            self._history.rmdir()


def _content(lesson: Lesson) -> tuple[object, ...]:
    """What makes two lessons the same."""
    return lesson.name, *((e.source, e.group, e.counter, e.clip.key()) for e in lesson.examples)
