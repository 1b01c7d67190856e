"""What is asked of the chat's thread, and the answer that it is writing."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.engine.compared import Compared
from app.protocol import Message
from models.memory import MODEL, USER, Answer, Memory, Node
from models.sampling import MAX_SEED, PRESETS, Sampling

FIGURES = ("node", "text", "activity", "operations", "energy_uj")
"""Of a token, in messages."""
MAX_PROMPT = 20_000
"""Characters of a prompt that are taken; the network forgets more than that anyway."""


def clean(text: str) -> str:
    """What is taken of a visitor's `text`: its beginning, with halves of surrogate pairs, which no UTF-8 can write, as question marks."""
    return text[:MAX_PROMPT].encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a visitor asks, and how it is to be answered."""

    text: str
    sampling: Sampling = PRESETS["balanced"]
    tokens: int = 200
    """Length of the answer at most."""
    named_seed: bool = False
    """The seed was asked for by its number: an answer is written anew with it whatever seeds its versions had."""


NOTHING = Prompt("")


@dataclass(frozen=True, slots=True)
class Wish:
    """Something to do in the chat's own thread."""

    kind: str
    number: int
    prompt: Prompt = NOTHING
    node: int | None = None
    path: Path | None = None

    @property
    def answers(self) -> bool:
        """Whether an answer is to be written."""
        return self.kind in ("ask", "edit", "proceed", "regenerate")

    @property
    def asks(self) -> bool:
        """Whether there is a visitor's turn to read."""
        return self.kind in ("ask", "edit")

    def seeded(self, versions: Sequence[Answer]) -> "Wish":
        """The same with a seed that none of the `versions` of the answer had, unless it was named: equal seeds write what is there."""
        used, how = [answer.seed for answer in versions], self.prompt.sampling
        if self.prompt.named_seed or how.seed > max(used, default=-1):
            return self
        return replace(self, prompt=replace(self.prompt, sampling=replace(how, seed=(max(used) + 1) % (MAX_SEED + 1))))


@dataclass(slots=True)
class Writing:
    """The answer that is being written."""

    wish: Wish
    begun: float = field(default_factory=time.monotonic)
    first_s: float = 0.0
    """Seconds to the first token."""
    pieces: list[Message] = field(default_factory=list)
    """Tokens that were told."""
    reason: str = ""
    """Why it is over; empty while it is not."""
    seconds: float = 0.0
    before: Node | None = None
    """Where the conversation stood when it was asked for."""
    above: Node | None = None
    """And where it stood when it began."""
    read: bool = False
    """Whether what is to be answered has been read; an answer that is over before that is as if nobody had asked for it."""
    compared: Compared | None = None
    """How chip and host get on in it, where that was asked for."""

    @property
    def sampling(self) -> Sampling:
        """How its tokens are chosen."""
        return self.wish.prompt.sampling

    def done(self) -> Message:
        """The message that it is over."""
        said: Message = {"type": "chat", "event": "done", "id": self.wish.number, "reason": self.reason, "tokens": len(self.pieces)}
        said |= {"seconds": round(self.seconds, 4), "first_token_ms": round(self.first_s * 1e3, 3)}
        said |= {"seed": self.sampling.seed, "prompt": self.wish.prompt.text, "read": self.read}
        return said | {"host": self.compared.describe() if self.compared else None}

    def leave(self, memory: Memory) -> None:
        """Have `memory` stand where this answer, which is over, leaves it, and keep how it came about."""
        above = self.above
        assert above is not None and self.before is not None
        in_vain = self.wish.kind == "regenerate" and memory.head is above and self.reason != "end"
        if not self.read or in_vain:
            memory.undo(above)
            if self.before in memory:
                memory.rewind(self.before)
        elif memory.head is not above and memory.head.role == MODEL:
            if above.answer and above.answer.reason != "end" and not self.wish.asks:
                above.answer = None  # it was not over: it went on there
            memory.head.answer = Answer(self.reason, self.sampling.seed, self.seconds)
        elif above.answer and self.reason == "end":
            above.answer = replace(above.answer, reason="end")  # it was over, as is known now

    def after(self, turns: list[Message]) -> list[Message]:
        """`turns`, which came before, and what has been written since."""
        if self.reason and not self.read:
            return turns
        turns = [dict(turn) for turn in turns]
        if self.wish.asks:
            turns.append({"role": USER, "text": self.wish.prompt.text, "done": True, "reason": "", "pieces": []})
        if not turns or turns[-1]["role"] == USER:
            turns.append({"role": MODEL, "text": "", "pieces": []})
        said = "".join(piece["text"] for piece in self.pieces)
        told = [[piece[name] for name in FIGURES] for piece in self.pieces]
        state = {"done": bool(self.reason), "reason": self.reason, "id": self.wish.number}
        turns[-1] |= state | {"text": turns[-1]["text"] + said, "pieces": [*turns[-1]["pieces"], *told]}
        return turns
