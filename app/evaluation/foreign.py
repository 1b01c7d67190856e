"""Perplexity of a network of others on a text, on the host: as app/evaluation/language.py measures Egret's own, and comparable with it.

The network carries its state from the first token to the last. A text begins after the token that a text begins with in its vocabulary
(`<eos>`, `<|endoftext|>`); where there is none, the first token is read and not counted. With no operations skipped a token would take
`operations_dense`.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np

from app.evaluation.language import perplexity, read, told
from app.progress import progress
from models import wikitext
from models.foreign.network import PIECE
from models.foreign.opening import Foreign, loss
from pipeline.errors import UserError


def evaluate(opened: Foreign, data: Path, limit: int | None = None, part: str = "test") -> dict[str, Any]:
    """The fields that `egret evaluate language --json` prints, for the text at `data`, reading at most `limit` tokens (2 or more)."""
    network, vocabulary = opened.network, opened.vocabulary
    try:
        ids = vocabulary.encode(read(data, part))
    except ValueError as error:
        raise UserError(f"The network cannot read {data}: {error}.") from None
    if vocabulary.begin is not None:
        ids.insert(0, vocabulary.begin)
    ids = ids[:limit]
    words = wikitext.words(vocabulary.decode(ids[1:]))
    if len(ids) < 2 or not words:
        raise UserError("The text is too short to measure: name one of at least a few words.")
    network.reset()
    begun, before, nats = time.monotonic(), network.operations, 0.0
    activity = np.zeros(len(network.activity))
    scored = len(ids) - 1
    for place in progress(range(0, scored, PIECE), "reading", unit=f" times {PIECE} tokens"):
        following = ids[place + 1 : place + PIECE + 1]
        logits = network.read(ids[place : place + len(following)])
        if not np.isfinite(logits).all():
            raise UserError(
                f"The scores of {network.about} are not finite in {data}, {place:,} tokens in: its weights are not those of a text."
            )
        nats += loss(logits, following) * len(following)
        activity += np.array(network.activity) * len(following)
    return {
        "data": str(data),
        "network": network.about,
        "tokens": scored,
        "words": words,
        "perplexity": perplexity(nats, words),
        "perplexity_token": perplexity(nats, scored),
        "activity": round(float(activity.mean()) / scored, 4),
        "operations": round((network.operations - before) / scored),
        "operations_dense": network.dense,
        "tokens_per_s": round(scored / (time.monotonic() - begun), 1),
        "runtime": "host",
    }


def readable(said: dict[str, Any]) -> str:
    """The evaluation as text for people."""
    skipped = 1 - said["operations"] / said["operations_dense"]
    return (
        f"{said['network']}\n"
        f"perplexity {told(said['perplexity'])} a word, {told(said['perplexity_token'])} a token ({said['words']:,} words)\n"
        f"  {said['tokens']:,} tokens, {said['tokens_per_s']:,.0f} a second on the host\n"
        f"  units that fired a step: {said['activity']:.1%}; synaptic operations a token: {said['operations']:,}, "
        f"{skipped:.1%} of {said['operations_dense']:,} skipped for inputs of 0"
    )
