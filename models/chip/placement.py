"""Where a program goes on the chip: which PE holds which units, what every PE is sent, and who hears whom.

**Slices.** Memory is the limit (DESIGN.md section 5), so a stage is cut into the fewest slices that each fit a PE, a layer in slices of
about equal bytes; a slice holds all rows of its sources, restricted to its own targets, and an event of a source is therefore sent to every
PE of the stages that listen to it.

**Ticks.** There is no barrier on the chip. The stages of a network are a pipeline: the source (which plays the input), for text the
embedding, the layers, the read-out. Stage i works on step s at tick s * period + i. With the period of the number of stages a step is
finished before the next begins, as it must be where the next input depends on the answer; with the period 1 a step is begun every tick.
The stage of the embedding has no PEs of its own: a token's row is a column of the read-out, whose PEs answer it (firmware/readout.c). The
tick is long enough for the worst case of every PE, all sources firing at once, so a deadline can only be missed if this bound is wrong.

**Keys.** An event word holds a unit's key in the upper 16 bits. Every population of sources owns an aligned block of keys, a power of
two in size, so one router entry (key, mask) leads from a population to all its listeners.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from models.chip import cycles, slices
from models.chip.compress import thinned
from models.chip.layout import (
    COORDINATES,
    EVENT_UNITS,
    FIRST_REGION,
    REGION_BYTES,
    ROUTING_BYTES,
    TOKEN_PHASE,
    USABLE_PES,
    Coordinate,
    Region,
    Role,
    Words,
    aligned,
    target_words,
)
from models.chip.plan import ElementPlan, NetworkPlan, Plan, RegionPlan, Route
from models.chip.program import Int8s, Program
from models.chip.slices import NEVER, WORDS_OF_PROJECTION, Packed, Slice
from pipeline.errors import UserError

SLOW_CLOCK_HZ = 150_000_000
"""The PEs' clock at 0.5 V; at 0.8 V it is twice that."""
TICK_GRID_US = 250.0
"""Ticks are multiples of this."""
NEAR = 4
"""Numbers of slices below the one that was found that are tried as well."""
WINDOW_STEPS = {"gesture": 64, "language": 1}
"""Steps of a run whose results the PEs record."""
BEST = 40
"""Candidates a PE of a vocabulary's read-out reports: the sampler's default."""
READ = (Region.STATE, Region.SIGNALS, Region.CANDIDATES, Region.RECORD, Region.TIME_DONE, Region.COUNTERS)


Pieces = list[tuple[int, Slice]]
"""Every slice with the index of its network, in the order of the PEs."""
Keys = dict[tuple[int, str], tuple[int, int]]
"""First key and block size of every population, by index of the network and name."""


def place(programs: list[Program], image: bytes, tick_us: float | None = None, period: int | None = None) -> Plan:
    """All `programs` side by side on one chip. `tick_us`, and the `period` of a gesture network, instead of those that are sure to suffice.

    UserError, with the numbers, where they do not fit.
    """
    cut = [_slices(program) for program in programs]
    pieces = [(network, piece) for network, part in enumerate(cut) for piece in part]
    if len(pieces) > USABLE_PES:
        raise UserError(_too_large(programs, cut))
    keys = _keys(programs)
    coordinates = COORDINATES[: len(pieces)]
    routes, listeners = _routes(pieces, keys)
    heard = [[coordinates[index] for index in indices] for indices in listeners]
    tick_us = tick_us or default_tick_us([(piece, target_words(targets).size) for (_, piece), targets in zip(pieces, heard, strict=True)])
    timer = round(tick_us * SLOW_CLOCK_HZ / 1e6)
    networks = tuple(_network(program, part, period) for program, part in zip(programs, cut, strict=True))
    elements = tuple(
        _element(network, piece, where, (timer, networks[network].period), keys, targets)
        for (network, piece), where, targets in zip(pieces, coordinates, heard, strict=True)
    )
    return Plan(image, tick_us, SLOW_CLOCK_HZ, networks, elements, routes)


@dataclass(frozen=True, slots=True)
class _Stage:
    """Units of a stage that are to be shared out."""

    name: str
    units: int
    least_bytes: int
    """That they have at least, all together."""
    largest: Callable[[int], int]
    """Bytes of the largest slice, if there are so many."""
    cut: Callable[[int], list[Slice]]
    """Into so many slices."""


def _slices(program: Program) -> list[Slice]:
    """All of a network, stage by stage, each in the fewest slices that fit."""
    found = [slices.source_slice(program, WINDOW_STEPS[program.kind])]
    return found + [piece for stage in _stages(program) for piece in stage.cut(_fewest(stage))]


def fewest_pes(program: Program) -> int:
    """How many PEs `program` takes. UserError where a single unit is too large for one."""
    return 1 + sum(map(_fewest, _stages(program)))


def _stages(program: Program) -> list[_Stage]:
    """The layers and the read-out."""
    record = WINDOW_STEPS[program.kind]
    found = []
    stage, below = 1, "input"
    if program.embedding is not None:
        stage, below = TOKEN_PHASE + 1, "embedding"
    for index, layer in enumerate(program.layers):
        name = f"layer {index}"
        cut = partial(slices.egru_slices, program, index, stage=stage, below=below, record=record)
        least = _least_bytes(layer.wx, slices.GATES) + _least_bytes(layer.wh, slices.GATES)
        found.append(_Stage(name, layer.theta.size, least, slices.largest_egru_slice(layer, record), cut))
        stage, below = stage + 1, name
    best = BEST if program.kind == "language" else 0
    last = partial(slices.readout_slices, program, stage=stage, below=below, record=record, best=best)
    readout = program.readout
    sizes = (readout.b.size, _least_bytes(readout.w, 1))
    return [*found, _Stage("the read-out", *sizes, lambda parts: max(piece.bytes() for piece in last(parts)), last)]


def _least_bytes(matrix: Int8s, columns: int) -> int:
    """That the rows of all units take, each with so many `columns`, however they are shared out: a slice is dense or sparse as a whole."""
    synapses = np.count_nonzero(matrix, 0).reshape(columns, -1).sum(0)
    return int(np.minimum(2 * synapses, columns * len(matrix)).sum())


def _fewest(stage: _Stage) -> int:
    """The fewest slices of `stage` that each fit a PE, or a few more: with one slice more the largest may be larger, as the units are cut
    elsewhere, and not every count is tried. UserError where a single unit does not fit.

    Where they are more than the chip has PEs, the count may be too small: it only serves to say so.
    """
    units, room = stage.units, REGION_BYTES - ROUTING_BYTES
    parts = min(max(1, stage.least_bytes // room), units)
    too_few = parts - 1
    while (largest := stage.largest(parts)) > room and not USABLE_PES < parts < units:
        if parts == units:
            raise UserError(
                f"The network does not fit the chip: one unit of {stage.name} needs {largest:,} bytes, and a PE has {room:,} for data."
            )
        too_few, parts = parts, min(max(parts + 1, parts * largest // room), units)
    while parts - too_few > 1:  # a slice too wide for sparse rows is far larger than its share, so the last stride may have been too long
        middle = (too_few + parts) // 2
        if stage.largest(middle) <= room:
            parts = middle
        else:
            too_few = middle
    return next((count for count in range(max(1, parts - NEAR), parts) if stage.largest(count) <= room), parts)


def _too_large(programs: list[Program], cut: list[list[Slice]]) -> str:
    """How many PEs are needed where, and which share of the layers' weights of one network would fit, the others as they are."""
    used = Counter(f"{program.kind} {_stage_name(piece)}" for program, part in zip(programs, cut, strict=True) for piece in part)
    sizes = ", ".join(f"{name} {count}" for name, count in used.items())
    mend = "no density of one network makes them fit" if len(programs) > 1 else "no density makes it fit"
    for program, part in sorted(zip(programs, cut, strict=True), key=lambda each: -len(each[1])):
        density = _fitting_density(program, USABLE_PES - used.total() + len(part))
        if density:
            which = f"with the {program.kind} network at" if len(programs) > 1 else "at"
            mend = f"{which} a density of {density:.2f} or less it would fit (`egret compile WEIGHTS --density D --program FILE`)"
            break
    return f"The networks need at least {used.total()} PEs ({sizes}), and the chip has {USABLE_PES}; {mend}."


def _fitting_density(program: Program, pes: int) -> float:
    """The largest density, in hundredths, at which `program` takes at most so many PEs; 0 where there is none."""
    fits, high = 0, 100
    while high - fits > 1:
        middle = (fits + high) // 2
        if fewest_pes(thinned(program, middle / 100)) <= pes:
            fits = middle
        else:
            high = middle
    return fits / 100


def _stage_name(piece: Slice) -> str:
    return piece.sends if piece.role == Role.EGRU else piece.role.name.lower()


def _network(program: Program, part: list[Slice], period: int | None) -> NetworkPlan:
    stages = part[-1].stage + 1
    targets = program.readout.b.size
    period = stages if program.embedding is not None else period or stages
    return NetworkPlan(program.kind, period, stages, program.hidden, program.inputs, targets, program.metadata)


def _keys(programs: list[Program]) -> Keys:
    """Of all populations. Largest first, so that blocks are aligned without gaps."""
    sizes = {}
    for network, program in enumerate(programs):
        sizes[network, "input"] = program.inputs if program.embedding is None else program.embedding.scale.size
        if program.embedding is not None:
            sizes[network, "embedding"] = program.inputs
        for index, units in enumerate(program.hidden):
            sizes[network, f"layer {index}"] = units
    keys, first = {}, 0
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        block = 1 << (size - 1).bit_length()
        keys[name] = first, block
        first += block
    if first > EVENT_UNITS:
        raise UserError(
            f"The networks have {first:,} sources of events (in blocks of powers of two), and an event can name {EVENT_UNITS:,}."
        )
    return keys


def _routes(pieces: Pieces, keys: Keys) -> tuple[tuple[Route, ...], list[list[int]]]:
    """The router's entries, and for every piece the indices of those that hear it."""
    listeners: dict[tuple[int, str], list[int]] = {name: [] for name in keys}
    for index, (network, piece) in enumerate(pieces):
        for population, _ in piece.projections:
            listeners[network, population].append(index)
    routes = [
        Route(first << 16, (EVENT_UNITS - block) << 16, tuple(listeners[name])) for name, (first, block) in keys.items() if listeners[name]
    ]
    heard = [listeners.get((network, piece.sends), []) for network, piece in pieces]
    return tuple(routes), heard


def _element(network: int, piece: Slice, where: Coordinate, clock: tuple[int, int], keys: Keys, targets: list[Coordinate]) -> ElementPlan:
    """`piece` at the PE `where`; `clock` is (timer counts a tick, period in ticks)."""
    words, sizes = dict(piece.words), dict(piece.sizes)
    listed = target_words(targets)
    key = keys[network, piece.sends][0] if piece.sends else 0
    first = 0 if piece.role == Role.READOUT else piece.start  # every PE of the read-out speaks for all of a token's row
    words[Region.ROUTING] = np.zeros(ROUTING_BYTES // 4, np.uint32)  # whole: a board's own mapper may spread the targets over more quads
    words[Region.ROUTING][: 2 + listed.size] = key + first, listed.size, *listed
    timer, period = clock
    words[Region.SIMULATION] = np.array([timer, NEVER, piece.role, piece.stage, period], np.uint32)
    if piece.projections:
        sizes[Region.PROJECTIONS] = WORDS_OF_PROJECTION * len(piece.projections)
    sizes |= {region: content.size for region, content in words.items()}
    addresses, end = {}, FIRST_REGION
    for region in sorted(sizes):
        addresses[region] = end
        end += aligned(4 * sizes[region])
    if piece.projections:
        words[Region.PROJECTIONS] = _projection_words(network, piece, keys, addresses)
    regions = (RegionPlan(region, addresses[region], sizes[region], words.get(region), region in READ) for region in sorted(sizes))
    return ElementPlan(where, piece.role, network, piece.stage, piece.start, piece.stop, tuple(regions))


def _projection_words(network: int, piece: Slice, keys: Keys, addresses: dict[Region, int]) -> Words:
    """The firmware's struct projection for each of the slice's: first key, sources, columns, addresses of starts, rows and sums."""
    found = []
    rows, sums = addresses.get(Region.ROWS, 0), addresses.get(Region.SIGNALS, 0)
    for population, packed in piece.projections:
        first = keys[network, population][0] + (0 if packed.has_rows else piece.start)
        starts = rows + 4 * packed.rows.size
        found.append([first, packed.sources, packed.columns, starts, rows, sums])
        rows = starts + 4 * packed.starts.size
        sums += 4 * 3 * (piece.stop - piece.start)  # A, then Q
    return np.array(found, np.uint32).ravel()


def default_tick_us(pieces: list[tuple[Slice, int]]) -> float:
    """The shortest tick, a multiple of `TICK_GRID_US`, in which every PE manages its worst case at the slow clock.

    With each of the `pieces` goes the number of quads that listen to it."""
    worst = max(worst_cycles(piece, quads) for piece, quads in pieces)
    return math.ceil(worst / (SLOW_CLOCK_HZ / 1e6) / TICK_GRID_US) * TICK_GRID_US


def worst_cycles(piece: Slice, quads: int = 0) -> int:
    """At most this many clock cycles are taken by any turn of `piece`, when every source fires at once (models/chip/cycles.py).

    On a board it addresses each of the `quads` that listen to it; the emulated chip's router needs to be told once, which is 0."""
    send = cycles.SEND + cycles.QUAD * quads
    units = piece.stop - piece.start
    if piece.role == Role.SOURCE:
        pixels = int(piece.words[Region.PARAMETERS][6])  # events are counts of them, else tokens, of which one comes at a time
        return cycles.TURN + send * (units if pixels else 1)
    rows = sum(_row_cycles(packed) + cycles.SCAN * piece.receives for _, packed in piece.projections if packed.has_rows)
    each = cycles.UNIT + cycles.QUAD * quads if piece.role == Role.EGRU else cycles.TARGET
    token = send * int(piece.words[Region.PARAMETERS][3])
    return cycles.TURN + max(rows + each * units + cycles.CANDIDATE * _insertions(piece), token)


def _row_cycles(packed: Packed) -> int:
    """Clock cycles of all rows of a matrix."""
    if not packed.columns:
        return cycles.SPARSE_ROW * packed.sources + cycles.SYNAPSE * packed.weights
    blocks, rest = divmod(packed.columns, 8)
    return (cycles.DENSE_ROW + cycles.DENSE_BLOCK * blocks + cycles.DENSE_REST * (rest > 0)) * packed.sources


def _insertions(piece: Slice) -> int:
    """At most so many steps are taken to keep the candidates of a read-out in order."""
    best = int(piece.words[Region.PARAMETERS][5])
    return best * (piece.stop - piece.start)
