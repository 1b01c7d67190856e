"""What the docstring of `pipeline.simulator.presets` says of the preset `far`, and the real recordings it is compared with."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.events import EVENT_DTYPE, Events, join_events
from pipeline.formats.opening import open_recording
from pipeline.frames import frames_of
from pipeline.simulator import GESTURES, PRESETS, Simulator
from pipeline.simulator.body import LEFT, PALM, RIGHT, Array
from pipeline.simulator.figure import Figure

SHOWN = [(100 * turn + n, gesture) for turn in range(4) for n, gesture in enumerate(GESTURES[:10])]
"""Seeds and named gestures: 40 people."""
SECONDS = 2
Numbers = npt.NDArray[np.float64]


class Still:
    """A person who stays as at time 0: what the sensor sends of one is noise."""

    def __init__(self, figure: Figure) -> None:
        self.radii, self.bias, self._figure = figure.radii, figure.bias, figure

    def joints(self, t: Array) -> Array:
        return self._figure.joints(np.zeros_like(t))


def per_frame(events: Events) -> Numbers:
    """Events in each 25 ms that pass the default filters."""
    return np.asarray(frames_of(events.astype(EVENT_DTYPE), 128, 128).counts.sum(axis=(1, 2, 3)), np.float64)


@pytest.fixture(scope="module")
def gestures() -> tuple[Numbers, Numbers]:
    """Of 40 gestures, each by another person, and of the same persons standing still: (40, 2) events/s, (40, 2) median events a frame."""
    rates, frames = [], []
    for seed, gesture in SHOWN:
        moving, still = Simulator(gesture, seed, "far"), Simulator(gesture, seed, "far")
        still._actor = Still(still.truth.figure)
        both = [simulator.advance(SECONDS * 1_000_000) for simulator in (moving, still)]
        rates.append([len(events) / SECONDS for events in both])
        frames.append([np.median(per_frame(events)) for events in both])
    return np.array(rates), np.array(frames)


def test_nine_of_ten_hands_of_the_preset_far_are_3_to_14_pixels_wide() -> None:
    widths, scales = [], []
    for seed, gesture in SHOWN:
        truth = Simulator(gesture, seed, "far").truth
        palm = PALM[RIGHT if truth.active[RIGHT] else LEFT]
        _, magnification, _ = truth.camera.project(truth.figure.joints(np.linspace(truth.figure.shown, 3.0, 16)))
        widths.append(2.0 * truth.figure.radii[palm, 1] * np.median(magnification[:, palm, 1]))
        scales.append(truth.scale)
    assert np.mean((np.array(widths) >= 3.0) & (np.array(widths) <= 14.0)) > 0.9
    assert np.quantile(widths, 0.1) < 5.0 and np.quantile(widths, 0.9) > 10.0, "from end to end"
    low, high = PRESETS["far"].scene.scale
    assert max(scales) <= high and np.mean(np.array(scales) >= low) > 0.9, "pixels a metre; a few cameras step back"


def test_noise_of_the_preset_far_reaches_from_less_than_half_to_more_than_twice_a_real_one(gestures: tuple[Numbers, Numbers]) -> None:
    noise = gestures[0][:, 1] / 128**2
    assert 0.02 < noise.min() < 0.5 * 0.13 and 2.0 * 0.16 < noise.max() < 1.0, "events/s a pixel"
    assert 0.13 < np.median(noise) < 0.3


def test_noise_is_from_a_twentieth_to_nearly_all_of_a_gesture_of_the_preset_far(gestures: tuple[Numbers, Numbers]) -> None:
    share = gestures[0][:, 1] / gestures[0][:, 0]
    assert share.min() < 0.05 and share.max() > 0.9
    assert 0.15 < np.median(share) < 0.6


def test_a_frame_of_a_gesture_of_the_preset_far_has_some_tens_of_events_and_now_and_then_only_noise(
    gestures: tuple[Numbers, Numbers],
) -> None:
    moving, still = gestures[1].T
    assert 30 < np.median(moving) < 200
    assert np.mean(moving < 30) > 0.1, "as few as in a real far wave"
    assert 0 < np.sum(moving - still < 1.0) < 5, "of 40"


def test_real_far_waves_have_the_rates_that_the_preset_far_and_the_poor_take_are_compared_with(wave_far: list[Path]) -> None:
    for path in wave_far:
        with open_recording(path) as recording:
            events = join_events(list(recording.packets()))
        seconds = 1e-6 * float(events["timestamp"][-1] - events["timestamp"][0])
        tiles = np.bincount(events["y"].astype(int) // 16 * 8 + events["x"] // 16, minlength=64) / seconds / 256
        assert 3_300 < len(events) / seconds < 5_000
        assert 0.125 < np.median(tiles) < 0.165, "events/s a pixel, of which noise has no more: half of the view sees no hand"
        assert 12.5 < per_frame(events).mean() < 24.6
