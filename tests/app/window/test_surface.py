"""The picture is the time surface put through the table of colours, for every time, polarity and wrap."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.protocol import TICK_US
from app.window.surface import SLACK_TICKS, THEMES, Painter, SurfaceFile, age_table, pack

THEME = THEMES[0]
WRAP = 1 << 31


def word(tick: int, polarity: int) -> int:
    return (tick % WRAP) << 1 | polarity


def painted(now_us: int, words: list[int], decay_us: int = 100_000) -> list[int]:
    return Painter(THEME, decay_us).paint(np.array([words], np.uint32), now_us)[0].tolist()


@given(
    st.integers(2**20, 2**40),
    st.integers(0, 20_000),
    st.integers(0, 1),
    st.sampled_from([10_000, 100_000, 1_000_000]),
)
def test_a_pixel_has_the_colour_of_its_age_and_polarity(now_tick: int, age: int, polarity: int, decay_us: int) -> None:
    assume(word(now_tick - age, polarity) != 0)  # the one word that means "never"
    [colour] = painted(now_tick * TICK_US, [word(now_tick - age, polarity)], decay_us)
    weight = math.exp(-age * TICK_US / decay_us)
    end = THEME.on if polarity else THEME.off
    for shift, new, ground in zip((16, 8, 0), end, THEME.background, strict=True):
        assert abs((colour >> shift & 0xFF) - (ground + (new - ground) * weight)) <= 3.1
    assert colour >> 24 == 0xFF


def test_events_newer_than_the_windows_clock_are_fully_bright() -> None:
    now = 10_000_000
    ahead = now // TICK_US + SLACK_TICKS - 1
    assert painted(now, [word(ahead, 1), word(ahead, 0)]) == [pack(THEME.on), pack(THEME.off)]


@pytest.mark.parametrize("now_us", [0, 1_000, 50_000, 400_000, 10_000_000])
def test_a_pixel_that_never_fired_is_background_also_when_time_is_young(now_us: int) -> None:
    assert painted(now_us, [0]) == [pack(THEME.background)]


def test_the_picture_is_right_across_the_wrap_of_the_ticks() -> None:
    now_tick = WRAP + 10
    fresh, old = painted(now_tick * TICK_US, [word(WRAP - 1, 1), word(WRAP - 8_000, 1)])
    assert fresh > pack(THEME.background)
    assert old == pack(THEME.background)


def test_a_fully_faded_table_ends_in_the_background() -> None:
    for theme in THEMES:
        assert age_table(theme, 25_000)[-1] == pack(theme.background)


def test_the_surface_is_seen_as_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "surface.1"
    path.write_bytes(bytes(4 * 6))
    surface = SurfaceFile(path, 3, 2)
    np.memmap(path, "<u4", "r+", shape=(2, 3))[1, 2] = 77
    assert surface.words[1, 2] == 77
    assert not surface.words.flags.writeable


@pytest.mark.parametrize(
    ("width", "height", "sentence"),
    [(3, 2, "is smaller than 3 x 2"), (0, 2, "cannot be shown"), (1 << 15, 1 << 15, "cannot be shown"), (-1, -1, "cannot be shown")],
)
def test_a_surface_of_another_size_than_announced_is_refused_with_a_sentence(
    tmp_path: Path, width: int, height: int, sentence: str
) -> None:
    path = tmp_path / "surface.1"
    path.write_bytes(bytes(8))
    with pytest.raises(ValueError, match=sentence):
        SurfaceFile(path, width, height)


def test_a_surface_that_is_not_there_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        SurfaceFile(tmp_path / "surface.1", 3, 2)
