"""The gesture network's own trainer on real events with labels: N-MNIST (Orchard et al., Frontiers in Neuroscience 9:437, 2015).

The project has no labelled recordings of gestures, but 2,400 of digits 0 to 7 seen by a real sensor in three saccades of 100 ms. The same
EGRU layers, framing, variations and loss that learn gestures from simulated people learn these; what they reach says whether network and
trainer are sound, nothing about gestures. Nothing is chosen on the test recordings: the recipe is fixed, the last average weights are
taken.
"""

import os
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from models import gesture
from models.gesture import GestureNetwork
from models.local import Local
from models.training.augment import Ranges
from models.training.clips import Clips
from models.training.run import Pace, World
from models.training.trainer import Recipe, Trainer
from pipeline.errors import UserError
from pipeline.events import EVENT_DTYPE
from pipeline.filters import NO_FILTERS
from pipeline.frames import GRID, Framer

SIDE = 34
"""Pixels of the cut-out that a recording shows."""
WINDOW_US = 10_000
FRAMES = 32
DIGITS = 8
STEPS = 1200
RECIPE = Recipe(
    hidden=(768, 256),
    geometry=Local(12),
    window=FRAMES,
    grace=10,
    dropout=0.2,
    weight_decay=0.1,
    ranges=Ranges(shift=2.0, zoom=1.15, aspect=1.2, turn=0.2, tempo=1.1, fewest=0.4, exchange=False, covered=0.1),
)


def run(steps: int = STEPS) -> dict[str, Any]:
    """Train for `steps` and measure; needs ../shared/data/nmnist (or EGRET_DATA) and torch."""
    folder = Path(os.environ.get("EGRET_DATA", "../shared/data")) / "nmnist"
    learnt, asked = load(folder / "nmnist_train.npz"), load(folder / "nmnist_test.npz")
    begun = time.monotonic()
    torch.set_num_threads(os.cpu_count() or 1)
    with World() as world:
        trainer, pace = Trainer(RECIPE, 1, world, learnt, DIGITS), Pace(steps)
        for step in tqdm(range(steps), desc="nmnist", unit="step", mininterval=2):
            trainer.advance(pace.rate(step))
    model = trainer.averaged()
    answers, activity = answer(model, asked)
    return {
        "recordings to learn from": len(learnt),
        "recordings to test on": len(asked),
        "accuracy": float((answers == asked.label).mean()),
        "accuracy on what was learnt": float((answer(model, learnt)[0] == learnt.label).mean()),
        "units that fire in a step": activity,
        "parameters": sum(value.numel() for value in model.parameters()),
        "steps": steps,
        "minutes": (time.monotonic() - begun) / 60,
    }


def load(path: Path) -> Clips:
    """The recordings in `path` as clips of 32 frames of 10 ms. UserError if the file is not there or damaged."""
    if not path.is_file():
        raise UserError(f"There is no {path}: put the N-MNIST extract there, or set EGRET_DATA to the folder that holds nmnist/.")
    try:
        with np.load(path) as data:
            columns = {name: data[name] for name in ("t", "x", "y", "p", "offsets", "labels")}
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is not an N-MNIST extract ({error}).") from error
    events = np.zeros(len(columns["t"]), EVENT_DTYPE)
    events["timestamp"] = 1000 * columns["t"].astype(np.int64)
    events["x"], events["y"], events["polarity"] = columns["x"], columns["y"], columns["p"]
    counts = []
    for first, last in zip(columns["offsets"], columns["offsets"][1:], strict=False):
        framer = Framer(SIDE, SIDE, NO_FILTERS, WINDOW_US)
        framer.process(events[:0], 0)
        frames = framer.process(events[first:last], FRAMES * WINDOW_US).counts[:FRAMES]
        counts.append(np.minimum(frames, 255).astype(np.uint8))
    labels = columns["labels"].astype(np.int64)
    return Clips(counts, labels, np.zeros(len(labels), np.int64), labels)


@torch.no_grad()
def answer(model: GestureNetwork, clips: Clips) -> tuple[Any, float]:
    """The digit of every clip, by the mean of the logits from the second saccade on, and the share of units that fire in a step."""
    found, active = [], []
    for first in range(0, len(clips), 200):
        counts = torch.from_numpy(np.stack(clips.counts[first : first + 200], 1))
        logits, _, rates, _ = model(gesture.features(counts.view(FRAMES, -1, 2, GRID, GRID)))
        found.append(logits[RECIPE.grace :].mean(0).argmax(1).numpy())
        active.append(float(torch.cat(rates).mean()))
    return np.concatenate(found), float(np.mean(active))
