"""Egret's program of a PE, as an application of py-spinnaker2: what a board's owner adds to the package under the name `MODEL`.

How a model's name leads to its class is not public (README, "On a board", names the step). All other names here are those that public
programs use. The mapper chooses the PEs, so everything that depends on the place comes from it: the targets of a PE's events from
`format_routing_info`, the clock counts of a tick and the number of ticks from `sim_cfg`. What the host reads back is one span of memory a
PE, under the name "time_done", because `Population.get_time_done_times` is the one public getter that hands out raw words.

Only the board's worker imports this; it needs the package spinnaker2.
"""

import struct
from typing import Any

from spinnaker2.configuration import MemoryRegion, PEConfig
from spinnaker2.coordinates import ByteAddr
from spinnaker2.mapper import SynapseWordSize, SynapseWordSpec
from spinnaker2.neuron_models.application import BaseApplication
from spinnaker2.neuron_models.common import format_routing_info

MODEL = "egret_pe"
RECORD = "time_done"


class Application(BaseApplication):
    """A PE of a plan. Its population has one neuron, and as parameters `writes` [[address, words]], `routing` and `simulation`
    [address, words of the region], and `read` [address, words]; addresses in bytes."""

    sw_spec = SynapseWordSpec(word_size=SynapseWordSize.SIZE_16, weight=4, delay=3, synapse_type=1, target=8)
    max_atoms_per_core = 1
    splittable = False
    recordables = (RECORD,)
    profiling = False

    def __init__(self) -> None:
        super().__init__(name=MODEL)

    def pe_config(self, pe: Any, mapper: Any, sim_cfg: dict[str, Any], debug: bool) -> Any:
        """What this PE is sent and asked for. ValueError where the version has another format of routing words than the firmware."""
        params = mapper.mapping.get_population_slice(pe).pop.params
        config = PEConfig(pe, self.name, self.mem_file)
        address, size, key = params["routing"]
        count, targets = format_routing_info(mapper, pe)
        if len(targets) != count or 2 + count > size:
            where = f"{count} routing targets in {len(targets)} words"
            raise ValueError(f"{where}, where the firmware takes a word each and has room for {size - 2}")
        address_of_simulation, simulation = params["simulation"]
        clock = [int(sim_cfg["timer_period"]), int(sim_cfg["n_simulation_ticks"])]
        writes = [*params["writes"], [address, [key, count, *targets]], [address_of_simulation, clock + simulation[2:]]]
        for first, words in writes:
            config.add_mem_data_to_send(ByteAddr(first).to_WordAddr(), words)
        first, words = params["read"]
        config.add_mem_region_to_read(RECORD, MemoryRegion(ByteAddr(first).to_WordAddr(), words))
        return config


def as_words(data: bytes) -> list[int]:
    """Little-endian 32-bit words."""
    return list(struct.unpack(f"<{len(data) // 4}I", data))
