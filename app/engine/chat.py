"""The language model's own thread: prompts in, streamed tokens out.

The network is recurrent: its whole memory of the conversation is its state, which goes on from answer to answer until it is cleared.
Stop is looked at before every token, so it acts within one step.
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.protocol import Message
from models.chip.runtime import Runtime
from models.sampling import Sampling, sample
from models.tokenizer import Tokenizer

MAX_TOKENS = 2000
MAX_PROMPT = 20_000
"""Characters of a prompt that are taken; the network forgets more than that anyway."""
KEPT_TURNS = 1000
"""The transcript forgets older turns."""
TOLD_CHARACTERS = 200_000
"""A window that attaches is told the newest turns up to this length."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a visitor asks."""

    text: str
    sampling: Sampling
    tokens: int = 200


class Forget:
    """Asks the thread, in its turn, to clear the network's memory."""


class Chat:
    """Owns the language network's turn on the runtime."""

    def __init__(
        self,
        runtime: Runtime,
        tokenizer: Tokenizer,
        on_message: Callable[[Message], None],
        on_crash: Callable[[BaseException], None],
        pace_s: float = 0.0,
    ) -> None:
        """`on_message` gets the ``token`` and ``chat`` messages of `app.protocol`, in this thread. Writing a token takes at
        least `pace_s`; reading a prompt is not slowed."""
        self.transcript: list[Message] = []
        self.memory_age = 0
        """Tokens the network has read and written since its memory was cleared."""
        self.tokens_per_s = 0.0
        self.busy = False
        self._network = runtime.language
        self._tokenizer = tokenizer
        self._on_message = on_message
        self._on_crash = on_crash
        self._pace_s = pace_s
        self._asked = 0
        self._stopped = 0
        """Prompts up to this number are not to be answered (any more)."""
        self._queue: queue.SimpleQueue[tuple[int, Prompt] | type[Forget] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="egret-chat", daemon=True)

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

    def ask(self, prompt: Prompt) -> None:
        """Queue `prompt`; answers come one after the other."""
        self._asked += 1
        self._queue.put((self._asked, replace(prompt, text=prompt.text[:MAX_PROMPT])))

    def stop(self) -> None:
        """End the answer that is being written, and drop prompts that wait."""
        self._stopped = self._asked

    def clear(self) -> None:
        """Stop, and forget the conversation."""
        self.stop()
        self._queue.put(Forget)

    def newest(self) -> list[Message]:
        """The newest turns, as many as a window is told at once."""
        told: list[Message] = []
        room = TOLD_CHARACTERS
        for said in reversed(self.transcript.copy()):
            room -= len(said["text"])
            if room < 0:
                break
            told.append(dict(said))
        return told[::-1]

    def _work(self) -> None:
        try:
            while (item := self._queue.get()) is not None:
                if item is Forget:
                    self._forget()
                elif isinstance(item, tuple) and item[0] > self._stopped and item[1].text:
                    self.busy = True
                    self._answer(*item)
                    self.busy = False
        except BaseException as error:
            self.busy = False
            self._on_crash(error)

    def _forget(self) -> None:
        self._network.reset()
        self.memory_age = 0
        self.transcript.clear()
        self._on_message({"type": "chat", "event": "cleared"})

    def _answer(self, number: int, prompt: Prompt) -> None:
        said: Message = {"role": "model", "text": "", "done": False, "reason": ""}
        self.transcript += [{"role": "user", "text": prompt.text, "done": True, "reason": ""}, said]
        del self.transcript[:-KEPT_TURNS]
        self._on_message({"type": "chat", "event": "started", "id": number, "prompt": prompt.text, "seed": prompt.sampling.seed})
        begun = time.monotonic()
        reason, tokens, first_s = self._write(prompt, number, said, begun)
        seconds = time.monotonic() - begun
        said.update(done=True, reason=reason)
        done = {"type": "chat", "event": "done", "id": number, "reason": reason, "tokens": tokens, "seconds": round(seconds, 4)}
        self._on_message(done | {"first_token_ms": round(first_s * 1e3, 3), "seed": prompt.sampling.seed, "prompt": prompt.text})

    def _write(self, prompt: Prompt, number: int, said: Message, begun: float) -> tuple[str, int, float]:
        """Read the prompt and write the answer; why it ended, how many tokens it has, and seconds to the first one."""
        random = np.random.default_rng(prompt.sampling.seed)
        stream = self._tokenizer.stream()
        first_s = 0.0
        for token in self._tokenizer.prompt(prompt.text, first=self.memory_age == 0):
            logits = self._step(token)
            if number <= self._stopped:
                return "stopped", 0, first_s
        writing = time.monotonic()
        limit = min(prompt.tokens, MAX_TOKENS)
        for index in range(limit):
            if number <= self._stopped:
                return "stopped", index, first_s
            token = sample(logits, prompt.sampling, random)
            now = time.monotonic()
            first_s = first_s or now - begun
            if self._tokenizer.ends_turn(token):
                return "end", index, first_s
            logits = self._step(token)
            self.tokens_per_s = (index + 1) / max(time.monotonic() - writing, 1e-9)
            self._tell(number, index, stream.feed(token), said)
            if (rest_s := now + self._pace_s - time.monotonic()) > 0:
                time.sleep(rest_s)  # what is left of the token's time is left to the other threads
        self._tell(number, limit, stream.finish(), said)
        return "limit", limit, first_s

    def _step(self, token: int) -> npt.NDArray[np.float32]:
        self.memory_age += 1
        return self._network.step(token)

    def _tell(self, number: int, index: int, text: str, said: Message) -> None:
        said["text"] += text
        message: Message = {"type": "token", "id": number, "index": index, "text": text}
        message["activity"] = round(float(np.mean(self._network.activity)), 4)
        message["tokens_per_s"] = round(self.tokens_per_s, 1)
        self._on_message(message)
