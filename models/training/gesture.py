"""Trains the gesture network on simulated people.

    python -m models.training.gesture --clips 6000 --hours 1
    python -m models.training.gesture --clips 6000 --hours 1 --resume
    torchrun --nproc-per-node 2 -m models.training.gesture --clips 6000 --hours 1

How is written in trainer.py. Two processes on two cores take twice the steps of one: the loop over time does not share out well between
threads. With `--data` the network learns the DVS128 Gesture data set instead, for a user who has it (dvs128.py).
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import torch

import assets
from models import gesture
from models.local import Local
from models.training import clips as data
from models.training import dvs128, plot, prune
from models.training import run as runs
from models.training.answers import Answers
from models.training.loop import Figures, Progress, drive, one_line
from models.training.trainer import Recipe, Trainer
from models.training.widen import widened
from pipeline.errors import USAGE, UserError
from pipeline.simulator import GESTURES

HELD_OUT = 192
"""Clips kept back."""
CHANNELS = 16
MOST_CHANNELS = 64


def train(
    output: Path,
    run: Path = Path("runs/gesture"),
    clip_folder: Path = Path("runs/clips"),
    *,
    recordings: Path | None = None,
    start: Path | None = None,
    recipe: Recipe | None = None,
    clips: int = 6000,
    held_out: int = HELD_OUT,
    seed: int = 1,
    steps: int = 20000,
    hours: float | None = None,
    resume: bool = False,
    threads: int = 1,
    device: str = "cpu",
    save_every: int = 200,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train on the first `clips` simulated clips (generated into `clip_folder` where they are missing), write `output`, return the figures.

    With `recordings`, a folder with the DVS128 Gesture data set, on its training subjects instead, measured on its test subjects.
    With `start` the run begins with these weights instead of random ones; fewer channels than the recipe's are widened.
    Every `save_every` steps the run's state and ``latest.safetensors`` are written to `run`; it may be resumed with more clips.
    """
    recipe = recipe or Recipe()
    torch.set_num_threads(threads)
    with runs.World(device) as world:
        prune.check(recipe.density)
        folder = runs.Folder(run, recipe.settings(seed, world.size), resume, writes=world.first)
        network = None if start is None else _started(start, recipe, seed)  # what may be refused is, before hours of simulation
        learnt, kept_back = _simulated(world, clip_folder, clips, held_out) if recordings is None else _recorded(recordings)
        trainer = Trainer(recipe, seed, world, learnt, len(GESTURES), network, _workers(world))
        pace = runs.Pace(steps, hours)

        def advance() -> Figures:
            return trainer.advance(world.agree(pace.rate(trainer.step)), world.agree(pace.progress(trainer.step + 1)))

        def report(figures: dict[str, float]) -> str:
            answers = Answers(trainer.averaged(), kept_back, recipe.mixed)
            figures |= answers.figures()
            folder.log({"step": trainer.step, "seconds": pace.elapsed_s()} | figures)
            _export(trainer, answers, run / "latest.safetensors", recordings)
            return one_line(figures)

        if not drive(trainer, world, folder, pace, advance, report, name="gesture", save_every=save_every, progress=progress):
            return {}
        trainer.close()
        return _export(trainer, Answers(trainer.averaged(), kept_back), output, recordings)


def _workers(world: runs.World) -> int:
    """Processes that draw batches for a graphics processor; a processor that trains has no core to spare for them."""
    cores = len(os.sched_getaffinity(0)) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return 0 if world.device.type == "cpu" else max(1, cores - 2)


def _started(path: Path, recipe: Recipe, seed: int) -> gesture.GestureNetwork:
    """The network at `path`, with as many channels as the recipe wants. UserError if it has another shape or more of them."""
    network, _ = gesture.load(path)
    if network.geometry and recipe.geometry and network.geometry.channels < recipe.geometry.channels:
        network = widened(network, recipe.geometry.channels, torch.Generator().manual_seed(seed))
    if (tuple(network.hidden), network.geometry) != (recipe.hidden, recipe.geometry):
        raise UserError(f"{path} holds a network of another shape than the one to train; start from weights of this trainer.", USAGE)
    return network


def _simulated(world: runs.World, folder: Path, clips: int, held_out: int) -> tuple[data.Clips, data.Clips]:
    """Clips to train on and to measure on; the first process generates what is missing."""
    if world.first:
        data.prepare(folder, "held-out", held_out)
        data.prepare(folder, "train", clips)
    world.wait()
    return data.read(folder, "train", clips), data.read(folder, "held-out", held_out)


def _recorded(folder: Path) -> tuple[data.Clips, data.Clips]:
    """The same from DVS128 Gesture."""
    return dvs128.load(folder, "train"), dvs128.load(folder, "test")


def _export(trainer: Trainer, answers: Answers, path: Path, recordings: Path | None) -> dict[str, Any]:
    """Write the weights with what is known of them; returns the figures."""
    temperature, threshold = answers.calibrate()
    rounded = {name: round(value, 4) for name, value in answers.figures().items()}
    figures = rounded | {"confusion": answers.confusion(), "held_out_clips": len(answers.clips), "training_clips": len(trainer.clips)}
    simulated = "Trained on simulated people only (pipeline.simulator); no recorded data."
    about = {
        "made": runs.made(trainer.seed, trainer.step, figures),
        "licence": "Apache-2.0" if recordings is None else "as the DVS128 Gesture data set (CC BY 4.0)",
        "attribution": simulated if recordings is None else "Trained on DVS128 Gesture (Amir et al., CVPR 2017).",
    }
    gesture.save(trainer.averaged(), path, list(GESTURES), temperature, threshold, about)
    return figures | {"temperature": temperature, "threshold": threshold}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `egret train gesture`."""
    runs.add_arguments(parser, assets.path("gesture.safetensors"), Path("runs/gesture"), 20000)
    parser.add_argument(
        "--initial", dest="start", type=Path, metavar="WEIGHTS", help="begin with these weights (of as many channels, or fewer)"
    )
    parser.add_argument("--channels", type=int, default=CHANNELS, help=f"units at each of 8 x 8 places of the view (default: {CHANNELS})")
    parser.add_argument(
        "--batch", type=int, default=Recipe().batch, help=f"stretches of clips a step and process (default: {Recipe().batch})"
    )
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate (default: 0.002)")
    parser.add_argument(
        "--density", type=float, default=1.0, help="share of the weights to keep: the smallest go while it trains (default: 1)"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder with the DVS128 Gesture data set, to train on instead")
    parser.add_argument("--clips", type=int, default=6000, help="simulated clips of 3 s to train on; made once and kept")
    parser.add_argument("--held-out", type=int, default=HELD_OUT, help="simulated clips to measure on, never trained on")
    parser.add_argument("--clip-folder", type=Path, default=Path("runs/clips"), help="where the clips are kept (0.5 GB a thousand)")


def recipe(channels: int, rate: float, density: float, batch: int = Recipe().batch) -> Recipe:
    """The recipe for so many channels in the first layer. UserError for a number of them that no chip holds."""
    if not 1 <= channels <= MOST_CHANNELS:
        raise UserError(f"--channels {channels} makes no network for a chip: use 1 to {MOST_CHANNELS}.", USAGE)
    if batch < 1:
        raise UserError(f"--batch {batch} is no number of clips: use at least 1.", USAGE)
    geometry = Local(channels)
    return Recipe(hidden=(geometry.units, *Recipe().hidden[1:]), geometry=geometry, peak_rate=rate, density=density, batch=batch)


def run(arguments: argparse.Namespace) -> int:
    """`egret train gesture`: returns the exit code."""
    if arguments.plot:
        plot.curves(arguments.run, arguments.plot)
        return 0
    runs.check(arguments)
    figures = train(
        arguments.out,
        arguments.run,
        arguments.clip_folder,
        recordings=arguments.data,
        start=arguments.start,
        recipe=recipe(arguments.channels, arguments.rate, arguments.density, arguments.batch),
        clips=arguments.clips,
        held_out=arguments.held_out,
        seed=arguments.seed,
        steps=arguments.steps,
        hours=arguments.hours,
        resume=arguments.resume,
        threads=arguments.threads,
        save_every=arguments.save_every,
        device=arguments.device,
    )
    if figures:
        print(f"{arguments.out}: {one_line(figures)}")
    return 0


if __name__ == "__main__":
    sys.exit(runs.main("Train Egret's gesture network.", add_arguments, run))
