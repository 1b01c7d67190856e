"""An emulated Cortex-M4F with the memory and the devices of a PE (firmware/platform_emulated.c), on unicorn.

One core plays many PEs in turn. A PE is nothing but its memory and its timer while it sleeps, so whoever has work is copied into the core's
memory, woken, run until it sleeps again, and copied back. That takes some microseconds, and the translated code stays warm in the caches;
a core for every PE of a chip was slower, and took 3 MB and 20 ms each to make. Code may only be executed and read, data not executed; any
other access ends the run with a fault.

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
from models.chip.layout import CODE_BYTES, ERROR_LOG_ADDRESS, ERROR_LOG_BYTES, MEMORY_BYTES, Words
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
VECTORS = 32
SENDER_TICK, SENDER_COUNT = 0, 1
"""Words of the packet sender; the events follow."""

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


def _pages(size: int) -> Words:
    """Zeros [size / 4] from the start of a page on."""
    spare = np.zeros((size + PAGE) // 4, np.uint32)
    start = -spare.ctypes.data % PAGE // 4
    return spare[start : start + size // 4]


class Sleeper:
    """A PE between two interrupts: what has to be kept of it."""

    def __init__(self, memory: Words, sent: Words, inbox: int, constant: tuple[int, int] = (0, 0)) -> None:
        """`inbox` is the address of the last region, the events received; `constant` the span of bytes that the firmware only reads."""
        self.memory = memory
        """uint32 [32768]: the SRAM."""
        self.sent = sent
        """uint32 [1 + SEND_CAPACITY]: count of the events sent in the last turn, and the events."""
        self.timer = (0, 0)
        """Load and control register."""
        first, last = constant if any(constant) else (inbox, inbox)
        self._inbox = inbox // 4
        self._kept = [(CODE_BYTES // 4, first // 4), (last // 4, self._inbox + 1)]

    def enter(self, memory: Words) -> None:
        """Copy what the firmware may read into a core's `memory`."""
        first, last = CODE_BYTES // 4, self._inbox + 1 + int(self.memory[self._inbox])
        memory[first:last] = self.memory[first:last]

    def leave(self, memory: Words) -> None:
        """Copy what the firmware may have written back from a core's `memory`."""
        for first, last in self._kept:
            self.memory[first:last] = memory[first:last]

    @property
    def timer_runs(self) -> bool:
        """Whether the firmware has started its timer."""
        return self.timer[1] == TIMER_RUNS

    @property
    def error_log(self) -> str:
        """What the PE has written to its error log."""
        count = min(int(self.memory[ERROR_LOG_ADDRESS // 4]), ERROR_LOG_BYTES - 4)
        text = self.memory.view(np.uint8)[ERROR_LOG_ADDRESS + 4 : ERROR_LOG_ADDRESS + 4 + count]
        return text.tobytes().decode("ascii", "replace")


class Core:
    """A core with one firmware image, for one thread at a time."""

    def __init__(self, image: bytes) -> None:
        self.memory, self._sender, self._system = _pages(MEMORY_BYTES), _pages(SENDER_BYTES), _pages(PAGE)
        self.memory.view(np.uint8)[: len(image)] = np.frombuffer(image, np.uint8)
        self._vectors = self.memory[:VECTORS].tolist()
        code = running_sum(image)
        self._clock = np.full(_SUM + _CODE_POINTS, code[-1], np.int64)
        self._clock[_SUM : _SUM + code.size] = code
        self._idle = NOWHERE
        self._engine = self._made()

    def _made(self) -> Any:
        engine = unicorn.Uc(unicorn_const.UC_ARCH_ARM, unicorn_const.UC_MODE_THUMB | unicorn_const.UC_MODE_MCLASS)
        engine.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M4)
        read, write, run = unicorn_const.UC_PROT_READ, unicorn_const.UC_PROT_WRITE, unicorn_const.UC_PROT_EXEC
        base = self.memory.ctypes.data
        engine.mem_map_ptr(0, CODE_BYTES, read | run, base)
        engine.mem_map_ptr(CODE_BYTES, MEMORY_BYTES - CODE_BYTES, read | write, base + CODE_BYTES)
        engine.mem_map_ptr(SENDER, SENDER_BYTES, read | write, self._sender.ctypes.data)
        engine.mem_map_ptr(SYSTEM, PAGE, read | write, self._system.ctypes.data)
        clock = ctypes.c_void_p(self._clock.ctypes.data)
        handle, anywhere = ctypes.c_size_t(), (ctypes.c_uint64(1), ctypes.c_uint64(0))
        hook = ctypes.cast(_block.address, ctypes.c_void_p)
        _check(uclib.uc_hook_add(engine._uch, ctypes.byref(handle), unicorn_const.UC_HOOK_BLOCK, hook, clock, *anywhere))
        read_call, write_call = (ctypes.c_void_p(call.address) for call in (_timer_read, _timer_write))
        _check(uclib.uc_mmio_map(engine._uch, ctypes.c_uint64(TIMER), ctypes.c_size_t(PAGE), read_call, clock, write_call, clock))
        return engine

    def boot(self, sleeper: Sleeper) -> None:
        """Run the firmware from reset until it sleeps. ChipFault if it does not, or has not enabled the FPU, or reports an error."""
        self._system[:] = 0
        self._idle = NOWHERE
        self.interrupt(sleeper, RESET_VECTOR)
        self._idle = self._engine.reg_read(arm_const.UC_ARM_REG_PC) - WFI_BYTES
        if self._system[CPACR] & FPU_FULL_ACCESS != FPU_FULL_ACCESS:
            raise ChipFault("the firmware did not enable the FPU")
        if sleeper.error_log:
            raise ChipFault(sleeper.error_log.strip())

    def interrupt(self, sleeper: Sleeper, vector: int, tick: int = 0) -> tuple[int, int]:
        """Wake a PE with an interrupt, and run it until it sleeps: (instructions, clock cycles). ChipFault where it cannot go on."""
        clock, sender = self._clock, self._sender
        sleeper.enter(self.memory)
        clock[:_SUM] = 0, *sleeper.timer
        sender[SENDER_TICK], sender[SENDER_COUNT] = tick, 0
        fault = self._run(self._vectors[vector])
        sleeper.leave(self.memory)
        if fault is not None:
            raise ChipFault(f"{fault}; {sleeper.error_log.strip() or 'its error log is empty'}")
        sleeper.timer = int(clock[_LOAD]), int(clock[_CONTROL])
        count = int(sender[SENDER_COUNT])
        sleeper.sent[: 1 + count] = sender[SENDER_COUNT : SENDER_COUNT + 1 + count]
        elapsed = int(clock[_ELAPSED])
        return elapsed & (1 << CYCLES_SHIFT) - 1, elapsed >> CYCLES_SHIFT

    def _run(self, handler: int) -> str | None:
        """Call `handler`, as if from the WFI where the program sleeps, and run until it sleeps again; what went wrong."""
        engine = self._engine
        stack, link = ctypes.c_uint32(STACK_TOP), ctypes.c_uint32(self._idle | 1)
        uclib.uc_reg_write(engine._uch, arm_const.UC_ARM_REG_SP, ctypes.byref(stack))
        uclib.uc_reg_write(engine._uch, arm_const.UC_ARM_REG_LR, ctypes.byref(link))
        status = uclib.uc_emu_start(engine._uch, ctypes.c_uint64(handler), ctypes.c_uint64(NOWHERE), 0, 0)
        if status == unicorn_const.UC_ERR_OK:
            return None
        return f"{unicorn.UcError(status)} at {engine.reg_read(arm_const.UC_ARM_REG_PC):#x}"


def _check(status: int) -> None:
    if status != unicorn_const.UC_ERR_OK:
        raise ChipFault(f"the emulator could not be set up: {unicorn.UcError(status)}")
