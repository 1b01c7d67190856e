"""A conversation goes into a file and comes back out of it; a file that is none costs a sentence."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.app.engine.talks import PROGRAM, Endless, Slow, Talk, prompt
from tests.models.letters import BOT

ANSWER = {"reason": "end", "seed": 3, "seconds": 1.0}
WRONG: tuple[dict[str, Any], ...] = (
    {"seed": float("inf")},
    {"seed": -1},
    {"seed": 10**30},
    {"seconds": 10**400},
    {"seconds": float("nan")},
    {"reason": "bored"},
    {"more": 1},
)


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
        *(
            lambda said, wrong=wrong: said | {"tree": said["tree"] | {"nodes": [[1, 0, 4, "user", True, ANSWER | wrong]]}}
            for wrong in WRONG
        ),
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


def test_a_conversation_is_taken_up_with_energies_and_with_its_versions_in_order(talk: Callable[..., Talk], tmp_path: Path) -> None:
    energy = {"energy": lambda operations, activity: 1.5}
    one, two = talk(**energy), talk(**energy)
    one.chat.ask(prompt("hello"))
    for _ in range(11):
        one.settle()
        one.chat.regenerate(prompt())
    one.settle()
    one.chat.export(tmp_path / "said.json")
    before = one.settle()["turns"][1]
    two.chat.load(tmp_path / "said.json")
    after = two.settle()["turns"][1]
    assert [before["versions"].index(before["node"]), after["versions"].index(after["node"])] == [11, 11]
    assert {piece[4] for piece in after["pieces"]} == {1.5}


def test_taking_up_that_is_stopped_leaves_the_conversation_as_it_was(talk: Callable[..., Talk], tmp_path: Path) -> None:
    network = Slow()
    one, two = talk(network), talk(Endless(PROGRAM))
    network.may_step.release(1000)
    two.chat.ask(prompt("what", tokens=30))
    two.chat.export(tmp_path / "said.json")
    two.settle()
    one.chat.ask(prompt("hello"))
    before = one.settle()
    while network.may_step.acquire(blocking=False):
        pass
    one.chat.load(tmp_path / "said.json")
    network.may_step.release(3)
    while network.may_step._value:
        time.sleep(0.001)
    assert one.chat.busy
    one.chat.stop()
    network.may_step.release(1000)
    assert "the conversation is as it was" in one.until("notice")["sentence"]
    assert one.settle()["turns"] == before["turns"]
    assert not one.chat.busy
    one.chat.proceed(prompt(seed=5))
    again = talk()
    again.chat.ask(prompt("hello"))
    again.chat.proceed(prompt(seed=5))
    assert one.texts() == again.texts()


@pytest.mark.parametrize("path", ["/", ".", "", "a\0b.json", "there"])
def test_a_place_where_nothing_can_be_saved_is_one_notice_and_leaves_nothing_behind(
    talk: Callable[..., Talk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    one = talk()
    one.chat.export(Path(path))
    assert "cannot be saved" in one.until("notice")["sentence"]
    one.chat.ask(prompt("hello"))
    assert [role for role, _ in one.texts()] == ["user", "model"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["there"]


@pytest.mark.parametrize("kind", ["device", "pipe", "folder", "nothing", "nul"])
def test_what_is_not_a_file_is_neither_waited_for_nor_read_without_end(talk: Callable[..., Talk], tmp_path: Path, kind: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    places = {"device": Path("/dev/zero"), "folder": tmp_path, "nul": Path("a\0b")}
    one = talk()
    one.chat.load(places.get(kind, tmp_path / kind))
    assert one.until("notice")["level"] == "error"


def test_a_conversation_that_ends_in_a_visitors_turn_is_taken_up_with_what_opens_the_answer(
    talk: Callable[..., Talk], tmp_path: Path
) -> None:
    one, two = talk(), talk()
    one.chat.ask(prompt("hello"))
    one.chat.rewind(one.settle()["turns"][0]["node"])
    one.chat.export(tmp_path / "said.json")
    one.settle()
    two.chat.load(tmp_path / "said.json")
    for chat in (one, two):
        chat.chat.proceed(prompt(seed=5))
    assert one.texts() == two.texts()
    marker, *_ = two.chat._conversation.memory.turns()[-1].nodes
    assert marker.token == BOT


def test_no_place_of_a_conversation_that_was_forgotten_is_one_of_the_next(talk: Callable[..., Talk], tmp_path: Path) -> None:
    one = talk()
    seen: set[int] = set()
    for begin_anew in (lambda: None, one.chat.clear, lambda: one.chat.load(tmp_path / "said.json")):
        begin_anew()
        if not seen:
            one.chat.ask(prompt("hello"))
            one.chat.export(tmp_path / "said.json")
        nodes = {piece[0] for turn in one.settle()["turns"] for piece in turn["pieces"]}
        assert not nodes & seen
        seen |= nodes
    one.chat.edit(prompt("why"), min(seen))
    assert "given up" in one.until("notice")["sentence"]
