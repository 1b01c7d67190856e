"""How real simulated gestures are: event statistics beside real recordings, and the verdict of a network trained on real gestures.

Everything is taken from clips of two seconds, the simulated ones with seeds that neither training nor evaluation uses, the real ones cut
from recordings of DVS128 cameras, so that all figures are on the same footing: a hand waving far from one and near it, which simulated
waves are to resemble, and, to show how cameras differ, an arm and things moved by hand before two others.

The judge (`app.bench.judge`) sees all eleven gestures of the preset `dvs128`, which is meant to resemble the data set that it was trained
on, of the preset `wide` for information, and the real recordings, to show how much the judge itself is worth away from its data set. Two
controls say what it goes by: in a mirror the hands must exchange (and a guitar is played left-handed, which the judge does not know), and
with polarity exchanged (bright limbs become dark) it takes each sense of rotation for the other. Agreement is counted over the ten named
gestures: what "other" is, is not for the judge to say.

The recordings and the judge's weights are not part of Egret. Where they are missing, so is their part of the figures, and a note says so.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.bench import judge, statistics
from app.bench.judge import CLASSES, SIDE, Judge
from app.progress import progress
from pipeline.door import Door
from pipeline.errors import UserError
from pipeline.events import Events, join_events
from pipeline.formats.opening import open_recording, recordings_in
from pipeline.simulator import GESTURES, KINDS, simulate

CLIP_US = 2_000_000
PRESETS = ("dvs128", "wide")
RECORDINGS = {
    "wave-far": Path("gestures", "wave-far"),
    "wave-near": Path("gestures", "wave-near"),
    "arm-unlabelled": Path("gestures", "arm-unlabelled"),
    "not-gestures": Path("not-gestures"),
}
"""Where real recordings lie in the folder of data."""
LABELS = {"wave-far": "right_hand_wave", "wave-near": "right_hand_wave"}
"""What those show that show a gesture."""
WAVES = GESTURES[1:3]
NAMED = len(GESTURES) - 1
JUDGE = Path("judges", "dvs_gesture_params.pt")
SILENT = "none"
"""Where the judge has no answer."""

MIRRORED = (0, 2, 1, 6, 5, 4, 3, 7, 8, 9, 10)
"""Gesture in a mirror."""
SENSES_EXCHANGED = (0, 1, 2, 4, 3, 6, 5, 7, 8, 9, 10)

Clip = tuple[Events, int]
"""Events with timestamps from 0, and the length in us."""
Figures = dict[str, float]
"""What `statistics.describe` says of a clip."""
Counts = npt.NDArray[np.int64]


def mirrored(events: Events) -> Events:
    """Left and right exchanged."""
    changed = events.copy()
    changed["x"] = SIDE - 1 - changed["x"]
    return changed


def exchanged(events: Events) -> Events:
    """ON and OFF exchanged."""
    changed = events.copy()
    changed["polarity"] = 1 - changed["polarity"]
    return changed


CONTROLS: dict[str, tuple[Callable[[Events], Events], tuple[int, ...]]] = {
    "as it is": (lambda events: events, tuple(range(CLASSES))),
    "mirrored": (mirrored, MIRRORED),
    "polarity exchanged": (exchanged, SENSES_EXCHANGED),
}
"""What is done to the events before they are judged, and which answer then counts as agreement for each gesture."""


def run(clips: int, seed: int, folder: Path | None = None) -> dict[str, Any]:
    """The figures of `clips` simulated clips a gesture and preset, with seeds from `seed` on, and of the real recordings in `folder`.

    The folder is `EGRET_DATA`, or ../shared/data from the project's, unless it is given. Raises UserError for damaged or unsuitable files
    in it.
    """
    folder = folder or Path(os.environ.get("EGRET_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
    notes: list[str] = []
    referee = _judge(folder, notes)
    found = {name: list(recordings(folder / place)) for name, place in RECORDINGS.items()}
    found = {name: wholes for name, wholes in found.items() if wholes}
    if not found:
        notes.append(f"Real recordings are left out: there are none in {folder} (EGRET_DATA names another folder).")
    described = {name: [_describe(clip) for whole in wholes for clip in _cut(whole)] for name, wholes in found.items()}
    verdicts: dict[str, Any] = {}
    for preset in PRESETS:
        groups, counts = _simulated(preset, clips, seed, referee)
        described |= {f"{preset} {group}": figures for group, figures in groups.items()}
        for how, table in counts.items():
            verdicts[preset if how == "as it is" else f"{preset}, {how}"] = _agreement(table, CONTROLS[how][1])
    waving = [name for name in LABELS if name in found]
    if referee:
        verdicts |= {name: _on_real(referee, found[name]) for name in waving}
    return {
        "clips": {"per gesture": clips, "seconds": CLIP_US / 1e6, "first seed": seed},
        "events": {name: _summary(clips) for name, clips in described.items()},
        "rank among simulated waves": {
            name: {preset: _ranks(described[name], described[f"{preset} waves"]) for preset in PRESETS} for name in waving
        },
        "judge": verdicts,
        "notes": notes,
    }


def _judge(folder: Path, notes: list[str]) -> Judge | None:
    """The judge, or a note why there is none."""
    path = folder / JUDGE
    if not path.is_file():
        notes.append(f"The judge is left out: there is no {JUDGE} in {folder} (EGRET_DATA names another folder).")
        return None
    try:
        return judge.load(path)
    except ImportError:
        notes.append("The judge is left out: it needs PyTorch; run `sh app/environment.sh train` in the project's folder.")
        return None


def _simulated(preset: str, clips: int, seed: int, referee: Judge | None) -> tuple[dict[str, list[Figures]], dict[str, Counts]]:
    """Figures of every clip by group (waves are gestures too), and per control how often which gesture got which answer."""
    controls = [] if referee is None else [*CONTROLS] if preset == PRESETS[0] else ["as it is"]
    counts = {how: np.zeros((len(GESTURES), CLASSES + 1), np.int64) for how in controls}
    groups: dict[str, list[Figures]] = {"waves": [], "gestures": [], "no gesture": []}
    jobs = [(kind, seed + number) for number in range(clips) for kind in KINDS]
    for kind, own_seed in progress(jobs, f"simulating and judging {preset}", unit=" clips"):
        events = simulate(kind, own_seed, CLIP_US, preset)
        figures = _describe((events, CLIP_US))
        groups["gestures" if kind in GESTURES else "no gesture"].append(figures)
        if kind in WAVES:
            groups["waves"].append(figures)
        if referee is not None and kind in GESTURES:
            for how, table in counts.items():
                table[GESTURES.index(kind), referee.answer(CONTROLS[how][0](events), CLIP_US)] += 1
    return groups, counts


def recordings(folder: Path) -> Iterator[Clip]:
    """The recordings in a folder, each from its first event on. Raises UserError for one of another sensor than a DVS128."""
    for path in recordings_in(folder):
        with open_recording(path) as reader:
            if (reader.width, reader.height) != (SIDE, SIDE):
                raise UserError(f"{path} is of a sensor of {reader.width}x{reader.height} pixels: only a DVS128's can be compared.")
            door = Door(SIDE, SIDE)
            events = join_events([door.check(packet)[0] for packet in reader.packets()]).copy()
        if len(events):
            events["timestamp"] -= events["timestamp"][0]
            yield events, int(events["timestamp"][-1]) + 1


def _cut(whole: Clip) -> Iterator[Clip]:
    """Whole clips of `CLIP_US` from one recording; what is left over is dropped."""
    events, duration = whole
    for start in range(0, duration - CLIP_US + 1, CLIP_US):
        part = events[slice(*np.searchsorted(events["timestamp"], (start, start + CLIP_US)))].copy()
        part["timestamp"] -= start
        yield part, CLIP_US


def _describe(clip: Clip) -> Figures:
    return statistics.describe(*clip, SIDE, SIDE)


def _summary(clips: list[Figures]) -> dict[str, dict[str, float | None]]:
    """Median, 10th and 90th percentile over the clips of which each figure is known."""
    figures = {}
    for name in statistics.MEANINGS:
        known = _known(clips, name)
        values = [round(float(v), 4) for v in np.quantile(known, (0.5, 0.1, 0.9))] if len(known) else [None] * 3
        figures[name] = dict(zip(("median", "p10", "p90"), values, strict=True))
    return figures


def _ranks(real: list[Figures], simulated: list[Figures]) -> dict[str, float | None]:
    """Where the median of the real clips lies among the simulated ones: 0 below all of them, 1 above all, and neither is good."""
    ranks: dict[str, float | None] = {}
    for name in statistics.MEANINGS:
        known, reference = _known(simulated, name), _known(real, name)
        if len(known) and len(reference):
            median = np.median(reference)
            ranks[name] = round(float(np.mean((known < median) + 0.5 * (known == median))), 3)
        else:
            ranks[name] = None
    return ranks


def _known(clips: list[Figures], name: str) -> npt.NDArray[np.float64]:
    values = np.array([clip[name] for clip in clips])
    return values[~np.isnan(values)]


def _agreement(counts: Counts, expected: tuple[int, ...]) -> dict[str, Any]:
    """The confusion (rows as simulated, columns as answered) and the share of answers that are the expected ones."""
    right = counts[np.arange(len(GESTURES)), expected]
    total = counts.sum(axis=1)
    return {
        "labels": list(GESTURES),
        "answers": [*GESTURES, SILENT],
        "confusion": counts.tolist(),
        "agreement": {name: round(float(r / t), 3) for name, r, t in zip(GESTURES, right, total, strict=True)},
        "named": round(float(right[:NAMED].sum() / total[:NAMED].sum()), 4),
        "interval": wilson(int(right[:NAMED].sum()), int(total[:NAMED].sum())),
    }


def wilson(right: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share of `total` (1 or more) trials (Wilson 1927, JASA 22:209, with z = 1.96)."""
    z2 = 1.96**2
    middle = (right + z2 / 2) / (total + z2)
    half = (z2 * (right * (total - right) / total + z2 / 4)) ** 0.5 / (total + z2)
    return round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4)


def _on_real(referee: Judge, wholes: list[Clip]) -> dict[str, Any]:
    """Per control: what the recordings as a whole, and their clips, were taken for."""
    said: dict[str, Any] = {}
    for how, (change, _) in CONTROLS.items():
        said[how] = {
            what: answers(referee, [(change(events), duration) for events, duration in clips])
            for what, clips in (("recordings", wholes), ("clips", [clip for whole in wholes for clip in _cut(whole)]))
        }
    return said


def answers(referee: Judge, clips: list[Clip]) -> dict[str, int]:
    """How often each answer was given, the most frequent first."""
    return dict(Counter([*GESTURES, SILENT][referee.answer(*clip)] for clip in clips).most_common())


def readable(figures: dict[str, Any]) -> list[str]:
    """The figures as lines of text."""
    said = figures["clips"]
    lines = [f"  {said['per gesture']} clips of {said['seconds']:g} s per gesture and preset, seeds from {said['first seed']}"]
    lines += [f"  {note}" for note in figures["notes"]]
    lines += _table_of_events(figures["events"], figures["rank among simulated waves"])
    for name, verdict in figures["judge"].items():
        lines += ["", *(_matrix(name, verdict) if "confusion" in verdict else _verdict_on_real(name, verdict))]
    return lines


def _table_of_events(events: dict[str, Any], ranks: dict[str, Any]) -> list[str]:
    """A column per group of clips, waves apart; then where the real waves lie among the simulated ones, and what the figures mean."""
    lines = ["", "  median (10th to 90th percentile) over clips"]
    for waves in (True, False):
        part = {name: group for name, group in events.items() if ("wave" in name) == waves}
        lines.append(f"  {'':18}" + "".join(f"{name:>25}" for name in part))
        for figure in statistics.MEANINGS:
            lines.append(f"  {figure:18}" + "".join(f"{_spread(group[figure]):>25}" for group in part.values()))
    columns = [(name, preset) for name in ranks for preset in PRESETS]
    if columns:
        lines += ["", "  share of simulated waves below the median of the real ones (0 % and 100 %: outside what is simulated)"]
    else:
        lines += ["", "  meaning"]
    lines.append(f"  {'':18}" + "".join(f"{f'{name}, {preset}':>20}" for name, preset in columns))
    for figure, meaning in statistics.MEANINGS.items():
        shares = "".join(f"{_percent(ranks[name][preset][figure]):>20}" for name, preset in columns)
        lines.append(f"  {figure:18}{shares}  {meaning}")
    return lines


def _spread(value: dict[str, float | None]) -> str:
    numbers = [f"{v:,.0f}" if abs(v) >= 100 else f"{v:.3g}" if abs(v) >= 10 else f"{v:.2g}" for v in value.values() if v is not None]
    return f"{numbers[0]} ({numbers[1]} to {numbers[2]})" if numbers else "unknown"


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.0%}"


def _matrix(name: str, verdict: dict[str, Any]) -> list[str]:
    """The confusion with gestures abbreviated to their initials in the head."""
    head = "".join(f"{''.join(word[0] for word in answer.split('_')) if answer != SILENT else SILENT:>5}" for answer in verdict["answers"])
    low, high = verdict["interval"]
    lines = [
        f"  judge on {name}: {verdict['named']:.1%} agreement over the ten named gestures (95 % interval {low:.1%} to {high:.1%})",
        f"  {'':28}{head}  agreement",
    ]
    for label, row in zip(verdict["labels"], verdict["confusion"], strict=True):
        lines.append(f"  {label:28}" + "".join(f"{count:5}" for count in row) + f"  {verdict['agreement'][label]:9.0%}")
    return lines


def _verdict_on_real(name: str, verdict: dict[str, Any]) -> list[str]:
    lines = [f"  judge on {name} ({LABELS[name]}):"]
    for how, said in verdict.items():
        for what, given in said.items():
            lines.append(f"    {how:20}{what:12}" + ", ".join(f"{count} {answer}" for answer, count in given.items()))
    return lines
