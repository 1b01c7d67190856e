"""What the readers of a text have in common, whatever the network: its optimiser, its average, and its place in the text.

All randomness of a step follows from (seed, step, process), and `state` holds everything else, so that a run that is resumed takes the
steps of one that was never stopped: exactly on a processor, up to rounding on a graphics processor.
"""

from abc import ABC, abstractmethod
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from models.training import corpus
from models.training.run import Average, World
from pipeline.errors import UserError

DRAW = 1_000_003
"""Keeps the seeds of steps apart."""


class Settings(Protocol):
    """What a recipe says of reading and of the optimiser's steps."""

    @property
    def streams(self) -> int: ...

    @property
    def window(self) -> int: ...

    @property
    def peak_rate(self) -> float: ...

    @property
    def weight_decay(self) -> float: ...

    @property
    def average(self) -> float: ...


class Reading(ABC):
    """A network, its optimiser, and where in the text it is. Whoever derives from it knows the network's state and what a step does."""

    def __init__(
        self, model: nn.Module, recipe: Settings, seed: int, world: World, material: corpus.Material, betas: tuple[float, float], eps: float
    ) -> None:
        """At the beginning of the text. UserError where that is too short for the recipe's streams. `betas` and `eps` are AdamW's."""
        self.model, self.recipe, self.seed, self.world, self.material = model.to(world.device), recipe, seed, world, material
        matrices = [p for p in model.parameters() if p.ndim == 2]
        vectors = [p for p in model.parameters() if p.ndim != 2]
        groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=recipe.peak_rate, betas=betas, eps=eps, fused=True)
        self.average = Average(model, recipe.average)
        self.step, self.epoch, self.place = 0, 0, 0
        self._read_epoch()

    @abstractmethod
    def carried(self) -> list[Tensor]:
        """The network's state of this process' streams, as `carry` takes it."""

    @abstractmethod
    def carry(self, parts: list[Tensor]) -> None:
        """Go on from what `carried` returned."""

    @property
    def tokens(self) -> int:
        """Tokens read so far, by all processes."""
        return self.step * self.world.size * self.recipe.streams * self.recipe.window

    def _read_epoch(self) -> None:
        streams, rank = self.recipe.streams, self.world.rank
        row = corpus.epoch(self.material.train, self.world.size * streams, self.seed, self.epoch)
        if len(row) <= self.recipe.window:
            raise UserError("The text is too short for so many streams and so long a window; take fewer or shorter ones.")
        self.text = torch.from_numpy(row[:, rank * streams : (rank + 1) * streams].copy()).to(self.world.device)

    def _next(self) -> tuple[Tensor, Tensor]:
        """The next window [T + 1, B], and which of the streams [B, 1] begin it with a fresh state, as use does now and then."""
        window = self.recipe.window
        if self.place + window >= len(self.text):
            self.epoch, self.place = self.epoch + 1, 0
            self._read_epoch()
        part = self.text[self.place : self.place + window + 1]
        self.place += window
        fresh = np.random.default_rng((self.seed, self.step, self.world.rank)).random(self.recipe.streams) < self.material.forget
        return part, torch.from_numpy(fresh)[:, None].to(self.world.device, non_blocking=True)

    def _seed_step(self) -> None:
        """Let the dropout of this step follow from the step alone."""
        torch.manual_seed((self.seed * DRAW + self.step) * self.world.size + self.world.rank)

    def _descend(self, rate: float, clip: float) -> None:
        """One step of the optimiser down the gradients, averaged over the processes and of norm `clip` at most."""
        self.world.average_gradients(self.model)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.step()

    def state(self) -> dict[str, Any]:
        """Everything needed to go on as if nothing had happened, of all processes."""
        trained = {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict(), "average": self.average.values}
        carried = self.world.gather([part.cpu() for part in self.carried()])
        return trained | {"carried": carried, "step": self.step, "epoch": self.epoch, "place": self.place}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.restore(state["average"])
        self.carry([part.to(self.world.device) for part in state["carried"][self.world.rank]])
        self.step, self.epoch, self.place = state["step"], state["epoch"], state["place"]
        self._read_epoch()
