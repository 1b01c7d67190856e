"""What goes wrong in an answer costs the answer and one sentence, and nothing that was said before."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from app.engine.wishes import clean
from app.protocol import decode, encode
from models.conversation import Conversation
from tests.app.engine.talks import PROGRAM, Endless, Slow, Talk, prompt

HALF = "\ud800"
"""Of a surrogate pair: JSON can bring it, UTF-8 cannot write it."""


def test_a_prompt_that_utf_8_cannot_write_is_answered_with_a_mark_in_its_place(talk: Callable[..., Talk]) -> None:
    one = talk()
    one.chat.ask(prompt(f"a{HALF}b"))
    assert one.until("started")["prompt"] == "a?b"
    turn = one.settle()["turns"][0]
    one.chat.edit(prompt(f"{HALF}c"), turn["node"])
    assert one.until("started")["prompt"] == "?c"
    assert one.chat.doubts(HALF) == one.chat.doubts("?")


def test_what_is_sent_on_can_always_be_written() -> None:
    sentence = f"The file {HALF} is none: größer 🐦."
    assert decode(encode({"sentence": sentence}))["sentence"] == clean(sentence) == sentence.replace(HALF, "?")


def test_a_prompt_that_is_refused_or_stopped_leaves_the_answer_before_it_as_it_was(talk: Callable[..., Talk]) -> None:
    network = Slow()
    one = talk(network)
    network.may_step.release(11)  # hello with its markers, then three tokens
    one.chat.ask(prompt("hello", seed=3, tokens=3))
    one.settle()
    answer = one.chat._conversation.memory.head.answer
    assert answer and (answer.reason, answer.seed) == ("limit", 3)
    for ask in (one.chat.ask, one.chat.proceed):
        ask(prompt("why", seed=8))
        one.until("started")
        one.chat.stop()
        network.may_step.release(2)
        one.settle()
        assert one.chat._conversation.memory.head.answer is answer
    network.may_step.release(100)
    one.chat.ask(prompt("why", seed=8))
    assert [turn["reason"] for turn in one.settle()["turns"]] == ["", "limit", "", "limit"]
    assert one.chat.newest()[1]["seed"] == 3


def test_an_answer_that_goes_on_ends_in_one_place(talk: Callable[..., Talk]) -> None:
    one = talk()
    one.chat.ask(prompt("hello", tokens=3))
    one.settle()
    one.chat.proceed(prompt(tokens=3))
    one.settle()
    assert [node.answer is not None for node in one.chat._conversation.memory.back()][:4] == [True, False, False, False]


def test_stopping_in_a_token_that_another_answer_has_too_goes_back_to_what_was_told(talk: Callable[..., Talk]) -> None:
    network = Slow()
    one = talk(network)
    network.may_step.release(11)
    one.chat.ask(prompt("hello", tokens=3))
    first = one.settle()
    one.chat.rewind(first["turns"][1]["pieces"][0][0])
    one.chat.proceed(prompt(tokens=3))
    one.until("started")
    one.chat.stop()
    network.may_step.release(100)
    assert len(one.settle()["turns"][1]["pieces"]) == 1
    one.chat.switch(first["turns"][1]["node"])
    assert one.settle()["turns"][1] == first["turns"][1]


class Odd(Endless):
    """A network that comes to its end after the markers and one letter: with scores that make no sense, or in its state."""

    def __init__(self, score: float) -> None:
        super().__init__(PROGRAM)
        self.score = score

    def step(self, token: int) -> Any:
        scores = super().step(token)
        return scores if self.steps < 5 else np.full_like(scores, self.score)


@pytest.mark.parametrize(("score", "why"), [(-np.inf, "no token is left"), (np.nan, "no token is left"), (np.inf, "infinite")])
def test_scores_that_leave_no_token_end_the_answer_and_not_the_chat(talk: Callable[..., Talk], score: float, why: str) -> None:
    one = talk(Odd(score))
    one.chat.ask(prompt("a"))
    assert one.until("done")["reason"] == "error"
    assert why in one.until("notice")["sentence"]
    one.chat.clear()
    one.until("cleared")


def test_a_state_that_the_network_refuses_ends_the_answer_and_not_the_chat(
    talk: Callable[..., Talk], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = talk()
    one.chat.ask(prompt("hello"))
    one.settle()

    def refuse(conversation: Conversation) -> None:
        raise ValueError("the state is of another network")

    monkeypatch.setattr(Conversation, "scores", refuse)
    one.chat.proceed(prompt())
    assert "another network" in one.until("notice")["sentence"]
