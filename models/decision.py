"""From class scores to a decision a visitor can trust.

One score vector arrives per window. The read-out of the network is leaky, so the scores already average over the recent past; here
they become a calibrated confidence (a softmax at the temperature fitted on held-out data, Guo et al. 2017, arXiv 1706.04599) and pass
four gates, each of which names itself when it closes:

``too few events``       the scene was nearly still during the last half second: whatever the network says, it saw nothing
``below the threshold``  no class is confident enough
``not a known gesture``  the best class is the one that stands for everything else
``settling``             a new class has not led for long enough yet; keeps the label from flickering
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

OTHER = "other_gestures"
"""The class that stands for every movement without a name of its own."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What one window of 25 ms was taken for."""

    label: str
    confidence: float
    accepted: bool
    reason: str
    """Why it was not accepted; empty if it was."""
    scores: tuple[float, ...]
    """A confidence per class; they add up to 1."""


def confidences(logits: npt.NDArray[np.float32], temperature: float) -> npt.NDArray[np.float64]:
    """Softmax of `logits` [classes] at `temperature`, in double precision."""
    scaled = np.asarray(logits, np.float64) / temperature
    powers = np.exp(scaled - scaled.max())
    return powers / powers.sum()


class Decider:
    """Turns the scores of successive windows into decisions. Holds the short memory that the gates need."""

    RECENT = 20
    """Windows over which events are counted for "too few events": half a second."""
    SETTLE = 4
    """Windows a new class must lead before it is accepted: 100 ms."""

    def __init__(self, labels: tuple[str, ...], *, temperature: float = 1.0, threshold: float = 0.5, min_events: float = 8.0) -> None:
        """`threshold` is a confidence; `min_events` the events per window, after filters, that a scene needs on average."""
        self.labels = labels
        self.temperature = temperature
        self.threshold = threshold
        self.min_events = min_events
        self.reset()

    def reset(self) -> None:
        """Forget the past, as at the start of a recording."""
        self._recent: deque[int] = deque(maxlen=self.RECENT)
        self._leader = -1
        self._led = 0

    def decide(self, logits: npt.NDArray[np.float32], events: int) -> Decision:
        """The decision for one window with these `logits` [classes] and this many `events` after filters."""
        scores = confidences(logits, self.temperature)
        best = int(scores.argmax())
        self._recent.append(events)
        self._led = self._led + 1 if best == self._leader else 1
        self._leader = best
        reason = self._why_not(best, float(scores[best]))
        return Decision(self.labels[best], float(scores[best]), not reason, reason, tuple(float(s) for s in scores))

    def _why_not(self, best: int, confidence: float) -> str:
        if sum(self._recent) < self.min_events * len(self._recent):
            return "too few events"
        if confidence < self.threshold:
            return "below the threshold"
        if self.labels[best] == OTHER:
            return "not a known gesture"
        if self._led < self.SETTLE:
            return "settling"
        return ""
