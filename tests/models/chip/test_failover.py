"""A chip that dies, hangs, is late or answers wrongly while inputs come: no step is missing, none is wrong, and the state is the host's."""

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.chip import failover, firmware, integer, placement, worker_process
from models.chip import plan as plans
from models.chip.layout import SPECIFICATION_ADDRESS
from models.chip.program import Program, State
from models.chip.runtime import emulated
from models.chip.worker_process import ChipProcess, Lost
from pipeline.errors import UserError
from tests.models.chip import programs as make

pytest.importorskip("unicorn", reason="the emulated chip needs the extra emulator")

STUB = str(Path(__file__).with_name("stub_worker.py"))
STEPS, FAULT = 35, 17
Start = Callable[..., tuple[failover.GestureNetwork, failover.LanguageNetwork, ChipProcess]]


@pytest.fixture(scope="module")
def both() -> tuple[Program, Program]:
    return make.program(1, "gesture", [24, 16]), make.program(2, "language", [20, 12], outputs=30, inputs=16)


@pytest.fixture
def start(both: tuple[Program, Program], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Both networks on an emulated chip of their own, with a fault."""
    processes = []

    def begin(fault: str = "") -> tuple[failover.GestureNetwork, failover.LanguageNetwork, ChipProcess]:
        plan = placement.place(list(both), firmware.image())
        if fault:
            monkeypatch.setenv("EGRET_FAULT", fault)
            plans.save(plan, tmp_path / "plan")
            script = str(Path(__file__).with_name("faulty_worker.py"))
            process = ChipProcess("The emulated chip", sys.executable, [script, str(tmp_path / "plan")], 2)
        else:
            process = emulated(plan)
        processes.append(process)
        gesture, language = failover.GestureNetwork(both[0]), failover.LanguageNetwork(both[1])
        for network, chip in zip((gesture, language), failover.on_chip(process, plan), strict=True):
            network.attach(chip)
        return gesture, language, process

    yield begin
    for process in processes:
        process.close()


def same(one: State, other: State) -> bool:
    return all(map(np.array_equal, (*one.h, *one.y, one.o), (*other.h, *other.y, other.o)))


def alone(program: Program, inputs: list[Any]) -> tuple[integer.Network, list[Any]]:
    """The host's network after `inputs`, and its logits."""
    kind = integer.GestureNetwork if program.kind == "gesture" else integer.LanguageNetwork
    network: Any = kind(program)
    return network, [network.step(given) for given in inputs]


def test_a_chip_does_what_the_host_does_and_the_counters_are_the_hosts(start: Start, both: tuple[Program, Program]) -> None:
    *networks, process = start()
    for network, program in zip(networks, both, strict=True):
        inputs = make.inputs(program, 3, STEPS)
        host, logits = alone(program, inputs)
        for given, wanted in zip(inputs, logits, strict=True):
            np.testing.assert_array_equal(network.step(given), wanted)
        assert same(network.state, host.state)
        assert (network.steps, network.operations, network.activity) == (host.steps, host.operations, host.activity)
        assert network.on_chip and (network.checked, network.overtaken) == (STEPS, 0)
    assert process.lost is None


def wait_until_stopped(pid: int) -> None:
    """Until every thread of the process stands still: one that is not scheduled just now may take the signal late."""
    while any(path.read_text().rpartition(")")[2].split()[0] != "T" for path in Path(f"/proc/{pid}/task").glob("*/stat")):
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_no_step_is_missing_when_the_process_is_killed_or_stopped(start: Start, both: tuple[Program, Program], number: int) -> None:
    gesture, language, process = start()
    told: list[str] = []
    process.told = lambda lost: told.append(str(lost))
    assert gesture.chip is not None
    inputs, tokens = make.inputs(both[0], 4, STEPS), make.inputs(both[1], 5, STEPS)
    host, logits = alone(both[0], inputs)
    beside, words = alone(both[1], tokens)
    for step in range(STEPS):
        if step == FAULT:
            os.kill(process.pid, number)
            if number == signal.SIGSTOP:
                gesture.chip.limit_s = 0.3
                wait_until_stopped(process.pid)
        np.testing.assert_array_equal(gesture.step(inputs[step]), logits[step])
        np.testing.assert_array_equal(language.step(tokens[step]), words[step])
    assert not gesture.on_chip and not language.on_chip
    assert same(gesture.state, host.state) and same(language.state, beside.state)
    assert (gesture.steps, gesture.operations) == (host.steps, host.operations)
    wanted = {signal.SIGKILL: "crashed (SIGKILL)", signal.SIGSTOP: "did not answer within 300 ms"}
    assert told == [wanted[signal.Signals(number)]]


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("state", "answered wrongly: the host comes to another result"),
        ("logits", "answered wrongly: the host comes to another result"),
        ("stopped", "reports that its program stopped on 1 PEs"),
        ("hang", "did not answer within 300 ms"),
        ("half", "did not answer within 300 ms"),
    ],
)
def test_a_wrong_answer_is_never_told_and_the_chip_is_left_in_that_step(
    start: Start, both: tuple[Program, Program], fault: str, sentence: str
) -> None:
    gesture, _, process = start(f"{fault}:{FAULT}")
    inputs = make.inputs(both[0], 6, STEPS)
    host, logits = alone(both[0], inputs)
    if fault in ("hang", "half"):
        assert gesture.chip is not None
        gesture.step(inputs[0])  # the first may take long
        gesture.reset()
        gesture.steps = gesture.operations = 0
        gesture.chip.limit_s = 0.3
    for given, wanted in zip(inputs, logits, strict=True):
        np.testing.assert_array_equal(gesture.step(given), wanted)
    assert str(process.lost) == sentence
    assert same(gesture.state, host.state) and (gesture.steps, gesture.operations) == (host.steps, host.operations)


def test_a_frame_does_not_wait_for_a_chip_that_is_late_and_the_chip_comes_back_by_itself(
    start: Start, both: tuple[Program, Program]
) -> None:
    """The host tells the step; the late answer is compared, and the chip goes on from the host's state."""
    gesture, _, process = start(f"late:{FAULT}")
    assert gesture.chip is not None
    inputs = make.inputs(both[0], 6, STEPS)
    host, logits = alone(both[0], inputs)
    who = []
    for step, (given, wanted) in enumerate(zip(inputs, logits, strict=True)):
        gesture.chip.frame_s = 0.02 if step == FAULT - 1 else None
        np.testing.assert_array_equal(gesture.step(given), wanted)
        who.append(gesture.behind)
    assert who == [step == FAULT - 1 for step in range(STEPS)]
    assert process.lost is None and gesture.on_chip
    assert (gesture.checked, gesture.overtaken) == (STEPS, 1)
    assert same(gesture.state, host.state)


def test_while_a_chip_owes_an_answer_every_step_is_the_hosts(start: Start, both: tuple[Program, Program]) -> None:
    gesture, _, process = start(f"late:{FAULT}")
    assert gesture.chip is not None
    inputs = make.inputs(both[0], 6, STEPS)
    host, logits = alone(both[0], inputs)
    for step, (given, wanted) in enumerate(zip(inputs, logits, strict=True)):
        gesture.chip.frame_s = None if step < FAULT - 1 else 1e-6
        np.testing.assert_array_equal(gesture.step(given), wanted)
        assert gesture.behind == (step >= FAULT - 1)
    assert process.lost is None and gesture.overtaken == STEPS - FAULT + 1
    gesture.chip.frame_s = None
    np.testing.assert_array_equal(gesture.step(inputs[0]), host.step(inputs[0]))
    assert not gesture.behind and same(gesture.state, host.state)


def test_an_answer_that_is_late_and_wrong_is_the_chips_last(start: Start, both: tuple[Program, Program]) -> None:
    gesture, _, process = start(f"late-wrong:{FAULT}")
    assert gesture.chip is not None
    inputs = make.inputs(both[0], 6, STEPS)
    host, logits = alone(both[0], inputs)
    for step, (given, wanted) in enumerate(zip(inputs, logits, strict=True)):
        gesture.chip.frame_s = 0.02 if step == FAULT - 1 else None
        np.testing.assert_array_equal(gesture.step(given), wanted)
        assert gesture.on_chip == (step < FAULT)
    assert str(process.lost) == "answered wrongly: the host comes to another result"
    assert same(gesture.state, host.state)


@pytest.mark.parametrize("change", ["reset", "state"])
def test_a_state_that_is_set_while_the_chip_owes_an_answer_reaches_it(start: Start, both: tuple[Program, Program], change: str) -> None:
    gesture, _, process = start(f"late:{FAULT}")
    assert gesture.chip is not None
    inputs = make.inputs(both[0], 6, STEPS)
    host, _ = alone(both[0], [])
    before = host.state
    for step, given in enumerate(inputs):
        gesture.chip.frame_s = 0.02 if step == FAULT - 1 else None
        for network in (gesture, host):
            network.step(given)  # type: ignore[attr-defined]
            if step == FAULT - 1 and change == "reset":
                network.reset()
            elif step == FAULT - 1:
                network.state = before
        if step == 3:
            before = host.state
    assert process.lost is None and (gesture.checked, gesture.overtaken) == (STEPS, 1)
    assert same(gesture.state, host.state)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("short", "sent something that makes no sense (an answer of 8 bytes where 12 were due)"),
        ("other", "sent something that makes no sense (the answer to run 2 where that to run 1 was due)"),
        ("kind", "sent something that makes no sense (a frame READY where RAN was due)"),
        ("noise", "sent something that makes no sense"),
        ("end", "ended with code 3"),
        ("words", "ended (I have had enough)"),
        ("crash", "crashed (SIGABRT)"),
        ("failure", "gave up: No route to host."),
        ("shrug", "gave up"),
        ("close", "closed the connection"),
    ],
)
def test_whatever_is_no_answer_loses_the_process_with_the_reason_in_words(fault: str, sentence: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(worker_process, "KILL_S", 0.5)
    process = ChipProcess("The chip", sys.executable, [STUB, fault], 1)
    process.load(0, [(0, SPECIFICATION_ADDRESS, 2)], 2)
    process.send(0, 1, False, [], 60.0)
    with pytest.raises(Lost, match=f"^{re.escape(sentence)}"):
        process.collect(0, 60.0)
    process.close()


@pytest.mark.parametrize(
    ("fault", "sentence"), [("mute", "The chip ended (I have nothing to say) while it was started"), ("gossip", "The chip sent something")]
)
def test_a_worker_that_says_no_hello_cannot_be_started(fault: str, sentence: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}"):
        ChipProcess("The chip", sys.executable, [STUB, fault], 1)


def test_a_worker_that_does_not_take_the_plan_is_lost() -> None:
    process = ChipProcess("The chip", sys.executable, [STUB, "load"], 1)
    with pytest.raises(Lost, match="makes no sense"):
        process.load(0, [(0, SPECIFICATION_ADDRESS, 2)], 2)
    process.close()


def test_going_back_takes_the_state_along(start: Start, both: tuple[Program, Program]) -> None:
    gesture, _, process = start()
    inputs = make.inputs(both[0], 7, STEPS)
    host, logits = alone(both[0], inputs)
    for step, given in enumerate(inputs):
        if step == 5:
            process.close()
        if step == 10:
            fresh, *_ = start()
            gesture.attach(fresh.chip)
        np.testing.assert_array_equal(gesture.step(given), logits[step])
        assert gesture.on_chip == (step < 5 or step >= 10)
    assert same(gesture.state, host.state)


def test_a_state_that_is_set_is_the_one_the_chip_goes_on_from(start: Start, both: tuple[Program, Program]) -> None:
    gesture, *_ = start()
    inputs = make.inputs(both[0], 8, 9)
    host, _ = alone(both[0], inputs)
    for given in inputs[:4]:
        gesture.step(given)
    before = gesture.state
    for given in inputs:
        gesture.step(given)
    gesture.state = before
    for given in inputs[4:]:
        gesture.step(given)
    assert same(gesture.state, host.state)
    gesture.reset()
    assert not any(part.any() for part in (*gesture.state.h, *gesture.state.y, gesture.state.o))
    np.testing.assert_array_equal(gesture.step(inputs[0]), alone(both[0], inputs[:1])[1][0])


def test_inputs_that_are_none_are_refused_before_the_chip_sees_them(start: Start) -> None:
    gesture, language, process = start()
    with pytest.raises(ValueError, match="not 60 numbers"):
        gesture.step(np.zeros(61, np.uint16))
    with pytest.raises(ValueError, match="no token 30"):
        language.step(30)
    assert process.lost is None and gesture.on_chip


def test_a_lost_chip_stays_lost_for_the_same_reason(start: Start) -> None:
    _, _, process = start()
    first = process.lose(Lost("was given up"))
    assert process.lose(Lost("was given up again")) is first
    for ask in (lambda: process.send(0, 1, False, [], 1.0), lambda: process.collect(0, 1.0)):
        with pytest.raises(Lost, match=r"was given up$"):
            ask()


def test_a_plan_that_cannot_be_used_is_said_in_the_workers_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no plan at"):
        ChipProcess("The emulated chip", sys.executable, ["-m", "models.chip.emulator_worker", str(tmp_path / "absent")], 1)


def test_a_worker_that_cannot_start_is_said_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"The board ended \(.*No module named.*\) while it was started; use --runtime host"):
        ChipProcess("The board", sys.executable, ["-m", "models.chip.no_such_worker"], 1)
