"""What the network and the decision say to pieces, window by window."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from app.evaluation.material import Piece
from models.chip.runtime import Runtime
from models.decision import Decider
from pipeline.frames import WINDOW_US

LEAST_SHARE = 0.1
"""A recording is not taken for a gesture that was accepted in less than this share of its windows."""


@dataclass
class Answer:
    """What was said to one piece of n windows, with the decision's dynamics and without."""

    name: str
    truth: str
    onset: int | None
    """The window in which the gesture begins to be seen; None where it is not known."""
    scores: npt.NDArray[np.float32]
    """[n, classes]: confidences."""
    shown: list[str]
    """What a visitor saw in every window: the accepted label, or nothing."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why windows were not accepted."""
    accepted: Counter[str] = field(default_factory=Counter)
    """Accepted windows of every label."""
    activity: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """[layers]: share of units that fired a step."""
    operations: float = 0.0
    """Synaptic operations a step."""
    damage: str = ""

    @property
    def taken(self) -> str:
        """The label that most accepted windows have; empty if it was accepted in less than `LEAST_SHARE` of all windows."""
        for label, windows in self.accepted.most_common(1):
            if windows >= LEAST_SHARE * len(self.shown):
                return label
        return ""


def answers(pieces: Iterable[Piece], runtime: Runtime, decider: Decider) -> Iterator[Answer]:
    """What is said to each piece, from a clean state."""
    for piece in pieces:
        yield answer(piece, runtime, decider)


def answer(piece: Piece, runtime: Runtime, decider: Decider) -> Answer:
    """Play `piece` through network and decision, from a clean state, exactly as the live loop does."""
    network = runtime.gesture
    network.reset()
    decider.reset()
    operations, first_us = network.operations, None
    scores: list[tuple[float, ...]] = []
    fired: list[tuple[float, ...]] = []
    told = Answer(piece.name, piece.truth, None, np.zeros((0, len(decider.labels)), np.float32), [])
    for frames in piece.frames:
        if frames.skipped_us:
            network.reset()
            decider.reset()
        if first_us is None and len(frames):
            first_us = int(frames.start_us[0])
        for counts, kept in zip(frames.counts, frames.kept, strict=True):
            decision = decider.decide(network.step(counts), int(kept))
            scores.append(decision.scores)
            fired.append(network.activity)
            told.shown.append(decision.label if decision.accepted else "")
            (told.accepted if decision.accepted else told.reasons)[decision.label if decision.accepted else decision.reason] += 1
    if scores:
        told.scores = np.array(scores, np.float32)
        told.activity = np.mean(fired, axis=0)
        told.operations = (network.operations - operations) / len(scores)
        if piece.onset_us is not None and first_us is not None:
            told.onset = min(max(0, (piece.onset_us - first_us) // WINDOW_US), len(scores) - 1)
    told.damage = piece.damage()
    return told
