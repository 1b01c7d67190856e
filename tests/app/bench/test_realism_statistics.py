"""Promises of the event statistics: each figure is what its definition says, counted the slow way."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bench import statistics
from app.bench.statistics import MEANINGS, NEAR_US, NEIGHBOUR_US, REPEAT_US, WINDOW_US, describe
from pipeline.events import EVENT_DTYPE, Events, empty_events

SIDE = 16
EVENT = st.tuples(st.integers(0, 60), st.integers(0, SIDE - 1), st.integers(0, SIDE - 1), st.integers(0, 1))
"""Time in units of the clip's making, x, y, polarity."""


def events_of(rows: list[tuple[int, int, int, int]], unit_us: int = 1) -> Events:
    events = np.zeros(len(rows), EVENT_DTYPE)
    for i, (t, x, y, p) in enumerate(sorted(rows, key=lambda row: row[0])):
        events[i] = (t * unit_us, x, y, p)
    return events


def bar(*, bright: bool, steps: int = 80, side: int = 64) -> Events:
    """A bar 8 pixels wide swinging to and fro before a wall, a step of 5 ms each; a bright one has ON at its front."""
    rows = []
    places = np.round(24 + 16 * np.sin(np.arange(steps + 1) / 12)).astype(int)
    for step, (before, after) in enumerate(pairwise(places)):
        forward = after > before
        for x in range(min(before, after), max(before, after)):
            for y in range(20, 40):
                rows += [(5_000 * step, x, y, int(forward != bright)), (5_000 * step, x + 8, y, int(forward == bright))]
    return events_of(rows)


@given(st.lists(EVENT, max_size=60))
def test_isolated_events_have_no_neighbour_in_space_and_time(rows: list[tuple[int, int, int, int]]) -> None:
    events = events_of(rows, 1_000)
    t, x, y = (events[name].astype(np.int64) for name in ("timestamp", "x", "y"))
    distance = np.maximum(np.abs(x[:, None] - x), np.abs(y[:, None] - y))
    neighbours = (distance == 1) & (np.abs(t[:, None] - t) <= NEIGHBOUR_US)
    np.testing.assert_array_equal(statistics.isolated(t, x, y, SIDE, SIDE), ~neighbours.any(axis=1))


@given(st.lists(EVENT, max_size=80), st.sampled_from([20, 2_000, 9_000]))
def test_intervals_repeats_and_alternation_are_those_of_each_pixel_alone(rows: list[tuple[int, int, int, int]], unit_us: int) -> None:
    events = events_of([(t, x % 2, y % 2, p) for t, x, y, p in rows], unit_us)
    said = describe(events, 1_000_000, SIDE, SIDE)
    intervals, repeats, near, changes = [], [0, 0], 0, 0
    for x in range(2):
        for y in range(2):
            pixel = events[(events["x"] == x) & (events["y"] == y)]
            kept = list(pixel[:1])
            for before, after in pairwise(pixel):
                intervals.append(int(after["timestamp"] - before["timestamp"]))
                if intervals[-1] < REPEAT_US and before["polarity"] == after["polarity"]:
                    repeats[after["polarity"]] += 1
                else:
                    kept.append(after)
            for before, after in pairwise(kept):
                if after["timestamp"] - before["timestamp"] <= NEAR_US:
                    near += 1
                    changes += int(before["polarity"] != after["polarity"])
    totals = [int(np.sum(events["polarity"] == p)) for p in (0, 1)]
    expected = {
        "interval p50 ms": np.median(intervals) / 1e3 if intervals else np.nan,
        "OFF repeats %": 100 * repeats[0] / totals[0] if totals[0] else np.nan,
        "ON repeats %": 100 * repeats[1] / totals[1] if totals[1] else np.nan,
        "alternation %": 100 * changes / near if near else np.nan,
    }
    assert {name: said[name] for name in expected} == pytest.approx(expected, nan_ok=True)


def test_rate_polarity_and_place_are_counted() -> None:
    rows = [(t, 5, 5, 1) for t in range(9)] + [(t, x, 7, 0) for t, x in enumerate(range(6, 12))]
    said = describe(events_of(rows, 100), 3_000, SIDE, SIDE)
    assert said["k events/s"] == pytest.approx(5.0)
    assert said["ON/OFF"] == pytest.approx(9 / 6)
    assert said["pixels that fire"] == 7
    assert said["busiest tenth %"] == pytest.approx(100 * 9 / 15)
    assert (said["width px"], said["height px"]) == (pytest.approx(np.quantile([r[1] for r in rows], 0.95) - 4), 3)
    assert said["isolated %"] == pytest.approx(100 * 9 / 15)  # the pixel that fires nine times has only itself
    assert said["isolated/s/px"] == pytest.approx(9 / 0.003 / SIDE**2)


def test_on_leads_in_front_of_what_is_bright_and_off_in_front_of_what_is_dark() -> None:
    bright, dark = (describe(bar(bright=bright), 400_000, 64, 64)["ON leads"] for bright in (True, False))
    assert bright > 0.8
    assert dark == pytest.approx(-bright)


def test_which_polarity_leads_is_the_same_in_a_mirror() -> None:
    events = bar(bright=True)
    turned = events.copy()
    turned["x"] = 63 - events["x"]
    assert describe(turned, 400_000, 64, 64)["ON leads"] == pytest.approx(describe(events, 400_000, 64, 64)["ON leads"])


def test_what_so_few_events_cannot_say_is_unknown() -> None:
    nothing = describe(empty_events(), WINDOW_US, SIDE, SIDE)
    assert list(nothing) == list(MEANINGS)
    assert {name for name, value in nothing.items() if not np.isnan(value)} == {"k events/s", "pixels that fire", "isolated/s/px"}
    assert describe(events_of([(0, 3, 3, 1)]), WINDOW_US, SIDE, SIDE)["isolated %"] == 100
