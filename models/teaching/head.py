"""A taught head on disk: one safetensors file beside the weights, checked before anybody uses a number of it.

The file holds the tensors below and one metadata entry, ``egret``, whose value is JSON:

    {"kind": "head", "version": 1, "weights": DIGEST, "labels": [the weights' labels], "taught": [names],
     "lessons": [{"name": ..., "examples": [{"source": ..., "group": n, "counter": false}]}], "figures": {...}}

    taught.w [H, K], taught.b [K]              float32, a column a taught gesture
    examples.length [E]                        uint16, frames of every example, in the order of the lessons
    examples.fill, examples.cells, .values     the examples' frames without their zeros (`models.teaching.clips`)

A lesson is one `egret teach`; a gesture may have several.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.checkpoint import ENTRY, Metadata, Tensors
from models.teaching.clips import Clip, join, split
from models.teaching.features import Floats
from pipeline.errors import USAGE, UserError

KIND = "head"
VERSION = 1
MOST_NAMES = 32
LONGEST_NAME = 40
AGAIN = "teach again with `egret teach`, or leave it out with --head none"


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A stretch of a recording, or of what was seen live."""

    clip: Clip
    source: str
    """Where it came from, for people: a file's name and the seconds in it, or a date."""
    group: int
    """Examples of one lesson with the same number come from one recording: they are held out together."""
    counter: bool = False
    """Whether it shows what the gesture is not."""


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """What was shown at one time under the name of a gesture."""

    name: str
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """Taught columns of the read-out of one set of weights."""

    weights: str
    """Digest of the weights (`models.checkpoint.digest`)."""
    labels: tuple[str, ...]
    """Classes of the weights."""
    taught: tuple[str, ...]
    """Classes that were taught, in the order in which they were first taught."""
    w: Floats
    """[H, K]"""
    b: Floats
    """[K]"""
    lessons: tuple[Lesson, ...]
    figures: dict[str, Any] = field(default_factory=dict)
    """What was measured when it was fitted (`models.teaching.figures`)."""

    def extend(self, tensors: Tensors, metadata: Metadata) -> tuple[Tensors, Metadata]:
        """The weights with the taught columns and labels behind their own. The caller has made sure that they belong together (`check`)."""
        wider = {
            "readout.w": np.concatenate([tensors["readout.w"], self.w], axis=1),
            "readout.b": np.concatenate([tensors["readout.b"], self.b]),
        }
        return tensors | wider, metadata | {"labels": [*metadata["labels"], *self.taught]}

    def check(self, path: Path, weights: str, metadata: Metadata) -> None:
        """UserError with a sentence if the head, which lies at `path`, was taught on other weights than those with this digest."""
        units = metadata["config"]["hidden"][-1]
        if weights != self.weights or tuple(metadata["labels"]) != self.labels or self.w.shape[0] != units:
            raise UserError(f"The taught head {path} belongs to the weights {self.weights}, and these are {weights}: {AGAIN}.")


def taught_names(lessons: tuple[Lesson, ...]) -> tuple[str, ...]:
    """The names that `lessons` teach, in order."""
    return tuple(dict.fromkeys(lesson.name for lesson in lessons))


def as_label(name: str, known: tuple[str, ...]) -> str:
    """The label for what a user calls a gesture ("Thumbs up" is ``thumbs_up``); UserError (usage) if it cannot be one, or is in `known`."""
    label = "_".join(name.lower().split())
    if not re.fullmatch(r"[^\W_]\w*", label) or len(label) > LONGEST_NAME:
        raise UserError(f"A gesture cannot be called {name[:60]!r}: take up to {LONGEST_NAME} letters and digits.", USAGE)
    if label in known:
        raise UserError(f"The network knows {label} already: choose another name.", USAGE)
    return label


def save(path: Path, head: Head) -> None:
    """Write `head` to `path`, complete or not at all; its folder is made. UserError where that is not possible."""
    clips = [example.clip for lesson in head.lessons for example in lesson.examples]
    tensors = {"taught.w": np.ascontiguousarray(head.w), "taught.b": head.b}
    tensors |= {f"examples.{name}": np.ascontiguousarray(values) for name, values in join(clips).items()}
    lessons = [
        {"name": lesson.name, "examples": [{"source": e.source, "group": e.group, "counter": e.counter} for e in lesson.examples]}
        for lesson in head.lessons
    ]
    about = {"kind": KIND, "version": VERSION, "weights": head.weights, "labels": head.labels, "taught": head.taught}
    scratch = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, scratch, {ENTRY: json.dumps(about | {"lessons": lessons, "figures": head.figures}, ensure_ascii=False)})
        scratch.replace(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"The taught head could not be written to {path} ({error}): name another place with --head.") from error


def load(path: Path) -> Head:
    """The head at `path`. UserError with one sentence for anything that is not a complete head of ours."""
    if not path.is_file():
        raise UserError(f"There is no taught head at {path}: {AGAIN}.")
    try:
        with safe_open(path, framework="numpy") as file:
            about = _about(file.metadata())
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict, though it has keys)
        return _head(about, tensors)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        what = f"the field {error} is missing" if isinstance(error, KeyError) else error
        raise UserError(f"The taught head {path} cannot be used: {what}; {AGAIN}.") from error


def _about(entries: dict[str, str] | None) -> dict[str, Any]:
    text = (entries or {}).get(ENTRY)
    if text is None:
        raise ValueError("it was not written by Egret")
    about = json.loads(text)
    if not isinstance(about, dict) or about.get("kind") != KIND:
        raise ValueError("it is no taught head")
    if about.get("version") != VERSION:
        raise ValueError(f"it is of version {about.get('version')}, and this Egret reads version {VERSION}")
    return about


def _head(about: dict[str, Any], tensors: dict[str, Any]) -> Head:
    """The head of these parts; ValueError, KeyError or TypeError where they do not fit together."""
    clips = split({name: tensors[f"examples.{name}"] for name in ("length", "fill", "cells", "values")})
    told = [example for lesson in about["lessons"] for example in lesson["examples"]]
    if len(told) != len(clips):
        raise ValueError(f"it has {len(clips)} examples, and its lessons tell of {len(told)}")
    examples = iter(Example(clip, str(e["source"]), int(e["group"]), bool(e["counter"])) for clip, e in zip(clips, told, strict=True))
    lessons = [Lesson(str(lesson["name"]), tuple(next(examples) for _ in lesson["examples"])) for lesson in about["lessons"]]
    taught, labels = tuple(map(str, about["taught"])), tuple(map(str, about["labels"]))
    w, b = tensors["taught.w"], tensors["taught.b"]
    if not 1 <= len(taught) <= MOST_NAMES or taught != taught_names(tuple(lessons)) or set(taught) & set(labels):
        raise ValueError("its labels and lessons do not fit together")
    if w.dtype != np.float32 or b.dtype != np.float32 or w.ndim != 2 or b.shape != (len(taught),) or w.shape[1] != len(taught):
        raise ValueError(f"its columns are not those of {len(taught)} gestures")
    if not np.isfinite(w).all() or not np.isfinite(b).all():
        raise ValueError("it holds impossible numbers")
    figures = about.get("figures")
    return Head(str(about["weights"]), labels, taught, w, b, tuple(lessons), figures if isinstance(figures, dict) else {})
