"""The pixel model and the painter, on scenes whose answer is known."""

import numpy as np
import pytest

from pipeline.events import EVENT_DTYPE, Events
from pipeline.simulator import Simulator
from pipeline.simulator.draw import Draw, Stream
from pipeline.simulator.noise import Noise
from pipeline.simulator.presets import WIDE, SensorRanges
from pipeline.simulator.render import LEVEL, LIGHT, TARGET, TILE_PIXELS, Canvas, image_of, new_canvas
from pipeline.simulator.scene import TEXTURE_ACROSS, TEXTURE_ALONG
from pipeline.simulator.sensor import STEP_US, Pixels, draw_pixels, light_tables, run_steps, settle

DARK, BRIGHT = 0.2, 0.6
AWAY, OVER = (-900.0, 8.0, 40.0, -900.0, 8.0, 40.0), (8.0, 8.0, 40.0, 8.1, 8.0, 40.0)
ORDER = np.zeros((1, 1), np.int64)


def ideal(threshold: float = 0.2, refractory: float = 1e-5, leak: float = 0.0, time_constant: float = 1e-6) -> tuple[Canvas, Pixels]:
    """A 16x16 sensor without mismatch or noise that looks at a dark wall; capsule 0 is bright."""
    surfaces = np.full((1, TEXTURE_ALONG, TEXTURE_ACROSS), BRIGHT, np.float32)
    canvas = new_canvas(np.full((16, 16), DARK, np.float32), surfaces, light_tables(time_constant))
    exactly = (threshold, threshold)
    ranges = SensorRanges(exactly, (0, 0), (0, 0), (1e-3, 1e-3), (refractory, refractory), (leak, leak), (0, 0), (0, 0), (0, 0))
    pixels = draw_pixels(Draw(1, Stream.SENSOR), ranges, canvas)
    settle(canvas, np.array([AWAY], np.float32), ORDER[0])
    canvas.planes[:, LEVEL] = canvas.planes[:, TARGET]
    return canvas, pixels


def run(canvas: Canvas, pixels: Pixels, poses: list[tuple[float, ...]], start_us: int = 0) -> Events:
    n = len(poses)
    none = np.empty(0)
    return run_steps(
        canvas,
        pixels,
        np.array(poses, np.float32)[:, None, :],
        np.repeat(ORDER, n, axis=0),
        start_us,
        none,
        none.astype(np.int64),
        none.astype(np.float32),
        np.zeros(4, EVENT_DTYPE),
    )


def test_a_step_of_light_makes_as_many_events_as_thresholds_fit_into_it() -> None:
    expected = int(np.log((BRIGHT + 0.02) / (DARK + 0.02)) / 0.2)
    canvas, pixels = ideal(refractory=1e-9)
    up = run(canvas, pixels, [OVER, OVER])
    assert np.all(up["polarity"] == 1)
    assert len(up) == expected * 16 * 16
    down = run(canvas, pixels, [AWAY, AWAY], start_us=2 * STEP_US)
    assert np.all(down["polarity"] == 0)
    assert len(down) == expected * 16 * 16


def test_stamps_are_interpolated_inside_the_step() -> None:
    canvas, pixels = ideal(refractory=1e-9)
    events = run(canvas, pixels, [OVER])
    step = np.log((BRIGHT + 0.02) / (DARK + 0.02))
    expected = [int(STEP_US * 0.2 * k / step) for k in range(1, 6)]
    assert np.abs(np.unique(events["timestamp"]) - expected).max() <= 1


def test_a_slow_photoreceptor_delays_and_spreads_the_same_events() -> None:
    fast, slow = run(*ideal(refractory=1e-9), [OVER] * 60), run(*ideal(refractory=1e-9, time_constant=20e-3), [OVER] * 60)
    assert len(slow) == len(fast)
    assert np.median(slow["timestamp"]) > np.median(fast["timestamp"]) + 5_000


def test_a_pixel_is_silent_in_its_refractory_time() -> None:
    events = run(*ideal(threshold=0.05, refractory=700e-6, time_constant=3e-3), [OVER] * 20 + [AWAY] * 20)
    places = events["y"].astype(int) * 16 + events["x"]
    gaps = [np.diff(events["timestamp"][places == place]).min() for place in np.unique(places)]
    assert min(gaps) >= 699


def test_leak_makes_on_events_at_its_rate_in_a_still_scene() -> None:
    canvas, pixels = ideal(leak=5.0)
    events = run(canvas, pixels, [AWAY] * 1000)
    assert np.all(events["polarity"] == 1)
    assert len(events) == pytest.approx(5.0 * 2.0 * 16 * 16, rel=0.12)
    places = events["y"].astype(int) * 16 + events["x"]
    assert np.diff(events["timestamp"][places == places[0]]) == pytest.approx(200_000, rel=0.02)


def test_what_was_painted_piece_by_piece_equals_the_whole_picture() -> None:
    simulator = Simulator("hand_clapping", 8)
    simulator.advance(600_000)
    canvas = simulator._canvas
    pieces = image_of(canvas, LIGHT)
    order = simulator._plan(np.array([600_000]))[1][0]
    fresh = canvas._replace(pose=np.full_like(canvas.pose, -1e4), mask=np.zeros_like(canvas.mask), planes=canvas.planes.copy())
    settle(fresh, canvas.pose.copy(), order)
    assert np.mean(np.abs(image_of(fresh, LIGHT) - pieces) > 1e-5) < 0.005, "but for tiles where only the depth order changed"


def test_noise_has_the_rate_and_the_hot_pixels_drawn() -> None:
    ranges = SensorRanges((0.2, 0.2), (0, 0), (0, 0), (1e-3, 1e-3), (1e-3, 1e-3), (0, 0), (0.2, 0.2), (0.4, 0.4), (20, 20))
    noise = Noise(Draw(3, Stream.SENSOR), Draw(3, Stream.NOISE), ranges, 128, 128)
    moments, places, marks = noise.block(1_000_000, 4_000_000)
    assert len(moments) == pytest.approx(0.2 * 128 * 128 * 4, rel=0.05)
    assert np.all(np.diff(moments) >= 0)
    assert moments.min() >= 1_000_000
    assert moments.max() < 5_000_000
    assert np.all((places >= 0) & (places < 256 * TILE_PIXELS))
    assert np.sort(np.bincount(places))[::-1][:20].sum() == pytest.approx(0.4 * len(moments), rel=0.1)
    assert np.mean(marks > 0) == pytest.approx(0.5, abs=0.03)


def test_the_limits_of_every_range_are_in_order() -> None:
    for part in (WIDE.body, WIDE.scene, WIDE.sensor, WIDE.motion):
        for name in part.__slots__:
            limits = getattr(part, name)
            if isinstance(limits, tuple):
                assert limits[0] <= limits[1], name
