"""From lessons to a head: what the examples leave in the network's memory, the fit, and the figures that go with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models import checkpoint
from models.chip.host import GestureNetwork
from models.decision import OTHER
from models.teaching import figures
from models.teaching.clips import Clip
from models.teaching.features import MOVES, WARM, Floats, Mask, counting, memories, moved
from models.teaching.fit import ELSE, Doubles, OldHead, fit, logits, spread
from models.teaching.head import MOST_NAMES, Example, Head, Lesson, taught_names
from models.teaching.movements import Known, Movements
from pipeline.errors import UserError

LEAST_WINDOWS = 20
"""Windows that count (half a second) an example needs."""
EVERY = 4
"""Every fourth window of an example, in each of its places, joins the fit."""
MOST_FOLDS = 8
Tell = Callable[[float], None]
"""Told the share of the work that is done, 0 to 1; may raise to break it off."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An example as the network saw it."""

    name: str
    counter: bool
    recording: tuple[int, int]
    """Lesson and group: examples of one recording have the same."""
    places: tuple[Floats, ...]
    """[n, H] for every place of MOVES: the windows that join the fit."""
    windows: Floats
    """[n, H]: all windows that count, where it was."""


class Teacher:
    """Teaches the network with the weights at `path`. One thread at a time. UserError as `checkpoint.load` raises it.

    `cache` is the folder in which what the network remembers of the known movements is kept; `movements` names others than the bundled.
    """

    def __init__(self, path: Path, cache: Path | None = None, movements: Path | None = None) -> None:
        tensors, self.metadata = checkpoint.load(path, "gesture")
        self.weights = checkpoint.digest(path)
        self.labels = tuple(self.metadata["labels"])
        self._network = GestureNetwork(tensors, self.metadata)
        self._cache, self._movements_path = cache, movements
        anchor = self.labels.index(OTHER) if OTHER in self.labels else -1
        w, b = tensors["readout.w"].astype(np.float64), tensors["readout.b"].astype(np.float64)
        self._old = OldHead(w, b, float(self.metadata["config"]["temperature"]), anchor)
        self._movements: Movements | None = None
        self._known: Known | None = None
        self._seen: dict[tuple[bytes, bool], tuple[tuple[Floats, ...], Floats]] = {}

    def reading(self, clip: Clip) -> tuple[int, str, float]:
        """(windows of `clip` that count, label that most of them are read as now, share of them); (n, "", 0) if there are too few."""
        _, windows = self._watch(clip, counter=False)
        if len(windows) < LEAST_WINDOWS:
            return len(windows), "", 0.0
        votes = np.bincount(logits(windows, self._old.w, self._old.b).argmax(1), minlength=len(self.labels))
        return len(windows), self.labels[int(votes.argmax())], float(votes.max() / len(windows))

    def prepare(self, tell: Tell = lambda share: None) -> None:
        """Look at the known movements, which `learn` needs once; it may be broken off by `tell` and goes on where it was."""
        self._remembered(tell)

    def learn(self, lessons: Sequence[Lesson], tell: Tell = lambda share: None) -> Head:
        """The head of these lessons: the same for the same lessons, whatever was learnt before.

        UserError for an example in which too little happens, a gesture that has only counter-examples, and too many gestures.
        """
        names = taught_names(tuple(lessons))
        if len(names) > MOST_NAMES:
            raise UserError(f"At most {MOST_NAMES} gestures can be taught: take one back first with --undo.")
        known = self._remembered(lambda share: tell(0.5 * share))
        examples = [(lesson.name, number, example) for number, lesson in enumerate(lessons) for example in lesson.examples]
        shown = []
        for done, (name, number, example) in enumerate(examples):
            tell(0.5 + 0.2 * done / len(examples))
            shown.append(self._show(name, number, example))
        for name in names:
            if not any(one.name == name and not one.counter for one in shown):
                raise UserError(f"There is no example of {name}, only what it is not: give one with --from.")
        unit = spread(known.memories[known.fitted])
        w, b = self._columns(shown, names, known, unit)
        held_out = self._held_out(shown, names, known, unit, lambda share: tell(0.7 + 0.3 * share))
        columns = w.astype(np.float32), b.astype(np.float32)
        measured = figures.measure(self._evidence(shown, names, known, columns, held_out))
        return Head(self.weights, self.labels, names, *columns, tuple(lessons), measured)

    def _remembered(self, tell: Tell) -> Known:
        if self._movements is None:
            self._movements = Movements(self._movements_path)
        if self._known is None:
            self._known = self._movements.known(self._network, self.weights, self._cache, tell)
        return self._known

    def _show(self, name: str, number: int, example: Example) -> Shown:
        places, windows = self._watch(example.clip, example.counter)
        if len(windows) < LEAST_WINDOWS:
            raise UserError(
                f"Too little happens in {example.source}: {len(windows)} windows of 25 ms count, and {LEAST_WINDOWS} are needed; "
                "move more, come nearer, or give another example."
            )
        return Shown(name, example.counter, (number, example.group), places, windows)

    def _watch(self, clip: Clip, counter: bool) -> tuple[tuple[Floats, ...], Floats]:
        """`Shown.places` and `Shown.windows` of `clip`. In a counter-example quiet windows count too."""
        key = clip.key(), counter
        if key not in self._seen:
            frames = clip.frames()
            counted: Mask = np.arange(len(frames)) >= WARM if counter else counting(frames)
            places = [memories(self._network, moved(frames, *move)) for move in MOVES] if counted.any() else []
            if places:
                self._seen[key] = tuple(place[counted][::EVERY] for place in places), places[0][counted]
            else:
                self._seen[key] = (), np.empty((0, len(self._old.w)), np.float32)
        return self._seen[key]

    def _columns(self, shown: Sequence[Shown], names: Sequence[str], known: Known, unit: Doubles) -> tuple[Doubles, Doubles]:
        """The fit on `shown` and the known movements. Every known kind, every taught gesture and all counter-examples count the same."""
        parts, targets, shares = [known.memories[known.fitted]], [np.full(int(known.fitted.sum()), ELSE, np.int64)], []
        kinds = known.kind[known.fitted]
        shares.append(1.0 / np.bincount(kinds)[kinds])
        for target, windows in _classes(shown, names):
            parts.append(windows)
            targets.append(np.full(len(windows), target, np.int64))
            shares.append(np.full(len(windows), 1.0 / len(windows)))
        weight = np.concatenate(shares)
        return fit(np.concatenate(parts), np.concatenate(targets), weight / weight.sum(), len(names), self._old, unit)

    def _held_out(self, shown: Sequence[Shown], names: Sequence[str], known: Known, unit: Doubles, tell: Tell) -> dict[int, Doubles]:
        """For every example that can be held out its logits [n, classes] from a fit without its recording, by its place in `shown`."""
        fold_of = folds(shown, names)
        found: dict[int, Doubles] = {}
        count = max(fold_of.values(), default=-1) + 1
        for fold in range(count):
            tell(fold / count)
            out = [index for index, its in fold_of.items() if its == fold]
            w, b = self._columns([one for index, one in enumerate(shown) if index not in out], names, known, unit)
            for index in out:
                found[index] = self._scores(shown[index].windows, w, b)
        return found

    def _scores(self, windows: Floats, w: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> Doubles:
        """Logits [n, old and taught classes]."""
        return logits(windows, np.concatenate([self._old.w, w], axis=1), np.concatenate([self._old.b, b]))

    def _evidence(
        self, shown: Sequence[Shown], names: Sequence[str], known: Known, columns: tuple[Floats, Floats], held_out: dict[int, Doubles]
    ) -> figures.Evidence:
        assert self._movements is not None
        classes = [self.labels.index(kind) if kind in self.labels else -1 for kind in self._movements.kinds]
        truth = np.array(classes, np.int64)[known.kind]
        measuring = ~known.fitted & (truth >= 0)
        taught = [
            figures.Taught(
                name,
                examples=[index for index, one in enumerate(shown) if one.name == name and not one.counter],
                recordings=len({one.recording for one in shown if one.name == name and not one.counter}),
            )
            for name in names
        ]
        before = {index: logits(one.windows, self._old.w, self._old.b) for index, one in enumerate(shown) if not one.counter}
        return figures.Evidence(
            labels=self.labels,
            temperature=self._old.temperature,
            threshold=float(self.metadata["config"]["threshold"]),
            truth=truth[measuring],
            known=self._scores(known.memories[measuring], *columns),
            taught=taught,
            before=before,
            held_out=held_out,
        )


def _classes(shown: Sequence[Shown], names: Sequence[str]) -> list[tuple[int, Floats]]:
    """(target, windows [n, H]) of every taught gesture, and of the counter-examples if there are any."""
    chosen = [(index, [one for one in shown if one.name == name and not one.counter]) for index, name in enumerate(names)]
    chosen.append((ELSE, [one for one in shown if one.counter]))
    return [(target, np.concatenate([place for one in some for place in one.places])) for target, some in chosen if some]


def folds(shown: Sequence[Shown], names: Sequence[str]) -> dict[int, int]:
    """Which examples are held out together: fold by place in `shown`. Recordings are held out whole; where a gesture has a single one,
    its stretches are held out one by one; a single stretch cannot be."""
    fold_of: dict[int, int] = {}
    for name in names:
        own = [(index, one.recording) for index, one in enumerate(shown) if one.name == name and not one.counter]
        recordings: list[Any] = list(dict.fromkeys(recording for _, recording in own))
        units = recordings if len(recordings) > 1 else [index for index, _ in own]
        if len(units) > 1:
            fold_of |= {index: units.index(recording if len(recordings) > 1 else index) % MOST_FOLDS for index, recording in own}
    return fold_of
