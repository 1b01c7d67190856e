"""What is told of a conversation: the turns that led to where it stands, and the tree of its branches, as messages of `app.protocol`."""

from typing import Any

from app.protocol import MAX_TURNS, Message
from models.memory import Memory, Node, Turn, turns_of

TOLD_TOKENS = 4_000
"""A window is told the newest part of a conversation, so many tokens; an export holds all."""
TOLD_ROWS = 400
"""Rows of the tree that are told."""
EXCERPT = 80
"""Characters of a turn in the tree."""


def figures(node: Node) -> list[Any]:
    """One token: id, text, share of units that fired, synaptic operations, microjoules or null."""
    energy = None if node.energy_uj is None else round(node.energy_uj, 3)
    return [node.id, node.text, round(node.activity, 4), node.operations, energy]


def turn(memory: Memory, of: Turn) -> Message:
    """One turn."""
    last = of.nodes[-1]
    versions = [node.id for node in memory.versions(of)]
    said: Message = {"role": of.role, "text": of.text, "done": True, "reason": "", "node": last.id}
    if last.answer:
        said |= {"reason": last.answer.reason, "seed": last.answer.seed}
    return said | {"pieces": [figures(node) for node in of.nodes], "versions": versions}


class Told:
    """The path that windows were told last, so that the next telling is only what changed: an answer costs its own length, not the
    conversation's, which recognition beside it would feel."""

    def __init__(self) -> None:
        self.turns: list[Message] = []
        """What a window that attaches is told: the newest turns, at most `MAX_TURNS` of `TOLD_TOKENS` tokens."""
        self._given_up = 0
        self._memory: Memory | None = None

    def path(self, memory: Memory) -> Message:
        """The message of where the conversation stands: the turns after the last one that is as it was told before."""
        if memory is not self._memory or memory.given_up != self._given_up:
            self.turns, self._memory, self._given_up = [], memory, memory.given_up
        known = {said["node"]: place for place, said in enumerate(self.turns)}
        changed: list[Node] = []
        same = 0
        for node in memory.back(TOLD_TOKENS):
            if node.id in known and changed and changed[-1].first:
                same = known[node.id] + 1
                break
            changed.append(node)
        after = self.turns[same - 1]["node"] if same else 0
        turns = [turn(memory, of) for of in turns_of(changed[::-1])]
        self.turns = _newest(self.turns[:same] + turns)
        figures = {"memory_age": memory.head.age, "kept": len(memory), "limit": memory.limit}
        return {"type": "chat", "event": "path", "after": after, "turns": turns} | figures


def merge(turns: list[Message], path: Message) -> list[Message]:
    """All turns, from those before and a path message."""
    place = next((index + 1 for index, said in enumerate(turns) if path["after"] and said["node"] == path["after"]), 0)
    return turns[:place] + path["turns"]


def _newest(turns: list[Message]) -> list[Message]:
    turns, room = turns[-MAX_TURNS:], TOLD_TOKENS
    for index in range(len(turns) - 1, -1, -1):
        room -= len(turns[index]["pieces"])
        if room < 0:
            return turns[index + 1 :]
    return turns


def tree(memory: Memory) -> Message:
    """The turns of all branches, each after the one it follows: rows {node: where the turn ends, depth, role, text, here: whether the
    conversation went this way}, at most `TOLD_ROWS`."""
    came = {node.id for node in memory.back()}
    rows: list[Message] = []
    waiting = [(end, 0) for end in reversed(_ends(memory, memory.root))]
    while waiting and len(rows) < TOLD_ROWS:
        end, depth = waiting.pop()
        text = _text(end)
        excerpt = text if len(text) <= EXCERPT else text[: EXCERPT - 1] + "…"
        here = end.id in came and (end is memory.head or any(child.first and child.id in came for child in end.children.values()))
        rows.append({"node": end.id, "depth": depth, "role": end.role, "text": excerpt, "here": here})
        waiting += [(after, depth + 1) for after in reversed(_ends(memory, end))]
    return {"type": "chat", "event": "tree", "rows": rows}


def _ends(memory: Memory, above: Node) -> list[Node]:
    """Ends of the turns that begin after `above`; the place where the conversation stands is one, wherever in a turn it is."""
    ends = memory.ends(above)
    head = memory.head
    if head not in ends and head is not above and _above(head) is above:
        ends.append(head)
    return ends


def _above(node: Node) -> Node | None:
    while not node.first and node.parent is not None:
        node = node.parent
    return node.parent


def _text(end: Node) -> str:
    parts: list[str] = []
    node: Node | None = end
    while node is not None and node.parent is not None:
        parts.append(node.text)
        node = None if node.first else node.parent
    return "".join(reversed(parts)).strip()
