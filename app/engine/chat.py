"""The language model's own thread: prompts in, streamed tokens out, and the conversation's memory as an object.

Wishes come from other threads and are carried out one after the other. What happens when one comes while an answer is written:

- a prompt, or `proceed`, waits in line (at most `MAX_WAITING`, then it is refused with a sentence);
- whatever moves the conversation elsewhere (regenerate, edit, rewind, switch, clear, load) stops the answer and drops what waits first.

`stop` ends an answer in the thread that calls it: the "done" message is sent at once, even while the network is in the middle of a step,
which may take long on a chip. What that step brings is dropped, and the conversation stands after the last token that was told. A prompt
that had not been read to its end by then was not said: the conversation stands where it stood before.

The conversation does not depend on the machine: where a chip is lost, the same network goes on on the host, with the same state
(`models.chip.failover`), and the states in the memory are good for either.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from app.engine import export, telling
from app.engine.compared import Compared
from app.engine.wishes import FIGURES, NOTHING, Prompt, Wish, Writing, clean
from app.protocol import Message
from models.chip.failover import Watched
from models.conversation import Conversation
from models.inference import Network, Text
from models.memory import Node
from pipeline.errors import UserError

MAX_TOKENS = 2000
MAX_WAITING = 16
"""Prompts that may wait while one is answered."""
Energy = Callable[[int, Sequence[float]], float | None]
"""Microjoules of a step from its operations and the share of units that fired, per layer; None where nothing is known."""


class Chat:
    """Owns the language network's turn on the runtime."""

    def __init__(
        self,
        network: Network,
        text: Text,
        on_message: Callable[[Message], None],
        on_crash: Callable[[BaseException], None],
        *,
        pace_s: float = 0.0,
        energy: Energy = lambda operations, activity: None,
        about: Message | None = None,
    ) -> None:
        """`on_message` gets the ``token``, ``chat`` and ``notice`` messages of `app.protocol`, in this thread or in one that calls `stop`.

        Writing a token takes at least `pace_s`; reading a prompt is not slowed. `about` goes into exports.
        """
        self.tokens_per_s = 0.0
        self._conversation = Conversation(network, text)
        self._text = text
        self._on_message, self._on_crash = on_message, on_crash
        self._pace_s, self._energy = pace_s, energy
        self._about = about or {}
        self._watched = network if isinstance(network, Watched) else None
        self._checks = self._loading = False
        self._lock = threading.RLock()
        """Of what follows, and of the order of messages."""
        self._asked = 0
        self._stopped = 0
        """What was asked for up to this number is stopped."""
        self._line: dict[int, Wish] = {}
        """Answers that were asked for and have not begun, by number."""
        self._writing: Writing | None = None
        self._told = telling.Told()
        self._tree_wanted = False
        self._queue: queue.SimpleQueue[Wish | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="egret-chat", daemon=True)

    # ---- from any thread ---------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self, timeout: float = 2.0) -> bool:
        """Stop talking and end the thread; False if it did not end in time."""
        self.stop()
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def busy(self) -> bool:
        """Whether an answer is being written, or a conversation taken up."""
        return self._loading or ((writing := self._writing) is not None and not writing.reason)

    @property
    def still(self) -> AbstractContextManager[object]:
        """A lock: while it is held nothing is told of the chat, but by whoever holds it."""
        return self._lock

    @property
    def memory_age(self) -> int:
        """Tokens that the network has read and written since its memory began, on the way to where the conversation stands."""
        return self._conversation.age

    @property
    def kept(self) -> int:
        """Tokens that can be gone back to, those of other branches included."""
        return len(self._conversation.memory)

    @property
    def checks(self) -> bool:
        """Whether it is told how chip and host get on in an answer."""
        return self._checks

    @property
    def may_check(self) -> bool:
        """Whether there is a chip to compare."""
        return self._watched is not None

    def ask(self, prompt: Prompt) -> None:
        """Queue `prompt`; answers come one after the other. UserError where too many wait."""
        self._line_up("ask", replace(prompt, text=clean(prompt.text)))

    def proceed(self, prompt: Prompt) -> None:
        """Write on where the conversation stands, with the settings of `prompt`, whose text is not used. UserError as above."""
        self._line_up("proceed", prompt)

    def regenerate(self, prompt: Prompt, node: int | None = None) -> None:
        """Write the answer that token `node` belongs to, or the last one, anew with the settings of `prompt`, whose text is not used.

        If there is a version of the answer with that seed or a larger one already, and the seed was not named, the one after the largest
        is taken."""
        self._move("regenerate", prompt, node)

    def edit(self, prompt: Prompt, node: int) -> None:
        """Ask `prompt` in place of the visitor's turn that token `node` belongs to."""
        self._move("edit", replace(prompt, text=clean(prompt.text)), node)

    def rewind(self, node: int) -> None:
        """Stand after token `node`; 0 is the beginning."""
        self._move("rewind", node=node)

    def switch(self, node: int) -> None:
        """Go to the branch that token `node` is on."""
        self._move("switch", node=node)

    def clear(self) -> None:
        """Stop, and forget the conversation with all its branches."""
        self._move("clear")

    def load(self, path: Path) -> None:
        """Forget the conversation and take up the one that was exported to `path`."""
        self._move("load", path=path)

    def export(self, path: Path) -> None:
        """Write the conversation to `path`: all of it as JSON if that is its suffix, else what was said as text."""
        self._put("export", path=path)

    def tree(self) -> None:
        """Tell the tree of branches, within the next token while an answer is written."""
        with self._lock:
            if self._writing or self._line:
                self._tree_wanted = True
            else:
                self._put("tree")

    def check(self, value: bool) -> None:
        """Tell from the next answer on how chip and host get on in it, or no longer. UserError where there is no chip to compare."""
        if value and self._watched is None:
            raise UserError("There is nothing to compare: the language model runs on the host.")
        self._checks = value

    def stop(self) -> None:
        """End the answer that is being written, and drop prompts that wait."""
        with self._lock:
            self._stopped = self._asked
            if self._writing:
                self._finish(self._writing, "stopped")
            while self._line:
                self._finish(Writing(self._line.pop(min(self._line))), "stopped")

    def newest(self) -> list[Message]:
        """The newest turns, the one that is being written included."""
        with self._lock:
            turns = self._told.turns
            return self._writing.after(turns) if self._writing else turns

    def doubts(self, text: str) -> list[tuple[int, int, str, int]]:
        """(start, stop, kind, pieces) of what the model can make little of in `text`, code points."""
        return [(doubt.start, doubt.stop, doubt.kind, doubt.pieces) for doubt in self._text.doubts(clean(text))]

    def _line_up(self, kind: str, prompt: Prompt) -> None:
        with self._lock:
            if len(self._line) >= MAX_WAITING:
                raise UserError(f"{len(self._line)} prompts wait for their answers already: wait for one, or press Stop.")
            self._put(kind, prompt)

    def _move(self, kind: str, prompt: Prompt = NOTHING, node: int | None = None, path: Path | None = None) -> None:
        with self._lock:
            self.stop()
            self._put(kind, prompt, node, path)

    def _put(self, kind: str, prompt: Prompt = NOTHING, node: int | None = None, path: Path | None = None) -> None:
        with self._lock:
            self._asked += 1
            wish = Wish(kind, self._asked, prompt, node, path)
            if wish.answers:
                self._line[wish.number] = wish
            self._queue.put(wish)

    # ---- in the chat's own thread ------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while (wish := self._queue.get()) is not None:
                try:
                    (self._answer if wish.answers else self._carry_out)(wish)
                except UserError as error:
                    self._on_message({"type": "notice", "level": "error", "sentence": str(error)})
                self._tell_tree_if_wanted()
        except BaseException as error:
            self._writing = None
            self._on_crash(error)

    def _carry_out(self, wish: Wish) -> None:
        conversation = self._conversation
        match wish.kind:
            case "rewind":
                conversation.memory.rewind(self._node(wish))
            case "switch":
                conversation.memory.switch(self._node(wish))
            case "clear":
                conversation.clear()
                self._tell_path()
                self._on_message({"type": "chat", "event": "cleared"})
                return
            case "export":
                assert wish.path is not None
                export.save(conversation, wish.path, self._about)
                self._on_message({"type": "notice", "level": "info", "sentence": f"Saved the conversation in {wish.path}."})
                return
            case "load":
                assert wish.path is not None
                self._loading = True
                try:
                    export.load(conversation, wish.path, self._about, lambda: wish.number <= self._stopped, self._account)
                finally:
                    self._loading = False
            case "tree":
                self._on_message(telling.tree(conversation.memory))
                return
        self._tell_path()

    def _node(self, wish: Wish) -> Node:
        memory = self._conversation.memory
        try:
            return memory.head if wish.node is None else memory[wish.node] if wish.node else memory.root
        except KeyError:
            raise UserError("This part of the conversation has been given up: go back to a later place.") from None

    def _tell_path(self) -> None:
        with self._lock:
            self._on_message(self._told.path(self._conversation.memory))

    def _tell_tree_if_wanted(self) -> None:
        if self._tree_wanted:
            self._tree_wanted = False
            self._on_message(telling.tree(self._conversation.memory))

    def _answer(self, wish: Wish) -> None:
        """Read what is to be read and write an answer, unless it was stopped before its turn came."""
        memory = self._conversation.memory
        before = memory.head
        writing = Writing(wish, before=before)
        try:
            if wish.number not in self._line:
                return  # it was stopped, and that is told already
            if wish.asks and not wish.prompt.text.strip():
                raise UserError("There is nothing to answer: write something first.")
            banned = self._go(wish)
            writing.above = memory.head
            if wish.kind == "regenerate":
                writing.wish = wish.seeded(memory.answers(memory.head))
        except UserError:
            memory.rewind(before)
            with self._lock:
                if self._line.pop(wish.number, None):
                    self._finish(writing, "error")
            raise
        with self._lock:
            if not self._line.pop(wish.number, None):
                memory.rewind(before)
                return
            if wish.kind != "ask":
                self._tell_path()
            if self._checks and self._watched:
                writing.compared = Compared(self._watched)
            self._writing = writing
            prompt = wish.prompt.text if wish.asks else None
            self._on_message({"type": "chat", "event": "started", "id": wish.number, "prompt": prompt, "seed": writing.sampling.seed})
        try:
            if self._read(writing):
                self._write(writing, banned)
        except ValueError as error:  # of the network, or where its scores leave no token
            raise UserError(f"The answer cannot go on: {error}.") from None
        finally:
            self._finish(writing, "error")
            self._end(writing)

    def _go(self, wish: Wish) -> list[int]:
        """Move to where the answer begins; tokens that may not be its first. UserError where there is nothing to answer."""
        conversation = self._conversation
        memory, node = conversation.memory, self._node(wish)
        if wish.kind == "edit":
            while not node.first and node.parent is not None:
                node = node.parent
            memory.rewind(node.parent or memory.root)
        elif wish.kind == "regenerate":
            memory.rewind(conversation.prompt_of(node))
        if wish.kind in ("regenerate", "proceed") and memory.head.parent is None:
            raise UserError("There is nothing to answer yet: write something first.")
        answer = memory.head.answer
        if wish.kind == "proceed" and answer and answer.reason == "end":
            return [token for token in range(conversation.network.vocabulary) if self._text.ends_turn(token)]
        return []

    def _read(self, writing: Writing) -> bool:
        """Read the prompt and what opens the answer; False if it was stopped. UserError for what the vocabulary cannot write."""
        conversation, wish = self._conversation, writing.wish
        try:
            for node in conversation.read(wish.prompt.text) if wish.asks else conversation.open_answer():
                self._account(node, writing)
                self._tell_tree_if_wanted()
                if writing.reason:
                    return False
        except ValueError as error:
            raise UserError(f"The model cannot read this: {error}.") from None
        with self._lock:
            writing.read = not writing.reason
        return writing.read

    def _write(self, writing: Writing, banned: list[int]) -> None:
        conversation, how = self._conversation, writing.sampling
        begun = time.monotonic()
        for index in range(min(writing.wish.prompt.tokens, MAX_TOKENS)):
            now = time.monotonic()
            forbidden = [] if index else banned
            token = conversation.choose(how, forbidden)
            writing.first_s = writing.first_s or time.monotonic() - writing.begun
            if self._text.ends_turn(token):
                self._finish(writing, "end")
                return
            node = conversation.take(token)
            self._account(node, writing, index)
            self.tokens_per_s = (index + 1) / max(time.monotonic() - begun, 1e-9)
            with self._lock:
                if writing.reason:
                    conversation.memory.drop(node)
                    return
                self._tell(writing, node)
            self._tell_tree_if_wanted()
            if (rest_s := now + self._pace_s - time.monotonic()) > 0:
                time.sleep(rest_s)  # what is left of the token's time is left to the other threads
        self._finish(writing, "limit")

    def _account(self, node: Node, writing: Writing | None = None, index: int | None = None) -> None:
        node.energy_uj = self._energy(node.operations, self._conversation.network.activity)
        if writing and writing.compared:
            writing.compared.follow(node, index)

    def _tell(self, writing: Writing, node: Node) -> None:
        network = self._watched
        chip = network is not None and network.on_chip and not network.behind
        agrees = writing.compared.agrees(node) if writing.compared else None
        message: Message = {"type": "token", "id": writing.wish.number, "index": len(writing.pieces)}
        message |= dict(zip(FIGURES, telling.figures(node), strict=True))
        message |= {"tokens_per_s": round(self.tokens_per_s, 1), "chip": chip, "agrees": agrees}
        writing.pieces.append(message)
        self._on_message(message)

    def _finish(self, writing: Writing, reason: str) -> None:
        """Say that the answer is over, once; from whatever thread ends it."""
        with self._lock:
            if writing.reason:
                return
            writing.reason, writing.seconds = reason, time.monotonic() - writing.begun
            self._on_message(writing.done())

    def _end(self, writing: Writing) -> None:
        """Keep how the answer came about, and tell where the conversation stands now."""
        with self._lock:
            writing.leave(self._conversation.memory)
            self._writing = None
            self._tell_path()
