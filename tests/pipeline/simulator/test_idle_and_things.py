"""People who make no gesture, and scenes without people."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.simulator import GESTURES, IDLE, PRESETS, THINGS, Simulator
from pipeline.simulator.body import LEFT, PALM, RIGHT, draw_body
from pipeline.simulator.cameras import _FAMILY as MOTIONS
from pipeline.simulator.cameras import _knock, draw_motion
from pipeline.simulator.draw import Draw, Stream
from pipeline.simulator.gestures import draw_tempo
from pipeline.simulator.idlers import _FAMILY as IDLERS
from pipeline.simulator.parts import Things
from pipeline.simulator.passing import passers, reaching
from pipeline.simulator.presets import WIDE
from pipeline.simulator.render import BACKGROUND, LAMP, MOVE_PX, image_of
from pipeline.simulator.scene import draw_blinking
from pipeline.simulator.still import objects, room
from pipeline.simulator.things import _FAMILY as SCENES
from pipeline.simulator.things import GRAVITY, _nothing, _pendulum

TIMES = np.linspace(0.0, 3.0, 151)


def test_an_idle_person_performs_nothing() -> None:
    for seed in range(12):
        truth = Simulator(IDLE, seed).truth
        assert truth.active == (False, False)
        assert truth.sense == 0


def test_idle_people_do_different_things() -> None:
    travelled = []
    for seed in range(40):
        joints = Simulator(IDLE, seed).truth.figure.joints(TIMES)
        travelled.append(np.linalg.norm(np.diff(joints[:, 2, 0], axis=0), axis=1).sum())
    assert np.mean(np.array(travelled) < 0.15) > 0.3, "some stand"
    assert np.mean(np.array(travelled) > 0.8) > 0.1, "some walk"


@pytest.mark.parametrize("build", set(IDLERS))
def test_every_way_of_idling_keeps_the_body_whole_and_its_speed_human(build: object) -> None:
    for seed in range(6):
        draw = Draw(seed, Stream.MOTION)
        body = draw_body(Draw(seed, Stream.PERSON), WIDE.body)
        tempo = draw_tempo(draw, (0.5, 1.0), WIDE.motion)
        arms, carry = build(draw, body, WIDE.motion, tempo)  # type: ignore[operator]
        for side in (RIGHT, LEFT):
            wrist = arms[side](TIMES, tempo.phase(TIMES)).wrist
            assert wrist.shape == (151, 3)
            assert np.linalg.norm(np.diff(wrist, axis=0), axis=1).max() / 0.02 < 3.0, "m/s"
        if carry is not None:
            trunk = carry(TIMES, tempo.phase(TIMES)).trunk
            assert np.linalg.norm(np.diff(trunk, axis=0), axis=1).max() / 0.02 < 3.0, "m/s"


@pytest.mark.parametrize("preset", PRESETS)
def test_things_have_no_performer_and_no_onset(preset: str) -> None:
    truth = Simulator(THINGS, 3, preset).truth
    assert (truth.active, truth.sense, truth.onset_us, truth.frequency_hz) == ((False, False), 0, 0, 0.0)
    with pytest.raises(ValueError, match="no person"):
        _ = truth.figure


@pytest.mark.parametrize("build", set(SCENES))
@pytest.mark.parametrize("half", [0.25, 1.1])
def test_every_scene_is_finite_at_any_moment(build: object, half: float) -> None:
    for seed in range(8):
        things = build(Draw(seed, Stream.MOTION), half)  # type: ignore[operator]
        ends = things.joints(np.array([0.0, 1.0, 5e3]))
        assert ends.shape == (3, len(things.parts), 2, 3)
        assert np.all(np.isfinite(ends))
        assert things.radii.shape == (len(things.parts), 2)
        assert np.all(things.radii > 0)
        assert len(things.flat) == len(things.bias) == len(things.parts) <= 60, "a tile has a bit for every part"


def test_a_pendulum_swings_as_fast_as_its_length_and_gravity_allow() -> None:
    for seed in range(5):
        things = _pendulum(Draw(seed, Stream.MOTION), 0.8)
        string = things.joints(np.linspace(0.0, 20.0, 20_001))[:, 1]
        length = np.median(np.linalg.norm(string[:, 1] - string[:, 0], axis=1))
        middle = np.sign(string[:, 1, 0] - string[:, 0, 0])
        half_periods = np.diff(np.flatnonzero(np.diff(middle))) * 1e-3
        assert np.median(half_periods) == pytest.approx(np.pi * np.sqrt(length / GRAVITY), rel=0.05)


def test_nothing_is_nothing_and_a_moving_camera_moves_everything() -> None:
    seeds = range(400)
    families = {seed: type(Simulator(THINGS, seed).truth.actor).__name__ for seed in range(2)}
    assert set(families.values()) == {"Things"}
    draws = [(seed, Draw(seed, Stream.MOTION, len(GESTURES) + 1)) for seed in seeds]
    built = {seed: draw.choice(SCENES) for seed, draw in draws}
    empty = next(seed for seed in seeds if built[seed] is _nothing)
    still = Simulator(THINGS, empty, "dvs128")
    before = still.picture()
    still.advance(400_000)
    assert np.array_equal(still.picture(), before)
    moving = next(seed for seed in seeds if built[seed] is room)
    shaken = Simulator(THINGS, moving, "dvs128")
    before = shaken.picture()
    events = shaken.advance(400_000)
    assert np.mean(shaken.picture() != before) > 0.9
    assert len(np.unique(events["x"] // 16)) == len(np.unique(events["y"] // 16)) == 8


@pytest.mark.parametrize("turned", set(MOTIONS))
def test_a_camera_moves_a_view_of_128_pixels_by_at_most_about_a_pixel_a_step_and_never_stands_still_for_long(turned: object) -> None:
    t = np.arange(0.0, 60.0, 0.002)  # what repeats repeats
    fastest = 0.3 / 0.002  # degrees a second that are a pixel a step where a pixel is 0.3 degrees
    most = 1.6 if turned is _knock else 1.1  # knocks overlap
    for seed in range(40):
        angle = turned(Draw(seed, Stream.CAMERA), fastest)(t)  # type: ignore[operator]
        steps = np.linalg.norm(np.diff(angle, axis=0), axis=1)
        assert angle.shape == (30_000, 2)
        assert steps.max() < most * 0.3
        assert steps[:3000].sum() > 0.1, "degrees in six seconds"


def test_a_finer_sensor_sees_the_same_movement_of_the_camera_as_more_pixels() -> None:
    seed = next(seed for seed in range(400) if Draw(seed, Stream.MOTION, len(GESTURES) + 1).choice(SCENES) is room)
    shifts = []
    for width, height in ((128, 128), (346, 260)):
        truth = Simulator(THINGS, seed, "wide", width, height).truth
        assert isinstance(truth.actor, Things) and truth.actor.pan is not None
        shifts.append(truth.camera.scale * truth.actor.pan(TIMES))
    np.testing.assert_allclose(shifts[1], 260 / 128 * shifts[0])


def test_cameras_tremble_at_the_rates_of_hands_steps_motors_and_tables() -> None:
    t = np.arange(0.0, 8.0, 0.002)
    rates = []
    for seed in range(150):
        pan = draw_motion(Draw(seed, Stream.CAMERA), 1.0)(t)
        speed = np.diff(pan - pan.mean(axis=0), axis=0) * np.hanning(len(t) - 1)[:, None]
        power = (np.abs(np.fft.rfft(speed, axis=0)) ** 2).sum(axis=1)
        rates.append(np.argmax(power) / 8.0)
    counts, _ = np.histogram(rates, (0.0, 1.0, 4.0, 12.5, 51.0))
    assert counts.sum() == 150
    assert counts.min() >= 8, "slow pans, steps, tremor, vibration"


def test_before_a_camera_that_moves_still_things_and_their_wall_move_together() -> None:
    left, times = [], np.arange(0.0, 1.0, 0.002)
    for seed in [n for n in range(60) if Draw(n, Stream.MOTION, len(GESTURES) + 1).choice(SCENES) is objects]:
        simulator = Simulator(THINGS, seed, "dvs128")
        start, actor = simulator.picture(), simulator.truth.actor
        assert isinstance(actor, Things) and actor.pan is not None
        shift = simulator.truth.camera.scale * actor.pan(times)
        far = int(np.argmax(np.linalg.norm(shift - shift[0], axis=1)))
        simulator.advance(int(times[far] * 1e6))
        by = np.rint(shift[far] - shift[0]).astype(int)
        if 2 <= np.abs(by).max() < 20:  # what part of a pixel is left over counts little
            seen, back = simulator.picture(), np.roll(start, -by, axis=(1, 0))
            unmoved, moved = (np.abs(np.log(seen / other))[20:-20, 20:-20].mean() for other in (start, back))
            left.append(moved / unmoved)
    assert len(left) >= 4
    assert np.median(left) < 0.5


def test_some_idle_people_are_seen_by_a_camera_that_moves_and_none_of_the_narrow_preset() -> None:
    def everywhere(seed: int, preset: str) -> bool:
        simulator = Simulator(IDLE, seed, preset)
        before = simulator.picture()
        simulator.advance(200_000)
        return bool(np.mean(simulator.picture() != before) > 0.95)

    assert 2 <= sum(everywhere(seed, "wide") for seed in range(24)) <= 14
    assert not any(everywhere(seed, "dvs128") for seed in range(8))


def handheld(preset: str = "wide", most: int = 60) -> list[int]:
    """The seeds below `most` of idle people before a camera that moves."""
    return [seed for seed in range(most) if Simulator(IDLE, seed, preset).truth.pan is not None]


def test_a_camera_that_moves_sees_the_person_and_wall_of_the_same_seed_that_one_at_rest_sees() -> None:
    for seed in handheld()[:6]:
        moving, resting = Simulator(IDLE, seed)._canvas, Simulator("hand_clapping", seed)._canvas
        assert moving.panorama.shape == (256, 256) and resting.panorama.size == 0
        assert np.array_equal(moving.surfaces, resting.surfaces)
        assert np.array_equal(moving.panorama[:128, :128], image_of(resting, BACKGROUND))


def test_lamps_move_with_the_room_that_a_moving_camera_sees() -> None:
    moved = []
    for seed in range(120):
        simulator = Simulator(THINGS, seed)
        pan, camera, lamps = simulator.truth.pan, simulator.truth.camera, simulator._lights.lamps
        if pan is None or not lamps.any():
            continue
        before = image_of(simulator._canvas, LAMP)
        simulator.advance(200_000)
        (shift,) = camera.shifts(pan, np.array([0.2])).astype(np.float32)
        (left, up), (x, y) = np.floor(shift).astype(int), shift - np.floor(shift)
        room = np.roll(np.pad(lamps, ((0, 128), (0, 128))), (-up, -left), (0, 1))
        beside = (1 - x) * room + x * np.roll(room, -1, 1)
        expected = (1 - y) * beside + y * np.roll(beside, -1, 0)
        seen = image_of(simulator._canvas, LAMP)
        np.testing.assert_allclose(seen, expected[:128, :128], atol=1e-5)
        moved.append(float(np.abs(seen - before).max()))
    assert len(moved) >= 4 and max(moved) > 0.05, "log units"


def test_the_truth_about_hands_is_where_a_camera_that_moves_sees_them() -> None:
    turned: list[float] = []
    for seed in handheld()[:6]:
        simulator = Simulator(IDLE, seed)
        still = replace(simulator.truth, pan=None)
        for _ in range(4):
            simulator.advance(100_000)
            now = np.array([simulator.time_us])
            painted = simulator._canvas.pose[list(PALM), 3:5]
            assert np.abs(painted - simulator.truth.hands(now)[0]).max() < 2 * MOVE_PX
            turned.append(float(np.abs(painted - still.hands(now)[0]).max()))
    assert np.median(turned) > 4 * MOVE_PX and max(turned) > 1.0, "pixels by which the truth would be wrong"


@pytest.mark.parametrize("build", [reaching, passers])
def test_arms_and_people_who_pass_move_at_human_speed(build: object) -> None:
    for seed in range(30):
        ends = build(Draw(seed, Stream.MOTION), 0.6).joints(TIMES)[..., :2]  # type: ignore[operator]
        assert np.linalg.norm(np.diff(ends, axis=0), axis=-1).max() / 0.02 < 8.0, "m/s at the scene's distance"


def test_a_light_that_blinks_is_off_and_on_in_turn() -> None:
    for seed in range(8):
        lights = draw_blinking(Draw(seed, Stream.LIGHT), 128, 128)
        waves = lights.waves(np.arange(0, 8_000_000, 1_000))
        assert lights.mains > 0.0 or lights.lamps.max() > 0.0
        assert waves.min() == pytest.approx(-1.0, abs=0.02) and waves.max() == pytest.approx(1.0, abs=0.02)
        assert 0.25 <= np.sum(np.diff(np.sign(waves)) > 0) / 8.0 <= 25.2, "Hz"
