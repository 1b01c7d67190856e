"""The texts that the language model learns from, and how they become one long row of tokens.

The folder is laid out as `data/README.md` of the shared data describes: ``sgd-dialogues/sgd_{train,dev,test}.txt.gz`` (task-oriented
dialogues, CC BY-SA 4.0) and, where present, ``chatterbot-english/*.yml`` (small talk, BSD-3-Clause). Question and answer pairs of the
latter become conversations of two turns. They are few, so each epoch reads them several times.
"""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

from models.tokenizer import Tokenizer, conversations
from pipeline.errors import UserError

Tokens = npt.NDArray[np.uint16]

SMALL_TALK_REPEATS = 4
ATTRIBUTION = (
    "Trained on an extract of the Schema-Guided Dialogue data set (Rastogi et al. 2019, arXiv 1909.05855), CC BY-SA 4.0, and on the "
    "ChatterBot corpus (Gunther Cox and contributors), BSD-3-Clause."
)
LICENCE = "CC-BY-SA-4.0 (weights; texts: CC-BY-SA-4.0 and BSD-3-Clause)"


@dataclass(frozen=True)
class Corpus:
    """Conversations as lists of ``user: ...`` / ``bot: ...`` lines."""

    train: list[list[str]]
    """Dialogues for training, read once an epoch."""
    small_talk: list[list[str]]
    """Short exchanges for training, read SMALL_TALK_REPEATS times an epoch."""
    validation: list[list[str]]
    """Dialogues kept back: never trained on, and used to report the perplexity."""


def read(folder: Path) -> Corpus:
    """The corpus in `folder` (a copy of ``data/text``). Raises UserError where the dialogues are missing or cannot be read."""
    dialogues = folder / "sgd-dialogues"
    return Corpus(
        train=_dialogues(dialogues / "sgd_train.txt.gz"),
        small_talk=[pair for path in sorted((folder / "chatterbot-english").glob("*.yml")) for pair in _small_talk(path)],
        validation=_dialogues(dialogues / "sgd_dev.txt.gz"),
    )


def _dialogues(path: Path) -> list[list[str]]:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            found = list(conversations(file.read()))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UserError(f"The dialogues {path} cannot be read ({error}); point --text at a folder with sgd-dialogues/.") from error
    if not found:
        raise UserError(f"There are no dialogues in {path}; it should hold lines of user: and bot: turns.")
    return found


def _small_talk(path: Path) -> list[list[str]]:
    try:
        entries = yaml.safe_load(path.read_text("utf-8"))["conversations"]
    except (OSError, yaml.YAMLError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise UserError(f"The small talk {path} cannot be read ({error}).") from error
    return [
        [f"{speaker}: {' '.join(str(text).split())}" for speaker, text in zip(("user", "bot"), entry[:2], strict=True)]
        for entry in entries
        if len(entry) >= 2 and all(str(text).strip() for text in entry[:2])
    ]


def texts(corpus: Corpus) -> list[str]:
    """What people said, without the speakers' names: the text to learn a tokenizer from."""
    return [" " + line.partition(":")[2].strip() for lines in corpus.train + corpus.small_talk for line in lines]


def encode(tokenizer: Tokenizer, corpus: list[list[str]]) -> list[Tokens]:
    """Tokens of every conversation."""
    return [np.array(tokenizer.encode_conversation(lines), np.uint16) for lines in corpus]


def words(corpus: list[list[str]]) -> int:
    """Words (separated by white space) that people said: the unit of a perplexity per word, which no tokenizer can flatter."""
    return sum(len(line.partition(":")[2].split()) for lines in corpus for line in lines)


def epoch(dialogues: list[Tokens], small_talk: list[Tokens], streams: int, seed: int, number: int) -> npt.NDArray[np.int64]:
    """Epoch `number` as `streams` rows of equal length: all conversations in an order that (seed, number) decide. [length, streams]."""
    everything = dialogues + small_talk * SMALL_TALK_REPEATS
    order = np.random.default_rng((seed, number)).permutation(len(everything))
    row = np.concatenate([everything[index] for index in order])
    length = len(row) // streams
    return np.ascontiguousarray(row[: length * streams].reshape(streams, length).T).astype(np.int64)
