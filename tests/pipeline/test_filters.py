"""The filters: each against a slow definition of itself, and background activity against dv-processing on a real recording."""

import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import USAGE, UserError
from pipeline.events import EVENT_DTYPE, Events
from pipeline.filters import HOT_EVENTS, HOT_INTERVAL_US, NO_FILTERS, FilterSettings
from pipeline.frames import Framer

SIDE = 8
START_US = 10**15


def events_of(rows: list[tuple[int, int, int, int]]) -> Events:
    return np.array(rows, EVENT_DTYPE)


def kept_of(events: Events, settings: FilterSettings, width: int = SIDE, height: int = SIDE) -> list[int]:
    """Indices of the events that pass, seen on the time surface: one packet per event."""
    surface = np.zeros((height, width), np.uint32)
    framer = Framer(width, height, settings, surface=surface)
    kept = []
    for i in range(events.size):
        framer.process(events[i : i + 1])
        if surface.any():
            kept.append(i)
            surface.fill(0)
    return kept


def slow_filters(events: Events, settings: FilterSettings) -> list[int]:
    """The definitions in pipeline/filters.py, event by event, written for reading."""
    last: dict[tuple[int, int], int] = {}
    fired: dict[int, dict[tuple[int, int], int]] = defaultdict(lambda: defaultdict(int))
    kept = []
    for i, (t, x, y, polarity) in enumerate(events.tolist()):
        if settings.region is not None:
            left, top, width, height = settings.region
            if not (left <= x < left + width and top <= y < top + height):
                continue
        if settings.polarity != "both" and polarity != (settings.polarity == "on"):
            continue
        around = [(x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if dx or dy]
        if settings.hot_pixel:
            interval = t // HOT_INTERVAL_US
            fired[interval][x, y] += 1
            before = fired[interval - 1]
            neighbours = sorted(before.get(pixel, 0) for pixel in around)
            if before.get((x, y), 0) > max(HOT_EVENTS, sum(neighbours[:-1])):
                continue
        if settings.refractory_us and t - last.get((x, y), -(10**18)) < settings.refractory_us:
            continue
        last[x, y] = t
        if settings.background_us and not any(t - last.get(pixel, -(10**18)) < settings.background_us for pixel in around):
            continue
        kept.append(i)
    return kept


@st.composite
def streams(draw: st.DrawFn) -> Events:
    """Up to 600 events on 8x8 pixels from a seed: a background, and a few pixels that fire far more often than the rest."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(0, 600))
    events = np.zeros(n, EVENT_DTYPE)
    events["timestamp"] = START_US + np.sort(rng.integers(0, draw(st.sampled_from([5_000, 400_000, 2_000_000])), n))
    pixel = np.where(rng.random(n) < draw(st.sampled_from([0.0, 0.5, 0.9])), rng.integers(0, 3, n) * 2, rng.integers(0, SIDE * SIDE, n))
    events["x"], events["y"] = pixel % SIDE, pixel // SIDE
    events["polarity"] = rng.integers(0, 2, n)
    return events


settings_of_all_kinds = st.builds(
    FilterSettings,
    background_us=st.none() | st.integers(1, 20_000),
    refractory_us=st.none() | st.integers(1, 5_000),
    hot_pixel=st.booleans(),
    polarity=st.sampled_from(["both", "on", "off"]),
    region=st.none() | st.tuples(st.integers(-4, 6), st.integers(-4, 6), st.integers(1, 12), st.integers(1, 12)),
)


@given(streams(), settings_of_all_kinds)
def test_the_fused_loop_keeps_what_the_definitions_keep(events: Events, settings: FilterSettings) -> None:
    assert kept_of(events, settings) == slow_filters(events, settings)


@given(streams())
def test_with_every_filter_off_every_event_passes(events: Events) -> None:
    assert kept_of(events, NO_FILTERS) == list(range(events.size))


DV = """
import sys, datetime, numpy, dv_processing as dv
recording = dv.io.MonoCameraRecording(sys.argv[1])
size, store = recording.getEventResolution(), dv.EventStore()
while recording.isRunning("events"):
    batch = recording.getNextEventBatch()
    if batch is not None:
        store.add(batch)
background = dv.noise.BackgroundActivityNoiseFilter(size, backgroundActivityDuration=datetime.timedelta(microseconds=int(sys.argv[2])))
background.accept(store)
numpy.savez(sys.argv[3], size=size, events=store.numpy(), kept=background.generateEvents().numpy())
"""


@pytest.mark.parametrize("background_us", [2_000, 10_000])
def test_background_activity_is_dv_processings_bit_for_bit_on_a_real_recording(
    wave_far: list[Path], tmp_path: Path, background_us: int
) -> None:
    out = tmp_path / "dv.npz"
    subprocess.run([sys.executable, "-c", DV, str(wave_far[0]), str(background_us), str(out)], check=True, timeout=60)
    with np.load(out) as dv:
        (width, height), events, kept = dv["size"].tolist(), dv["events"], dv["kept"]
    assert 1_000 < kept.size < events.size
    settings = replace(NO_FILTERS, background_us=background_us)
    assert np.array_equal(events[kept_of(events, settings, width, height)], kept)


def test_a_neighbour_counts_only_while_it_is_strictly_younger_than_the_limit() -> None:
    settings = replace(NO_FILTERS, background_us=2_000)
    assert kept_of(events_of([(START_US, 3, 3, 1), (START_US + 1_999, 4, 4, 1)]), settings) == [1]
    assert kept_of(events_of([(START_US, 3, 3, 1), (START_US + 2_000, 4, 4, 1)]), settings) == []
    assert kept_of(events_of([(START_US, 3, 3, 1), (START_US + 1, 3, 3, 1)]), settings) == []


def test_at_time_zero_a_pixel_that_never_fired_supports_nobody() -> None:
    assert kept_of(events_of([(0, 3, 3, 1), (1, 4, 4, 1)]), replace(NO_FILTERS, background_us=2_000)) == [1]


def test_the_refractory_period_ends_after_exactly_its_length() -> None:
    events = events_of([(START_US + t, 3, 3, 1) for t in (0, 199, 200, 399, 400)])
    assert kept_of(events, replace(NO_FILTERS, refractory_us=200)) == [0, 2, 4]


def firing(pixels: dict[tuple[int, int], int], intervals: int) -> Events:
    """Every pixel fires its number of times, evenly, in each of so many hot-pixel intervals."""
    rows = [
        (START_US + k * HOT_INTERVAL_US + i * HOT_INTERVAL_US // n, x, y, 1)
        for k in range(intervals)
        for (x, y), n in pixels.items()
        for i in range(n)
    ]
    return events_of(sorted(rows))


@pytest.mark.parametrize(
    ("pixels", "dropped"),
    [
        ({(3, 3): HOT_EVENTS + 1}, {(3, 3)}),
        ({(3, 3): HOT_EVENTS}, set()),
        ({(3, 3): 200, (4, 3): 190}, {(3, 3), (4, 3)}),
        ({(x, y): 60 for x in range(2, 5) for y in range(2, 5)}, set()),
        ({(0, 0): 60, (7, 7): 60, (0, 7): 5}, {(0, 0), (7, 7)}),
    ],
    ids=["alone", "slow enough", "a pair", "a moving thing", "in corners"],
)
def test_a_pixel_that_fires_often_and_alone_is_dropped_from_the_next_interval_on(
    pixels: dict[tuple[int, int], int], dropped: set[tuple[int, int]]
) -> None:
    events = firing(pixels, 2)
    kept = events[kept_of(events, replace(NO_FILTERS, hot_pixel=True))]
    later = kept["timestamp"] >= START_US + HOT_INTERVAL_US
    assert np.count_nonzero(~later) == sum(pixels.values())
    assert {(int(e["x"]), int(e["y"])) for e in kept[later]} == set(pixels) - dropped


def test_a_hot_pixel_that_calms_down_is_heard_again() -> None:
    events = np.concatenate([firing({(3, 3): 100}, 2), firing({(3, 3): 5}, 4)[10:]]).astype(EVENT_DTYPE)
    events["timestamp"].sort()
    kept = events[kept_of(events, replace(NO_FILTERS, hot_pixel=True))]
    assert np.count_nonzero(kept["timestamp"] >= START_US + 3 * HOT_INTERVAL_US) == 5


@pytest.mark.parametrize(
    "bad",
    [
        {"background_us": 0},
        {"background_us": 2.5},
        {"background_us": True},
        {"refractory_us": -1},
        {"refractory_us": 10**12},
        {"polarity": "ON"},
        {"region": (0, 0, 0, 5)},
        {"region": (0, 0, 5)},
        {"region": (0, 0, 5, "5")},
    ],
    ids=str,
)
def test_a_setting_that_means_nothing_is_a_usage_error_that_names_it(bad: dict[str, object]) -> None:
    with pytest.raises(UserError, match=next(iter(bad))) as caught:
        FilterSettings(**bad)  # type: ignore[arg-type]
    assert caught.value.exit_code == USAGE
