"""Promises of the chat: what wishes do to the conversation, in what order, and that Stop stops."""

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.engine.chat import MAX_WAITING, Chat
from app.engine.telling import merge
from app.engine.wishes import Prompt
from app.protocol import Message
from models.chip import failover, firmware, integer, placement
from models.chip.runtime import emulated
from models.sampling import Sampling
from pipeline.errors import UserError
from tests.models.chip import programs as make
from tests.models.letters import BOT, END, SIZE, USER, Letters

PROGRAM = make.program(2, "language", [20, 12], outputs=SIZE, inputs=16)
OTHER = make.program(3, "language", [20, 12], outputs=SIZE, inputs=16)
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
        self.chat.tree()
        self.until("tree")
        turns: list[Message] = []
        for message in self.said:
            if message.get("event") == "path":
                turns = merge(turns, message)
                newest = message
        return newest | {"turns": turns}

    def texts(self) -> list[tuple[str, str]]:
        return [(turn["role"], turn["text"]) for turn in self.settle()["turns"]]


@pytest.fixture
def talk() -> Iterator[Callable[..., Talk]]:
    talks: list[Talk] = []

    def start(network: Any = None, **options: Any) -> Talk:
        talks.append(Talk(network or Endless(PROGRAM), **options))
        return talks[-1]

    yield start
    for one in talks:
        assert one.chat.close()
        assert not one.failures


def prompt(text: str = "", seed: int = 3, tokens: int = 6) -> Prompt:
    return Prompt(text, Sampling(HOW.temperature, HOW.top_k, seed), tokens)


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
    one.chat.regenerate(prompt(seed=4))
    again = one.settle()
    assert again["turns"][1]["text"] == second["turns"][1]["text"]
    assert again["kept"] == second["kept"]


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


def test_stop_while_a_prompt_is_read_leaves_what_was_read(talk: Callable[..., Talk]) -> None:
    network = Slow()
    one = talk(network)
    one.chat.ask(prompt("abcdefgh"))
    one.until("started")
    network.may_step.release(4)
    while network.steps < 4:
        time.sleep(0.001)
    one.chat.stop()
    assert one.until("done")["reason"] == "stopped"
    network.may_step.release(100)
    assert one.texts() == [("user", "ab")]


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


def test_an_exported_conversation_can_be_taken_up_with_its_branches(talk: Callable[..., Talk], tmp_path: Path) -> None:
    one, two = talk(), talk()
    for text in ("hello", "what"):
        one.chat.ask(prompt(text))
    one.settle()
    one.chat.regenerate(prompt(seed=9))
    one.chat.export(tmp_path / "said.json")
    one.chat.export(tmp_path / "said.txt")
    before = one.settle()
    two.chat.load(tmp_path / "said.json")
    after = two.settle()
    assert two.texts() == one.texts()
    assert after["kept"] == before["kept"]
    assert [len(turn["versions"]) for turn in after["turns"]] == [len(turn["versions"]) for turn in before["turns"]]
    plain = (tmp_path / "said.txt").read_text()
    assert plain.splitlines() == [f"{'You' if role == 'user' else 'Egret'}: {text.strip()}" for role, text in one.texts()]
    for chat in (one, two):
        chat.chat.proceed(prompt(seed=5))
    assert one.texts() == two.texts()


@pytest.mark.parametrize(
    "damage",
    [
        lambda said: "no JSON",
        lambda said: "[" * 100_000,
        lambda said: said | {"type": "other"},
        lambda said: said | {"model": {"name": "other", "hash": "2"}},
        lambda said: said | {"tree": said["tree"] | {"head": 10_000}},
        lambda said: said | {"tree": said["tree"] | {"nodes": [[1, 0, 10**9, "user", True, None]]}},
        lambda said: said | {"tree": said["tree"] | {"nodes": [[1, 7, 4, "user", True, None]]}},
        lambda said: said | {"tree": said["tree"] | {"nodes": [[1, 0, 4]]}},
        lambda said: said | {"tree": said["tree"] | {"nodes": [[1, 0, 4, "user", True, {"reason": 1}]]}},
        lambda said: said | {"tree": said["tree"] | {"nodes": [[1, 0, [4], [], True, None]]}},
        lambda said: {key: value for key, value in said.items() if key != "tree"},
    ],
)
def test_a_file_that_is_no_conversation_is_refused_and_the_present_one_kept(
    talk: Callable[..., Talk], tmp_path: Path, damage: Callable[[Any], Any]
) -> None:
    one = talk()
    one.chat.ask(prompt("hello"))
    one.chat.export(tmp_path / "said.json")
    before = one.texts()
    damaged = damage(json.loads((tmp_path / "said.json").read_text()))
    (tmp_path / "damaged.json").write_text(damaged if isinstance(damaged, str) else json.dumps(damaged))
    one.chat.load(tmp_path / "damaged.json")
    assert "no conversation that can be taken up" in one.until("notice")["sentence"]
    assert one.texts() == before


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


def test_beside_the_host_the_first_token_that_differs_is_named(talk: Callable[..., Talk]) -> None:
    same, other = talk(host=lambda: Endless(PROGRAM)), talk(host=lambda: Endless(OTHER))
    for one in (same, other):
        one.chat.check(True)
        one.chat.ask(prompt("hello", tokens=12))
        one.settle()
    done = next(message for message in same.said if message.get("event") == "done")
    assert done["host"]["difference"] is None
    assert done["host"]["text"] == same.texts()[1][1]
    assert all(message["agrees"] for message in same.said if message["type"] == "token")
    done = next(message for message in other.said if message.get("event") == "done")
    agreed = [message["agrees"] for message in other.said if message["type"] == "token"]
    assert done["host"]["difference"] == agreed.index(False)
    assert not any(agreed[agreed.index(False) :])
    same.chat.check(False)
    same.chat.ask(prompt("hello"))
    assert same.settle()["turns"][-1]["reason"] == "limit"
    assert [message for message in same.said if message.get("event") == "done"][-1]["host"] is None


def test_what_the_model_can_make_little_of_is_told_while_it_is_typed(talk: Callable[..., Talk]) -> None:
    assert talk().chat.doubts("a7b") == [(1, 2, "unknown", 0)]


def test_the_runtimes_energy_goes_with_every_token(talk: Callable[..., Talk]) -> None:
    one = talk(energy=lambda operations, activity: operations * 1e-3)
    one.chat.ask(prompt("hello"))
    one.settle()
    tokens = [message for message in one.said if message["type"] == "token"]
    assert all(message["energy_uj"] == pytest.approx(message["operations"] * 1e-3, abs=1e-3) for message in tokens)
