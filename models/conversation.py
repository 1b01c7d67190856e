"""A language model in conversation: reads a visitor's turns, writes its own, and goes back to any token of either.

`models.memory` keeps the tree of tokens with the network's state after each. Here is the network itself, which stands at one of them. It
is brought to another only when the next token is asked for, by putting that node's state back; so rewinding costs nothing, and one step
more when writing goes on, since scores are not kept: the state before the node is put back and its token read once more.

What is drawn at a token depends on scores, settings, seed and the token's age (`models.sampling.generator`). A conversation that was
rewound therefore goes on exactly as one that never went further, on whatever machine the network runs.
"""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from models.inference import Floats, Network, Stream, Text
from models.memory import LIMIT_BYTES, MODEL, USER, Memory, Node
from models.sampling import Sampling, generator, sample


def _opening(text: Text) -> list[int]:
    """The markers that open an answer: those after a prompt, of one letter that every vocabulary with markers can write."""
    try:
        tokens = text.prompt("a", first=False)
    except ValueError:
        return []
    return tokens[max((place + 1 for place, token in enumerate(tokens) if not text.ends_turn(token)), default=len(tokens)) :]


class Conversation:
    """Owns `network` and its memory; for one thread at a time."""

    def __init__(self, network: Network, text: Text, limit_bytes: int = LIMIT_BYTES) -> None:
        """Begins with nothing read: `network` is reset."""
        self.network, self.text = network, text
        self._limit_bytes = limit_bytes
        self._opening = _opening(text)
        self._ids = itertools.count(1)
        self.clear()

    def clear(self) -> None:
        """Forget everything, other branches too."""
        self.network.reset()
        self.take_up(Memory(self.network.state, self._limit_bytes, self._ids))

    def take_up(self, memory: Memory) -> None:
        """Go on with `memory`, one that this conversation had before."""
        self.memory = memory
        self._at: Node | None = None
        """Where the network's state stands, if that is known."""
        self._scores: Floats | None = None
        """Of the token that follows `_at`."""
        self._stream: Stream | None = None
        """Decoder of the turn that the last token belongs to."""

    @property
    def age(self) -> int:
        """Tokens since the memory began."""
        return self.memory.head.age

    def read(self, prompt: str) -> Iterator[Node]:
        """Read a visitor's turn, and what opens the answer; a node per token. ValueError for what the vocabulary cannot write."""
        tokens = self.text.prompt(prompt, first=self.age == 0)
        said = len(tokens) - len(self._opening)
        for index, token in enumerate(tokens):
            yield self.feed(token, USER if index < said else MODEL, index in (0, said))

    def open_answer(self) -> Iterator[Node]:
        """Read what opens an answer, if the conversation stands in the visitor's turn."""
        if self.memory.head.role == USER:
            for index, token in enumerate(self._opening):
                yield self.feed(token, MODEL, index == 0)

    def choose(self, how: Sampling, banned: Sequence[int] = ()) -> int:
        """The token that the model says next; it is not taken yet. ValueError if nothing has been read."""
        back = how.repetition_window if how.repetition_penalty > 1 else 0
        recent = [node.token for node in self.memory.back(back)][::-1]
        return sample(self.scores(), how, generator(how.seed, self.age), recent, banned)

    def take(self, token: int) -> Node:
        """Read the model's own token."""
        return self.feed(token, MODEL, self.memory.head.role == USER)

    def scores(self) -> Floats:
        """Scores [V] of the token that follows; ValueError if nothing has been read."""
        head = self.memory.head
        if self._at is not head or self._scores is None:
            if head.parent is None:
                raise ValueError("nothing has been read yet")
            self.network.state = head.parent.state
            self._scores, self._at, self._stream = self.network.step(head.token), head, None
        return self._scores

    def prompt_of(self, node: Node) -> Node:
        """The node at which the answer that `node` belongs to, or that is still to come, begins: what was read, nothing written."""
        while node.role == MODEL and node.parent is not None and not self._opens(node):
            node = node.parent
        return node

    def _opens(self, node: Node) -> bool:
        return self.text.ends_turn(node.token)

    def feed(self, token: int, role: str, first: bool) -> Node:
        """Read one token after `head`, whoever said it; `first` in a turn."""
        head, network = self.memory.head, self.network
        if self._at is not head:
            network.state = head.state
        if first or self._stream is None or self._at is not head:
            self._stream = self._decoder(head, first)
        before = network.operations
        self._scores = network.step(token)
        self._at = node = self.memory.add(token, role, first, network.state)
        node.text = self._stream.feed(token)
        node.activity, node.operations = float(np.mean(network.activity or (0.0,))), network.operations - before
        return node

    def _decoder(self, head: Node, first: bool) -> Stream:
        """A decoder that has read the turn up to `head`."""
        turn: list[int] = []
        node: Node | None = None if first else head
        while node is not None and node.parent is not None:
            turn.append(node.token)
            node = None if node.first else node.parent
        stream = self.text.stream()
        for token in reversed(turn):
            stream.feed(token)
        return stream
