"""Programs on the chip: everything is somewhere, once, within the memory; events find who needs them; what is too large is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.chip import firmware, placement, slices
from models.chip.compress import thinned
from models.chip.layout import (
    ALIGNMENT,
    COORDINATES,
    FIRST_REGION,
    QUADS,
    REGIONS_END,
    USABLE_PES,
    Region,
    Role,
    target_words,
)
from models.chip.plan import Plan
from models.chip.program import Int8s, Program
from pipeline.errors import UserError
from tests.models.chip import programs

seeds = st.integers(0, 2**32)
densities = st.sampled_from([0.0, 0.02, 0.3, 0.6, 1.0])


def placed(some: list[Program], room: int = 87_000) -> Plan:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(placement, "REGION_BYTES", room)
        return placement.place(some, firmware.image())


def unpacked(packed: slices.Packed, columns: int) -> Int8s:
    """The matrix that the firmware reads."""
    if packed.columns:
        return packed.rows.view(np.int8).reshape(packed.sources, packed.columns)[:, :columns]
    matrix = np.zeros((packed.sources, 256), np.int8)
    starts, words = packed.starts.view(np.uint16), packed.rows.view(np.uint16)
    for source in range(packed.sources):
        for synapse in words[2 * int(starts[source]) : 2 * int(starts[source + 1])]:
            matrix[source, synapse & 0xFF] += np.int8((int(synapse >> 8) + 128) % 256 - 128)
    assert not matrix[:, columns:].any()
    return matrix[:, :columns]


@given(seeds, st.integers(1, 30), st.integers(1, 300), densities)
def test_a_packed_matrix_is_the_matrix_in_the_smaller_layout(seed: int, sources: int, targets: int, density: float) -> None:
    matrix = programs.matrix(np.random.default_rng(seed), sources, targets, density, 127)
    packed = slices.pack(matrix)
    np.testing.assert_array_equal(unpacked(packed, targets), matrix)
    size = packed.rows.nbytes + packed.starts.nbytes
    assert size <= sources * (targets + 3)
    if targets <= 256:
        assert size <= 2 * (np.count_nonzero(matrix) + 2 * sources + 2)


@settings(max_examples=10)
@given(seeds, st.lists(st.integers(1, 90), min_size=1, max_size=3), densities, st.sampled_from([6_000, 20_000, 87_000]))
def test_two_programs_are_placed_whole_and_apart(seed: int, hidden: list[int], density: float, room: int) -> None:
    pair = [programs.program(seed, kind, hidden, outputs=60, density=density) for kind in ("gesture", "language")]
    plan = placed(pair, room)
    assert len({element.coordinate for element in plan.elements}) == len(plan.elements) <= USABLE_PES
    for network, program in enumerate(pair):
        mine = [element for element in plan.elements if element.network == network]
        widths = {Role.SOURCE: [program.inputs if program.embedding is None else 60], Role.READOUT: [60]}
        widths[Role.EGRU] = list(program.hidden)
        for role, sizes in widths.items():
            stages = sorted({element.stage for element in mine if element.role == role})
            for size, stage in zip(sizes, stages, strict=True):
                spans = [(element.start, element.stop) for element in mine if (element.role, element.stage) == (role, stage)]
                assert [unit for span in spans for unit in range(*span)] == list(range(size))


@settings(max_examples=8)
@given(seeds, st.lists(st.integers(1, 90), min_size=1, max_size=2), st.sampled_from([6_000, 87_000]))
def test_regions_are_aligned_apart_and_within_the_memory(seed: int, hidden: list[int], room: int) -> None:
    plan = placed([programs.program(seed, "language", hidden, outputs=60)], room)
    for element in plan.elements:
        assert element.coordinate in COORDINATES
        end = FIRST_REGION
        for part in element.regions:
            assert part.address % ALIGNMENT == 0 and end <= part.address
            end = part.address + 4 * part.size
        assert end <= REGIONS_END
        specification = element.specification()
        assert all(specification[2 + part.region] == part.address for part in element.regions)


@settings(max_examples=8)
@given(seeds, st.lists(st.integers(1, 90), min_size=1, max_size=2))
def test_every_population_is_heard_by_those_who_have_rows_for_it_and_by_nobody_else(seed: int, hidden: list[int]) -> None:
    pair = [programs.program(seed, kind, hidden, outputs=60) for kind in ("gesture", "language")]
    plan = placed(pair, 12_000)
    for sender in plan.elements:
        key, count = int(_words(plan, sender)[0]), sender.stop - sender.start
        if sender.role == Role.READOUT:
            if plan.networks[sender.network].kind == "gesture":
                assert _words(plan, sender)[1] == 0  # it sends to nobody
                continue
            count = plan.networks[sender.network].inputs
        for unit in {key, key + count - 1}:
            routes = [route for route in plan.routes if unit << 16 & route.mask == route.key]
            assert len(routes) == 1
            heard = set(routes[0].targets)
            knowing = {index for index, each in enumerate(plan.elements) if _knows(plan, each, unit)}
            assert heard >= knowing
            if sender.role != Role.SOURCE or plan.networks[sender.network].kind == "gesture":  # every PE with tokens hears all of them
                assert heard == knowing
            count_of_words = int(_words(plan, sender)[1])
            listed = _words(plan, sender)[2 : 2 + count_of_words].tolist()
            assert listed == target_words([plan.elements[index].coordinate for index in routes[0].targets]).tolist()


def _words(plan: Plan, element: object) -> np.ndarray:
    words = element[Region.ROUTING].words  # type: ignore[index]
    assert words is not None
    return words


def _knows(plan: Plan, element: object, unit: int) -> bool:
    try:
        words = element[Region.PROJECTIONS].words  # type: ignore[index]
    except KeyError:
        return False
    return any(first <= unit < first + count for first, count, *_ in words.reshape(-1, 6).tolist())


def test_the_chip_has_38_quads_and_egret_leaves_four_pes_alone() -> None:
    assert len(QUADS) == 38 and len(COORDINATES) == USABLE_PES == 148
    assert not {(4, 3), (4, 4), (7, 3), (7, 4)} & set(QUADS)


def test_targets_are_listed_by_quad_with_a_bit_for_every_pe() -> None:
    """Bit 3 is PE 0, as in the network's packets."""
    assert target_words([(1, 2, 0), (1, 2, 3), (7, 6, 1)]).tolist() == [1 | 2 << 8 | 0b1001 << 16, 7 | 6 << 8 | 0b0100 << 16]


def test_a_network_that_does_not_fit_is_refused_with_the_density_that_fits() -> None:
    program = programs.program(1, "gesture", [400, 400], inputs=600, density=1.0)
    with pytest.raises(
        UserError, match=r"need at least (\d+) PEs \(gesture source 1, gesture layer 0 \d+, .*chip has 148; at a density of (0\.\d+)"
    ) as caught:
        placed([program], 16_000)
    density = float(str(caught.value).split("density of ")[1].split(" ")[0])
    assert 0.1 < density < 0.6
    assert len(placed([thinned(program, density)], 16_000).elements) <= USABLE_PES
    with pytest.raises(UserError):
        placed([thinned(program, density + 0.01)], 16_000)


def test_beside_another_the_density_named_is_of_one_network_and_the_other_stays_as_it_is() -> None:
    gesture = programs.program(1, "gesture", [80], inputs=200, density=0.9)
    language = programs.program(2, "language", [300, 40], outputs=300, density=1.0)
    with pytest.raises(UserError, match=r"with the language network at a density of 0\.\d+ or less it would fit") as caught:
        placed([gesture, language], 6_000)
    density = float(str(caught.value).split("density of ")[1].split(" ")[0])
    assert len(placed([gesture, thinned(language, density)], 6_000).elements) <= USABLE_PES


def test_where_no_density_helps_that_is_said() -> None:
    pair = [programs.program(seed, "language", [40], outputs=4_000, density=0.5) for seed in (1, 2)]
    with pytest.raises(UserError, match="chip has 148; no density of one network makes them fit"):
        placed(pair, 3_000)
    with pytest.raises(UserError, match="chip has 148; no density makes it fit"):
        placed([programs.program(1, "language", [40], outputs=9_000, density=0.5)], 3_000)


def test_a_unit_too_large_for_a_pe_is_refused_with_its_size() -> None:
    with pytest.raises(UserError, match=r"one unit of layer 0 needs [\d,]+ bytes, and a PE has 1,\d+ for data"):
        placed([programs.program(1, "gesture", [3], inputs=2000, density=1.0)], room=2_000)


def test_a_sparse_layer_takes_no_more_pes_than_it_needs() -> None:
    program = programs.program(1, "gesture", [1000], inputs=1500, density=0.05)
    pieces = [piece for piece in placement._slices(program) if piece.role == Role.EGRU]
    fewer = slices.egru_slices(program, 0, len(pieces) - 1, 1, "input", placement.WINDOW_STEPS["gesture"])
    room = placement.REGION_BYTES - placement.ROUTING_BYTES
    assert max(piece.bytes() for piece in pieces) <= room < max(piece.bytes() for piece in fewer)


def test_a_layer_that_is_dense_in_part_takes_no_more_pes_than_it_needs() -> None:
    program = programs.program(1, "gesture", [600], inputs=1000, density=0.1)
    (layer,), full = program.layers, programs.program(2, "gesture", [600], inputs=1000).layers[0]
    for matrix, other in ((layer.wx, full.wx), (layer.wh, full.wh)):
        for gate in range(3):
            matrix[:, 600 * gate : 600 * gate + 180] = other[:, 600 * gate : 600 * gate + 180]
    stage, _ = placement._stages(program)
    room = placement.REGION_BYTES - placement.ROUTING_BYTES
    found = placement._fewest(stage)
    assert found == next(count for count in range(1, 60) if stage.largest(count) <= room)


@given(seeds, st.integers(1, 200), st.integers(1, 60), st.integers(1, 90))
def test_units_are_shared_out_whole_in_order_and_about_evenly(seed: int, units: int, parts: int, most: int) -> None:
    parts = min(parts, units)
    sizes = np.random.default_rng(seed).integers(1, 3_000, units)
    spans = slices._balanced(sizes, parts, most)
    assert len(spans) == parts and [unit for span in spans for unit in range(*span)] == list(range(units))
    widest = max(stop - start for start, stop in spans)
    assert min(stop - start for start, stop in spans) > 0 and widest <= max(most, -(-units // parts))
    if most >= units:
        assert max(sizes[start:stop].sum() for start, stop in spans) <= sizes.sum() / parts + 2 * sizes.max()


@settings(max_examples=20)
@given(seeds, st.integers(1, 200), st.integers(1, 20), st.sampled_from([0.0, 0.05, 0.3, 0.5, 0.8]))
def test_the_size_of_the_largest_slice_is_known_before_it_is_cut(seed: int, units: int, parts: int, density: float) -> None:
    program = programs.program(seed, "gesture", [units], inputs=70, density=density)
    parts = min(parts, units)
    pieces = slices.egru_slices(program, 0, parts, 1, "input", 64)
    assert slices.largest_egru_slice(program.layers[0], 64)(parts) == max(piece.bytes() for piece in pieces)


@given(st.integers(1, 300), st.integers(1, 90))
def test_equal_units_are_shared_out_equally(units: int, parts: int) -> None:
    parts = min(parts, units)
    assert slices._balanced(np.full(units, 7), parts, 85) == slices._spans(units, parts)


def test_a_layer_whose_first_units_have_most_weights_is_cut_by_weights() -> None:
    program = programs.program(1, "gesture", [400], inputs=500, density=0.05)
    (layer,) = program.layers
    for matrix in (layer.wx, layer.wh):
        columns = matrix.reshape(len(matrix), 3, 400)[:, :, :80]
        columns[np.random.default_rng(1).random(columns.shape) < 0.4] = 1
    pieces = slices.egru_slices(program, 0, 10, 1, "input", 1)
    sizes = [piece.bytes() for piece in pieces]
    assert pieces[0].stop < 20 and max(sizes) < 1.2 * np.mean(sizes)


@pytest.mark.parametrize("density", [0.1, 1.0])
def test_a_pe_has_room_for_the_events_of_all_its_sources_and_to_note_those_with_dense_rows(density: float) -> None:
    plan = placed([programs.program(1, "gesture", [4], inputs=6_000, density=density)])
    source, *layers, readout = plan.elements
    noted = 6_000 if density == 1 else 0
    assert {layer[Region.RECEIVED].size for layer in layers} == {1 + 6_004 + noted}
    assert {int(layer[Region.PARAMETERS].words[8]) for layer in layers} == {6_004}  # type: ignore[index]
    assert source[Region.RECEIVED].size == 1 and 1 + 4 <= readout[Region.RECEIVED].size <= 1 + 4 + 4
    for element in plan.elements:
        assert element.regions[-1].region == Region.RECEIVED and not element[Region.RECEIVED].read


def test_the_tick_fits_the_slowest_pe_and_can_be_chosen() -> None:
    program = programs.program(1, "gesture", [60], inputs=500)
    plan = placed([program])
    quads = [element[Region.ROUTING].words[1] for element in plan.elements]  # type: ignore[index]
    assert max(quads) > 0
    slowest = max(map(placement.worst_cycles, placement._slices(program), quads))
    assert plan.tick_us % placement.TICK_GRID_US == 0
    assert plan.tick_us - placement.TICK_GRID_US < slowest / 150 <= plan.tick_us
    assert placement.place([program], firmware.image(), tick_us=80.0).tick_us == 80.0
