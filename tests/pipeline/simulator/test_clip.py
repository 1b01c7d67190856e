"""Promises of the simulator's public object."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import USAGE, UserError
from pipeline.events import EVENT_DTYPE
from pipeline.simulator import GESTURES, IDLE, KINDS, PRESETS, THINGS, Simulator, simulate


@pytest.mark.parametrize("gesture", KINDS)
@pytest.mark.parametrize("preset", PRESETS)
def test_the_same_seed_gives_the_same_bytes(gesture: str, preset: str) -> None:
    first, second = simulate(gesture, 5, 300_000, preset), simulate(gesture, 5, 300_000, preset)
    assert first.dtype == EVENT_DTYPE
    assert len(first) > 0
    assert first.tobytes() == second.tobytes()
    assert first.tobytes() != simulate(gesture, 6, 300_000, preset).tobytes()


@settings(max_examples=20, deadline=None)
@given(kind=st.sampled_from(["air_drums", IDLE, THINGS]), seed=st.integers(0, 40), cuts=st.lists(st.integers(0, 450_000), max_size=8))
def test_the_cut_of_time_into_calls_changes_nothing(kind: str, seed: int, cuts: list[int]) -> None:
    whole = Simulator(kind, seed)
    expected = whole.advance(450_000)
    parts, simulator = [], Simulator(kind, seed)
    for end in [*sorted(cuts), 450_000]:
        start = simulator.time_us
        part = simulator.advance(end - start)
        assert np.all((part["timestamp"] >= start) & (part["timestamp"] < end))
        parts.append(part)
    assert np.array_equal(np.concatenate(parts), expected)
    assert whole.time_us == simulator.time_us == 450_000


@pytest.mark.parametrize(("width", "height"), [(1, 1), (13, 70), (128, 128), (346, 260)])
def test_events_lie_in_time_order_inside_any_sensor(width: int, height: int) -> None:
    events = Simulator("arm_roll", 2, "wide", width, height).advance(400_000)
    assert np.all(np.diff(events["timestamp"]) >= 0)
    assert np.all((events["x"] >= 0) & (events["x"] < width) & (events["y"] >= 0) & (events["y"] < height))
    assert set(np.unique(events["polarity"])) <= {0, 1}


@pytest.mark.parametrize("duration_us", [0, 1, 1_999, 2_000, 123_457])
def test_a_clip_ends_before_its_duration(duration_us: int) -> None:
    events = simulate("right_hand_wave", 1, duration_us)
    assert np.all((events["timestamp"] >= 0) & (events["timestamp"] < duration_us))


@pytest.mark.parametrize("preset", PRESETS)
def test_nine_of_ten_clips_have_the_documented_event_rate(preset: str) -> None:
    seconds = 0.8
    rates = [len(simulate(gesture, seed, int(seconds * 1e6), preset)) / seconds for gesture in GESTURES for seed in range(40, 46)]
    low, high = PRESETS[preset].rate
    assert np.mean((np.array(rates) >= low) & (np.array(rates) <= high)) >= 0.9


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("moonwalk", 1), ("moonwalk", "arm_roll", "idle", "things")),
        (("arm_roll", 1, "narrow"), ("narrow", "dvs128", "wide")),
        (("arm_roll", -1), ("-1",)),
        (("arm_roll", 1, "wide", 0, 128), ("0x128",)),
        (("arm_roll", 1, "wide", 128, 1_000_000), ("128x1000000",)),
    ],
)
def test_what_cannot_be_simulated_is_refused_in_a_sentence_that_names_the_choices(
    arguments: tuple[str, int], named: tuple[str, ...]
) -> None:
    with pytest.raises(UserError) as refused:
        Simulator(*arguments)
    assert refused.value.exit_code == USAGE
    assert all(word in str(refused.value) for word in named)


def test_the_same_seed_is_the_same_person_whatever_the_gesture() -> None:
    bodies = [Simulator(gesture, 9).truth.figure.body for gesture in ("hand_clapping", "air_guitar", IDLE)]
    assert all(np.array_equal(body.radii, bodies[0].radii) and body.upper_arm == bodies[0].upper_arm for body in bodies)


def test_two_threads_generate_what_one_does() -> None:
    jobs = [(gesture, 11) for gesture in GESTURES[:6]]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda job: simulate(*job, 300_000).tobytes(), jobs))
    assert together == [simulate(*job, 300_000).tobytes() for job in jobs]
