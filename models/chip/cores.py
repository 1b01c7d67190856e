"""Emulated Cortex-M4F cores with the memory and the devices of a PE (firmware/platform_emulated.c), on unicorn.

Memory is shared with numpy: a PE's SRAM and its packet sender are rows of two arrays, so regions are written, events delivered and signals
read without copying through the emulator. Code may only be executed and read, data not executed; any other access ends the run with a fault.

**Time.** A hook on basic blocks adds up instructions and clock cycles (models/chip/cycles.py), and the emulated timer reads that sum: the
firmware sees time pass, writes how much was left (TIME_DONE) and finds its own missed deadlines. Hooks and timer are compiled, because a
hook in Python would cost a hundred times what the instructions do.

**Interrupts** are delivered by calling the handler that the vector table names, as if at the WFI where the program sleeps; unicorn has no
interrupt controller. Nor does it insist that the FPU is enabled before it is used: that is checked after the start instead.
"""

import ctypes
from typing import Any

import numpy as np
from numba import carray, cfunc, types

from models.chip.cycles import CYCLES_SHIFT, running_sum
from models.chip.layout import CODE_BYTES, ERROR_LOG_ADDRESS, MEMORY_BYTES, Words
from pipeline.errors import UserError

try:
    import unicorn
    from unicorn import arm_const, unicorn_const
    from unicorn.unicorn_py3.unicorn import uclib
except ImportError as _missing:
    raise UserError(
        "The emulated chip needs the package unicorn, which the extra `emulator` brings: run `sh app/environment.sh emulator`."
    ) from _missing

PAGE = 4096
SENDER_BYTES = 7 * PAGE
"""Packet sender at 0xE2000000: tick, count of events, events."""
SEND_CAPACITY = SENDER_BYTES // 4 - 2
TIMER, SENDER, SYSTEM = 0xE1000000, 0xE2000000, 0xE000E000
CPACR = 0xD88 // 4
FPU_FULL_ACCESS = 0xF << 20
RESET_VECTOR, START_VECTOR, RESTART_VECTOR, TIMER_VECTOR = 1, 16, 17, 18
STACK_TOP = 0x20000
TIMER_RUNS = 0xE2
WFI_BYTES = 2
NOWHERE = 0xFFFFFFFE
"""No code is there. Unicorn translates the code at the address where it is to stop anew in every run, so runs stop at a WFI instead."""
SENDER_TICK, SENDER_COUNT, SENDER_EVENTS = 0, 1, 2

_ELAPSED, _LOAD, _CONTROL, _SUM = 0, 1, 2, 3
"""Words of a core's clock: cycles << 32 | instructions since the interrupt, timer registers, and then the running sum of its code."""
_CODE_POINTS = CODE_BYTES // 2 + 1


@cfunc(types.void(types.voidptr, types.uint64, types.uint32, types.voidptr), cache=True)
def _block(_: Any, address: int, size: int, user: Any) -> None:
    """Called before a basic block is run."""
    clock = carray(user, (_SUM + _CODE_POINTS,), dtype=np.int64)
    first = _SUM + np.int64(address >> 1)
    clock[_ELAPSED] += clock[first + np.int64(size >> 1)] - clock[first]


@cfunc(types.uint64(types.voidptr, types.uint64, types.uint32, types.voidptr), cache=True)
def _timer_read(_: Any, offset: int, size: int, user: Any) -> int:
    """Registers of the SP804: load, value (counts down, round and round), control, and the raw status: past zero."""
    clock = carray(user, (_SUM,), dtype=np.int64)
    load, elapsed = clock[_LOAD], clock[_ELAPSED] >> CYCLES_SHIFT
    if offset == 0:
        return load
    if offset == 4:
        return load - elapsed % max(load, 1)
    if offset == 8:
        return clock[_CONTROL]
    return elapsed >= load if offset == 16 else 0


@cfunc(types.void(types.voidptr, types.uint64, types.uint32, types.uint64, types.voidptr), cache=True)
def _timer_write(_: Any, offset: int, size: int, value: int, user: Any) -> None:
    clock = carray(user, (_SUM,), dtype=np.int64)
    if offset == 0:
        clock[_LOAD] = value
    elif offset == 8:
        clock[_CONTROL] = value


class ChipFault(RuntimeError):
    """A PE stopped: an access outside its memory, an instruction that is none, or a failure that the firmware reports."""


def _pages(rows: int, size: int) -> Words:
    """Zeros [rows, size / 4], every row at the start of a page."""
    spare = np.zeros(rows * size // 4 + PAGE // 4, np.uint32)
    start = -spare.ctypes.data % PAGE // 4
    return spare[start : start + rows * size // 4].reshape(rows, size // 4)


class Cores:
    """`count` PEs with one firmware image, asleep after `boot`. One core is for one thread at a time."""

    def __init__(self, image: bytes, count: int) -> None:
        self.memory = _pages(count, MEMORY_BYTES)
        """uint32 [count, 32768]: the SRAM of every PE."""
        self.sender = _pages(count, SENDER_BYTES)
        """uint32 [count, ...]: tick, count of events sent, events."""
        self._system = _pages(count, PAGE)
        self._clocks = np.zeros((count, _SUM + _CODE_POINTS), np.int64)
        code = running_sum(image)
        self._clocks[:, _SUM : _SUM + code.size] = code
        self._clocks[:, _SUM + code.size :] = code[-1]
        self.memory.view(np.uint8)[:, : len(image)] = np.frombuffer(image, np.uint8)
        self._vectors = self.memory[0, :32].copy()
        self._engines = [self._engine(core) for core in range(count)]
        self._idle = [0] * count
        self._registers = (ctypes.c_uint32(0), ctypes.c_uint32(0))

    def _engine(self, core: int) -> Any:
        engine = unicorn.Uc(unicorn_const.UC_ARCH_ARM, unicorn_const.UC_MODE_THUMB | unicorn_const.UC_MODE_MCLASS)
        engine.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M4)
        read, write, run = unicorn_const.UC_PROT_READ, unicorn_const.UC_PROT_WRITE, unicorn_const.UC_PROT_EXEC
        base = self.memory[core].ctypes.data
        engine.mem_map_ptr(0, CODE_BYTES, read | run, base)
        engine.mem_map_ptr(CODE_BYTES, MEMORY_BYTES - CODE_BYTES, read | write, base + CODE_BYTES)
        engine.mem_map_ptr(SENDER, SENDER_BYTES, read | write, self.sender[core].ctypes.data)
        engine.mem_map_ptr(SYSTEM, PAGE, read | write, self._system[core].ctypes.data)
        clock = ctypes.c_void_p(self._clocks[core].ctypes.data)
        handle, anywhere = ctypes.c_size_t(), (ctypes.c_uint64(1), ctypes.c_uint64(0))
        hook = ctypes.cast(_block.address, ctypes.c_void_p)
        _check(uclib.uc_hook_add(engine._uch, ctypes.byref(handle), unicorn_const.UC_HOOK_BLOCK, hook, clock, *anywhere))
        read_call, write_call = (ctypes.c_void_p(call.address) for call in (_timer_read, _timer_write))
        _check(uclib.uc_mmio_map(engine._uch, ctypes.c_uint64(TIMER), ctypes.c_size_t(PAGE), read_call, clock, write_call, clock))
        return engine

    def boot(self, core: int) -> None:
        """Run the firmware from reset until it sleeps. ChipFault if it does not, or has not enabled the FPU."""
        self._run(core, RESET_VECTOR, NOWHERE)
        self._idle[core] = self._engines[core].reg_read(arm_const.UC_ARM_REG_PC) - WFI_BYTES
        if self._system[core, CPACR] & FPU_FULL_ACCESS != FPU_FULL_ACCESS:
            raise ChipFault("the firmware did not enable the FPU")
        if self.error_log(core):
            raise ChipFault(self.error_log(core))

    def interrupt(self, core: int, vector: int) -> tuple[int, int]:
        """Deliver an interrupt and run until the PE sleeps again: (instructions, clock cycles). ChipFault if it never does."""
        return self._run(core, vector, self._idle[core])

    def timer_runs(self, core: int) -> bool:
        """Whether the firmware has started its timer."""
        return bool(self._clocks[core, _CONTROL] == TIMER_RUNS)

    def error_log(self, core: int) -> str:
        """What the PE has written to its error log."""
        count = int(self.memory[core, ERROR_LOG_ADDRESS // 4])
        return self.memory[core].view(np.uint8)[ERROR_LOG_ADDRESS + 4 : ERROR_LOG_ADDRESS + 4 + count].tobytes().decode("ascii", "replace")

    def _run(self, core: int, vector: int, back: int) -> tuple[int, int]:
        """Call the handler of `vector`, which returns to `back`, and run until the next WFI."""
        engine, clock = self._engines[core], self._clocks[core]
        clock[_ELAPSED] = 0
        stack, link = ctypes.c_uint32(STACK_TOP), ctypes.c_uint32(back | 1)
        uclib.uc_reg_write(engine._uch, arm_const.UC_ARM_REG_SP, ctypes.byref(stack))
        uclib.uc_reg_write(engine._uch, arm_const.UC_ARM_REG_LR, ctypes.byref(link))
        status = uclib.uc_emu_start(engine._uch, ctypes.c_uint64(int(self._vectors[vector])), ctypes.c_uint64(NOWHERE), 0, 0)
        if status != unicorn_const.UC_ERR_OK:
            where = engine.reg_read(arm_const.UC_ARM_REG_PC)
            raise ChipFault(f"{unicorn.UcError(status)} at {where:#x}; {self.error_log(core) or 'its error log is empty'}")
        elapsed = int(clock[_ELAPSED])
        return elapsed & (1 << CYCLES_SHIFT) - 1, elapsed >> CYCLES_SHIFT


def _check(status: int) -> None:
    if status != unicorn_const.UC_ERR_OK:
        raise ChipFault(f"the emulator could not be set up: {unicorn.UcError(status)}")
