"""The emulated chip, loaded from what PEs are sent alone: memories, data specifications and routing words."""

from pathlib import Path
from typing import Any

import numpy as np

from models.chip.cores import TIMER_VECTOR
from models.chip.emulator import EmulatedChip
from models.chip.layout import REGIONS_END, SPECIFICATION_ADDRESS, Region, Role
from models.chip.plan import ElementPlan, NetworkPlan, Plan, RegionPlan, Route

CLOCK_HZ = 150_000_000


def run(configs: list[Any], ticks: int) -> list[list[int]]:
    """Load, start, give ticks, and read back: the words of every PE."""
    elements = tuple(_element(config) for config in configs)
    indices = {element.coordinate: index for index, element in enumerate(elements)}
    network = NetworkPlan("gesture", 1, 1, (1,), 1, 1, {})
    routes = tuple(route for config, element in zip(configs, elements, strict=True) for route in _routes(config, element, indices))
    chip = EmulatedChip(Plan(Path(configs[0]._file).read_bytes(), 1000.0, CLOCK_HZ, (network,), elements, routes))
    everybody = np.arange(len(elements), dtype=np.int32)
    for tick in range(ticks):
        for index in everybody.tolist():
            chip.interrupt(index, TIMER_VECTOR, tick)
        chip.deliver(everybody)
    return [
        chip.memory[index, region._address : region._address + region._words].tolist() for index, region in enumerate(map(_read, configs))
    ]


def _read(config: Any) -> Any:
    (region,) = config._reads.values()
    return region


def _element(config: Any) -> ElementPlan:
    specification = config._sends[SPECIFICATION_ADDRESS]
    addresses = {Region(index): address for index, address in enumerate(specification[2:]) if address}
    ends = [*sorted(addresses.values())[1:], REGIONS_END]
    following = dict(zip(sorted(addresses.values()), ends, strict=True))
    regions = []
    for region, address in addresses.items():
        sent = config._sends.get(address)
        size = (following[address] - address) // 4 if sent is None else len(sent)
        regions.append(RegionPlan(region, address, size, None if sent is None else np.array(sent, np.uint32), False))
    role, phase = config._sends[addresses[Region.SIMULATION]][2:4]
    units, first = config._sends[addresses[Region.PARAMETERS]][:2]
    return ElementPlan(config._pe._place, Role(role), 0, phase, first, first + units, tuple(regions))


def _routes(config: Any, element: ElementPlan, indices: dict[Any, int]) -> list[Route]:
    key, count, *targets = config._sends[element[Region.ROUTING].address]
    places = [(word & 0xFF, word >> 8 & 0xFF, pe) for word in targets[:count] for pe in range(4) if word >> 16 & 8 >> pe]
    heard = tuple(indices[place] for place in places)
    units = element.stop - element.start
    if element.role == Role.READOUT:
        units = config._sends[element[Region.PARAMETERS].address][3]  # its events are the numbers of a token's row, not its tokens
    return [Route(key + unit << 16, 0xFFFF0000, heard) for unit in range(units)] if count else []
