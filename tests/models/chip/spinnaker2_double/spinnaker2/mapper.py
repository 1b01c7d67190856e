"""Where populations go."""

from enum import Enum
from typing import Any

from models.chip.layout import COORDINATES
from spinnaker2 import Strict
from spinnaker2.coordinates import PE


class SynapseWordSize(Enum):
    SIZE_16 = 16


class SynapseWordSpec(Strict):
    def __init__(self, word_size: SynapseWordSize, weight: int, delay: int, synapse_type: int, target: int) -> None:
        assert weight + delay + synapse_type + target == word_size.value


class Slice(Strict):
    def __init__(self, pop: Any) -> None:
        self.pop, self.start, self.stop = pop, 0, pop.size


class Mapping(Strict):
    def __init__(self, net: Any) -> None:
        assert all(population.size == 1 for population in net.populations)
        # from the chip's other end, so that nobody gets by with the places that the plan has in mind
        self._pes = [PE(*place) for place, _ in zip(reversed(COORDINATES), net.populations, strict=False)]
        self._slices = {pe: Slice(population) for pe, population in zip(self._pes, net.populations, strict=True)}

    def get_population_slice(self, pe: PE) -> Slice:
        return self._slices[pe]


class Mapper(Strict):
    def __init__(self, net: Any) -> None:
        self.mapping = Mapping(net)
        self._projections = net._projections

    def _targets(self, pe: PE) -> list[tuple[int, int, int]]:
        pop = self.mapping.get_population_slice(pe).pop
        heard = {id(projection._post) for projection in self._projections if projection._pre is pop}
        return [other._place for other in self.mapping._pes if id(self.mapping.get_population_slice(other).pop) in heard]
