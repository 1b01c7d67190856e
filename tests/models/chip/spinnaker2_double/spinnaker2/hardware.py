"""Boards."""

import os
import time
from pathlib import Path
from typing import Any

from models.chip.board.application import MODEL, Application
from spinnaker2 import Strict
from spinnaker2.experiment_backends import ExperimentBackendType
from spinnaker2.mapper import Mapper

MODELS = {MODEL: Application}
"""What the board's owner has added, in whatever way that is done."""


class _Board(Strict):
    def __init__(self) -> None:
        self._used = False

    def run(
        self,
        net: Any,
        timesteps: int,
        sys_tick_in_s: float = 1e-3,
        debug: bool = False,
        mapping_only: bool = False,
        reset_board: bool = True,
    ) -> None:
        assert not self._used, "a handle is good for one run"
        self._used = not mapping_only
        fault = os.environ.get("DOUBLE_FAULT", "")
        if fault == "unknown":
            raise KeyError(net.populations[0].neuron_model)
        mapper = Mapper(net)
        clock = {"timer_period": round(sys_tick_in_s * 150e6), "n_simulation_ticks": timesteps}
        configs = []
        for pe, part in mapper.mapping._slices.items():
            configs.append(MODELS[part.pop.neuron_model]().pe_config(pe, mapper, clock, debug))
        if mapping_only:
            return
        match fault:
            case "hang":
                time.sleep(1000)
            case "raise":
                raise RuntimeError("no route to host")
            case "crash":
                os.abort()
        from spinnaker2 import _chip

        for part, words in zip(mapper.mapping._slices.values(), _chip.run(configs, timesteps), strict=True):
            if fault == "wrong":
                words[0] ^= 1 << 12
            part.pop._times = {"pe": words[: -1 if fault == "short" else None]}


if "DOUBLE_POWER" in os.environ:
    _plain = _Board.run

    def _recording(
        self: _Board,
        net: Any,
        timesteps: int,
        sys_tick_in_s: float = 1e-3,
        debug: bool = False,
        mapping_only: bool = False,
        reset_board: bool = True,
        record_power: bool = False,
    ) -> None:
        """As of version 0.8, by what is said of it: a table is left where it runs."""
        _plain(self, net, timesteps, sys_tick_in_s, debug, mapping_only, reset_board)
        if record_power:
            Path("power.parquet").write_text(os.environ["DOUBLE_POWER"])

    _Board.run = _recording  # type: ignore[method-assign,assignment]


class SpiNNaker2Chip(_Board):
    def __init__(self, eth_ip: str | None = None, experiment_backend_type: ExperimentBackendType | None = None) -> None:
        super().__init__()


class SpiNNcloud48NodeBoard(_Board):
    def __init__(
        self, eth_ip: str | None = None, stm_ip: str | None = None, experiment_backend_type: ExperimentBackendType | None = None
    ) -> None:
        super().__init__()
