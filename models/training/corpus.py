"""The texts that a language model learns from, and how they become one long row of tokens.

**Chat.** The folder is laid out as `data/README.md` of the shared data describes: ``sgd-dialogues/sgd_{train,dev,test}.txt.gz``
(task-oriented dialogues, CC BY-SA 4.0) and, where present, ``chatterbot-english/*.yml`` (small talk, BSD-3-Clause). Question and answer
pairs of the latter become conversations of two turns. They are few, so each epoch reads them several times.

**WikiText-2** as models/wikitext.py reads it: its training text alone to learn from, vocabulary included, its validation text to measure
on.
"""

import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

from models import wikitext
from models.tokenizer import END, Tokenizer, conversations
from pipeline.errors import USAGE, UserError

Tokens = npt.NDArray[np.uint16]

SMALL_TALK_REPEATS = 4
CHAT, WIKITEXT = "chat", "wikitext"


@dataclass(frozen=True)
class Material:
    """What one training reads."""

    tokenizer: Tokenizer
    train: list[Tokens]
    """Texts to learn from, all of them once an epoch."""
    validation: list[Tokens]
    """Texts kept back, to measure the perplexity on."""
    words: int
    """Words of the validation texts: the unit of a perplexity that no vocabulary can flatter."""
    forget: float
    """Probability that a stream's state is set to zero before a window: often where use begins with a state of zeros."""
    prompt: list[int]
    """Tokens of which the log shows a continuation."""
    licence: str
    attribution: str


def kind_of(data: Path) -> str:
    """CHAT or WIKITEXT, by what is at `data`."""
    return WIKITEXT if wikitext.is_here(data) else CHAT


def material(data: Path, tokenizer: Path, vocabulary: int) -> Material:
    """The texts at `data` as tokens. The vocabulary is the one at `tokenizer`, or learnt from the training text where there is none.

    UserError where the one at `tokenizer` has not as many ids as `vocabulary` asks for, and the texts cannot be read.
    """
    return _wikitext(data, tokenizer, vocabulary) if kind_of(data) == WIKITEXT else _chat(data, tokenizer, vocabulary)


def _chat(folder: Path, place: Path, vocabulary: int) -> Material:
    corpus = read(folder)
    tokenizer = _tokenizer(place, texts(corpus), vocabulary, whole_words=False)
    return Material(
        tokenizer=tokenizer,
        train=encode(tokenizer, corpus.train) + encode(tokenizer, corpus.small_talk) * SMALL_TALK_REPEATS,
        validation=encode(tokenizer, corpus.validation),
        words=words(corpus.validation),
        forget=1 / 32,
        prompt=tokenizer.prompt("I need a restaurant in San Jose for two people.", True),
        licence="CC-BY-SA-4.0 (weights; texts: CC-BY-SA-4.0 and BSD-3-Clause)",
        attribution=(
            "Trained on an extract of the Schema-Guided Dialogue data set (Rastogi et al. 2019, arXiv 1909.05855), CC BY-SA 4.0, and on "
            "the ChatterBot corpus (Gunther Cox and contributors), BSD-3-Clause."
        ),
    )


def _wikitext(source: Path, place: Path, vocabulary: int) -> Material:
    try:
        learnt, kept_back = wikitext.read(source, wikitext.TRAIN), wikitext.read(source, wikitext.VALIDATE)
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        raise UserError(f"WikiText-2 at {source} cannot be read ({error}); point --data at its ids, a folder or a .tar.gz.") from error
    tokenizer = _tokenizer(place, learnt.splitlines(keepends=True), vocabulary, whole_words=True)
    return Material(
        tokenizer=tokenizer,
        train=[np.array([END, *tokenizer.encode(learnt)], np.uint16)],
        validation=[np.array([END, *tokenizer.encode(kept_back)], np.uint16)],
        words=wikitext.words(kept_back),
        forget=1 / 256,
        prompt=[END, *tokenizer.encode("\n The game was")],
        licence="CC-BY-SA-3.0 (weights; text: CC-BY-SA-3.0)",
        attribution="Trained on the training text of WikiText-2 (Merity et al. 2016, from Wikipedia), CC BY-SA 3.0.",
    )


def _tokenizer(place: Path, learnt: list[str], vocabulary: int, *, whole_words: bool) -> Tokenizer:
    """The tokenizer at `place`, or a new one of at most `vocabulary` ids: a short text has not so many."""
    there = Tokenizer.load(place) if place.exists() else None
    if there is not None and len(there) == vocabulary:
        return there
    tokenizer = Tokenizer.train(learnt, vocabulary, whole_words=whole_words)
    if there is None:
        return tokenizer
    if len(there) != len(tokenizer):
        raise UserError(
            f"{place} has {len(there)} ids and --vocabulary asks for {vocabulary}: ask for {len(there)}, name another folder (--folder), or"
            " delete that file.",
            USAGE,
        )
    return there


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
        found = list(conversations(wikitext.limited(path).decode("utf-8")))
    except (OSError, EOFError, ValueError) as error:
        raise UserError(f"The dialogues {path} cannot be read ({error}); point --data at a folder with sgd-dialogues/.") from error
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


def epoch(pieces: list[Tokens], streams: int, seed: int, number: int) -> npt.NDArray[np.int64]:
    """Epoch `number` as `streams` rows of equal length [length, streams]: all pieces, in an order that (seed, number) decide.

    The row is also turned by a random distance, so that even a single piece is cut elsewhere in every epoch.
    """
    random = np.random.default_rng((seed, number))
    row = np.concatenate([pieces[index] for index in random.permutation(len(pieces))])
    row = np.roll(row, random.integers(len(row)))
    length = len(row) // streams
    return np.ascontiguousarray(row[: length * streams].reshape(streams, length).T).astype(np.int64)
