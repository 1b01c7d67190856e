"""Sensor time between messages: smooth under jitter, exact after jumps, still without messages."""

from hypothesis import given
from hypothesis import strategies as st

from app.window.clock import RUN_ON_S, SensorClock


@given(st.lists(st.floats(0.0, 0.02), min_size=5, max_size=40))
def test_late_messages_never_turn_the_clock_back_by_more_than_they_were_late(delays: list[float]) -> None:
    clock = SensorClock()
    last = 0
    for index, delay in enumerate(delays):
        sent = 10.0 + index * 0.25
        clock.observe(sent + delay, round(sent * 1e6), 0, 1.0)
        for frame in range(1, 14):
            now = clock.now_us(sent + delay + frame * 0.016)
            assert now > last - 20_000
            last = max(last, now)


def test_the_clock_runs_with_the_speed_of_the_recording() -> None:
    clock = SensorClock()
    clock.observe(5.0, 1_000_000, 400_000, 0.5)
    assert clock.now_us(5.2) == 1_100_000
    assert clock.position_us(5.2) == 500_000


def test_a_jump_is_taken_at_once() -> None:
    clock = SensorClock()
    clock.observe(5.0, 1_000_000, 0, 1.0)
    clock.observe(5.25, 9_000_000, 0, 1.0)
    assert clock.now_us(5.25) == 9_000_000


def test_a_small_error_is_worked_off_gradually() -> None:
    clock = SensorClock()
    clock.observe(5.0, 1_000_000, 0, 1.0)
    clock.observe(5.25, 1_290_000, 0, 1.0)
    assert 1_250_000 < clock.now_us(5.25) < 1_290_000


def test_without_messages_the_clock_stops() -> None:
    clock = SensorClock()
    clock.observe(5.0, 1_000_000, 0, 1.0)
    assert clock.now_us(5.0 + RUN_ON_S) == clock.now_us(500.0)


def test_a_paused_clock_stands_and_tells_the_exact_time() -> None:
    clock = SensorClock()
    clock.observe(5.0, 1_000_000, 0, 1.0)
    clock.observe(5.2, 1_190_000, 190_000, 0.0)
    assert clock.now_us(6.0) == 1_190_000
    assert clock.position_us(6.0) == 190_000
    assert not clock.running
