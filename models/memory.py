"""A conversation's memory as a tree of tokens.

A recurrent network has no window of past text: all it knows of a conversation is its state, a few thousand numbers, and the state after a
token follows from the tokens before it alone. So a conversation is a path in a tree whose nodes are tokens, each with the state after it:

    root -- hello -- how -- can -- I -- help            a path from the root is a conversation; `head` is where it stands
                        \\-- are -- you                  going back is moving `head`; writing on from there makes a branch

Equal tokens after equal tokens are one node, for they leave one state. Moving `head` costs the same whatever the distance; nothing is
computed again. Where the memory began is not a limit but an age: `Node.age` counts the tokens since then.

**Bounds.** Every node keeps its state (5.4 kB with the shipped model), in `limit_bytes` in all. When they are used up, a quarter is given
up: branches that the conversation is not on, oldest first, and if that is not enough the beginning of the conversation. What is given up
can no longer be gone back to; the network's state, and so what is written next, does not change, and neither does the age.

Pure bookkeeping: no network here (`models.conversation` has one), and no thread of its own.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from models.inference import state_bytes

USER, MODEL = "user", "model"
LIMIT_BYTES = 128 << 20
LEAST_NODES = 64
"""Tokens that are kept however large a state is."""


REASONS = ("end", "stopped", "limit", "error")
"""Why an answer is over."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How an answer was written that ends at a node."""

    reason: str
    """One of `REASONS`."""
    seed: int
    seconds: float


@dataclass(eq=False, slots=True)
class Node:
    """One token that was read or written, and the network's state after it."""

    id: int
    token: int
    role: str
    """`USER` or `MODEL`."""
    first: bool
    """Whether a turn begins with it."""
    age: int
    """Tokens since the memory began, this one included; 0 is the empty memory."""
    parent: "Node | None"
    state: Any
    text: str = ""
    """Of the turn's text, the part that this token completes."""
    activity: float = 0.0
    """Share of units that fired in its step."""
    operations: int = 0
    """Synaptic operations of its step."""
    energy_uj: float | None = None
    """Microjoules of its step, estimated; None on the host."""
    answer: Answer | None = None
    """If an answer ended here."""
    latest: "Node | None" = None
    """The child that was visited last."""
    children: "dict[tuple[int, str, bool], Node]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the conversation: the nodes of one speaker in a row."""

    role: str
    nodes: tuple[Node, ...]

    @property
    def text(self) -> str:
        """What was said."""
        return "".join(node.text for node in self.nodes)


def turns_of(path: list[Node]) -> list[Turn]:
    """The turns of nodes that follow each other."""
    turns: list[list[Node]] = []
    for node in path:
        if node.first or not turns:
            turns.append([])
        turns[-1].append(node)
    return [Turn(nodes[0].role, tuple(nodes)) for nodes in turns]


class Memory:
    """The tree, and the place in it where the conversation stands."""

    def __init__(self, state: Any, limit_bytes: int = LIMIT_BYTES, ids: Iterator[int] | None = None) -> None:
        """A memory that begins with `state`, that of a network which has read nothing. Its nodes take their `ids` from there, so that
        memories that follow each other share none: whoever still holds an old one finds nothing by it, and not another token."""
        self.root = self.head = Node(0, -1, MODEL, False, 0, None, state)
        self.limit = max(limit_bytes // max(state_bytes(state), 1), LEAST_NODES)
        """Tokens that are kept."""
        self.given_up = 0
        """How often something was given up."""
        self._nodes = {0: self.root}
        self._ids = ids or itertools.count(1)

    def __len__(self) -> int:
        """Tokens that can be gone back to."""
        return len(self._nodes) - 1

    def __getitem__(self, number: int) -> Node:
        """The node with this id; KeyError if it was given up or never was."""
        return self._nodes[number]

    def add(self, token: int, role: str, first: bool, state: Any) -> Node:
        """Move `head` on by `token`, to a new node or to the one that is there already."""
        key = (token, role, first)
        node = self.head.children.get(key)
        if node is None:
            node = Node(next(self._ids), token, role, first, self.head.age + 1, self.head, state)
            self.head.children[key] = self._nodes[node.id] = node
        self.head.latest, self.head = node, node
        if len(self) > self.limit:
            self._give_up(self.limit * 3 // 4)
        return node

    def drop(self, node: Node) -> None:
        """Undo the `add` of `node`; what it was added to already keeps it where something follows it or an answer ends there."""
        parent = node.parent
        if parent is None:
            return
        if self.head is node:
            self.head = parent
        if node.children or node.answer:
            return
        del parent.children[node.token, node.role, node.first], self._nodes[node.id]
        parent.latest = next(reversed(parent.children.values()), None)

    def __contains__(self, node: Node) -> bool:
        """Whether `node` can be gone back to."""
        return self._nodes.get(node.id) is node

    def undo(self, node: Node) -> None:
        """Go back from `head` to `node`, or as far as anything is kept, and forget on the way what nothing else needs."""
        while self.head is not node and self.head.parent is not None:
            self.drop(self.head)

    def rewind(self, node: Node) -> None:
        """Stand at `node`, in constant time."""
        self.head = node

    def switch(self, node: Node) -> None:
        """Stand on the branch of `node`, where it was left: at its end, or at `node` if an answer ended there that nothing follows."""
        child = node
        while child.parent is not None:  # so that coming back finds it again
            child.parent.latest = child
            child = child.parent
        following = [child for child in node.children.values() if child.first]
        if following:
            node = node.latest if node.latest in following else following[-1]
        if following or not node.answer:
            while node.latest is not None:
                node = node.latest
        self.head = node

    def back(self, most: int | None = None) -> Iterator[Node]:
        """The nodes from `head` back to the root, the root excluded; at most `most`."""
        node = self.head
        while node.parent is not None and most != 0:
            yield node
            node = node.parent
            most = None if most is None else most - 1

    def turns(self) -> list[Turn]:
        """The conversation, oldest turn first."""
        return turns_of(list(self.back())[::-1])

    def versions(self, turn: Turn) -> list[Node]:
        """Where each version of `turn` ends, oldest first: itself and what was said in its place, after the same past."""
        begun = turn.nodes[0]
        found = {turn.nodes[-1].id: turn.nodes[-1]}
        if begun.first and begun.parent:
            found |= {end.id: end for end in self.ends(begun.parent) if end.role == turn.role}
        return [found[number] for number in sorted(found)]

    def answers(self, above: Node) -> list[Answer]:
        """How every answer came about that goes on the turn of `above`, or begins after it if it is the visitor's."""
        found, waiting = [], [child for child in above.children.values() if child.role == MODEL]
        while waiting:
            node = waiting.pop()
            waiting += [child for child in node.children.values() if not child.first]
            if node.answer:
                found.append(node.answer)
        return found

    def ends(self, above: Node) -> list[Node]:
        """Where the turns end that begin after `above`, oldest first."""
        found: list[Node] = []
        waiting = [child for child in above.children.values() if child.first]
        while waiting:
            node = waiting.pop()
            on = [child for child in node.children.values() if not child.first]
            if node.answer or len(on) < len(node.children) or not on:
                found.append(node)
            waiting += on
        return sorted(found, key=lambda node: node.id)

    def _give_up(self, most: int) -> None:
        """Keep at most `most` nodes."""
        self.given_up += 1
        path = [*reversed(list(self.back()))]
        on_path = {node.id for node in path}
        branches = [child for node in [self.root, *path] for child in node.children.values() if child.id not in on_path]
        for branch in sorted(branches, key=lambda node: node.id):
            if len(self) <= most:
                return
            self._cut(branch)
        if len(self) > most:
            beginnings = (index for index in range(len(path) - most, len(path) - 1) if path[index].first)
            cut = next(beginnings, len(path) - most)
            for node in [self.root, *path[: cut - 1]]:
                del self._nodes[node.id]
            self.root = path[cut - 1]
            self.root.parent = None

    def _cut(self, branch: Node) -> None:
        """Forget `branch` and all after it."""
        parent = branch.parent
        assert parent is not None
        del parent.children[branch.token, branch.role, branch.first]
        if parent.latest is branch:
            parent.latest = next(reversed(parent.children.values()), None)
        waiting = [branch]
        while waiting:
            node = waiting.pop()
            waiting += node.children.values()
            del self._nodes[node.id]
