"""One training of a language model on a row of tokens: the recipe, and everything that a step changes.

The text is cut into as many parallel streams as all processes' batches are wide, and every step reads the next `window` tokens of each:
truncated back-propagation through time with the state (h, y) carried from window to window. Where use begins with a state of zeros, a
stream's state is now and then set to zero in training too.

The regularisation is that of the published EGRU language models and of the LSTM models before them (Merity et al., ICLR 2018): dropconnect,
variational and embedding dropout, weight decay, a charge for units that fire too often, and a learning rate that stays at its peak for the
first half of the run and then follows a cosine. With a density below 1 the layers' smallest weights go while the network learns (prune.py).
What is kept and measured is the average of recent weights (`run.Average`).
"""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from models.egru import Options, activity_loss
from models.language import Dropouts, LanguageModel
from models.training import corpus
from models.training.likelihood import mean_loss
from models.training.passes import Passes
from models.training.prune import Pruner
from models.training.reading import Reading
from models.training.run import World

WARMUP = 200
"""Steps in which the learning rate rises, at most a tenth of the run."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is trained and how."""

    vocabulary: int = 2048
    hidden: tuple[int, ...] = (512, 384)
    """Units of the layers; the last is as wide as the embedding."""
    streams: int = 32
    """Parallel parts of the text a process."""
    window: int = 64
    """Tokens of each between two steps."""
    peak_rate: float = 4e-3
    activity: float = 0.2
    """Firing rate above which units are charged."""
    activity_weight: float = 5.0
    dropouts: Dropouts = field(default_factory=Dropouts)
    dropconnect: float = 0.0
    weight_decay: float = 0.02
    density: float = 1.0
    """Share of the layers' weights that is kept at the end (prune.py)."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    average: float = 0.998
    """Forgetting of the average weights a step."""
    mixed: bool = True
    """Take bfloat16 products."""

    def settings(self, kind: str, seed: int, size: int) -> dict[str, Any]:
        """What a resumed run must share. Rates, dropout and density may be another from then on."""
        shape = {"vocabulary": self.vocabulary, "hidden": list(self.hidden), "streams": self.streams, "window": self.window}
        return shape | {"text": kind, "seed": seed, "processes": size}


CHAT = Recipe(
    streams=64,
    dropouts=Dropouts(words=0.03, inputs=0.1, between=0.1, outputs=0.15),
    dropconnect=0.1,
    weight_decay=0.05,
    average=0.999,
)
WIKITEXT = Recipe(
    vocabulary=8192,
    hidden=(1344, 1344, 384),
    streams=128,
    window=70,
    peak_rate=1.5e-3,
    dropouts=Dropouts(words=0.1, inputs=0.4, between=0.15, outputs=0.35),
    dropconnect=0.4,
    weight_decay=0.1,
    density=0.12,
    clip=0.5,
    average=0.9995,
)
"""Fits one chip alone (119 PEs). For some hundred epochs: a recipe for a graphics processor."""


def rate_at(progress: float, step: int, steps: int) -> float:
    """Factor on the peak learning rate: a linear rise, the peak up to half of the run, a cosine down to 1 %."""
    warmup = min(WARMUP, max(1, steps // 10))
    cosine = 0.5 * (1 + math.cos(math.pi * max(0.0, 2 * progress - 1)))
    return min(1.0, (step + 1) / warmup) * (0.01 + 0.99 * cosine)


class Reader(Reading):
    """Model, optimiser, place in the text: everything that a step changes."""

    recipe: Recipe
    model: LanguageModel

    def __init__(self, recipe: Recipe, seed: int, world: World, material: corpus.Material, start: LanguageModel | None = None) -> None:
        """Untrained, or with the weights of `start`, a model of the recipe's shape.

        UserError where the text is too short for the streams or the recipe's density is none.
        """
        torch.manual_seed(seed)
        model = _network(recipe, material, Options(threshold_mean=0.15, dropconnect=recipe.dropconnect), recipe.dropouts)
        if start is not None:
            model.load_state_dict(start.state_dict())
        self.pruner = Pruner(model.stack.named_parameters(), recipe.density) if recipe.density != 1 else None
        super().__init__(model, recipe, seed, world, material, betas=(0.9, 0.98), eps=1e-8)
        self.states = self.model.start(recipe.streams)
        self.passes = Passes(self.model, self._pass)

    def carried(self) -> list[Tensor]:
        """h and y of every layer."""
        return [part.detach() for pair in self.states for part in pair]

    def carry(self, parts: list[Tensor]) -> None:
        """Go on from what `carried` returned."""
        self.states = list(zip(parts[0::2], parts[1::2], strict=True))

    def _pass(self, part: Tensor, fresh: Tensor, *before: Tensor) -> list[Tensor]:
        """The gradients of a window [T + 1, B] from the state `before`, zero where `fresh` [B, 1] says that a stream begins anew.

        Returns loss (nats a token), the layers' mean firing rates, and h and y of every layer.
        """
        recipe, keep = self.recipe, (~fresh).float()
        kept = [value * keep.to(value.dtype) for value in before]
        states = list(zip(kept[0::2], kept[1::2], strict=True))
        with torch.autocast(part.device.type, torch.bfloat16, enabled=recipe.mixed, cache_enabled=False):
            top, _, rates, states = self.model.read(part[:-1], states)
        loss = mean_loss(top, self.model.embedding, self.model.bias, part[1:])
        (loss + recipe.activity_weight * activity_loss(rates, recipe.activity)).backward()
        shares = [rate.detach().mean() for rate in rates]
        return [loss.detach(), torch.stack(shares), *(value.detach() for pair in states for value in pair)]

    def advance(self, factor: float, progress: float) -> dict[str, Tensor | float]:
        """One step at `factor` of the peak learning rate; returns loss (nats a token) and the share of units that fire.

        `progress` (0 to 1) is the share of the run that is done with this step: how many weights are pruned follows it.
        """
        recipe, rate = self.recipe, self.recipe.peak_rate * factor
        part, fresh = self._next()
        self._seed_step()
        loss, shares, *carried = self.passes(part, fresh, *self.carried())
        self.carry(carried)
        self._descend(rate, recipe.clip)
        if self.pruner is not None:
            self.pruner.hold(progress)
        self.average.take(self.model, self.step)
        self.step += 1
        return {"loss": loss, "rate": rate} | {f"activity_{index}": share for index, share in enumerate(shares)}

    def density(self) -> float:
        """Share of the layers' weights that are not zero."""
        matrices = [p for p in self.model.stack.parameters() if p.ndim == 2]
        return sum(int(torch.count_nonzero(p)) for p in matrices) / sum(p.numel() for p in matrices)

    def averaged(self) -> LanguageModel:
        """A network with the average weights."""
        model = _network(self.recipe, self.material)
        model.to(self.world.device).load_state_dict(self.average.values)
        if self.pruner is not None:  # the average remembers weights that have gone since
            self.pruner.cut(model.stack.named_parameters())
        return model.eval()

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        super().restore(state)
        if self.pruner is not None:
            self.pruner.resume(self.step)


def _network(recipe: Recipe, material: corpus.Material, options: Options | None = None, dropouts: Dropouts | None = None) -> LanguageModel:
    return LanguageModel(len(material.tokenizer), recipe.hidden[-1], list(recipe.hidden), options, dropouts)
