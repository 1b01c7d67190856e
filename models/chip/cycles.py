"""How long the firmware takes: instructions and clock cycles of every stretch of its code.

The emulator counts basic blocks, and a block costs the sum of its instructions, so all that is needed is a running sum over the image.
Cycles are those of ARM's Cortex-M4 Technical Reference Manual (r0p1, table 3-1) for memory without wait states, each at its most expensive:
a branch is taken and refills the pipeline in 3 cycles, loads and stores never overlap, a division takes 12. The estimate is therefore high
rather than low. What SpiNNaker 2's memories really take is not public; a measured figure replaces this one on a board (TIME_DONE).
"""

import numpy as np
import numpy.typing as npt

REFILL = 3
DIVISION = 12
TURN, SCAN, SEND, UNIT, TARGET, CANDIDATE = 500, 20, 75, 430, 50, 20
"""Clock cycles of the firmware as it is, at most: a turn's frame; an event looked at for a projection; an event sent; a unit updated, its
event included; a target answered; a candidate moved down a place. tests/models/chip/test_emulator.py holds them against what is counted."""
QUAD = 31
"""On a board the sender addresses every quad that listens: so much more for each. Counted in platform_spinnaker2.c, compiled against those
names of the vendor's kit that are public, for a link that takes every event at once."""
SPARSE_ROW, SYNAPSE, DENSE_ROW, DENSE_BLOCK, DENSE_REST = 60, 10, 20, 31, 35
"""At most: a sparse row and each of its synapses, padding included; a dense row, its blocks of eight columns, four columns left over."""

CYCLES_SHIFT = 32
"""The running sum holds cycles above this bit and instructions below."""


def running_sum(image: bytes) -> npt.NDArray[np.int64]:
    """int64 [halfwords + 1]: cycles << 32 | instructions of everything before a halfword of the image."""
    code = np.frombuffer(image + bytes(-len(image) % 2), np.uint16).tolist()
    costs = np.zeros(len(code) + 1, np.int64)
    index = 0
    while index < len(code):
        wide = code[index] >> 11 in (0b11101, 0b11110, 0b11111)
        following = code[index + 1] if index + 1 < len(code) else 0
        cycles = _wide_cycles(code[index], following) if wide else _narrow_cycles(code[index])
        costs[index + 1] = cycles << CYCLES_SHIFT | 1
        index += 2 if wide else 1
    return costs.cumsum()


def _narrow_cycles(code: int) -> int:
    """Cycles of a 16-bit instruction."""
    if code >> 11 == 0b11100 or code >> 12 == 0b1101 or code >> 8 == 0x47 or code & 0xF500 == 0xB100:  # B, B<c>, BX and BLX, CBZ
        return 1 + REFILL
    if code & 0xFE00 == 0xB400:  # PUSH
        return 1 + (code & 0x1FF).bit_count()
    if code & 0xFE00 == 0xBC00:  # POP
        return 1 + (code & 0x1FF).bit_count() + (REFILL if code & 0x100 else 0)
    if code >> 12 == 0b1100:  # LDM, STM
        return 1 + (code & 0xFF).bit_count()
    if code >> 11 == 0b01001 or code >> 12 in (0b0101, 0b0110, 0b0111, 0b1000, 0b1001):  # LDR, STR
        return 2
    if code & 0xFF87 == 0x4687:  # MOV PC
        return 1 + REFILL
    return 1


def _wide_cycles(first: int, second: int) -> int:
    """Cycles of a 32-bit instruction."""
    if first & 0xFE40 == 0xE800:  # LDM, STM, PUSH, POP
        return 1 + second.bit_count() + (REFILL if first & 0x10 and second & 0x8000 else 0)
    if first & 0xFFF0 == 0xE8D0 and second & 0xFFE0 == 0xF000:  # TBB, TBH
        return 2 + REFILL
    if first & 0xFE40 == 0xE840:  # LDRD, STRD
        return 3
    if first & 0xFE00 == 0xF800:  # LDR, STR
        return 2 + (REFILL if first & 0x10 and second >> 12 == 0xF else 0)
    if first & 0xF800 == 0xF000 and second & 0x8000:  # B, BL
        return 1 + REFILL
    if first & 0xFFD0 == 0xFB90:  # SDIV, UDIV
        return DIVISION
    return 1
