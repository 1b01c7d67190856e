"""Promises of the chat in a terminal that need no process of their own: odd input is a sentence, odd output stays text."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.commands.terminal import Settings, Terminal
from app.engine.chat import Chat
from app.engine.partner import Partner
from models.sampling import Sampling
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
