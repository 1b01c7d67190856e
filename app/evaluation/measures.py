"""Figures that follow from answers, without a network at hand. Confidences and shares are from 0 to 1, times in milliseconds.

What is counted from when: a gesture that has just begun cannot have been recognised yet, so figures about confidences start `SETTLED`
windows after the onset (the calibration does as well), and recordings whose onset is not known count from their first window.
"""

import itertools
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from app.evaluation.answers import Answer
from app.evaluation.material import NONE
from models.decision import OTHER
from pipeline.frames import WINDOW_US

SETTLED = 32
"""Windows (800 ms) from the onset on that do not count for confidences."""
SOON_MS = 500
"""Within this time of its onset a gesture should be recognised."""
BINS = 10
"""Of the reliability diagram."""
NOTHING = "(nothing)"
"""In a confusion matrix: nothing was accepted."""
_MS = WINDOW_US / 1000
_SLOWEST_MS, _STEP_MS = 3000, 100

Floats = npt.NDArray[np.float64]


def is_gesture(truth: str) -> bool:
    """Whether `truth` may be accepted at all."""
    return truth not in (NONE, OTHER)


def is_right(answer: Answer) -> bool:
    """Whether a piece was taken for what it is: a gesture for itself, anything else for nothing."""
    return answer.taken == (answer.truth if is_gesture(answer.truth) else "")


def is_right_on_average(answer: Answer, labels: tuple[str, ...]) -> bool:
    """The same by the class with the highest mean confidence."""
    return len(answer.scores) > 0 and labels[int(_counted(answer).mean(0).argmax())] == _class(answer.truth)


def confusion(answers: list[Answer]) -> dict[str, dict[str, int]]:
    """Pieces by truth and what they were taken for."""
    table: dict[str, Counter[str]] = {}
    for answer in answers:
        table.setdefault(answer.truth, Counter())[answer.taken or NOTHING] += 1
    return {truth: dict(taken) for truth, taken in table.items()}


def recall(answers: list[Answer]) -> dict[str, float]:
    """Share of pieces of every truth that were taken for what they are."""
    rights: dict[str, list[bool]] = {}
    for answer in answers:
        rights.setdefault(answer.truth, []).append(is_right(answer))
    return {truth: round(float(np.mean(right)), 4) for truth, right in rights.items()}


def rejection(answers: list[Answer], labels: tuple[str, ...]) -> list[dict[str, float]]:
    """The rejection curve: for thresholds from 0 to 0.95, of the windows that show a gesture the share whose best class is a gesture
    with at least that confidence, how many of these are right, and the share of the windows without a gesture that pass as well."""
    best, confidence, right, gesture = _windows(answers, labels)
    named = best != (labels.index(OTHER) if OTHER in labels else -1)
    curve = []
    for threshold in np.arange(20) / 20:
        passed = named & (confidence >= threshold)
        wanted = passed & gesture
        point = {"threshold": round(float(threshold), 2)}
        point["accepted"] = _share(wanted, gesture)
        point["right"] = _share(right & wanted, wanted)
        point["false_accepted"] = _share(passed & ~gesture, ~gesture)
        curve.append(point)
    return curve


def reliability(answers: list[Answer], labels: tuple[str, ...]) -> tuple[list[dict[str, float]], float]:
    """(bins, expected calibration error): confidence of the best class against how often it is right, in `BINS` equal steps of confidence
    (Guo et al. 2017, arXiv 1706.04599, section 2, equation 3)."""
    _, confidence, right, _ = _windows(answers, labels)
    which = np.minimum((confidence * BINS).astype(int), BINS - 1)
    bins = []
    error = 0.0
    for index in range(BINS):
        inside = which == index
        if inside.any():
            share, sure, true = float(inside.mean()), float(confidence[inside].mean()), float(right[inside].mean())
            bins.append({"share": round(share, 4), "confidence": round(sure, 4), "accuracy": round(true, 4)})
            error += share * abs(true - sure)
    return bins, round(error, 4)


def time_to_decision(answers: list[Answer], labels: tuple[str, ...]) -> dict[str, Any]:
    """How long after the onset a gesture was first accepted for what it is, over the pieces that show one; an empty dictionary if none
    does. Where the onset is not known the piece's start counts as it."""
    shown = [answer for answer in answers if is_gesture(answer.truth) and answer.shown]
    if not shown:
        return {}
    times = np.array([_first_right_ms(answer) for answer in shown])
    answered = np.sort(times[np.isfinite(times)])
    steps = np.arange(0, _SLOWEST_MS + 1, _STEP_MS)
    soon = [_leads_soon(answer, labels) for answer in shown]
    return {
        "pieces": len(shown),
        "onset_known": sum(answer.onset is not None for answer in shown),
        "within_500_ms": round(float((times <= SOON_MS).mean()), 4),
        "leading_at_500_ms": round(float(np.mean(soon)), 4),
        "never": int(np.isinf(times).sum()),
        "median_ms": float(np.median(answered)) if len(answered) else None,
        "p90_ms": float(np.percentile(answered, 90)) if len(answered) else None,
        "by_ms": {str(step): round(float((times <= step).mean()), 4) for step in steps.tolist()},
    }


def flicker(answers: list[Answer]) -> dict[str, float]:
    """Changes a minute of what a visitor sees: from one accepted label to another, whatever lies between, and of any kind."""
    minutes = sum(len(answer.shown) for answer in answers) * WINDOW_US / 60e6
    labels = [[label for label in answer.shown if label] for answer in answers]
    return {
        "labels_per_min": round(sum(map(_changes, labels)) / minutes, 2) if minutes else 0.0,
        "changes_per_min": round(sum(_changes(answer.shown) for answer in answers) / minutes, 2) if minutes else 0.0,
    }


def _changes(sequence: list[str]) -> int:
    return sum(before != after for before, after in itertools.pairwise(sequence))


def _first_right_ms(answer: Answer) -> float:
    """Time from the onset to the end of the first window, from the onset on, that was accepted and right; infinite if there is none."""
    onset = answer.onset or 0
    right = [index for index, label in enumerate(answer.shown) if index >= onset and label == answer.truth]
    return (right[0] + 1 - onset) * _MS if right else np.inf


def _leads_soon(answer: Answer, labels: tuple[str, ...]) -> bool:
    """Whether the right class leads `SOON_MS` after the onset, accepted or not."""
    index = min((answer.onset or 0) + int(SOON_MS / _MS) - 1, len(answer.scores) - 1)
    return labels[int(answer.scores[index].argmax())] == answer.truth


def _class(truth: str) -> str:
    """The class that the network should give for `truth`."""
    return OTHER if truth == NONE else truth


def _counted(answer: Answer) -> npt.NDArray[np.float32]:
    """The confidences of the windows that count; the last one at least."""
    start = 0 if answer.onset is None else min(answer.onset + SETTLED, len(answer.scores) - 1)
    return answer.scores[start:]


def _windows(
    answers: list[Answer], labels: tuple[str, ...]
) -> tuple[npt.NDArray[np.int64], Floats, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Of all windows that count: the best class, its confidence, whether it is right, whether they show a gesture."""
    parts = [(_counted(answer), answer.truth) for answer in answers if len(answer.scores)]
    scores = np.concatenate([part for part, _ in parts]).astype(np.float64) if parts else np.zeros((0, len(labels)))
    classes = [labels.index(_class(name)) if _class(name) in labels else -1 for _, name in parts]
    lengths = [len(part) for part, _ in parts]
    truth = np.repeat(np.array(classes, np.int64), lengths)
    gesture = np.repeat(np.array([is_gesture(name) for _, name in parts], np.bool_), lengths)
    best = scores.argmax(1)
    return best, scores.max(1, initial=0.0), best == truth, gesture


def _share(part: npt.NDArray[np.bool_], whole: npt.NDArray[np.bool_]) -> float:
    """`part` of `whole`, 0 where there is nothing."""
    return round(float(part.sum() / whole.sum()), 4) if whole.any() else 0.0
