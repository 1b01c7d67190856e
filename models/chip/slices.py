"""What one PE holds: a slice of a stage of a program, packed into the regions that the firmware reads (firmware/layout.h).

A matrix is packed the way that takes less memory: dense rows spend a byte on every weight, zeros included, sparse rows two bytes on every
weight that is not zero (column and weight) and two on every source (where its row starts), so dense is smaller above half density. (The
note that dense rows need of every source, a word, is left out of the comparison: projections share it.)

The fullest slice of a layer decides how many PEs it takes, and the busiest how long a tick is, so units are shared out by what they weigh
and not by their number: pruning leaves some units many times the weights of others.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from models.chip.layout import MAX_COLUMNS, REGION_BYTES, ROUTING_BYTES, Counter, Region, Role, Words, aligned
from models.chip.program import Int8s, Int64s, Layer, Program

NEVER = 0xFFFFFFFF
"""Ticks of a run without end."""
WORDS_OF_PROJECTION = 6
GATES = 3
WORDS_OF_CONSTANTS, WORDS_OF_SIGNALS = 13, 16
"""Of a unit of a layer (firmware/egru.c)."""
BYTES_OF_SIMULATION = 20


@dataclass(frozen=True, eq=False, slots=True)
class Packed:
    """A matrix [K, M] by source as the firmware reads it."""

    sources: int
    columns: int
    """Bytes of a dense row; 0: sparse."""
    rows: Words
    starts: Words
    """uint16 [K + 1] in words; empty for dense rows."""
    weights: int
    """Weights that are added if every source fires, padding included."""

    @property
    def has_rows(self) -> bool:
        """False for tokens, which a read-out hears of to answer them (`readout_slices`)."""
        return bool(self.columns or self.starts.size)


def pack(matrix: Int8s) -> Packed:
    """The smaller of the two layouts. ValueError where a sparse row cannot reach its targets, which takes more than 256 of them."""
    sources, targets = matrix.shape
    lengths = np.count_nonzero(matrix, 1)
    if not _sparse_words(lengths, targets):
        return pack_dense(matrix)
    starts = np.concatenate([[0], np.cumsum(-(-lengths // 2))])
    source, column = np.nonzero(matrix)
    rank = np.arange(source.size) - np.concatenate([[0], np.cumsum(lengths)])[source]
    synapses = np.zeros(2 * int(starts[-1]), np.uint16)
    synapses[2 * starts[source] + rank] = column.astype(np.uint16) | matrix[source, column].view(np.uint8).astype(np.uint16) << 8
    return Packed(sources, 0, synapses.view(np.uint32), as_words(starts.astype(np.uint16)), synapses.size)


def pack_dense(matrix: Int8s) -> Packed:
    """Dense rows, however many zeros they have."""
    sources, targets = matrix.shape
    padded = _padded(targets)
    dense = np.zeros((sources, padded), np.int8)
    dense[:, :targets] = matrix
    return Packed(sources, padded, dense.view(np.uint32).ravel(), np.zeros(0, np.uint32), sources * padded)


def _sparse_words(lengths: npt.NDArray[np.integer[Any]], targets: int) -> int:
    """Words of sparse rows with `lengths` [K] synapses, starts included; 0 where dense rows take less, or no sparse ones are possible."""
    words = int((-(-lengths // 2)).sum())
    if targets > MAX_COLUMNS or words > 0xFFFF or 4 * words + 2 * (lengths.size + 1) >= lengths.size * _padded(targets):
        return 0
    return words + lengths.size // 2 + 1


def _padded(columns: int) -> int:
    return -(-columns // 4) * 4


def as_words(values: npt.NDArray[np.generic]) -> Words:
    """Bytes of `values`, filled up with zeros to whole words."""
    data = np.ascontiguousarray(values).tobytes()
    return np.frombuffer(data + bytes(-len(data) % 4), np.uint32)


@dataclass(eq=False, slots=True)
class Slice:
    """A part of a stage, before it has a place: sizes of all regions, and the words of those that do not depend on the place."""

    role: Role
    stage: int
    start: int
    stop: int
    projections: list[tuple[str, Packed]] = field(default_factory=list)
    """Name of the population of sources, and its rows."""
    sends: str = ""
    """Name of the population that this slice is a part of; of a read-out of tokens "embedding", of classes empty."""
    words: dict[Region, Words] = field(default_factory=dict)
    """Regions with known contents."""
    sizes: dict[Region, int] = field(default_factory=dict)
    """Words of the other regions."""

    @property
    def receives(self) -> int:
        """Events that can come in a turn: one from each of its sources; a token comes alone."""
        return sum(packed.sources for _, packed in self.projections if packed.has_rows)

    def bytes(self) -> int:
        """What the regions take, all together."""
        sizes = [words.size for words in self.words.values()] + list(self.sizes.values())
        return sum(aligned(4 * size) for size in sizes)


def egru_slices(program: Program, index: int, parts: int, stage: int, below: str, record: int) -> list[Slice]:
    """Layer `index` of `program` in `parts` slices."""
    layer = program.layers[index]
    name = f"layer {index}"
    slices = []
    for start, stop in _balanced(_unit_bytes(layer), parts, MAX_COLUMNS // GATES):
        part = layer.part(start, stop)
        piece = Slice(Role.EGRU, stage, start, stop, [(below, pack(part.wx)), (name, pack(part.wh))], name)
        constants = np.concatenate([part.mx, part.mh, part.b, part.d, part.theta])
        _fill_egru(piece, record, constants.view(np.uint32), layer.theta.size)
        slices.append(piece)
    return slices


def _fill_egru(piece: Slice, record: int, constants: Words, units: int) -> None:
    """Give `piece`, of a layer of `units`, its regions."""
    n = piece.stop - piece.start
    words = {Region.UNITS: constants, Region.STATE: np.zeros(n + -(-units // 2), np.uint32)}
    _fill(piece, record, words, {Region.SIGNALS: WORDS_OF_SIGNALS * n})


def largest_egru_slice(layer: Layer, record: int) -> Callable[[int], int]:
    """A function of the number of slices: bytes of the largest that `egru_slices` would make of `layer`, without packing any."""
    units, sizes = layer.theta.size, _unit_bytes(layer)
    reached = [_synapses_up_to(matrix) for matrix in (layer.wx, layer.wh)]

    def size(start: int, stop: int) -> int:
        n = stop - start
        packed = [_blank(until[stop] - until[start], GATES * n) for until in reached]
        piece = Slice(Role.EGRU, 0, start, stop, [("", rows) for rows in packed])
        _fill_egru(piece, record, np.zeros(WORDS_OF_CONSTANTS * n, np.uint32), units)
        return piece.bytes()

    return lambda parts: max(size(*span) for span in _balanced(sizes, parts, MAX_COLUMNS // GATES))


def _synapses_up_to(matrix: Int8s) -> Int64s:
    """[H + 1, K] synapses of every source to the units before one."""
    sources = len(matrix)
    each = np.count_nonzero(matrix.reshape(sources, GATES, -1), 1)
    return np.concatenate([np.zeros((1, sources), np.int64), each.T.cumsum(0)])


def _blank(lengths: Int64s, targets: int) -> Packed:
    """As large as `pack` makes rows of `lengths` [K] synapses."""
    words, columns = _sparse_words(lengths, targets), _padded(targets)
    if words:
        return Packed(lengths.size, 0, np.zeros(words - 1, np.uint32), np.zeros(1, np.uint32), 0)
    return Packed(lengths.size, columns, np.zeros(lengths.size * columns // 4, np.uint32), np.zeros(0, np.uint32), 0)


def readout_slices(program: Program, parts: int, stage: int, below: str, record: int, best: int) -> list[Slice]:
    """The read-out in `parts` slices, each of which reports at most its `best` targets, or all where `best` is 0.

    Where targets are tokens, a slice also answers its tokens with their embedding rows, which are columns of its dense rows.
    """
    tokens = program.embedding is not None
    nothing = np.zeros(0, np.uint32)
    slices = []
    for start, stop in _spans(program.readout.b.size, parts):
        part, n = program.readout.part(start, stop), stop - start
        candidates = min(best, n)
        piece = Slice(Role.READOUT, stage, start, stop, [(below, pack_dense(part.w) if tokens else pack(part.w))])
        if tokens:
            piece.projections.append(("input", Packed(n, 0, nothing, nothing, 0)))
            piece.sends = "embedding"
        sizes = {Region.SIGNALS: 3 * n, Region.CANDIDATES: 2 * candidates, Region.RECORD: record * (2 * candidates or n)}
        words = {Region.UNITS: np.concatenate([part.m, part.b]).view(np.uint32), Region.STATE: np.zeros(n, np.uint32)}
        _fill(piece, record, words, sizes, width=program.inputs if tokens else 0, leak=part.leak, best=candidates)
        slices.append(piece)
    return slices


def source_slice(program: Program, record: int) -> Slice:
    """The PE that plays the input: as many steps of it as its memory holds."""
    inputs = program.inputs if program.embedding is None else program.embedding.scale.size
    piece = Slice(Role.SOURCE, 0, 0, inputs, sends="input")
    _fill(piece, record, {}, {}, counts=int(program.embedding is None))
    piece.words[Region.INPUT] = np.zeros((REGION_BYTES - ROUTING_BYTES - piece.bytes()) // 4, np.uint32)
    return piece


def _fill(
    piece: Slice,
    record: int,
    words: dict[Region, Words],
    sizes: dict[Region, int],
    width: int = 0,
    leak: int = 0,
    best: int = 0,
    counts: int = 0,
) -> None:
    """Give `piece` its regions: those given, and those that every PE has."""
    with_rows = sum(packed.has_rows for _, packed in piece.projections)
    parameters = (piece.stop - piece.start, piece.start, with_rows, width, leak, best, counts, record, piece.receives)
    piece.words[Region.PARAMETERS] = np.array(parameters, np.uint32)
    piece.words |= words
    noted = max((packed.sources for _, packed in piece.projections if packed.columns), default=0)
    rows = [block for _, packed in piece.projections for block in (packed.rows, packed.starts)]
    if sum(block.size for block in rows):
        piece.words[Region.ROWS] = np.concatenate(rows)
    piece.sizes |= sizes | {
        Region.SIMULATION: BYTES_OF_SIMULATION // 4,
        Region.PROJECTIONS: WORDS_OF_PROJECTION * len(piece.projections),
        Region.TIME_DONE: record,
        Region.COUNTERS: len(Counter),
        Region.RECEIVED: 1 + piece.receives + noted,
    }
    piece.sizes = {region: size for region, size in piece.sizes.items() if size}


def _spans(size: int, parts: int) -> list[tuple[int, int]]:
    edges = [size * index // parts for index in range(parts + 1)]
    return list(pairwise(edges))


def _unit_bytes(layer: Layer) -> Int64s:
    """[H] about what every unit takes: its synapses, or dense rows where they take less, constants, signals and h."""
    synapses = sum(np.count_nonzero(matrix, 0).reshape(GATES, -1).sum(0) for matrix in (layer.wx, layer.wh))
    dense = GATES * (len(layer.wx) + len(layer.wh))
    return np.minimum(2 * synapses, dense) + 4 * (WORDS_OF_CONSTANTS + WORDS_OF_SIGNALS + 1)


def _balanced(sizes: Int64s, parts: int, most: int) -> list[tuple[int, int]]:
    """`parts` spans of units of `sizes` bytes, about equal in bytes, none of more than `most` units if so many parts can do that."""
    units, reached = sizes.size, sizes.cumsum()
    most = max(most, -(-units // parts))
    edges = [0]
    for index in range(1, parts + 1):
        wanted = int(np.searchsorted(reached, reached[-1] * index // parts, side="right"))
        left = parts - index
        edges.append(min(max(wanted, edges[-1] + 1, units - left * most), edges[-1] + most, units - left))
    return list(pairwise(edges))
