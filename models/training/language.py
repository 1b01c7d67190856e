"""Trains a language model: on conversations, or on WikiText-2.

    python -m models.training.language --data ../shared/data/text --hours 1
    python -m models.training.language --data ../shared/data/text/wikitext-2 --steps 40000
    python -m models.training.language --data ../shared/data/text/wikitext-2 --steps 40000 --resume
    torchrun --nproc-per-node 2 -m models.training.language --data ../shared/data/text/wikitext-2 --steps 40000

How is written in reader.py. Two processes on two cores take twice the steps of one: the loop over time does not share out well between
threads.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import assets
from models import language
from models.tokenizer import Tokenizer
from models.training import corpus, plot
from models.training import run as runs
from models.training.loop import Figures, Progress, drive, one_line
from models.training.perplexity import perplexity
from models.training.reader import CHAT, WIKITEXT, Reader, Recipe, rate_at
from pipeline.errors import USAGE, UserError

LOG_LIMIT = 2000
"""Tokens of every stream that a validation reads while training; the last one reads all."""
MOST = 1 << 16
"""Units of a layer and ids of a vocabulary at most, as in a file of weights (models/checkpoint.py)."""
DEFAULTS = {corpus.CHAT: ("language", CHAT, 9000), corpus.WIKITEXT: ("wikitext", WIKITEXT, 40_000)}
"""Of each kind of text the name of weights and run, the recipe, and the steps."""


def train(
    data: Path,
    output: Path,
    run: Path = Path("runs/language"),
    *,
    start: Path | None = None,
    recipe: Recipe | None = None,
    seed: int = 1,
    steps: int = 9000,
    hours: float | None = None,
    resume: bool = False,
    threads: int = 1,
    device: str = "cpu",
    save_every: int = 200,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train on the texts at `data`, write the weights to `output` and their tokenizer beside it; returns the figures.

    With `start` the run begins with these weights and their vocabulary instead of random ones.
    Every `save_every` steps the run's state, a line of its log and ``latest.safetensors`` are written to `run`.
    """
    kind = corpus.kind_of(data)
    recipe = recipe or DEFAULTS[kind][1]
    torch.set_num_threads(threads)
    with runs.World(device) as world:
        folder = runs.Folder(run, recipe.settings(kind, seed, world.size), resume, writes=world.first)
        network, tokenizer = (None, run / "tokenizer.json") if start is None else _started(start, recipe)
        reader = Reader(recipe, seed, world, world.share(lambda: corpus.material(data, tokenizer, recipe.vocabulary)), network)
        if world.first:  # not before: a run that was refused leaves no vocabulary to the next
            reader.material.tokenizer.save(run / "tokenizer.json")
        pace = runs.Pace(steps, hours)

        def advance() -> Figures:
            done = world.agree(pace.progress(reader.step + 1))
            return reader.advance(rate_at(done, reader.step, steps), done)

        def report(figures: dict[str, float]) -> str:
            figures |= _measured(reader, LOG_LIMIT)
            folder.log({"step": reader.step, "tokens": reader.tokens, "seconds": pace.elapsed_s()} | figures)
            _export(reader, run / "latest.safetensors", figures)
            return f"{one_line(figures)}\n  {_sample(reader)}"

        if not drive(reader, world, folder, pace, advance, report, name="language", save_every=save_every, progress=progress):
            return {}
        return _finish(reader, output)


def _started(path: Path, recipe: Recipe) -> tuple[language.LanguageModel, Path]:
    """The model at `path`, and where its tokenizer is.

    UserError if it has another shape than the recipe's, or no tokenizer of its own beside it.
    """
    model, place = language.load(path), path.with_suffix(".tokenizer.json")
    if (len(model.embedding), tuple(model.hidden)) != (recipe.vocabulary, recipe.hidden):
        raise UserError(f"{path} holds a model of another shape than the one to train; name its --hidden and --vocabulary.", USAGE)
    if not place.exists() or len(Tokenizer.load(place)) != recipe.vocabulary:
        raise UserError(f"There is no {place.name} of {path} beside it; take weights and tokenizer as `egret train language` wrote them.")
    return model, place


def _measured(reader: Reader, limit: int) -> dict[str, float]:
    """Perplexities of the average weights on the texts kept back, and the density."""
    material = reader.material
    figures = perplexity(reader.averaged(), material.validation, material.words, limit, reader.recipe.mixed)
    return {"density": reader.density()} | figures


def _export(reader: Reader, path: Path, figures: dict[str, Any]) -> None:
    """Write the average weights to `path` with what is known of them, and their tokenizer beside it."""
    material, tokenizer = reader.material, path.with_suffix(".tokenizer.json")
    about = {
        "made": runs.made(reader.seed, reader.step, figures | {"tokens_seen": reader.tokens}),
        "licence": material.licence,
        "attribution": material.attribution,
    }
    language.save(reader.averaged(), path, tokenizer.name, about)
    material.tokenizer.save(tokenizer)


def _finish(reader: Reader, path: Path) -> dict[str, Any]:
    """Write the weights to `path`, measure what was written on all texts that were kept back, and say so in the file."""
    _export(reader, path, {})
    material = reader.material
    figures = {"density": reader.density()} | perplexity(language.load(path).to(reader.world.device), material.validation, material.words)
    _export(reader, path, figures)
    return figures


def _sample(reader: Reader) -> str:
    """What the model would go on to say, for the log."""
    tokenizer = reader.material.tokenizer
    return " ".join(tokenizer.decode(reader.averaged().cpu().write(tokenizer, reader.material.prompt, 40)).split())


def _layers(text: str) -> tuple[int, ...]:
    """Sizes of layers from ``1024,320``. ArgumentTypeError where they are none."""
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError("sizes of layers are whole numbers with commas between them, as 1024,320") from None
    if not all(1 <= size <= MOST for size in sizes):
        raise argparse.ArgumentTypeError(f"a layer has between 1 and {MOST} units")
    return sizes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `egret train language`."""
    where = "folder with sgd-dialogues/ (and chatterbot-english/) for a chat model, or WikiText-2 as ids (a folder or .tar.gz)"
    parser.add_argument("--data", type=Path, default=Path("../shared/data/text"), help=where)
    runs.add_arguments(parser, assets.path("language.safetensors"), Path("runs/language"), 0)
    parser.set_defaults(out=None, run=None, steps=None)
    parser.add_argument("--initial", dest="start", type=Path, metavar="WEIGHTS", help="begin with these weights, of the same shape")
    parser.add_argument("--hidden", type=_layers, metavar="N,N", help="units of the layers; the last is as wide as the embedding")
    parser.add_argument("--vocabulary", type=int, metavar="N", help="ids of the byte-pair vocabulary, at most 8192")
    parser.add_argument("--streams", type=int, metavar="N", help="parallel parts of the text a process")
    parser.add_argument("--rate", dest="peak_rate", type=float, help="peak learning rate")
    parser.add_argument(
        "--density",
        type=float,
        help="share of the layers' weights that is kept at the end (default: 1; WikiText-2: 0.12); below 1, zeros of --initial stay",
    )
    parser.add_argument(
        "--dropout", type=float, default=1.0, metavar="F", help="factor on the recipe's dropout and dropconnect (default: 1)"
    )


def _recipe(kind: str, arguments: argparse.Namespace) -> Recipe:
    """The kind's recipe with what was asked for. UserError for what cannot be."""
    given = {name: getattr(arguments, name) for name in ("hidden", "vocabulary", "streams", "peak_rate", "density")}
    recipe = replace(DEFAULTS[kind][1], **{name: value for name, value in given.items() if value is not None})
    if not 260 <= recipe.vocabulary <= 8192:
        raise UserError("A vocabulary has between 260 and 8192 ids: more do not fit the chip.", USAGE)
    if recipe.streams < 1:
        raise UserError("There is at least one stream.", USAGE)
    dropouts, dropconnect = recipe.dropouts.times(arguments.dropout), recipe.dropconnect * arguments.dropout
    if not all(0 <= p < 1 for p in (dropouts.words, dropouts.inputs, dropouts.between, dropouts.outputs, dropconnect)):
        raise UserError(f"With the factor {arguments.dropout:g} a probability of dropout is not between 0 and 1.", USAGE)
    return replace(recipe, dropouts=dropouts, dropconnect=dropconnect)


def run(arguments: argparse.Namespace) -> int:
    """`egret train language`: returns the exit code."""
    runs.check(arguments)
    kind = corpus.kind_of(arguments.data)
    name, _, steps = DEFAULTS[kind]
    folder = arguments.run or Path("runs") / name
    if arguments.plot:
        plot.curves(folder, arguments.plot)
        return 0
    output = arguments.out or assets.path(f"{name}.safetensors")
    figures = train(
        arguments.data,
        output,
        folder,
        start=arguments.start,
        recipe=_recipe(kind, arguments),
        seed=arguments.seed,
        steps=steps if arguments.steps is None else arguments.steps,
        hours=arguments.hours,
        resume=arguments.resume,
        threads=arguments.threads,
        save_every=arguments.save_every,
        device=arguments.device,
    )
    if figures:
        print(f"{output}: {one_line(figures)}")
    return 0


if __name__ == "__main__":
    sys.exit(runs.main("Train a language model.", add_arguments, run))
