"""Trains a small SpikeGPT on the same text as the EGRU, by the same tools, for one honest comparison between the two.

    python -m models.training.spikegpt --data ../shared/data/text/wikitext-2 --hours 4
    python -m models.training.spikegpt --data ../shared/data/text/wikitext-2 --hours 4 --resume
    python -m models.training.spikegpt --data ../shared/data/text/wikitext-2 --device cuda

The layout is that of the published 46M network, scaled down. As in reader.py the text is cut into parallel streams, every step reads the
next `window` tokens of each with the state carried (published training begins with an empty one every 1,024 tokens), the randomness of a
step follows from the seed and the step, and what is kept and measured is the average of recent weights. Adam's settings are the published
ones but for a larger learning rate and weight decay, with which others have reproduced the network.

What is written is a checkpoint as they are published (float16), its vocabulary beside it, and how it was made as JSON:

    egret chat --weights runs/spikegpt/spikegpt.pth --prompt "The game was"
    egret evaluate language --weights runs/spikegpt/spikegpt.pth --data ../shared/data/text/wikitext-2
"""

import argparse
import json
import math
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.spikegpt import SpikeGPT, State
from models.training import corpus, plot
from models.training import run as runs
from models.training.likelihood import mean_loss
from models.training.loop import Figures, Progress, drive, one_line
from models.training.passes import Passes
from models.training.reader import rate_at
from models.training.reading import Reading
from pipeline.errors import USAGE, UserError

FOLDER = Path("runs/spikegpt")
STREAMS = 32
"""Parallel parts of the text that is kept back."""
LOG_LIMIT = 2000
"""Tokens of each that are read while training."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is trained and how."""

    vocabulary: int = 4096
    width: int = 256
    blocks: int = 6
    streams: int = 32
    """Parallel parts of the text a process."""
    window: int = 128
    """Tokens of each between two steps."""
    peak_rate: float = 2e-3
    weight_decay: float = 0.1
    dropout: float = 0.15
    average: float = 0.999
    """Forgetting of the average weights a step."""

    def settings(self, seed: int, size: int) -> dict[str, Any]:
        """What a resumed run must share."""
        shared = ("vocabulary", "width", "blocks", "streams", "window")
        return {name: value for name, value in asdict(self).items() if name in shared} | {"seed": seed, "processes": size}


class _Reader(Reading):
    """Model, optimiser, place in the text: everything that a step changes."""

    recipe: Recipe
    model: SpikeGPT

    def __init__(self, recipe: Recipe, seed: int, world: runs.World, material: corpus.Material) -> None:
        torch.manual_seed(seed)
        model = SpikeGPT(len(material.tokenizer), recipe.width, recipe.blocks, recipe.dropout)
        super().__init__(model, recipe, seed, world, material, betas=(0.9, 0.99), eps=4e-9)
        self.states: State = self.model.start(recipe.streams)
        self.passes = Passes(self.model, self._pass)

    def carried(self) -> list[Tensor]:
        """What the network carries, in the order of its names."""
        return list(self.states.values())

    def carry(self, parts: list[Tensor]) -> None:
        """Go on from what `carried` returned."""
        self.states = dict(zip(self.states, parts, strict=True))

    def _pass(self, part: Tensor, fresh: Tensor, *before: Tensor) -> list[Tensor]:
        """The gradients of a window [T + 1, B] from the state `before`, an empty one where `fresh` [B, 1] says that a stream begins anew.

        Returns loss (nats a token), the share of gates that spike, and the state afterwards in the order of its names.
        """
        start = self.model.start(1)
        states = {name: torch.where(fresh, start[name], value) for name, value in zip(self.states, before, strict=True)}
        with torch.autocast(part.device.type, torch.bfloat16, cache_enabled=False):
            top, spikes, after = self.model.read(part[:-1], states)
        loss = mean_loss(top.bfloat16(), self.model.head.weight, self.model.bias, part[1:])
        loss.backward()
        fired = torch.stack([gate.detach().mean() for gate in spikes]).mean()
        return [loss.detach(), fired, *after.values()]

    def advance(self, factor: float) -> dict[str, Tensor | float]:
        """One step at `factor` of the peak learning rate; returns loss (nats a token) and the share of gates that spike."""
        rate = self.recipe.peak_rate * factor
        part, fresh = self._next()
        self._seed_step()
        loss, fired, *carried = self.passes(part, fresh, *self.carried())
        self.carry(carried)
        self._descend(rate, clip=1.0)
        self.average.take(self.model, self.step)
        self.step += 1
        return {"loss": loss, "rate": rate, "activity": fired}

    def averaged(self) -> SpikeGPT:
        """A network with the average weights."""
        model = SpikeGPT(len(self.material.tokenizer), self.recipe.width, self.recipe.blocks)
        model.to(self.world.device).load_state_dict(self.average.values)
        return model.eval()

    def export(self, path: Path, figures: dict[str, Any]) -> None:
        """Write the average weights to `path` in the published layout, their vocabulary and how they were made beside them."""
        scratch = path.with_name(path.name + ".part")
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({name: value.half().cpu() for name, value in self.averaged().state_dict().items()}, scratch)
        scratch.replace(path)
        self.material.tokenizer.save(path.with_suffix(".tokenizer.json"))
        made = runs.made(self.seed, self.step, figures | {"tokens_seen": self.tokens})
        about = {"made": made, "recipe": asdict(self.recipe), "licence": self.material.licence, "attribution": self.material.attribution}
        path.with_suffix(".json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")


@torch.no_grad()
def perplexity(model: SpikeGPT, material: corpus.Material, limit: int | None = None) -> dict[str, float]:
    """Perplexities of the text that is kept back, in `STREAMS` parts, at most `limit` tokens of each, and the share of gates that spike.

    The exact figure, of one text from its beginning to its end, is that of `egret evaluate language`.
    """
    row = torch.from_numpy(np.concatenate(material.validation).astype(np.int64))
    length, device = len(row) // STREAMS, model.head.weight.device
    text = row[: length * STREAMS].reshape(STREAMS, length).t().to(device)
    state, total, count, fired = model.start(STREAMS), 0.0, 0, 0.0
    for place in range(0, min(length, limit or length) - 1, 128):
        part = text[place : place + 129]
        with torch.autocast(device.type, torch.bfloat16):
            top, spikes, state = model.read(part[:-1], state)
        total += float(mean_loss(top.float(), model.head.weight, model.bias, part[1:])) * part[1:].numel()
        fired += float(torch.stack([gate.mean() for gate in spikes]).mean()) * part[1:].numel()
        count += part[1:].numel()
    mean = total / count
    words = math.exp(mean * (len(row) - 1) / material.words)
    return {"perplexity_token": math.exp(mean), "perplexity_word": words, "activity": fired / count}


def train(
    data: Path,
    output: Path,
    run: Path = FOLDER,
    *,
    recipe: Recipe | None = None,
    seed: int = 1,
    steps: int = 20_000,
    hours: float | None = None,
    resume: bool = False,
    threads: int = 1,
    device: str = "cpu",
    save_every: int = 200,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train on the text at `data`, write the checkpoint to `output`; returns the figures. UserError where the text cannot be used.

    Every `save_every` steps the run's state, a line of its log and the checkpoint as it is then are written to `run`.
    """
    torch.set_num_threads(threads)
    recipe = recipe or Recipe()
    with runs.World(device) as world:
        folder = runs.Folder(run, recipe.settings(seed, world.size), resume, writes=world.first)
        tokenizer = run / "tokenizer.json"
        reader = _Reader(recipe, seed, world, world.share(lambda: corpus.material(data, tokenizer, recipe.vocabulary)))
        if world.first:  # not before: a run that was refused leaves no vocabulary to the next
            reader.material.tokenizer.save(tokenizer)
        pace = runs.Pace(steps, hours)

        def advance() -> Figures:
            return reader.advance(rate_at(world.agree(pace.progress(reader.step + 1)), reader.step, steps))

        def report(figures: dict[str, float]) -> str:
            figures |= perplexity(reader.averaged(), reader.material, LOG_LIMIT)
            folder.log({"step": reader.step, "tokens": reader.tokens, "seconds": pace.elapsed_s()} | figures)
            reader.export(run / "latest.pth", figures)
            return one_line(figures)

        if not drive(reader, world, folder, pace, advance, report, name="spikegpt", save_every=save_every, progress=progress):
            return {}
        figures = perplexity(reader.averaged(), reader.material)
        reader.export(output, figures)
        return figures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `egret train spikegpt`."""
    where = "WikiText-2 as ids (a folder or .tar.gz), or the folder of the chat texts"
    parser.add_argument("--data", type=Path, default=Path("../shared/data/text/wikitext-2"), help=where)
    runs.add_arguments(parser, FOLDER / "spikegpt.pth", FOLDER, 20_000)
    plain = Recipe()
    parser.add_argument("--width", type=int, default=plain.width, metavar="N", help=f"channels (default: {plain.width})")
    parser.add_argument("--blocks", type=int, default=plain.blocks, metavar="N", help=f"blocks (default: {plain.blocks})")
    parser.add_argument("--vocabulary", type=int, default=plain.vocabulary, metavar="N", help=f"tokens (default: {plain.vocabulary})")
    parser.add_argument("--streams", type=int, default=plain.streams, metavar="N", help="parallel parts of the text a process")
    parser.add_argument("--rate", dest="peak_rate", type=float, default=plain.peak_rate, help="peak learning rate")
    parser.add_argument("--dropout", type=float, default=plain.dropout, metavar="P", help="after every block")


def run(arguments: argparse.Namespace) -> int:
    """`egret train spikegpt`: returns the exit code."""
    if arguments.plot:
        plot.curves(arguments.run, arguments.plot)
        return 0
    runs.check(arguments)
    chosen = {name: getattr(arguments, name) for name in ("width", "blocks", "vocabulary", "streams", "peak_rate", "dropout")}
    if min(chosen["width"], chosen["blocks"], chosen["streams"]) < 1 or not 0 <= chosen["dropout"] < 1:
        raise UserError("Channels, blocks and streams are at least 1, and dropout is from 0 to below 1.", USAGE)
    if not 260 <= chosen["vocabulary"] <= 1 << 16:
        raise UserError("A vocabulary has between 260 and 65,536 tokens.", USAGE)
    figures = train(
        arguments.data,
        arguments.out,
        arguments.run,
        recipe=Recipe(**chosen),
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
    sys.exit(runs.main("Train a small SpikeGPT.", add_arguments, run))
