"""Perplexity of the language model on a text, token by token on the runtime, state carried from the first to the last.

Perplexity per word is exp of the text's total negative log-likelihood divided by its number of words (white-space separated, and one end
of line a line), however many tokens the vocabulary cuts it into: only so do models with different vocabularies compare. For WikiText-2 that
is the count of the standard, which writes `<eos>` at each end of line and counts it: 245,569 for the test set. A text begins after the
marker that opens a conversation, from which its first token is predicted; the speakers' markers of a conversation are words as well.

Beside it stands what the chip does for it: the share of units that fire, weights that are left, synaptic operations a token, PEs and bytes.
"""

import contextlib
import math
import sys
import tarfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from app.engine.models import Models
from app.evaluation.cache import Cache, Settings
from app.progress import progress
from models import wikitext
from models.chip import firmware, placement
from models.chip.plan import ElementPlan
from models.chip.program import EVENT_BITS, Program
from models.tokenizer import BOT, END, USER, Tokenizer, conversations
from pipeline.errors import UserError

PARTS = {"test": wikitext.TEST, "validate": wikitext.VALIDATE}
"""Of WikiText-2."""


class Listener:
    """Adds up how much a text surprises a network. The text may come in pieces: the state is carried from each to the next."""

    def __init__(self, network: Any, cache: Settings | None = None) -> None:
        """From the network's state as it is; a `cache` is asked, too."""
        self._network, self._logits = network, None
        self._cache = Cache(network.program.hidden[-1], cache) if cache else None
        self._operations = 0
        self.tokens = 0
        """Tokens that were predicted: all but the first."""
        self.nats = self.nats_with_cache = 0.0
        self._activity = 0.0

    def hear(self, tokens: Iterable[int]) -> None:
        """Go on with `tokens`."""
        begun = self._network.operations
        for token in tokens:
            if self._logits is not None:
                self._score(self._logits, token)
            self._logits = self._network.step(token)
        self._operations += self._network.operations - begun

    def _score(self, logits: "np.ndarray[Any, Any]", following: int) -> None:
        wide = logits.astype(np.float64)
        top = wide.max()
        nats = float(top + math.log(np.exp(wide - top).sum()) - wide[following])
        self.tokens += 1
        self.nats += nats
        self._activity += float(np.mean(self._network.activity))
        if self._cache is not None:
            output = self._network.state.y[-1].astype(np.float32) / (1 << EVENT_BITS)
            said = self._cache.mixed(output, following, math.exp(-nats))
            self.nats_with_cache -= math.log(max(said, sys.float_info.min))  # a float may be too coarse for what the network thought of it

    @property
    def activity(self) -> float:
        """Share of units that fired, the mean of layers and steps."""
        return self._activity / self.tokens

    @property
    def operations(self) -> float:
        """Synaptic operations a token."""
        return self._operations / (self.tokens + 1)


def evaluate(
    models: Models,
    data: Path,
    backend: str = "auto",
    limit: int | None = None,
    part: str = "test",
    cache: Settings | None = None,
) -> dict[str, Any]:
    """The fields that `egret evaluate language --json` prints, for the text at `data`, reading at most `limit` tokens (2 or more).

    `part` is the part of WikiText-2. With a `cache` the perplexity with it is a field of its own.
    """
    text = read(data, part)
    runtime = models.runtime(backend, recognises=False)
    network = runtime.language
    network.reset()
    tokenizer = models.tokenizer()
    tokens = encode(tokenizer, text)[:limit]
    words = count_words(tokenizer, tokens)
    if len(tokens) < 2 or not words:
        raise UserError("The text is too short to measure: name one of at least a few words.")
    begun = time.monotonic()
    listener = Listener(network, cache)
    listener.hear(progress(tokens, "reading", unit=" tokens"))
    seconds = time.monotonic() - begun
    with_cache = {"perplexity_cache": perplexity(listener.nats_with_cache, words)} if cache else {}
    return {
        "data": str(data),
        "tokens": listener.tokens,
        "words": words,
        "perplexity": perplexity(listener.nats, words),
        "perplexity_token": perplexity(listener.nats, listener.tokens),
        **with_cache,
        "activity": round(listener.activity, 4),
        "operations": round(listener.operations),
        **on_the_chip(network.program),
        "tokens_per_s": round(len(tokens) / seconds, 1),
        "runtime": runtime.backend,
    }


def perplexity(nats: float, count: int) -> float | None:
    """exp(nats / count); None where no float is so large, as a word's is in a text with hardly a blank."""
    try:
        return math.exp(nats / count)
    except OverflowError:
        return None


def on_the_chip(program: Program) -> dict[str, Any]:
    """Weights and density of the layers, and what the network takes of a chip of its own; 0 PEs and bytes where it does not fit."""
    matrices = [matrix for layer in program.layers for matrix in (layer.wx, layer.wh)]
    kept, size = sum(int(np.count_nonzero(matrix)) for matrix in matrices), sum(matrix.size for matrix in matrices)
    elements: tuple[ElementPlan, ...] = ()
    with contextlib.suppress(UserError):  # one unit is too large for a PE, or there are more sources than keys
        if placement.fewest_pes(program) <= placement.USABLE_PES:
            elements = placement.place([program], firmware.image()).elements
    return {
        "weights": kept,
        "density": round(kept / size, 4),
        "pes": len(elements),
        "bytes": sum(element.data_bytes for element in elements),
    }


def read(data: Path, part: str = "test") -> str:
    """The text at `data`: a file, or a part of WikiText-2 as ids in a folder or a .tar.gz. UserError if there is none."""
    try:
        if data.is_dir() or wikitext.is_here(data):
            return wikitext.read(data, PARTS[part])
        return wikitext.limited(data).decode("utf-8")
    except (OSError, EOFError, tarfile.TarError, ValueError) as error:
        wanted = f"name a UTF-8 text file, or WikiText-2 as ids ({wikitext.TEST} and {wikitext.NAMES} in a folder or a .tar.gz)"
        raise UserError(f"The text {data} cannot be read ({error}): {wanted}.") from None


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


def told(figure: float | None) -> str:
    """A perplexity for people."""
    if figure is None:
        return "beyond counting"
    return f"{figure:.2f}" if figure < 1e6 else f"{figure:.3g}"


def readable(said: dict[str, Any]) -> str:
    """The evaluation as text for people."""
    cache = f", {told(said['perplexity_cache'])} with a continuous cache on the host" if "perplexity_cache" in said else ""
    chip = f"{said['pes']} PEs, {said['bytes']:,} bytes of a chip" if said["pes"] else "too large for a chip"
    return (
        f"perplexity {told(said['perplexity'])} a word{cache}, {told(said['perplexity_token'])} a token ({said['words']:,} words)\n"
        f"  {said['tokens']:,} tokens, {said['tokens_per_s']:,.0f} a second on the runtime {said['runtime']}\n"
        f"  units that fired a step: {said['activity']:.1%}; synaptic operations a token: {said['operations']:,}\n"
        f"  {said['weights']:,} weights in the layers, {said['density']:.1%} of all; {chip}"
    )
