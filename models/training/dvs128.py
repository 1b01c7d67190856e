"""The DVS128 Gesture data set (Amir et al., CVPR 2017) as trials and as clips to train on.

Egret does not ship it and never downloads it: it is read from a folder that the user has, in either of its layouts.

    original   `user01_fluorescent.aedat` (AEDAT 3.1) with `user01_fluorescent_labels.csv` (class from 1, start and end in microseconds of
               the recording's own clock), and `trials_to_train.txt` and `trials_to_test.txt`, which name the recordings to take
    tonic's    `DVSGesture/ibmGestureTrain/user01_fluorescent/0.npy`: cut into trials, times in milliseconds, class from 0 as the name

The split is by subject in both, 1 to 23 to train on and 24 to 29 to test on, and a trial that is filed on the wrong side is left out.
One label of the original is known to be wrong: class 9 of `user22_led` ends after class 10 has begun (found and corrected by BrainChip).

A trial lasts 1 to 18 s, mostly 6. It is made into frames by the live path's own code and then cut into clips of the trainer's length: one
after the other from the start, the last one ending where the trial ends, which may overlap the one before. A shorter trial has empty
frames before it, as if nobody had moved, and its onset says so.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from models.training.clips import FRAMES, Clips, Counts
from pipeline.door import Door
from pipeline.errors import UserError
from pipeline.events import EVENT_DTYPE, Events, join_events
from pipeline.formats.aedat3 import Aedat3Reader
from pipeline.frames import GRID, frames_of
from pipeline.simulator import GESTURES

Split = Literal["train", "test"]

WIDTH = HEIGHT = 128
LAST_TRAINING_SUBJECT = 23
CORRECTED = {("user22_led", 9, 110_590_564): 104_000_000}
"""(recording, class in the file, end in the file): where it really ends."""
SHORTEST_TAIL = 40
"""Frames at the end of a trial, 1 s, that are worth a clip of their own."""

_NAME = re.compile(r"user(\d{2,3})_(\w+)")
_MOST_CSV = 1 << 20
_TONIC_FOLDERS: dict[str, str] = {"train": "ibmGestureTrain", "test": "ibmGestureTest"}


@dataclass(frozen=True)
class Trial:
    """One person performing one gesture."""

    name: str
    """Recording and class, for people: ``user24_led/right_hand_wave``."""
    subject: int
    light: str
    label: int
    """Index into `GESTURES`."""
    events: Events
    """Of a sensor of 128 x 128 pixels, clean (`pipeline.door`)."""
    damage: str = ""
    """What of the recording could not be read; empty if it is whole."""


def is_data_set(folder: Path) -> bool:
    """Whether `folder` holds the data set, in either layout."""
    return bool(_tonic_root(folder)) or any(folder.glob("user*_labels.csv"))


def trials(folder: Path, split: Split) -> Iterator[Trial]:
    """The trials of `split`, in order of recording and time. UserError if `folder` has none or a file in it cannot be used."""
    root = _tonic_root(folder)
    found = _from_tonic(root, split) if root else _from_recordings(folder, split)
    none = True
    for trial in found:
        none = False
        yield trial
    if none:
        wanted = f"user*_*.aedat with user*_*_labels.csv, or tonic's DVSGesture/{_TONIC_FOLDERS[split]}"
        raise UserError(f"There are no DVS128 Gesture trials to {split} in {folder}: name the folder that holds {wanted}.")


def load(folder: Path, split: Split) -> Clips:
    """The clips of `split`: uint8 [FRAMES, 2, 32, 32] each, in memory (about 0.6 GB for the whole training split), one take of each.

    UserError as `trials`.
    """
    counts: list[Counts] = []
    labels: list[int] = []
    onsets: list[int] = []
    for trial in trials(folder, split):
        for clip, onset in cut(frames_of(trial.events, WIDTH, HEIGHT).counts):
            counts.append(clip)
            labels.append(trial.label)
            onsets.append(onset)
    label = np.array(labels, np.int64)
    return Clips(counts=counts, label=label, onset=np.array(onsets, np.int64), kind=label)


def cut(counts: npt.NDArray[np.uint16]) -> list[tuple[Counts, int]]:
    """The clips of a trial with frames `counts` [n, 2, 32, 32], n at least 1: uint8 [FRAMES, 2, 32, 32] and the frame where it begins."""
    small = np.minimum(counts, 255).astype(np.uint8)
    missing = FRAMES - len(small)
    if missing >= 0:
        return [(np.concatenate([np.zeros((missing, 2, GRID, GRID), np.uint8), small]), missing)]
    starts = list(range(0, len(small) - FRAMES + 1, FRAMES))
    if len(small) - starts[-1] - FRAMES >= SHORTEST_TAIL:
        starts.append(len(small) - FRAMES)
    return [(small[start : start + FRAMES], 0) for start in starts]


def _belongs(subject: int, split: Split) -> bool:
    return (subject <= LAST_TRAINING_SUBJECT) == (split == "train")


def _named(path: Path) -> tuple[int, str]:
    """(subject, light) of a recording called ``userNN_light``."""
    found = _NAME.fullmatch(path.name)
    if found is None:
        raise UserError(f"{path} is not called userNN_LIGHT as recordings of the DVS128 Gesture set are: rename it or take it away.")
    return int(found[1]), found[2]


# ---- the original layout


def _from_recordings(folder: Path, split: Split) -> Iterator[Trial]:
    listed = _listed(folder / f"trials_to_{split}.txt")
    for path in sorted(folder.glob("user*_*.aedat")):
        subject, light = _named(path.with_suffix(""))
        if _belongs(subject, split) and (listed is None or path.name in listed):
            yield from _trials_in(path, subject, light)


def _listed(path: Path) -> set[str] | None:
    """Names of recordings in one of the lists; None if there is no list."""
    if not path.is_file():
        return None
    return {line.strip() for line in _text(path).splitlines() if line.strip()}


def _trials_in(path: Path, subject: int, light: str) -> Iterator[Trial]:
    rows = _labels(path.with_name(f"{path.stem}_labels.csv"))
    with Aedat3Reader(path) as reader:
        for number, start_us, end_us in rows:
            events = _between(reader, start_us, CORRECTED.get((path.stem, number, end_us), end_us))
            if len(events):
                yield Trial(f"{path.stem}/{GESTURES[number - 1]}", subject, light, number - 1, events, reader.recovered)


def _labels(path: Path) -> list[tuple[int, int, int]]:
    """(class from 1, start, end) of every row under the heading."""
    rows = []
    for line, row in enumerate(_text(path).splitlines(), 1):
        if line == 1 or not row.strip():
            continue
        try:
            number, start_us, end_us = (int(cell) for cell in row.split(","))
            if not 1 <= number <= len(GESTURES) or not 0 <= start_us < end_us < 1 << 62:
                raise ValueError
        except ValueError:
            raise UserError(f"{path}, line {line}: not a class from 1 to 11 with a start and an end after it; correct the file.") from None
        rows.append((number, start_us, end_us))
    return rows


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_CSV:
            raise UserError(f"{path} is far too long for what it should be: take the data set's own file.")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path} is missing: the recording beside it cannot be used without its labels.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({type(error).__name__}): take the data set's own file.") from error


def _between(reader: Aedat3Reader, start_us: int, end_us: int) -> Events:
    """The events from `start_us` to before `end_us`."""
    parts = []
    for events in reader.packets(start_us):
        inside = (events["timestamp"] >= start_us) & (events["timestamp"] < end_us)
        parts.append(events[inside])
        if events["timestamp"][-1] >= end_us:
            break
    return _clean(join_events(parts))


def _clean(events: Events) -> Events:
    return Door(WIDTH, HEIGHT).check(events)[0]


# ---- tonic's layout


def _tonic_root(folder: Path) -> Path | None:
    """The folder that tonic calls `save_to`, if `folder` is that or one of the two below it."""
    for root in (folder, folder.parent, folder.parent.parent):
        if any((root / "DVSGesture" / name).is_dir() for name in _TONIC_FOLDERS.values()):
            return root if root == folder or folder.name in ("DVSGesture", *_TONIC_FOLDERS.values()) else None
    return None


def _from_tonic(root: Path, split: Split) -> Iterator[Trial]:
    if not (root / "DVSGesture" / _TONIC_FOLDERS[split]).is_dir():
        return
    index = _tonic_index()(str(root), train=split == "train")
    rows = zip(index.data, index.targets, index.users, index.lighting, strict=True)
    for file, label, subject, light in sorted(rows, key=lambda row: (Path(row[0]).parent.name, row[1])):
        if not 0 <= label < len(GESTURES):
            raise UserError(f"{file} is not one of the 11 gestures: take it out of the data set.")
        if _belongs(subject, split):
            events = _tonic_events(Path(file))
            if len(events):
                yield Trial(f"{Path(file).parent.name}/{GESTURES[label]}", subject, light, label, events)


def _tonic_index() -> Callable[..., Any]:
    """tonic's data set, which lists files, users and classes, but never goes to the network: a folder that is there is used as it is."""
    try:
        from tonic.datasets import DVSGesture
    except ImportError:
        raise UserError(
            "This folder is in tonic's layout, and tonic is not installed: run `sh app/environment.sh train` (Python 3.11; with a later"
            " one, `pip install tonic` and a C compiler), or take the original recordings."
        ) from None

    class Local(DVSGesture):
        def download(self) -> None:
            """Nothing: tonic would fetch, and write over, an archive that it does not know."""

    Local.__name__ = DVSGesture.__name__  # names the folder
    return Local


def _tonic_events(path: Path) -> Events:
    """The events in one of tonic's files: rows of x, y, polarity, time in ms. Read here, since tonic multiplies in the file's own type."""
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
        if rows.ndim != 2 or rows.shape[1] != 4 or rows.dtype.kind not in "iuf" or not np.isfinite(rows).all():
            raise ValueError
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} is damaged or not one of tonic's: it should hold rows of x, y, polarity and time.") from error
    events = np.zeros(len(rows), EVENT_DTYPE)
    events["x"] = np.clip(rows[:, 0], -1, WIDTH)  # what is outside the sensor stays outside
    events["y"] = np.clip(rows[:, 1], -1, HEIGHT)
    events["polarity"] = rows[:, 2] > 0
    events["timestamp"] = np.asarray(rows[:, 3], np.int64) * 1000
    return _clean(events[np.argsort(events["timestamp"], kind="stable")])
