"""Promises of the gates between scores and a decision."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.decision import OTHER, Decider, confidences

LABELS = ("wave", "clap", "roll", "drums", OTHER)
Logits = npt.NDArray[np.float32]


def logits(**shares: float) -> Logits:
    """Scores that become these confidences at temperature 1; what is left is shared evenly by the other classes."""
    rest = (1 - sum(shares.values())) / (len(LABELS) - len(shares))
    return np.log(np.array([shares.get(label, rest) for label in LABELS], np.float32))


WAVE = logits(wave=0.95)
CLAP = logits(clap=0.95)
OTHERS = logits(other_gestures=0.96)


@given(hnp.arrays(np.float32, 5, elements=st.floats(-1e6, 1e6, width=32)), st.floats(0.1, 10))
def test_confidences_are_a_distribution_whatever_the_scores(scores: Logits, temperature: float) -> None:
    scores = confidences(scores, temperature)
    assert scores.sum() == pytest.approx(1)
    assert scores.min() >= 0


def test_a_higher_temperature_makes_less_confident_but_not_another_choice() -> None:
    cold, warm = confidences(WAVE, 1.0), confidences(WAVE, 4.0)
    assert cold.argmax() == warm.argmax() == 0
    assert cold.max() > warm.max()


def test_a_class_that_leads_long_enough_is_accepted() -> None:
    decider = Decider(LABELS)
    decisions = [decider.decide(WAVE, 100) for _ in range(Decider.SETTLE)]
    assert [d.reason for d in decisions] == ["settling"] * (Decider.SETTLE - 1) + [""]
    assert decisions[-1].accepted
    assert decisions[-1].label == "wave"


def test_a_label_that_changes_every_window_is_never_accepted() -> None:
    decider = Decider(LABELS)
    assert not any(decider.decide(scores, 100).accepted for _ in range(20) for scores in (WAVE, CLAP))


def test_a_still_scene_is_rejected_for_too_few_events_whatever_the_scores() -> None:
    decider = Decider(LABELS, min_events=8)
    decisions = [decider.decide(WAVE, 3) for _ in range(10)]
    assert {d.reason for d in decisions} == {"too few events"}


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        (logits(wave=0.3, clap=0.19), "below the threshold"),
        (logits(wave=0.45, clap=0.2), "below the threshold"),
        (logits(wave=0.2), "below the threshold"),  # all alike: no two that stand out
        (logits(wave=0.40, clap=0.38), "classes too close"),
        (logits(wave=0.52, clap=0.45), "classes too close"),
        (OTHERS, "not a known gesture"),
        (logits(other_gestures=0.23), "not a known gesture"),
        (logits(wave=0.56, clap=0.40), ""),
        (logits(wave=0.51), ""),
    ],
)
def test_whatever_leads_without_being_accepted_gets_the_reason_that_fits(scores: Logits, reason: str) -> None:
    decider = Decider(LABELS, threshold=0.5, margin=0.1)
    decision = [decider.decide(scores, 100) for _ in range(Decider.SETTLE)][-1]
    assert decision.reason == reason
    assert decision.accepted is not bool(reason)


def test_a_decision_says_by_how_much_it_leads() -> None:
    assert Decider(LABELS).decide(logits(wave=0.6, clap=0.3), 100).margin == pytest.approx(0.3, abs=1e-6)


def accepted(decider: Decider) -> Decider:
    """`decider` with an accepted wave."""
    assert [decider.decide(WAVE, 100) for _ in range(Decider.SETTLE)][-1].accepted
    return decider


def test_an_accepted_label_is_kept_while_others_lead_for_a_moment() -> None:
    decider = accepted(Decider(LABELS))
    for scores in (logits(clap=0.55, wave=0.4), logits(other_gestures=0.5, wave=0.4), logits(drums=0.5, wave=0.45)) * 3:
        held = decider.decide(scores, 100)
        assert (held.label, held.accepted, held.reason) == ("wave", True, "")


def test_another_class_takes_over_once_it_has_led_as_long_as_a_new_one_must() -> None:
    decider = accepted(Decider(LABELS))
    clap = logits(clap=0.58, wave=0.41)
    decisions = [decider.decide(clap, 100) for _ in range(Decider.SETTLE)]
    assert [d.label for d in decisions] == ["wave"] * (Decider.SETTLE - 1) + ["clap"]
    assert all(d.accepted for d in decisions)
    assert decisions[0].margin < 0 < decisions[-1].margin


def test_what_is_no_gesture_ends_an_accepted_one_as_soon_as_another_gesture_would() -> None:
    decider = accepted(Decider(LABELS))
    other = logits(other_gestures=0.56, wave=0.41)
    reasons = [decider.decide(other, 100).reason for _ in range(Decider.SETTLE)]
    assert reasons == [""] * (Decider.SETTLE - 1) + ["not a known gesture"]


def test_an_accepted_label_outlives_a_dip_below_the_threshold_but_not_below_the_lower_bound() -> None:
    decider = accepted(Decider(LABELS, threshold=0.5))
    assert all(decider.decide(logits(wave=share), 100).accepted for share in (0.49, 0.4, 0.36, 0.49))
    fallen = decider.decide(logits(wave=0.34), 100)
    assert (fallen.accepted, fallen.reason) == (False, "below the threshold")
    assert not decider.decide(logits(wave=0.49), 100).accepted  # what it lost it must earn again
    assert decider.decide(logits(wave=0.51), 100).accepted


def test_an_accepted_label_outlives_a_moment_with_fewer_events_but_not_a_still_scene() -> None:
    decider = accepted(Decider(LABELS, min_events=8))
    assert all(decider.decide(WAVE, 6).accepted for _ in range(50))
    assert [decider.decide(WAVE, 0) for _ in range(Decider.RECENT)][-1].reason == "too few events"
    assert [decider.decide(WAVE, 6) for _ in range(50)][-1].reason == "too few events"


@given(st.lists(st.sampled_from([WAVE, CLAP, OTHERS, logits(wave=0.45, clap=0.4), logits(wave=0.2)]), max_size=60))
def test_the_accepted_label_never_changes_faster_than_a_new_one_settles(sequence: list[Logits]) -> None:
    decider = Decider(LABELS)
    last, since = "", Decider.SETTLE
    for scores in sequence:
        decision = decider.decide(scores, 100)
        since += 1
        if decision.accepted and decision.label != last:
            assert since >= Decider.SETTLE
            last, since = decision.label, 0


def test_a_reset_forgets_who_led_and_who_was_held() -> None:
    decider = accepted(Decider(LABELS))
    decider.reset()
    assert decider.decide(WAVE, 100).reason == "settling"
