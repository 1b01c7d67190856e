"""A conversation in a file: what was said as text, or all of it as JSON, which can be taken up again.

The JSON holds tokens and no states: a state follows from the tokens before it, so whoever takes the conversation up reads them once more, a
fraction of a millisecond each. It is so small, and good on every machine, but for the very same model only.
"""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.protocol import Message
from models.conversation import Conversation
from models.memory import MODEL, REASONS, USER, Answer, Memory, Node
from models.sampling import MAX_SEED
from pipeline.errors import UserError

NAMES = {USER: "You", MODEL: "Egret"}
MAX_BYTES = 64 << 20
LONGEST_S = 1e9
"""Seconds that an answer may have taken."""
KIND = "conversation"


def save(conversation: Conversation, path: Path, about: Message) -> None:
    """Write the conversation to `path`, at once or not at all. UserError where that cannot be done."""
    memory = conversation.memory
    text = json.dumps(whole(memory, about), ensure_ascii=False, indent=1) if path.suffix.lower() == ".json" else plain(memory)
    scratch: Path | None = None
    try:
        scratch = path.with_name(path.name + ".part")
        scratch.write_text(text + "\n", "utf-8")
        scratch.replace(path)
    except (OSError, ValueError) as error:  # ValueError: a path without a name, or with a NUL in it
        if scratch is not None:
            with contextlib.suppress(OSError, ValueError):
                scratch.unlink()
        raise UserError(f"The conversation cannot be saved in {path} ({_why(error)}): choose another file.") from None


def _why(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or "that is no name of a file"


def plain(memory: Memory) -> str:
    """What was said, a line a turn."""
    return "\n".join(f"{NAMES[turn.role]}: {turn.text.strip()}" for turn in memory.turns())


def whole(memory: Memory, about: Message) -> Message:
    """The turns with the figures of their tokens, then the tree of all branches."""
    turns = []
    for turn in memory.turns():
        energies = [node.energy_uj for node in turn.nodes]
        said: dict[str, Any] = {"role": turn.role, "text": turn.text.strip(), "tokens": [node.token for node in turn.nodes]}
        said |= {"activity": [round(node.activity, 4) for node in turn.nodes], "operations": [node.operations for node in turn.nodes]}
        turns.append(said | {"energy_uj": energies if None not in energies else None} | _answer(turn.nodes[-1]))
    nodes = []
    waiting = [memory.root]
    while waiting:
        node = waiting.pop()
        waiting += reversed(node.children.values())
        if node.parent is not None:
            nodes.append([node.id, node.parent.id, node.token, node.role, node.first, _answer(node) or None])
    tree = {"root": memory.root.id, "begins_at_age": memory.root.age, "head": memory.head.id}
    return {"type": KIND} | about | {"memory_age": memory.head.age, "turns": turns, "tree": tree | {"nodes": nodes}}


def _answer(node: Node) -> Message:
    answer = node.answer
    return {"reason": answer.reason, "seed": answer.seed, "seconds": round(answer.seconds, 4)} if answer else {}


def load(conversation: Conversation, path: Path, about: Message, stopped: Callable[[], bool], fed: Callable[[Node], None]) -> None:
    """Forget the present conversation and read the one in `path`; `fed` is told each of its tokens as it is read.

    The present one is kept where this is `stopped`, and with a UserError where there is none in `path`, or one with another model.
    """
    again = "choose a JSON file that Egret exported with this model"
    try:
        if path.exists() and not path.is_file():  # a device or a pipe has no end
            raise ValueError("it is no file")
        with path.open("rb") as file:
            read = file.read(MAX_BYTES + 1)
        if len(read) > MAX_BYTES:
            raise ValueError("it is far too large")
        contents = json.loads(read)
        rows, root, head = _checked(conversation, contents, about)
    except OSError as error:
        raise UserError(f"The conversation {path} cannot be read ({error.strerror}): {again}.") from None
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        raise UserError(f"{path} is no conversation that can be taken up ({str(error) or 'it is damaged'}): {again}.") from None
    before = conversation.memory
    conversation.clear()
    memory = conversation.memory
    nodes = {root: memory.root}
    for number, parent, token, role, first, answer in rows:
        if stopped():
            conversation.take_up(before)
            raise UserError(f"Taking up {path} was stopped: the conversation is as it was.")
        memory.rewind(nodes[parent])
        nodes[number] = node = conversation.feed(token, role, first)
        node.answer = answer and Answer(**answer)
        fed(node)
    memory.switch(nodes[head])
    memory.rewind(nodes[head])


def _checked(conversation: Conversation, contents: Any, about: Message) -> tuple[list[tuple[Any, ...]], int, int]:
    """Rows of the tree as they came about, and the ids of root and head; ValueError, KeyError or TypeError where they make no sense."""
    if contents["type"] != KIND:
        raise ValueError("it is something else")
    if contents.get("model") != about.get("model"):
        raise ValueError("it was had with another model")
    tree = contents["tree"]
    if tree["begins_at_age"]:
        raise ValueError("its beginning had been given up")
    rows, known = sorted((tuple(row) for row in tree["nodes"]), key=_number), {tree["root"]}
    if len(rows) > conversation.memory.limit:
        raise ValueError("it is longer than what is kept")
    for number, parent, token, role, first, answer in rows:
        if parent not in known or number in known or role not in NAMES or type(first) is not bool or type(token) is not int:
            raise ValueError("its tree is damaged")
        if not 0 <= token < conversation.network.vocabulary:
            raise ValueError(f"there is no token {token}")
        if answer is not None and not _is_answer(answer):
            raise ValueError("it does not say how its answers came about")
        known.add(number)
    if tree["head"] not in known:
        raise ValueError("its tree is damaged")
    return rows, tree["root"], tree["head"]


def _number(row: tuple[Any, ...]) -> int:
    """By which tokens are in the order in which they came."""
    if type(row[0]) is not int:
        raise ValueError("its tree is damaged")
    return row[0]


def _is_answer(said: Any) -> bool:
    """Whether `said` is what `_answer` says."""
    seed, seconds, reason = said["seed"], said["seconds"], said["reason"]
    whole = type(seed) is int and 0 <= seed <= MAX_SEED and type(seconds) in (int, float) and 0 <= seconds < LONGEST_S
    return whole and reason in REASONS and len(said) == 3
