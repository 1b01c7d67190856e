"""Every figure of an evaluation against what follows from its definition by hand."""

from collections import Counter

import numpy as np
import pytest

from app.evaluation import measures
from app.evaluation.answers import Answer
from app.evaluation.material import NONE
from models.decision import OTHER

LABELS = ("wave", "clap", OTHER)
SURE = {"wave": [0.92, 0.05, 0.03], "clap": [0.1, 0.8, 0.1], OTHER: [0.2, 0.1, 0.7]}


def answer(truth: str, shown: list[str], leading: list[str] | None = None, onset: int | None = None) -> Answer:
    """A piece whose windows showed `shown` ("" = nothing), with `leading` classes (default: the truth)."""
    default = truth if truth in LABELS else OTHER
    scores = np.array([SURE[name] for name in (leading or [default] * len(shown))], np.float32)
    return Answer("it", truth, onset, scores, shown, accepted=Counter(label for label in shown if label))


def test_a_piece_is_taken_for_what_was_accepted_most_and_for_at_least_a_tenth_of_its_time() -> None:
    assert answer("wave", ["wave"] * 3 + ["clap"] * 2 + [""] * 5).taken == "wave"
    assert answer("wave", ["wave"] + [""] * 9).taken == "wave"
    assert answer("wave", ["wave"] + [""] * 10).taken == ""


@pytest.mark.parametrize(
    ("truth", "shown", "right"),
    [("wave", "wave", True), ("wave", "clap", False), ("wave", "", False), (OTHER, "", True), (OTHER, "wave", False), (NONE, "", True)],
)
def test_a_gesture_is_right_by_its_label_and_anything_else_by_silence(truth: str, shown: str, right: bool) -> None:
    assert measures.is_right(answer(truth, [shown] * 4)) is right
    assert measures.recall([answer(truth, [shown] * 4)]) == {truth: float(right)}
    assert measures.confusion([answer(truth, [shown] * 4)]) == {truth: {shown or measures.NOTHING: 1}}


def test_the_mean_confidence_decides_for_other_gestures_too() -> None:
    for truth in ("wave", OTHER, NONE):
        assert measures.is_right_on_average(answer(truth, [""] * 4), LABELS)
        assert not measures.is_right_on_average(answer(truth, [""] * 4, ["clap"] * 4), LABELS)


def test_time_counts_from_the_onset_to_the_end_of_the_first_right_window() -> None:
    early = answer("wave", ["wave"] * 4 + [""] * 4, onset=2)  # accepted before the onset and still
    late = answer("wave", ["", "clap", "clap", "wave", "wave"] + [""] * 40, ["clap"] * 45, onset=1)
    never = answer("clap", [""] * 45)
    said = measures.time_to_decision([early, late, never, answer(NONE, [""] * 3)], LABELS)
    assert (said["pieces"], said["onset_known"], said["never"]) == (3, 2, 1)
    assert (said["median_ms"], said["within_500_ms"], said["leading_at_500_ms"]) == (50.0, round(2 / 3, 4), round(2 / 3, 4))
    assert (said["by_ms"]["0"], said["by_ms"]["100"]) == (0.0, round(2 / 3, 4))
    assert measures.time_to_decision([answer(OTHER, [""])], LABELS) == {}


def test_flicker_is_counted_by_the_minute() -> None:
    shown = ["wave", "", "wave", "clap", "", ""] + [""] * 2394  # 2400 windows = 1 minute
    assert measures.flicker([answer("wave", shown)]) == {"labels_per_min": 1.0, "changes_per_min": 4.0}
    assert measures.flicker([answer("wave", [])])["changes_per_min"] == 0


def test_the_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    half = answer("wave", [""] * 4, ["wave", "wave", "clap", "clap"])
    bins, error = measures.reliability([half], LABELS)
    assert bins == [{"share": 0.5, "confidence": 0.8, "accuracy": 0.0}, {"share": 0.5, "confidence": 0.92, "accuracy": 1.0}]
    assert error == pytest.approx(0.5 * 0.8 + 0.5 * 0.08)


def test_the_rejection_curve_gives_up_windows_for_being_right() -> None:
    given = [answer("wave", [""] * 4, ["wave", "wave", "clap", OTHER]), answer(NONE, [""] * 2, ["clap", OTHER])]
    curve = {point["threshold"]: point for point in measures.rejection(given, LABELS)}
    assert curve[0.0] == {"threshold": 0.0, "accepted": 0.75, "right": round(2 / 3, 4), "false_accepted": 0.5}
    assert curve[0.85] == {"threshold": 0.85, "accepted": 0.5, "right": 1.0, "false_accepted": 0.0}
    assert curve[0.95]["accepted"] == 0


def test_windows_before_a_gesture_has_settled_do_not_count_for_confidence() -> None:
    slow = answer("wave", [""] * 60, ["clap"] * 42 + ["wave"] * 18, onset=10)
    _, error = measures.reliability([slow], LABELS)
    assert error == pytest.approx(0.08, abs=1e-4)
