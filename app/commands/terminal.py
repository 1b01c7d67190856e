"""A chat in a terminal: lines are prompts, lines that begin with a slash are commands (`COMMANDS`).

Everything is asked of the chat's own thread, and what it says is shown until it has done what was asked. An answer is over with its "done"
and, if it had begun, with the path after that, since only then the conversation stands where the answer leaves it; the tree, which is asked
for then, is told when everything before it is done.
"""

import queue
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from app.commands.common import json_line
from app.commands.terminal_figures import doubtful, figures_of, work
from app.commands.terminal_input import Input
from app.engine import chat as engine
from app.engine.compared import readable
from app.engine.export import NAMES
from app.engine.partner import Partner
from app.engine.telling import merge
from app.engine.wishes import Prompt, clean
from app.protocol import Message
from models.sampling import MAX_SEED, PRESETS, Sampling
from pipeline.errors import PARTIAL, UserError

WELCOME = "Type and press Enter. Ctrl-C stops an answer, Ctrl-D ends, /help tells the commands."
HEARS_S = 0.05
"""Seconds after which Ctrl-C is heard at the latest: one that comes just as waiting begins does not end it."""
WHOLE = ("top_k", "repetition_window", "seed", "tokens")
"""Settings that are whole numbers."""
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Everything that would steer a terminal, but for the end of a line and the tabulator."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How answers are written."""

    sampling: Sampling
    tokens: int

    def prompt(self, text: str = "", seed: int | None = None) -> Prompt:
        """`text` to be answered so."""
        return Prompt(text, self.sampling if seed is None else replace(self.sampling, seed=seed), self.tokens)

    def changed(self, name: str, value: str) -> "Settings":
        """These with one changed. UserError where there is no such setting or value."""
        name = name.replace("-", "_")
        known = [*Sampling.__dataclass_fields__, "tokens"]
        if name not in known:
            raise UserError(f"There is no setting {name!r}: choose one of {', '.join(known)}.")
        try:
            number = int(value) if name in WHOLE else float(value)
            if name != "tokens":
                return replace(self, sampling=replace(self.sampling, **{name: number}))  # type: ignore[arg-type]
            if not 1 <= number <= engine.MAX_TOKENS:
                raise ValueError
            return replace(self, tokens=int(number))
        except ValueError:
            raise UserError(f"{name} cannot be {value!r}; see `egret chat --help` for what it means.") from None


class Terminal:
    """A chat whose answers go to stdout, and whose notices go to stderr. A context manager."""

    def __init__(self, partner: Partner, settings: Settings, as_json: bool, figures: bool = False) -> None:
        """`figures`: JSON tells of every token what writing it took, and of a prompt what the model can make little of.

        UserError where the model's tokenizer cannot be used.
        """
        self.settings = settings
        self.interactive = self.stopped = False
        self.rows: list[Message] = []
        """The tree of branches, after the last thing that was done."""
        self.turns: list[Message] = []
        """The conversation, likewise."""
        self._partner, self._as_json, self._figures = partner, as_json, figures
        self._messages: queue.SimpleQueue[Message | BaseException] = queue.SimpleQueue()
        self.chat = partner.chat(self._messages.put, self._messages.put)
        self._complaint = ""
        """What the chat could not do of that which was asked last."""
        self._begun = False
        """Whether the newest answer was begun."""
        self._done: Message = {}
        self._tokens: list[Message] = []
        """Of the newest answer."""

    def __enter__(self) -> "Terminal":
        self.chat.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.chat.close()

    def stop(self) -> None:
        """Give up what is being carried out, or is just about to be asked for; for a handler of signals."""
        self.stopped = True
        self.chat.stop()

    def ask(self, text: str) -> None:
        """Answer `text`."""
        text = clean(text)
        self._answer(lambda: self.chat.ask(self.settings.prompt(text)), text)

    def regenerate(self, seed: str = "") -> None:
        """The last answer anew, with the seed named, or one that no version of it had."""
        chosen = _whole(seed) if seed else self.settings.sampling.seed
        if chosen is None:
            raise UserError(f"A seed is a whole number up to {MAX_SEED}: /regenerate [SEED].")
        prompt = replace(self.settings.prompt(seed=chosen), named_seed=bool(seed))
        self._answer(lambda: self.chat.regenerate(prompt))

    def proceed(self) -> None:
        """Write on."""
        self._answer(lambda: self.chat.proceed(self.settings.prompt()))

    def edit(self, text: str) -> None:
        """Answer `text` in place of the last prompt."""
        text = clean(text)
        asked = [turn for turn in self.turns if turn["role"] == "user"]
        if not text or not asked:
            raise UserError("There is no prompt to replace yet." if text else "Say what you would rather have asked: /edit TEXT.")
        self._answer(lambda: self.chat.edit(self.settings.prompt(text), asked[-1]["node"]), text)

    def rewind(self, count: str) -> None:
        """Back by so many tokens."""
        tokens = _whole(count)
        if tokens is None:
            raise UserError("Say how many tokens to go back: /rewind N.")
        nodes = [piece[0] for turn in self.turns for piece in turn["pieces"]]
        left = len(nodes) - tokens
        if left <= 0 and self.chat.memory_age > len(nodes):  # what came before is not told
            raise UserError(f"Fewer than {len(nodes):,} tokens can be gone back at once: /rewind N with a smaller N.")
        self.do(lambda: self.chat.rewind(nodes[left - 1] if left > 0 else 0))
        self._say(f"The memory is {self.chat.memory_age:,} tokens old. {_ending(self.turns)}")

    def branches(self) -> None:
        """Print the tree."""
        rows: list[Message] = [{"number": number} | row for number, row in enumerate(self.rows, 1)]
        lines = [
            f"{'*' if row['here'] else ' '}{row['number']:4}  {'  ' * row['depth']}{NAMES[row['role']]}: {row['text']}" for row in rows
        ]
        self.show({"type": "branches", "rows": rows}, lines)
        if not rows:
            self._say("Nothing has been said yet.")

    def switch(self, number: str) -> None:
        """Go to a branch by its number in the tree."""
        row = _whole(number)
        if row is None or not 1 <= row <= len(self.rows):
            raise UserError("Choose a number that /branches shows: /switch N.")
        self.do(lambda: self.chat.switch(self.rows[row - 1]["node"]))
        self._say(_ending(self.turns))

    def check(self, value: str = "on") -> None:
        """Say of every answer how chip and host get on in it, or no longer."""
        if value not in ("", "on", "off"):
            raise UserError("Say whether chip and host are to be compared: /check on, or /check off.")
        self.do(lambda: self.chat.check(value != "off"))

    def show(self, said: Message, lines: list[str]) -> None:
        """Print what was asked for: the message `said` as JSON, or the `lines`."""
        if self._as_json:
            json_line(said, self._partner.identity)
        elif lines:
            print("\n".join(map(_shown, lines)), flush=True)

    def do(self, action: Callable[[], None]) -> None:
        """Ask the chat for something that is no answer, and show what it says until that is done. UserError where it cannot be done."""
        self._ask(action)
        self._settle()

    def _ask(self, action: Callable[[], None]) -> None:
        self._complaint = ""
        action()
        if self.stopped:
            self.chat.stop()

    def _settle(self) -> None:
        """Everything that was asked for is done. UserError where some of it could not be."""
        self.chat.tree()
        self._hear("tree")
        if self._complaint:
            raise UserError(self._complaint)

    def _hear(self, event: str) -> None:
        """Show what the chat says up to this event."""
        while True:
            try:
                message = self._messages.get(timeout=HEARS_S)
            except queue.Empty:
                continue
            if isinstance(message, BaseException):
                raise message
            match message.get("event", message["type"]):
                case "token":
                    self._tokens.append(message)
                    if not self._as_json:
                        print(_shown(message["text"]), end="", flush=True)
                case "notice" if message["level"] == "error":
                    self._complaint = message["sentence"]
                case "notice":
                    self._say(message["sentence"])
                case "started":
                    self._begun = True
                case "path":
                    self.turns = merge(self.turns, message)
                case "done":
                    self._done = message
                case "tree":
                    self.rows = message["rows"]
            if message.get("event") == event:
                return

    def _answer(self, action: Callable[[], None], text: str | None = None) -> None:
        if self.interactive and text and (sentence := doubtful(text, self.chat.doubts(text))):
            self._say(sentence)
        self._tokens, self._begun = [], False
        self._ask(action)
        self._hear("done")
        if self._begun:
            self._hear("path")
        self._settle()
        done = self._done
        speed = round(done["tokens"] / done["seconds"], 1) if done["seconds"] else 0.0
        if self._as_json:
            answer = self.turns[-1]["text"].strip() if done["read"] and self.turns and self.turns[-1]["role"] == "model" else ""
            said: Message = {"type": "answer", "prompt": text, "text": answer, "runtime": self._partner.backend(), "read": done["read"]}
            said |= {name: done[name] for name in ("tokens", "seconds", "first_token_ms", "reason", "seed", "host")}
            said |= {"tokens_per_s": speed, "memory_age": self.chat.memory_age}
            said |= work(self._tokens)
            if self._figures:
                said |= figures_of(self._tokens, text or "", self.chat.doubts(text or ""))
            json_line(said, self._partner.identity)
            return
        print(flush=True)
        if done["host"]:
            self._say(readable(done["host"]))
        if self.interactive:
            if not done["read"]:
                self._say("The prompt had not been read: the conversation is as it was.")
            seconds = f"{done['tokens']} tokens, {speed:,.0f} tokens/s, first after {done['first_token_ms']:.1f} ms"
            self._say(f"{seconds}, memory {self.chat.memory_age:,} tokens, seed {done['seed']}, {done['reason']}")

    def _say(self, sentence: str) -> None:
        sentence = _shown(sentence)
        _tell(f"\033[2m{sentence}\033[0m" if sys.stderr and sys.stderr.isatty() else sentence)


def _tell(line: str) -> None:
    """Print to stderr, if there is one: `print` would take stdout where the shell closed it."""
    if sys.stderr:
        print(line, file=sys.stderr)


def _whole(text: str) -> int | None:
    """The number that was typed, at most `MAX_SEED`; None where it is none."""
    number = int(text) if text.isdecimal() and len(text) <= len(str(MAX_SEED)) else -1
    return number if 0 <= number <= MAX_SEED else None


def _shown(text: str) -> str:
    """`text` as a terminal may have it: a model writes whatever its vocabulary holds, which may be somebody else's."""
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def _ending(turns: list[Message]) -> str:
    """Where the conversation stands."""
    return f"It ends with: {NAMES[turns[-1]['role']]}: {turns[-1]['text'].strip()[-60:]}" if turns else "It is empty."


def _preset(terminal: Terminal, name: str) -> None:
    if name not in PRESETS:
        raise UserError(f"There is no preset {name!r}: choose one of {', '.join(PRESETS)}.")
    how = replace(PRESETS[name], seed=terminal.settings.sampling.seed)
    terminal.settings = replace(terminal.settings, sampling=how)


def _set(terminal: Terminal, what: str) -> None:
    name, _, value = what.partition(" ")
    if name:
        terminal.settings = terminal.settings.changed(name, value.strip())
    else:
        how = terminal.settings.sampling
        values: dict[str, Any] = {name: getattr(how, name) for name in how.__dataclass_fields__} | {"tokens": terminal.settings.tokens}
        shown = "  ".join(f"{name} {value if name in WHOLE else format(value, '.12g')}" for name, value in values.items())
        terminal.show({"type": "settings"} | values, [shown])


def _path(what: str) -> Path:
    if not what:
        raise UserError("Name a file: what ends in .json can be loaded again, anything else becomes plain text.")
    try:
        return Path(what).expanduser()
    except (RuntimeError, ValueError):  # ValueError: a name with a NUL in it
        raise UserError(f"There is no home folder of {_shown(what.partition('/')[0])!r} here: name the file by its whole path.") from None


def _help(terminal: Terminal, what: str) -> None:
    known = [{"name": name, "argument": argument, "meaning": meaning} for name, (argument, meaning, _) in COMMANDS.items()]
    lines = [f"  /{one['name'] + ' ' + one['argument']:22} {one['meaning']}" for one in known]
    terminal.show({"type": "help", "commands": known}, lines)


COMMANDS: dict[str, tuple[str, str, Callable[[Terminal, str], None]]] = {
    "regenerate": (
        "[SEED]",
        "the last answer anew, with this seed, else with one that it was not written with",
        lambda terminal, what: terminal.regenerate(what),
    ),
    "continue": ("", "write on where the conversation stands", lambda terminal, what: terminal.proceed()),
    "edit": ("TEXT", "ask this in place of the last prompt", lambda terminal, what: terminal.edit(what)),
    "rewind": ("N", "go back N tokens, whoever said them", lambda terminal, what: terminal.rewind(what)),
    "branches": ("", "all turns of all branches; * is the conversation now", lambda terminal, what: terminal.branches()),
    "switch": ("N", "go to the branch with this number", lambda terminal, what: terminal.switch(what)),
    "clear": ("", "forget everything", lambda terminal, what: terminal.do(terminal.chat.clear)),
    "export": ("FILE", "save: all as .json, or what was said as text", lambda t, what: t.do(lambda: t.chat.export(_path(what)))),
    "load": ("FILE", "take up a conversation that was saved as .json", lambda t, what: t.do(lambda: t.chat.load(_path(what)))),
    "preset": ("NAME", f"settings by name: {', '.join(PRESETS)}", _preset),
    "set": ("[KEY VALUE]", "change a setting, or show them", _set),
    "check": ("on|off", "say how far chip and host agree, and where they differ", lambda terminal, what: terminal.check(what)),
    "help": ("", "this", _help),
    "quit": ("", "end, as Ctrl-D does", lambda terminal, what: None),
}


def talk(terminal: Terminal, interactive: bool) -> int:
    """Lines from stdin until it ends; the exit code: from a script a line that could not be done makes it partial, and the rest is done.

    KeyboardInterrupt where Ctrl-C ends it (`app.commands.terminal_input`).
    """
    terminal.interactive = interactive
    code = 0
    if interactive:
        _tell(WELCOME)
    with Input(interactive, terminal.stop) as typed:
        for line in typed.lines():
            if line == "/quit":
                break
            terminal.stopped = False
            try:
                _carry_out(terminal, line)
            except UserError as error:
                _tell(f"egret: {error}")
                code = 0 if interactive else PARTIAL  # a person has seen it, and gone on
    return code


def _carry_out(terminal: Terminal, line: str) -> None:
    if not line.startswith("/"):
        terminal.ask(line)
        return
    name, _, what = line[1:].partition(" ")
    if name not in COMMANDS:
        raise UserError(f"There is no command /{name}: /help tells them.")
    COMMANDS[name][2](terminal, what.strip())
