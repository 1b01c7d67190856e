"""Gestures are what their names say, by the generator's own ground truth."""

import numpy as np
import pytest

from pipeline.simulator import GESTURES, IDLE, PRESETS, Simulator, Truth
from pipeline.simulator.body import CAPSULES, FOREARM, LEFT, NECK, OUT, PALM, RIGHT, UPPER_ARM

SEEDS = range(6)
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
        hands = Simulator("air_drums", seed).truth.hands(np.zeros(1))[0]
        assert hands[RIGHT, 0] < hands[LEFT, 0]


def test_hands_rest_then_come_up_and_the_onset_is_when_they_are_half_way() -> None:
    begins_at_rest = []
    for seed in range(40):
        truth = Simulator("hand_clapping", seed).truth
        figure = truth.figure
        begins_at_rest.append(truth.onset_us > 0)
        if truth.onset_us == 0:
            continue
        joints = figure.joints(np.array([0.0, figure.onset, figure.recognisable, figure.shown]))
        start, leaves, onset, up = joints[:, [FOREARM[RIGHT], FOREARM[LEFT]], 1]
        assert truth.onset_us == int(figure.recognisable * 1e6)
        assert figure.shown - figure.recognisable < 0.25, "s: the gesture is at its full size soon after the onset"
        assert np.abs(leaves - start).max() < 0.04, "only sway before"
        climbed = (leaves - onset)[:, 1] / (leaves - up)[:, 1]
        assert np.all((climbed > 0.3) & (climbed < 0.7))
    assert 0.25 < np.mean(begins_at_rest) < 0.75


def in_motion(gesture: str, seed: int, preset: str, hertz: float = 200.0) -> tuple[Truth, np.ndarray, np.ndarray]:
    """Truth, moments (s) and joints (n, CAPSULES, 2, 3) while the gesture is at its full size."""
    truth = Simulator(gesture, seed, preset).truth
    times = np.arange(truth.figure.shown, truth.figure.shown + 4.0, 1.0 / hertz)
    return truth, times, truth.figure.joints(times)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Of two courses in time."""
    return float(np.corrcoef(a, b)[0, 1])


CYCLES = {
    "hand_clapping": lambda joints: joints[:, PALM[LEFT], 1, 0] - joints[:, PALM[RIGHT], 1, 0],
    "right_hand_wave": lambda joints: joints[:, FOREARM[RIGHT], 1, 0] - joints[:, FOREARM[RIGHT], 0, 0],
    "left_arm_clockwise": lambda joints: joints[:, FOREARM[LEFT], 1, 1],
    "arm_roll": lambda joints: joints[:, FOREARM[RIGHT], 1, 1] - joints[:, FOREARM[LEFT], 1, 1],
    "air_drums": lambda joints: joints[:, FOREARM[RIGHT], 1, 1],
}
"""Something that goes to and fro once in a cycle."""


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("gesture", CYCLES)
def test_the_movement_has_the_rhythm_and_the_phase_of_the_ground_truth(gesture: str, preset: str) -> None:
    for seed in SEEDS:
        truth, times, joints = in_motion(gesture, seed, preset)
        course = CYCLES[gesture](joints)
        phase = truth.phase(1e6 * times)
        harmonics = [abs(np.mean((course - course.mean()) * np.exp(-1j * k * phase))) for k in (0.37, 0.5, 0.73, 1.0, 1.41)]
        assert np.argmax(harmonics) == 3, "it goes with the phase, and not with half or another rate"


@pytest.mark.parametrize("preset", PRESETS)
def test_clapping_hands_go_together_and_meet_in_the_middle(preset: str) -> None:
    for seed in SEEDS:
        _, _, joints = in_motion("hand_clapping", seed, preset)
        right, left = joints[:, PALM[RIGHT], 1], joints[:, PALM[LEFT], 1]
        neck = joints[:, NECK, 0, 0]
        assert correlation(right[:, 0], left[:, 0]) < -0.5, "in phase: one goes right while the other goes left"
        closest = np.argmin(left[:, 0] - right[:, 0])
        assert left[closest, 0] - right[closest, 0] < 0.12
        assert abs(0.5 * (left + right)[closest, 0] - neck[closest]) < 0.06


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("side", [RIGHT, LEFT])
def test_a_waving_hand_is_above_its_elbow(side: int, preset: str) -> None:
    for seed in SEEDS:
        _, _, joints = in_motion(("right_hand_wave", "left_hand_wave")[side], seed, preset)
        assert np.mean(joints[:, PALM[side], 1, 1] < joints[:, FOREARM[side], 0, 1]) > 0.97


@pytest.mark.parametrize("preset", PRESETS)
def test_rolling_forearms_lie_across_the_chest_past_the_midline_and_circle_half_a_turn_apart(preset: str) -> None:
    for seed in SEEDS:
        _, _, joints = in_motion("arm_roll", seed, preset)
        right, left = joints[:, PALM[RIGHT], 1], joints[:, PALM[LEFT], 1]
        neck = joints[:, NECK, 0, 0]
        assert np.all(right[:, 0] > neck)
        assert np.all(left[:, 0] < neck)
        for axis in (1, 2):
            assert correlation(right[:, axis], left[:, axis]) < -0.8
        assert 0.4 < np.ptp(right[:, 2]) / np.ptp(right[:, 1]) < 1.8, "round, seen from the side"
        forearm = joints[:, FOREARM[RIGHT], 1] - joints[:, FOREARM[RIGHT], 0]
        assert np.median(np.abs(forearm[:, 1]) / np.abs(forearm[:, 0])) < 0.7, "about level"


@pytest.mark.parametrize("preset", PRESETS)
def test_drumming_hands_stay_apart_strike_in_turn_and_fall_faster_than_they_rise(preset: str) -> None:
    for seed in SEEDS:
        truth, times, joints = in_motion("air_drums", seed, preset)
        right, left = joints[:, PALM[RIGHT], 1], joints[:, PALM[LEFT], 1]
        assert np.min(left[:, 0] - right[:, 0]) > 0.08
        fall = np.gradient(joints[:, FOREARM[RIGHT], 1, 1], times)
        assert fall.max() > 1.3 * -fall.min(), "y points down"
        heights = [joints[:, FOREARM[side], 1, 1] for side in (RIGHT, LEFT)]
        assert correlation(*heights) < 0.3
        assert truth.frequency_hz > 0.9


@pytest.mark.parametrize("preset", PRESETS)
def test_the_strumming_hand_is_low_and_quick_and_the_other_out_and_high(preset: str) -> None:
    for seed in SEEDS:
        _, _, joints = in_motion("air_guitar", seed, preset)
        heights = [joints[:, FOREARM[side], 1, 1] for side in (RIGHT, LEFT)]
        strumming = int(np.argmax([height.mean() for height in heights]))
        assert heights[strumming].mean() - heights[1 - strumming].mean() > 0.1
        speeds = [np.abs(np.diff(height)).mean() for height in heights]
        assert speeds[strumming] > speeds[1 - strumming]
        out = [abs((joints[:, FOREARM[side], 1, 0] - joints[:, NECK, 0, 0]).mean()) for side in (RIGHT, LEFT)]
        assert out[1 - strumming] > out[strumming]


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
            hands = truth.hands(1e6 * np.linspace(truth.figure.shown, 3.0, 60))[:, list(truth.active)]
            shares.append(np.mean(np.all((hands >= 0) & (hands < 128), axis=2)))
    assert np.mean(np.array(shares) >= PRESETS[preset].scene.visible - 0.1) > 0.9


@pytest.mark.parametrize("preset", PRESETS)
def test_a_lone_hand_is_on_its_own_side_of_the_person_and_not_far_across_the_view(preset: str) -> None:
    kept = []
    for gesture, side in (("right_hand_wave", RIGHT), ("left_hand_wave", LEFT), ("left_arm_clockwise", LEFT)):
        for seed in SEEDS:
            truth = Simulator(gesture, seed, preset).truth
            column = truth.hands(1e6 * np.linspace(truth.figure.shown, 3.0, 48))[:, side, 0].mean()
            kept.append(OUT[side] * (column - truth.camera.centre[0]) > -2.0 and OUT[side] * (column - 64.0) > -14.0)
    assert np.mean(kept) > 0.95
