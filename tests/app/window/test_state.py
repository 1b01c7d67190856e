"""What the window knows follows from the messages alone, whatever another process sends."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from window.engine_double import LABELS, decision, hello, source, status

from app.window.state import RIBBON_US, Topic, WindowState

KINDS = ("hello", "source", "decision", "status", "settings", "token", "chat", "notice", "other")
NAMES = ("state", "width", "t_us", "label", "latency_ms", "scores", "latency", "chat", "runtime", "filters", "region", "recording")
NAMES += ("models", "id", "text", "event", "now_us", "activity", "sentence", "threshold", "source", "tokens", "seconds", "speed")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


def greeted(**fields: Any) -> WindowState:
    state = WindowState()
    state.apply(hello(source(None), **fields), 0.0)
    return state


def seen(state: WindowState) -> dict[str, Any]:
    hidden = ("_handlers", "refused", "clock")
    return copy.deepcopy({name: value for name, value in vars(state).items() if name not in hidden})


@given(st.lists(st.dictionaries(st.sampled_from(NAMES), json_values, max_size=6), max_size=6), st.lists(st.sampled_from(KINDS), min_size=6))
def test_no_message_whatever_it_holds_makes_the_state_fail(bodies: list[dict[str, Any]], kinds: list[str]) -> None:
    state = greeted()
    for body, kind in zip(bodies, kinds, strict=False):
        state.apply({**body, "type": kind}, 1.0)


@given(st.sampled_from(["t_us", "label", "confidence", "accepted", "scores", "latency_ms"]))
def test_a_message_with_a_field_of_the_wrong_type_is_refused_as_a_whole(name: str) -> None:
    state = greeted()
    before = seen(state)
    wrong = {"t_us": "soon", "label": 3, "confidence": "high", "accepted": 1, "scores": [0.1, None], "latency_ms": {"chip": "fast"}}
    assert state.apply(decision(25_000) | {name: wrong[name]}, 0.0) == Topic.NONE
    assert state.refused == 1
    assert seen(state) == before


def test_a_hello_tells_everything_and_forgets_the_engine_before() -> None:
    state = greeted(chat=[{"role": "user", "text": "hi", "done": True, "reason": ""}])
    state.apply(decision(25_000), 0.0)
    assert state.apply(hello(None), 1.0) == Topic.ALL
    assert state.labels == LABELS
    assert state.models["language"] == ("language-1", "ba9876543210")
    assert (state.settings.threshold, state.settings.background_us, state.settings.refractory_us) == (0.5, 2000, None)
    assert state.decision is None
    assert state.talk.turns == []
    assert state.connected


def test_successive_equal_answers_become_one_stretch_of_the_history() -> None:
    state = greeted()
    for index, label in enumerate(["arm_roll"] * 3 + ["air_drums"] * 2):
        state.apply(decision((index + 1) * 25_000, label), 0.0)
    state.apply(decision(150_000, "air_drums", 0.2, accepted=False), 0.0)
    assert [(s.start_us, s.end_us, s.label) for s in state.history] == [
        (25_000, 75_000, "arm_roll"),
        (75_000, 125_000, "air_drums"),
        (125_000, 150_000, ""),
    ]


def test_the_history_holds_no_more_than_the_ribbon_shows() -> None:
    state = greeted()
    for index in range(4000):
        state.apply(decision(index * 25_000, LABELS[index % 2]), 0.0)
    assert state.history[0].end_us >= 3999 * 25_000 - RIBBON_US
    assert len(state.history) <= RIBBON_US / 25_000 + 2


def test_another_source_begins_a_new_history() -> None:
    state = greeted()
    state.apply(decision(25_000), 0.0)
    changed = state.apply(source(None, spec="camera", surface="/nowhere/2"), 0.0)
    assert Topic.DECISION in changed
    assert not state.history
    assert state.decision is None


def test_a_source_message_that_only_tells_a_state_keeps_the_sensor() -> None:
    state = greeted()
    state.apply({"type": "source", "state": "waiting", "sentence": "The camera has gone: plug it in."}, 0.0)
    assert state.source is not None
    assert (state.source.state, state.source.width, state.source.title) == ("waiting", 32, "wave.aedat4")


def test_pieces_of_an_answer_join_to_the_answer() -> None:
    state = greeted()
    state.apply({"type": "chat", "event": "started", "id": 7, "prompt": "hi", "seed": 3}, 0.0)
    for index, piece in enumerate(["Good", " mor", "ning"]):
        state.apply({"type": "token", "id": 7, "index": index, "text": piece, "activity": 0.1, "tokens_per_s": 300.0}, 0.0)
    assert state.talk.busy
    done = {"type": "chat", "event": "done", "id": 7, "reason": "stopped", "tokens": 3, "seconds": 0.01, "first_token_ms": 4.5}
    state.apply(done, 0.0)
    assert [(turn.role, turn.text, turn.done, turn.reason) for turn in state.talk.turns] == [
        ("user", "hi", True, ""),
        ("model", "Good morning", True, "stopped"),
    ]
    assert (state.talk.busy, state.talk.first_token_ms, state.talk.tokens_per_s) == (False, 4.5, 300.0)


def test_a_window_that_attaches_within_an_answer_shows_its_beginning_once_and_its_rest() -> None:
    state = greeted(chat=[{"role": "user", "text": "hi", "done": True}, {"role": "model", "text": "Good", "done": False}])
    state.apply({"type": "token", "id": 9, "index": 1, "text": " day", "activity": 0.1, "tokens_per_s": 300.0}, 0.0)
    assert [turn.text for turn in state.talk.turns] == ["hi", "Good day"]


def test_an_answer_cut_off_by_the_engines_end_is_marked_so() -> None:
    state = greeted()
    state.apply({"type": "chat", "event": "started", "id": 1, "prompt": "hi"}, 0.0)
    state.engine_gone("The engine has gone.")
    assert (state.talk.turns[-1].done, state.talk.turns[-1].reason, state.talk.busy) == (True, "error", False)


def test_a_null_switches_a_filter_off_and_a_missing_one_stays() -> None:
    state = greeted()
    state.apply({"type": "settings", "filters": {"background_us": None, "region": [1, 2, 3, 4]}, "threshold": 0.7}, 0.0)
    assert (state.settings.background_us, state.settings.hot_pixel, state.settings.region) == (None, True, (1, 2, 3, 4))
    state.apply({"type": "settings", "filters": {"region": None}}, 0.0)
    assert (state.settings.region, state.settings.threshold) == (None, 0.7)


def test_the_clock_stands_while_the_source_is_paused_or_waits() -> None:
    state = greeted()
    state.apply(status(1_000_000, playing=False), 10.0)
    assert not state.clock.running
    state.apply(status(1_000_000), 10.0)
    assert state.clock.running
    state.apply({"type": "source", "state": "waiting", "sentence": ""}, 10.0)
    state.apply(status(1_000_000), 10.1)
    assert not state.clock.running
