"""Figures read as people write them, and text on every ground can be read."""

import math

import pytest

from app.window import figures, theme
from app.window.panels.strip import shortened


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 ev/s"), (999, "999 ev/s"), (1000, "1.00 kev/s"), (12_540, "12.5 kev/s"), (999_700, "1.00 Mev/s"), (math.nan, "– ev/s")],
)
def test_rates_have_three_digits_and_a_prefix(value: float, text: str) -> None:
    assert figures.rate(value, "ev/s") == text


@pytest.mark.parametrize(("us", "text"), [(0, "0:00.0"), (65_300_000, "1:05.3"), (3_725_000_000, "1:02:05.0"), (-5, "0:00.0")])
def test_times_are_minutes_and_seconds(us: int, text: str) -> None:
    assert figures.clock_time(us) == text


def test_labels_become_names() -> None:
    assert figures.gesture_name("right_arm_counter_clockwise") == "Right arm counter-clockwise"


@pytest.mark.parametrize("value", [1.0, 100.0, 101.0, 999.0, 54_321.0, 1e6, 7.7e7])
def test_the_top_of_the_rate_axis_is_a_round_figure_not_far_above(value: float) -> None:
    top = figures.nice_top(value)
    assert value <= top <= max(value * 2.5, 100.0)
    assert round(top / 10 ** math.floor(math.log10(top)), 6) in (1, 2, 5)


@pytest.mark.parametrize("span", [1.0, 10.0, 100.0, 200.0, 50_000.0, 1e6, 61.3])
def test_an_axis_has_between_two_and_five_steps_of_round_figures(span: float) -> None:
    step = figures.tick_step(span)
    assert 2 <= span / step <= 5
    assert round(step / 10 ** math.floor(math.log10(step)), 6) in (1, 2.5, 5)


def test_long_titles_keep_their_beginning_and_end() -> None:
    assert shortened("recording-of-a-wave.aedat4", 13) == "record…aedat4"
    assert shortened("short", 13) == "short"


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("ink", [theme.TEXT, theme.MUTED, theme.ACCENT, theme.GOOD, theme.WARNING, theme.BAD])
@pytest.mark.parametrize("ground", [theme.GROUND, theme.PANEL, theme.RAISED])
def test_text_keeps_the_contrast_of_wcag_aa_on_every_ground(ink: str, ground: str) -> None:
    assert contrast(ink, ground) >= 4.5


@pytest.mark.parametrize("colour", theme.CLASS_COLOURS)
def test_names_in_the_ribbon_can_be_read_on_their_class_colour(colour: str) -> None:
    assert contrast(theme.GROUND, colour) >= 4.5


def test_type_grows_with_the_window_up_to_a_limit() -> None:
    factors = [theme.scale_for(height * 16 // 9, height).factor for height in (640, 800, 1080, 1440, 2160, 4320)]
    assert factors == sorted(factors)
    assert factors[1] == 1.0
    assert 1.9 < factors[4] <= factors[5] <= 2.25
    assert theme.scale_for(*theme.SMALLEST, zoom=1.75).factor <= theme.SMALLEST_FACTOR
