"""Networks."""

from typing import Any

from spinnaker2 import Strict


class Population(Strict):
    def __init__(
        self, size: int, neuron_model: str, params: dict[str, Any], name: str | None = None, record: list[str] | None = None
    ) -> None:
        self.size, self.neuron_model, self.params, self.name, self.record = size, neuron_model, params, name, record or []
        self._times: dict[Any, list[int]] = {}

    def get_time_done_times(self) -> dict[Any, list[int]]:
        assert "time_done" in self.record, "it was not asked to record that"
        return self._times


class Projection(Strict):
    def __init__(self, pre: Population, post: Population, connections: list[list[int]] | None = None, name: str | None = None) -> None:
        for pre_i, post_i, weight, delay in connections or []:
            assert 0 <= pre_i < pre.size and 0 <= post_i < post.size and -15 <= weight <= 15 and 0 <= delay <= 7
        self._pre, self._post, self.name = pre, post, name


class Network(Strict):
    def __init__(self, name: str) -> None:
        self.name = name
        self.populations: list[Population] = []
        self._projections: list[Projection] = []

    def add(self, *parts: Population | Projection) -> None:
        for part in parts:
            (self.populations if isinstance(part, Population) else self._projections).append(part)  # type: ignore[attr-defined]

    def validate(self) -> None: ...

    def reset(self) -> None:
        for population in self.populations:
            population._times = {}
