"""Perplexity of the language model on a text, token by token on the runtime, state carried from the first to the last.

Perplexity per word is exp of the text's total negative log-likelihood divided by its number of words (white-space separated, and one end
of line a line), however many tokens the vocabulary cuts it into: only so do models with different vocabularies compare. For WikiText-2 that
is the count of the standard, which writes `<eos>` at each end of line and counts it: 245,569 for the test set. A text begins after the
marker that opens a conversation, from which its first token is predicted; the speakers' markers of a conversation are words as well.
"""

import gzip
import io
import math
import tarfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from app.engine.models import Models
from app.progress import progress
from models.tokenizer import BOT, END, USER, Tokenizer, conversations
from pipeline.errors import UserError

MAX_BYTES = 1 << 28
IDS, NAMES = "test.npy", "type.info"
"""The members of WikiText-2 as ids: the test set, and the word of each id, one a line."""
END_OF_LINE = "<eos>"


def evaluate(models: Models, data: Path, backend: str = "auto", limit: int | None = None) -> dict[str, Any]:
    """The fields that `egret evaluate language --json` prints, for the text at `data`, reading at most `limit` tokens (2 or more)."""
    text = read(data)
    runtime = models.runtime(backend)
    network = runtime.language
    network.reset()
    tokenizer = models.tokenizer()
    tokens = encode(tokenizer, text)[:limit]
    words = count_words(tokenizer, tokens)
    if len(tokens) < 2 or not words:
        raise UserError("The text is too short to measure: name one of at least a few words.")
    begun = time.monotonic()
    surprise = activity = 0.0
    for token, following in zip(progress(tokens[:-1], "reading", unit=" tokens"), tokens[1:], strict=True):
        logits = network.step(token).astype(np.float64)
        top = logits.max()
        surprise += top + math.log(np.exp(logits - top).sum()) - logits[following]
        activity += float(np.mean(network.activity))
    scored = len(tokens) - 1
    seconds = time.monotonic() - begun
    return {
        "data": str(data),
        "tokens": scored,
        "words": words,
        "perplexity": float(np.exp(surprise / words)),
        "perplexity_token": math.exp(surprise / scored),
        "activity": round(activity / scored, 4),
        "tokens_per_s": round(scored / seconds, 1),
        "runtime": runtime.backend,
    }


def read(data: Path) -> str:
    """The text at `data`: a file, or WikiText-2 as ids in a folder or a .tar.gz. UserError if there is none."""
    try:
        if data.is_dir():
            return _words_of_ids(_limited(data / IDS), _limited(data / NAMES))
        if data.name.endswith((".tar.gz", ".tgz")):
            return _words_of_ids(*_unpacked(data))
        return _limited(data).decode("utf-8")
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        wanted = f"name a UTF-8 text file, or WikiText-2 as ids ({IDS} and {NAMES} in a folder or a .tar.gz)"
        raise UserError(f"The text {data} cannot be read ({error}): {wanted}.") from None


def _limited(path: Path) -> bytes:
    """The contents of `path`, unpacked; ValueError if that is larger than anything one would measure."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        contents = file.read(MAX_BYTES + 1)
    if len(contents) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES >> 20} MB")
    return contents


def _unpacked(archive: Path) -> tuple[bytes, bytes]:
    """The ids and their names, from wherever in `archive` they lie."""
    found: dict[str, bytes] = {}
    with tarfile.open(archive, "r:gz") as members:
        for member in members:
            name = Path(member.name).name
            if name in (IDS, NAMES) and (file := members.extractfile(member)):
                if member.size > MAX_BYTES:
                    raise ValueError(f"{name} is larger than {MAX_BYTES >> 20} MB")
                found[name] = file.read()
    if missing := {IDS, NAMES} - found.keys():
        raise ValueError(f"it holds no {' and no '.join(sorted(missing))}")
    return found[IDS], found[NAMES]


def _words_of_ids(ids: bytes, names: bytes) -> str:
    """The text that an array of word ids stands for: words of a line with blanks between them, a line's end for each `<eos>`."""
    numbers = _numbers(ids)
    words = names.decode("utf-8").split("\n")
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or not len(numbers) or numbers.min() < 0 or numbers.max() >= len(words):
        raise ValueError(f"{IDS} is not a list of ids of {NAMES}")
    lines: list[list[str]] = [[]]
    for number in numbers.tolist():
        if words[number] == END_OF_LINE:
            lines.append([])
        else:
            lines[-1].append(words[number])
    return "\n".join(" ".join(line) for line in lines)


def _numbers(ids: bytes) -> "np.ndarray[Any, np.dtype[Any]]":
    try:
        return np.asarray(np.load(io.BytesIO(ids), allow_pickle=False))
    except MemoryError:  # its header promises more than there is
        raise ValueError(f"{IDS} is damaged") from None


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    """Tokens of `text`, led by the marker of a beginning. Lines ``user: ...`` and ``bot: ...`` are read as turns of conversations."""
    if text.lstrip().startswith(("user:", "bot:")):
        try:
            return [token for lines in conversations(text) for token in tokenizer.encode_conversation(lines)]
        except ValueError as error:
            raise UserError(f"The text begins as a conversation and does not go on as one: {error}.") from None
    return [END, *tokenizer.encode(text)]


def count_words(tokenizer: Tokenizer, tokens: list[int]) -> int:
    """Words in what `tokens` say, ends of lines and markers of speakers included. A word that is cut off at the end counts."""
    text = tokenizer.decode(tokens)
    return len(text.split()) + text.count("\n") + tokens.count(USER) + tokens.count(BOT)


def readable(said: dict[str, Any]) -> str:
    """The evaluation as text for people."""
    return (
        f"perplexity {said['perplexity']:.2f} a word, {said['perplexity_token']:.2f} a token ({said['words']:,} words)\n"
        f"  {said['tokens']:,} tokens, {said['tokens_per_s']:,.0f} a second on the runtime {said['runtime']}\n"
        f"  units that fired a step: {said['activity']:.1%}"
    )
