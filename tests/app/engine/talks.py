"""What the tests of the chat share: small networks that never end their turn, and a chat that keeps everything it said."""

import queue
import threading
from typing import Any

import numpy as np

from app.engine.chat import Chat
from app.engine.telling import merge
from app.engine.wishes import Prompt
from app.protocol import Message
from models.chip import integer
from models.sampling import Sampling
from tests.models.chip import programs as make
from tests.models.letters import BOT, END, SIZE, USER, Letters

PROGRAM = make.program(2, "language", [20, 12], outputs=SIZE)
HOW = Sampling(temperature=1.5, top_k=0, seed=3)
ABOUT: Message = {"model": {"name": "test", "hash": "1"}}


class Endless(integer.LanguageNetwork):
    """A network that never ends its turn."""

    def step(self, token: int) -> Any:
        logits = super().step(token)
        logits[[END, USER, BOT]] = -np.inf
        return logits


class Slow(Endless):
    """Such a network, whose steps wait for permission."""

    def __init__(self) -> None:
        super().__init__(PROGRAM)
        self.may_step = threading.Semaphore(0)

    def step(self, token: int) -> Any:
        assert self.may_step.acquire(timeout=20)
        return super().step(token)


class Talk:
    """A chat with everything it said."""

    def __init__(self, network: Any, **options: Any) -> None:
        self.said: list[Message] = []
        self._come: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.failures: list[BaseException] = []
        self.chat = Chat(network, Letters(), self._come.put, self.failures.append, about=ABOUT, **options)
        self.chat.start()

    def until(self, event: str) -> Message:
        """The next message that is this event, or of this type."""
        while True:
            message = self._come.get(timeout=20)
            self.said.append(message)
            if event in (message["type"], message.get("event")):
                return message

    def settle(self) -> Message:
        """Everything asked for is done; the newest path."""
        self.chat._put("tree")  # in line, behind everything that was asked for
        self.until("tree")
        turns: list[Message] = []
        for message in self.said:
            if message.get("event") == "path":
                turns = merge(turns, message)
                newest = message
        return newest | {"turns": turns}

    def texts(self) -> list[tuple[str, str]]:
        return [(turn["role"], turn["text"]) for turn in self.settle()["turns"]]


def prompt(text: str = "", seed: int = 3, tokens: int = 6) -> Prompt:
    return Prompt(text, Sampling(HOW.temperature, HOW.top_k, seed), tokens)
