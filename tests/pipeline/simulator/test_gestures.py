"""Gestures are what their names say, by the generator's own ground truth."""

import numpy as np
import pytest

from pipeline.simulator import GESTURES, IDLE, PRESETS, Simulator
from pipeline.simulator.body import CAPSULES, FOREARM, LEFT, RIGHT, UPPER_ARM

SEEDS = range(12)
CIRCLES = [name for name in GESTURES if "clockwise" in name]
NAMED_HANDS = {name: (not name.startswith("left"), not name.startswith("right")) for name in GESTURES[:10]}


def travel(path: np.ndarray) -> float:
    """Length of a path (n, 2) in pixels."""
    return float(np.sum(np.hypot(*np.diff(path, axis=0).T)))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("gesture", NAMED_HANDS)
def test_a_gesture_moves_the_hands_it_names(gesture: str, preset: str) -> None:
    times = np.arange(0.5e6, 2.5e6, 10e3)
    for seed in SEEDS:
        truth = Simulator(gesture, seed, preset).truth
        assert truth.active == NAMED_HANDS[gesture]
        hands = truth.hands(times)
        lengths = [travel(hands[:, side]) for side in (RIGHT, LEFT)]
        for side in (RIGHT, LEFT):
            if truth.active[side]:
                assert lengths[side] > 2.0
            else:
                assert lengths[side] < 0.6 * max(lengths)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("gesture", CIRCLES)
def test_arms_circle_in_the_sense_named_as_the_camera_sees_it(gesture: str, preset: str) -> None:
    side = RIGHT if gesture.startswith("right") else LEFT
    clockwise = not gesture.endswith("counter_clockwise")
    for seed in SEEDS:
        truth = Simulator(gesture, seed, preset).truth
        start = truth.onset_us + 0.7e6
        hand = truth.hands(np.linspace(start, start + 3e6, 600))[:, side]
        x, y = (hand - hand.mean(axis=0)).T
        turned = np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])
        assert (turned > 0) == clockwise, "y points down, so a positive area is clockwise on the screen"
        assert truth.sense == (1 if clockwise else -1)


@pytest.mark.parametrize("gesture", [*CIRCLES, "right_hand_wave", "left_hand_wave"])
def test_events_come_from_the_arm_that_moves(gesture: str) -> None:
    for seed in range(4):
        simulator = Simulator(gesture, seed, "dvs128")
        events = simulator.advance(2_000_000)
        neck = simulator.truth.camera.centre[0]
        share_left_of_neck = np.mean(events["x"] < neck)
        assert share_left_of_neck > 0.5 if gesture.startswith("right") else share_left_of_neck < 0.5


def test_the_right_hand_is_at_image_left() -> None:
    for seed in SEEDS:
        hands = Simulator(IDLE, seed).truth.hands(np.zeros(1))[0]
        assert hands[RIGHT, 0] < hands[LEFT, 0]


def test_hands_rest_until_the_onset_and_half_of_the_training_clips_begin_in_the_middle() -> None:
    onsets = []
    for seed in range(40):
        truth = Simulator("hand_clapping", seed).truth
        onsets.append(truth.onset_us > 0)
        if truth.onset_us > 20_000:
            before, after = truth.hands(np.array([0.0, truth.onset_us])), truth.hands(np.array([truth.onset_us + 6e5]))
            assert np.abs(before[1] - before[0]).max() < 0.06 * truth.scale, "only sway"
            assert np.abs(after[0] - before[1]).max() > 0.1 * truth.scale
    assert 0.25 < np.mean(onsets) < 0.75


def test_phase_advances_at_the_stated_rate() -> None:
    truth = Simulator("arm_roll", 4, "wide").truth
    cycles = (truth.phase(np.array([40e6])) - truth.phase(np.array([0.0])))[0] / (2 * np.pi)
    assert cycles / 40.0 == pytest.approx(truth.frequency_hz, rel=0.05)
    assert np.all(np.diff(truth.phase(np.arange(0, 5e6, 1e3))) > 0)


@pytest.mark.parametrize("gesture", [*GESTURES, IDLE])
def test_bones_keep_their_length(gesture: str) -> None:
    for seed in SEEDS:
        figure = Simulator(gesture, seed).truth.figure
        ends = figure.joints(np.linspace(0.0, 3.0, 200))
        assert ends.shape == (200, CAPSULES, 2, 3)
        assert np.all(np.isfinite(ends))
        for bones, length in ((UPPER_ARM, figure.body.upper_arm), (FOREARM, figure.body.forearm)):
            for bone in bones:
                assert np.linalg.norm(ends[:, bone, 1] - ends[:, bone, 0], axis=1) == pytest.approx(length, abs=1e-9)


@pytest.mark.parametrize("preset", PRESETS)
def test_performing_hands_are_in_view_most_of_the_time(preset: str) -> None:
    shares = []
    for gesture in GESTURES:
        for seed in SEEDS:
            truth = Simulator(gesture, seed, preset).truth
            hands = truth.hands(np.linspace(truth.onset_us + 7e5, 3e6, 60))[:, list(truth.active)]
            shares.append(np.mean(np.all((hands >= 0) & (hands < 128), axis=2)))
    assert np.mean(np.array(shares) >= PRESETS[preset].scene.visible - 0.1) > 0.9
