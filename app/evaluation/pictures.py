"""An evaluation's figures as pictures (PNG): confusion matrix, rejection curve, reliability, time to the first right decision.

matplotlib draws them, on a canvas in memory; it comes with the extra `train`, and only who asks for pictures needs it.
"""

from pathlib import Path
from typing import Any

import numpy as np

from app.evaluation.measures import BINS, NOTHING
from models.decision import OTHER
from pipeline.errors import UserError

DOTS_PER_INCH = 130
_BLUE, _GREY, _RED = "#2f6fb0", "#9a9a9a", "#c0504d"


def draw(said: dict[str, Any], folder: Path) -> list[Path]:
    """Draw the evaluation `said` into `folder`, made if need be: the files. UserError without matplotlib, or if they cannot be written."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError(
            "Pictures need matplotlib, which is not installed: run `sh app/environment.sh train` in the project's folder."
        ) from None
    drawn = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, paint in (("confusion", _confusion), ("rejection", _rejection), ("reliability", _reliability), ("time", _time)):
            figure = Figure(figsize=(7.5, 6.0) if name == "confusion" else (6.0, 4.2), layout="constrained")
            if paint(figure.add_subplot(), said):
                path = folder / f"{name}.png"
                figure.savefig(path, dpi=DOTS_PER_INCH)
                drawn.append(path)
    except OSError as error:
        raise UserError(f"The pictures cannot be written to {folder} ({error.strerror}): name another folder.") from error
    return drawn


def _confusion(axes: Any, said: dict[str, Any]) -> bool:
    """Shares by colour, pieces as numbers."""
    table = said["confusion"]
    taken = {name for row in table.values() for name in row}
    rows = [*(label for label in said["labels"] if label in table), *(truth for truth in table if truth not in said["labels"])]
    columns = [*(label for label in said["labels"] if label in taken or (label in table and label != OTHER)), NOTHING]
    counts = np.array([[table[row].get(column, 0) for column in columns] for row in rows])
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (y, x), number in np.ndenumerate(counts):
        if number:
            axes.text(x, y, str(number), ha="center", va="center", fontsize=8, color="white" if shares[y, x] > 0.55 else "black")
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(len(rows)), rows, fontsize=8)
    axes.set_xlabel("taken for")
    axes.set_ylabel("is")
    axes.set_title(f"{said['recordings']} recordings, {said['accuracy']:.1%} right", fontsize=10)
    return True


def _rejection(axes: Any, said: dict[str, Any]) -> bool:
    """What is right of the accepted, and what is accepted without being a gesture, against the share of gestures that is accepted; against
    the threshold where no gesture is in the data."""
    curve = said["rejection"]
    accepted, right, wrong, threshold = ([point[name] for point in curve] for name in ("accepted", "right", "false_accepted", "threshold"))
    gestures = any(accepted)
    if gestures:
        axes.plot(accepted, right, "o-", color=_BLUE, ms=3, label="right, of the accepted windows")
        near = min(curve, key=lambda point: abs(point["threshold"] - said["threshold"]))
        axes.plot([near["accepted"]], [near["right"]], "o", color=_BLUE, ms=9, mfc="none", label=f"threshold {said['threshold']:g}")
    if any(wrong) or not gestures:
        axes.plot(accepted if gestures else threshold, wrong, "s--", color=_RED, ms=3, label="accepted, of the windows without a gesture")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("share of windows with a gesture that is accepted" if gestures else "threshold")
    axes.set_ylabel("share")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return True


def _reliability(axes: Any, said: dict[str, Any]) -> bool:
    """Confidence against accuracy; a calibrated network is on the diagonal."""
    bins = said["reliability"]
    confidence = [part["confidence"] for part in bins]
    axes.plot([0, 1], [0, 1], color=_GREY, lw=1)
    axes.bar(confidence, [part["share"] for part in bins], width=0.6 / BINS, color=_GREY, alpha=0.4, label="share of windows")
    axes.plot(confidence, [part["accuracy"] for part in bins], "o-", color=_BLUE, label="share right")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("confidence of the best class")
    axes.set_title(f"expected calibration error {said['calibration_error']:.3f}, temperature {said['temperature']:g}", fontsize=10)
    axes.legend(fontsize=8, loc="upper left")
    return True


def _time(axes: Any, said: dict[str, Any]) -> bool:
    """Share of gestures that have been accepted for what they are, over the time since the onset."""
    time = said["decision_time"]
    if not time:
        return False
    axes.plot([int(step) for step in time["by_ms"]], list(time["by_ms"].values()), "o-", color=_BLUE, ms=3)
    axes.axvline(500, color=_GREY, lw=1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("ms since the " + ("onset" if time["onset_known"] else "start of the recording"))
    axes.set_ylabel("share accepted and right")
    axes.grid(alpha=0.3)
    axes.set_title(f"within 500 ms {time['within_500_ms']:.1%}, never {time['never']} of {time['pieces']}", fontsize=10)
    return True
