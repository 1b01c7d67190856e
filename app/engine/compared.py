"""What came of comparing chip and host in one answer.

Where a chip makes the steps, the host makes every one of them too, and the chip's answer, state and scores, has to be the host's to the
last bit (`models.chip.failover`). So chip and host write the same text up to the first step in which they differ; there the chip is left,
and the rest is the host's. Nothing is computed here: the network's own counters are read, a token at a time.
"""

from app.protocol import Message
from models.chip.failover import Watched
from models.memory import Node


class Compared:
    """Follows the steps of one answer, those that read its prompt included; for the chat's thread."""

    def __init__(self, network: Watched) -> None:
        self._network = network
        self._checked, self._begun = network.checked, network.steps
        self._tokens: list[tuple[int, Node, int | None]] = []
        """How many steps the network had made after each token, the token, and its place in the answer where it was written."""

    def follow(self, node: Node, index: int | None = None) -> None:
        """The network has read `node`, token `index` of the answer, or of what comes before the answer is written."""
        self._tokens.append((self._network.steps, node, index))

    @property
    def difference(self) -> tuple[Node, int | None] | None:
        """The first token, and its place in the answer, in whose step the chip came to another result than the host."""
        differed = self._network.differed
        if differed is None or differed <= self._begun:
            return None
        return next(((node, index) for step, node, index in self._tokens if step >= differed), None)

    def agrees(self, node: Node) -> bool:
        """Whether chip and host do not differ first in the step of `node`."""
        return self.difference is None or self.difference[0] is not node

    def describe(self) -> Message:
        """`agreed`, `alone`: tokens in whose steps both came to the same, and that are the host's alone; `reason`: why the chip was left,
        empty while it is not; `difference`: null, or node, text and index (null before the answer) of the first token that differs."""
        chip = self._network.chip
        agreed = min(self._network.checked - self._checked, len(self._tokens))
        said: Message = {"agreed": agreed, "alone": len(self._tokens) - agreed, "reason": "", "difference": None}
        if chip is not None and chip.process.lost is not None:
            said["reason"] = f"{chip.process.name} {chip.process.lost}"
        if self.difference:
            node, index = self.difference
            said["difference"] = {"node": node.id, "text": node.text, "index": index}
        return said


def readable(said: Message) -> str:
    """`Compared.describe` as sentences."""
    sentences = [f"Chip and host agree on {said['agreed']:,} tokens, those of the prompt included."]
    why = f": {said['reason']}" if said["reason"] else ""
    if first := said["difference"]:
        place = "in the prompt" if first["index"] is None else f"at token {first['index'] + 1}"
        sentences.append(f"They differ first {place}, “{first['text'].strip()}”{why}.")
        why = ""
    if said["alone"]:
        sentences.append(f"{said['alone']:,} tokens are the host's alone{why or ', for the chip was late' * (not said['reason'])}.")
    return " ".join(sentences)
