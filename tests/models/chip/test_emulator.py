"""The firmware's image on emulated cores computes the arithmetic of models/chip/program.py, whatever the program, state and input."""

import dataclasses
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import assets
from models import checkpoint
from models.chip import cores, emulated, firmware, integer, parity, placement
from models.chip.compress import compress
from models.chip.cores import TIMER_VECTOR, ChipFault
from models.chip.cycles import SEND, TURN
from models.chip.emulator import EmulatedChip
from models.chip.layout import CODE_BYTES, TOKEN_PHASE, Counter, Region, Role
from models.chip.plan import Plan
from models.chip.program import MAX_EVENT, Program
from tests.models.chip import programs
from tests.models.chip.programs import on_host, same
from tests.models.chip.test_integer import extreme_state

seeds = st.integers(0, 2**32)
kinds = st.sampled_from(["gesture", "language"])
sizes = st.lists(st.sampled_from([1, 2, 5, 17, 64]), min_size=1, max_size=3)
densities = st.sampled_from([0.02, 0.2, 0.5, 1.0])
rooms = st.sampled_from([5_000, 12_000, 87_000])
"""Bytes a PE: with few, a layer takes several PEs."""


def placed(program: Program, room: int = 87_000, **how: Any) -> Plan:
    """The plan of `program` on PEs with `room` bytes for data."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(placement, "REGION_BYTES", room)
        return placement.place([program], firmware.image(), **how)


def on_chip(plan: Plan) -> Any:
    chip = EmulatedChip(plan)
    return emulated.GestureNetwork(chip, 0) if plan.networks[0].kind == "gesture" else emulated.LanguageNetwork(chip, 0)


@settings(max_examples=30)
@given(seeds, kinds, sizes, densities, st.sampled_from([1, 40, 127]), st.sampled_from([1.0, 100.0, 10_000.0]), rooms)
def test_every_signal_of_every_step_is_the_hosts(
    seed: int, kind: str, hidden: list[int], density: float, largest: int, gain: float, room: int
) -> None:
    program = programs.program(seed, kind, hidden, density=density, largest=largest, gain=gain)
    host, chip = on_host(program), on_chip(placed(program, room))
    for given_ in programs.inputs(program, seed, 5):
        np.testing.assert_array_equal(host.step(given_), chip.step(given_))
        same(chip.signals, host.signals)
        same(chip.state, host.state)
        assert (chip.activity, chip.operations) == (host.activity, host.operations)
    assert chip.deadlines_missed == sum(chip.counters(Counter.STRANGERS)) == 0


@settings(max_examples=12)
@given(seeds, kinds, sizes, rooms)
def test_a_step_from_the_ends_of_every_range_is_the_hosts(seed: int, kind: str, hidden: list[int], room: int) -> None:
    program = programs.program(seed, kind, hidden, density=1.0, largest=127, gain=1000.0)
    host, chip = on_host(program), on_chip(placed(program, room))
    host.state = chip.state = extreme_state(program, seed)
    for given_ in programs.inputs(program, seed, 3, mean=3.0):
        host.step(given_)
        chip.step(given_)
        same(chip.signals, host.signals)


@pytest.mark.parametrize("density", [0.1, 1.0])
def test_a_step_in_which_thousands_of_sources_fire_is_the_hosts(density: float) -> None:
    """Sources and units all in one PE's receive buffer, and those with dense rows noted behind them."""
    program = programs.program(5, "gesture", [6], inputs=5_000, density=density, theta=0.0)
    host, chip = on_host(program), on_chip(placed(program, 87_000))
    for _ in range(3):
        counts = np.full(5_000, 2, np.uint16)
        np.testing.assert_array_equal(host.step(counts), chip.step(counts))
        same(chip.signals, host.signals)


def test_an_event_that_finds_no_room_stops_the_chip() -> None:
    network = on_chip(placed(programs.program(1, "gesture", [4])))
    counts = np.ones(60, np.uint16)
    network.chip._capacities[network.of(Role.EGRU)[0]] = 59
    with pytest.raises(ChipFault, match="0 events had no route and 1 found a full receive buffer"):
        network.step(counts)


@settings(max_examples=8)
@given(seeds, kinds, sizes, st.integers(1, 6))
def test_a_saved_state_continues_bit_for_bit(seed: int, kind: str, hidden: list[int], steps: int) -> None:
    program = programs.program(seed, kind, hidden)
    plan = placed(program, 5_000)
    programs.continues(on_chip(plan), on_chip(plan), program, seed, steps)


@settings(max_examples=10)
@given(seeds, sizes, st.integers(1, 8), st.sampled_from([None, 1, 2]))
def test_a_window_played_by_the_source_is_the_single_steps(seed: int, hidden: list[int], steps: int, period: int | None) -> None:
    """Also where a step begins at every tick, and several are in the pipeline."""
    program = programs.program(seed, "gesture", hidden)
    windows = programs.inputs(program, seed, steps)
    host = integer.GestureNetwork(program)
    wanted = [host.step(counts) * 2**16 for counts in windows]
    chip = EmulatedChip(placed(program, 12_000, period=period))
    network = emulated.NetworkOnChip(chip, 0)
    network.write_input([(np.flatnonzero(counts) << 16 | counts[counts != 0]).astype(np.uint32) for counts in windows])
    network.run((steps - 1) * network.plan.period + network.plan.stages)
    got = [chip.numbers(index, Region.RECORD).reshape(-1, element.stop - element.start)[:steps]
           for index in network.of(Role.READOUT) for element in [network.element(index)]]  # fmt: skip
    np.testing.assert_array_equal(np.concatenate(got, 1), np.array(wanted, np.int64))


def test_a_token_is_answered_with_its_row_by_the_pe_that_holds_it() -> None:
    program = programs.program(4, "language", [16, 40], outputs=300)
    assert program.embedding is not None
    chip = on_chip(placed(program, 8_000, period=1))
    assert chip.plan.period == chip.plan.stages == 5  # the next token is not known before the answer
    assert len(chip.of(Role.READOUT)) > 1 and {chip.element(index).role for index in chip.indices} == set(Role)
    for token in (0, 151, 299):
        chip.step(token)
        np.testing.assert_array_equal(chip.x, program.embedding.rows[token].astype(np.int32) * int(program.embedding.scale[token]))
        for index in chip.of(Role.READOUT):
            sent = chip.chip.words(index, Region.COUNTERS)[Counter.SENT]
            mine = chip.element(index).start <= token < chip.element(index).stop
            assert sent == mine * np.count_nonzero(chip.x)
        chip.reset()


def test_candidates_are_the_best_of_every_pe() -> None:
    program = programs.program(4, "language", [16], outputs=300)
    chip = on_chip(placed(program, 8_000))
    logits = (chip.step(7) * 2**16).astype(np.int64)
    spans = [(chip.element(index).start, chip.element(index).stop) for index in chip.of(Role.READOUT)]
    assert len(spans) > 1
    wanted = []
    for start, stop in spans:
        order = np.argsort(-logits[start:stop], kind="stable")[: placement.BEST] + start
        wanted += [[target, logits[target]] for target in order]
    np.testing.assert_array_equal(chip.candidates, wanted)


def test_a_state_of_another_network_or_that_no_step_can_leave_is_refused() -> None:
    program = programs.program(1, "gesture", [16, 16])
    chip = on_chip(placed(program))
    with pytest.raises(ValueError, match="other sizes"):
        chip.state = programs.start(programs.program(1, "gesture", [16]))
    state = programs.start(program)
    state.y[0][1] = -1
    with pytest.raises(ValueError, match="no step"):
        chip.state = state


@pytest.mark.parametrize("classes", [3, 9])
def test_a_network_goes_on_with_more_or_fewer_classes(classes: int) -> None:
    before, after = (programs.program(3, "gesture", [12], outputs=outputs) for outputs in (5, classes))
    state = extreme_state(before, 1)
    chip, host = on_chip(placed(after)), on_host(after)
    for network in (chip, host):
        network.go_on(state)
    same(chip.state, host.state)


def test_two_networks_of_one_chip_step_in_two_threads_as_alone() -> None:
    pair = [programs.program(7, "gesture", [40, 30]), programs.program(8, "language", [50], outputs=90)]
    together = emulated.on_one_chip(pair)
    given_ = [programs.inputs(program, 3, 12) for program in pair]
    found: list[list[Any]] = [[], []]

    def steps(index: int) -> None:
        found[index] = [together[index].step(each) for each in given_[index]]

    threads = [threading.Thread(target=steps, args=(index,)) for index in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index, program in enumerate(pair):
        alone = on_host(program)
        np.testing.assert_array_equal(found[index], [alone.step(each) for each in given_[index]])


def test_the_shipped_gesture_network_is_the_hosts_on_a_real_wave(wave_far: list[Path]) -> None:
    from app.evaluation import material

    program = compress(*checkpoint.load(assets.path("gesture.safetensors"), "gesture"))
    (chip,) = emulated.on_one_chip([program])
    counts = (each for piece in material.recordings(wave_far[:1], material.NONE) for frames in piece.frames for each in frames.counts)
    found = parity.compare(on_host(program), chip, (next(counts) for _ in range(25)))
    assert (found.steps, found.difference) == (25, None)
    assert chip.deadlines_missed == 0


def test_the_shipped_language_network_is_the_hosts() -> None:
    program = compress(*checkpoint.load(assets.path("language.safetensors"), "language"))
    (chip,) = emulated.on_one_chip([program])
    found = parity.compare(on_host(program), chip, [1, 700, 2047])
    assert (found.steps, found.difference) == (3, None)


@pytest.mark.parametrize("kind", ["gesture", "language"])
@pytest.mark.parametrize("density", [0.05, 0.3, 1.0])
def test_no_turn_takes_longer_than_the_placement_says(kind: str, density: float) -> None:
    """All sources fire at once, and every unit fired in the step before; and the bound is no idle one."""
    program = programs.program(2, kind, [85, 60], outputs=200, inputs=400, density=density, largest=127, gain=10_000.0, theta=0.0)
    room = 40_000
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(placement, "REGION_BYTES", room)
        pieces = placement._slices(program)
    network = on_chip(placed(program, room))
    state = programs.start(program)
    for y in state.y:
        y[:] = MAX_EVENT
    network.state = state
    shares = {}
    for index, piece in enumerate(pieces):
        if piece.role == Role.SOURCE:
            sources = 1 if program.embedding else piece.stop  # tokens come one at a time
            network.write_input([(np.arange(sources) << 16 | 255).astype(np.uint32)])
        else:
            first, count = network.chip.words(index, Region.PROJECTIONS)[:2].tolist()
            keys = first + np.arange(count)
            events = (keys << 16 | MAX_EVENT).astype(np.uint32)
            network.chip.words(index, Region.RECEIVED)[: 1 + events.size] = [events.size, *events]
        _, cycles = network.chip.interrupt(index, TIMER_VECTOR, piece.stage)
        shares[index, piece.role.name] = cycles / placement.worst_cycles(piece)
        if len(network.element(index).turns) == 2:
            token = network.chip.words(index, Region.PROJECTIONS)[6]
            network.chip.words(index, Region.RECEIVED)[:2] = 1, token << 16 | 1
            _, cycles = network.chip.interrupt(index, TIMER_VECTOR, TOKEN_PHASE)
            shares[index, "TOKEN"] = cycles / (TURN + SEND * program.inputs)
    assert max(shares.values()) < 1, shares
    full = ("EGRU",) if program.embedding else ("SOURCE", "EGRU")
    assert min(share for (_, role), share in shares.items() if role in full) > 0.8, shares


def test_a_tick_that_is_too_short_is_found_by_the_firmware() -> None:
    program = programs.program(1, "gesture", [60])
    network = on_chip(placed(program, tick_us=20.0))
    network.step(np.full(program.inputs, 3, np.uint16))
    assert network.deadlines_missed > 0
    assert any("deadline missed in tick 1" in network.chip.error_log(index) for index in network.indices)
    assert on_chip(placed(program)).deadlines_missed == 0


def test_a_run_ends_after_the_ticks_of_the_plan_and_a_reset_begins_another() -> None:
    program = programs.program(1, "gesture", [20])
    plan = placed(program)
    for element in plan.elements:
        words = element[Region.SIMULATION].words
        assert words is not None
        words[1] = 2 * plan.networks[0].stages
    network = on_chip(plan)
    windows = programs.inputs(program, 4, 3)
    first = [network.step(counts) for counts in windows]
    assert set(network.counters(Counter.STEPS)) == {2}  # the third was not made
    np.testing.assert_array_equal(first[2], first[1])
    network.reset()
    np.testing.assert_array_equal([network.step(counts) for counts in windows[:2]], first[:2])


def test_what_is_left_of_a_tick_is_recorded() -> None:
    program = programs.program(1, "gesture", [60])
    plan = placed(program)
    network = on_chip(plan)
    network.step(np.zeros(program.inputs, np.uint16))
    period = int(network.chip.words(1, Region.SIMULATION)[0])
    left = int(network.chip.words(1, Region.TIME_DONE)[0])
    assert period - network.load.longest_cycles <= left < period


def test_instructions_are_counted_one_by_one() -> None:
    """The sum over basic blocks is what a hook on every instruction counts, and the few that a condition skips."""
    program = programs.program(5, "gesture", [20])
    network = on_chip(placed(program))
    counts = programs.inputs(program, 1, 1)[0]
    network.step(counts)
    state = network.state
    network.step(counts)
    fast = network.load.instructions
    network.state = state
    counted = [0]

    def count(*_: Any) -> None:
        counted[0] += 1

    engine = network.chip._cores[0]._engine
    engine.ctl_flush_tb()
    engine.hook_add(cores.unicorn_const.UC_HOOK_CODE, count)
    network.step(counts)
    assert counted[0] <= network.load.instructions < 1.05 * counted[0]
    assert fast <= network.load.instructions  # the outputs before are taken from the state


@contextmanager
def stopped(sentence: str) -> Iterator[None]:
    with pytest.raises(ChipFault, match=sentence):
        yield


def test_an_image_that_does_not_enable_the_fpu_is_refused() -> None:
    """The instruction that sets the bits, ORR with 0xF00000, is replaced by one that does nothing."""
    code = np.frombuffer(firmware.image(), np.uint16).copy()
    (place,) = np.flatnonzero((code[:-1] & 0xFFF0 == 0xF440) & (code[1:] & 0xF0FF == 0x0070))
    code[place : place + 2] = 0xF3AF, 0x8000
    plan = dataclasses.replace(placed(programs.program(1, "gesture", [4])), image=code.tobytes())
    with stopped(r"PE at \(1, 1, 0\) stopped: the firmware did not enable the FPU"):
        EmulatedChip(plan)


def test_a_pe_without_a_data_specification_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from models.chip.plan import ElementPlan

    plan = placed(programs.program(1, "gesture", [4]))
    monkeypatch.setattr(ElementPlan, "specification", lambda self: np.zeros(15, np.uint32))
    with stopped("there is no data specification"):
        EmulatedChip(plan)


def test_a_pe_with_parameters_that_make_no_sense_says_so() -> None:
    plan = placed(programs.program(1, "gesture", [4]))
    words = plan.elements[1][Region.SIMULATION].words
    assert words is not None
    words[2] = 9
    with stopped(r"PE at \(1, 1, 1\) stopped: the parameters make no sense for the role 9"):
        EmulatedChip(plan)


def test_an_access_outside_the_memory_stops_the_pe_with_its_name() -> None:
    network = on_chip(placed(programs.program(1, "gesture", [4])))
    layer = network.of(Role.EGRU)[0]
    network.chip.words(layer, Region.PROJECTIONS)[4] = 0x40000000
    network.chip.words(layer, Region.PROJECTIONS)[2] = 12
    with stopped(r"PE at \(1, 1, 1\) stopped: .*at 0x"):
        network.step(np.ones(60, np.uint16))


def test_the_firmware_leaves_weights_and_code_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    program = programs.program(9, "gesture", [64, 64], density=0.4)
    network = on_chip(placed(program, 12_000))
    core, image = network.chip._cores[0], firmware.image()
    for index in network.indices:
        element = network.element(index)
        network.chip.interrupt(index, TIMER_VECTOR, element.stage)
        assert core.memory.view(np.uint8)[: len(image)].tobytes() == image
        assert not core.memory.view(np.uint8)[len(image) : CODE_BYTES].any()
        for part in element.regions:
            if part.region in (Region.ROWS, Region.UNITS, Region.PROJECTIONS, Region.ROUTING) and part.words is not None:
                np.testing.assert_array_equal(core.memory[part.address // 4 : part.address // 4 + part.size], part.words)


def test_too_many_events_for_the_source_are_refused() -> None:
    network = on_chip(placed(programs.program(1, "gesture", [4])))
    with pytest.raises(ValueError, match="do not fit the source"):
        network.write_input([np.zeros(17_000, np.uint32)])


WITHOUT_UNICORN = """
import sys
sys.modules["unicorn"] = None
from pipeline.errors import UserError
try:
    import models.chip.cores
except UserError as error:
    print(error)
"""


def test_without_its_package_a_sentence_names_the_extra() -> None:
    root = Path(assets.__file__).parents[1]
    said = subprocess.run([sys.executable, "-c", WITHOUT_UNICORN], capture_output=True, text=True, check=True, cwd=root)
    assert "needs the package unicorn, which the extra `emulator` brings" in said.stdout
