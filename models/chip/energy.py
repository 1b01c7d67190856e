"""What a step costs on the chip, in joules: always an estimate, from counted work and published figures, and never shown without saying so.

Work is counted: synaptic operations, events and who hears them, units, turns. The firmware's bounds (models/chip/cycles.py) make clock
cycles of it, and the power of the whole chip that its designers measured at the lower of its two levels (0.5 V, 150 MHz) makes joules:

    all 152 PEs off 75.2 mW; asleep 235.4 mW; all busy with CoreMark 424.6 mW          (reference: the chip's paper, 2026)
    so a PE asleep    (235.4 - 75.2) mW / 152            = 1.05 mW
    and a clock cycle (424.6 - 235.4) mW / 152 / 150 MHz = 8.3 pJ beyond sleep

Assumed, because nobody has published it: a cycle of this firmware costs what one of CoreMark costs, though it reads more memory; packets
on the network on chip cost nothing beside the instructions that send and take them; PEs in use sleep between turns and the others are off.
Three figures answer three questions. `work`: what this step alone adds. `elements`: with the sleep of the PEs that hold the network,
for as long as the step takes, which is what a second network on the same chip adds. `chip`: with the rest of the chip, which has to be on.

Where a board's software measures power (models/chip/board/power.py), what it measured stands in place of this, and is called so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.chip import cycles
from models.chip.layout import Region, Role
from models.chip.plan import ElementPlan, Plan
from models.chip.program import Program
from models.chip.slices import WORDS_OF_PROJECTION
from pipeline.frames import WINDOW_US

PES = 152
OFF_W, ASLEEP_W, BUSY_W = 0.0752, 0.2354, 0.4246
CLOCK_HZ = 150e6
PE_ASLEEP_W = (ASLEEP_W - OFF_W) / PES
CYCLE_J = (BUSY_W - ASLEEP_W) / PES / CLOCK_HZ
SOURCE = "estimated from counted operations and the chip's published power (0.5 V, 150 MHz: 75.2 mW off, 235.4 mW asleep, 424.6 mW busy)"
MEASURED = "measured by the board over its last run, loading and reading back included"
PUBLISHED = {
    "gesture": "published: about 0.459 J per gesture for a spiking network on this chip (Arfa et al. 2025)",
    "language": "published: 0.0653 J and 170.25 ms per inference at 0.39 W for an EGRU on this chip (Nazeer et al. 2024)",
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of one step."""

    cycles: float
    """Clock cycles of all PEs together."""
    seconds: float
    """How long the step takes: a window of events, or a token's way through the chip."""
    pes: int
    """PEs that hold the network."""

    @property
    def work_j(self) -> float:
        """Joules that this step alone adds."""
        return self.cycles * CYCLE_J

    @property
    def elements_j(self) -> float:
        """With the sleep of the network's PEs."""
        return self.work_j + self.pes * PE_ASLEEP_W * self.seconds

    @property
    def chip_j(self) -> float:
        """With the rest of the chip."""
        return self.elements_j + OFF_W * self.seconds

    def figures(self) -> dict[str, Any]:
        """As plain data: microjoules."""
        joules = {"work_uj": self.work_j, "elements_uj": self.elements_j, "chip_uj": self.chip_j}
        return {name: round(value * 1e6, 2) for name, value in joules.items()}


def measured(joules: float) -> dict[str, Any]:
    """What a board measured over a run that made one step, as `Estimate.figures`: there is but one figure, of the whole chip."""
    return {"chip_uj": round(joules * 1e6, 2)}


class Costs:
    """What a step of network `network` of `plan` costs, given what happened in it."""

    def __init__(self, plan: Plan, network: int) -> None:
        about = plan.networks[network]
        own = [element for element in plan.elements if element.network == network]
        stages = [[element for element in own if element.stage == stage] for stage in range(about.stages)]
        layers = [group for group in stages if group and group[0].role == Role.EGRU]
        turns = sum(len(element.turns) for element in own)
        self._units = np.array(about.layers)
        self.pes = len(own)
        self.seconds = WINDOW_US / 1e6 if about.kind == "gesture" else about.period * plan.tick_us / 1e6
        self._constant = cycles.TURN * turns + cycles.UNIT * int(self._units.sum()) + cycles.TARGET * about.targets
        readout = len(stages[-1])
        listeners = [len(group) for group in layers]
        self._below = listeners[0]
        self._synapse = _cycles_of_a_synapse([element for element in own if element.role in (Role.EGRU, Role.READOUT)])
        self._hear = np.array([own + above for own, above in zip(listeners, [*listeners[1:], readout], strict=True)])

    def step(self, operations: float, inputs: float, activity: Sequence[float]) -> Estimate:
        """Estimate for so many synaptic operations, events of the first layer's inputs, and shares of units that fired, per layer."""
        heard = inputs * self._below + float(self._units * np.array(activity) @ self._hear)
        work = self._constant + self._synapse * operations + cycles.SCAN * heard + cycles.SEND * inputs
        return Estimate(work, self.seconds, self.pes)


def _cycles_of_a_synapse(elements: list[ElementPlan]) -> float:
    """Clock cycles a weight other than 0, with its share of the row's frame and of the zeros beside it, on average over all rows."""
    taken = weights = 0.0
    for element in elements:
        rows_of, projections, parameters = (element[region] for region in (Region.ROWS, Region.PROJECTIONS, Region.PARAMETERS))
        assert rows_of.words is not None and projections.words is not None and parameters.words is not None
        with_rows = projections.words.reshape(-1, WORDS_OF_PROJECTION)[: int(parameters.words[2])]
        for _, count, columns, starts, rows, _ in with_rows.tolist():
            if columns:
                first = (rows - rows_of.address) // 4
                weights += np.count_nonzero(rows_of.words[first : first + count * columns // 4].view(np.int8))
                taken += count * (cycles.DENSE_ROW + cycles.DENSE_BLOCK * columns / 8)
            else:
                entries = 2 * int(rows_of.words.view(np.uint16)[(starts - rows_of.address) // 2 + count])
                weights += entries
                taken += count * cycles.SPARSE_ROW + cycles.SYNAPSE * entries
    return taken / max(weights, 1)


def token_events(program: Program) -> float:
    """Events that a token's embedding row gives the first layer, on average over the vocabulary."""
    assert program.embedding is not None
    return float(np.count_nonzero(program.embedding.rows)) / len(program.embedding.rows)
