"""What the language networks of others have in common: tokens in, logits out, and a state that is in the open.

To whoever talks to them they are what `models.chip.integer.LanguageNetwork` is: `step` gives the logits of the next token, `state` can be
taken away and put back, `reset` forgets. Besides, `read` takes many tokens at once, several times as fast, and gives the very same numbers:
N steps equal one sequence of N to the last bit, however the tokens are grouped.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from models.foreign.kernels import Floats

Tokens = npt.NDArray[np.int64]
State = dict[str, Floats]
"""Every number that a network carries from token to token, by name."""

PIECE = 64
"""Tokens that are read at once: enough to use weights again while they are in the cache, few enough for small buffers."""


class Network(ABC):
    """A recurrent language network. One network is for one thread at a time; it releases Python's lock while it computes."""

    dense: int
    """Operations of a token if no input of any product were 0."""

    def __init__(self, vocabulary: int, start: Mapping[str, Floats], about: str) -> None:
        """`start` is the state of a network that has read nothing, `about` says in a few words which network it is."""
        self.vocabulary = vocabulary
        self.about = about
        self.steps = 0
        """Tokens since loading."""
        self.operations = 0
        """Multiplications and additions of the products since loading, those with an input of 0 or a weight of 0 left out."""
        self.activity: tuple[float, ...] = ()
        """Share of units that fired, by group of units, in the last `step` or over the last `read`."""
        self._start = {name: value.copy() for name, value in start.items()}
        self._state = {name: value.copy() for name, value in start.items()}

    @property
    def state(self) -> State:
        """A copy of the state."""
        return {name: value.copy() for name, value in self._state.items()}

    @state.setter
    def state(self, state: State) -> None:
        """Continue from `state`, which is copied. ValueError if it is of another network or not finite."""
        shapes = {name: value.shape for name, value in self._state.items()}
        if shapes != {name: value.shape for name, value in state.items()}:
            raise ValueError("the state is of another network")
        if not all(value.dtype == np.float32 and np.isfinite(value).all() for value in state.values()):
            raise ValueError("the state holds what no step can leave")
        for name, value in state.items():
            self._state[name][:] = value

    def reset(self) -> None:
        """Forget everything."""
        for name, value in self._start.items():
            self._state[name][:] = value

    def step(self, token: int) -> Floats:
        """logits [V] of the token that follows `token`. ValueError for a token outside the vocabulary."""
        return self.read([token])[0]

    def read(self, tokens: Sequence[int]) -> Floats:
        """logits [T, V] of what follows each of `tokens`, one after the other. ValueError for a token outside the vocabulary."""
        ids = np.asarray(tokens, np.int64).reshape(-1)
        if ids.size and not 0 <= ids.min() <= ids.max() < self.vocabulary:
            wrong = ids[(ids < 0) | (ids >= self.vocabulary)][0]
            raise ValueError(f"there is no token {wrong} in a vocabulary of {self.vocabulary}")
        logits = np.empty((ids.size, self.vocabulary), np.float32)
        fired = np.zeros(0)
        for begin in range(0, ids.size, PIECE):
            piece = ids[begin : begin + PIECE]
            logits[begin : begin + PIECE], shares = self._advance(piece)
            fired = np.array(shares) * piece.size + (fired if begin else 0.0)
        if ids.size:
            self.activity = tuple((fired / ids.size).tolist())
        self.steps += ids.size
        return logits

    def warm(self) -> None:
        """Compile the kernels with the types of real steps, or load them from the cache. State and counters are reset."""
        self.step(0)
        self.reset()
        self.steps = self.operations = 0
        self.activity = tuple(0.0 for _ in self.activity)

    @abstractmethod
    def _advance(self, tokens: Tokens) -> tuple[Floats, tuple[float, ...]]:
        """logits [T, V] of these tokens and the share of units that fired; replaces the state and adds to `operations`."""
