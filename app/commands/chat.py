"""`egret chat`: the language model in a terminal, or one answer for a script (`--prompt`)."""

import argparse
import queue
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands.common import MAX_WHOLE, add_json, add_runtime, json_line, real, seed, whole
from app.protocol import Message
from pipeline.errors import USAGE, UserError

if TYPE_CHECKING:
    from app.engine.chat import Chat

HELP = "Type and press Enter. Ctrl-C stops an answer, /clear empties the memory, /quit or Ctrl-D ends."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `egret chat`."""
    parser.add_argument("--prompt", metavar="TEXT", help="answer this and end (default: talk)")
    parser.add_argument("--tokens", type=whole(1, MAX_WHOLE), default=100, metavar="N", help="length of an answer at most (default: 100)")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="equal seeds give equal answers (default: 0)")
    parser.add_argument(
        "--temperature", type=real(0, 100), default=0.7, metavar="T", help="0 takes the likeliest token always (default: 0.7)"
    )
    parser.add_argument(
        "--top-k", type=whole(0, 1 << 16), default=40, metavar="K", help="choose among this many tokens; 0 is all (default: 40)"
    )
    parser.add_argument("--language-weights", type=Path, metavar="FILE", help="language weights (default: the bundled ones)")
    add_runtime(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Talk until the input ends, or answer the one prompt."""
    from app.engine.chat import MAX_TOKENS, Chat, Prompt
    from app.engine.models import Models
    from models.sampling import Sampling

    if arguments.tokens > MAX_TOKENS:  # known only here: the module that says it takes a second to load
        raise UserError(f"An answer can be {MAX_TOKENS:,} tokens long at most: choose a smaller --tokens.", USAGE)
    if arguments.prompt is not None and not arguments.prompt.strip():
        raise UserError("The prompt is empty: say something in --prompt.", USAGE)
    models = Models(language=arguments.language_weights)
    runtime = models.runtime(arguments.runtime)
    messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
    failures: list[BaseException] = []

    def crashed(error: BaseException) -> None:
        failures.append(error)
        messages.put(None)

    chat = Chat(runtime, models.tokenizer(), messages.put, crashed)
    chat.start()
    sampling = Sampling(arguments.temperature, arguments.top_k, arguments.seed)

    def answer(text: str) -> Message:
        """Ask, show the answer as it is written, and return what is known of it."""
        chat.ask(Prompt(text, sampling, arguments.tokens))
        while (message := messages.get()) is not None:
            if message["type"] == "token" and not arguments.json:
                print(message["text"], end="", flush=True)
            if message["type"] == "chat" and message["event"] == "done":
                break
        if message is None:
            raise failures[0]
        if not arguments.json:
            print()
        said = {"type": "answer", "prompt": text, "text": chat.transcript[-1]["text"], "runtime": runtime.backend}
        speed = round(message["tokens"] / message["seconds"], 1) if message["seconds"] else 0.0
        said |= {name: message[name] for name in ("tokens", "seconds", "first_token_ms", "reason", "seed")} | {"tokens_per_s": speed}
        if arguments.json:
            json_line(said, models.language_id)
        return said

    try:
        if arguments.prompt is not None:
            answer(arguments.prompt)
        else:
            _talk(chat, answer, interactive=sys.stdin.isatty() and not arguments.json)
    finally:
        chat.close()
    return 0


def _talk(chat: "Chat", answer: Callable[[str], Message], interactive: bool) -> None:
    """Lines from stdin until it ends; Ctrl-C stops an answer if there is one, else the program."""

    def interrupted(*_: object) -> None:
        if not chat.busy:
            raise KeyboardInterrupt
        chat.stop()

    previous = signal.signal(signal.SIGINT, interrupted)
    if interactive:
        print(HELP, file=sys.stderr)
    try:
        while True:
            if interactive:
                print("> ", end="", flush=True)
            line = sys.stdin.readline()
            if not line or line.strip() == "/quit":
                return
            if line.strip() == "/clear":
                chat.clear()
            elif line.strip():
                answer(line.strip())
    finally:
        signal.signal(signal.SIGINT, previous)
