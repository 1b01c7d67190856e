"""The chip is killed, hangs or answers wrongly while a recording plays: every decision comes, and a window can ask for the chip again."""

import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from app.engine.commands import carry_out
from app.engine.loop import Engine, EngineSettings
from app.protocol import Message
from models.chip import runtime
from models.chip.failover import Watched
from models.chip.program import State
from tests.app.engine.test_engine import Window

pytest.importorskip("unicorn", reason="the emulated chip needs the extra emulator")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine an emulated step may take long, and these tests are not about that."""
    monkeypatch.setattr(runtime, "FRAME_S", 60.0)
    monkeypatch.setattr(runtime, "OVERDUE_S", 60.0)


def decided(
    source: Path, backend: str, act: Callable[[Engine], None] = lambda engine: None, speed: float = 0
) -> tuple[list[Message], State, str]:
    """Every decision of a recording, the gesture network's last state, and the chip that is offered. `act` is called after 25 decisions."""
    decisions: list[Message] = []

    def one(message: Message) -> None:
        decisions.append(message)
        if len(decisions) == 25:
            act(engine)

    with Engine(EngineSettings(str(source), runtime=backend, speed=speed, chat=False), one) as engine:
        assert engine.run() == 0
        return decisions, engine.runtime.gesture.state, engine.runtime.offer


def pid_of_the_chip(engine: Engine) -> int:
    network = engine.runtime.gesture
    assert isinstance(network, Watched) and network.chip is not None
    return network.chip.process.pid


def same(one: tuple[list[Message], State, str], other: tuple[list[Message], State, str]) -> bool:
    """Whether no decision is missing and none differs, and the states after them are one."""
    told = ("t_us", "label", "confidence", "accepted", "reason", "events")
    decisions = ([[message[name] for name in told] for message in run[0]] for run in (one, other))
    states = ((*run[1].h, *run[1].y, run[1].o) for run in (one, other))
    return next(decisions) == next(decisions) and all(map(np.array_equal, *states))


@pytest.fixture(scope="module")
def host(simulated_wave: Path) -> tuple[list[Message], State, str]:
    return decided(simulated_wave, "host")


def test_no_decision_is_missing_and_none_differs_when_the_chip_dies(simulated_wave: Path, host: tuple[list[Message], State, str]) -> None:
    chip = decided(simulated_wave, "emulator", lambda engine: os.kill(pid_of_the_chip(engine), signal.SIGKILL))
    assert same(chip, host) and chip[2] == "emulator"
    assert [one["runtime"] for one in chip[0]] == ["emulator"] * 25 + ["host"] * (len(host[0]) - 25)


def test_no_frame_waits_for_a_chip_that_hangs_while_the_recording_plays(
    simulated_wave: Path, host: tuple[list[Message], State, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In sensor time: the frame in which it hangs is the host's already, and so are all after it."""
    monkeypatch.setattr(runtime, "FRAME_S", 0.02)
    monkeypatch.setattr(runtime, "OVERDUE_S", 0.3)
    chip = decided(simulated_wave, "emulator", lambda engine: os.kill(pid_of_the_chip(engine), signal.SIGSTOP), speed=1)
    assert same(chip, host) and chip[2] == "emulator"
    assert [one["runtime"] for one in chip[0][25:]] == ["host"] * (len(host[0]) - 25)


def test_a_frame_waits_for_the_chip_only_while_the_recording_plays_as_fast_as_it_can(simulated_wave: Path) -> None:
    settings = EngineSettings(str(simulated_wave), runtime="emulator", speed=1, loop=True, stay=True, chat=False)
    with Engine(settings) as engine:
        network = engine.runtime.gesture
        assert isinstance(network, Watched) and network.chip is not None
        limits = [network.chip.frame_s]
        for speed in (0, 2):
            carry_out(engine, {"op": "speed", "value": speed})
            limits.append(network.chip.frame_s)
        assert limits == [60.0, None, 60.0]


def test_a_wrong_answer_of_the_chip_is_told_by_no_decision(
    simulated_wave: Path, host: tuple[list[Message], State, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EGRET_FAULT", "state:27")  # the first run was to warm up
    monkeypatch.setattr(runtime, "emulated", partial(runtime.emulated, module="tests.models.chip.faulty_worker"))
    chip = decided(simulated_wave, "emulator")
    assert same(chip, host) and chip[2] == "emulator"
    assert [one["runtime"] for one in chip[0]] == ["emulator"] * 25 + ["host"] * (len(host[0]) - 25)


def test_a_window_is_told_of_the_move_and_may_ask_for_the_chip_again(simulated_wave: Path) -> None:
    with Engine(EngineSettings(str(simulated_wave), runtime="emulator", loop=True, stay=True, chat=False)) as engine:
        loop = threading.Thread(target=engine.run)
        loop.start()
        window = Window(engine)

        def badge() -> str:
            return str(window.last("status").get("runtime", {}).get("badge"))

        window.wait_for(lambda: badge() == "EMULATED CHIP", "the emulated chip", 90)
        window.wait_for(lambda: window.last("status")["runtime"]["energy"], "steps", 90)
        assert window.last("status")["runtime"]["energy"]["how"].startswith("estimated")
        os.kill(pid_of_the_chip(engine), signal.SIGKILL)
        window.wait_for(lambda: badge() == "HOST", "the host", 90)
        assert window.last("status")["runtime"]["offer"] == "emulator"
        wanted = "crashed (SIGKILL): the host goes on from the same state"
        window.wait_for(lambda: wanted in window.last("notice").get("sentence", ""), "the notice", 90)
        window.order("runtime", value="chip")
        window.wait_for(lambda: badge() == "EMULATED CHIP", "the chip again", 90)
        assert window.last("status")["runtime"]["offer"] == ""
        window.close()
        engine.stop()
        loop.join()
