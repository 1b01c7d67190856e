"""What teaching did, in figures and in sentences: before and after, for the old gestures and the new.

Everything counts windows of 25 ms by their leading class, since that is what a decision is made of. Old gestures are read on simulated
clips that the fit did not see. A taught gesture is read on every one of its recordings by a head that was fitted without it (leave one
out); "before" is what the weights alone made of the same windows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.decision import OTHER
from models.teaching.fit import Doubles, Integers

FEW = 3
"""Fewer examples than this say so."""
ALIKE = 0.2
"""Share of held-out windows read as one known gesture from which the new one is called too much like it."""
WAS = 0.5
"""The same before teaching: somebody who makes the known gesture may now be taken for making the new one."""
FOUND = 0.6
"""Share of held-out windows that should be found."""
TAKES = 0.03
"""Share of an old gesture's windows whose loss is told."""

SENTENCES = {
    "few": "{name} has only {count} examples: the figures are rough, five or more are better.",
    "one": "{name} has a single example: nothing could be held out, so it is not known how well it will be found; teach at least three.",
    "recording": "The examples of {name} come from one recording, so its figure is optimistic: teach from several.",
    "alike": "{name} reads as {label} in {tenths} of 10 windows held out: choose another movement or teach more examples.",
    "was": "Before teaching, {name} read as {label} in {tenths} of 10 windows: whoever makes that gesture may now be read as {name}.",
    "missed": "{name} is found in only {tenths} of 10 windows held out: teach more examples, made as differently as they will be.",
    "takes": "{percent} % of the windows of {label} are lost to what was taught: choose another movement, or show it with --not.",
}
"""What a remark says. `tenths` and `percent` come from its share."""


@dataclass(frozen=True, slots=True)
class Taught:
    """A taught gesture among the examples."""

    name: str
    examples: list[int]
    """Numbers of its examples."""
    recordings: int
    """From so many recordings."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that the figures follow from. Logits are [windows, classes], old classes first."""

    labels: tuple[str, ...]
    temperature: float
    threshold: float
    truth: Integers
    """[m]: class of every window of the known movements."""
    known: Doubles
    """[m, C + K]: their logits with the head."""
    taught: Sequence[Taught]
    before: dict[int, Doubles]
    """[n, C] of every example."""
    held_out: dict[int, Doubles]
    """[n, C + K] of the examples that could be held out."""


def measure(evidence: Evidence) -> dict[str, Any]:
    """The figures, as JSON values.

    ``labels`` [C + K]; ``before`` and ``after``: confusion as windows [truth][reading]; ``known`` {windows, before, after}: share of old
    windows that are read right; ``taught`` {name: {examples, recordings, windows, found, accepted}} (shares of held-out windows; null if
    none could be held out); ``remarks``: [{kind, name, ...}], see `sentence`.
    """
    labels = (*evidence.labels, *(one.name for one in evidence.taught))
    old, size = len(evidence.labels), len(labels)
    before, after = np.zeros((2, size, size), np.int64)
    was, now = evidence.known[:, :old].argmax(1), evidence.known.argmax(1)
    np.add.at(before, (evidence.truth, was), 1)
    np.add.at(after, (evidence.truth, now), 1)
    taught: dict[str, Any] = {}
    for row, one in enumerate(evidence.taught, old):
        for index in one.examples:
            np.add.at(before[row], evidence.before[index].argmax(1), 1)
            if index in evidence.held_out:
                np.add.at(after[row], evidence.held_out[index].argmax(1), 1)
        taught[one.name] = {"examples": len(one.examples), "recordings": one.recordings} | _found(evidence, one, row, after[row])
    windows = max(len(evidence.truth), 1)
    known = {"windows": len(evidence.truth), "before": _share((was == evidence.truth).sum(), windows)}
    known["after"] = _share((now == evidence.truth).sum(), windows)
    remarks = [remark for row, one in enumerate(evidence.taught, old) for remark in _remarks(one, row, labels, before, after)]
    remarks += _losses(evidence.labels, before, after, old)
    return {
        "labels": list(labels),
        "before": before.tolist(),
        "after": after.tolist(),
        "known": known,
        "taught": taught,
        "remarks": remarks,
    }


def sentence(remark: dict[str, Any]) -> str:
    """A remark of the figures for people."""
    share = float(remark.get("share", 0.0))
    return SENTENCES[remark["kind"]].format(**remark, tenths=round(10 * share), percent=round(100 * share))


def _share(part: float, whole: float) -> float:
    return round(float(part) / float(whole), 4)


def _found(evidence: Evidence, one: Taught, row: int, read: Integers) -> dict[str, Any]:
    """Of the held-out windows of a gesture: how many, the share that is read as it, and the share that would pass the threshold too."""
    windows = int(read.sum())
    if not windows:
        return {"windows": 0, "found": None, "accepted": None}
    logits = np.concatenate([evidence.held_out[index] for index in one.examples if index in evidence.held_out]) / evidence.temperature
    powers = np.exp(logits - logits.max(1, keepdims=True))
    confident = (powers[:, row] / powers.sum(1) >= evidence.threshold) & (logits.argmax(1) == row)
    return {"windows": windows, "found": _share(read[row], windows), "accepted": _share(confident.sum(), windows)}


def _remarks(one: Taught, row: int, labels: Sequence[str], before: Integers, after: Integers) -> list[dict[str, Any]]:
    """What is to be said of a taught gesture."""
    remarks: list[dict[str, Any]] = []
    count = len(one.examples)
    if count == 1:
        remarks.append({"kind": "one", "name": one.name})
    elif count < FEW:
        remarks.append({"kind": "few", "name": one.name, "count": count})
    if count > 1 and one.recordings == 1:
        remarks.append({"kind": "recording", "name": one.name})
    alike, share = _rival(after[row], labels, row)
    if share >= ALIKE:
        remarks.append({"kind": "alike", "name": one.name, "label": alike, "share": share})
    elif after[row].any() and after[row, row] / after[row].sum() < FOUND:
        remarks.append({"kind": "missed", "name": one.name, "share": _share(after[row, row], after[row].sum())})
    was, share = _rival(before[row], labels, row)
    if share >= WAS:
        remarks.append({"kind": "was", "name": one.name, "label": was, "share": share})
    return remarks


def _rival(read: Integers, labels: Sequence[str], row: int) -> tuple[str, float]:
    """The named class besides `row` that most windows are read as, and their share."""
    votes = Counter({label: int(count) for label, count in zip(labels, read, strict=True) if label not in (OTHER, labels[row])})
    label, count = votes.most_common(1)[0] if votes else ("", 0)
    return label, _share(count, max(int(read.sum()), 1))


def _losses(labels: Sequence[str], before: Integers, after: Integers, old: int) -> list[dict[str, Any]]:
    """Named old gestures that lose windows to taught ones, which they were read right before."""
    found = []
    for row, label in enumerate(labels):
        lost = _share(before[row, row] - after[row, row], max(int(before[row].sum()), 1))
        if label != OTHER and lost >= TAKES:
            found.append({"kind": "takes", "label": label, "share": lost})
    return found


def readable(figures: dict[str, Any], name: str) -> str:
    """The figures for people, after a lesson of `name`."""
    own, known = figures["taught"][name], figures["known"]
    lines = []
    if own["found"] is not None:
        lines.append(
            f"  {name}: {own['found']:.0%} of {own['windows']} held-out windows are read as it "
            f"({own['accepted']:.0%} with enough confidence); {_counted(own)}"
        )
    row = figures["labels"].index(name)
    lines.append(f"  before: {_spelled(figures['before'][row], figures['labels'])}")
    if own["found"] is not None:
        lines.append(f"  after:  {_spelled(figures['after'][row], figures['labels'])}")
    lines.append(
        f"  old gestures (simulated): {known['before']:.1%} of {known['windows']} windows right before, {known['after']:.1%} after"
    )
    return "\n".join(lines + [f"  {sentence(remark)}" for remark in figures["remarks"]])


def _counted(own: dict[str, Any]) -> str:
    """How many examples from how many recordings."""
    return f"{own['examples']} example{'s' * (own['examples'] != 1)} from {own['recordings']} recording{'s' * (own['recordings'] != 1)}"


def listed(figures: dict[str, Any]) -> list[str]:
    """A line for every taught gesture: its examples, and how well it is found."""
    lines = []
    for name, own in figures["taught"].items():
        found = "not measured" if own["found"] is None else f"{own['found']:.0%} of held-out windows found"
        lines.append(f"  {name}: {_counted(own)}, {found}")
    return lines


def _spelled(read: Sequence[int], labels: Sequence[str]) -> str:
    """What windows were read as, most frequent first, rare readings left out."""
    total = max(sum(read), 1)
    order = sorted(((count, label) for count, label in zip(read, labels, strict=True) if count >= 0.02 * total), key=lambda pair: -pair[0])
    return ", ".join(f"{count / total:.0%} {label}" for count, label in order)
