"""Choosing the next token from scores, on the host. No torch."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen. Temperature 0 takes the best one always."""

    temperature: float = 0.7
    top_k: int = 40
    """Only this many best tokens are considered; 0 considers all."""
    seed: int = 0


def sample(logits: npt.NDArray[np.float32], how: Sampling, random: np.random.Generator) -> int:
    """One token id from `logits` [vocabulary], drawn with `random` by inverse transform: equal seeds give equal texts."""
    if how.temperature <= 0:
        return int(logits.argmax())
    if 0 < how.top_k < len(logits):
        candidates = np.argpartition(logits, -how.top_k)[-how.top_k :]
        candidates.sort()
    else:
        candidates = np.arange(len(logits))
    scaled = logits[candidates].astype(np.float64) / how.temperature
    cumulative = np.exp(scaled - scaled.max()).cumsum()
    chosen = np.searchsorted(cumulative, random.random() * cumulative[-1], side="right")
    return int(candidates[min(int(chosen), len(candidates) - 1)])
