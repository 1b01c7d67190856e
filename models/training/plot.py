"""The course of a run as a picture, from its log.csv: what was measured, against the steps."""

import csv
from pathlib import Path

from pipeline.errors import FAILED, USAGE, UserError

PANELS = (("loss",), ("accuracy", "perplexity"), ("activity", "density"), ("rate",))
"""Columns whose names begin so share a panel."""


def curves(folder: Path, picture: Path) -> None:
    """Draw ``log.csv`` of the run in `folder` to `picture`, whose ending decides the format. UserError without a log or matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError(
            "Curves need matplotlib, which is not installed: run `sh app/environment.sh train` in the project's folder."
        ) from None
    columns = _columns(folder / "log.csv")
    panels = [[name for name in columns if any(part in name for part in parts)] for parts in PANELS]
    shown = [names for names in panels if names]
    figure = Figure((9.0, 2.6 * len(shown)), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, names in zip(figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0], shown, strict=True):
        for name in names:
            axes.plot(columns["step"], columns[name], label=name.replace("_", " "), linewidth=1.2)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    axes.set_xlabel("step")
    try:
        figure.savefig(picture, dpi=120)
    except (OSError, ValueError) as error:
        raise UserError(f"The curves cannot be drawn to {picture} ({error}): name a .png in a folder that exists.", FAILED) from error


def _columns(path: Path) -> dict[str, list[float]]:
    """The log by column."""
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        columns = {name: [float(row[name]) for row in rows] for name in rows[0]}
        columns["step"]
    except (OSError, IndexError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"There is no log of a training in {path.parent}: name the run's folder with --folder.", USAGE) from error
    return columns
