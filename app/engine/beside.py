"""The host beside the chip: the same prompt, settings and seed on a second network, token by token, until the two differ.

As long as both say the same there is one text. From the first token that differs the host goes its own way, so that one sees what it would
have said; it is one text again from the next prompt on, which the host reads after the chip's own past.
"""

from collections.abc import Sequence

from app.protocol import Message
from models.inference import Floats, Network, Text
from models.memory import Node
from models.sampling import Sampling, generator, sample


class Beside:
    """A network that follows a conversation; for the chat's thread."""

    def __init__(self, network: Network, text: Text) -> None:
        self._network, self._text = network, text
        self._scores: Floats | None = None
        self._past: list[int] = []
        self._age = 0
        self._written: list[int] = []
        self._over = False
        self._difference: int | None = None

    def begin(self, head: Node, past: list[int]) -> None:
        """Stand where the conversation stands; `past` are its newest tokens, for the repetition penalty."""
        self._past, self._age = list(past), head.age
        self._written, self._over, self._difference, self._scores = [], False, None, None
        if head.parent is None:
            self._network.state = head.state
        else:
            self._network.state = head.parent.state
            self._scores = self._network.step(head.token)

    def read(self, token: int) -> None:
        """Read what the chip reads."""
        self._scores = self._network.step(token)
        self._past.append(token)
        self._age += 1

    def follow(self, token: int, how: Sampling, banned: Sequence[int]) -> bool:
        """Choose as the chip did, which chose `token`: whether the two still agree."""
        if not self._over:
            chosen = self._write(how, banned)
            ended = self._over and self._text.ends_turn(token)
            if self._difference is None and chosen != token and not ended:
                self._difference = len(self._written) - (not self._over)
        return self._difference is None

    def finish(self, how: Sampling, limit: int) -> None:
        """Write on to the end, once the two differ and the chip is done."""
        while self._difference is not None and not self._over and len(self._written) < limit:
            self._write(how, ())

    def _write(self, how: Sampling, banned: Sequence[int]) -> int:
        assert self._scores is not None
        chosen = sample(self._scores, how, generator(how.seed, self._age), self._past, banned)
        self._over = self._text.ends_turn(chosen)
        if not self._over:
            self._written.append(chosen)
            self.read(chosen)
        return chosen

    def describe(self) -> Message:
        """What the host said: its text, and the index of the first token that differs, or null."""
        stream = self._text.stream()
        text = "".join(stream.feed(token) for token in self._written)
        return {"text": text, "tokens": len(self._written), "difference": self._difference}
