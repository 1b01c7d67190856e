"""A plan: what every PE of one chip is sent, runs and is asked for, as plain data that host, emulator and board take alike.

The file is safetensors: the tensors ``image`` (uint8) and ``PE/REGION`` (uint32), one for every region that is sent, and a metadata entry
``egret_plan`` whose value is JSON with everything else. Nothing in it is executed on the host, and a plan is checked when it is made:
regions inside the PE's memory, aligned, not overlapping; coordinates of the chip, each used once; keys within the router's entries.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from models import checkpoint
from models.chip.layout import (
    ALIGNMENT,
    CODE_BYTES,
    COORDINATES,
    FIRST_REGION,
    REGIONS_END,
    ROUTING_ENTRIES,
    SPECIFICATION_ADDRESS,
    SPECIFICATION_MAGIC,
    SPECIFICATION_VERSION,
    TOKEN_PHASE,
    Coordinate,
    Region,
    Role,
    Words,
)
from pipeline.errors import UserError

VERSION = 2
ENTRY = "egret_plan"
MAX_FILE_BYTES = 32 << 20
"""A chip has 19 MiB of memory; a larger file is no plan."""


@dataclass(frozen=True, eq=False, slots=True)
class RegionPlan:
    """A piece of a PE's memory."""

    region: Region
    address: int
    """In bytes."""
    size: int
    """In 32-bit words."""
    words: Words | None
    """[size] what is sent to it; None: nothing, the firmware fills it."""
    read: bool
    """Whether the host reads it back."""


@dataclass(frozen=True, eq=False, slots=True)
class ElementPlan:
    """One PE: which part of which network it is, and its memory."""

    coordinate: Coordinate
    role: Role
    network: int
    """Index in `Plan.networks`."""
    stage: int
    """Stage of the network: it works on step s at tick s * period + stage, and there may be one before (`turns`)."""
    start: int
    stop: int
    """Units (targets, tokens) of the stage that live here."""
    regions: tuple[RegionPlan, ...]

    def __getitem__(self, region: Region) -> RegionPlan:
        """The PE's piece of memory for `region`; KeyError if its role has none."""
        for part in self.regions:
            if part.region == region:
                return part
        raise KeyError(region)

    @property
    def turns(self) -> tuple[int, ...]:
        """Stages at which it works: its own and, if it holds tokens, that at which it answers one with its embedding row."""
        words = self[Region.PARAMETERS].words
        return (TOKEN_PHASE, self.stage) if words is not None and words[3] else (self.stage,)

    @property
    def data_bytes(self) -> int:
        """Bytes of all regions with the data specification."""
        return max(part.address + 4 * part.size for part in self.regions) - SPECIFICATION_ADDRESS

    def specification(self) -> Words:
        """The data specification: magic, version, addresses of all regions (0 where there is none)."""
        words = np.zeros(2 + len(Region), np.uint32)
        words[:2] = SPECIFICATION_MAGIC, SPECIFICATION_VERSION
        for part in self.regions:
            words[2 + part.region] = part.address
        return words

    def sends(self) -> list[tuple[int, Words]]:
        """What is to be written before the start: (address in bytes, words), the data specification first."""
        return [(SPECIFICATION_ADDRESS, self.specification())] + [
            (part.address, part.words) for part in self.regions if part.words is not None
        ]

    def reads(self) -> list[tuple[str, int, int]]:
        """What is to be read: (name, address in bytes, words)."""
        return [(part.region.name.lower(), part.address, part.size) for part in self.regions if part.read]


@dataclass(frozen=True, slots=True)
class Route:
    """A multicast entry: events whose word, masked, is `key` go to these PEs."""

    key: int
    mask: int
    targets: tuple[int, ...]
    """Indices in `Plan.elements`."""


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """One network of the chip."""

    kind: str
    """"gesture" or "language"."""
    period: int
    """Ticks from one step to the next."""
    stages: int
    """Ticks from a step's input to its result."""
    layers: tuple[int, ...]
    """Units of every layer."""
    inputs: int
    """Sources of layer 0."""
    targets: int
    """Classes or tokens of the read-out."""
    metadata: dict[str, Any]
    """The program's."""


@dataclass(frozen=True, eq=False, slots=True)
class Plan:
    """All of a chip. ValueError, with the reason, where it is none that the chip can hold."""

    image: bytes
    """The firmware, to be written to address 0 of every PE."""
    tick_us: float
    clock_hz: int
    """Of the PEs' timers, which the tick is counted in."""
    networks: tuple[NetworkPlan, ...]
    elements: tuple[ElementPlan, ...]
    routes: tuple[Route, ...]

    def __post_init__(self) -> None:
        _check(self)


def _check(plan: Plan) -> None:
    if not 0 < len(plan.image) <= CODE_BYTES:
        raise ValueError(f"the image has {len(plan.image)} bytes, and a PE holds {CODE_BYTES} of code")
    if len(plan.routes) > ROUTING_ENTRIES:
        raise ValueError(f"{len(plan.routes)} routing entries where the chip has {ROUTING_ENTRIES}")
    if len({element.coordinate for element in plan.elements}) != len(plan.elements):
        raise ValueError("two parts of the network are on one PE")
    for route in plan.routes:
        if not all(0 <= target < len(plan.elements) for target in route.targets):
            raise ValueError(f"the route of key {route.key:#x} leads to a PE that does not exist")
    for element in plan.elements:
        if element.coordinate not in COORDINATES:
            raise ValueError(f"the chip has no PE at {element.coordinate}")
        if not 0 <= element.network < len(plan.networks):
            raise ValueError(f"the PE at {element.coordinate} is of a network that does not exist")
        _check_regions(element)


def _check_regions(element: ElementPlan) -> None:
    end = FIRST_REGION
    for part in sorted(element.regions, key=lambda part: part.address):
        where = f"region {part.region.name} of the PE at {element.coordinate}"
        if part.address % ALIGNMENT or part.size < 1 or part.address < end or part.address + 4 * part.size > REGIONS_END:
            raise ValueError(f"{where}: {part.size} words at {part.address:#x} do not fit between {end:#x} and {REGIONS_END:#x}")
        if part.words is not None and (part.words.dtype != np.uint32 or part.words.shape != (part.size,)):
            raise ValueError(f"{where} is sent {part.words.dtype}{list(part.words.shape)} instead of {part.size} words")
        end = part.address + 4 * part.size


def save(plan: Plan, path: str | Path) -> None:
    """Write `plan` to `path` in one stroke. UserError where that is not possible."""
    tensors: dict[str, Any] = {"image": np.frombuffer(plan.image, np.uint8)}
    elements = []
    for index, element in enumerate(plan.elements):
        regions = []
        for part in element.regions:
            if part.words is not None:
                tensors[f"{index}/{part.region.name}"] = np.ascontiguousarray(part.words)
            regions.append({"region": part.region.name, "address": part.address, "size": part.size, "read": part.read})
        about = {name: getattr(element, name) for name in ("coordinate", "network", "stage", "start", "stop")}
        elements.append(about | {"role": element.role.name, "regions": regions})
    described = {
        "version": VERSION,
        "tick_us": plan.tick_us,
        "clock_hz": plan.clock_hz,
        "networks": [asdict(network) for network in plan.networks],
        "elements": elements,
        "routes": [asdict(route) for route in plan.routes],
    }
    checkpoint.write(path, tensors, described, "plan", ENTRY)


def load(path: str | Path) -> Plan:
    """The plan at `path`. UserError with one sentence for anything that is none of this version."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no plan at {path}; make one with `egret compile`.")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise UserError(f"{path} is no plan: it is larger than a chip's memory; make one with `egret compile`.")
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(ENTRY)
            if text is None:
                raise ValueError("it holds no plan")
            described = json.loads(text)
            if described["version"] != VERSION:
                raise ValueError(f"it is of version {described['version']}, and this Egret reads version {VERSION}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict, though it has keys)
        return _plan(described, tensors)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"The plan {path} cannot be used: {error}; make it anew with `egret compile`.") from error


def _plan(described: dict[str, Any], tensors: dict[str, Any]) -> Plan:
    elements = []
    for index, about in enumerate(described["elements"]):
        regions = tuple(
            RegionPlan(
                Region[part["region"]],
                int(part["address"]),
                int(part["size"]),
                tensors.get(f"{index}/{part['region']}"),
                bool(part["read"]),
            )
            for part in about["regions"]
        )
        x, y, pe = map(int, about["coordinate"])
        network, stage, start, stop = (int(about[name]) for name in ("network", "stage", "start", "stop"))
        elements.append(ElementPlan((x, y, pe), Role[about["role"]], network, stage, start, stop, regions))
    networks = tuple(NetworkPlan(**about | {"layers": tuple(about["layers"])}) for about in described["networks"])
    routes = tuple(Route(route["key"], route["mask"], tuple(route["targets"])) for route in described["routes"])
    image = tensors["image"].tobytes()
    return Plan(image, float(described["tick_us"]), int(described["clock_hz"]), networks, tuple(elements), routes)
