"""Trains the language model on conversations.

The corpus is cut into as many parallel streams as the batch is wide, and every step reads the next `window` tokens of each: truncated
back-propagation through time with the state (h, y) carried from window to window. In use a model starts from a state of zeros, so now and
then a stream's state is set to zero in training too.

    python -m models.training.language --text ../shared/data/text --hours 1
    python -m models.training.language --text ../shared/data/text --hours 1 --resume
"""

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm

import assets
from models import language
from models.egru import Options, State, activity_loss
from models.language import LanguageModel
from models.tokenizer import Tokenizer
from models.training import corpus as texts
from models.training import plot
from models.training import run as runs
from pipeline.errors import UserError

FORGET = 1 / 32
"""Probability that a stream's state is set to zero before a window."""
VALIDATION_STREAMS = 32
Progress = Callable[[int, int, dict[str, float]], None]
"""Called after every step with (step, steps or 0 if unknown, figures)."""


def train(
    text: Path,
    output: Path,
    run: Path = Path("runs/language"),
    *,
    seed: int = 1,
    steps: int = 9000,
    hours: float | None = None,
    resume: bool = False,
    threads: int = 1,
    vocabulary: int = 2048,
    hidden: tuple[int, ...] = (512, 384),
    streams: int = 32,
    window: int = 64,
    peak_rate: float = 4e-3,
    activity: float = 0.2,
    activity_weight: float = 5.0,
    mixed: bool = True,
    save_every: int = 250,
    progress: Progress | None = None,
) -> dict[str, float]:
    """Train on the texts in folder `text`, write the weights to `output` and the tokenizer beside it; returns the figures.

    `hidden` are the layers' sizes; the last is the embedding's. `activity` is the firing rate above which units are charged, `mixed` takes
    bfloat16 products. Every `save_every` steps the run's state, a validation and ``latest.safetensors`` are written to `run`.
    """
    torch.set_num_threads(threads)
    settings = {"seed": seed, "vocabulary": vocabulary, "hidden": list(hidden), "streams": streams, "window": window}
    folder = runs.Folder(run, settings, resume)
    corpus = texts.read(text)
    tokenizer = _tokenizer(run / "language.tokenizer.json", corpus, vocabulary)
    trainer = _Trainer(settings, tokenizer, corpus, mixed, peak_rate, activity, activity_weight)
    pace = runs.Pace(steps, hours)
    if folder.state is not None:
        trainer.restore(folder.state)
        pace.spent_s = folder.state["spent_s"]
    with tqdm(total=steps, initial=trainer.step, desc="language", unit="step", file=sys.stderr, mininterval=2) as bar:
        while not pace.done(trainer.step):
            figures = trainer.advance(pace.rate(trainer.step))
            bar.update()
            if progress is not None:
                progress(trainer.step, steps, figures)
            if trainer.step % save_every == 0:
                folder.write(trainer.state() | {"spent_s": pace.elapsed_s()})
                figures |= trainer.validate(4000)
                folder.log({"step": trainer.step, "tokens": trainer.tokens, "seconds": pace.elapsed_s()} | figures)
                trainer.export(run / "latest.safetensors", figures)
                bar.write(f"step {trainer.step}: {_one_line(figures)}\n  {trainer.sample()}", file=sys.stderr)
    folder.write(trainer.state() | {"spent_s": pace.elapsed_s()})
    figures = trainer.export(output, None)
    tokenizer.save(output.with_name("language.tokenizer.json"))
    return figures


class _Trainer:
    """Model, optimiser, place in the corpus: everything that a step changes."""

    def __init__(
        self,
        settings: dict[str, Any],
        tokenizer: Tokenizer,
        corpus: texts.Corpus,
        mixed: bool,
        peak_rate: float,
        activity: float,
        activity_weight: float,
    ) -> None:
        self.seed, self.streams, self.window = settings["seed"], settings["streams"], settings["window"]
        self.mixed, self.peak_rate, self.activity, self.activity_weight = mixed, peak_rate, activity, activity_weight
        self.tokenizer = tokenizer
        self.dialogues, self.small_talk = texts.encode(tokenizer, corpus.train), texts.encode(tokenizer, corpus.small_talk)
        self.validation, self.validation_words = texts.encode(tokenizer, corpus.validation), texts.words(corpus.validation)
        torch.manual_seed(self.seed)
        self.model = LanguageModel(len(tokenizer), settings["hidden"][-1], settings["hidden"], Options(threshold_mean=0.15))
        matrices = [p for p in self.model.parameters() if p.ndim > 1]
        vectors = [p for p in self.model.parameters() if p.ndim == 1]
        groups = [{"params": matrices, "weight_decay": 0.02}, {"params": vectors, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=peak_rate, betas=(0.9, 0.98))
        self.states = self.model.start(self.streams)
        self.step = 0
        self.epoch, self.place = 0, 0
        self._read_epoch()

    @property
    def tokens(self) -> int:
        """Tokens read so far."""
        return self.step * self.streams * self.window

    def _read_epoch(self) -> None:
        self.text = torch.from_numpy(texts.epoch(self.dialogues, self.small_talk, self.streams, self.seed, self.epoch))
        if len(self.text) <= self.window:
            raise UserError("The text is too short for so many streams and so long a window; take fewer or shorter ones.")

    def advance(self, factor: float) -> dict[str, float]:
        """One step at `factor` of the peak learning rate; returns loss (nats a token) and the share of units that fire."""
        if self.place + self.window >= len(self.text):
            self.epoch, self.place = self.epoch + 1, 0
            self._read_epoch()
        part = self.text[self.place : self.place + self.window + 1]
        self.place += self.window
        kept = np.random.default_rng((self.seed, self.step)).random(self.streams) >= FORGET
        keep = torch.from_numpy(kept.astype(np.float32))[:, None]
        self.states = [(h.detach() * keep, y.detach() * keep) for h, y in self.states]
        with torch.autocast("cpu", torch.bfloat16, enabled=self.mixed):
            logits, outputs, rates, self.states = self.model(part[:-1], self.states)
        loss = functional.cross_entropy(logits.float().flatten(0, 1), part[1:].flatten())
        total = loss + self.activity_weight * activity_loss(rates, self.activity)
        self.optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self.optimiser.param_groups:
            group["lr"] = self.peak_rate * factor
        self.optimiser.step()
        self.step += 1
        active = {f"activity_{index}": float((y > 0).float().mean()) for index, y in enumerate(outputs)}
        return {"loss": float(loss.detach()), "rate": self.peak_rate * factor} | active

    def state(self) -> dict[str, Any]:
        """Everything needed to go on as if nothing had happened."""
        carried: list[State] = [(h.detach(), y.detach()) for h, y in self.states]
        place = {"step": self.step, "epoch": self.epoch, "place": self.place}
        return {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict(), "carried": carried} | place

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.states = [(h, y) for h, y in state["carried"]]
        self.step, self.epoch, self.place = state["step"], state["epoch"], state["place"]
        self._read_epoch()

    def validate(self, limit: int | None = None) -> dict[str, float]:
        """Perplexities of the model as it stands, on the dialogues kept back (the first `limit` tokens of each stream)."""
        return perplexity(self.model, self.validation, self.validation_words, limit, mixed=limit is not None)

    def export(self, path: Path, figures: dict[str, float] | None) -> dict[str, float]:
        """Write the weights to `path`; without `figures`, measure what was written on the whole validation text and say so in the file."""
        about = {"licence": texts.LICENCE, "attribution": texts.ATTRIBUTION}
        figures = figures or {}
        tokenizer = "language.tokenizer.json"
        for measured in (False, True) if not figures else (True,):
            entry = {"made": runs.made(self.seed, self.step, figures | {"tokens_seen": self.tokens})}
            language.save(self.model, path, tokenizer, entry | about)
            if not measured:
                figures = perplexity(language.load(path), self.validation, self.validation_words)
        return figures

    def sample(self) -> str:
        """A short answer of the model, for the log."""
        ids = self.model.write(self.tokenizer, self.tokenizer.prompt("I need a restaurant in San Jose for two people.", True), 40)
        return self.tokenizer.decode(ids).strip()


@torch.no_grad()
def perplexity(
    model: LanguageModel, conversations: list[texts.Tokens], words: int, limit: int | None = None, mixed: bool = False
) -> dict[str, float]:
    """Perplexity of `conversations`, one long text in `VALIDATION_STREAMS` parallel parts, and the activity of the layers.

    `perplexity_token` is exp(mean NLL) over all tokens, markers included; `perplexity_word` is exp(total NLL / words said), the markers'
    NLL included and their number not: comparable between tokenizers, and a little pessimistic. `limit` stops after so many tokens a stream.
    """
    row = torch.from_numpy(np.concatenate(conversations).astype(np.int64))
    length = len(row) // VALIDATION_STREAMS
    text = row[: length * VALIDATION_STREAMS].reshape(VALIDATION_STREAMS, length).t()
    training = model.training
    model.eval()
    states, total, count, active = model.start(VALIDATION_STREAMS), 0.0, 0, torch.zeros(len(model.hidden))
    for place in range(0, min(length, limit or length) - 1, 128):
        part = text[place : place + 129]
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            logits, outputs, _, states = model(part[:-1], states)
        total += float(functional.cross_entropy(logits.float().flatten(0, 1), part[1:].flatten(), reduction="sum"))
        count += part[1:].numel()
        active += torch.stack([(y > 0).float().mean() for y in outputs]) * part[1:].numel()
    model.train(training)
    mean = total / count
    by_layer = {f"activity_{index}": value for index, value in enumerate((active / count).tolist())}
    return {"perplexity_token": math.exp(mean), "perplexity_word": math.exp(mean * len(row) / words)} | by_layer


def _tokenizer(path: Path, corpus: texts.Corpus, vocabulary: int) -> Tokenizer:
    if path.exists():
        return Tokenizer.load(path)
    tokenizer = Tokenizer.train(texts.texts(corpus), vocabulary)
    tokenizer.save(path)
    return tokenizer


def _one_line(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in figures.items())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `egret train language`."""
    parser.add_argument(
        "--text", type=Path, default=Path("../shared/data/text"), help="folder with sgd-dialogues/ (and chatterbot-english/)"
    )
    runs.add_arguments(parser, assets.path("language.safetensors"), Path("runs/language"), 9000)


def run(arguments: argparse.Namespace) -> int:
    """`egret train language`: returns the exit code."""
    if arguments.plot:
        plot.curves(arguments.run, arguments.plot)
        return 0
    figures = train(
        arguments.text,
        arguments.out,
        arguments.run,
        seed=arguments.seed,
        steps=arguments.steps,
        hours=arguments.hours,
        resume=arguments.resume,
        threads=arguments.threads,
    )
    print(f"{arguments.out}: {_one_line(figures)}")
    return 0


if __name__ == "__main__":
    sys.exit(runs.main("Train Egret's language model.", add_arguments, run))
