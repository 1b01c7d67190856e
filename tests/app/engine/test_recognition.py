"""Promises of the processing thread when a live source is faster than it, on the real runtime and framer."""

import itertools
import threading
import time

import numpy as np
import pytest

from app.engine.models import Models
from app.engine.recognition import LIVE_LAG_NS, Recognition, Result
from pipeline.events import EVENT_DTYPE, Events, Packet, SourceInfo, Status
from pipeline.filters import NO_FILTERS
from pipeline.frames import WINDOW_US

PACKET_US = 10_000
EVENTS = 50


def events_at(start_us: int) -> Events:
    events = np.zeros(EVENTS, EVENT_DTYPE)
    events["timestamp"] = start_us + np.arange(EVENTS) * PACKET_US // EVENTS
    events["x"] = np.arange(EVENTS)
    return events


def packet(number: int, age_ns: int) -> Packet:
    start_us = number * PACKET_US
    status = Status("test", number, time.monotonic_ns() - age_ns, start_us + PACKET_US, lost=1, repaired=2, refused=3)
    return Packet(events_at(start_us), status)


@pytest.mark.parametrize("live", [True, False])
def test_a_live_source_that_is_too_fast_is_skipped_and_every_event_accounted_for(live: bool) -> None:
    results: list[Result] = []
    over, held, go = threading.Event(), threading.Event(), threading.Event()
    crashes: list[BaseException] = []

    def on_result(result: Result) -> None:
        results.append(result)
        held.set()
        go.wait(10)  # the thread is busy for a while, as under overload

    models = Models()
    recognition = Recognition(
        models.runtime("host"),
        models.decider(),
        NO_FILTERS,
        on_result=on_result,
        on_end=lambda of: over.set(),
        on_over=lambda: None,
        on_crash=crashes.append,
    )
    recognition.start()
    info = SourceInfo("test", "camera", "test", 128, 128, live)
    recognition.open(info, np.zeros((128, 128), np.uint32))
    for number in range(3):
        recognition.put(packet(number, 0))
    assert held.wait(30)
    for number in range(3, 43):
        recognition.put(packet(number, 2 * LIVE_LAG_NS))
    recognition.end("this one")
    go.set()
    assert over.wait(30)
    assert recognition.stop()
    assert crashes == []
    totals = recognition.totals
    assert totals.events + totals.skipped == 43 * EVENTS
    assert (totals.skipped > 0) is live
    assert (totals.lost, totals.repaired, totals.refused) == (43, 86, 129)
    times = [result.t_us for result in results]
    assert all(later - earlier >= WINDOW_US for earlier, later in itertools.pairwise(times))
