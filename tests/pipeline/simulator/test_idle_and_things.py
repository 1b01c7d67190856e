"""People who make no gesture, and scenes without people."""

import numpy as np
import pytest

from pipeline.simulator import GESTURES, IDLE, PRESETS, THINGS, Simulator
from pipeline.simulator.body import LEFT, RIGHT, draw_body
from pipeline.simulator.draw import Draw, Stream
from pipeline.simulator.gestures import draw_tempo
from pipeline.simulator.idlers import _FAMILY as IDLERS
from pipeline.simulator.presets import WIDE
from pipeline.simulator.things import _FAMILY as SCENES
from pipeline.simulator.things import GRAVITY, _camera, _nothing, _pendulum

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
def test_things_have_no_person_and_no_onset(preset: str) -> None:
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
        assert len(things.flat) == len(things.bias) == len(things.parts)


def test_a_pendulum_swings_as_fast_as_its_length_and_gravity_allow() -> None:
    for seed in range(5):
        things = _pendulum(Draw(seed, Stream.MOTION), 0.8)
        string = things.joints(np.linspace(0.0, 20.0, 20_001))[:, 1]
        length = np.linalg.norm(string[0, 1] - string[0, 0])
        middle = np.sign(string[:, 1, 0] - string[:, 0, 0])
        half_periods = np.diff(np.flatnonzero(np.diff(middle))) * 1e-3
        assert np.median(half_periods) == pytest.approx(np.pi * np.sqrt(length / GRAVITY), rel=0.01)


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
    moving = next(seed for seed in seeds if built[seed] is _camera)
    shaken = Simulator(THINGS, moving, "dvs128")
    before = shaken.picture()
    events = shaken.advance(400_000)
    assert np.mean(shaken.picture() != before) > 0.9
    assert len(np.unique(events["x"] // 16)) == len(np.unique(events["y"] // 16)) == 8
