"""One step of a network as a chip is asked for it: words to write into the PEs' memories, and words to read back (board/link.py).

A step writes the events into the source, and where the chip is to go on from a state that it does not hold, the state into the state
regions; gives the network its ticks; and reads state and logits. The state so lies on this side after every step, which is what makes
leaving the chip at any moment cheap.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.chip.board.link import Span, Write
from models.chip.layout import Counter, Region, Role
from models.chip.plan import ElementPlan, Plan
from models.chip.program import Int32s, State

Words = npt.NDArray[np.uint32]
Places = npt.NDArray[np.intp]


def window(counts: npt.NDArray[np.uint16]) -> Words:
    """What the source sends for `counts` of a window, of any shape: pixel << 16 | count, of pixels that have any."""
    flat = counts.reshape(-1)
    pixels = np.flatnonzero(flat)
    return (pixels << 16 | flat[pixels]).astype(np.uint32)


def spoken(token: int) -> Words:
    """What the source sends for a token: one event."""
    return np.array([token << 16 | 1], np.uint32)


@dataclass(frozen=True, eq=False, slots=True)
class Answer:
    """What a chip says after a step."""

    state: State
    logits: Int32s
    """[M] Q16."""
    late: int
    """Deadlines missed since the last reset, by the firmware's own count, of all PEs that were read."""
    failures: int
    """PEs whose firmware reports that it stopped."""


class Exchange:
    """Network `network` of `plan`."""

    def __init__(self, plan: Plan, network: int) -> None:
        self.network = plan.networks[network]
        self.reads: list[Span] = []
        """What is to be read after every step."""
        self.words = 0
        """Of all of them."""
        own = [(index, element) for index, element in enumerate(plan.elements) if element.network == network]
        groups: dict[tuple[Role, int], list[tuple[int, ElementPlan]]] = {}
        for index, element in own:
            groups.setdefault((element.role, element.stage), []).append((index, element))
        self._source = next(group[0] for (role, _), group in groups.items() if role == Role.SOURCE)
        self._layers = [group for (role, _), group in sorted(groups.items()) if role == Role.EGRU]
        self._readout = next(group for (role, _), group in groups.items() if role == Role.READOUT)
        self._leaky = self._readout[0][1][Region.PARAMETERS].words[4] != 0  # type: ignore[index]
        self._h = [np.concatenate([self._read(index, element, 0, _units(element)) for index, element in group]) for group in self._layers]
        self._y = [np.concatenate([self._read_y(index, element) for index, element in group]) for group in self._layers]
        self._o = np.concatenate([self._read(index, element, 0, _units(element)) for index, element in self._readout])
        logits = [(index, element, _units(element)) for index, element in self._readout]
        self._logits = np.concatenate([self._read(index, element, 2 * n, n, Region.SIGNALS) for index, element, n in logits])
        counters = [self._read(index, element, 0, len(Counter), Region.COUNTERS) for index, element in own]
        self._counters = np.stack(counters)

    def _read(self, index: int, element: ElementPlan, first: int, words: int, region: Region = Region.STATE) -> Places:
        """Ask for `words` words of a region, from word `first` on; their places in an answer."""
        self.reads.append((index, element[region].address + 4 * first, words))
        places = np.arange(self.words, self.words + words)
        self.words += words
        return places

    def _read_y(self, index: int, element: ElementPlan) -> Places:
        """Ask for the outputs of a PE's own units; their places in an answer, in int16."""
        first, last = element.start // 2, -(-element.stop // 2)
        places = self._read(index, element, _units(element) + first, last - first)
        return 2 * places[0] + np.arange(element.start - 2 * first, element.stop - 2 * first)

    def input(self, events: Words) -> list[Write]:
        """What makes the source send `events` (unit << 16 | value) in the next step. ValueError where they are too many."""
        index, element = self._source
        region = element[Region.INPUT]
        words = np.concatenate([np.array([1, 0, events.size], np.uint32), events])
        if words.size > region.size:
            raise ValueError(f"{events.size} events do not fit the source, which holds {region.size - 3}")
        return [(index, region.address, words.tobytes())]

    def state(self, state: State) -> list[Write]:
        """What makes the network go on from `state`."""
        writes: list[Write] = []
        for group, h, y in zip(self._layers, state.h, state.y, strict=True):
            outputs = y.tobytes() + bytes(-y.nbytes % 4)
            for index, element in group:
                writes.append((index, element[Region.STATE].address, h[element.start : element.stop].tobytes() + outputs))
        if self._leaky:
            for index, element in self._readout:
                writes.append((index, element[Region.STATE].address, state.o[element.start : element.stop].tobytes()))
        return writes

    def answer(self, data: bytes) -> Answer:
        """The answer in the words that were read, which are `words` many."""
        words = np.frombuffer(data, np.int32)
        halves = words.view(np.int16)
        o = words[self._o] if self._leaky else np.zeros(0, np.int32)
        counters = words[self._counters]
        state = State(tuple(words[places] for places in self._h), tuple(halves[places] for places in self._y), o)
        failures = int(np.count_nonzero(counters[:, Counter.FAILURE]))
        return Answer(state, words[self._logits], int(counters[:, Counter.LATE].sum()), failures)


def _units(element: ElementPlan) -> int:
    return element.stop - element.start
