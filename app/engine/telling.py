"""What is told of a conversation: the turns that led to where it stands, and the tree of its branches, as messages of `app.protocol`."""

from typing import Any

from app.protocol import Message
from models.memory import Memory, Node, Turn

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


def path(memory: Memory) -> Message:
    """Where the conversation stands, and the turns that led there."""
    turns = [turn(memory, of) for of in memory.turns(TOLD_TOKENS)]
    return {"type": "chat", "event": "path", "turns": turns, "memory_age": memory.head.age, "kept": len(memory), "limit": memory.limit}


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
