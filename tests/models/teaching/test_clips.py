"""Frames are kept without loss, and what is not a row of clips is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.teaching.clips import CELLS, join, pack, split
from models.teaching.features import WARM, counting, moved
from pipeline.frames import GRID

FRAMES = st.integers(0, 3).flatmap(lambda n: arrays.arrays(np.uint16, (n, 2, GRID, GRID), elements=st.integers(0, 65535), fill=st.just(0)))


@settings(max_examples=30)
@given(frames=FRAMES)
def test_frames_come_back_as_they_were_but_for_counts_above_255(frames: np.ndarray) -> None:
    assert np.array_equal(pack(frames).frames(), np.minimum(frames, 255))


@settings(max_examples=30)
@given(several=st.lists(FRAMES, max_size=4))
def test_clips_that_are_joined_come_apart_again(several: list[np.ndarray]) -> None:
    clips = [pack(frames) for frames in several]
    assert [clip.key() for clip in split(join(clips))] == [clip.key() for clip in clips]


@settings(max_examples=50)
@given(st.data())
def test_arrays_that_do_not_fit_together_are_refused_and_nothing_else_happens(data: st.DataObject) -> None:
    several = [pack(data.draw(FRAMES)) for _ in range(2)]
    parts = join(several)
    name = data.draw(st.sampled_from(sorted(parts)))
    value = data.draw(arrays.arrays(parts[name].dtype, st.integers(0, 6)))
    try:
        clips = split(parts | {name: value})
    except ValueError:
        return
    for clip in clips:  # what passes can be unpacked
        assert clip.frames().shape[1:] == (2, GRID, GRID)


def test_a_cell_outside_the_frame_is_refused() -> None:
    parts = join([pack(np.ones((1, 2, GRID, GRID), np.uint16))])
    parts["cells"][5] = CELLS
    with pytest.raises(ValueError, match="beyond"):
        split(parts)


def test_moving_a_frame_moves_every_cell_and_drops_what_leaves() -> None:
    frames = np.zeros((1, 2, GRID, GRID), np.uint16)
    frames[0, 1, 10, 20], frames[0, 0, 0, 31] = 7, 3
    there = moved(frames, 2, -1)
    assert there[0, 1, 9, 22] == 7 and there.sum() == 7


def test_windows_count_after_the_warm_up_while_enough_happens() -> None:
    frames = np.zeros((100, 2, GRID, GRID), np.uint16)
    frames[:50, 0, 5, 5] = 8
    counted = counting(frames)
    assert not counted[:WARM].any() and counted[WARM:50].all() and not counted[50:].any()
