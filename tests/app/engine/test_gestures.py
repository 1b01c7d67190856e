"""Gestures that drive the chat: each acts once, and nothing happens until somebody asked for it."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.gestures import ACCEPT, CONFIRMED, LOOKED_AT, REGENERATE, RELEASED, STOP, Confirmation, GestureControl, Wanted
from app.engine.wishes import NOTHING, Prompt
from pipeline.errors import UserError

WAVE, CLAP, ROLL = "wave", "clap", "roll"
WANTED = Wanted(True, {CLAP: STOP, ROLL: REGENERATE, WAVE: ACCEPT}, ("hello", "good bye"))


def confirmed(labels: list[str]) -> list[tuple[int, str]]:
    confirmation = Confirmation()
    return [(index, found) for index, label in enumerate(labels) if (found := confirmation.feed(label))]


def test_a_gesture_acts_once_however_long_it_lasts() -> None:
    assert confirmed([WAVE] * 400) == [(CONFIRMED - 1, WAVE)]


def test_windows_that_are_read_otherwise_in_the_middle_of_a_gesture_do_not_make_it_two() -> None:
    labels = [WAVE] * 30 + [""] * (RELEASED - 1) + [WAVE] * 30 + [CLAP] * 3 + [WAVE] * 30
    assert [label for _, label in confirmed(labels)] == [WAVE]
    assert [label for _, label in confirmed([WAVE, WAVE, WAVE, ""] * 20)] == [WAVE]


def test_a_gesture_that_was_away_for_half_a_second_acts_again() -> None:
    assert [label for _, label in confirmed(([WAVE] * 30 + [""] * RELEASED) * 3)] == [WAVE] * 3


def test_what_is_seen_for_a_moment_does_nothing() -> None:
    assert confirmed(([WAVE] * (CONFIRMED - 1) + [""] * LOOKED_AT) * 10) == []


def test_another_gesture_acts_at_once() -> None:
    assert [label for _, label in confirmed([WAVE] * 20 + [CLAP] * 20)] == [WAVE, CLAP]


@given(st.lists(st.sampled_from(["", WAVE, CLAP]), max_size=300))
def test_between_two_acts_of_one_gesture_it_was_away_or_another_acted(labels: list[str]) -> None:
    acts = confirmed(labels)
    for (begun, first), (again, second) in itertools.pairwise(acts):
        if first == second:
            gap = "".join("x" if label == first else "." for label in labels[begun + 1 : again])
            assert "." * RELEASED in gap


@dataclass
class Recorder:
    """What a chat was asked for."""

    busy: bool = False
    memory_age: int = 0
    done: list[tuple[str, str, int]] = field(default_factory=list)

    def stop(self) -> None:
        self.done.append(("stop", "", 0))

    def ask(self, prompt: Prompt) -> None:
        self.done.append(("ask", prompt.text, prompt.sampling.seed))

    def regenerate(self, prompt: Prompt) -> None:
        self.done.append(("regenerate", prompt.text, prompt.sampling.seed))


def control(chat: Recorder, wanted: Wanted) -> tuple[GestureControl, list[str]]:
    said: list[str] = []

    def at_once(action: Callable[[], None]) -> None:
        action()

    gestures = GestureControl(chat, at_once, lambda level, sentence: said.append(sentence))  # type: ignore[arg-type]
    gestures.set(wanted, NOTHING)
    return gestures, said


def make(gestures: GestureControl, *labels: str) -> None:
    for label in labels:
        for _ in range(20):
            gestures.feed(label)
        for _ in range(RELEASED):
            gestures.feed("")


def test_gestures_do_nothing_until_that_is_asked_for() -> None:
    chat = Recorder(busy=True, memory_age=5)
    for wanted in (Wanted(), Wanted(False, WANTED.actions, WANTED.prompts), Wanted(True, {}, WANTED.prompts)):
        gestures, said = control(chat, wanted)
        make(gestures, WAVE, CLAP, ROLL)
        assert (chat.done, said, gestures.suggestion) == ([], [], "")


def test_a_wave_sends_one_suggested_prompt_after_the_other() -> None:
    chat = Recorder()
    gestures, said = control(chat, WANTED)
    assert gestures.suggestion == "hello"
    make(gestures, WAVE, WAVE, WAVE)
    assert [text for _, text, _ in chat.done] == ["hello", "good bye", "hello"]
    assert "hello" in said[0]
    assert gestures.suggestion == "good bye"


@pytest.mark.parametrize(
    ("busy", "age", "done"),
    [(True, 5, [("stop", "", 0)]), (False, 5, [("ask", "hello", 0), ("regenerate", "", 0)]), (False, 0, [("ask", "hello", 0)])],
)
def test_a_gesture_does_what_makes_sense_at_the_time(busy: bool, age: int, done: list[tuple[str, str, int]]) -> None:
    chat = Recorder(busy, age)
    gestures, said = control(chat, WANTED)
    make(gestures, WAVE, CLAP, ROLL)
    assert chat.done == done
    assert len(said) == len(done)


class Full(Recorder):
    """A chat that takes no more prompts."""

    def ask(self, prompt: Prompt) -> None:
        raise UserError("16 prompts wait for their answers already.")


def test_a_prompt_that_the_chat_refuses_is_told_and_suggested_again() -> None:
    gestures, said = control(Full(), WANTED)
    make(gestures, WAVE)
    assert said == ["16 prompts wait for their answers already."]
    assert gestures.suggestion == "hello"
