"""One training of a gesture network on framed clips: the recipe, and everything that a step changes.

Every step of a clip is asked for the class, from `Recipe.grace` frames after the movement begins. In use the network is never reset, so
half of the clips of a batch go on from the state in which the clip before left the network: a hand-over from one gesture to another.

What is kept and measured is the average of recent weights (`run.Average`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from models import gesture
from models.egru import Options, activity_loss
from models.gesture import GestureNetwork, Memory
from models.local import Local
from models.training import augment
from models.training.clips import Clips
from models.training.passes import Passes
from models.training.prune import Pruner
from models.training.run import Average, World
from pipeline.frames import GRID

HANDOVER = 0.5
"""Probability that a clip goes on from the state that the one before left."""
DRAW = 1_000_003
"""Keeps the seeds of steps apart."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is trained and how."""

    hidden: tuple[int, ...] = (768, 384)
    geometry: Local | None = field(default_factory=lambda: Local(12))
    batch: int = 32
    """Stretches a step and process."""
    window: int = 48
    """Frames of a stretch."""
    grace: int = 8
    """Frames (200 ms) after the onset before an answer is expected."""
    ranges: augment.Ranges = field(default_factory=augment.Ranges)
    """How clips are varied."""
    peak_rate: float = 2e-3
    activity: float = 0.12
    """Firing rate above which units are charged."""
    activity_weight: float = 5.0
    dropout: float = 0.1
    dropconnect: float = 0.05
    weight_decay: float = 0.03
    mixed: bool = True
    """Take bfloat16 products."""
    density: float = 1.0
    """Share of the weights that is kept at the end (prune.py), the shared kernels of a local layer not counted."""

    def settings(self, seed: int, size: int) -> dict[str, Any]:
        """What a resumed run must share."""
        place = self.geometry
        shape = {"hidden": list(self.hidden), "local": [place.channels, place.grid, place.block, place.reach] if place else []}
        return shape | {"seed": seed, "batch": self.batch, "window": self.window, "processes": size}


class Trainer:
    """Network, optimiser, last state of every lane of the batch: everything that a step changes."""

    def __init__(
        self, recipe: Recipe, seed: int, world: World, clips: Clips, classes: int, start: GestureNetwork | None = None, workers: int = 0
    ) -> None:
        """Untrained, or with the weights of `start`, a network of the recipe's shape.

        `workers` processes draw batches ahead, so that a graphics processor does not wait for them.
        """
        self.recipe, self.seed, self.world, self.clips, self.classes = recipe, seed, world, clips, classes
        torch.manual_seed(seed)
        options = Options(threshold_mean=0.15, dropconnect=recipe.dropconnect)
        self.model = GestureNetwork(list(recipe.hidden), classes, options, recipe.dropout, geometry=recipe.geometry).to(world.device)
        matrices = [p for p in self.model.parameters() if p.ndim > 1]
        vectors = [p for p in self.model.parameters() if p.ndim == 1]
        groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=recipe.peak_rate, betas=(0.9, 0.98), fused=True)
        if start is not None:
            self.model.load_state_dict(start.state_dict())
        self.average = Average(self.model)
        self.pruner = Pruner(self.model.stack.named_parameters(), recipe.density) if recipe.density != 1 else None
        self.memory = self.model.start(recipe.batch)
        self.passes = Passes(self.model, self._pass)
        self.workers = workers
        self._batches: Iterator[tuple[Tensor, Tensor, Tensor, Tensor]] | None = None
        self.step = 0

    def draw(self, step: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The batch of (seed, step, process): counts [T, B, 2, 32, 32], class [B], onset's frame [B], 1 where the state is kept [B]."""
        recipe, rng = self.recipe, np.random.default_rng((self.seed, step, self.world.rank))
        counts = np.empty((recipe.batch, recipe.window, 2, GRID, GRID), np.uint8)
        labels, onsets = np.empty(recipe.batch, np.int64), np.empty(recipe.batch, np.int64)
        for lane, index in enumerate(rng.integers(0, len(self.clips), recipe.batch)):
            clip, variation = self.clips.counts[index], augment.draw(rng, recipe.ranges)
            start = int(rng.integers(0, max(1, len(clip) - int(recipe.window * variation.tempo) + 1)))
            augment.vary(clip, start, variation, counts[lane], int(rng.integers(1 << 62)))
            labels[lane] = variation.label(int(self.clips.label[index]))
            onsets[lane] = max(0, variation.frame(int(self.clips.onset[index]), start))
        keep = torch.from_numpy((rng.random(recipe.batch) < HANDOVER).astype(np.float32))
        return torch.from_numpy(counts).transpose(0, 1), torch.from_numpy(labels), torch.from_numpy(onsets), keep

    def _next(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """`draw` of this step, perhaps drawn already."""
        if self.workers == 0:
            return self.draw(self.step)
        if self._batches is None:
            self._batches = iter(
                DataLoader(
                    _Draws(self),
                    None,
                    sampler=count(self.step),
                    num_workers=self.workers,
                    prefetch_factor=4,
                    multiprocessing_context="fork",
                )
            )
        drawn: tuple[Tensor, Tensor, Tensor, Tensor] = next(self._batches)
        return drawn

    def close(self) -> None:
        """End the processes that draw ahead."""
        self._batches = None

    def _pass(self, counts: Tensor, labels: Tensor, onset: Tensor, keep: Tensor, *before: Tensor) -> list[Tensor]:
        """The gradients of a batch as `draw` makes it, from the state `before`; a lane's is taken up where `keep` is 1.

        Returns loss, accuracy over the frames that count, the layers' mean firing rates, and the state.
        """
        recipe = self.recipe
        with torch.autocast(counts.device.type, torch.bfloat16, enabled=recipe.mixed, cache_enabled=False):
            features = gesture.features(counts, recipe.mixed)
            logits, _, rates, memory = self.model(features, _memory([value * keep[:, None].to(value.dtype) for value in before]))
        frames = torch.arange(len(counts), device=counts.device)[:, None]
        asked = (frames >= (onset + recipe.grace).clamp(max=len(counts) - 1)).flatten().float()
        logits, wanted = logits.float().flatten(0, 1), labels.repeat(len(counts))
        loss = (functional.cross_entropy(logits, wanted, reduction="none") * asked).sum() / asked.sum()
        (loss + recipe.activity_weight * activity_loss(rates, recipe.activity)).backward()
        right = ((logits.argmax(-1) == wanted) * asked).sum() / asked.sum()
        shares = torch.stack([rate.detach().mean() for rate in rates])
        return [loss.detach(), right, shares, *(value.detach() for value in _parts(memory))]

    def advance(self, factor: float, progress: float = 0.0) -> dict[str, Tensor | float]:
        """One step at `factor` of the peak learning rate; returns loss, accuracy over the frames that count, and activity.

        `progress` (0 to 1) is the share of the run that is done with this step: how many weights are pruned follows it.
        """
        recipe = self.recipe
        batch = [part.to(self.world.device, non_blocking=True) for part in self._next()]
        torch.manual_seed((self.seed * DRAW + self.step) * self.world.size + self.world.rank)  # dropout follows from the step alone
        loss, right, shares, *after = self.passes(*batch, *_parts(self.memory))
        self.memory = _memory(after)
        self.world.average_gradients(self.model)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.peak_rate * factor
        self.optimiser.step()
        if self.pruner is not None:
            self.pruner.hold(progress)
        self.average.take(self.model, self.step)
        self.step += 1
        active = {f"activity_{index}": share for index, share in enumerate(shares)}
        return {"loss": loss, "train_accuracy": right, "rate": recipe.peak_rate * factor} | active

    def averaged(self) -> GestureNetwork:
        """A network with the average weights."""
        recipe = self.recipe
        model = GestureNetwork(list(recipe.hidden), self.classes, geometry=recipe.geometry)
        model.to(self.world.device).load_state_dict(self.average.values)
        if self.pruner is not None:  # the average remembers weights that have gone since
            self.pruner.cut(model.stack.named_parameters())
        return model.eval()

    def state(self) -> dict[str, Any]:
        """Everything needed to go on as if nothing had happened, of all processes."""
        carried = self.world.gather([part.cpu() for part in _parts(self.memory)])
        trained = {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict(), "average": self.average.values}
        return trained | {"carried": carried, "step": self.step}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.restore(state["average"])
        self.memory = _memory([part.to(self.world.device) for part in state["carried"][self.world.rank]])
        self.step, self._batches = state["step"], None
        if self.pruner is not None:
            self.pruner.resume(self.step)


class _Draws(Dataset[tuple[Tensor, ...]]):
    """A trainer's batches by step."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def __getitem__(self, step: int) -> tuple[Tensor, ...]:
        return self.trainer.draw(step)


def _parts(memory: Memory) -> list[Tensor]:
    """h and y of every layer, and the read-out's o."""
    states, o = memory
    return [*(part for pair in states for part in pair), o]


def _memory(parts: list[Tensor]) -> Memory:
    """What `_parts` took apart."""
    return list(zip(parts[0:-1:2], parts[1:-1:2], strict=True)), parts[-1]
