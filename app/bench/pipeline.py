"""Door, filters and framing in events a second, beside what a program built on dv-processing does for the same frames.

Two scenes of even noise on a sensor of 346 x 260 pixels, 1 and 20 million events a second (in the second nearly every event has a
neighbour to support it), in packets of 5,000 events. Every arrangement gets the same events, and they take turns pass by pass, so that
whatever else the machine does hits all alike. The reference is dv-processing's background-activity filter with the conversion to numpy
that it needs and the quickest binning numpy has (bincount over a table of pixels). It does no more than that: no check of coordinates and
times, no windows, no time surface. What to compare it with is "background activity only".
"""

import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np

from app.bench import recordings
from pipeline import frames
from pipeline.door import Door
from pipeline.events import Events
from pipeline.filters import NO_FILTERS, FilterSettings
from pipeline.latency import percentiles

WIDTH, HEIGHT = 346, 260
EVENTS = 250_000
PACKET = 5_000
SMALL_PACKET = 100
BACKGROUND_US = 2_000
RATES = (1e6, 20e6)
REFERENCE = "dv-processing and numpy"

Pass = Callable[[], list[float]]
"""One way through all events of a scene with a fresh state: seconds per packet."""


def run(seconds: float = 3.0) -> dict[str, Any]:
    """Figures per scene and arrangement: events a second (from the median packet), time of a packet, and the speed against dv's."""
    frames.warm()
    return {f"scene of {rate / 1e6:.0f} Mev/s": _scene(recordings.noise(rate, EVENTS / rate, WIDTH, HEIGHT), seconds) for rate in RATES}


def _scene(events: Events, seconds: float) -> dict[str, Any]:
    background = FilterSettings(background_us=BACKGROUND_US, refractory_us=None, hot_pixel=False)
    small = f"all filters, {SMALL_PACKET} a packet"
    passes: dict[str, Pass] = {
        "all filters": partial(_egret, events, FilterSettings(), PACKET),
        "background activity only": partial(_egret, events, background, PACKET),
        "no filter": partial(_egret, events, NO_FILTERS, PACKET),
        small: partial(_egret, events[: EVENTS // 10], FilterSettings(), SMALL_PACKET),
    }
    reference = _reference(events)
    if reference is not None:
        passes[REFERENCE] = reference
    took: dict[str, list[float]] = {name: [] for name in passes}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name, one_pass in passes.items():
            took[name] += one_pass()
    figures: dict[str, Any] = {name: _figures(times, SMALL_PACKET if name == small else PACKET) for name, times in took.items()}
    if reference is None:
        return figures | {REFERENCE: "not measured: dv-processing cannot be imported (egret doctor says why)"}
    for name in ("all filters", "background activity only"):
        figures[f"{name}, times dv"] = round(figures[name]["Mev/s"] / figures[REFERENCE]["Mev/s"], 2)
    return figures


def _figures(took: list[float], packet: int) -> dict[str, float]:
    median, p95 = percentiles(took)
    return {"Mev/s": round(packet / median / 1e6, 1), "median us/packet": round(median * 1e6, 1), "p95 us/packet": round(p95 * 1e6, 1)}


def _egret(events: Events, settings: FilterSettings, size: int) -> list[float]:
    """Door, filters, framing and time surface, as the engine runs them."""
    door = Door(WIDTH, HEIGHT)
    framer = frames.Framer(WIDTH, HEIGHT, settings, surface=np.zeros((HEIGHT, WIDTH), np.uint32))
    took = []
    for start in range(0, len(events), size):
        packet = events[start : start + size]
        begun = time.perf_counter()
        good, *_ = door.check(packet)
        framer.process(good)
        took.append(time.perf_counter() - begun)
    return took


def _reference(events: Events) -> Pass | None:
    """The pass of dv-processing over the very same events; None where it cannot be imported."""
    try:
        import dv_processing as dv
    except ImportError:
        return None
    store = dv.EventStore()
    for row in events.tolist():  # the store has no constructor from numpy
        store.push_back(*row)
    slices = [store.slice(start, PACKET) for start in range(0, EVENTS, PACKET)]
    cells = frames.cell_table(WIDTH, HEIGHT).astype(np.int32).reshape(-1)
    cells_of_both = 2 * frames.GRID * frames.GRID

    def one_pass() -> list[float]:
        background = dv.noise.BackgroundActivityNoiseFilter(
            (WIDTH, HEIGHT), backgroundActivityDuration=timedelta(microseconds=BACKGROUND_US)
        )
        took = []
        for packet in slices:
            begun = time.perf_counter()
            background.accept(packet)
            kept = background.generateEvents().numpy()
            pixels = kept["y"].astype(np.int32) * WIDTH + kept["x"]
            np.bincount(cells[pixels] + kept["polarity"].astype(np.int32) * (cells_of_both // 2), minlength=cells_of_both)
            took.append(time.perf_counter() - begun)
        return took

    return one_pass
