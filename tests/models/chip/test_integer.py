"""The host executor of programs is the arithmetic of models/chip/program.py bit for bit, whatever the program, state and input."""

import dataclasses
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.chip import integer
from models.chip.integer import GestureNetwork, LanguageNetwork, Network
from models.chip.program import MAX_EVENT, MAX_STATE, Layer, Program, Signals, State, tied
from tests.models.chip import programs
from tests.models.chip.programs import on_host, same

seeds = st.integers(0, 2**32)
kinds = st.sampled_from(["gesture", "language"])
sizes = st.lists(st.sampled_from([1, 2, 3, 5, 17, 64]), min_size=1, max_size=3)
densities = st.sampled_from([0.01, 0.1, 0.5, 1.0])
weights = st.sampled_from([1, 40, 127])
gains = st.sampled_from([1.0, 10.0, 100.0, 10_000.0])
thresholds = st.sampled_from([0.0, 0.1, 1.0])


def extreme_state(program: Program, seed: int) -> State:
    """Every number of a state at one of its ends, or in between."""
    rng = np.random.default_rng(seed)
    h = tuple(rng.choice([-MAX_STATE, 0, rng.integers(MAX_STATE), MAX_STATE], n).astype(np.int32) for n in program.hidden)
    y = tuple(rng.choice([0, 1, MAX_EVENT], n).astype(np.int16) for n in program.hidden)
    o = rng.integers(-(2**29) + 1, 2**29, programs.start(program).o.size).astype(np.int32)
    return State(h, y, o)


@given(seeds, kinds, sizes, densities, weights, gains, thresholds)
def test_every_signal_of_every_step_is_the_arithmetics(
    seed: int, kind: str, hidden: list[int], density: float, largest: int, gain: float, theta: float
) -> None:
    program = programs.program(seed, kind, hidden, density=density, largest=largest, gain=gain, theta=theta)
    mine, state = on_host(program), programs.start(program)
    for given_ in programs.inputs(program, seed, 6):
        logits = mine.step(given_)
        signals, state = programs.step(program, state, given_)
        same(mine.signals, signals)
        same(mine.state, state)
        np.testing.assert_array_equal(logits, signals.logits.astype(np.float32) / 2**16)
        assert logits.dtype == np.float32
        assert mine.activity == tuple(float(np.mean(y != 0)) for y in state.y)


@given(seeds, kinds, sizes, weights)
def test_a_step_from_the_ends_of_every_range_is_the_arithmetics(seed: int, kind: str, hidden: list[int], largest: int) -> None:
    program = programs.program(seed, kind, hidden, density=1.0, largest=largest, gain=1000.0)
    mine, state = on_host(program), extreme_state(program, seed)
    mine.state = state
    for given_ in programs.inputs(program, seed, 3, mean=3.0):
        mine.step(given_)
        signals, state = programs.step(program, state, given_)
        same(mine.signals, signals)


@given(seeds, kinds, sizes, st.integers(1, 8))
def test_a_saved_state_continues_bit_for_bit(seed: int, kind: str, hidden: list[int], steps: int) -> None:
    program = programs.program(seed, kind, hidden)
    programs.continues(on_host(program), on_host(program), program, seed, steps)


@given(seeds, densities, st.integers(1, 40), st.integers(1, 200), st.sampled_from([0.0, 0.1, 1.0]))
def test_both_layouts_of_a_matrix_give_the_same_sums_and_operations(seed: int, density: float, k: int, m: int, events: float) -> None:
    rng = np.random.default_rng(seed)
    weights = programs.matrix(rng, k, m, density, 127)
    x = np.where(rng.random(k) < events, rng.integers(-32767, 32768, k), 0).astype(np.int16)
    wanted = x.astype(np.int64) @ weights.astype(np.int64)
    synapses = np.count_nonzero(weights, 1).astype(np.int32)
    whole, apart = np.empty(m, np.int32), np.empty(m, np.int32)
    first, begin, offset, kept = integer.stretched(weights)
    operations = integer.whole_rows(x, weights, synapses, np.zeros(k, np.int32), whole)
    assert integer.stretches(x, kept, synapses, first, begin, offset, apart) == operations == synapses[x != 0].sum()
    np.testing.assert_array_equal(whole, wanted)
    np.testing.assert_array_equal(apart, wanted)


def test_a_matrix_of_few_stretches_is_kept_as_stretches_and_one_of_many_weights_whole() -> None:
    rng = np.random.default_rng(1)
    local = np.zeros((20, 640), np.int8)
    for k in range(20):
        local[k, 32 * k : 32 * k + 48] = rng.integers(1, 127, 48 if k < 19 else 32)
    assert not integer.Matrix(local).whole
    assert integer.Matrix(programs.matrix(rng, 20, 640, 1.0, 127)).whole


@pytest.mark.parametrize("kind", ["gesture", "language"])
def test_operations_are_the_synapses_of_rows_that_events_fetch(kind: str) -> None:
    program = programs.program(3, kind, [32, 16], density=0.3)
    mine, state, expected = on_host(program), programs.start(program), 0
    for given_ in programs.inputs(program, 3, 10):
        before = state
        signals, state = programs.step(program, state, given_)
        mine.step(given_)
        matrices = [layer.wx for layer in program.layers] + [layer.wh for layer in program.layers] + [program.readout.w]
        events = [signals.x, *state.y[:-1], *before.y, state.y[-1]]
        expected += sum(np.count_nonzero(matrix[x != 0]) for matrix, x in zip(matrices, events, strict=True))
    assert mine.operations == expected
    assert mine.steps == 10


def test_without_events_nothing_is_fetched() -> None:
    program = programs.program(1, "gesture", [8, 4])
    silent = [dataclasses.replace(layer, b=np.zeros_like(layer.b), d=np.zeros_like(layer.d)) for layer in program.layers]
    mine = on_host(dataclasses.replace(program, layers=tuple(silent)))
    logits = mine.step(np.zeros(60, np.uint16))
    assert (mine.activity, mine.operations) == ((0.0, 0.0), 0)
    np.testing.assert_array_equal(logits, program.readout.b / np.float32(2**16))


def test_where_every_unit_fires_every_synapse_is_fetched() -> None:
    program = programs.program(1, "gesture", [8, 4], density=1.0)
    layers = tuple(_eager(layer) for layer in program.layers)
    mine = on_host(dataclasses.replace(program, layers=layers))
    everything = np.full(60, 65535, np.uint16)
    mine.step(everything)
    assert mine.activity == (1.0, 1.0)
    before = mine.operations
    mine.step(everything)
    synapses = sum(np.count_nonzero(matrix) for layer in layers for matrix in (layer.wx, layer.wh))
    assert mine.operations - before == synapses + np.count_nonzero(program.readout.w)


def _eager(layer: Layer) -> Layer:
    """The layer with biases that make every unit fire."""
    strong = np.repeat(np.int32([-(2**24), 0, 2**24]), layer.theta.size)
    return dataclasses.replace(layer, b=strong, theta=np.zeros_like(layer.theta))


def test_a_large_vocabulary_without_a_table_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    program = programs.program(5, "language", [24, 16], outputs=50)
    with_table = LanguageNetwork(program)
    monkeypatch.setattr(integer, "TABLE_LIMIT_BYTES", 50 * 72 * 4 - 1)
    without = LanguageNetwork(program)
    assert (with_table._table is None, without._table is None) == (False, True)
    for token in range(50):
        np.testing.assert_array_equal(with_table.step(token), without.step(token))
        same(with_table.signals, without.signals)
    assert without.operations == with_table.operations


def test_the_table_of_the_largest_embedding_is_exact() -> None:
    """One more input of such numbers, and the read-out could overflow; sums are just below what float32 can count to."""
    program = programs.program(2, "language", [3, 1032], outputs=4, density=0.1, gain=1.0)
    rows = np.tile(np.int8([127, -127]), (4, 516))
    wx = np.tile(np.int8([[127], [-127]]), (516, 9))
    wx[0, 0] = 126
    embedding = dataclasses.replace(program.embedding, rows=rows, scale=np.int16([1, 2, 3, 4]))
    layers = (dataclasses.replace(program.layers[0], wx=wx), program.layers[1])
    wide = dataclasses.replace(program, embedding=embedding, layers=layers, readout=tied(embedding, program.readout.b))
    mine = LanguageNetwork(wide)
    mine.step(2)
    np.testing.assert_array_equal(mine.signals.layers[0].A, 3 * (rows[2].astype(np.int64) @ wx.astype(np.int64)))


def test_a_state_taken_out_is_a_copy() -> None:
    mine = on_host(programs.program(1, "language", [16, 16], outputs=20))
    mine.step(3)
    saved = mine.state
    kept = saved.h[0].copy()
    mine.step(4)
    np.testing.assert_array_equal(saved.h[0], kept)
    mine.state = saved
    saved.h[0].fill(9)
    assert not np.any(mine.state.h[0] == 9)


def test_after_a_reset_a_network_is_as_new() -> None:
    program = programs.program(1, "gesture", [16, 16])
    used, fresh = on_host(program), on_host(program)
    first, second = programs.inputs(program, 4, 2)
    used.step(first)
    used.reset()
    assert used.activity == (0.0, 0.0)
    np.testing.assert_array_equal(used.step(second), fresh.step(second))
    assert used.steps == 2


@pytest.mark.parametrize("classes", [2, 5, 7])
def test_a_network_goes_on_with_more_or_fewer_classes(classes: int) -> None:
    """As when a class is taught or forgotten while recognition runs: what the classes in common say does not change."""
    program = programs.program(1, "gesture", [16, 8])
    other = programs.program(1, "gesture", [16, 8], outputs=7).readout.part(0, classes)
    common = min(classes, 5)
    for name in ("w", "m", "b"):
        getattr(other, name)[..., :common] = getattr(program.readout, name)[..., :common]
    before, straight = GestureNetwork(program), GestureNetwork(program)
    after = GestureNetwork(dataclasses.replace(program, readout=other))
    windows = programs.inputs(program, 3, 8, mean=1.0)
    for counts in windows[:4]:
        before.step(counts)
        straight.step(counts)
    after.go_on(before.state)
    assert not after.state.o[common:].any()
    for counts in windows[4:]:
        np.testing.assert_array_equal(after.step(counts)[:common], straight.step(counts)[:common])


def test_a_state_of_another_network_is_refused() -> None:
    mine = on_host(programs.program(1, "language", [16, 16]))
    for kind, hidden in (("language", [8, 16]), ("language", [16]), ("gesture", [16, 16])):
        with pytest.raises(ValueError, match="other sizes"):
            mine.state = programs.start(programs.program(1, kind, hidden))


@pytest.mark.parametrize(("field", "value"), [("h", 2**23), ("h", -(2**23)), ("y", -1), ("o", 2**29)])
def test_a_state_that_no_step_can_leave_is_refused(field: str, value: int) -> None:
    """The proof that nothing overflows holds for states within their ranges only."""
    program = programs.program(1, "gesture", [4])
    state = programs.start(program)
    part = getattr(state, field)
    (part if field == "o" else part[0])[1] = value
    with pytest.raises(ValueError, match="no step"):
        on_host(program).state = state


@pytest.mark.parametrize("token", [-1, 20, 10**12])
def test_a_token_outside_the_vocabulary_is_refused(token: int) -> None:
    mine = on_host(programs.program(1, "language", [16], outputs=20))
    with pytest.raises(ValueError, match="vocabulary of 20"):
        mine.step(token)
    assert mine.steps == 0


@pytest.mark.parametrize("counts", [np.zeros((2, 16, 16), np.uint16), np.zeros(60, np.float32)])
def test_counts_of_another_shape_are_refused(counts: Any) -> None:
    with pytest.raises(ValueError, match="60 numbers of uint16"):
        on_host(programs.program(1, "gesture", [16])).step(counts)


def test_networks_of_any_size_run_on_kernels_compiled_once() -> None:
    for program in (programs.program(1, "gesture", [1]), programs.program(1, "language", [3, 1]), programs.program(1, "gesture", [64])):
        mine: Network = on_host(program)
        frozen = programs.inputs(program, 1, 1)[0]
        if isinstance(frozen, np.ndarray):
            frozen.flags.writeable = False
        mine.step(frozen)  # type: ignore[attr-defined]
    kernels = (integer.features, integer.whole_rows, integer.stretches, integer.advance, integer.answer)
    assert [kernel.signatures for kernel in kernels if len(kernel.signatures) > 1] == []


def test_a_program_whose_matrices_lie_by_column_runs_on_the_same_kernels() -> None:
    program = programs.program(1, "gesture", [16, 8])
    turned = [dataclasses.replace(layer, wx=np.asfortranarray(layer.wx), wh=np.asfortranarray(layer.wh)) for layer in program.layers]
    mine, other = GestureNetwork(program), GestureNetwork(dataclasses.replace(program, layers=tuple(turned)))
    for counts in programs.inputs(program, 1, 3):
        np.testing.assert_array_equal(mine.step(counts), other.step(counts))
    assert len(integer.whole_rows.signatures) == 1


def test_two_networks_in_two_threads_do_as_alone() -> None:
    works = [programs.program(1, "gesture", [64, 32]), programs.program(2, "language", [64, 32])]

    def run(program: Program) -> Signals:
        mine = on_host(program)
        for given_ in programs.inputs(program, 1, 500):
            mine.step(given_)
        return mine.signals

    alone = [run(program) for program in works]
    together: list[Any] = [None, None]
    threads = [threading.Thread(target=lambda i=i: together.__setitem__(i, run(works[i]))) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(tuple(together), tuple(alone))
