"""Trains the gesture network on simulated people.

    python -m models.training.gesture --clips 4000 --hours 0.5
    python -m models.training.gesture --clips 4000 --hours 0.5 --resume

Every step of a clip is asked for the class, from `GRACE` frames after the movement begins. In use the network is never reset, so half of
the clips of a batch go on from the state in which the clip before left the network: a hand-over from one gesture to another.

The temperature, and the threshold below which there is no gesture, are set on held-out simulated clips. Real recordings have no say in it.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

import assets
from models import gesture
from models.egru import EGRU, Options, activity_loss
from models.gesture import GestureNetwork, Memory
from models.training import clips as data
from models.training.augment import vary
from models.training.run import Folder, Pace, made
from pipeline.errors import UserError
from pipeline.simulator import GESTURES

GRACE = 8
"""Frames (200 ms) after the onset before an answer is expected."""
SETTLED = 32
"""Frames (800 ms) after the onset from which the held-out accuracy counts."""
HANDOVER = 0.5
"""Probability that a clip goes on from the state that the one before left."""
HELD_OUT = 192
"""Clips kept back."""
OTHER = GESTURES.index("other_gestures")
PRECISION = 0.9
"""Share of accepted answers that shall be right on held-out clips: decides the threshold."""
Progress = Callable[[int, int, dict[str, float]], None]
"""Called after every step with (step, steps, figures)."""


def train(
    output: Path,
    run: Path = Path("runs/gesture"),
    clip_folder: Path = Path("runs/clips"),
    *,
    clips: int = 4000,
    seed: int = 1,
    steps: int = 4000,
    hours: float | None = None,
    resume: bool = False,
    threads: int = 1,
    hidden: tuple[int, ...] = (256, 256),
    batch: int = 40,
    window: int = 80,
    peak_rate: float = 2e-3,
    activity: float = 0.15,
    activity_weight: float = 5.0,
    dropout: float = 0.1,
    held_out: int = HELD_OUT,
    mixed: bool = True,
    save_every: int = 100,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train on the first `clips` simulated clips (generated into `clip_folder` where they are missing), write `output`, return the figures.

    A batch is `batch` stretches of `window` frames. `activity` is the firing rate above which units are charged; `mixed` takes bfloat16
    products. Every `save_every` steps the run's state and ``latest.safetensors`` are written to `run`; it may be resumed with more clips.
    """
    torch.set_num_threads(threads)
    settings = {"seed": seed, "hidden": list(hidden), "batch": batch, "window": window}
    folder = Folder(run, settings, resume)
    data.prepare(clip_folder, "held-out", held_out)
    data.prepare(clip_folder, "train", clips)
    kept_back = data.read(clip_folder, "held-out", held_out)
    options = Options(threshold_mean=0.15, dropconnect=0.05)
    trainer = _Trainer(settings, data.read(clip_folder, "train", clips), options, dropout, mixed, peak_rate, activity, activity_weight)
    pace = Pace(steps, hours)
    if folder.state is not None:
        trainer.restore(folder.state)
        pace.spent_s = folder.state["spent_s"]
    with tqdm(total=steps, initial=trainer.step, desc="gesture", unit="step", file=sys.stderr, mininterval=2) as bar:
        while not pace.done(trainer.step):
            figures = trainer.advance(pace.rate(trainer.step))
            bar.update()
            if progress is not None:
                progress(trainer.step, steps, figures)
            if trainer.step % save_every == 0:
                folder.write(trainer.state() | {"spent_s": pace.elapsed_s()})
                answers = Answers(trainer.model, kept_back, mixed)
                folder.log({"step": trainer.step, "seconds": pace.elapsed_s()} | figures | answers.figures())
                _export(trainer, answers, run / "latest.safetensors", clips)
                bar.write(f"step {trainer.step}: {_one_line(figures | answers.figures())}", file=sys.stderr)
    folder.write(trainer.state() | {"spent_s": pace.elapsed_s()})
    return _export(trainer, Answers(trainer.model, kept_back), output, clips)


class _Trainer:
    """Network, optimiser, last state of every lane of the batch: everything that a step changes."""

    def __init__(
        self,
        settings: dict[str, Any],
        clips: data.Clips,
        options: Options,
        dropout: float,
        mixed: bool,
        peak_rate: float,
        activity: float,
        activity_weight: float,
    ) -> None:
        self.seed, self.batch, self.window, self.clips = settings["seed"], settings["batch"], settings["window"], clips
        self.mixed, self.peak_rate, self.activity, self.activity_weight = mixed, peak_rate, activity, activity_weight
        torch.manual_seed(self.seed)
        self.model = GestureNetwork(settings["hidden"], len(GESTURES), options, dropout)
        matrices = [p for p in self.model.parameters() if p.ndim > 1]
        vectors = [p for p in self.model.parameters() if p.ndim == 1]
        groups = [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=peak_rate, betas=(0.9, 0.98))
        self.memory = self.model.start(self.batch)
        self.step = 0

    def draw(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The batch of (seed, step): counts [T, B, 2, 32, 32], class [B], onset [B], 1 where the state is kept [B]."""
        rng = np.random.default_rng((self.seed, self.step))
        chosen = rng.integers(0, len(self.clips), self.batch)
        start = rng.integers(0, data.FRAMES - self.window + 1, self.batch)
        stretches = [self.clips.counts[index][first : first + self.window] for index, first in zip(chosen, start, strict=True)]
        varied = [vary(counts, int(self.clips.label[index]), rng) for counts, index in zip(stretches, chosen, strict=True)]
        counts = torch.from_numpy(np.stack([clip for clip, _ in varied], axis=1))
        labels = torch.tensor([label for _, label in varied])
        keep = torch.from_numpy((rng.random(self.batch) < HANDOVER).astype(np.float32))
        return counts, labels, torch.from_numpy((self.clips.onset[chosen] - start).clip(0)), keep

    def advance(self, factor: float) -> dict[str, float]:
        """One step at `factor` of the peak learning rate; returns loss, accuracy over the frames that count, and activity."""
        counts, labels, onset, keep = self.draw()
        torch.manual_seed(self.seed * 1_000_003 + self.step)  # dropout follows from the step alone
        memory = _scaled(self.memory, keep[:, None])
        with torch.autocast("cpu", torch.bfloat16, enabled=self.mixed):
            logits, outputs, membranes, self.memory = self.model(gesture.features(counts), memory)
        asked = torch.arange(len(counts))[:, None] >= (onset + GRACE).clamp(max=len(counts) - 1)
        wanted = labels.expand(asked.shape)[asked]
        loss = functional.cross_entropy(logits.float()[asked], wanted)
        layers = [layer for layer in self.model.stack.layers if isinstance(layer, EGRU)]
        total = loss + self.activity_weight * activity_loss(membranes, layers, self.activity)
        self.optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.optimiser.param_groups:
            group["lr"] = self.peak_rate * factor
        self.optimiser.step()
        self.step += 1
        right = float((logits[asked].argmax(-1) == wanted).float().mean())
        active = {f"activity_{index}": float((y > 0).float().mean()) for index, y in enumerate(outputs)}
        return {"loss": float(loss.detach()), "train_accuracy": right, "rate": self.peak_rate * factor} | active

    def state(self) -> dict[str, Any]:
        """Everything needed to go on as if nothing had happened."""
        carried = _scaled(self.memory, torch.ones(()))
        return {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict(), "carried": carried, "step": self.step}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        states, o = state["carried"]
        self.memory = [(h, y) for h, y in states], o
        self.step = state["step"]


def _scaled(memory: Memory, factor: Tensor) -> Memory:
    """The state without its history, every number times `factor`."""
    states, o = memory
    return [(h.detach() * factor, y.detach() * factor) for h, y in states], o.detach() * factor


class Answers:
    """What a network says to held-out clips, frame by frame, and what follows from it."""

    def __init__(self, model: GestureNetwork, clips: data.Clips, mixed: bool = False) -> None:
        self.clips = clips
        self.logits, active = _logits(model, clips, mixed)
        self.activity = {f"activity_{index}": value for index, value in enumerate(active)}
        settled = np.minimum(clips.onset + SETTLED, data.FRAMES - 1)
        self.mean = np.stack([clip[start:].mean(0) for clip, start in zip(self.logits, settled, strict=True)])
        """[clips, classes]: mean over the frames of a clip after it has settled."""
        self.counted = np.arange(data.FRAMES) >= settled[:, None]

    def figures(self) -> dict[str, float]:
        """Accuracy per clip (mean of logits) and per frame, per take, and the activity of the layers."""
        right = self.mean.argmax(1) == self.clips.label
        by_frame = (self.logits.argmax(2) == self.clips.label[:, None])[self.counted]
        takes = {"plain": right[0 :: data.TAKES], "poor": right[1 :: data.TAKES]}
        share = {"accuracy": float(right.mean()), "accuracy_frame": float(by_frame.mean())}
        return share | {f"accuracy_{name}": float(part.mean()) for name, part in takes.items()} | self.activity

    def confusion(self) -> list[list[int]]:
        """Clips by [class, answer]."""
        table = np.zeros((len(GESTURES), len(GESTURES)), np.int64)
        np.add.at(table, (self.clips.label, self.mean.argmax(1)), 1)
        return [[int(value) for value in row] for row in table]

    def calibrate(self) -> tuple[float, float]:
        """Temperature and threshold from the settled frames (`calibrate`)."""
        labels = np.broadcast_to(self.clips.label[:, None], self.counted.shape)[self.counted]
        return calibrate(self.logits[self.counted], labels)


def calibrate(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> tuple[float, float]:
    """(temperature, threshold) for answers with these `logits` [n, classes] where `labels` [n] are right.

    The temperature has the least NLL (Guo et al. 2017, arXiv 1706.04599). The threshold, in steps of 0.05 from 0.2, is the first at which
    PRECISION of the accepted answers are right (`other_gestures` is never accepted as a gesture); 0.9 if none is.
    """
    scores, right = torch.from_numpy(logits), torch.from_numpy(labels)
    grid = np.exp(np.linspace(np.log(0.3), np.log(5.0), 40))
    temperature = float(min(grid, key=lambda value: float(functional.cross_entropy(scores / float(value), right))))
    confidence, answer = (scores / temperature).softmax(1).max(1)
    threshold = 0.9
    for candidate in (0.2 + 0.05 * step for step in range(14)):
        accepted = (confidence >= candidate) & (answer != OTHER)
        if float((answer[accepted] == right[accepted]).float().mean()) >= PRECISION:
            threshold = candidate
            break
    return round(temperature, 3), round(threshold, 2)


@torch.no_grad()
def _logits(model: GestureNetwork, clips: data.Clips, mixed: bool) -> tuple[npt.NDArray[np.float32], list[float]]:
    """Logits [clips, FRAMES, classes] from a fresh state, and the share of units that fire per layer."""
    training = model.training
    model.eval()
    parts: list[npt.NDArray[np.float32]] = []
    active = torch.zeros(len(model.hidden))
    for first in range(0, len(clips), 48):
        counts = torch.from_numpy(np.stack(clips.counts[first : first + 48], axis=1))
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            logits, outputs, _, _ = model(gesture.features(counts))
        active += torch.stack([(y > 0).float().mean() for y in outputs]) * counts.shape[1] / len(clips)
        parts.append(logits.float().transpose(0, 1).numpy())
    model.train(training)
    return np.concatenate(parts), active.tolist()


def _export(trainer: _Trainer, answers: Answers, path: Path, clips: int) -> dict[str, Any]:
    """Write the weights with what is known of them; returns the figures."""
    temperature, threshold = answers.calibrate()
    rounded = {name: round(value, 4) for name, value in answers.figures().items()}
    figures = rounded | {"confusion": answers.confusion(), "held_out_clips": len(answers.clips), "training_clips": clips}
    about = {
        "made": made(trainer.seed, trainer.step, figures),
        "licence": "Apache-2.0",
        "attribution": "Trained on simulated people only (pipeline.simulator); no recorded data.",
    }
    gesture.save(trainer.model, path, list(GESTURES), temperature, threshold, about)
    return figures | {"temperature": temperature, "threshold": threshold}


def _one_line(figures: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in figures.items() if isinstance(value, (int, float)))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `egret train gesture`."""
    parser.add_argument("--clips", type=int, default=4000, help="simulated clips of 3 s to train on; made once and kept")
    parser.add_argument("--out", type=Path, default=assets.path("gesture.safetensors"), help="where the weights go")
    parser.add_argument("--run", type=Path, default=Path("runs/gesture"), help="folder of the run: state, log, latest weights")
    parser.add_argument("--clip-folder", type=Path, default=Path("runs/clips"), help="where the clips are kept (0.5 GB a thousand)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in that folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=4000, help="steps of 40 stretches of 2 s")
    parser.add_argument("--hours", type=float, help="end after so many hours of computing, if that is earlier")
    parser.add_argument("--threads", type=int, default=1, help="processor threads")


def run(arguments: argparse.Namespace) -> int:
    """`egret train gesture`: returns the exit code."""
    figures = train(
        arguments.out,
        arguments.run,
        arguments.clip_folder,
        clips=arguments.clips,
        seed=arguments.seed,
        steps=arguments.steps,
        hours=arguments.hours,
        resume=arguments.resume,
        threads=arguments.threads,
    )
    print(f"{arguments.out}: {_one_line(figures)}")
    return 0


def main() -> int:
    """`python -m models.training.gesture`."""
    parser = argparse.ArgumentParser(description="Train Egret's gesture network.")
    add_arguments(parser)
    try:
        return run(parser.parse_args())
    except UserError as error:
        print(error, file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
