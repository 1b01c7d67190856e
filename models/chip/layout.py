"""The memory of a processing element (PE) as host and firmware agree on it: the numbers of firmware/layout.h.

Sources: a public SpiNNaker 2 application generator and its linker script for the map and the data specification, the chip's papers for
sizes (the docstrings say which is which). Everything on the wire is 32-bit words; regions are aligned to 16 bytes.
"""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint32]

MEMORY_BYTES = 0x20000
"""128 KiB of SRAM a PE, from address 0: code and data."""
CODE_BYTES = 0x8000
"""ITCM: the first 32 KiB, for vector table, code and constants."""
VARIABLES_BYTES = 0x1000
"""The start of the DTCM: variables of the firmware and, on a board, of the vendor's libraries. That those fit is an assumption: public
programs have 24 KiB there, with all their buffers."""
ERROR_LOG_ADDRESS = CODE_BYTES + VARIABLES_BYTES
ERROR_LOG_BYTES = 0x800
SPECIFICATION_ADDRESS = ERROR_LOG_ADDRESS + ERROR_LOG_BYTES
SPECIFICATION_MAGIC = 0xAD130AD6
SPECIFICATION_VERSION = 0x00010000
STACK_BYTES = 0x1000
REGIONS_END = MEMORY_BYTES - STACK_BYTES
"""Above it lies the stack."""
ALIGNMENT = 16


class Region(IntEnum):
    """Index of a region in the data specification."""

    ROUTING = 0
    SIMULATION = 1
    PARAMETERS = 2
    PROJECTIONS = 3
    ROWS = 4
    UNITS = 5
    STATE = 6
    SIGNALS = 7
    CANDIDATES = 8
    INPUT = 9
    RECORD = 10
    TIME_DONE = 11
    COUNTERS = 12
    RECEIVED = 13
    """The last: how much of it is in use differs from tick to tick."""


class Role(IntEnum):
    """What a PE does."""

    SOURCE = 0
    EGRU = 1
    READOUT = 2


class Counter(IntEnum):
    """Index of a word of the region COUNTERS."""

    STEPS = 0
    RECEIVED = 1
    STRANGERS = 2
    SENT = 3
    SYNAPSES = 4
    LATE = 5
    LAST_LATE = 6
    FAILURE = 7


TOKEN_PHASE = 1
"""Stage at which the read-out's PEs answer a token with its embedding row: the source sent it the tick before."""

FIRST_REGION = SPECIFICATION_ADDRESS + -(-4 * (2 + len(Region)) // ALIGNMENT) * ALIGNMENT
"""Address of the first region, behind magic, version and the regions' addresses."""
REGION_BYTES = REGIONS_END - FIRST_REGION
"""What the regions of a PE may take together."""

MAX_COLUMNS = 256
"""Targets that the 8-bit index of a synapse reaches."""
EVENT_UNITS = 1 << 16
"""Units that the upper half of an event word tells apart: all populations of a chip share them."""

QUADS = tuple((x, y) for y in range(1, 7) for x in range(1, 8) if (x, y) not in ((4, 3), (4, 4), (7, 3), (7, 4)))
"""Coordinates of the chip's 38 quads of four PEs."""
USABLE_PES = 148
"""PEs that the vendor's software gives to applications, of 152. Which four it keeps is not public: Egret leaves the last quad alone."""
ROUTING_ENTRIES = 16_384
"""Entries of the chip's multicast router."""

Coordinate = tuple[int, int, int]
"""Quad x, quad y, PE 0 to 3."""

COORDINATES: tuple[Coordinate, ...] = tuple((x, y, pe) for x, y in QUADS for pe in range(4))[:USABLE_PES]


def aligned(size: int) -> int:
    """`size` in bytes, rounded up to where the next region may start."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def target_words(coordinates: list[Coordinate]) -> Words:
    """The routing region's list of `coordinates`: a word a quad with the bytes x, y, PEs (bit 3 is PE 0) and 0."""
    quads: dict[tuple[int, int], int] = {}
    for x, y, pe in coordinates:
        quads[x, y] = quads.get((x, y), 0) | 8 >> pe
    return np.array([x | y << 8 | pes << 16 for (x, y), pes in quads.items()], np.uint32)


ROUTING_BYTES = aligned(4 * (2 + len(QUADS)))
"""The most that a routing region takes: its header and every quad."""
