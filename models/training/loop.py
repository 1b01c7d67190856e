"""The loop of every training: it steps until the pace is done, and keeps the run's state on disk as it goes.

All processes that train together take every step and hand in their part of the state; the first alone writes and reports.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from torch import Tensor
from tqdm import tqdm

from models.training.run import Folder, Pace, World

Figures = Mapping[str, Tensor | float]
"""What a step says of itself; a tensor of one number stays on its device until somebody wants to know it."""
Progress = Callable[[int, int, dict[str, float]], None]
"""Called after every step with (step, steps, figures)."""


class Learner(Protocol):
    """Everything that a step changes."""

    step: int

    def state(self) -> dict[str, Any]:
        """All of it, of all processes."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""


def drive(
    learner: Learner,
    world: World,
    folder: Folder,
    pace: Pace,
    advance: Callable[[], Figures],
    report: Callable[[dict[str, float]], str],
    *,
    name: str,
    save_every: int,
    progress: Progress | None = None,
) -> bool:
    """Take steps with `advance`, which returns a step's figures, to the end of `pace`; from the state in `folder` on if it holds one.

    Every `save_every` steps the state is written, and `report` measures, logs and exports what it wants and says so for people. Returns
    whether this process is the one to write what has come of it.
    """
    if folder.state is not None:
        learner.restore(folder.state)
        pace.spent_s = folder.state["spent_s"]
    shown = {"desc": name, "unit": "step", "file": sys.stderr, "mininterval": 2, "disable": not world.first}
    with tqdm(total=pace.steps, initial=learner.step, **shown) as bar:
        while not world.agree(pace.done(learner.step)):
            figures = advance()
            bar.update()
            bar.set_postfix_str(pace.left(learner.step), refresh=False)
            if progress is not None:
                progress(learner.step, pace.steps, _numbers(figures))
            if learner.step % save_every == 0:
                _keep(learner, world, folder, pace)
                if world.first:
                    bar.write(f"step {learner.step}: {report(_numbers(figures))}", file=sys.stderr)
    _keep(learner, world, folder, pace)
    return world.first


def _numbers(figures: Figures) -> dict[str, float]:
    return {name: float(value) for name, value in figures.items()}


def _keep(learner: Learner, world: World, folder: Folder, pace: Pace) -> None:
    """Write the state, to which every process adds its part."""
    state = learner.state() | {"spent_s": pace.elapsed_s()}
    if world.first:
        folder.write(state)


def one_line(figures: dict[str, Any]) -> str:
    """The figures that are numbers, for people."""
    return ", ".join(f"{name} {value:.4g}" for name, value in figures.items() if isinstance(value, (int, float)))
