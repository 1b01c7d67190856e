"""What a plan takes of the chip, in numbers and as a picture."""

from pathlib import Path
from typing import Any

import numpy as np

from models.chip.layout import CODE_BYTES, QUADS, REGIONS_END, ROUTING_ENTRIES, SPECIFICATION_ADDRESS, USABLE_PES, Region, Role
from models.chip.plan import ElementPlan, NetworkPlan, Plan
from pipeline.errors import UserError

FAST_CLOCK_HZ = 300_000_000
"""The PEs' clock at 0.8 V."""
DATA_BYTES = REGIONS_END - SPECIFICATION_ADDRESS
"""Data specification and regions of a PE."""


def summary(plan: Plan) -> dict[str, Any]:
    """PEs, bytes, headroom, routing, ticks and events of `plan`, as plain data."""
    networks = []
    for index, network in enumerate(plan.networks):
        stages = []
        for stage in range(network.stages):
            elements = [element for element in plan.elements if (element.network, element.stage) == (index, stage)]
            if elements:  # the embedding is the read-out's
                stages.append(_stage(network, stage, elements))
        pes, step_ms = sum(each["pes"] for each in stages), network.stages * plan.tick_us / 1e3
        networks.append({"kind": network.kind, "pes": pes, "ticks": network.stages, "step_ms": step_ms, "stages": stages})
    return {
        "pes": len(plan.elements),
        "usable_pes": USABLE_PES,
        "code_bytes": len(plan.image),
        "code_room": CODE_BYTES,
        "data_room": DATA_BYTES,
        "data_bytes": sum(element.data_bytes for element in plan.elements),
        "routing_entries": len(plan.routes),
        "routing_room": ROUTING_ENTRIES,
        "tick_ms": plan.tick_us / 1e3,
        "tick_ms_fast": plan.tick_us / 1e3 * plan.clock_hz / FAST_CLOCK_HZ,
        "clock_mhz": plan.clock_hz / 1e6,
        "networks": networks,
    }


def _stage(network: NetworkPlan, stage: int, elements: list[ElementPlan]) -> dict[str, Any]:
    sizes = [element.data_bytes for element in elements]
    units = max(element.stop - element.start for element in elements)
    at_most, expected = _events(network, elements)
    return {
        "name": name_of(network, stage),
        "pes": len(elements),
        "units_per_pe": units,
        "bytes": max(sizes),
        "bytes_mean": round(float(np.mean(sizes))),
        "headroom": DATA_BYTES - max(sizes),
        "events_at_most": at_most,
        "events_expected": expected,
    }


def name_of(network: NetworkPlan, stage: int) -> str:
    """A stage's name as people call it."""
    if stage == 0:
        return "source"
    if stage == network.stages - 1:
        return "read-out"
    return f"layer {stage - first_layer(network)}"


def first_layer(network: NetworkPlan) -> int:
    """Stage of layer 0."""
    return network.stages - 1 - len(network.layers)


def _events(network: NetworkPlan, elements: list[ElementPlan]) -> tuple[int, float | None]:
    """Events a stage sends a step: at most, and on average where the plan knows; a read-out of classes sends none, one of tokens a row."""
    role = elements[0].role
    if role == Role.SOURCE:
        return (1, 1) if network.kind == "language" else (network.inputs, None)
    if role == Role.READOUT and network.kind == "gesture":
        return 0, 0
    if role == Role.READOUT:
        rows = [element[Region.ROWS].words for element in elements]
        filled = sum(int(np.count_nonzero(words.view(np.int8))) for words in rows if words is not None)
        return network.inputs, round(filled / network.targets, 1)
    layer = elements[0].stage - first_layer(network)
    figures = network.metadata.get("made", {}).get("figures", {})
    share = figures.get(f"activity_{layer}")
    return network.layers[layer], None if share is None else round(share * network.layers[layer], 1)


def readable(said: dict[str, Any]) -> str:
    """`summary` as a table."""
    code = f"{said['code_bytes']:,} of {said['code_room']:,} bytes of code a PE"
    lines = [
        f"{said['pes']} of {said['usable_pes']} PEs, {said['data_bytes']:,} bytes of data; {code}; "
        f"{said['routing_entries']} of {said['routing_room']:,} routing entries",
        f"a tick is {said['tick_ms']:g} ms at {said['clock_mhz']:g} MHz, {said['tick_ms_fast']:g} ms at twice that",
        "",
        f"{'':22}  PEs  units/PE  bytes/PE (most)     free  events a step (at most)",
    ]
    for network in said["networks"]:
        lines.append(f"{network['kind']}: {network['pes']} PEs, a step in {network['ticks']} ticks = {network['step_ms']:g} ms")
        for stage in network["stages"]:
            events = "-" if stage["events_expected"] is None else f"{stage['events_expected']:,}"
            lines.append(
                f"  {stage['name']:20}  {stage['pes']:3}  {stage['units_per_pe']:8}  {stage['bytes']:15,}  {stage['headroom']:7,}"
                f"  {events:>8} ({stage['events_at_most']:,})"
            )
    return "\n".join(lines)


def plot(plan: Plan, path: Path) -> None:
    """A picture (PNG) of the chip: 38 quads of four PEs, a colour for every stage, and how full a PE is. UserError without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.patches import Rectangle
    except ImportError as missing:
        raise UserError("The picture needs matplotlib, which the extra `train` brings: run `sh app/environment.sh train`.") from missing
    figure = Figure(figsize=(9, 7.5), layout="constrained")
    canvas, axes = FigureCanvasAgg(figure), figure.add_subplot()
    used = {element.coordinate: element for element in plan.elements}
    colours = _colours(plan)
    for x, y in QUADS:
        for pe in range(4):
            left, bottom = x + 0.46 * (pe % 2), y + 0.46 * (pe // 2)
            element = used.get((x, y, pe))
            axes.add_patch(Rectangle((left, bottom), 0.44, 0.44, facecolor=colours[_label(plan, element)], edgecolor="white"))
            if element is not None:
                share = f"{100 * element.data_bytes / DATA_BYTES:.0f} %"
                axes.text(left + 0.22, bottom + 0.22, share, ha="center", va="center", fontsize=6)
    handles = [Rectangle((0, 0), 1, 1, facecolor=colour, label=label) for label, colour in colours.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    axes.set(
        xlim=(0.9, 8), ylim=(7, 0.9), aspect="equal", xlabel="", ylabel="", xticks=np.arange(1, 8) + 0.45, yticks=np.arange(1, 7) + 0.45
    )
    axes.set_xticklabels(map(str, range(1, 8)))
    axes.set_yticklabels(map(str, range(1, 7)))
    axes.set_title(f"{len(plan.elements)} of {USABLE_PES} PEs of a SpiNNaker 2 (quad x, y), and how full their data memory is", fontsize=10)
    for side in axes.spines.values():
        side.set_visible(False)
    write_picture(canvas, path)


def write_picture(canvas: Any, path: Path) -> None:
    """Write what is drawn on matplotlib's `canvas` to `path` as PNG. UserError if that cannot be done."""
    try:
        canvas.print_png(str(path))
    except OSError as error:
        raise UserError(
            f"The picture could not be written to {path} ({error.strerror}); choose a folder that exists and has room."
        ) from error


def _label(plan: Plan, element: ElementPlan | None) -> str:
    if element is None:
        return "free"
    network = plan.networks[element.network]
    return f"{network.kind}: {name_of(network, element.stage)}"


def _colours(plan: Plan) -> dict[str, Any]:
    """A colour for every stage in the order of the plan, and grey for PEs without work."""
    from matplotlib import colormaps

    labels = list(dict.fromkeys(_label(plan, element) for element in plan.elements))
    palette = colormaps["tab20"].colors  # type: ignore[attr-defined]
    return {label: palette[index % len(palette)] for index, label in enumerate(labels)} | {"free": "#dddddd"}
