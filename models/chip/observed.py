"""A network on a chip at the other end of a link, with every signal of every step read back: for comparing, not for use.

What is read is what the firmware leaves in a PE's memory after a step (region SIGNALS, models/chip/layout.py), beside state and counters.
Not among it are the inputs of the first layer, x: they are events on the way and lie in no memory. Where they were wrong, A of the first
layer would be.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from models.chip import exchange
from models.chip.exchange import Exchange, Places
from models.chip.layout import Region
from models.chip.plan import ElementPlan, Plan
from models.chip.program import LOGIT_BITS, LayerSignals, Program, Signals, State
from models.chip.worker_process import ChipProcess, Lost

LAYER_ROWS, READOUT_ROWS = 16, 3
"""Vectors in the region SIGNALS: A, Q, a, q of three gates, z, r, g, c; and P, p, logits."""


class _Everything(Exchange):
    """An exchange that reads all signals too."""

    def __init__(self, plan: Plan, network: int) -> None:
        super().__init__(plan, network)
        self._layer_rows = [self._rows(group, LAYER_ROWS) for group in self._layers]
        self._readout_rows = self._rows(self._readout, READOUT_ROWS)

    def _rows(self, group: list[tuple[int, ElementPlan]], rows: int) -> Places:
        """[rows, units of the group]: places of the vectors in an answer."""
        parts = []
        for index, element in group:
            units = element.stop - element.start
            parts.append(self._read(index, element, 0, rows * units, Region.SIGNALS).reshape(rows, units))
        return np.concatenate(parts, 1)

    def signals(self, data: bytes) -> Signals:
        """Every signal in the words that were read; x is empty."""
        words, answer = np.frombuffer(data, np.int32), self.answer(data)
        layers = []
        for places, h, y in zip(self._layer_rows, answer.state.h, answer.state.y, strict=True):
            rows = words[places]
            sums_x, sums_y, a, q = (rows[3 * part : 3 * part + 3].ravel() for part in range(4))
            z, r, g, c = rows[12:]
            layers.append(LayerSignals(sums_x, sums_y, a, q, z, r, g, c, y.astype(np.int32), h))
        P, p, logits = words[self._readout_rows]
        return Signals(np.zeros(0, np.int32), tuple(layers), P, p, words[self._o], logits)


class Observed:
    """Network `network` of `plan`, on which `program` was placed, in `process`, which holds the plan.

    Every step brings its state along, so chips that keep nothing between runs will do. Lost where the process does not take it.
    """

    def __init__(self, process: ChipProcess, plan: Plan, network: int, program: Program, limit_s: float) -> None:
        self._process, self._network, self._limit_s = process, network, limit_s
        self._events = exchange.window if program.embedding is None else exchange.spoken
        self._exchange = _Everything(plan, network)
        self._ticks = plan.networks[network].period
        h, y = tuple(np.zeros(units, np.int32) for units in program.hidden), tuple(np.zeros(units, np.int16) for units in program.hidden)
        self._state = State(h, y, np.zeros(program.readout.b.size if program.readout.leak else 0, np.int32))
        self._signals: Signals | None = None
        self.deadlines_missed = 0
        """By the firmware's own count, of all steps."""
        process.load(network, self._exchange.reads, self._exchange.words)

    @property
    def signals(self) -> Signals:
        """Of the last step; x is empty. ValueError before the first."""
        if self._signals is None:
            raise ValueError("no step has been made")
        return self._signals

    def step(self, given: Any) -> npt.NDArray[np.float32]:
        """Logits after counts or a token. Lost where the chip does not answer."""
        writes = self._exchange.input(self._events(given)) + self._exchange.state(self._state)
        self._process.send(self._network, self._ticks, True, writes, self._limit_s)
        data = self._process.collect(self._network, self._limit_s)
        if data is None:
            raise self._process.overdue(self._limit_s)
        answer = self._exchange.answer(data)
        if answer.failures:
            raise self._process.lose(Lost(f"reports that its program stopped on {answer.failures} PEs"))
        self._state, self._signals = answer.state, self._exchange.signals(data)
        self.deadlines_missed += answer.late
        return (answer.logits * 2.0**-LOGIT_BITS).astype(np.float32)
