"""Gestures against the truth: on recordings of one label, on the DVS128 Gesture set, on the simulated test set, on what is no gesture.

A piece is taken for the label that was accepted in most of its accepted windows, and in at least a tenth of all. What shows no gesture
of ours (`other_gestures`, or `none`: idle people, things) should be taken for nothing. Windows are reported too, because the majority
hides them. Everything runs as it does live, one step of 25 ms after the other, through the same code.

Fields of the answer (shares from 0 to 1; "by truth" is a dictionary from gesture or `none` to the figure):

    data, label, mirror, preset        what was evaluated
    recordings, right, rejected        pieces, those taken for what they are, those taken for nothing
    accuracy, accuracy_mean_score      share right among the pieces that have a class: by accepted windows, by mean confidence
    labels, confusion, recall          classes; by truth: what pieces were taken for, and the share right
    windows, windows_accepted, windows_right, windows_rejected, windows_leading, windows_accepted_share
                                       counts; rejected by reason, leading by class, and the accepted share by truth
    decision_time                      pieces, onset_known, median_ms, p90_ms, within_500_ms, leading_at_500_ms, never, by_ms
    flicker                            labels_per_min, changes_per_min
    rejection                          per threshold: accepted, right (of the accepted), false_accepted (of what is no gesture)
    reliability, calibration_error     per bin of confidence: share, confidence, accuracy; expected calibration error
    temperature, threshold, margin     of the decision
    activity, activity_layers          share of units that fire in a step, of all and by layer
    operations_per_step, runtime       synaptic operations; the backend
    damaged, files                     recordings with a part missing; each piece: path, truth, label, windows, accepted, damage
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.engine.models import Models
from app.evaluation import material, measures
from app.evaluation.answers import Answer, answers
from app.evaluation.material import NONE, Piece
from app.progress import progress
from models.chip.runtime import Runtime
from models.decision import Decider
from pipeline.errors import USAGE, UserError

SIMULATED = "simulated"
"""Names the simulated test set instead of a path."""
CLIPS = 40
"""Of every kind in the simulated test set, unless another number is asked for."""


@dataclass(frozen=True)
class Wanted:
    """What to evaluate on."""

    data: Sequence[str]
    """Paths of recordings or of folders with them; the folder of the DVS128 Gesture set alone; or `SIMULATED` alone."""
    label: str | None = None
    """What recordings show: one of the network's labels, or `NONE`."""
    mirror: bool = False
    """Exchange left and right in recordings first."""
    clips: int = CLIPS
    preset: str | None = None


def evaluate(models: Models, wanted: Wanted, backend: str = "auto", threshold: float | None = None) -> dict[str, Any]:
    """The fields that `egret evaluate gesture --json` prints. UserError as the material."""
    decider = models.decider(threshold)
    number, kind, pieces = _pieces(wanted, decider.labels)
    runtime = models.runtime(backend)
    given = list(progress(answers(pieces, runtime, decider), "evaluating", total=number, unit=" recordings"))
    about = {"data": kind, "label": wanted.label, "mirror": wanted.mirror, "preset": wanted.preset}
    return about | figures(given, runtime, decider)


def _pieces(wanted: Wanted, labels: tuple[str, ...]) -> tuple[int | None, str, Iterable[Piece]]:
    """(how many, if that is known; which kind of data; the pieces)."""
    known = (*labels, NONE)
    paths = [Path(path) for path in wanted.data]
    simulated = SIMULATED in wanted.data
    if simulated or (len(paths) == 1 and material.is_data_set(paths[0])):
        if len(wanted.data) > 1 or wanted.label is not None or wanted.mirror:
            raise UserError(f"{wanted.data[0]} is a data set with labels of its own: leave out --label, --mirror and other data.", USAGE)
        if simulated:
            number, pieces = material.simulated(wanted.clips, wanted.preset)
            return number, SIMULATED, pieces
        return None, "dvs128", material.data_set(paths[0])
    if wanted.label is None:
        raise UserError(f"What {wanted.data[0]} shows is not known: name it with --label, one of {', '.join(known)}.", USAGE)
    if wanted.label not in known:
        raise UserError(f"There is no gesture {wanted.label!r}: choose one of {', '.join(known)}.", USAGE)
    found = material.recordings(paths, wanted.label, wanted.mirror)
    return len(found), "recordings", found


def figures(given: list[Answer], runtime: Runtime, decider: Decider) -> dict[str, Any]:
    """Every figure of the answers `given`, of which there is at least one."""
    labels = decider.labels
    named = [answer for answer in given if answer.truth != NONE] or given
    bins, error = measures.reliability(given, labels)
    said: dict[str, Any] = {
        "recordings": len(given),
        "right": sum(map(measures.is_right, given)),
        "rejected": sum(not answer.taken for answer in given),
        "accuracy": round(float(np.mean([measures.is_right(answer) for answer in named])), 4),
        "accuracy_mean_score": round(float(np.mean([measures.is_right_on_average(answer, labels) for answer in named])), 4),
        "labels": list(labels),
        "confusion": measures.confusion(given),
        "recall": measures.recall(given),
        "decision_time": measures.time_to_decision(given, labels),
        "flicker": measures.flicker(given),
        "rejection": measures.rejection(given, labels),
        "reliability": bins,
        "calibration_error": error,
        "temperature": decider.temperature,
        "threshold": decider.threshold,
        "margin": decider.margin,
    }
    return said | _of_windows(given, labels) | _of_network(given, runtime) | _of_files(given)


def _of_windows(given: list[Answer], labels: tuple[str, ...]) -> dict[str, Any]:
    accepted = {truth: [answer for answer in given if answer.truth == truth] for truth in dict.fromkeys(answer.truth for answer in given)}
    leading = Counter(labels[index] for answer in given for index in answer.scores.argmax(1).tolist())
    return {
        "windows": sum(len(answer.shown) for answer in given),
        "windows_accepted": sum(answer.accepted.total() for answer in given),
        "windows_right": sum(answer.accepted[answer.truth] for answer in given),
        "windows_rejected": dict(sum((answer.reasons for answer in given), Counter())),
        "windows_leading": dict(leading),
        "windows_accepted_share": {
            truth: round(sum(a.accepted.total() for a in of) / sum(len(a.shown) for a in of), 4) for truth, of in accepted.items()
        },
    }


def _of_network(given: list[Answer], runtime: Runtime) -> dict[str, Any]:
    lengths = [len(answer.shown) for answer in given]
    layers = np.average([answer.activity for answer in given], axis=0, weights=lengths)
    return {
        "activity": round(float(np.average(layers, weights=runtime.gesture.metadata["config"]["hidden"])), 4),
        "activity_layers": [round(float(share), 4) for share in layers],
        "operations_per_step": round(float(np.average([answer.operations for answer in given], weights=lengths))),
        "runtime": runtime.backend,
    }


def _of_files(given: list[Answer]) -> dict[str, Any]:
    files = [
        {
            "path": answer.name,
            "truth": answer.truth,
            "label": answer.taken,
            "windows": len(answer.shown),
            "accepted": dict(answer.accepted),
            "damage": answer.damage,
        }
        for answer in given
    ]
    return {"damaged": sum(bool(answer.damage) for answer in given), "files": files}


def readable(said: dict[str, Any], most_files: int = 30) -> str:
    """The evaluation as text for people; single recordings only where there are not more than `most_files`."""
    lines = [
        f"{said['right']} of {said['recordings']} recordings taken for what they are ({said['rejected']} for nothing)"
        + (", left and right exchanged" if said["mirror"] else "")
        + f"; accuracy {said['accuracy']:.1%}, by mean confidence {said['accuracy_mean_score']:.1%}.",
        *_confusion_lines(said),
        f"  windows: {said['windows']}, accepted {said['windows_accepted']}, of these right {said['windows_right']}",
        "  not accepted: " + _counts(said["windows_rejected"]),
        "  leading class: " + _counts(said["windows_leading"]),
    ]
    if NONE in said["windows_accepted_share"]:
        lines.append(f"  accepted although there is no gesture: {said['windows_accepted_share'][NONE]:.1%} of the windows")
    if time := said["decision_time"]:
        start = "onset" if time["onset_known"] else "start of the recording"
        median = "never" if time["median_ms"] is None else f"{time['median_ms']:.0f} ms (median), {time['p90_ms']:.0f} ms (p90)"
        lines.append(
            f"  accepted and right after the {start}: {median}, within 500 ms {time['within_500_ms']:.1%}"
            f" (leading at 500 ms {time['leading_at_500_ms']:.1%}), never {time['never']} of {time['pieces']}"
        )
    flicker = said["flicker"]
    lines += [
        f"  changes a minute: {flicker['labels_per_min']:g} from one label to another, {flicker['changes_per_min']:g} of any kind",
        f"  expected calibration error {said['calibration_error']:.3f} at temperature {said['temperature']:g};"
        f" threshold {said['threshold']:g}, margin {said['margin']:g}",
        f"  units that fired a step: {said['activity']:.1%} ({', '.join(f'{share:.1%}' for share in said['activity_layers'])} by layer),"
        f" {said['operations_per_step']:,} operations a step, on the runtime {said['runtime']}",
    ]
    if len(said["files"]) <= most_files:
        lines += [
            f"  {Path(file['path']).name}: {file['label'] or measures.NOTHING} in {sum(file['accepted'].values())} of {file['windows']}"
            + (f"; {file['damage']}" if file["damage"] else "")
            for file in said["files"]
        ]
    return "\n".join(lines)


def _confusion_lines(said: dict[str, Any]) -> list[str]:
    return [
        f"  {truth}: {said['recall'][truth]:.1%} right; " + _counts(taken)
        for truth, taken in said["confusion"].items()
        if len(said["confusion"]) > 1 or len(taken) > 1
    ]


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items(), key=lambda item: -item[1])) or "none"
