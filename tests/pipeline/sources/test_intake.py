"""Output time never goes backwards, whatever the sensor does, and what is known of events travels with them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.events import EVENT_DTYPE, Events, Packet
from pipeline.frames import WINDOW_US
from pipeline.sources.base import Intake, Options, check_speed


def at(*times: int) -> Events:
    events = np.zeros(len(times), EVENT_DTYPE)
    events["timestamp"] = times
    return events


class Clock:
    """A host clock that is set by hand."""

    def __init__(self) -> None:
        self.ns = 1_000_000_000

    def __call__(self) -> int:
        return self.ns


@given(st.lists(st.tuples(st.integers(0, 10**7), st.booleans(), st.integers(0, 10**7)), max_size=20), st.integers(0, 10**7))
def test_time_goes_on_through_scenes_and_silence(steps: list[tuple[int, bool, int]], begin: int) -> None:
    clock = Clock()
    intake = Intake("s", Options(not_before_us=begin), clock)
    intake.new_scene(4, 4)
    last = begin
    sequence = 0
    for time, jump, silence in steps:
        if jump:
            intake.new_scene(4, 4)
        clock.ns += silence * 1000
        for packet in (
            intake.live_packet(intake.admit(at(time, time + 3))),
            intake.quiet_packet(1000),
            intake.close_window() if jump else None,
        ):
            if packet is None:
                continue
            assert packet.status.sequence == sequence
            sequence += 1
            assert packet.status.until_us >= last
            if len(packet.events):
                assert packet.events["timestamp"][0] >= last
                assert packet.events["timestamp"][-1] <= packet.status.until_us
            last = packet.status.until_us


def test_a_scene_that_is_played_again_is_cut_into_the_same_windows() -> None:
    intake = Intake("s", Options())
    phases = []
    for _ in range(3):
        intake.new_scene(4, 4)
        packet = intake.packet(intake.admit(at(1_012_345, 1_090_000)), 1_100_000)
        phases.append(int(packet.events["timestamp"][0]) % WINDOW_US)
    assert phases == [1_012_345 % WINDOW_US] * 3


def test_only_the_first_packet_after_a_jump_says_so() -> None:
    intake = Intake("s", Options())
    intake.new_scene(4, 4)
    assert [intake.packet(at(t), t).status.discontinuity for t in (5, 6)] == [False, False]
    intake.new_scene(4, 4)
    assert [intake.packet(at(t), t).status.discontinuity for t in (5, 6)] == [True, False]


def test_carrying_on_for_a_lost_worker_is_a_jump_that_keeps_numbers_and_time() -> None:
    intake = Intake("s", Options(not_before_us=10**6, sequence=41))
    intake.new_scene(4, 4)
    packet = intake.packet(at(5), 6)
    assert packet.status.sequence == 41
    assert packet.status.discontinuity
    assert packet.events["timestamp"][0] >= 10**6


def test_what_the_door_does_is_told_once_with_the_next_packet() -> None:
    intake = Intake("s", Options())
    intake.new_scene(4, 4)
    events = at(10, 5, 20)
    events["x"] = [0, 0, 9]
    admitted = intake.admit(events)
    statuses = [intake.packet(admitted, 11).status, intake.packet(at(), 12).status]
    assert [(s.repaired, s.refused) for s in statuses] == [(1, 1), (0, 0)]


def test_a_still_scene_lets_time_go_on_by_the_hosts_clock() -> None:
    clock = Clock()
    intake = Intake("s", Options(), clock)
    intake.new_scene(4, 4)
    assert intake.quiet_packet(1000) is None
    intake.live_packet(intake.admit(at(500)))
    clock.ns += 1_000_000
    assert intake.quiet_packet(1000) is None
    clock.ns += 7_000_000
    quiet = intake.quiet_packet(1000)
    assert isinstance(quiet, Packet)
    assert (len(quiet.events), quiet.status.until_us) == (0, 7500)
    late = intake.live_packet(intake.admit(at(600, 700)))
    assert list(late.events["timestamp"]) == [7500, 7600]


@pytest.mark.parametrize("speed", [-1, float("nan"), float("inf"), 1e9, True, "2", None])
def test_a_speed_that_is_none_gets_a_sentence(speed: object) -> None:
    with pytest.raises(UserError, match="speed"):
        check_speed(speed)
