"""What a conversation needs of a language model: a network that is stepped token by token, and its vocabulary.

Egret's own (`models.chip.integer.LanguageNetwork` on the host, `models.chip.failover.LanguageNetwork` on a chip, and
`models.tokenizer.Tokenizer`) are one pair; other people's recurrent models are others. Memory, conversation and chat know these two
protocols and nothing else.
"""

from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class Network(Protocol):
    """A recurrent network with its state, stepped from one thread at a time."""

    steps: int
    """Steps since loading."""
    operations: int
    """Synaptic operations since loading: weights other than 0 that were used."""

    @property
    def vocabulary(self) -> int:
        """Number of tokens V."""

    @property
    def activity(self) -> tuple[float, ...]:
        """Share of units that fired in the last step, per layer."""

    @property
    def state(self) -> Any:
        """All that is remembered, as a copy that no later step changes: arrays or bytes in tuples, dicts or dataclasses. Assigning one
        that was taken from the same network goes on from there, bit for bit."""

    @state.setter
    def state(self, state: Any) -> None: ...

    def step(self, token: int) -> Floats:
        """Scores [V] of the token that follows `token`, minus infinity where there is none; ValueError for a token that is none."""

    def reset(self) -> None:
        """Forget everything."""


class Stream(Protocol):
    """Decodes one turn token by token."""

    def feed(self, token: int) -> str:
        """The text that `token` completes."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A stretch of a text, code points `start` to `stop`, that the model can make little of."""

    start: int
    stop: int
    kind: str
    """``unknown``: the model has no sign for it. ``rare``: it is spelled out in pieces, as words are that training hardly met."""
    pieces: int
    """Tokens that stand for it."""


class Text(Protocol):
    """The vocabulary of a model, and how turns are written in it."""

    def prompt(self, text: str, first: bool) -> list[int]:
        """Tokens to feed for a visitor's `text` so that the model answers; `first` in a conversation. Markers at the end, such that
        `ends_turn` is true of them, open the answer."""

    def encode(self, text: str) -> list[int]:
        """Tokens of `text` alone."""

    def ends_turn(self, token: int) -> bool:
        """Whether predicting `token` means that the model has finished speaking."""

    def stream(self) -> Stream:
        """A decoder for one turn."""

    def doubts(self, text: str) -> list[Doubt]:
        """What the model can make little of, in order."""


def state_bytes(state: Any) -> int:
    """Bytes of what a network remembers."""
    if isinstance(state, np.ndarray):
        return state.nbytes
    if isinstance(state, bytes):
        return len(state)
    if is_dataclass(state):
        return sum(state_bytes(getattr(state, field.name)) for field in fields(state))
    if isinstance(state, dict):
        return sum(map(state_bytes, state.values()))
    if isinstance(state, tuple | list):
        return sum(map(state_bytes, state))
    return 0
