"""Frames: pooling, windows, the promise that every event lands in exactly one frame, and the view's time surface."""

import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.protocol import TICK_US
from pipeline import door, frames
from pipeline.errors import UserError
from pipeline.events import EVENT_DTYPE, Events, empty_events
from pipeline.filters import NO_FILTERS, FilterSettings
from pipeline.frames import GRID, LONGEST_FILL_US, WINDOW_US, Framer, Frames, cell_table, frames_of

WIDTH, HEIGHT = 40, 20
ARRAYS = ("counts", "start_us", "raw", "kept")
ALL_FILTERS = FilterSettings(background_us=30_000, refractory_us=300, region=(2, 1, 30, 17))


def make_events(seed: int, n: int, length_us: int, width: int = WIDTH, height: int = HEIGHT, start_us: int = 123_456_789) -> Events:
    rng = np.random.default_rng(seed)
    events = np.zeros(n, EVENT_DTYPE)
    events["timestamp"] = start_us + np.sort(rng.integers(0, length_us, n))
    events["x"], events["y"] = rng.integers(0, width, n), rng.integers(0, height, n)
    events["polarity"] = rng.integers(0, 2, n)
    return events


def at_times(*times: int) -> Events:
    return np.array([(t, 1, 1, 1) for t in times], EVENT_DTYPE)


def join(parts: list[Frames]) -> Frames:
    stacked = {name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAYS}
    return Frames(**stacked, skipped_us=sum(part.skipped_us for part in parts))


def same(a: Frames, b: Frames) -> bool:
    return a.skipped_us == b.skipped_us and all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in ("counts", "start_us", "raw", "kept")
    )


streams = st.builds(make_events, st.integers(0, 2**32), st.integers(0, 400), st.sampled_from([1, 1_000, 200_000, 30_000_000]))


@given(streams, st.lists(st.integers(0, 400), max_size=8), st.sampled_from([NO_FILTERS, FilterSettings(), ALL_FILTERS]))
def test_frames_do_not_depend_on_how_the_stream_is_cut(events: Events, cuts: list[int], settings: FilterSettings) -> None:
    surfaces = np.zeros((2, HEIGHT, WIDTH), np.uint32)
    framer = Framer(WIDTH, HEIGHT, settings, surface=surfaces[0])
    whole = join([framer.process(events), framer.flush()])
    framer = Framer(WIDTH, HEIGHT, settings, surface=surfaces[1])
    pieces = [framer.process(piece) for piece in np.split(events, sorted(cuts))]
    assert same(join([*pieces, framer.flush()]), whole)
    assert np.array_equal(surfaces[0], surfaces[1])


@given(streams, st.data())
def test_promises_of_time_close_windows_early_but_change_no_frame(events: Events, data: st.DataObject) -> None:
    whole = frames_of(events, WIDTH, HEIGHT)
    framer = Framer(WIDTH, HEIGHT)
    pieces = []
    for i in range(events.size):
        latest = int(events["timestamp"][min(i + 1, events.size - 1)])
        pieces.append(framer.process(events[i : i + 1], data.draw(st.integers(int(events["timestamp"][i]), latest)) if i < 20 else latest))
    result = join([*pieces, framer.flush()])
    assert result.raw.sum() == events.size
    if whole.skipped_us == 0:
        assert same(result, whole)


@given(streams)
def test_every_event_lands_in_exactly_one_frame_of_its_window(events: Events) -> None:
    frames = frames_of(events, WIDTH, HEIGHT, NO_FILTERS)
    windows, counts = np.unique(events["timestamp"] // WINDOW_US * WINDOW_US, return_counts=True)
    filled = frames.raw > 0
    assert frames.start_us[filled].tolist() == windows.tolist()
    assert frames.raw[filled].tolist() == counts.tolist()
    assert np.array_equal(frames.kept, frames.raw)
    assert np.array_equal(frames.counts.sum(axis=(1, 2, 3), dtype=np.int64), frames.raw)
    assert np.all(frames.start_us % WINDOW_US == 0)
    assert np.all(np.diff(frames.start_us) > 0)


def test_an_empty_window_makes_a_frame() -> None:
    frames = frames_of(at_times(5, 4 * WINDOW_US + 1), WIDTH, HEIGHT, NO_FILTERS)
    assert frames.start_us.tolist() == [0, 25_000, 50_000, 75_000, 100_000]
    assert frames.raw.tolist() == [1, 0, 0, 0, 1]
    assert frames.skipped_us == 0


def test_an_event_on_a_boundary_belongs_to_the_window_that_starts_there() -> None:
    frames = frames_of(at_times(WINDOW_US - 1, WINDOW_US), WIDTH, HEIGHT, NO_FILTERS)
    assert (frames.start_us.tolist(), frames.raw.tolist()) == ([0, WINDOW_US], [1, 1])


def test_a_still_scene_makes_empty_frames_while_time_is_promised() -> None:
    framer = Framer(WIDTH, HEIGHT)
    assert len(framer.process(empty_events(), 1_000_010)) == 0
    frames = framer.process(empty_events(), 1_075_000)
    assert (frames.start_us.tolist(), frames.raw.tolist()) == ([1_000_000, 1_025_000, 1_050_000], [0, 0, 0])
    assert len(framer.process(empty_events(), 1_099_999)) == 0
    assert len(framer.flush()) == 1
    assert len(framer.flush()) == 0


def test_a_window_closed_by_a_promise_is_not_opened_again() -> None:
    framer = Framer(WIDTH, HEIGHT, NO_FILTERS)
    first = framer.process(at_times(10, 20), WINDOW_US)
    late = join([framer.process(at_times(30, WINDOW_US + 5)), framer.flush()])
    assert (first.start_us.tolist(), first.raw.tolist()) == ([0], [2])
    assert (late.start_us.tolist(), late.raw.tolist()) == ([WINDOW_US], [2])


def test_flushing_a_stream_without_events_makes_no_frame() -> None:
    framer = Framer(WIDTH, HEIGHT)
    assert len(framer.flush()) == 0
    assert len(frames_of(empty_events(), WIDTH, HEIGHT)) == 0


def test_a_jump_too_long_to_fill_is_skipped_and_said() -> None:
    later = 7 + LONGEST_FILL_US
    frames = frames_of(at_times(7, later), WIDTH, HEIGHT, NO_FILTERS)
    assert frames.skipped_us == 0
    assert len(frames) == LONGEST_FILL_US // WINDOW_US + 1
    frames = frames_of(at_times(7, later + 1, later + WINDOW_US), WIDTH, HEIGHT, NO_FILTERS)
    assert frames.start_us.tolist() == [0, LONGEST_FILL_US, LONGEST_FILL_US + WINDOW_US]
    assert frames.skipped_us == LONGEST_FILL_US - WINDOW_US
    assert frames.raw.tolist() == [1, 1, 1]


def test_a_day_of_silence_takes_no_memory() -> None:
    framer = Framer(WIDTH, HEIGHT)
    framer.process(at_times(0))
    frames = framer.process(empty_events(), 86_400_000_000)
    assert (len(frames), frames.skipped_us) == (1, 86_400_000_000 - WINDOW_US)


def test_filters_change_in_the_middle_of_a_window_without_losing_counts() -> None:
    framer = Framer(WIDTH, HEIGHT, NO_FILTERS)
    framer.process(at_times(1, 2, 3))
    framer.set_filters(FilterSettings(background_us=None, hot_pixel=False, refractory_us=None, polarity="off"))
    framer.process(at_times(4, 5))
    framer.set_filters(NO_FILTERS)
    framer.process(at_times(6))
    frames = framer.flush()
    assert (frames.raw.tolist(), frames.kept.tolist()) == ([6], [4])


def test_a_window_that_was_closed_is_not_opened_again_after_a_reset() -> None:
    framer = Framer(WIDTH, HEIGHT, ALL_FILTERS)
    framer.process(make_events(1, 100, 10_000, start_us=1_000_000))
    early = framer.flush()
    framer.reset()
    late = join([framer.process(make_events(2, 100, 10_000, start_us=1_012_000)), framer.flush()])
    assert list(early.start_us) + list(late.start_us) == [1_000_000, 1_025_000]
    assert late.raw.sum() == 100


def test_after_a_reset_a_framer_is_as_new() -> None:
    events = make_events(1, 500, 300_000)
    surface = np.zeros((HEIGHT, WIDTH), np.uint32)
    framer = Framer(WIDTH, HEIGHT, ALL_FILTERS, surface=surface)
    framer.process(make_events(2, 500, 100_000, start_us=0))
    framer.reset()
    assert not surface.any()
    assert same(join([framer.process(events), framer.flush()]), frames_of(events, WIDTH, HEIGHT, ALL_FILTERS))


def test_counts_saturate_instead_of_wrapping() -> None:
    events = np.zeros(70_000, EVENT_DTYPE)
    frames = frames_of(events, 1, 1, NO_FILTERS)
    assert frames.counts.max() == 65_535
    assert frames.raw.tolist() == frames.kept.tolist() == [70_000]


def test_polarity_off_is_channel_zero_and_on_is_channel_one() -> None:
    events = np.array([(0, 0, 0, 0), (1, 31, 31, 1), (2, 31, 31, 1)], EVENT_DTYPE)
    counts = frames_of(events, 32, 32, NO_FILTERS).counts[0]
    assert (counts[0, 0, 0], counts[1, 31, 31], counts.sum()) == (1, 2, 3)


SIZES = [(1, 1), (2, 3), (34, 34), (32, 16), (128, 128), (240, 180), (346, 260), (640, 480), (1280, 720), (720, 1280), (1, 700)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_pooling_keeps_the_aspect_ratio_and_is_centred(width: int, height: int) -> None:
    table = cell_table(width, height)
    assert table.shape == (height, width)
    row, column = np.divmod(table.astype(int), GRID)
    assert (row >= 0).all()
    assert (row < GRID).all()
    longest = max(width, height, GRID)
    for cells, n in ((column[0], width), (row[:, 0], height)):
        assert np.all(np.diff(cells) >= 0)
        assert np.all(np.diff(cells) <= 1)
        scaled = (np.arange(n) + 0.5 - n / 2) * GRID / longest + GRID / 2
        assert np.all((cells <= scaled + 1e-9) & (scaled - 1e-9 <= cells + 1))
    assert np.array_equal(row, np.broadcast_to(row[:, :1], row.shape))
    middle = np.arange(width) == width // 2 if width % 2 else np.zeros(width, np.bool_)
    assert np.array_equal(column[:, ::-1][:, ~middle], GRID - 1 - column[:, ~middle])
    if max(width, height) >= GRID:
        assert max(np.ptp(column), np.ptp(row)) == GRID - 1


def test_a_square_sensor_pools_to_equal_blocks() -> None:
    _, members = np.unique(cell_table(128, 128), return_counts=True)
    assert members.tolist() == [16] * GRID * GRID


def test_a_sensor_smaller_than_the_grid_keeps_a_cell_a_pixel() -> None:
    assert cell_table(1, 1).tolist() == [[16 * GRID + 16]]
    assert np.unique(cell_table(20, 12)).size == 20 * 12


def test_a_region_outside_the_sensor_keeps_nothing() -> None:
    assert np.all(cell_table(20, 10, (20, 0, 5, 5)) == -1)
    assert np.all(cell_table(20, 10, (-5, -5, 5, 5)) == -1)
    assert np.count_nonzero(cell_table(20, 10, (-5, -5, 6, 7)) >= 0) == 2


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1280, 720), (3, 400)])
def test_any_sensor_makes_frames(width: int, height: int) -> None:
    events = make_events(3, 5_000, 100_000, width, height)
    frames = frames_of(events, width, height, NO_FILTERS)
    assert frames.counts.sum() == events.size
    assert frames.counts.shape[1:] == (2, GRID, GRID)


def test_the_surface_holds_time_and_polarity_of_the_last_kept_event() -> None:
    surface = np.zeros((HEIGHT, WIDTH), np.uint32)
    start = (1 << 31) * TICK_US * 5
    events = np.array([(start + 1_000, 3, 2, 0), (start + 9_000, 3, 2, 1), (start + 9_500, 4, 2, 0), (start + 9_600, 0, 0, 1)], EVENT_DTYPE)
    settings = FilterSettings(background_us=None, hot_pixel=False, refractory_us=None, region=(1, 0, 10, 10))
    Framer(WIDTH, HEIGHT, settings, surface=surface).process(events)
    assert surface[2, 3] == (9_000 // TICK_US) << 1 | 1
    assert surface[2, 4] == (9_500 // TICK_US) << 1
    assert np.count_nonzero(surface) == 2


def test_events_outside_the_sensor_write_nowhere() -> None:
    events = np.array([(1, 40, 0, 1), (2, -1, 0, 1), (3, 0, 20, 1), (4, 0, -32768, 1), (5, 32767, 32767, 1)], EVENT_DTYPE)
    framer = Framer(WIDTH, HEIGHT, NO_FILTERS)
    framer.process(events)
    frames = framer.flush()
    assert (frames.raw.tolist(), frames.kept.tolist(), int(frames.counts.sum())) == ([5], [0], 0)


def test_training_data_passes_the_door_too() -> None:
    events = np.array([(100, 1, 1, 1), (50, 1, 1, -1), (60, 99, 1, 1)], EVENT_DTYPE)
    frames = frames_of(events, WIDTH, HEIGHT, NO_FILTERS)
    assert (frames.raw.tolist(), frames.counts.sum(axis=(2, 3)).tolist()) == ([2], [[1, 1]])


def test_read_only_and_strided_packets_are_taken_as_they_come() -> None:
    events = make_events(4, 300, 100_000)
    wanted = frames_of(events, WIDTH, HEIGHT)
    frozen = np.frombuffer(events.tobytes(), EVENT_DTYPE)
    strided = np.repeat(events, 2)[::2]
    assert same(frames_of(frozen, WIDTH, HEIGHT), wanted)
    assert same(frames_of(strided, WIDTH, HEIGHT), wanted)


def test_whatever_array_events_come_in_nothing_is_compiled_again(tmp_path: Path) -> None:
    frames.warm()
    compiled = (frames._absorb, door._is_clean, door._repair)
    before = [kernel.signatures for kernel in compiled]
    surface = np.memmap(tmp_path / "surface", np.uint32, "w+", shape=(HEIGHT, WIDTH))
    events = make_events(4, 300, 100_000)
    events[5] = (0, 99, 99, 1)
    for packet in (events, events[:1], events[::2], np.frombuffer(events.tobytes(), EVENT_DTYPE), empty_events()):
        good, *_ = door.Door(WIDTH, HEIGHT).check(packet)
        Framer(WIDTH, HEIGHT, ALL_FILTERS, surface=surface).process(good)
    assert surface.any()
    assert [kernel.signatures for kernel in compiled] == before
    assert all(len(signatures) == 1 for signatures in before)


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, -1), (32767, 32767)])
def test_a_sensor_of_an_impossible_size_is_named(width: int, height: int) -> None:
    with pytest.raises(UserError, match=f"{width} x {height}"):
        Framer(width, height)


@pytest.mark.parametrize("surface", [np.zeros((5, 4), np.uint32), np.zeros((4, 5), np.int32)])
def test_a_surface_that_does_not_fit_is_refused(surface: npt.NDArray[np.uint32]) -> None:
    with pytest.raises(ValueError, match="surface"):
        Framer(5, 4, surface=surface)


@pytest.mark.parametrize("window_us", [0, 1, LONGEST_FILL_US + 1])
def test_a_window_too_short_or_too_long_is_refused(window_us: int) -> None:
    with pytest.raises(ValueError, match="window"):
        Framer(5, 4, window_us=window_us)


def test_two_framers_in_two_threads_do_not_disturb_each_other() -> None:
    streams = [make_events(seed, 200_000, 2_000_000) for seed in (1, 2)]
    alone = [frames_of(events, WIDTH, HEIGHT) for events in streams]
    together: list[Frames | None] = [None, None]

    def work(i: int) -> None:
        together[i] = frames_of(streams[i], WIDTH, HEIGHT)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(alone, together, strict=True):
        assert other is not None
        assert same(one, other)
