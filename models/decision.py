"""From class scores to a decision a visitor can trust.

One score vector arrives per window. The read-out of the network is leaky, so the scores already average over the recent past; here
they become a calibrated confidence (a softmax at the temperature fitted on held-out data, Guo et al. 2017, arXiv 1706.04599) and pass
five gates, each of which names itself when it closes:

``too few events``       the scene was nearly still during the last half second: whatever the network says, it saw nothing
``not a known gesture``  the best class is the one that stands for everything else
``classes too close``    the two best classes are nearly even; together they would have been enough
``below the threshold``  no class is confident enough
``settling``             a new class has not led for long enough yet

Once a gesture has passed them all it is held, so that neither the label nor its acceptance flickers (a Schmitt trigger on three levels):
it stays until another class has led for as long as a new one has to, or its confidence, or the number of events, falls below `KEEP`
times what it took to be accepted. While it is held it is the label, whichever class leads for a moment.
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
    margin: float
    """Confidence of the label less that of the best other class; negative while a label is held that does not lead."""


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
    KEEP = 0.7
    """Share of the threshold and of the events that a gesture which has been accepted may fall to."""

    def __init__(
        self,
        labels: tuple[str, ...],
        *,
        temperature: float = 1.0,
        threshold: float = 0.5,
        min_events: float = 6.0,
        margin: float = 0.1,
    ) -> None:
        """`threshold` is a confidence, `margin` what the best class must have more than the second, and `min_events` the events per
        window, after filters, that a scene needs on average. At least two labels."""
        self.labels = labels
        self.temperature = temperature
        self.threshold = threshold
        self.min_events = min_events
        self.margin = margin
        self.reset()

    def reset(self) -> None:
        """Forget the past, as at the start of a recording."""
        self._recent: deque[int] = deque(maxlen=self.RECENT)
        self._leader = -1
        self._led = 0
        self._held = -1

    def decide(self, logits: npt.NDArray[np.float32], events: int) -> Decision:
        """The decision for one window with these `logits` [classes] and this many `events` after filters."""
        scores = confidences(logits, self.temperature)
        best = int(scores.argmax())
        self._recent.append(events)
        self._led = self._led + 1 if best == self._leader else 1
        self._leader = best
        reason = ""
        if not self._holds(scores):
            reason = self._why_not(best, scores)
            self._held = -1 if reason else best
        label = best if reason else self._held
        told = tuple(float(score) for score in scores)
        return Decision(self.labels[label], told[label], not reason, reason, told, _lead(scores, label))

    def _holds(self, scores: npt.NDArray[np.float64]) -> bool:
        """Whether the gesture that was accepted before still is."""
        if self._held < 0 or not self._sees_enough(self.KEEP):
            return False
        unchallenged = self._leader == self._held or self._led < self.SETTLE
        return unchallenged and bool(scores[self._held] >= self.KEEP * self.threshold)

    def _sees_enough(self, share: float = 1.0) -> bool:
        return sum(self._recent) >= share * self.min_events * len(self._recent)

    def _why_not(self, best: int, scores: npt.NDArray[np.float64]) -> str:
        """Why the class `best`, which leads, is not accepted; empty if it is."""
        confidence, lead = float(scores[best]), _lead(scores, best)
        if not self._sees_enough():
            return "too few events"
        if self.labels[best] == OTHER:
            return "not a known gesture"
        if lead < self.margin and 2 * confidence - lead >= self.threshold:  # the sum of the two best
            return "classes too close"
        if confidence < self.threshold:
            return "below the threshold"
        if self._led < self.SETTLE:
            return "settling"
        return ""


def _lead(scores: npt.NDArray[np.float64], label: int) -> float:
    """By how much `label` leads the best of the others."""
    return float(scores[label] - np.delete(scores, label).max())
