"""Trains the gesture network on simulated people.

    python -m models.training.gesture --clips 6000 --hours 1
    python -m models.training.gesture --clips 6000 --hours 1 --resume
    torchrun --nproc-per-node 2 -m models.training.gesture --clips 6000 --hours 1

Every step of a clip is asked for the class, from `GRACE` frames after the movement begins. In use the network is never reset, so half of
the clips of a batch go on from the state in which the clip before left the network: a hand-over from one gesture to another.

What is kept and measured is the average of recent weights (`run.Average`). Two processes on two cores take twice the steps of one: the loop
over time does not share out well between threads.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

import assets
from models import gesture
from models.egru import Options, activity_loss
from models.gesture import GestureNetwork, Memory
from models.local import Local
from models.training import augment
from models.training import clips as data
from models.training import run as runs
from models.training.answers import Answers
from pipeline.frames import GRID
from pipeline.simulator import GESTURES

GRACE = 8
"""Frames (200 ms) after the onset before an answer is expected."""
HANDOVER = 0.5
"""Probability that a clip goes on from the state that the one before left."""
HELD_OUT = 192
"""Clips kept back."""
DRAW = 1_000_003
"""Keeps the seeds of steps apart."""
Progress = Callable[[int, int, dict[str, float]], None]
"""Called after every step with (step, steps, figures)."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is trained and how."""

    hidden: tuple[int, ...] = (768, 384)
    geometry: Local | None = field(default_factory=lambda: Local(12))
    batch: int = 32
    """Stretches a step and process."""
    window: int = 48
    """Frames of a stretch."""
    peak_rate: float = 2e-3
    activity: float = 0.12
    """Firing rate above which units are charged."""
    activity_weight: float = 5.0
    dropout: float = 0.1
    dropconnect: float = 0.05
    weight_decay: float = 0.03
    mixed: bool = True
    """Take bfloat16 products."""

    def settings(self, seed: int, size: int) -> dict[str, Any]:
        """What a resumed run must share."""
        place = self.geometry
        shape = {"hidden": list(self.hidden), "local": [place.channels, place.grid, place.block, place.reach] if place else []}
        return shape | {"seed": seed, "batch": self.batch, "window": self.window, "processes": size}


def train(
    output: Path,
    run: Path = Path("runs/gesture"),
    clip_folder: Path = Path("runs/clips"),
    *,
    recipe: Recipe | None = None,
    clips: int = 6000,
    held_out: int = HELD_OUT,
    seed: int = 1,
    steps: int = 20000,
    hours: float | None = None,
    resume: bool = False,
    threads: int = 1,
    save_every: int = 100,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train on the first `clips` simulated clips (generated into `clip_folder` where they are missing), write `output`, return the figures.

    Every `save_every` steps the run's state and ``latest.safetensors`` are written to `run`; it may be resumed with more clips.
    """
    recipe = recipe or Recipe()
    torch.set_num_threads(threads)
    with runs.World() as world:
        if world.first:
            data.prepare(clip_folder, "held-out", held_out)
            data.prepare(clip_folder, "train", clips)
        world.wait()
        folder = runs.Folder(run, recipe.settings(seed, world.size), resume, writes=world.first)
        kept_back = data.read(clip_folder, "held-out", held_out)
        trainer = _Trainer(recipe, seed, world, data.read(clip_folder, "train", clips))
        pace = runs.Pace(steps, hours)
        if folder.state is not None:
            trainer.restore(folder.state)
            pace.spent_s = folder.state["spent_s"]
        shown = {"desc": "gesture", "unit": "step", "file": sys.stderr, "mininterval": 2, "disable": not world.first}
        with tqdm(total=steps, initial=trainer.step, **shown) as bar:
            while not world.agree(pace.done(trainer.step)):
                figures = trainer.advance(world.agree(pace.rate(trainer.step)))
                bar.update()
                bar.set_postfix_str(pace.left(trainer.step), refresh=False)
                if progress is not None:
                    progress(trainer.step, steps, figures)
                if trainer.step % save_every == 0:
                    state = trainer.state() | {"spent_s": pace.elapsed_s()}
                    if world.first:
                        folder.write(state)
                        answers = Answers(trainer.averaged(), kept_back, recipe.mixed)
                        folder.log({"step": trainer.step, "seconds": pace.elapsed_s()} | figures | answers.figures())
                        _export(trainer, answers, run / "latest.safetensors", clips)
                        bar.write(f"step {trainer.step}: {_one_line(figures | answers.figures())}", file=sys.stderr)
        state = trainer.state() | {"spent_s": pace.elapsed_s()}
        if not world.first:
            return {}
        folder.write(state)
        return _export(trainer, Answers(trainer.averaged(), kept_back), output, clips)


class _Trainer:
    """Network, optimiser, last state of every lane of the batch: everything that a step changes."""

    def __init__(self, recipe: Recipe, seed: int, world: runs.World, clips: data.Clips) -> None:
        self.recipe, self.seed, self.world, self.clips = recipe, seed, world, clips
        torch.manual_seed(seed)
        options = Options(threshold_mean=0.15, dropconnect=recipe.dropconnect)
        self.model = GestureNetwork(list(recipe.hidden), len(GESTURES), options, recipe.dropout, geometry=recipe.geometry)
        matrices = [p for p in self.model.parameters() if p.ndim > 1]
        vectors = [p for p in self.model.parameters() if p.ndim == 1]
        groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=recipe.peak_rate, betas=(0.9, 0.98))
        self.average = runs.Average(self.model)
        self.memory = self.model.start(recipe.batch)
        self.step = 0

    def draw(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The batch of (seed, step, process): counts [T, B, 2, 32, 32], class [B], onset's frame [B], 1 where the state is kept [B]."""
        recipe, rng = self.recipe, np.random.default_rng((self.seed, self.step, self.world.rank))
        counts = np.empty((recipe.batch, recipe.window, 2, GRID, GRID), np.uint8)
        labels, onsets = np.empty(recipe.batch, np.int64), np.empty(recipe.batch, np.int64)
        for lane, index in enumerate(rng.integers(0, len(self.clips), recipe.batch)):
            variation = augment.draw(rng)
            start = int(rng.integers(0, max(1, data.FRAMES - int(recipe.window * variation.tempo) + 1)))
            augment.vary(self.clips.counts[index], start, variation, counts[lane], int(rng.integers(1 << 62)))
            labels[lane] = variation.label(int(self.clips.label[index]))
            onsets[lane] = max(0, variation.frame(int(self.clips.onset[index]), start))
        keep = torch.from_numpy((rng.random(recipe.batch) < HANDOVER).astype(np.float32))
        return torch.from_numpy(counts).transpose(0, 1), torch.from_numpy(labels), torch.from_numpy(onsets), keep

    def advance(self, factor: float) -> dict[str, float]:
        """One step at `factor` of the peak learning rate; returns loss, accuracy over the frames that count, and activity."""
        recipe = self.recipe
        counts, labels, onset, keep = self.draw()
        torch.manual_seed((self.seed * DRAW + self.step) * self.world.size + self.world.rank)  # dropout follows from the step alone
        memory = _scaled(self.memory, keep[:, None])
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.mixed):
            logits, _, rates, self.memory = self.model(gesture.features(counts, recipe.mixed), memory)
        asked = torch.arange(len(counts))[:, None] >= (onset + GRACE).clamp(max=len(counts) - 1)
        wanted = labels.expand(asked.shape)[asked]
        loss = functional.cross_entropy(logits.float()[asked], wanted)
        total = loss + recipe.activity_weight * activity_loss(rates, recipe.activity)
        self.optimiser.zero_grad()
        total.backward()
        self.world.average_gradients(self.model)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.peak_rate * factor
        self.optimiser.step()
        self.average.take(self.model, self.step)
        self.step += 1
        right = float((logits[asked].argmax(-1) == wanted).float().mean())
        active = {f"activity_{index}": float(rate.detach().mean()) for index, rate in enumerate(rates)}
        return {"loss": float(loss.detach()), "train_accuracy": right, "rate": recipe.peak_rate * factor} | active

    def averaged(self) -> GestureNetwork:
        """A network with the average weights."""
        recipe = self.recipe
        model = GestureNetwork(list(recipe.hidden), len(GESTURES), geometry=recipe.geometry)
        model.load_state_dict(self.average.values)
        return model.eval()

    def state(self) -> dict[str, Any]:
        """Everything needed to go on as if nothing had happened, of all processes."""
        states, o = _scaled(self.memory, torch.ones(()))
        carried = self.world.gather([*(part for pair in states for part in pair), o])
        trained = {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict(), "average": self.average.values}
        return trained | {"carried": carried, "step": self.step}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.values = state["average"]
        *parts, o = state["carried"][self.world.rank]
        self.memory = list(zip(parts[0::2], parts[1::2], strict=True)), o
        self.step = state["step"]


def _scaled(memory: Memory, factor: Tensor) -> Memory:
    """The state without its history, every number times `factor`."""
    states, o = memory
    return [(h.detach() * factor, y.detach() * factor) for h, y in states], o.detach() * factor


def _export(trainer: _Trainer, answers: Answers, path: Path, clips: int) -> dict[str, Any]:
    """Write the weights with what is known of them; returns the figures."""
    temperature, threshold = answers.calibrate()
    rounded = {name: round(value, 4) for name, value in answers.figures().items()}
    figures = rounded | {"confusion": answers.confusion(), "held_out_clips": len(answers.clips), "training_clips": clips}
    about = {
        "made": runs.made(trainer.seed, trainer.step, figures),
        "licence": "Apache-2.0",
        "attribution": "Trained on simulated people only (pipeline.simulator); no recorded data.",
    }
    gesture.save(trainer.averaged(), path, list(GESTURES), temperature, threshold, about)
    return figures | {"temperature": temperature, "threshold": threshold}


def _one_line(figures: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in figures.items() if isinstance(value, (int, float)))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `egret train gesture`."""
    runs.add_arguments(parser, assets.path("gesture.safetensors"), Path("runs/gesture"), 20000)
    parser.add_argument("--clips", type=int, default=6000, help="simulated clips of 3 s to train on; made once and kept")
    parser.add_argument("--held-out", type=int, default=HELD_OUT, help="simulated clips to measure on, never trained on")
    parser.add_argument("--clip-folder", type=Path, default=Path("runs/clips"), help="where the clips are kept (0.5 GB a thousand)")


def run(arguments: argparse.Namespace) -> int:
    """`egret train gesture`: returns the exit code."""
    figures = train(
        arguments.out,
        arguments.run,
        arguments.clip_folder,
        clips=arguments.clips,
        held_out=arguments.held_out,
        seed=arguments.seed,
        steps=arguments.steps,
        hours=arguments.hours,
        resume=arguments.resume,
        threads=arguments.threads,
    )
    if figures:
        print(f"{arguments.out}: {_one_line(figures)}")
    return 0


if __name__ == "__main__":
    sys.exit(runs.main("Train Egret's gesture network.", add_arguments, run))
