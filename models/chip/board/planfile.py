"""A plan as the board's worker reads it: the file of models/chip/plan.py with the standard library alone, checked as far as it is used."""

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = 2
MAX_BYTES = 32 << 20
MAX_ELEMENTS = 148


@dataclass(frozen=True)
class Region:
    """A piece of a PE's memory."""

    name: str
    address: int
    size: int
    """In 32-bit words."""
    words: bytes | None
    """What is sent to it; None: nothing."""


@dataclass(frozen=True)
class Element:
    """A PE."""

    network: int
    regions: dict[str, Region]
    targets: tuple[int, ...]
    """Indices of the PEs that hear its events."""

    def specification(self, order: tuple[str, ...], magic: int, version: int) -> bytes:
        """The data specification: magic, version, addresses of the regions in this order, 0 where there is none."""
        return struct.pack(
            f"<{2 + len(order)}I", magic, version, *(self.regions[name].address if name in self.regions else 0 for name in order)
        )


@dataclass(frozen=True)
class BoardPlan:
    """All of a chip."""

    tick_s: float
    networks: int
    elements: tuple[Element, ...]


def load(path: str | Path) -> BoardPlan:
    """The plan at `path`. ValueError with the reason where it is none."""
    path = Path(path)
    if path.stat().st_size > MAX_BYTES:
        raise ValueError("the plan is larger than a chip's memory")
    data = path.read_bytes()
    try:
        (size,) = struct.unpack_from("<Q", data)
        header = json.loads(data[8 : 8 + size])
        plan = json.loads(header["__metadata__"]["egret_plan"])
        if plan["version"] != VERSION:
            raise ValueError(f"the plan is of version {plan['version']}, and this worker reads version {VERSION}")
        if len(plan["elements"]) > MAX_ELEMENTS:
            raise ValueError(f"the plan has {len(plan['elements'])} PEs, and a chip {MAX_ELEMENTS}")
        body = memoryview(data)[8 + size :]
        regions = [_regions(index, about["regions"], header, body) for index, about in enumerate(plan["elements"])]
        elements = tuple(
            Element(int(about["network"]), parts, _targets(parts["ROUTING"], plan["routes"]))
            for about, parts in zip(plan["elements"], regions, strict=True)
        )
        return BoardPlan(float(plan["tick_us"]) / 1e6, len(plan["networks"]), elements)
    except (struct.error, KeyError, TypeError) as error:
        raise ValueError(f"the plan makes no sense: {error!r}") from None


def _regions(index: int, described: list[dict[str, Any]], header: dict[str, Any], body: memoryview) -> dict[str, Region]:
    found = {}
    for part in described:
        tensor, words = header.get(f"{index}/{part['region']}"), None
        if tensor is not None:
            first, last = tensor["data_offsets"]
            words = bytes(body[first:last])
            if tensor["dtype"] != "U32" or len(words) != 4 * part["size"]:
                raise ValueError(f"region {part['region']} of PE {index} is not {part['size']} words")
        found[part["region"]] = Region(part["region"], int(part["address"]), int(part["size"]), words)
    return found


def _targets(routing: Region, routes: list[dict[str, Any]]) -> tuple[int, ...]:
    """The PEs that the first route of this PE's key leads to; a read-out of classes sends nothing."""
    if routing.words is None:
        raise ValueError("a PE without routing")
    key, count = struct.unpack_from("<II", routing.words)
    if not count:
        return ()
    return next((tuple(map(int, route["targets"])) for route in routes if (key << 16) & route["mask"] == route["key"]), ())
