"""Promises of the chat in a terminal: odd input is a sentence, odd output stays text, and Ctrl-C never ends what it should only stop."""

import io
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from screens import CTRL_C, CTRL_D, Screen

from app.commands.terminal import Settings, Terminal, _carry_out, talk
from app.commands.terminal_figures import doubtful
from app.engine.chat import Chat
from app.engine.models import Models
from app.engine.partner import Partner
from models.inference import Stream
from models.sampling import MAX_SEED, Sampling
from pipeline.errors import UserError
from tests.app.engine.talks import PROGRAM, Endless, Slow
from tests.models.letters import Letters


def partner(text: Any = None, network: Any = None) -> Partner:
    """A small network that never ends its turn."""

    def chat(on_message: Callable[..., None], on_crash: Callable[..., None]) -> Chat:
        return Chat(network or Endless(PROGRAM), text or Letters(), on_message, on_crash)

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


@pytest.mark.parametrize("command", ["/export", "/load"])
@pytest.mark.parametrize("path", ["~nosuchuser/said.json", "~nosuchuser", "~no\0user/said.json"])
def test_the_home_folder_of_nobody_is_one_sentence(terminal: Terminal, command: str, path: str) -> None:
    with pytest.raises(UserError, match="no home folder of '~no"):
        _carry_out(terminal, f"{command} {path}")


def test_in_a_long_conversation_as_many_tokens_are_gone_back_as_was_said_or_none(terminal: Terminal, tmp_path: Path) -> None:
    for _ in range(5):
        terminal.ask("a" * 1000)
    for line in (f"/export {tmp_path}/long.json", f"/load {tmp_path}/long.json"):
        _carry_out(terminal, line)
    age = terminal.chat.memory_age
    assert age > 5000
    with pytest.raises(UserError, match="smaller N"):
        _carry_out(terminal, "/rewind 4500")
    assert terminal.chat.memory_age == age
    for tokens in (3500, 1000):
        _carry_out(terminal, f"/rewind {tokens}")
    assert terminal.chat.memory_age == age - 4500


def test_after_the_last_seed_comes_the_first(terminal: Terminal) -> None:
    terminal.ask("hello")
    terminal.regenerate(str(MAX_SEED))
    terminal.regenerate()
    assert terminal._done["seed"] == 0


def test_an_answer_is_written_anew_with_a_seed_that_no_version_of_it_had(terminal: Terminal) -> None:
    terminal.ask("hello")
    for seed in ("", "7", "", ""):
        terminal.regenerate(seed)
    assert terminal._done["seed"] == 9
    _carry_out(terminal, "/switch 2")
    terminal.regenerate()
    assert terminal._done["seed"] == 10


def test_a_line_of_bytes_that_are_no_text_is_a_prompt_too(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\xff\xfeb\nhello\n"), "utf-8"))
    talk(terminal, interactive=False)
    assert [turn["role"] for turn in terminal.turns] == ["user", "model"] * 2
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize("seed", [7, 1_234_567, MAX_SEED])
def test_settings_that_are_whole_numbers_are_shown_whole(terminal: Terminal, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    for line in (f"/set seed {seed}", "/set tokens 2000", "/set temperature 0.123456789", "/set top-p 1", "/set"):
        _carry_out(terminal, line)
    shown = "temperature 0.123456789  top_k 0  seed {}  top_p 1  min_p 0  repetition_penalty 1  repetition_window 64  tokens 2000\n"
    assert capsys.readouterr().out == shown.format(seed)


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


def test_with_json_every_line_on_stdout_is_json_of_a_version_and_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal(partner(), Settings(Sampling(top_k=0), 3), as_json=True) as one:
        for line in ("/branches", "hello", "/branches", "/set", "/set seed 1234567", "/set", "/help", "/rewind 1", "/clear"):
            _carry_out(one, line)
    said = rows(capsys)
    assert all(row["version"] and row["model"] == {"name": "test", "hash": "1"} for row in said)
    assert [row["type"] for row in said] == ["branches", "answer", "branches", "settings", "settings", "help"]
    assert said[0]["rows"] == []
    assert [(row["number"], row["role"], row["here"]) for row in said[2]["rows"]] == [(1, "user", True), (2, "model", True)]
    assert (said[3]["seed"], said[4]["seed"], said[4]["tokens"], said[4]["top_p"]) == (0, 1_234_567, 3, 1.0)
    assert ("switch", "N") in [(command["name"], command["argument"]) for command in said[5]["commands"]]


def test_with_figures_json_tells_of_every_token_what_a_window_draws_under_it(capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal(partner(), Settings(Sampling(top_k=0), 3), as_json=True, figures=True) as one:
        one.ask("\N{CAT FACE} here")
        one.proceed()
    asked, continued = rows(capsys)
    assert "".join(token["text"] for token in asked["figures"]).strip() == asked["text"]
    assert len(asked["figures"]) == asked["tokens"] == len(continued["figures"]) == 3
    for said in (asked, continued):
        activities = [token["activity"] for token in said["figures"]]
        assert said["activity"] == pytest.approx(sum(activities) / 3, abs=1e-4)
        assert said["operations"] == round(sum(token["operations"] for token in said["figures"]) / 3)
        assert [(token["energy_uj"], token["chip"], token["agrees"]) for token in said["figures"]] == [(None, False, None)] * 3
    assert asked["doubts"] == [{"text": "\N{CAT FACE}", "start": 0, "stop": 1, "kind": "unknown", "pieces": 0}]
    assert continued["doubts"] == []


@pytest.mark.parametrize("interactive", [True, False])
def test_who_types_a_prompt_is_told_what_of_it_the_model_can_make_little_of(
    terminal: Terminal, interactive: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.interactive = interactive
    told = "Unknown to the model: “\N{CAT FACE}”, “H”.\n"
    for ask, text in ((terminal.ask, "\N{CAT FACE} Hi \N{CAT FACE}"), (terminal.edit, "hi \N{CAT FACE} H")):
        ask(text)
        assert capsys.readouterr().err.startswith(told) is interactive
    terminal.ask("hi")
    assert "Unknown" not in capsys.readouterr().err


def test_many_doubts_are_one_short_line() -> None:
    text = "x" * 50 + "".join(map(chr, range(0x4E00, 0x4E10)))
    doubts = [(50 + place, 51 + place, "unknown", 3) for place in range(16)] * 2 + [(0, 50, "rare", 20)]
    said = doubtful(text, doubts)
    assert said == f"Unknown to the model: {', '.join(f'“{one}”' for one in text[50:58])} and 8 more. Rare, spelled out: “{'x' * 31}…”."


# ---- Ctrl-C -------------------------------------------------------------------------------------------------------------------------

forks = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of Python 3.12: the child only becomes another program


@forks
def test_in_a_terminal_ctrl_c_stops_an_answer_or_drops_a_line_and_ctrl_d_ends() -> None:
    with Screen("--tokens", "2000", "--top-k", "0") as screen:
        screen.until(b"> ")
        for typed in (b"half a line" + CTRL_C, b"hello\n" + CTRL_C, b"/nosuch\n", b"/branches\n"):
            screen.type(typed)
            screen.prompt()
        screen.type(CTRL_D)
        assert screen.ended() == 0


@forks
def test_ctrl_c_while_a_long_conversation_is_taken_up_comes_back_to_the_one_before(tmp_path: Path) -> None:
    nodes = [[number, number - 1, 1000, "user", number == 1, None] for number in range(1, 20_001)]
    tree = {"root": 0, "begins_at_age": 0, "head": len(nodes), "nodes": nodes}
    long = tmp_path / "long.json"
    long.write_text(json.dumps({"type": "conversation", "model": Models().language_id, "tree": tree}))
    with Screen("--tokens", "4") as screen:
        screen.until(b"> ")
        screen.type(b"good morning\n")
        screen.prompt()
        screen.type(f"/load {long}\n".encode())
        screen.until(b"long.json\r\n")
        time.sleep(0.5)  # so that it is carried out by now, not typed any more; it takes some seconds
        screen.type(CTRL_C)
        screen.until(b"stopped")
        screen.prompt()
        screen.type(b"/branches\n")
        assert b"You: good morning" in screen.prompt()
        screen.type("a \N{CAT FACE} on a xylophonist\n".encode())
        shown = screen.prompt().decode()
        assert "\x1b[2mUnknown to the model: “\N{CAT FACE}”. Rare, spelled out: “xylophonist”.\x1b[0m" in shown
        screen.type(CTRL_D)
        assert screen.ended() == 0


class Pressed(Terminal):
    """Says that Ctrl-C was heard."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.heard = threading.Semaphore(0)

    def stop(self) -> None:
        super().stop()
        self.heard.release()


TWO = b"hello\ngood morning\n"
"""A script of two prompts."""


def talk_beside(hurry: Callable[[Pressed], None], network: Slow) -> None:
    """Talk with `network` while `hurry` runs in a thread of its own."""
    with Pressed(partner(network=network), Settings(Sampling(top_k=0), 3), True) as terminal:
        hurried = threading.Thread(target=hurry, args=[terminal])
        hurried.start()
        talk(terminal, interactive=False)
        hurried.join()


def press() -> None:
    """Ctrl-C."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def rows(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A pipe that is stdin; its other end."""
    out, into = os.pipe()
    with os.fdopen(out, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield into


def test_ctrl_c_once_more_while_a_step_of_a_stopped_answer_still_runs_changes_nothing(
    typed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = Slow()

    def hurry(terminal: Pressed) -> None:
        while not terminal.chat.busy:
            time.sleep(0.01)
        for _ in range(3):
            press()
            assert terminal.heard.acquire(timeout=20)
        slow.may_step.release(100)
        os.close(typed)

    os.write(typed, TWO)
    talk_beside(hurry, slow)
    assert [(said["prompt"], said["reason"]) for said in rows(capsys)] == [("hello", "stopped"), ("good morning", "limit")]


def test_an_answer_that_was_stopped_before_its_prompt_was_read_has_no_text_and_says_so(
    typed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = Slow()
    slow.may_step.release(11)  # an answer of three tokens to "hello", and the first token of the next prompt

    def hurry(terminal: Pressed) -> None:
        while slow.steps < 11:
            time.sleep(0.01)
        press()
        assert terminal.heard.acquire(timeout=20)
        slow.may_step.release(100)
        os.close(typed)

    os.write(typed, TWO)
    talk_beside(hurry, slow)
    first, second = rows(capsys)
    assert first["read"] and first["text"]
    assert (second["prompt"], second["read"], second["text"], second["tokens"]) == ("good morning", False, "", 0)
    assert second["memory_age"] == first["memory_age"]


def test_ctrl_c_just_before_an_answer_is_asked_for_stops_it(typed: int, capsys: pytest.CaptureFixture[str]) -> None:
    class Early(Terminal):
        def ask(self, text: str) -> None:
            if text == "hello":
                signal.raise_signal(signal.SIGINT)
            super().ask(text)

    os.write(typed, TWO)
    with Early(partner(), Settings(Sampling(top_k=0), 3), True) as terminal:
        closing = threading.Timer(1, os.close, [typed])
        closing.start()
        talk(terminal, interactive=False)
        closing.join()
    assert [said["reason"] for said in rows(capsys)] == ["stopped", "limit"]


def test_ctrl_c_ends_a_script_that_is_there_already_after_the_answer_that_it_stops(typed: int, capsys: pytest.CaptureFixture[str]) -> None:
    class Early(Terminal):
        def ask(self, text: str) -> None:
            signal.raise_signal(signal.SIGINT)
            super().ask(text)

    os.write(typed, b"hello\n" * 3)
    os.close(typed)
    with Early(partner(), Settings(Sampling(top_k=0), 3), True) as terminal, pytest.raises(KeyboardInterrupt):
        talk(terminal, interactive=False)
    assert [said["reason"] for said in rows(capsys)] == ["stopped"]


def test_ctrl_c_ends_a_script_that_is_waited_for(typed: int) -> None:
    with Terminal(partner(), Settings(Sampling(top_k=0), 3), True) as terminal:
        late = threading.Timer(0.5, press)
        late.start()
        with pytest.raises(KeyboardInterrupt):
            talk(terminal, interactive=False)
    os.close(typed)


def test_the_end_of_the_input_ends_a_line_and_a_line_without_an_end_takes_no_memory(typed: int, capsys: pytest.CaptureFixture[str]) -> None:
    def pour() -> None:
        for _ in range(1000):
            os.write(typed, b"a" * 4096)
        os.write(typed, b"\nhello")
        os.close(typed)

    pouring = threading.Thread(target=pour)
    pouring.start()
    with Terminal(partner(), Settings(Sampling(top_k=0), 3), True) as terminal:
        talk(terminal, interactive=False)
    pouring.join()
    assert [len(said["prompt"]) for said in rows(capsys)] == [20_000, 5]
