"""The continuous cache: a memory of what was read, beside the network (Grave, Joulin and Usunier, ICLR 2017, arXiv 1612.04426).

The last outputs of the last layer, h_i, are kept, each with the token x_i that followed it. What follows now is guessed from them too:

    p_cache(w) is proportional to the sum over i of [x_i = w] exp(flatness h_i . h) ;  p(w) = (1 - share) p_network(w) + share p_cache(w)

(their equations 1 to 3). No weight is trained. It is a memory of the host and not of the chip, so it is only ever an addition, and its
figure stands beside the network's own.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

MOST = 1 << 16
"""Tokens that are remembered at most."""
FLATTEST = 1e4
"""Above it nothing but the most alike would count, and float32 overflow."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How much is remembered, and how much is made of it. What is best depends on the network: choose it on a text kept back for that.

    The defaults are the best for the bundled network on WikiText-2's validation text."""

    size: int = 6000
    """Tokens."""
    flatness: float = 0.6
    """Of the likeness of two outputs; 0: all that is remembered counts alike."""
    share: float = 0.2
    """Of the cache in what is said, 0 to 1."""

    @classmethod
    def parse(cls, text: str) -> "Settings":
        """The settings that ``SIZE,FLATNESS,SHARE`` names. ValueError where it names none."""
        size, flatness, share = text.split(",")
        made = cls(int(size), float(flatness), float(share))
        if not (1 <= made.size <= MOST and 0 <= made.flatness <= FLATTEST and 0 <= made.share < 1):
            raise ValueError("out of range")
        return made

    def __str__(self) -> str:
        """As `parse` takes it."""
        return f"{self.size},{self.flatness:g},{self.share:g}"


class Cache:
    """Remembers outputs and what followed them."""

    def __init__(self, width: int, settings: Settings) -> None:
        """`width` is the number of units of the last layer."""
        self._settings = settings
        self._outputs = np.zeros((settings.size, width), np.float32)
        self._followed = np.full(settings.size, -1, np.int64)
        self._read = 0

    def mixed(self, output: Floats, following: int, probability: float) -> float:
        """The probability of `following` after `output` [width], to which the network gives `probability`; and remember the two."""
        settings, filled = self._settings, min(self._read, self._settings.size)
        if filled:
            likeness = settings.flatness * (self._outputs[:filled] @ output)
            weights = np.exp(likeness - likeness.max())
            said = float(weights[self._followed[:filled] == following].sum() / weights.sum())
            probability = (1 - settings.share) * probability + settings.share * said
        place = self._read % settings.size
        self._outputs[place], self._followed[place] = output, following
        self._read += 1
        return probability
