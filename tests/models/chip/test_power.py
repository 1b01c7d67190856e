"""A board's record of power is a measurement where its columns say what they hold, and told as unknown everywhere else."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.chip import boards, spinnaker2
from models.chip.board import power
from models.chip.board.link import LinkError
from models.chip.runtime import Runtime
from models.chip.worker_process import Power
from tests.models.chip.test_runtime import save
from tests.models.chip.test_spinnaker2 import DOUBLE

TABLE = {"time [s]": [0.0, 0.5, 1.0], "power [mW]": [200.0, 400.0, 400.0]}


def test_energy_is_the_area_under_the_power() -> None:
    assert power.measured(TABLE) == {"joules": pytest.approx(0.35), "seconds": 1.0}
    assert power.measured({"t_ms": [0, 2000], "power_W": [1, 3], "core": [0, 0]}) == {"joules": pytest.approx(4.0), "seconds": 2.0}


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"time": [0, 1], "power": [1, 2]},
        {"time_s": [0, 1], "power_W": [1, 2], "power_mW": [1, 2]},
        {"time_s": [0], "power_W": [1]},
        {"time_s": [1, 0], "power_W": [1, 2]},
        {"time_s": [0, math.nan], "power_W": [1, 2]},
    ],
)
def test_a_table_that_does_not_say_what_it_holds_is_no_measurement(columns: dict[str, list[Any]]) -> None:
    assert "nothing was measured" in power.measured(columns)["sentence"]


@given(st.dictionaries(st.sampled_from(["time_s", "power_W", "x", "t"]), st.lists(st.floats(), max_size=4)))
def test_whatever_the_numbers_are_a_measurement_is_finite_or_none(columns: dict[str, list[float]]) -> None:
    found = power.measured(columns)
    assert "sentence" in found or all(math.isfinite(value) for value in found.values())


def test_it_is_asked_for_only_where_the_signature_names_it() -> None:
    def older(net: Any, timesteps: int) -> None: ...
    def newer(net: Any, timesteps: int, record_power: bool = False) -> None: ...
    def anything(net: Any, **more: Any) -> None: ...

    assert [power.options(run) for run in (older, newer, anything)] == [{}, {"record_power": True}, {}]


def test_a_table_is_taken_once_and_one_that_cannot_be_read_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert power.taken() is None
    Path("power.parquet").write_bytes(b"noise")
    found = power.taken()
    assert found is not None and "cannot be read" in found["sentence"]
    assert power.taken() is None


@pytest.mark.parametrize("message", [{}, {"joules": 1}, {"joules": -1, "seconds": 1}, {"joules": math.nan, "seconds": 1}, {"joules": "1"}])
def test_a_measurement_that_is_none_is_refused_on_the_link(message: dict[str, Any]) -> None:
    with pytest.raises(LinkError, match="joules"):
        Power.of(message)


@pytest.mark.parametrize("table", [TABLE, {"power": [1.0]}], ids=["measured", "unknown"])
def test_what_the_board_measured_stands_in_place_of_the_estimate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: dict[str, list[float]]
) -> None:
    pytest.importorskip("unicorn", reason="the emulated chip needs the extra emulator")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(boards, "SITE", tmp_path / "none")
    monkeypatch.setenv("DOUBLE_POWER", json.dumps(table))
    for name in ("S2_IP", "STM_IP", "STM_IP48", "PYS2_EXPERIMENT_BACKEND", spinnaker2.SETTINGS, "DOUBLE_FAULT"):
        monkeypatch.delenv(name, raising=False)
    weights = save(tmp_path / "gesture.safetensors", "gesture"), save(tmp_path / "language.safetensors", "language")
    board = Runtime(*weights, f"spinnaker2:192.0.2.1,python={sys.executable},path={DOUBLE}")
    board.gesture.step(np.ones((2, 32, 32), np.uint16))
    said = board.telemetry()["energy"]
    if table is TABLE:
        assert said["gesture"] == {"chip_uj": pytest.approx(350_000)} and said["how"].startswith("measured by the board")
    else:
        assert said["gesture"]["work_uj"] > 0 and said["how"].startswith("estimated") and "does not know (power)" in said["how"]
    board.close()
