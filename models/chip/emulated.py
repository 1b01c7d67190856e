"""The networks on the emulated chip, with the interface of those on the host (models/chip/integer.py): step, state, activity, signals.

A step writes the input into the memory of the source PE, gives the network as many ticks as it has stages, and reads the logits from the
PEs of the read-out. Everything between is done by the firmware. State is what a board would be sent and asked for: the state regions.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from models.chip import exchange, firmware, placement
from models.chip.emulator import EmulatedChip, NetworkOnChip
from models.chip.layout import Counter, Region, Role
from models.chip.program import LOGIT_BITS, MAX_EVENT, MAX_READOUT, MAX_STATE, LayerSignals, Program, Signals, State

Floats = npt.NDArray[np.float32]
Int32s = npt.NDArray[np.int32]


class Network(NetworkOnChip):
    """What both networks have in common. The plan's period has to be the number of stages: a step is finished before the next begins."""

    def __init__(self, chip: EmulatedChip, network: int) -> None:
        super().__init__(chip, network)
        if self.plan.period < self.plan.stages:
            raise ValueError(
                f"the plan begins a step every {self.plan.period} ticks, and a step that is waited for takes {self.plan.stages}"
            )
        self.metadata = self.plan.metadata
        self.steps = 0
        """Steps since loading: the heartbeat."""
        self.operations = 0
        """Synaptic operations since loading: weights other than 0 of every row that an event fetched."""
        first = self.plan.stages - 1 - len(self.plan.layers)
        self._layers = [self.of(Role.EGRU, first + index) for index in range(len(self.plan.layers))]
        self._readout = self.of(Role.READOUT)
        self._leaky = bool(chip.words(self._readout[0], Region.PARAMETERS)[4])
        self._row_lengths = [self._lengths(group) for group in [*self._layers, self._readout]]

    @property
    def activity(self) -> tuple[float, ...]:
        """Share of units that fired in the last step, per layer."""
        return tuple(float(np.count_nonzero(self._outputs(index))) / units for index, units in enumerate(self.plan.layers))

    @property
    def state(self) -> State:
        """A copy of the state."""
        h = tuple(np.concatenate([self._h(index) for index in group]) for group in self._layers)
        y = tuple(self._outputs(index) for index in range(len(self._layers)))
        o = self._joined(self._readout, Region.STATE, 0) if self._leaky else np.zeros(0, np.int32)
        return State(h, y, o)

    @state.setter
    def state(self, state: State) -> None:
        """Continue from `state`, which is copied. ValueError if it is of a network of other sizes, or holds what no step can leave."""
        if _shapes(self.state) != _shapes(state):
            raise ValueError("the state is of a network of other sizes")
        for values, low, high in ((state.h, -MAX_STATE, MAX_STATE), (state.y, 0, MAX_EVENT), ((state.o,), -MAX_READOUT, MAX_READOUT)):
            if any(part.size and not low <= part.min() <= part.max() <= high for part in values):
                raise ValueError("the state holds what no step can leave")
        self.restart(lambda: self._write(state))

    def go_on(self, state: State) -> None:
        """Continue from `state` of a network with the same layers but more or fewer classes: new classes have been heard nothing of."""
        o = np.zeros_like(self.state.o)
        common = min(o.size, state.o.size)
        o[:common] = state.o[:common]
        self.state = State(state.h, state.y, o)

    def reset(self) -> None:
        """Forget everything: h = y = 0, and the read-out."""
        self.restart()

    @property
    def signals(self) -> Signals:
        """Every signal of the last step, as copies."""
        ends = [self._joined(self._readout, Region.SIGNALS, row) for row in range(3)]
        o = self._joined(self._readout, Region.STATE, 0)
        return Signals(self.x.copy(), tuple(self._layer_signals(index) for index in range(len(self._layers))), ends[0], ends[1], o, ends[2])

    @property
    def deadlines_missed(self) -> int:
        """How often a PE of this network was not done at the next tick, by the firmware's own count, since the state was last set."""
        return sum(self.counters(Counter.LATE))

    def _advance(self, events: npt.NDArray[np.uint32]) -> Floats:
        """One step with the source's `events`; logits."""
        before = [self._outputs(index) for index in range(len(self._layers))]
        self.write_input([events])
        self.run(self.plan.period)
        self.steps += 1
        self._count(before)
        logits = self._joined(self._readout, Region.SIGNALS, 2)
        return logits * np.float32(2.0**-LOGIT_BITS)

    def _count(self, before: list[npt.NDArray[np.int16]]) -> None:
        """Add the operations of a step that began with the outputs `before`."""
        below: npt.NDArray[np.generic] = self.x
        for index, (lengths, y) in enumerate(zip(self._row_lengths, [*before, None], strict=True)):
            self.operations += int(lengths[0][below != 0].sum())
            if y is not None:
                self.operations += int(lengths[1][y != 0].sum())
                below = self._outputs(index)

    def _outputs(self, layer: int) -> npt.NDArray[np.int16]:
        """y of a layer's last step, a copy."""
        parts = []
        for index in self._layers[layer]:
            element = self.element(index)
            units = element.stop - element.start
            parts.append(self.chip.words(index, Region.STATE)[units:].view(np.int16)[element.start : element.stop])
        return np.concatenate(parts)

    def _h(self, index: int) -> Int32s:
        element = self.element(index)
        return self.chip.numbers(index, Region.STATE)[: element.stop - element.start]

    def _write(self, state: State) -> None:
        for group, h, y in zip(self._layers, state.h, state.y, strict=True):
            for index in group:
                element = self.element(index)
                self._h(index)[:] = h[element.start : element.stop]
                self.chip.words(index, Region.STATE)[element.stop - element.start :].view(np.int16)[: y.size] = y
        if self._leaky:
            for index in self._readout:
                element = self.element(index)
                self.chip.numbers(index, Region.STATE)[:] = state.o[element.start : element.stop]

    def _joined(self, group: list[int], region: Region, row: int) -> Int32s:
        """Row `row` of a region that holds vectors of a PE's units one after another, of a whole stage."""
        parts = []
        for index in group:
            units = self.element(index).stop - self.element(index).start
            parts.append(self.chip.numbers(index, region)[row * units : (row + 1) * units])
        return np.concatenate(parts)

    def _layer_signals(self, layer: int) -> LayerSignals:
        group = self._layers[layer]
        rows = [self._joined(group, Region.SIGNALS, row) for row in range(16)]
        sums_x, sums_y, a, q = (np.concatenate(rows[3 * index : 3 * index + 3]) for index in range(4))
        z, r, g, c = rows[12:]
        h = np.concatenate([self._h(index) for index in group])
        return LayerSignals(sums_x, sums_y, a, q, z, r, g, c, self._outputs(layer).astype(np.int32), h)

    def _lengths(self, group: list[int]) -> list[npt.NDArray[np.int64]]:
        """[K] weights other than 0 that a source reaches on all PEs of a group, for every projection."""
        projections = int(self.chip.words(group[0], Region.PARAMETERS)[2])
        return [np.sum([self._row_weights(index, which) for index in group], axis=0) for which in range(projections)]

    def _row_weights(self, index: int, which: int) -> npt.NDArray[np.int64]:
        _, count, columns, starts, rows, _ = self.chip.words(index, Region.PROJECTIONS)[6 * which : 6 * which + 6].tolist()
        memory = self.chip.memory[index]
        if columns:
            dense = memory[rows // 4 : (rows + count * columns) // 4].view(np.int8).reshape(count, columns)
            return np.count_nonzero(dense, 1).astype(np.int64)
        first = memory.view(np.uint16)[starts // 2 : starts // 2 + count + 1].astype(np.int64)
        weights = memory[rows // 4 : rows // 4 + first[-1]].view(np.int8)[1::2] != 0
        filled = np.concatenate([[0], np.cumsum(weights)])
        return np.diff(filled[2 * first])


def _shapes(state: State) -> list[tuple[int, ...]]:
    parts: list[npt.NDArray[Any]] = [*state.h, *state.y, state.o]
    return [part.shape for part in parts]


class GestureNetwork(Network):
    """Counts of a window in, logits out."""

    def __init__(self, chip: EmulatedChip, network: int) -> None:
        super().__init__(chip, network)
        self.labels = tuple(self.metadata["labels"])

    def step(self, counts: npt.NDArray[np.uint16]) -> Floats:
        """logits [classes] after a window with counts [2, 32, 32] (polarity OFF and ON, row, column); ValueError for another shape."""
        if counts.dtype != np.uint16 or counts.size != self.plan.inputs:
            raise ValueError(f"the counts are {counts.dtype}{list(counts.shape)}, not {self.plan.inputs} numbers of uint16")
        return self._advance(exchange.window(counts))


class LanguageNetwork(Network):
    """A token in, logits of the next token out."""

    @property
    def vocabulary(self) -> int:
        """Number of tokens V."""
        return self.plan.targets

    def step(self, token: int) -> Floats:
        """logits [V] of the token that follows `token`. ValueError for a token outside the vocabulary."""
        if not 0 <= token < self.vocabulary:
            raise ValueError(f"there is no token {token} in a vocabulary of {self.vocabulary}")
        return self._advance(exchange.spoken(token))

    @property
    def candidates(self) -> Int32s:
        """[n, 2] token and logit (Q16) that the PEs of the read-out reported in the last step, the best of every PE first."""
        return np.concatenate([self.chip.numbers(index, Region.CANDIDATES) for index in self._readout]).reshape(-1, 2)


def on_one_chip(programs: list[Program]) -> list[Any]:
    """The networks of `programs`, side by side on an emulated chip. UserError where they do not fit it."""
    chip = EmulatedChip(placement.place(programs, firmware.image()))
    return [GestureNetwork(chip, n) if program.kind == "gesture" else LanguageNetwork(chip, n) for n, program in enumerate(programs)]
