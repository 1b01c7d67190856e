"""The simulated person performs one thing after the other, the same for the same seed, and says what."""

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.events import Packet, SourceInfo, join_events
from pipeline.simulator import GESTURES, Simulator
from pipeline.sources.base import Notice, Options
from pipeline.sources.simulated import SimulatedSource


def performed(seed: int, gesture: str, until_us: int, speed: float = 0.0) -> tuple[list[Packet], list[Notice], SourceInfo]:
    source = SimulatedSource("simulated", seed, gesture, Options(speed=speed))
    source.open()
    packets: list[Packet] = []
    notices: list[Notice] = []
    infos: list[SourceInfo] = []
    while not packets or packets[-1].status.until_us < until_us:
        item = source.read()
        if isinstance(item, Packet):
            packets.append(item)
        elif isinstance(item, Notice):
            notices.append(item)
        elif item is not None:
            infos.append(item)
    source.close()
    return packets, notices, infos[0]


def test_gestures_and_pauses_take_turns_in_one_stream() -> None:
    packets, notices, info = performed(3, "", 12_000_000)
    assert (info.kind, info.width, info.height, info.live) == ("simulated", 128, 128, False)
    told = [notice.sentence for notice in notices]
    assert told[0::2] == ["The person stands idle."] * len(told[0::2])
    assert len(told) >= 3
    assert all(any(gesture.replace("_", " ") in sentence for gesture in GESTURES) for sentence in told[1::2])
    events = join_events([packet.events for packet in packets])
    assert len(events) > 1000
    assert (np.diff(events["timestamp"]) >= 0).all()
    assert not any(packet.status.discontinuity for packet in packets)
    untils = [packet.status.until_us for packet in packets]
    assert (np.diff(untils) == 5000).all()


def test_the_same_seed_performs_the_same() -> None:
    one, two, other = (join_events([p.events for p in performed(seed, "", 2_000_000)[0]]) for seed in (5, 5, 6))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_one_gesture_alone_is_the_simulators() -> None:
    packets, notices, _ = performed(4, "arm_roll", 500_000)
    assert [notice.sentence for notice in notices] == ["Now performing: arm roll."]
    assert np.array_equal(join_events([packet.events for packet in packets]), Simulator("arm_roll", 4).advance(500_000))


def test_in_real_time_it_is_live() -> None:
    assert performed(1, "", 20_000, speed=1.0)[2].live


def test_a_person_has_no_transport() -> None:
    with pytest.raises(UserError, match="egret simulate"):
        SimulatedSource("simulated", 1, "", Options()).command("pause", {})
