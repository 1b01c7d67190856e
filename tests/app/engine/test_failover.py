"""The chip's process is killed while a recording plays: every decision comes, and a window can ask for the chip again."""

import os
import signal
import threading
from pathlib import Path

import pytest

from app.engine.loop import Engine, EngineSettings
from app.protocol import Message
from models.chip import runtime
from models.chip.failover import Watched
from tests.app.engine.test_engine import Window

pytest.importorskip("unicorn", reason="the emulated chip needs the extra emulator")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine an emulated step may take long, and these tests are not about that."""
    monkeypatch.setattr(runtime, "FRAME_S", 60.0)
    monkeypatch.setattr(runtime, "SLOWEST_S", 60.0)


def decided(source: Path, backend: str, kill_at: int = 0) -> list[Message]:
    """Every decision of a recording; the chip's process is killed after so many of them."""
    decisions: list[Message] = []

    def one(message: Message) -> None:
        decisions.append(message)
        if len(decisions) == kill_at:
            os.kill(pid_of_the_chip(engine), signal.SIGKILL)

    with Engine(EngineSettings(str(source), runtime=backend, speed=0, chat=False), one) as engine:
        assert engine.run() == 0
    return decisions


def pid_of_the_chip(engine: Engine) -> int:
    network = engine.runtime.gesture
    assert isinstance(network, Watched) and network.chip is not None
    return network.chip.process.pid


def test_no_decision_is_missing_and_none_differs_when_the_chip_dies(simulated_wave: Path) -> None:
    chip, host = decided(simulated_wave, "emulator", kill_at=25), decided(simulated_wave, "host")
    told = ("t_us", "label", "confidence", "accepted", "reason", "events")
    assert [[one[name] for name in told] for one in chip] == [[one[name] for name in told] for one in host]
    assert [one["runtime"] for one in chip[:25]] == ["emulator"] * 25
    assert [one["runtime"] for one in chip[26:]] == ["host"] * (len(host) - 26)


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
        wanted = "was ended by SIGKILL: the host goes on from the same state"
        window.wait_for(lambda: wanted in window.last("notice").get("sentence", ""), "the notice", 90)
        window.order("runtime", value="chip")
        window.wait_for(lambda: badge() == "EMULATED CHIP", "the chip again", 90)
        assert window.last("status")["runtime"]["offer"] == ""
        window.close()
        engine.stop()
        loop.join()
