"""The door: what passes, what is repaired, what is refused; whatever the stream and wherever it is cut."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.door import REBASE_BACK_US, REBASE_FORWARD_US, Door
from pipeline.events import EVENT_DTYPE, Events, empty_events

WIDTH, HEIGHT = 8, 6


def events_of(rows: list[tuple[int, int, int, int]]) -> Events:
    return np.array(rows, EVENT_DTYPE)


def at_times(*times: int) -> Events:
    return events_of([(t, 1, 2, 1) for t in times])


int64 = st.integers(-(2**63), 2**63 - 1)
near = st.integers(0, 5_000_000)
wild_events = st.lists(
    st.tuples(near | int64, st.integers(-2, WIDTH + 1), st.integers(-2, HEIGHT + 1), st.integers(-2, 2)), max_size=40
).map(events_of)


def test_clean_events_pass_without_a_copy() -> None:
    events = at_times(5, 5, 9, 2_000_000)
    passed, repaired, refused, jumped = Door(WIDTH, HEIGHT).check(events)
    assert np.shares_memory(passed, events)
    assert np.array_equal(passed, events)
    assert (repaired, refused, jumped) == (0, 0, False)


def test_events_outside_the_sensor_are_refused_and_their_times_not_believed() -> None:
    events = events_of([(10, 0, 0, 0), (10**9, WIDTH, 0, 1), (11, 0, HEIGHT, 1), (11, -1, 0, 1), (11, 0, -1, 1), (12, 7, 5, 1)])
    passed, repaired, refused, jumped = Door(WIDTH, HEIGHT).check(events)
    assert passed["timestamp"].tolist() == [10, 12]
    assert (repaired, refused, jumped) == (0, 4, False)


def test_a_small_step_back_keeps_the_event_at_the_last_good_time() -> None:
    passed, repaired, refused, jumped = Door(WIDTH, HEIGHT).check(at_times(2_000_000, 1_999_999, 2_000_001 - REBASE_BACK_US, 2_000_003))
    assert passed["timestamp"].tolist() == [2_000_000, 2_000_000, 2_000_000, 2_000_003]
    assert (repaired, refused, jumped) == (2, 0, False)


def test_a_reset_clock_is_rebased_and_time_goes_on() -> None:
    door = Door(WIDTH, HEIGHT)
    door.check(at_times(5_000_000))
    passed, repaired, _, jumped = door.check(at_times(100, 300))
    assert passed["timestamp"].tolist() == [5_000_000, 5_000_200]
    assert (repaired, jumped) == (0, True)
    passed, repaired, _, jumped = door.check(at_times(1_300))
    assert passed["timestamp"].tolist() == [5_001_200]
    assert (repaired, jumped) == (0, False)


def test_a_32_bit_clock_may_wrap() -> None:
    top = 2**32
    passed, _, _, jumped = Door(WIDTH, HEIGHT).check(at_times(top - 10, top - 1, 4, 9))
    assert passed["timestamp"].tolist() == [top - 10, top - 1, top - 1, top + 4]
    assert jumped


def test_an_absurd_step_forward_and_back_costs_no_time() -> None:
    passed, repaired, _, jumped = Door(WIDTH, HEIGHT).check(at_times(100, 100 + REBASE_FORWARD_US, 105, 110))
    assert passed["timestamp"].tolist() == [100, 100, 100, 105]
    assert (repaired, jumped) == (0, True)


def test_a_pause_of_minutes_is_believed() -> None:
    passed, _, _, jumped = Door(WIDTH, HEIGHT).check(at_times(100, 100 + 600_000_000))
    assert passed["timestamp"].tolist() == [100, 600_000_100]
    assert not jumped


@pytest.mark.parametrize("first", [-1, -5, -(2**63)])
def test_time_before_zero_begins_at_zero(first: int) -> None:
    passed, _, _, jumped = Door(WIDTH, HEIGHT).check(at_times(first, first + 7))
    assert passed["timestamp"].tolist() == [0, 7 if first > -(2**62) else 0]
    assert jumped


def test_polarity_becomes_zero_or_one() -> None:
    passed, *_ = Door(WIDTH, HEIGHT).check(events_of([(1, 0, 0, p) for p in (-128, -1, 0, 1, 5, 127)]))
    assert passed["polarity"].tolist() == [0, 0, 0, 1, 1, 1]


def test_no_events_are_no_trouble() -> None:
    door = Door(1, 1)
    for _ in range(2):
        passed, repaired, refused, jumped = door.check(empty_events())
        assert (passed.size, repaired, refused, jumped) == (0, 0, 0, False)


def test_what_is_not_an_array_of_events_is_not_let_in() -> None:
    with pytest.raises(ValueError, match="array of events"):
        Door(WIDTH, HEIGHT).check(np.zeros(3, np.int64))


@given(wild_events)
def test_whatever_comes_in_what_goes_out_is_good(events: Events) -> None:
    passed, repaired, refused, _ = Door(WIDTH, HEIGHT).check(events)
    assert passed.size + refused == events.size
    assert 0 <= repaired <= passed.size
    assert np.all((passed["x"] >= 0) & (passed["x"] < WIDTH) & (passed["y"] >= 0) & (passed["y"] < HEIGHT))
    assert np.all((passed["polarity"] == 0) | (passed["polarity"] == 1))
    assert np.all(passed["timestamp"] >= 0)
    assert np.all(np.diff(passed["timestamp"]) >= 0)
    assert np.all(np.diff(passed["timestamp"]) < REBASE_FORWARD_US)


@given(wild_events, st.lists(st.integers(0, 40), max_size=6))
def test_the_answer_does_not_depend_on_how_the_stream_is_cut(events: Events, cuts: list[int]) -> None:
    whole = Door(WIDTH, HEIGHT).check(events)
    door = Door(WIDTH, HEIGHT)
    pieces = [door.check(piece) for piece in np.split(events, sorted(cuts))]
    assert np.array_equal(np.concatenate([piece[0] for piece in pieces]).astype(EVENT_DTYPE), whole[0])
    assert (sum(p[1] for p in pieces), sum(p[2] for p in pieces), any(p[3] for p in pieces)) == whole[1:]


@example(at_times(1 << 62, 0, 1))  # a clock that goes on from the latest time there is
@given(wild_events)
def test_what_has_passed_passes_again_unchanged(events: Events) -> None:
    passed, *_ = Door(WIDTH, HEIGHT).check(events)
    again, repaired, refused, jumped = Door(WIDTH, HEIGHT).check(passed)
    assert np.shares_memory(again, passed) or passed.size == 0
    assert np.array_equal(again, passed)
    assert (repaired, refused, jumped) == (0, 0, False)
