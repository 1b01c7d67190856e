"""What the two trainings share: a run's folder, its state on disk, its log, its pace.

A run lives in a folder of its own (by default under ``runs/``, which git ignores) and may be ended at any moment, `kill -9` included: the
state is written beside its place, flushed, and renamed, so the newest complete one is always there. All randomness of step n follows from
(seed, n), nothing from what happened before, so a resumed run takes exactly the steps that an uninterrupted one would have taken.
"""

import csv
import math
import os
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import USAGE, UserError


@dataclass
class Pace:
    """How far a run has come, and the learning rate that goes with it.

    A run ends after `steps`, or after `hours` of computing where that is given and comes first. The cosine follows whichever is nearer to
    its end; the warm-up takes at most a tenth of `steps`. With `hours` the result depends on the machine's speed, with `steps` alone not.
    """

    steps: int
    hours: float | None = None
    warmup: int = 100
    spent_s: float = 0.0
    """Computing time of earlier, interrupted parts of the run."""
    _since: float = field(default_factory=time.monotonic)

    def elapsed_s(self) -> float:
        """Computing time so far, earlier parts included."""
        return self.spent_s + time.monotonic() - self._since

    def progress(self, step: int) -> float:
        """Share of the run that is done before `step`, 0 to 1."""
        timed = self.elapsed_s() / (self.hours * 3600) if self.hours else 0.0
        return min(1.0, max(step / self.steps, timed))

    def rate(self, step: int) -> float:
        """Factor on the peak learning rate at `step`: linear warm-up, then a cosine down to 1 %."""
        cosine = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * self.progress(step)))
        warmup = min(self.warmup, max(1, self.steps // 10))
        return min(1.0, (step + 1) / warmup) * cosine

    def done(self, step: int) -> bool:
        """True where `step` is not to be taken any more."""
        return self.progress(step) >= 1.0


class Folder:
    """A run's folder: ``state.pt`` (to resume), ``log.csv``."""

    def __init__(self, path: Path, settings: dict[str, Any], resume: bool) -> None:
        """Open `path` for a run with these `settings`, which a resumed run must share (UserError otherwise).

        Without `resume` a folder that already holds a run is refused, so that hours of work are not overwritten by a slip.
        """
        self.path = path
        self.settings = settings
        self.state: dict[str, Any] | None = None
        if resume:
            self.state = self._read()
        elif (path / "state.pt").exists():
            raise UserError(f"There is a run in {path} already; go on with it (--resume) or name another folder (--run).", USAGE)
        path.mkdir(parents=True, exist_ok=True)

    def _read(self) -> dict[str, Any]:
        path = self.path / "state.pt"
        if not path.is_file():
            raise UserError(f"There is no run to resume in {self.path}; start one without --resume.", USAGE)
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True)
            settings = state["settings"]
        except Exception as error:  # torch raises many kinds on a foreign or damaged file
            raise UserError(f"The run's state {path} cannot be read ({type(error).__name__}); start anew in another folder.") from error
        if settings != self.settings:
            changed = sorted(name for name in self.settings if self.settings[name] != settings.get(name))
            raise UserError(f"The run in {self.path} was started with another {', '.join(changed)}; resume it with the same.", USAGE)
        return state

    def write(self, state: dict[str, Any]) -> None:
        """Put `state` (tensors and plain values) on disk as the newest."""
        scratch = self.path / "state.part"
        try:
            with scratch.open("wb") as file:
                torch.save(state | {"settings": self.settings}, file)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise UserError(f"The run's state could not be written to {self.path} ({error.strerror}); make room and --resume.") from error
        scratch.replace(self.path / "state.pt")

    def log(self, row: dict[str, float | int]) -> None:
        """Append `row` to log.csv (its keys are the header), figures with five digits."""
        path = self.path / "log.csv"
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(row)
            writer.writerow(f"{value:.5g}" if isinstance(value, float) else value for value in row.values())


def made(seed: int, steps: int, figures: dict[str, Any]) -> dict[str, Any]:
    """The `made` entry of the weights' metadata: how, when and with which result."""
    module = Path(sys.argv[0]).stem
    command = f"egret train {module}" if module in ("language", "gesture") else "egret"
    arguments = " ".join(sys.argv[1:])
    return {
        "command": f"{command} {arguments}".strip(),
        "seed": seed,
        "steps": steps,
        "date": datetime.now(UTC).date().isoformat(),
        "figures": figures,
    }
