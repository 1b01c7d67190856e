"""What a program is, what is refused as one, and that its tables and bounds are what they are said to be."""

import dataclasses
from hashlib import sha256
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.chip.program import FEATURES, MAX_EVENT, SIGMOID, TANH, Layer, Program, bounds, largest_inputs, synapses
from tests.models.chip import programs

seeds = st.integers(0, 2**32)
kinds = st.sampled_from(["gesture", "language"])


def test_the_tables_are_the_same_bits_on_every_machine() -> None:
    """They are made with numpy's functions, whose last bit may differ; the rounding to 15 bits must not."""
    digests = [sha256(table.tobytes()).hexdigest()[:16] for table in (SIGMOID, TANH, FEATURES)]
    assert digests == ["6cea631df2e41d4f", "fdc7a2c045e78faf", "09ceb4d5c2e34bc9"]
    assert [table.flags.writeable for table in (SIGMOID, TANH, FEATURES)] == [False] * 3


def test_the_curves_are_within_four_units_of_the_functions() -> None:
    u = np.arange(-(2**15), 2**15)
    x = u / 4096
    for table, function in ((SIGMOID, 1 / (1 + np.exp(-x))), (TANH, np.tanh(x))):
        assert np.abs(programs.curve(table, u) - 2**15 * function).max() < 4
        assert np.all(np.diff(programs.curve(table, u)) >= 0)
    assert (programs.curve(SIGMOID, u).min(), programs.curve(SIGMOID, u).max()) == (11, 32757)
    assert np.abs(programs.curve(TANH, u)).max() == MAX_EVENT


def test_features_of_counts_are_their_logarithms_and_none_is_none() -> None:
    assert FEATURES[0] == 0
    np.testing.assert_allclose(FEATURES / 4096, np.log1p(np.arange(256)), atol=0.5 / 4096)


@given(seeds, st.integers(0, 2**15 - 1), st.integers(-(2**29) + 1, 2**29 - 1), st.integers(-(2**29) + 1, 2**29 - 1))
def test_a_mix_lies_between_what_is_mixed(seed: int, share: int, old: int, new: int) -> None:
    """So that c cannot leave the range of h and g, nor o that of p."""
    assert min(old, new) <= programs.mix(share, programs.wide(old), programs.wide(new)) <= max(old, new)


@given(seeds, kinds, st.lists(st.integers(1, 9), min_size=1, max_size=3))
def test_no_input_exceeds_the_bounds(seed: int, kind: str, hidden: list[int]) -> None:
    program = programs.program(seed, kind, hidden, inputs=12, density=0.7, gain=100.0)
    found = bounds(program)
    assert [bound.where for bound in found] == [*(f"layer {i}" for i in range(len(hidden))), "read-out"]
    state = programs.start(program)
    for given_ in programs.inputs(program, seed, 5, mean=50.0):
        signals, state = programs.step(program, state, given_)
        for bound, layer in zip(found, signals.layers, strict=False):
            assert max(np.abs(layer.A).max(), np.abs(layer.Q).max()) <= bound.sums
            assert (np.abs(layer.a.astype(np.int64)) + np.abs(layer.q.astype(np.int64))).max() <= bound.scaled
        assert np.abs(signals.P).max() <= found[-1].sums
        assert np.abs(signals.p).max() <= found[-1].scaled
        assert np.abs(signals.logits).max() <= found[-1].last


def test_the_bound_of_a_sum_is_reached_by_the_events_that_are_worst() -> None:
    program = programs.program(4, "gesture", [6], inputs=10, density=1.0)
    wx = program.layers[0].wx.astype(np.int64)
    positive, negative = np.maximum(wx, 0).sum(0).max(), np.maximum(-wx, 0).sum(0).max()
    below = dataclasses.replace(program.layers[0], wh=np.zeros((6, 18), np.int8))
    assert bounds(dataclasses.replace(program, layers=(below,)))[0].sums == max(positive, negative) * FEATURES.max()
    assert np.array_equal(largest_inputs(program), np.full(10, FEATURES.max()))


@given(seeds, st.integers(1, 30), st.floats(0, 1), st.floats(0, 1))
def test_parts_of_a_layer_together_are_the_layer(seed: int, units: int, low: float, high: float) -> None:
    layer = programs.program(seed, "gesture", [units]).layers[0]
    edges = [0, *sorted(int(units * share) for share in (low, high)), units]
    parts = [layer.part(start, stop) for start, stop in pairwise(edges) if start < stop]
    rng = np.random.default_rng(seed)
    x, y, h = rng.integers(0, 32767, 60), rng.integers(0, 32767, units), rng.integers(-(2**22), 2**22, units)
    whole = programs.layer_step(layer, x, h, y)
    starts = np.cumsum([0, *(part.theta.size for part in parts)])
    pieces = [programs.layer_step(part, x, h[s : s + part.theta.size], y) for part, s in zip(parts, starts, strict=False)]
    for name in ("z", "r", "g", "c", "y", "h"):
        np.testing.assert_array_equal(np.concatenate([getattr(piece, name) for piece in pieces]), getattr(whole, name))


def test_a_part_of_the_read_out_gives_its_targets() -> None:
    readout = programs.program(2, "language", [7], outputs=9).readout
    part = readout.part(2, 5)
    np.testing.assert_array_equal(part.w, readout.w[:, 2:5])
    np.testing.assert_array_equal(part.m, readout.m[2:5])
    np.testing.assert_array_equal(part.b, readout.b[2:5])
    assert part.leak == readout.leak
    assert part.w.flags.c_contiguous


@given(seeds, st.integers(1, 9), st.integers(1, 40), st.sampled_from([0.0, 0.1, 1.0]))
def test_synapses_are_the_matrix_without_its_zeros(seed: int, sources: int, targets: int, density: float) -> None:
    matrix = programs.matrix(np.random.default_rng(seed), sources, targets, density, 127)
    rows = synapses(matrix)
    again = np.zeros_like(matrix)
    for source in range(sources):
        here = slice(rows.starts[source], rows.starts[source + 1])
        assert np.all(np.diff(rows.targets[here].astype(int)) > 0)
        again[source, rows.targets[here]] = rows.weights[here]
    np.testing.assert_array_equal(again, matrix)
    assert np.all(rows.weights != 0)


def test_a_row_with_more_targets_than_an_index_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bits"):
        synapses(np.zeros((1, 2**16 + 1), np.int8))


def changed(program: Program, part: str, **changes: Any) -> Program:
    """`program` with some of its layer 0, read-out, embedding or own fields replaced."""
    if part == "layer":
        return dataclasses.replace(program, layers=(dataclasses.replace(program.layers[0], **changes), *program.layers[1:]))
    if part == "program":
        return dataclasses.replace(program, **changes)
    return dataclasses.replace(program, **{part: dataclasses.replace(getattr(program, part), **changes)})


@pytest.mark.parametrize(
    ("part", "changes", "sentence"),
    [
        ("program", {"kind": "song"}, "song program"),
        ("program", {"embedding": None}, "without an embedding is none"),
        ("program", {"layers": ()}, "at least one layer"),
        ("layer", {"theta": np.full(4, 2**23 + 1, np.int32)}, "theta holds"),
        ("layer", {"theta": np.full(4, -1, np.int32)}, "theta holds"),
        ("layer", {"wx": np.zeros((3, 12), np.int16)}, r"wx is int16\[3, 12\], not int8\[3, 12\]"),
        ("layer", {"wx": np.zeros((3, 13), np.int8)}, r"wx is int8\[3, 13\]"),
        ("layer", {"wx": np.zeros((), np.int8)}, "matrix of inputs"),
        ("layer", {"wh": np.full((4, 12), -128, np.int8)}, "wh holds -128"),
        ("layer", {"mx": np.full(12, -1, np.int32)}, "mx holds -1"),
        ("layer", {"b": np.full(12, -(2**31), np.int32)}, "b holds"),
        ("layer", {"d": np.zeros(11, np.int32)}, r"d is int32\[11\]"),
        ("readout", {"w": np.zeros((5, 5), np.int8)}, r"read-out w is int8\[5, 5\], not int8\[3, 5\]"),
        ("readout", {"m": np.zeros(4, np.int32)}, "read-out m"),
        ("readout", {"leak": 2**15}, "leak 32768"),
        ("readout", {"leak": -1}, "leak -1"),
        ("embedding", {"scale": np.full(5, 256, np.int16)}, "embedding scale holds 256"),
        ("embedding", {"scale": np.zeros(5, np.int16)}, "embedding scale holds 0"),
        ("embedding", {"rows": np.zeros((5, 61), np.int8)}, r"embedding is int8\[5, 61\]"),
    ],
)
def test_what_is_no_program_is_refused_with_the_reason(part: str, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        changed(programs.program(1, "language", [4, 3]), part, **changes)


@pytest.mark.parametrize("changes", [{"w": np.zeros((3, 5), np.int8)}, {"m": np.ones(5, np.int32)}, {"leak": 1}])
def test_a_language_program_whose_read_out_is_not_its_embedding_is_none(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the read-out of a language program is its embedding, and this one is another"):
        changed(programs.program(1, "language", [4, 3]), "readout", **changes)


def wide_layer(sources: int, multiplier: int, bias: int = 0) -> Layer:
    """One unit under `sources` inputs of the largest weights."""
    constants = [np.full(3, value, np.int32) for value in (multiplier, 0, bias, 0)]
    return Layer(np.full((sources, 3), 127, np.int8), np.zeros((1, 3), np.int8), *constants, np.zeros(1, np.int32))


@pytest.mark.parametrize(
    ("layer", "refused"),
    [
        (wide_layer(744, 2**20), False),
        (wide_layer(745, 2**20), True),  # 745 * 127 * 22713 is above 2^31
        (wide_layer(744, 2**31 - 1, 2**21), True),  # a as large as 2^30
        (wide_layer(1, 2**31 - 1, 2**30), True),
        (wide_layer(1, 2**31 - 1, 2**29), False),
    ],
)
def test_a_program_that_could_overflow_is_refused_with_the_numbers(layer: Layer, refused: bool) -> None:
    program = programs.program(1, "gesture", [1])
    if refused:
        with pytest.raises(ValueError, match=r"layer 0 could overflow: sums up to [\d,]+ \(limit 2,147,483,647\)"):
            dataclasses.replace(program, layers=(layer,))
    else:
        dataclasses.replace(program, layers=(layer,))


def test_a_read_out_that_could_overflow_is_refused() -> None:
    program = changed(programs.program(1, "gesture", [300]), "readout", w=np.full((300, 5), 127, np.int8), m=np.full(5, 2**20, np.int32))
    with pytest.raises(ValueError, match="read-out could overflow"):
        changed(program, "readout", m=np.full(5, 2**31 - 1, np.int32))
    with pytest.raises(ValueError, match="read-out could overflow"):
        changed(program, "readout", m=np.full(5, 2**27, np.int32), b=np.full(5, 2**31 - 1, np.int32))
