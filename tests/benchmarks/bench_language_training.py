"""`python tests/benchmarks/bench_language_training.py`: tokens a second of the language trainer's alternatives. Not a test.

Every alternative takes one step a round, and the rounds go through all of them, so that whatever else the computer does falls on all alike;
the quickest step counts, in processor time of one thread. Set OMP_NUM_THREADS=1, and for large models MALLOC_MMAP_MAX_=0 and
MALLOC_TRIM_THRESHOLD_=100000000000, as for the training itself.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from models import sequence
from models.egru import Options, activity_loss
from models.language import Dropouts, LanguageModel
from models.training.likelihood import mean_loss

ROUNDS = 3


@dataclass(frozen=True)
class Alternative:
    """A model, a batch, and how they are computed."""

    vocabulary: int = 4096
    hidden: tuple[int, ...] = (1024, 320)
    streams: int = 48
    window: int = 70
    packed: bool = True
    """Weights laid out once a sequence, gradients from matrices turned over in memory."""
    fused: bool = True
    """Loss and gradient of the read-out in one go, one pass of the optimiser."""
    mixed: bool = True
    sampled: int = 0
    """Instead of all of the vocabulary so many random tokens, and those of the batch, in the soft-max."""

    def step(self) -> Callable[[], None]:
        """A training step of it."""
        torch.manual_seed(1)
        options = Options(dropconnect=0.2)
        model = LanguageModel(self.vocabulary, self.hidden[-1], list(self.hidden), options, Dropouts(0.05, 0.2, 0.2, 0.3))
        if not self.packed:
            for layer in model.stack.layers:
                layer.product = sequence.Dense()
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=self.fused)
        tokens, states = torch.randint(0, self.vocabulary, (self.window + 1, self.streams)), model.start(self.streams)

        def step() -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=self.mixed):
                top, _, rates, _ = model.read(tokens[:-1], states)
                loss = self._loss(model, top, tokens[1:])
            optimiser.zero_grad()
            (loss + activity_loss(rates, 0.2)).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()

        return step

    def _loss(self, model: LanguageModel, top: Tensor, targets: Tensor) -> Tensor:
        if self.sampled:
            ids, places = torch.cat((torch.randint(0, self.vocabulary, (self.sampled,)), targets.flatten())).unique(return_inverse=True)
            return mean_loss(top, model.embedding[ids], model.bias[ids], places[self.sampled :].view(targets.shape))
        if self.fused:
            return mean_loss(top, model.embedding, model.bias, targets)
        return functional.cross_entropy((top @ model.embedding.t() + model.bias).float().flatten(0, 1), targets.flatten())


BASE = Alternative()
ALTERNATIVES = {
    "as trained": BASE,
    "weights laid out in every step": replace(BASE, packed=False),
    "autograd's soft-max, optimiser in parts": replace(BASE, fused=False),
    "both, as it was": replace(BASE, packed=False, fused=False),
    "soft-max over 1,024 samples": replace(BASE, sampled=1024),
    "vocabulary 2,048": replace(BASE, vocabulary=2048),
    "vocabulary 8,192": replace(BASE, vocabulary=8192),
    "32 streams": replace(BASE, streams=32),
    "96 streams": replace(BASE, streams=96),
    "window 35": replace(BASE, window=35),
    "512, 320 units": replace(BASE, hidden=(512, 320)),
    "1536, 320 units": replace(BASE, hidden=(1536, 320)),
    "768, 768, 320 units": replace(BASE, hidden=(768, 768, 320)),
    "float32": replace(BASE, mixed=False),
}


def main() -> None:
    """Measure all, or those whose names hold the first argument."""
    torch.set_num_threads(1)
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    steps = {name: made.step() for name, made in ALTERNATIVES.items() if wanted in name}
    best = dict.fromkeys(steps, float("inf"))
    for turn in range(ROUNDS + 1):
        for name, step in steps.items():
            begun = time.process_time()
            step()
            if turn:  # the first warms up
                best[name] = min(best[name], time.process_time() - begun)
    for name, seconds in best.items():
        made = ALTERNATIVES[name]
        print(f"{name:40} {made.streams * made.window / seconds:8,.0f} tokens/s")


if __name__ == "__main__":
    main()
