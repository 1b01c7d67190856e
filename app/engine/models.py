"""The networks an engine runs: which files, what they say of themselves, and the runtime made from them."""

from pathlib import Path

import assets
from app.protocol import Message
from models import checkpoint
from models.chip import storage
from models.chip.runtime import Runtime
from models.decision import Decider
from models.teaching import head as heads
from models.tokenizer import Tokenizer
from pipeline import frames
from pipeline.errors import UserError

GESTURE = "gesture.safetensors"
LANGUAGE = "language.safetensors"
WIKITEXT = "wikitext.safetensors"
"""The program of a network that has read WikiText-2."""


class Models:
    """The two weight files, the bundled ones unless others are named, and what was taught besides."""

    def __init__(self, gesture: Path | None = None, language: Path | None = None) -> None:
        """UserError if a file is missing, broken or of another kind."""
        self.head: heads.Head | None = None
        self.gesture_path = gesture or assets.path(GESTURE)
        self.language_path = language or assets.path(LANGUAGE)
        self.gesture, self.language = _about(self.gesture_path, "gesture"), _about(self.language_path, "language")
        self.gesture_id = {"name": self.gesture_path.name, "hash": checkpoint.digest(self.gesture_path)}
        self.language_id = {"name": self.language_path.name, "hash": checkpoint.digest(self.language_path)}

    def teach(self, path: Path) -> None:
        """Take the taught head at `path`; UserError if it is missing, broken or of other weights."""
        head = heads.load(path)
        head.check(path, self.gesture_id["hash"], self.gesture)
        self.head = head

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes in the order of the scores: the network's own, then those that were taught."""
        return (*self.gesture["labels"], *(self.head.taught if self.head else ()))

    def describe(self) -> Message:
        """The ``models`` part of the hello message."""
        taught = list(self.head.taught) if self.head else []
        return {"gesture": self.gesture_id | {"labels": list(self.labels), "taught": taught}, "language": dict(self.language_id)}

    def runtime(self, backend: str, *, recognises: bool = True) -> Runtime:
        """Both networks on `backend`; they and the framer compiled and warm, so that the first packet waits for nothing.

        For who never `recognises` a gesture the language network has the chip to itself.
        """
        runtime = Runtime(self.gesture_path, self.language_path, backend, self.head, recognises=recognises)
        frames.warm()
        runtime.warm()
        return runtime

    def decider(self, threshold: float | None = None) -> Decider:
        """A decider with the calibration that came with the gesture weights."""
        config = self.gesture["config"]
        chosen = config["threshold"] if threshold is None else threshold
        return Decider(self.labels, temperature=config["temperature"], threshold=chosen)

    def tokenizer(self) -> Tokenizer:
        """The vocabulary that came with the language weights, a file beside them. UserError if it is missing or does not belong to them."""
        name, vocabulary = self.language["config"]["tokenizer"], self.language["config"]["vocabulary"]
        again = "take weights and tokenizer as `egret train language` wrote them"
        if name in ("", ".", "..") or "/" in name or "\0" in name:
            raise UserError(f"The weights {self.language_path} name no file beside them as their tokenizer, but {name[:60]!r}: {again}.")
        tokenizer = Tokenizer.load(self.language_path.with_name(name))
        if len(tokenizer) != vocabulary:
            raise UserError(
                f"The weights {self.language_path} are for {vocabulary:,} tokens and the tokenizer {name} has {len(tokenizer):,}: {again}."
            )
        return tokenizer


def _about(path: Path, kind: str) -> checkpoint.Metadata:
    """The metadata of weights, or of a program compiled from them. UserError if the file is missing, broken or of another kind."""
    return storage.load(path, kind).metadata if storage.is_program(path) else checkpoint.load(path, kind)[1]
