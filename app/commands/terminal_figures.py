"""What a terminal tells beside an answer: what of the prompt the model can make little of, and what writing the answer took.

In a window these are the marks and the lines under the words.
"""

from app.protocol import Message

FIGURES = ("text", "activity", "operations", "energy_uj", "chip", "agrees")
"""Of a token, as `app.protocol` says."""
MOST = 8
"""Stretches of a kind that are named in a sentence."""
LONGEST = 32
"""Characters of a stretch that are shown there."""
KINDS = {"unknown": "Unknown to the model", "rare": "Rare, spelled out"}

Doubts = list[tuple[int, int, str, int]]
"""As of `Chat.doubts`."""


def work(tokens: list[Message]) -> Message:
    """What writing these tokens took: activity and operations of a step on average, microjoules together (null on the host)."""
    if not tokens:
        return {"activity": None, "operations": None, "energy_uj": None}
    energies = [token["energy_uj"] for token in tokens]
    return {
        "activity": round(sum(token["activity"] for token in tokens) / len(tokens), 4),
        "operations": round(sum(token["operations"] for token in tokens) / len(tokens)),
        "energy_uj": None if None in energies else round(sum(energies), 2),
    }


def figures_of(tokens: list[Message], text: str, doubts: Doubts) -> Message:
    """The figures of every token of an answer, and the `doubts` about `text`, which was asked (code points)."""
    rows = [
        {"text": text[start:stop], "start": start, "stop": stop, "kind": kind, "pieces": pieces} for start, stop, kind, pieces in doubts
    ]
    return {"figures": [{name: token[name] for name in FIGURES} for token in tokens], "doubts": rows}


def doubtful(text: str, doubts: Doubts) -> str:
    """The `doubts` about `text` as sentences, each stretch once; empty where there are none."""
    sentences = []
    for kind, what in KINDS.items():
        found = list(dict.fromkeys(text[start:stop] for start, stop, of, _ in doubts if of == kind))
        named = ", ".join(f"“{one if len(one) <= LONGEST else one[: LONGEST - 1] + '…'}”" for one in found[:MOST])
        more = f" and {len(found) - MOST:,} more" if len(found) > MOST else ""
        if found:
            sentences.append(f"{what}: {named}{more}.")
    return " ".join(sentences)
