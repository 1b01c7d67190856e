"""Choosing the next token from scores, on the host. No torch.

**Order.** Rules are applied one after the other, each to what the ones before have left, and a rule at its neutral value does nothing:

1. *repetition penalty*: a score of a token among the last `repetition_window` is divided by the penalty if positive, else multiplied by it
   (Keskar et al., "CTRL", arXiv 1909.05858, section 4.1; for scores below 0 as transformers and llama.cpp do, since dividing would favour);
2. *temperature* T: p = softmax(scores / T) (Ackley, Hinton and Sejnowski, Cognitive Science 9, 1985, equation 5); at 0 the best is taken;
3. *top-k*: the k likeliest (Fan, Lewis and Dauphin, "Hierarchical neural story generation", arXiv 1805.04833, section 5.4);
4. *top-p*, the nucleus: the smallest set of the likeliest whose mass reaches p (Holtzman et al., arXiv 1904.09751, section 3.1);
5. *min-p*: those at least `min_p` times as likely as the best (Nguyen et al., "Turning up the heat", arXiv 2407.01082, section 3).

What is left is normalised and drawn from by inverse transform, candidates in the order of their likelihood, equal ones in that of their
ids. So a draw depends on the candidates alone, not on how they came: from all scores, or from the best k that a chip's read-out reports,
with the rest at minus infinity. The best token is never left out, unless it is one of `banned`.

**Randomness** is a function of seed and place (`generator`), not a stream: the same seed at the same token of the same conversation draws
the same number whether the conversation came there in one go or was rewound. The "state of the generator" is so two integers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

MAX_SEED = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen; the module's text gives the definitions. `ValueError` for values that have no meaning."""

    temperature: float = 0.7
    """0 takes the likeliest token always."""
    top_k: int = 40
    """0 considers all."""
    seed: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    """At least 1."""
    repetition_window: int = 64
    """Tokens back, the visitor's included; 0 looks at none."""

    def __post_init__(self) -> None:
        """Refuse what is out of range, not-a-number included."""
        ranges = {
            "temperature": (0, 100),
            "top_k": (0, 1 << 31),
            "seed": (0, MAX_SEED),
            "top_p": (0, 1),
            "min_p": (0, 1),
            "repetition_penalty": (1, 100),
            "repetition_window": (0, 1 << 31),
        }
        for name, (low, high) in ranges.items():
            if not low <= (value := getattr(self, name)) <= high:
                raise ValueError(f"{name} must lie between {low:g} and {high:g}, not be {value}")


PRESETS: dict[str, Sampling] = {
    "exact": Sampling(temperature=0.0, top_k=1),
    "careful": Sampling(temperature=0.4, top_k=40, top_p=0.9),
    "balanced": Sampling(),
    "lively": Sampling(temperature=1.0, top_k=0, min_p=0.05, repetition_penalty=1.1),
}
"""Settings by name; their seed is the user's own."""


def generator(seed: int, place: int) -> np.random.Generator:
    """The source of randomness for the token at `place` of a conversation (Philox is counter-based: Salmon et al., SC'11)."""
    return np.random.Generator(np.random.Philox(key=seed, counter=place))


def distribution(
    logits: Floats, how: Sampling, recent: Sequence[int] = (), banned: Sequence[int] = ()
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Token ids [n], likeliest first, and their probabilities [n] after all rules.

    `logits` [V] may hold minus infinity for tokens that are out of the question; `recent` are the tokens before, oldest first; `banned`
    ones are left out. ValueError where no token is left, or a score is infinite.
    """
    scores = np.asarray(logits, np.float64).copy()
    if how.repetition_penalty > 1 and how.repetition_window:
        repeated = np.unique(np.asarray(recent[-how.repetition_window :], np.int64))
        said = scores[repeated]
        scores[repeated] = np.where(said > 0, said / how.repetition_penalty, said * how.repetition_penalty)
    scores[list(banned)] = -np.inf
    ids = _best(scores, 1 if how.temperature == 0 else how.top_k)
    with np.errstate(over="ignore"):  # a temperature next to 0 leaves the best alone
        weights = np.exp((scores[ids] - scores[ids[0]]) / (how.temperature or 1.0))
    kept = weights
    if how.top_p < 1:
        mass = weights.cumsum()
        kept = weights[: int(np.searchsorted(mass, how.top_p * mass[-1])) + 1]
    kept = kept[: max(int(np.count_nonzero(kept >= how.min_p * kept[0])), 1)]
    return ids[: kept.size], kept / kept.sum()


def _best(scores: npt.NDArray[np.float64], k: int) -> npt.NDArray[np.int64]:
    """Ids of the `k` best finite scores (0: of all), best first; of equal ones the lower id comes first."""
    possible = np.flatnonzero(scores > -np.inf)
    if not possible.size:
        raise ValueError("no token is left to choose from")
    if scores[possible].max() == np.inf:
        raise ValueError("a token's score is infinite")
    if 0 < k < possible.size:
        least = np.partition(scores[possible], -k)[-k]
        above = np.flatnonzero(scores > least)
        possible = np.concatenate([above, np.flatnonzero(scores == least)[: k - above.size]])
    return possible[np.lexsort((possible, -scores[possible]))]


def sample(logits: Floats, how: Sampling, random: np.random.Generator, recent: Sequence[int] = (), banned: Sequence[int] = ()) -> int:
    """One token id, drawn with `random` from `distribution`, whose errors it raises."""
    ids, probabilities = distribution(logits, how, recent, banned)
    chosen = np.searchsorted(probabilities.cumsum(), random.random(), side="right")
    return int(ids[min(int(chosen), ids.size - 1)])
