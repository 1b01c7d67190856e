"""A chip in the computer: the PEs of a plan run the firmware's own image instruction by instruction, and events travel between them.

The emulator knows the chip, not the networks: it loads what the plan sends, starts the PEs, gives them ticks, hands the events that a PE
sent in one tick to everybody whom the routes name before the next, and counts instructions and clock cycles. What a network computes
happens in the C program alone.

**Only PEs with something to do run.** A PE whose turn it is not wakes, looks at the clock and sleeps again, some 25 instructions that
change nothing; those ticks are skipped. Two networks share no PE, so each has a tick of its own and may run in a thread of its own.

**Time.** `Load` holds what the PE that took longest needed in the last step's ticks, from which follows whether the deadline, the tick,
would be met at either of the chip's clocks. The firmware's own verdict, from the emulated timer, is in its counters.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from models.chip.cores import RESTART_VECTOR, SEND_CAPACITY, START_VECTOR, TIMER_VECTOR, ChipFault, Core, Sleeper
from models.chip.layout import MEMORY_BYTES, TOKEN_PHASE, Counter, Region, Role, Words
from models.chip.plan import ElementPlan, Plan

Indices = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Load:
    """Work of one step."""

    instructions: int
    """Of all PEs together."""
    longest_cycles: int
    """Clock cycles of the longest turn of any PE: it has to fit a tick."""
    longest_instructions: int
    """Instructions of that turn."""
    path_cycles: int
    """Sum over the step's ticks of the longest turn in each: what the step would take if ticks were no longer than needed."""
    events: int
    """Sent."""

    def turn_ms(self, clock_hz: int) -> float:
        """Estimated time of the longest turn at a clock."""
        return self.longest_cycles / clock_hz * 1e3


@njit(cache=True, nogil=True)
def deliver(
    sent: Words,
    senders: Indices,
    keys: Words,
    masks: Words,
    first: Indices,
    targets: Indices,
    memory: Words,
    inboxes: Indices,
    capacities: Indices,
) -> tuple[int, int, int]:
    """Hand every event that the PEs `senders` sent to the listeners of the first route whose key it has, and forget it.

    `sent` [PEs, ...] holds counts and events, `memory` [PEs, ...] from word `inboxes` [PEs] on a count and room for `capacities` [PEs]
    events, route i leads to `targets[first[i]:first[i + 1]]`. Returns (events, events without a route, deliveries that found the receive
    buffer full).
    """
    events = lost = full = 0
    for pe in senders:
        count = sent[pe, 0]
        for event in sent[pe, 1 : 1 + count]:
            route = 0
            while route < keys.size and event & masks[route] != keys[route]:
                route += 1
            lost += route == keys.size
            for place in range(first[route], first[min(route + 1, keys.size)]):
                target = targets[place]
                buffer = memory[target, inboxes[target] :]
                if buffer[0] < capacities[target]:
                    buffer[0] += 1
                    buffer[buffer[0]] = event
                else:
                    full += 1
        events += count
        sent[pe, 0] = 0
    return events, lost, full


@njit(cache=True, nogil=True)
def scatter(sent: Words, senders: Indices, first: int, x: npt.NDArray[np.int32]) -> None:
    """x [K] = the values of the events that the PEs `senders` sent, by source; `first` is the key of the first source."""
    x[:] = 0
    for pe in senders:
        for event in sent[pe, 1 : 1 + sent[pe, 0]]:
            x[(event >> 16) - first] = np.int16(event & 0xFFFF)


class EmulatedChip:
    """All PEs of `plan`, loaded, booted and started. ChipFault where the firmware does not take the plan.

    Every network has a core of its own, so that two may step in two threads.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.memory = np.zeros((len(plan.elements), MEMORY_BYTES // 4), np.uint32)
        """[PEs, words] the SRAM of every PE, without its code."""
        self.sent = np.zeros((len(plan.elements), 1 + SEND_CAPACITY), np.uint32)
        self.keys = np.array([route.key for route in plan.routes], np.uint32)
        self.masks = np.array([route.mask for route in plan.routes], np.uint32)
        self.first = np.cumsum([0] + [len(route.targets) for route in plan.routes]).astype(np.int32)
        self.targets = np.array([target for route in plan.routes for target in route.targets], np.int32)
        self._inboxes = np.array([element[Region.RECEIVED].address // 4 for element in plan.elements], np.int32)
        self._capacities = np.array([_receives(element) for element in plan.elements], np.int32)
        self._cores = [Core(plan.image) for _ in plan.networks]
        self._sleepers = [self._load(index, element) for index, element in enumerate(plan.elements)]

    def _load(self, index: int, element: ElementPlan) -> Sleeper:
        """The PE `index` with everything that the plan sends, booted and started."""
        memory = self.memory[index]
        for address, words in element.sends():
            memory[address // 4 : address // 4 + words.size] = words
        rows = [(part.address, part.address + 4 * part.size) for part in element.regions if part.region == Region.ROWS]
        sleeper = Sleeper(memory, self.sent[index], element[Region.RECEIVED].address, *rows)
        core = self._cores[element.network]
        with self._blamed(index):
            core.boot(sleeper)
            core.interrupt(sleeper, START_VECTOR)
        return sleeper

    def interrupt(self, index: int, vector: int, tick: int = 0) -> tuple[int, int]:
        """Deliver an interrupt to a PE: (instructions, clock cycles)."""
        with self._blamed(index):
            return self._cores[self.plan.elements[index].network].interrupt(self._sleepers[index], vector, tick)

    def words(self, index: int, region: Region) -> Words:
        """A view of a region in the memory of a PE."""
        part = self.plan.elements[index][region]
        return self.memory[index, part.address // 4 : part.address // 4 + part.size]

    def numbers(self, index: int, region: Region) -> npt.NDArray[np.int32]:
        """A view of a region as int32."""
        return self.words(index, region).view(np.int32)

    def timer_runs(self, index: int) -> bool:
        """Whether a PE gets ticks: from its start until it has done as many as the plan says."""
        return self._sleepers[index].timer_runs

    def error_log(self, index: int) -> str:
        """What a PE has written to its error log."""
        return self._sleepers[index].error_log

    def deliver(self, senders: Indices) -> int:
        """Hand on what these PEs sent: how many events. ChipFault if one was lost."""
        routes = self.keys, self.masks, self.first, self.targets
        sent, lost, full = deliver(self.sent, senders, *routes, self.memory, self._inboxes, self._capacities)
        if lost or full:
            raise ChipFault(f"{lost} events had no route and {full} found a full receive buffer.")
        return sent

    @contextmanager
    def _blamed(self, index: int) -> Iterator[None]:
        """A fault inside names the PE."""
        try:
            yield
        except ChipFault as fault:
            raise ChipFault(f"The emulated PE at {self.plan.elements[index].coordinate} stopped: {fault}.") from fault


def _receives(element: ElementPlan) -> int:
    """Events that a PE says it can receive in a turn."""
    words = element[Region.PARAMETERS].words
    assert words is not None
    return int(words[8])


class NetworkOnChip:
    """One network of an emulated chip: its PEs by stage, its clock, its input and the way to its memory."""

    def __init__(self, chip: EmulatedChip, network: int) -> None:
        self.chip, self.plan = chip, chip.plan.networks[network]
        self.indices = [index for index, element in enumerate(chip.plan.elements) if element.network == network]
        self._stages = [
            np.array([index for index in self.indices if stage in self.element(index).turns], np.int32) for stage in range(self.plan.stages)
        ]
        self.tick = 0
        self.load = Load(0, 0, 0, 0, 0)
        """Of the last `run`."""
        self.x = np.zeros(self.plan.inputs, np.int32)
        """[inputs] the last events of layer 0's sources."""
        self._input_stage = TOKEN_PHASE if self.plan.kind == "language" else 0

    def element(self, index: int) -> ElementPlan:
        """The plan of a PE."""
        return self.chip.plan.elements[index]

    def of(self, role: Role, stage: int | None = None) -> list[int]:
        """Indices of the PEs with a role, and of a stage; in the order of their units."""
        return [index for index in self.indices if self.element(index).role == role and stage in (None, self.element(index).stage)]

    def run(self, ticks: int) -> None:
        """Give the network `ticks` ticks."""
        turns: list[tuple[int, int]] = []
        path = events = 0
        for tick in range(self.tick, self.tick + ticks):
            due = [stage for stage in range(self.plan.stages) if tick >= stage and (tick - stage) % self.plan.period == 0]
            taken = [self._turn(index, tick) for stage in due for index in self._stages[stage].tolist()]
            events += self._deliver(due)
            path += max((cycles for cycles, _ in taken), default=0)
            turns += taken
        self.tick += ticks
        cycles, instructions = max(turns, default=(0, 0))
        self.load = Load(sum(count for _, count in turns), cycles, instructions, path, events)

    def _turn(self, index: int, tick: int) -> tuple[int, int]:
        if not self.chip.timer_runs(index):
            return 0, 0
        instructions, cycles = self.chip.interrupt(index, TIMER_VECTOR, tick)
        return cycles, instructions

    def _deliver(self, stages: list[int]) -> int:
        events = 0
        for stage in stages:
            senders = self._stages[stage]
            if stage == self._input_stage:
                scatter(self.chip.sent, senders, int(self.chip.words(senders[0], Region.ROUTING)[0]), self.x)
            events += self.chip.deliver(senders)
        return events

    def write_input(self, steps: list[Words]) -> None:
        """Let the source play `steps`, each its event words (unit << 16 | value), round and round. ValueError where they are too many."""
        words = self.chip.words(self.of(Role.SOURCE)[0], Region.INPUT)
        starts = np.cumsum([0] + [part.size for part in steps])
        if 2 + len(steps) + starts[-1] > words.size or max(part.size for part in steps) > SEND_CAPACITY:
            raise ValueError(f"{len(steps)} steps with {starts[-1]} events do not fit the source, which holds {words.size} words")
        words[0] = len(steps)
        words[1 : 2 + len(steps)] = starts
        words[2 + len(steps) : 2 + len(steps) + starts[-1]] = np.concatenate(steps)

    def restart(self, write_state: Callable[[], None] = lambda: None) -> None:
        """Reset all PEs, let `write_state` write into their memory, and start them: the next tick is 0."""
        for index in self.indices:
            self.chip.interrupt(index, RESTART_VECTOR)
        write_state()
        for index in self.indices:
            self.chip.interrupt(index, START_VECTOR)
        self.tick = 0

    def counters(self, counter: Counter) -> list[int]:
        """One of the firmware's counters, of every PE."""
        return [int(self.chip.words(index, Region.COUNTERS)[counter]) for index in self.indices]
