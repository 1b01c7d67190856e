"""The pixel model and the painter, on scenes whose answer is known."""

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.events import EVENT_DTYPE, Events
from pipeline.simulator import Simulator
from pipeline.simulator.draw import Draw, Stream
from pipeline.simulator.noise import JOINED_US, Noise
from pipeline.simulator.presets import WIDE
from pipeline.simulator.ranges import SensorRanges
from pipeline.simulator.readout import REBOUND_US, STEP_US
from pipeline.simulator.render import LEVEL, LIGHT, PHOTO, TILE_PIXELS, Canvas, Float32, image_of, new_canvas
from pipeline.simulator.scene import TEXTURE_ACROSS, TEXTURE_ALONG, Lights
from pipeline.simulator.sensor import Pixels, View, draw_pixels, light_tables, run_steps, settle

DARK, BRIGHT = 0.2, 0.6
AWAY, OVER = (-900.0, 8.0, 40.0, -900.0, 8.0, 40.0), (8.0, 8.0, 40.0, 8.1, 8.0, 40.0)
ORDER = np.zeros((1, 1), np.int64)


def view(poses: list[tuple[float, ...]], waves: Float32 | None = None) -> View:
    """What a sensor sees of capsule 0 while the lamps' brightness follows `waves` (n,)."""
    n = len(poses)
    lamps = np.zeros(n, np.float32) if waves is None else waves
    return View(np.array(poses, np.float32)[:, None, :], np.repeat(ORDER, n, axis=0), np.zeros((n, 2), np.float32), lamps)


def ideal(
    threshold: float = 0.2,
    refractory: float = 1e-5,
    leak: float = 0.0,
    time_constant: float = 1e-6,
    echo: float = 0.0,
    rebound: float = 0.0,
    mains: float = 0.0,
    lamps: Float32 | None = None,
) -> tuple[Canvas, Pixels]:
    """A 16x16 sensor without mismatch or noise that looks at a dark wall; capsule 0 is bright."""
    surfaces = np.full((1, TEXTURE_ALONG, TEXTURE_ACROSS), BRIGHT, np.float32)
    canvas = new_canvas(np.full((16, 16), DARK, np.float32), surfaces, light_tables(time_constant), lamps)
    exactly = (threshold, threshold)
    none = (0.0, 0.0)
    read_out = 1.0 if rebound else 0.0, (rebound, rebound), (echo, echo)
    ranges = SensorRanges(exactly, none, none, (1e-3, 1e-3), (refractory, refractory), (leak, leak), none, none, none, none, *read_out)
    pixels = draw_pixels(Draw(1, Stream.SENSOR), ranges, canvas, mains)
    settle(canvas, pixels, view([AWAY]))
    canvas.planes[:, LEVEL] = canvas.planes[:, PHOTO]
    return canvas, pixels


def run(canvas: Canvas, pixels: Pixels, poses: list[tuple[float, ...]], start_us: int = 0, waves: Float32 | None = None) -> Events:
    none = np.empty(0)
    room = np.zeros(4, EVENT_DTYPE)
    return run_steps(canvas, pixels, view(poses, waves), start_us, none, none.astype(np.int64), none.astype(np.float32), room)


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
    seen = simulator._plan(np.array([600_000]))._replace(poses=canvas.pose[None].copy())
    fresh = canvas._replace(pose=np.full_like(canvas.pose, -1e4), mask=np.zeros_like(canvas.mask), planes=canvas.planes.copy())
    settle(fresh, simulator._pixels, seen)
    assert np.mean(np.abs(image_of(fresh, LIGHT) - pieces) > 1e-5) < 0.005, "but for tiles where only the depth order changed"


def test_noise_has_the_rate_and_the_hot_pixels_drawn() -> None:
    ranges = SensorRanges(
        (0.2, 0.2), (0, 0), (0, 0), (1e-3, 1e-3), (1e-3, 1e-3), (0, 0), (0.2, 0.2), (0.4, 0.4), (20, 20), (0, 0), 0.0, (0, 0), (0, 0)
    )
    noise = Noise(Draw(3, Stream.SENSOR), Draw(3, Stream.NOISE), ranges, 128, 128)
    moments, places, marks = noise.block(1_000_000, 4_000_000)
    assert len(moments) == pytest.approx(0.2 * 128 * 128 * 4, rel=0.05)
    assert np.all(np.diff(moments) >= 0)
    assert moments.min() >= 1_000_000
    assert moments.max() < 5_000_000
    assert np.all((places >= 0) & (places < 256 * TILE_PIXELS))
    assert np.sort(np.bincount(places))[::-1][:20].sum() == pytest.approx(0.4 * len(moments), rel=0.1)
    assert np.mean(marks > 0) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("on", [0.2, 0.85])
def test_the_share_of_noise_drawn_is_on_and_hot_pixels_and_the_light_that_thins_it_do_not_change_with_it(on: float) -> None:
    none, ms = (0.0, 0.0), (1e-3, 1e-3)
    ranges = SensorRanges((0.2, 0.2), none, none, ms, ms, none, (0.4, 0.4), (0.5, 0.5), (20, 20), none, 0.0, none, none, (on, on))
    noise = Noise(Draw(3, Stream.SENSOR), Draw(3, Stream.NOISE), ranges, 128, 128)
    _, places, marks = noise.block(0, 4_000_000)
    hot = np.bincount(places)[places] > 40
    assert np.mean(hot) == pytest.approx(0.5, abs=0.05)
    assert np.mean(marks[~hot] > 0) == pytest.approx(on, abs=0.02)
    assert np.mean(marks[hot] > 0) == pytest.approx(0.5, abs=0.03)
    for polarity in (marks[~hot] > 0, marks[~hot] < 0):
        np.testing.assert_allclose(np.quantile(np.abs(marks[~hot][polarity]), (0.25, 0.5, 0.75)), (0.25, 0.5, 0.75), atol=0.03)


def test_the_limits_of_every_range_are_in_order() -> None:
    for part in (WIDE.body, WIDE.scene, WIDE.sensor, WIDE.motion):
        for name in part.__slots__:
            limits = getattr(part, name)
            if isinstance(limits, tuple):
                assert limits[0] <= limits[1], name


def test_a_lamp_fires_up_and_down_in_every_period_of_its_light_and_only_where_it_is_seen() -> None:
    lamps = np.zeros((16, 16), np.float32)
    lamps[4:8, 4:8] = 0.3
    times = STEP_US * np.arange(1, 501)
    waves = Lights(100.0, 0.0, 0.0, 0.0, lamps).waves(times)
    events = run(*ideal(threshold=0.25, lamps=lamps), [AWAY] * 500, waves=waves)
    assert np.all((events["x"] >= 4) & (events["x"] < 8) & (events["y"] >= 4) & (events["y"] < 8))
    assert len(events) == pytest.approx(16 * 100 * 2, rel=0.1), "once up and once down in each of the 100 periods of a second"
    hidden = run(*ideal(threshold=0.25, lamps=lamps), [OVER] * 500, waves=waves)
    assert np.all(hidden["timestamp"] < 2 * STEP_US), "what covers the lamp is steady"


def test_flickering_light_is_seen_everywhere_and_follows_the_mains() -> None:
    waves = Lights(120.0, 1.0, 1.0, 0.2, np.zeros((16, 16), np.float32)).waves(STEP_US * np.arange(1, 501))
    events = run(*ideal(threshold=0.15, mains=0.2), [AWAY] * 500, waves=waves)
    assert len(np.unique(events["y"].astype(int) * 16 + events["x"])) == 256
    spectrum = np.abs(np.fft.rfft(np.bincount(events["timestamp"][events["polarity"] == 1] // 1000, minlength=1000)))
    assert np.argmax(spectrum[50:200]) + 50 == 120


@pytest.mark.parametrize("sharpness", [0.0, 0.5, 1.0])
def test_the_light_swings_about_its_mean(sharpness: float) -> None:
    waves = Lights(100.0, 0.3, sharpness, 0.1, np.zeros((1, 1), np.float32)).waves(np.arange(100_000))
    assert abs(waves.mean()) < 0.01
    assert np.abs(waves).max() <= 1.0


def test_the_share_of_off_events_drawn_comes_twice_a_microsecond_apart() -> None:
    canvas, pixels = ideal(echo=0.25, refractory=1e-9)
    up, down = run(canvas, pixels, [OVER, OVER]), run(canvas, pixels, [AWAY, AWAY], 2 * STEP_US)
    single = len(up)
    assert np.all(up["polarity"] == 1)
    assert len(down) == pytest.approx(1.25 * single, rel=0.05)
    places = down["y"].astype(int) * 16 + down["x"]
    order = np.lexsort((down["timestamp"], places))
    gaps = np.diff(down["timestamp"][order])[np.diff(places[order]) == 0]
    assert np.sum(gaps <= 1) == len(down) - single


def gaps_at_a_pixel(events: Events) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Times between successive events of a pixel, and whether they have the same polarity."""
    places = events["y"].astype(int) * 16 + events["x"]
    order = np.lexsort((events["timestamp"], places))
    same_pixel = np.diff(places[order]) == 0
    return np.diff(events["timestamp"][order])[same_pixel], (np.diff(events["polarity"][order]) == 0)[same_pixel]


def test_the_share_of_events_drawn_is_answered_by_the_other_polarity_within_3_ms_and_then_the_pixel_is_silent() -> None:
    canvas, pixels = ideal(rebound=0.75)
    poses = [OVER] * 10 + [AWAY] * 10
    events = run(canvas, pixels, poses * 3)
    gaps, same = gaps_at_a_pixel(events)
    near = gaps <= REBOUND_US[1]
    assert not np.any(same[near]) and gaps[near].min() >= REBOUND_US[0]
    assert near.sum() == pytest.approx(0.75 * (len(events) - near.sum()), rel=0.1)
    assert gaps[~near].min() >= 6000 - REBOUND_US[1]
    assert np.all(np.diff(events["timestamp"]) >= 0)


def test_rebounds_do_not_depend_on_how_time_is_cut() -> None:
    poses = [OVER] * 6 + [AWAY] * 6
    whole = run(*ideal(rebound=0.6), poses)
    canvas, pixels = ideal(rebound=0.6)
    parts = [run(canvas, pixels, poses[n : n + 1], n * STEP_US).copy() for n in range(12)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_the_share_of_noise_drawn_is_joined_by_a_neighbour_within_10_ms() -> None:
    none = (0.0, 0.0)
    ranges = SensorRanges((0.2, 0.2), none, none, (1e-3, 1e-3), (1e-3, 1e-3), none, (0.02, 0.02), none, none, (0.5, 0.5), 0.0, none, none)
    moments, places, _ = Noise(Draw(3, Stream.SENSOR), Draw(3, Stream.NOISE), ranges, 128, 128).block(0, 4_000_000)
    alone = 0.02 * 128 * 128 * 4
    assert len(moments) == pytest.approx(1.5 * alone, rel=0.1)
    tile, pixel = np.divmod(places, TILE_PIXELS)
    x, y = tile % 16 * 8 + pixel % 8, tile // 16 * 8 + pixel // 8
    after = np.arange(len(moments))[:, None] + np.arange(1, 40)
    after = np.minimum(after, len(moments) - 1)
    beside = np.abs(x[after] - x[:, None]) + np.abs(y[after] - y[:, None]) == 1
    joined = np.any(beside & (moments[after] - moments[:, None] < JOINED_US), axis=1)
    assert joined.sum() == pytest.approx(0.5 * alone, rel=0.15)


def test_a_rectangle_has_corners_and_a_capsule_has_none() -> None:
    surfaces = np.full((1, TEXTURE_ALONG, TEXTURE_ACROSS), BRIGHT, np.float32)
    pictures = []
    for flat in (0, 1):
        canvas = new_canvas(np.full((32, 32), DARK, np.float32), surfaces, light_tables(1e-3), flat=np.array([flat], np.uint8))
        pixels = draw_pixels(Draw(1, Stream.SENSOR), WIDE.sensor, canvas)
        settle(canvas, pixels, view([(10.0, 16.0, 6.0, 20.0, 16.0, 6.0)]))
        pictures.append(image_of(canvas, LIGHT) > 0.5 * (DARK + BRIGHT))
    capsule, rectangle = pictures
    assert rectangle[12, 11]
    assert not capsule[16, 3]
    assert capsule[16, 6]
    assert not rectangle[16, 6]
    assert 9 * 11 <= rectangle.sum() <= 11 * 13
