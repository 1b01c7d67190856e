"""Promises of the chat: what wishes do to the conversation, and what is told of it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from app.engine.compared import readable
from app.protocol import Message
from models.chip import failover, firmware, integer, placement
from models.chip.runtime import emulated
from models.sampling import MAX_SEED
from pipeline.errors import UserError
from tests.app.engine.talks import PROGRAM, Slow, Talk, prompt
from tests.models.letters import BOT, END, USER, Letters


def test_an_answer_is_started_streamed_and_done_and_then_the_path_is_told(talk: Callable[..., Talk]) -> None:
    one = talk()
    one.chat.ask(prompt("hello"))
    one.settle()
    events = [message.get("event", message["type"]) for message in one.said]
    assert events == ["started", *["token"] * 6, "done", "path", "tree"]
    pieces = [message for message in one.said if message["type"] == "token"]
    assert [message["index"] for message in pieces] == list(range(6))
    path = one.settle()
    user, model = path["turns"]
    assert (user["text"], model["text"]) == ("hello", "".join(message["text"] for message in pieces))
    assert [piece[0] for piece in model["pieces"][1:]] == [message["node"] for message in pieces]
    assert path["memory_age"] == one.chat.memory_age == len(user["pieces"]) + len(model["pieces"])
    assert (model["reason"], model["seed"]) == ("limit", 3)


def test_regenerating_with_another_seed_makes_a_version_and_the_first_can_be_had_back(talk: Callable[..., Talk]) -> None:
    one = talk()
    one.chat.ask(prompt("hello"))
    first = one.settle()
    one.chat.regenerate(prompt(seed=4))
    second = one.settle()
    assert first["turns"][1]["text"] != second["turns"][1]["text"]
    assert len(second["turns"][1]["versions"]) == 2
    assert first["memory_age"] == second["memory_age"]
    one.chat.switch(second["turns"][1]["versions"][0])
    assert one.settle()["turns"][1]["text"] == first["turns"][1]["text"]


def test_an_answer_is_never_written_anew_with_the_seed_of_one_of_its_versions(talk: Callable[..., Talk]) -> None:
    one = talk()
    one.chat.ask(prompt("hello"))
    first = one.settle()["turns"][1]["node"]
    one.chat.regenerate(prompt(seed=3))
    assert one.settle()["turns"][1]["seed"] == 4
    one.chat.ask(prompt("what", seed=0))
    one.chat.regenerate(prompt(seed=3), first)
    path = one.settle()
    assert path["turns"][1]["seed"] == 5 and len(path["turns"][1]["versions"]) == 3
    one.chat.regenerate(prompt(seed=MAX_SEED))
    assert one.settle()["turns"][1]["seed"] == MAX_SEED
    one.chat.regenerate(prompt(seed=1))
    assert one.settle()["turns"][1]["seed"] == 0
    one.chat.regenerate(replace(prompt(seed=4), named_seed=True))
    assert one.settle()["turns"][1]["seed"] == 4


def test_an_order_that_makes_no_sense_moves_nothing(talk: Callable[..., Talk]) -> None:
    one = talk()
    one.chat.ask(prompt("hello"))
    before = one.settle()
    one.chat.regenerate(prompt(), 0)
    assert "nothing to answer yet" in one.until("notice")["sentence"]
    one.chat.proceed(prompt())
    after = one.settle()
    assert after["turns"][0] == before["turns"][0]
    assert after["turns"][1]["text"].startswith(before["turns"][1]["text"])


def test_an_answer_that_was_over_when_its_limit_came_is_known_to_be_and_goes_on_another_way(talk: Callable[..., Talk]) -> None:
    one = talk(Ends(PROGRAM))
    one.chat.ask(prompt("hello", tokens=4))
    assert one.settle()["turns"][1]["reason"] == "limit"
    one.chat.proceed(prompt())
    assert one.until("done")["tokens"] == 0
    assert one.settle()["turns"][1]["reason"] == "end"
    one.chat.proceed(prompt())
    assert one.until("done")["tokens"] > 0


class Ends(integer.LanguageNetwork):
    """A network that would end its turn after four tokens of its own, if nothing forbids it."""

    def step(self, token: int) -> Any:
        logits = super().step(token)
        logits[[END, USER, BOT]] = 1e6 if self.steps == len(Letters().prompt("hello", first=True)) + 4 else -np.inf
        return logits


def test_the_tree_is_told_while_an_answer_is_written(talk: Callable[..., Talk]) -> None:
    network = Slow()
    one = talk(network)
    one.chat.ask(prompt("hi", tokens=50))
    one.until("started")
    one.chat.tree()
    network.may_step.release(6)
    assert one.until("tree")["rows"]
    assert one.chat.busy
    network.may_step.release(1000)
    one.until("done")


def test_nothing_is_told_while_somebody_holds_the_chat_still(talk: Callable[..., Talk]) -> None:
    network = Slow()
    one = talk(network)
    one.chat.ask(prompt("hi"))
    one.until("started")
    with one.chat.still:
        network.may_step.release(1000)
        time.sleep(0.1)
        assert one.chat.newest()[-1]["pieces"] == []
    assert one.until("done")["tokens"]


def test_editing_asks_anew_after_the_same_past_and_keeps_the_other_branch(talk: Callable[..., Talk]) -> None:
    one, two = talk(), talk()
    for text in ("hello", "what"):
        one.chat.ask(prompt(text))
    before = one.settle()
    one.chat.edit(prompt("why"), before["turns"][2]["node"])
    for text in ("hello", "why"):
        two.chat.ask(prompt(text))
    assert one.texts() == two.texts()
    assert len(one.settle()["turns"][2]["versions"]) == 2
    one.chat.tree()
    rows = one.until("tree")["rows"]
    assert [(row["depth"], row["text"]) for row in rows if row["role"] == "user"] == [(0, "hello"), (2, "what"), (2, "why")]
    assert [row["here"] for row in rows] == [True, True, False, False, True, True]


def test_rewinding_to_any_token_and_going_on_is_as_if_the_rest_had_never_been(talk: Callable[..., Talk]) -> None:
    one = talk()
    for text in ("hello", "what"):
        one.chat.ask(prompt(text))
    whole = one.settle()
    for turn in whole["turns"]:
        for node in (turn["pieces"][0][0], turn["pieces"][-1][0]):
            one.chat.rewind(node)
            path = one.settle()
            assert path["turns"][-1]["pieces"][-1][0] == node
    one.chat.rewind(whole["turns"][1]["pieces"][3][0])
    one.chat.proceed(prompt(tokens=3))
    assert one.texts() == [(turn["role"], turn["text"]) for turn in whole["turns"][:2]]
    one.chat.rewind(0)
    assert one.settle()["turns"] == []


def test_continuing_says_more_even_where_the_answer_was_at_its_end(talk: Callable[..., Talk]) -> None:
    one = talk(integer.LanguageNetwork(PROGRAM))
    for seed in range(40):
        one.chat.clear()
        one.chat.ask(prompt("hello", seed, 100))
        if one.settle()["turns"][1]["reason"] == "end":
            break
    before = one.settle()["turns"][1]
    one.chat.proceed(prompt(seed=seed, tokens=1))
    after = one.settle()["turns"][1]
    assert before["reason"] == "end"
    assert after["text"].startswith(before["text"])
    assert len(after["pieces"]) == len(before["pieces"]) + 1


def test_what_cannot_be_done_is_one_notice_and_the_chat_goes_on(talk: Callable[..., Talk], tmp_path: Path) -> None:
    one = talk()
    one.chat.regenerate(prompt())
    assert "nothing to answer" in one.until("notice")["sentence"]
    one.chat.proceed(prompt())
    assert "nothing to answer" in one.until("notice")["sentence"]
    one.chat.rewind(999)
    assert "given up" in one.until("notice")["sentence"]
    one.chat.export(tmp_path / "nowhere" / "file.txt")
    assert "cannot be saved" in one.until("notice")["sentence"]
    with pytest.raises(UserError, match="on the host"):
        one.chat.check(True)
    one.chat.ask(prompt("hello"))
    assert [role for role, _ in one.texts()] == ["user", "model"]


def test_an_answer_is_told_without_the_conversation_before_it_and_what_a_new_window_hears_is_whole(talk: Callable[..., Talk]) -> None:
    one = talk()
    for number in range(5):
        one.chat.ask(prompt("hello", seed=number))
    whole = one.settle()
    told = [message for message in one.said if message.get("event") == "path"]
    assert [len(message["turns"]) for message in told] == [2] * 5
    assert [turn["text"] for turn in one.chat.newest()] == [turn["text"] for turn in whole["turns"]]
    one.chat.regenerate(prompt(seed=77), whole["turns"][3]["node"])
    path = one.settle()
    assert len(path["turns"]) == 4
    assert one.chat.newest() == path["turns"]
    one.chat.switch(whole["turns"][9]["node"])
    assert [turn["text"] for turn in one.settle()["turns"]] == [turn["text"] for turn in whole["turns"]]


def test_clearing_forgets_everything_and_begins_the_same_conversation_again(talk: Callable[..., Talk]) -> None:
    one = talk()
    one.chat.ask(prompt("hello"))
    first = one.settle()
    one.chat.clear()
    one.until("cleared")
    assert (one.chat.memory_age, one.settle()["kept"], one.chat.newest()) == (0, 0, [])
    one.chat.ask(prompt("hello"))
    assert one.settle()["turns"][1]["text"] == first["turns"][1]["text"]


def test_a_chip_that_is_lost_in_the_middle_of_a_conversation_takes_nothing_of_it_along(talk: Callable[..., Talk]) -> None:
    pytest.importorskip("unicorn", reason="the emulated chip needs the extra emulator")
    plan = placement.place([PROGRAM], firmware.image())
    process = emulated(plan)
    try:
        network = failover.LanguageNetwork(PROGRAM)
        network.attach(failover.on_chip(process, plan)[0])
        one, two = talk(network), talk(integer.LanguageNetwork(PROGRAM))
        for chat in (one, two):
            chat.chat.ask(prompt("ab", tokens=3))
            chat.settle()
        assert all(message["chip"] for message in one.said if message["type"] == "token")
        process.close()
        told = len(one.said)
        for chat in (one, two):
            chat.chat.ask(prompt("cd", tokens=3))
            path = chat.settle()
            chat.chat.regenerate(prompt(seed=8, tokens=3), path["turns"][1]["node"])
        assert one.settle() == two.settle()
        assert not any(message["chip"] for message in one.said[told:] if message["type"] == "token")
    finally:
        process.close()


@pytest.fixture
def on_chip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], failover.LanguageNetwork]]:
    """The network on an emulated chip with a fault."""
    pytest.importorskip("unicorn", reason="the emulated chip needs the extra emulator")
    processes = []

    def start(fault: str) -> failover.LanguageNetwork:
        monkeypatch.setenv("EGRET_FAULT", fault)
        plan = placement.place([PROGRAM], firmware.image())
        processes.append(emulated(plan, module="tests.models.chip.faulty_worker"))
        network = failover.LanguageNetwork(PROGRAM)
        network.attach(failover.on_chip(processes[-1], plan)[0])
        return network

    yield start
    for process in processes:
        process.close()


def compared(one: Talk, text: str = "hello") -> Message:
    """How chip and host got on in the answer to `text`."""
    one.chat.check(True)
    one.chat.ask(prompt(text, seed=5, tokens=4))
    one.settle()
    (done,) = (message for message in one.said if message.get("event") == "done")
    return cast(Message, done["host"])


@pytest.mark.parametrize("step", [3, 9], ids=["prompt", "answer"])
def test_where_the_chip_answers_wrongly_the_token_of_that_step_is_named_with_the_reason(
    talk: Callable[..., Talk], on_chip: Callable[[str], failover.LanguageNetwork], step: int
) -> None:
    one = talk(on_chip(f"state:{step}"))
    host = compared(one)
    nodes = [piece for turn in one.settle()["turns"] for piece in turn["pieces"]]
    tokens = [message for message in one.said if message["type"] == "token"]
    index = step - 1 - (len(nodes) - len(tokens))
    assert host["difference"] == {"node": nodes[step - 1][0], "text": nodes[step - 1][1], "index": index if index >= 0 else None}
    assert (host["agreed"], host["alone"]) == (step - 1, len(nodes) - step + 1)
    assert host["reason"] == "The emulated chip answered wrongly: the host comes to another result"
    assert [message["agrees"] for message in tokens] == [place != index for place in range(len(tokens))]
    assert "differ first" in readable(host) and host["reason"] in readable(host)


def test_where_the_chip_is_right_throughout_it_agrees_on_every_token_and_where_it_dies_nothing_differs(
    talk: Callable[..., Talk], on_chip: Callable[[str], failover.LanguageNetwork]
) -> None:
    one, other = talk(on_chip("state:1000")), talk(on_chip("stopped:4"))
    host = compared(one)
    assert host == {"agreed": one.chat.memory_age, "alone": 0, "reason": "", "difference": None}
    host = compared(other)
    assert (host["agreed"], host["alone"], host["difference"]) == (3, other.chat.memory_age - 3, None)
    assert "program stopped" in host["reason"] and host["reason"] in readable(host)
    one.chat.check(False)
    one.chat.ask(prompt("hello"))
    one.settle()
    assert [message for message in one.said if message.get("event") == "done"][-1]["host"] is None


def test_what_the_model_can_make_little_of_is_told_while_it_is_typed(talk: Callable[..., Talk]) -> None:
    assert talk().chat.doubts("a7b") == [(1, 2, "unknown", 0)]


def test_the_runtimes_energy_goes_with_every_token(talk: Callable[..., Talk]) -> None:
    one = talk(energy=lambda operations, activity: operations * 1e-3)
    one.chat.ask(prompt("hello"))
    one.settle()
    tokens = [message for message in one.said if message["type"] == "token"]
    assert all(message["energy_uj"] == pytest.approx(message["operations"] * 1e-3, abs=1e-3) for message in tokens)
