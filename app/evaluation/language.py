"""Perplexity of the language model on a text, token by token on the runtime, state carried from the first to the last.

Perplexity per word is exp of the text's total negative log-likelihood divided by its number of words (white-space separated, and one end
of line a line), however many tokens the vocabulary cuts it into: only so do models with different vocabularies compare.
"""

import gzip
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from app.engine.models import Models
from app.progress import progress
from models.tokenizer import Tokenizer, conversations
from pipeline.errors import UserError

MAX_BYTES = 1 << 28


def evaluate(models: Models, data: Path, backend: str = "auto", limit: int | None = None) -> dict[str, Any]:
    """The fields that `egret evaluate language --json` prints, for the text at `data`, reading at most `limit` tokens."""
    network = models.runtime(backend).language
    network.reset()
    tokenizer = models.tokenizer()
    tokens, words = _tokens(tokenizer, read(data))
    share = 1.0
    if limit is not None and limit < len(tokens):
        share, tokens = limit / len(tokens), tokens[:limit]
    begun = time.monotonic()
    surprise = activity = 0.0
    for token, following in zip(progress(tokens[:-1], "reading", unit=" tokens"), tokens[1:], strict=False):
        logits = network.step(token).astype(np.float64)
        top = logits.max()
        surprise += top + math.log(np.exp(logits - top).sum()) - logits[following]
        activity += float(np.mean(network.activity))
    scored = len(tokens) - 1
    seconds = time.monotonic() - begun
    return {
        "data": str(data),
        "tokens": scored,
        "words": round(words * share),
        "perplexity": math.exp(surprise / (words * share)),
        "perplexity_token": math.exp(surprise / scored),
        "activity": round(activity / scored, 4),
        "tokens_per_s": round(scored / seconds, 1),
        "runtime": "host",
    }


def read(data: Path) -> str:
    """The text at `data`: a file, or a WikiText-2 folder of token ids. UserError if there is none."""
    try:
        if data.is_dir() and (data / "test.npy").is_file():
            ids = np.load(data / "test.npy", allow_pickle=False)
            names = (data / "type.info").read_text("utf-8").split("\n")
            return " ".join(names[i] for i in ids).replace(" <eos> ", "\n").removesuffix(" <eos>")
        if data.is_dir():
            raise UserError(f"The folder {data} holds no test.npy: name a text file, or a folder of WikiText-2 as ids.")
        if data.stat().st_size > MAX_BYTES:
            raise UserError(f"The text {data} is larger than {MAX_BYTES >> 20} MB: cut it first.")
        with gzip.open(data, "rb") if data.suffix == ".gz" else data.open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8")
    except (OSError, EOFError, ValueError, IndexError) as error:
        raise UserError(f"The text {data} cannot be read ({error}): name a UTF-8 text file.") from None


def _tokens(tokenizer: Tokenizer, text: str) -> tuple[list[int], int]:
    """Tokens of `text` and its number of words. Lines ``user: ...`` and ``bot: ...`` are read as turns, and their marker is a word."""
    if text.lstrip().startswith(("user:", "bot:")):
        turns = list(conversations(text))
        words = sum(1 + sum(len(line.split()) for line in lines) for lines in turns)
        return [token for lines in turns for token in tokenizer.encode_conversation(lines)], words
    tokens = tokenizer.encode(text)
    if len(tokens) < 2:
        raise UserError("The text is too short to measure: name one of at least a few words.")
    return tokens, len(text.split()) + text.count("\n")


def readable(said: dict[str, Any]) -> str:
    """The evaluation as text for people."""
    return (
        f"perplexity {said['perplexity']:.2f} a word, {said['perplexity_token']:.2f} a token ({said['words']:,} words)\n"
        f"  {said['tokens']:,} tokens, {said['tokens_per_s']:,.0f} a second on the runtime {said['runtime']}\n"
        f"  units that fired a step: {said['activity']:.1%}"
    )
