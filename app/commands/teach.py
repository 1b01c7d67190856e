"""`egret teach`: a new gesture from a handful of examples, on top of the network that is there (`models.teaching` says how)."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.commands.common import add_json, json_line
from app.progress import progress
from pipeline.errors import USAGE, UserError

if TYPE_CHECKING:
    from models.teaching.head import Head
    from models.teaching.teacher import Teacher, Tell

ABOUT = """\
Teach the gesture network a new gesture. Record yourself making it three to ten times, a few seconds each, standing a little
differently every time (`egret record --source camera --duration 4 --out up-1.aedat4`), and then

    egret teach "thumbs up" --from up-1.aedat4 up-2.aedat4 up-3.aedat4

The network itself does not change; what it knows already it keeps. What is printed: how many windows of 25 ms of every example are
found by a head that has not seen its recording, what they were read as before, what the old gestures lose, and what is wrong with the
examples, if anything is. With --not, recordings of what the gesture is not (you, doing something else) make it choosier. Teaching a name
again adds to what it was taught; --undo takes the newest lesson back. `egret run` and `egret gui` use what was taught from their next
start on; the window can teach live (key T).
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `egret teach`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = ABOUT
    parser.add_argument("name", nargs="?", metavar="NAME", help="what the gesture shall be called")
    recordings = {"nargs": "+", "type": Path, "default": [], "metavar": "RECORDING"}
    parser.add_argument("--from", dest="examples", help="recordings of the gesture, and of nothing else", **recordings)  # type: ignore[arg-type]
    parser.add_argument("--not", dest="counter", help="recordings of what it is not", **recordings)  # type: ignore[arg-type]
    parser.add_argument("--undo", metavar="NAME", help="take back the newest lesson of this gesture")
    parser.add_argument("--list", action="store_true", help="say what has been taught")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="gesture weights (default: the bundled ones)")
    parser.add_argument("--head", metavar="FILE", help="where taught gestures are kept (default: this user's, for these weights)")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Teach, take back, or list."""
    import assets
    from app.engine import heads
    from app.engine.models import GESTURE
    from models.teaching.teacher import Teacher

    wanted = _wish(arguments)
    weights = arguments.weights or assets.path(GESTURE)
    teacher = Teacher(weights, heads.cache_folder())
    shelf = heads.Shelf(heads.place(arguments.head, teacher.weights))
    said: dict[str, Any] = {"done": wanted}
    if wanted == "teach":
        head: Head | None = _teach(arguments, teacher, shelf)
    elif wanted == "undo":
        with _bar("taking back") as tell:
            head = shelf.undo(teacher, arguments.undo, tell)
    else:
        head = shelf.current(teacher)
    said |= _content(head) | {"head": str(shelf.path)}
    if arguments.json:
        json_line({"type": "teach"} | said, {"name": weights.name, "hash": teacher.weights})
    else:
        print(_readable(wanted, arguments, said))
    return 0


def _wish(arguments: argparse.Namespace) -> str:
    """ "teach", "undo" or "list"; UserError (usage) unless it is exactly one of them."""
    wishes = [arguments.name is not None, arguments.undo is not None, arguments.list]
    if sum(wishes) != 1:
        raise UserError("Name the gesture to teach, or --undo NAME, or --list: see `egret teach --help`.", USAGE)
    given = bool(arguments.examples or arguments.counter)
    if arguments.name is not None and not given:
        raise UserError(f"There is nothing to teach {arguments.name!r} from: give recordings of it with --from.", USAGE)
    if arguments.name is None and given:
        raise UserError("Recordings teach a gesture: name it, as in `egret teach NAME --from RECORDING`.", USAGE)
    return ("teach", "undo", "list")[wishes.index(True)]


def _teach(arguments: argparse.Namespace, teacher: "Teacher", shelf: Any) -> "Head":
    from app.engine.examples import examples_of
    from models.teaching.head import as_label

    as_label(arguments.name, teacher.labels)  # a name that cannot be is told before recordings are read
    recordings = [(path, False) for path in arguments.examples] + [(path, True) for path in arguments.counter]
    read = progress(recordings, "reading", unit=" recordings")
    examples = [example for group, (path, counter) in enumerate(read) for example in examples_of(path, group, counter)]
    with _bar("teaching") as tell:
        head: Head = shelf.teach(teacher, arguments.name, examples, tell)
    return head


@contextmanager
def _bar(what: str) -> "Iterator[Tell]":
    """A progress bar that is told the share of the work that is done."""
    with progress((), what, total=100, unit="%") as bar:
        yield lambda share: bar.update(max(100 * share - bar.n, 0))


def _content(head: "Head | None") -> dict[str, Any]:
    """What a head holds, as JSON values."""
    if head is None:
        return {"taught": [], "lessons": [], "figures": None}
    lessons = [{"name": lesson.name, "examples": [_example(e) for e in lesson.examples]} for lesson in head.lessons]
    return {"taught": list(head.taught), "lessons": lessons, "figures": head.figures}


def _example(example: Any) -> dict[str, Any]:
    return {"source": example.source, "windows": len(example.clip), "counter": example.counter}


def _readable(wanted: str, arguments: argparse.Namespace, said: dict[str, Any]) -> str:
    """What was done, for people."""
    from models.teaching import figures
    from models.teaching.head import as_label

    if wanted == "teach":
        label = as_label(arguments.name, ())
        return f"Taught {label}; it is kept in {said['head']}.\n{figures.readable(said['figures'], label)}"
    if not said["taught"]:
        return "Nothing is taught any more." if wanted == "undo" else "Nothing has been taught to these weights."
    lines = [f"Took back the newest lesson of {arguments.undo}. Taught now:" if wanted == "undo" else "Taught:"]
    return "\n".join(lines + figures.listed(said["figures"]))
