"""What the two trainings share: a run's folder, its state on disk, its log, its pace, and the processes that take part.

A run lives in a folder of its own (by default under ``runs/``, which git ignores) and may be ended at any moment, `kill -9` included: the
state is written beside its place, flushed, and renamed, so the newest complete one is always there. All randomness of step n follows from
(seed, n), nothing from what happened before, so on a processor a resumed run takes exactly the steps that an uninterrupted one would have
taken; on a graphics processor, whose sums have no fixed order, up to rounding.

Started by torch's own launcher (``torchrun -m models.training.gesture``) the same training runs in several processes, on one machine or on
many: each draws its own part of the batch, gradients are averaged, and the first of them decides when to stop and writes the files.
"""

import argparse
import csv
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, distributed, nn

from pipeline.errors import USAGE, UserError

T = TypeVar("T")

DEVICES = ("cpu", "cuda")
"""Where a training runs."""
PATIENCE = timedelta(days=7)
"""How long a process waits for the others: the first simulates clips for hours before there is anything to train on, and torch's own limits
of 10 and 30 minutes would end the run meanwhile. torchrun ends all when one fails, so nobody waits for the dead."""

LIMITS = {
    "steps": (1, 1 << 40),
    "save_every": (1, 1 << 40),
    "threads": (1, 1024),
    "hours": (1e-9, 1e6),
    "seed": (0, 1 << 31),
    "rate": (1e-12, 1e3),
    "peak_rate": (1e-12, 1e3),
    "clips": (1, 1 << 30),
    "held_out": (1, 1 << 30),
}
"""What a training's options may be: their least and largest values. Seeds of steps are a seed's multiples and fit 64 bits; from the
clip 2^30 on, those to train on would be those to measure on (clips.py)."""


class World:
    """The processes that train together: one, unless torchrun started more. Use as a context manager."""

    def __init__(self, device: str = "cpu") -> None:
        """UserError where this machine has no such `device`, as torch names it: ``cpu``, ``cuda``."""
        self.size, self.rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
        self.device = _device(device, int(os.environ.get("LOCAL_RANK", "0")))

    def __enter__(self) -> "World":
        if self.size > 1:
            distributed.init_process_group("cpu:gloo,cuda:nccl" if self.device.type == "cuda" else "gloo", timeout=PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        if self.size > 1:
            distributed.destroy_process_group()

    @property
    def first(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def agree(self, value: float) -> float:
        """The first process's `value`, for all."""
        if self.size == 1:
            return value
        told = torch.tensor([value], dtype=torch.float64)
        distributed.broadcast(told, 0)
        return float(told)

    def average_gradients(self, model: nn.Module) -> None:
        """Give every process the mean of all processes' gradients."""
        if self.size == 1:
            return
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        for gradient, mean in zip(gradients, (flat / self.size).split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    def gather(self, values: list[Tensor]) -> list[list[Tensor]]:
        """What every process has, by rank."""
        if self.size == 1:
            return [values]
        parts: list[list[Tensor]] = [[] for _ in range(self.size)]
        distributed.all_gather_object(parts, values)
        return parts

    def share(self, make: Callable[[], T]) -> T:
        """What the first process makes, for all; the others wait for it."""
        if self.size == 1:
            return make()
        made = [make() if self.first else None]
        distributed.broadcast_object_list(made, 0)
        return cast(T, made[0])

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            distributed.barrier()


def _device(name: str, local_rank: int) -> torch.device:
    """The device called `name`; of several graphics processors each process of a machine takes its own."""
    if name not in DEVICES:
        raise UserError(f"There is no training on {name!r}: --device is {' or '.join(DEVICES)}.", USAGE)
    if name == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UserError("This torch finds no device for --device cuda; leave it out to train on the processor.", USAGE)
    device = torch.device("cuda", local_rank % torch.cuda.device_count())
    torch.cuda.set_device(device)
    return device


class Average:
    """The mean of a model's recent weights (Polyak and Juditsky 1992, with exponential forgetting): steadier than the last ones."""

    def __init__(self, model: nn.Module, decay: float = 0.998) -> None:
        self.decay = decay
        self.values = {name: value.detach().clone() for name, value in model.state_dict().items()}

    def restore(self, values: dict[str, Tensor]) -> None:
        """Go on from the `values` that a run's state holds."""
        self.values = {name: values[name].to(value.device) for name, value in self.values.items()}

    @torch.no_grad()
    def take(self, model: nn.Module, step: int) -> None:
        """Add the weights after `step` steps; early on the mean forgets faster."""
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            self.values[name].lerp_(value, share)


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

    def left(self, step: int) -> str:
        """The time left as far as can be told, for people."""
        progress = self.progress(step)
        minutes = self.elapsed_s() * (1 - progress) / progress / 60 if progress > 0 else math.nan
        return f"{minutes:.0f} min left" if math.isfinite(minutes) else ""

    def done(self, step: int) -> bool:
        """True where `step` is not to be taken any more."""
        return self.progress(step) >= 1.0


class Folder:
    """A run's folder: ``state.pt`` (to resume), ``log.csv``."""

    def __init__(self, path: Path, settings: dict[str, Any], resume: bool, *, writes: bool = True) -> None:
        """Open `path` for a run with these `settings`, which a resumed run must share (UserError otherwise).

        Without `resume` a folder that already holds a run is refused by the process that `writes`, so that hours of work are not
        overwritten by a slip.
        """
        self.path = path
        self.settings = settings
        self.state: dict[str, Any] | None = None
        if resume:
            self.state = self._read()
        elif writes and (path / "state.pt").exists():
            raise UserError(f"There is a run in {path} already; go on with it (--resume) or name another folder (--folder).", USAGE)
        path.mkdir(parents=True, exist_ok=True)

    def _read(self) -> dict[str, Any]:
        path = self.path / "state.pt"
        if not path.is_file():
            raise UserError(f"There is no run to resume in {self.path}; start one without --resume.", USAGE)
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
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


def add_arguments(parser: argparse.ArgumentParser, out: Path, folder: Path, steps: int) -> None:
    """Options of any training."""
    parser.add_argument("--out", type=Path, default=out, help="where the weights go")
    parser.add_argument("--folder", dest="run", type=Path, default=folder, help="folder of the run: state, log, latest weights")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="draw the curves of the run in that folder and end")
    parser.add_argument("--resume", action="store_true", help="go on with the run in that folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=steps, help="steps at most")
    parser.add_argument("--hours", type=float, help="end after so many hours of computing, if that is earlier")
    parser.add_argument("--threads", type=int, default=1, help="processor threads")
    parser.add_argument("--save-every", type=int, default=200, metavar="STEPS", help="steps between two states on disk (default: 200)")
    parser.add_argument("--device", default="cpu", help=f"where to train: {' or '.join(DEVICES)} (default: cpu)")


def check(arguments: argparse.Namespace) -> None:
    """UserError where the options of a training name what cannot be."""
    for name, (least, most) in LIMITS.items():
        value = getattr(arguments, name, None)
        if value is not None and not least <= value <= most:
            option = "rate" if name == "peak_rate" else name.replace("_", "-")
            raise UserError(f"--{option} {value} cannot be: name a figure from {least} to {most:.10g}.", USAGE)
    if arguments.resume and getattr(arguments, "start", None) is not None:
        raise UserError("A run that is resumed has its weights already: leave out --initial.", USAGE)


def main(description: str, add: Callable[[argparse.ArgumentParser], None], run: Callable[[argparse.Namespace], int]) -> int:
    """``python -m models.training....``: the exit code, with one sentence for what a user got wrong."""
    parser = argparse.ArgumentParser(description=description)
    add(parser)
    try:
        return run(parser.parse_args())
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def made(seed: int, steps: int, figures: dict[str, Any]) -> dict[str, Any]:
    """The `made` entry of the weights' metadata: how, when and with which result."""
    module = Path(sys.argv[0]).stem
    command = f"egret train {module}" if module in ("language", "gesture", "spikegpt") else "egret"
    arguments = " ".join(sys.argv[1:])
    return {
        "command": f"{command} {arguments}".strip(),
        "seed": seed,
        "steps": steps,
        "date": datetime.now(UTC).date().isoformat(),
        "figures": figures,
    }
