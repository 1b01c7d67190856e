"""Promises of the gates between scores and a decision."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from models.decision import OTHER, Decider, confidences

LABELS = ("wave", "clap", OTHER)
WAVE = np.array([9, 0, 0], np.float32)
CLAP = np.array([0, 9, 0], np.float32)
FLAT = np.array([0.1, 0, 0], np.float32)


@given(hnp.arrays(np.float32, 5, elements=st.floats(-1e6, 1e6, width=32)), st.floats(0.1, 10))
def test_confidences_are_a_distribution_whatever_the_scores(logits: np.ndarray, temperature: float) -> None:
    scores = confidences(logits, temperature)
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


def test_flat_scores_are_rejected_below_the_threshold() -> None:
    decider = Decider(LABELS, threshold=0.5)
    assert [decider.decide(FLAT, 100).reason for _ in range(5)][-1] == "below the threshold"


def test_the_class_for_everything_else_is_not_a_known_gesture() -> None:
    decider = Decider(LABELS)
    decision = [decider.decide(np.array([0, 0, 9], np.float32), 100) for _ in range(6)][-1]
    assert not decision.accepted
    assert decision.reason == "not a known gesture"


def test_a_reset_forgets_who_led() -> None:
    decider = Decider(LABELS)
    for _ in range(10):
        decider.decide(WAVE, 100)
    decider.reset()
    assert decider.decide(WAVE, 100).reason == "settling"
