"""Promises of the stage times."""

from pipeline.latency import STAGES, StageTimes, percentiles


def test_percentiles_of_nothing_are_zero() -> None:
    assert percentiles([]) == (0.0, 0.0)


def test_percentiles_are_the_median_and_the_95th() -> None:
    assert percentiles(range(101)) == (50.0, 95.0)


def test_a_summary_has_only_the_stages_that_were_seen_in_the_order_of_the_chain() -> None:
    times = StageTimes()
    times.add({"total": 3.0, "chip": 1.0})
    assert list(times.summary()) == [stage for stage in STAGES if stage in ("chip", "total")]
    assert times.summary()["chip"] == {"p50": 1.0, "p95": 1.0}


def test_old_times_are_forgotten() -> None:
    times = StageTimes(keep=2)
    for value in (100.0, 1.0, 1.0):
        times.add({"chip": value})
    assert times.summary()["chip"]["p95"] == 1.0
