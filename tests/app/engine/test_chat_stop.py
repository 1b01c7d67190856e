"""Promises of the chat about the order of things: Stop stops at once, whatever waits, and a window that attaches hears it all."""

import time
from collections.abc import Callable

import numpy as np
import pytest

from app.engine.chat import MAX_WAITING
from pipeline.errors import UserError
from tests.app.engine.talks import PROGRAM, Endless, Slow, Talk, prompt


def test_stop_ends_an_answer_even_while_the_network_is_in_a_step(talk: Callable[..., Talk]) -> None:
    network = Slow()
    one = talk(network)
    one.chat.ask(prompt("abc"))
    one.until("started")
    network.may_step.release(8)  # the prompt, and two tokens
    one.until("token")
    one.until("token")
    assert one.chat.busy
    one.chat.stop()
    assert not one.chat.busy
    assert one.until("done")["reason"] == "stopped"
    network.may_step.release(100)
    path = one.settle()
    assert sum(message["type"] == "token" for message in one.said) == 2
    assert len(path["turns"][1]["pieces"]) == 3
    fresh = Endless(PROGRAM)
    for node in list(one.chat._conversation.memory.back())[::-1]:
        scores = fresh.step(node.token)
    assert np.array_equal(one.chat._conversation.scores(), scores)


def test_a_prompt_that_is_stopped_while_it_is_read_was_not_said(talk: Callable[..., Talk]) -> None:
    network = Slow()
    one = talk(network)
    one.chat.ask(prompt("abcdefgh"))
    one.until("started")
    network.may_step.release(4)
    while network.steps < 4:
        time.sleep(0.001)
    one.chat.stop()
    done = one.until("done")
    assert (done["reason"], done["read"], done["prompt"]) == ("stopped", False, "abcdefgh")
    network.may_step.release(100)
    assert one.settle()["kept"] == 0 and one.texts() == []
    one.chat.ask(prompt("abcd"))
    assert one.until("done")["read"]
    assert one.texts()[0] == ("user", "abcd")


@pytest.mark.parametrize("kind", ["ask", "edit", "regenerate"])
def test_what_is_stopped_before_it_is_read_leaves_the_conversation_where_it_stood(talk: Callable[..., Talk], kind: str) -> None:
    network = Slow()
    one = talk(network)
    network.may_step.release(100)
    for text in ("hello", "what"):
        one.chat.ask(prompt(text))
    before = one.settle()
    while network.may_step.acquire(blocking=False):
        pass
    wishes = {
        "ask": lambda: one.chat.ask(prompt("why")),
        "edit": lambda: one.chat.edit(prompt("why"), before["turns"][0]["node"]),
        "regenerate": lambda: one.chat.regenerate(prompt(), before["turns"][1]["node"]),
    }
    wishes[kind]()
    one.until("started")
    one.chat.stop()
    done = one.until("done")
    network.may_step.release(1000)
    after = one.settle()
    assert done["read"] == (kind == "regenerate")  # where there was nothing to read
    assert (after["turns"], after["kept"], after["memory_age"]) == (before["turns"], before["kept"], before["memory_age"])


def test_prompts_wait_in_line_up_to_a_number_and_stop_drops_them(talk: Callable[..., Talk]) -> None:
    network = Slow()
    one = talk(network)
    one.chat.ask(prompt("first"))
    one.until("started")
    for _ in range(MAX_WAITING):
        one.chat.ask(prompt("later"))
    with pytest.raises(UserError, match="wait"):
        one.chat.ask(prompt("too much"))
    one.chat.stop()
    for _ in range(1 + MAX_WAITING):  # at once, while the network is still in its step
        assert one.until("done")["reason"] == "stopped"
    network.may_step.release(1000)
    assert one.texts() == []
    assert sum(message.get("event") == "started" for message in one.said) == 1


def test_whatever_moves_the_conversation_stops_the_answer_first(talk: Callable[..., Talk]) -> None:
    network = Slow()
    one = talk(network)
    one.chat.ask(prompt("first"))
    one.until("started")
    one.chat.rewind(0)
    assert one.until("done")["reason"] == "stopped"
    network.may_step.release(1000)
    assert one.texts() == []
    one.chat.ask(prompt("second"))
    assert [text for role, text in one.texts() if role == "user"] == ["second"]


def test_a_window_that_attaches_is_told_what_has_been_said_so_far(talk: Callable[..., Talk]) -> None:
    network = Slow()
    one = talk(network)
    network.may_step.release(8)
    one.chat.ask(prompt("abc"))
    for _ in range(2):
        one.until("token")
    user, model = one.chat.newest()
    assert (user["text"], model["done"], len(model["pieces"])) == ("abc", False, 2)
    one.chat.stop()
    assert one.chat.newest()[1]["reason"] == "stopped"
    network.may_step.release(100)
