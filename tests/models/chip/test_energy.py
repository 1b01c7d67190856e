"""Estimates of energy: from which figures, and that they follow the work."""

import numpy as np
import pytest

from models.chip import energy, firmware, placement
from models.chip.energy import Costs
from tests.models.chip import programs as make


def test_the_constants_follow_from_the_published_power() -> None:
    assert pytest.approx(energy.ASLEEP_W) == energy.PE_ASLEEP_W * energy.PES + energy.OFF_W
    assert pytest.approx(energy.BUSY_W) == energy.CYCLE_J * energy.CLOCK_HZ * energy.PES + energy.ASLEEP_W


def test_energy_grows_with_operations_events_and_activity_and_never_hides_the_rest() -> None:
    programs = [make.program(1, "gesture", [24, 16]), make.program(2, "language", [20, 12], outputs=30)]
    plan = placement.place(programs, firmware.image())
    for index in range(2):
        costs = Costs(plan, index)
        idle = costs.step(0, 0, (0, 0))
        for busy in (costs.step(100, 0, (0, 0)), costs.step(0, 5, (0, 0)), costs.step(0, 0, (0.5, 0)), costs.step(0, 0, (0, 0.5))):
            assert busy.work_j > idle.work_j > 0
            assert busy.work_j < busy.elements_j < busy.chip_j
    assert Costs(plan, 0).seconds == 0.025


def test_a_tokens_events_are_the_numbers_of_its_row() -> None:
    program = make.program(2, "language", [20], outputs=30)
    assert program.embedding is not None
    assert energy.token_events(program) == pytest.approx(np.mean([np.count_nonzero(row) for row in program.embedding.rows]))


def test_figures_say_that_they_are_estimated_and_what_others_published() -> None:
    assert energy.SOURCE.startswith("estimated from")
    assert set(energy.PUBLISHED) == {"gesture", "language"} and "0.459 J" in energy.PUBLISHED["gesture"]
