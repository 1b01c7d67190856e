"""`python tests/benchmarks/bench_quantised.py [CLIPS [DENSITY...]]`: what int8, and pruning without training on, cost the bundled networks.

The gesture network on the simulated test set (CLIPS of every kind, default 4), the language model on a stretch of the dialogues that are
kept back, both in float32 and as programs of every DENSITY (default: 1). Takes minutes. Not a test.
"""

import math
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from app.engine.models import Models
from app.evaluation import language, material, measures
from app.evaluation.answers import answer
from app.progress import progress
from models import checkpoint
from models.chip import host, integer
from models.chip.compress import compress

DATA = Path(os.environ.get("EGRET_DATA", Path(__file__).parents[3] / "shared" / "data"))
TOKENS = 4000


def gestures(models: Models, clips: int, densities: list[float]) -> None:
    """Right answers of every network, of recordings and on average."""
    weights = checkpoint.load(models.gesture_path, "gesture")
    networks: dict[str, Any] = {"float32": host.GestureNetwork(*weights)}
    networks |= {f"int8, density {density:g}": integer.GestureNetwork(compress(*weights, density)) for density in densities}
    decider = models.decider()
    number, pieces = material.simulated(clips)
    given: dict[str, list[Any]] = {name: [] for name in networks}
    for piece in progress(pieces, "gestures", total=number, unit=" recordings"):
        frames = list(piece.frames)
        for name, network in networks.items():
            given[name].append(answer(replace(piece, frames=frames), SimpleNamespace(gesture=network), decider))  # type: ignore[arg-type]
    for name, answers in given.items():
        named = [one for one in answers if one.truth != material.NONE]
        right = sum(map(measures.is_right, named)) / len(named)
        average = sum(measures.is_right_on_average(one, decider.labels) for one in named) / len(named)
        print(f"gestures, {name}: {100 * right:.1f} % right, {100 * average:.1f} % by mean confidence, of {len(named)}", flush=True)


def perplexity(network: Any, heard: list[int]) -> float:
    """A token, of what is `heard`."""
    listener = language.Listener(network)
    listener.hear(heard)
    return math.exp(listener.nats / listener.tokens)


def tokens(models: Models, densities: list[float]) -> None:
    """Perplexity of every network."""
    weights = checkpoint.load(models.language_path, "language")
    heard = language.encode(models.tokenizer(), language.read(DATA / "text" / "sgd-dialogues" / "sgd_dev.txt.gz"))[:TOKENS]
    exact = perplexity(host.LanguageNetwork(*weights), heard)
    print(f"language, float32: perplexity {exact:.3f} a token, of {len(heard)}", flush=True)
    for density in densities:
        found = perplexity(integer.LanguageNetwork(compress(*weights, density)), heard)
        print(f"language, int8, density {density:g}: {found:.3f}, {100 * (found / exact - 1):+.2f} %", flush=True)


if __name__ == "__main__":
    asked = [float(value) for value in sys.argv[2:]] or [1.0]
    shipped = Models()
    tokens(shipped, asked)
    gestures(shipped, int(sys.argv[1]) if len(sys.argv) > 1 else 4, asked)
