"""Gesture recordings against the label they are known to have.

A recording is taken for the label that was accepted in most of its windows (majority); a recording without an accepted window is counted
as rejected, apart from the wrong ones. Windows are reported too, because the majority hides them.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.engine.models import Models
from app.progress import progress
from models.chip.runtime import Runtime
from models.decision import Decider
from pipeline.door import Door
from pipeline.errors import USAGE, UserError
from pipeline.events import Events, join_events
from pipeline.formats.aedat4 import Aedat4Reader
from pipeline.frames import frames_of


@dataclass(frozen=True)
class Recording:
    """What one recording was taken for."""

    path: Path
    label: str
    """By majority of the accepted windows; empty if none was accepted."""
    windows: int
    accepted: Counter[str]
    rejected: Counter[str]
    """Reasons of the windows that were not accepted."""
    leading: Counter[str]
    """The best class of every window, accepted or not."""
    activity: float
    damage: str
    """What of the file could not be read; empty if it is whole."""


def evaluate(
    models: Models, data: Path, label: str, mirror: bool = False, backend: str = "auto", threshold: float | None = None
) -> dict[str, Any]:
    """Every recording in `data` (or the one it is) against `label`; the fields that `egret evaluate gesture --json` prints."""
    labels = tuple(models.gesture["labels"])
    if label not in labels:
        raise UserError(f"There is no gesture {label!r}: choose one of {', '.join(labels)}.", USAGE)
    paths = sorted(data.rglob("*.aedat4")) if data.is_dir() else [data]
    if not paths:
        raise UserError(f"There is no AEDAT 4 recording in {data}: name a folder that holds .aedat4 files.")
    runtime, decider = models.runtime(backend), models.decider(threshold)
    results = [recognise(path, runtime, decider, mirror) for path in progress(paths, "evaluating", unit=" recordings")]
    right = sum(result.label == label for result in results)
    taken = Counter(result.label or "(rejected)" for result in results)
    windows = sum(result.windows for result in results)
    accepted = sum(sum(result.accepted.values()) for result in results)
    return {
        "label": label,
        "mirror": mirror,
        "recordings": len(results),
        "right": right,
        "rejected": sum(not result.label for result in results),
        "accuracy": right / len(results),
        "labels": list(labels),
        "confusion": {label: dict(taken)},
        "windows": windows,
        "windows_accepted": accepted,
        "windows_right": sum(result.accepted[label] for result in results),
        "windows_rejected": dict(sum((result.rejected for result in results), Counter())),
        "windows_leading": dict(sum((result.leading for result in results), Counter())),
        "activity": round(float(np.mean([result.activity for result in results])), 4),
        "runtime": runtime.backend,
        "damaged": sum(bool(result.damage) for result in results),
        "files": [
            {"path": str(r.path), "label": r.label, "windows": r.windows, "accepted": dict(r.accepted), "damage": r.damage} for r in results
        ],
    }


def recognise(path: Path, runtime: Runtime, decider: Decider, mirror: bool = False) -> Recording:
    """Play the recording `path` through filters, frames, network and decision, from a clean state."""
    events, width, height, damage = _read(path)
    if mirror:
        events = events.copy()
        events["x"] = width - 1 - events["x"]
    frames = frames_of(events, width, height)
    runtime.gesture.reset()
    decider.reset()
    accepted: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    leading: Counter[str] = Counter()
    activity = 0.0
    for counts, kept in zip(frames.counts, frames.kept, strict=True):
        decision = decider.decide(runtime.gesture.step(counts), int(kept))
        leading[decision.label] += 1
        (accepted if decision.accepted else rejected)[decision.label if decision.accepted else decision.reason] += 1
        activity += float(np.mean(runtime.gesture.activity))
    label = accepted.most_common(1)[0][0] if accepted else ""
    return Recording(path, label, len(frames.kept), accepted, rejected, leading, activity / max(len(frames.kept), 1), damage)


def _read(path: Path) -> tuple[Events, int, int, str]:
    """(events, width, height, what was damaged)."""
    with Aedat4Reader(path) as reader:
        door = Door(reader.width, reader.height)
        packets = [door.check(packet)[0] for packet in reader.packets()]
        if not packets:
            raise UserError(f"The recording {path} holds no events: there is nothing to evaluate.")
        return join_events(packets), reader.width, reader.height, reader.recovered


def readable(said: dict[str, Any]) -> str:
    """The evaluation as text for people."""
    lines = [
        f"{said['right']} of {said['recordings']} recordings are {said['label']} by majority ({said['rejected']} rejected)"
        + (", left and right exchanged" if said["mirror"] else "")
        + ".",
        f"  windows: {said['windows']}, accepted {said['windows_accepted']}, of these right {said['windows_right']}",
        "  not accepted: " + (", ".join(f"{n} {why}" for why, n in sorted(said["windows_rejected"].items())) or "none"),
        "  leading class: " + ", ".join(f"{n} {name}" for name, n in sorted(said["windows_leading"].items(), key=lambda item: -item[1])),
        f"  units that fired a step: {said['activity']:.1%} on average, on the runtime {said['runtime']}",
    ]
    lines += [
        f"  {Path(file['path']).name}: {file['label'] or '(rejected)'} in {sum(file['accepted'].values())} of {file['windows']}"
        + (f"; {file['damage']}" if file["damage"] else "")
        for file in said["files"]
    ]
    return "\n".join(lines)
