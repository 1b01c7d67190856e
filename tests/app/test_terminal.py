"""Promises of the chat in a terminal that need no process of their own: odd input is a sentence, odd output stays text."""

import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.commands.terminal import Settings, Terminal, _carry_out, talk
from app.engine.chat import Chat
from app.engine.partner import Partner
from models.inference import Stream
from models.sampling import MAX_SEED, Sampling
from pipeline.errors import UserError
from tests.app.engine.talks import PROGRAM, Endless
from tests.models.letters import Letters


def partner(text: Any = None) -> Partner:
    """A small network that never ends its turn."""

    def chat(on_message: Callable[..., None], on_crash: Callable[..., None]) -> Chat:
        return Chat(Endless(PROGRAM), text or Letters(), on_message, on_crash)

    return Partner({"name": "test", "hash": "1"}, chat, lambda: "host", lambda: None)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with Terminal(partner(), Settings(Sampling(top_k=0), 3), as_json=False) as one:
        yield one


def test_a_prompt_of_bytes_that_are_no_text_is_answered(capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal(partner(), Settings(Sampling(top_k=0), 3), as_json=True) as one:
        one.ask("a\udcffb")  # what Python makes of the byte FF in an argument
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["prompt"] == "a?b"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (f"/regenerate {MAX_SEED + 1}", "/regenerate [SEED]"),
        ("/regenerate 99999999999999999999", "/regenerate [SEED]"),
        ("/regenerate " + "9" * 5000, "/regenerate [SEED]"),
        ("/rewind " + "9" * 5000, "/rewind N"),
        ("/switch " + "9" * 5000, "/switch N"),
    ],
)
def test_a_number_that_is_far_too_large_is_one_sentence(terminal: Terminal, line: str, sentence: str) -> None:
    terminal.ask("hello")
    with pytest.raises(UserError, match=re.escape(sentence)):
        _carry_out(terminal, line)


def test_after_the_last_seed_comes_the_first(terminal: Terminal) -> None:
    terminal.ask("hello")
    terminal.regenerate(str(MAX_SEED))
    terminal.regenerate()
    assert terminal._done["seed"] == 0


def test_a_line_of_bytes_that_are_no_text_is_a_prompt_too(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\xff\xfeb\nhello\n"), "utf-8"))
    talk(terminal, interactive=False)
    assert [turn["role"] for turn in terminal.turns] == ["user", "model"] * 2
    assert len(capsys.readouterr().out.splitlines()) == 2


class Steering(Letters):
    """A vocabulary whose every token would clear the screen."""

    def stream(self) -> Stream:
        return self

    def feed(self, token: int) -> str:
        return "\x1b[2J\x9b\r\ta"


def test_a_vocabulary_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal(partner(Steering()), Settings(Sampling(top_k=0), 3), as_json=False) as one:
        one.ask("hello")
        _carry_out(one, "/branches")
        _carry_out(one, "/rewind 1")
    shown = "".join(capsys.readouterr())
    assert "[2J" in shown
    assert set(shown) & set(map(chr, (*range(32), *range(127, 160)))) == {"\n", "\t"}
