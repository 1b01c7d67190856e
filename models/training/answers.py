"""What a gesture network says to held-out clips, and the confidence and threshold that follow from it.

The temperature, and the threshold below which there is no gesture, are set on held-out simulated clips. Real recordings have no say in it.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from models import gesture
from models.gesture import GestureNetwork
from models.training import clips as data
from pipeline.frames import WINDOW_US
from pipeline.simulator import GESTURES

SETTLED = 32
"""Frames (800 ms) after the onset from which the held-out accuracy counts."""
SOON = 500_000 // WINDOW_US
"""Frames after the onset within which a visitor expects the answer."""
PRECISION = 0.97
"""Share of accepted answers that shall be right on held-out clips: decides the threshold."""
OTHER = GESTURES.index("other_gestures")


class Answers:
    """What a network says to held-out clips, frame by frame, and what follows from it."""

    def __init__(self, model: GestureNetwork, clips: data.Clips, mixed: bool = False) -> None:
        self.clips = clips
        self.logits, active = _logits(model, clips, mixed)
        self.activity = {f"activity_{index}": value for index, value in enumerate(active)}
        settled = np.minimum(clips.onset + SETTLED, data.FRAMES - 1)
        self.mean = np.stack([clip[start:].mean(0) for clip, start in zip(self.logits, settled, strict=True)])
        """[clips, classes]: mean over the frames of a clip after it has settled."""
        soon = np.minimum(clips.onset + SOON, data.FRAMES - 1)
        self.soon = self.logits[np.arange(len(clips)), soon]
        """[clips, classes]: half a second after the onset."""
        self.counted = np.arange(data.FRAMES) >= settled[:, None]

    def figures(self) -> dict[str, float]:
        """Accuracy per clip (mean of logits), per frame and half a second after the onset, per take, and the activity of the layers."""
        right = self.mean.argmax(1) == self.clips.label
        by_frame = (self.logits.argmax(2) == self.clips.label[:, None])[self.counted]
        takes = {"plain": right[0::2], "poor": right[1::2]} if self.clips.takes == data.TAKES else {}
        soon = (self.soon.argmax(1) == self.clips.label).mean()
        share = {"accuracy": float(right.mean()), "accuracy_frame": float(by_frame.mean()), "accuracy_soon": float(soon)}
        return share | {f"accuracy_{name}": float(part.mean()) for name, part in takes.items()} | self.activity

    def confusion(self) -> list[list[int]]:
        """Clips by [class, answer]."""
        table = np.zeros((len(GESTURES), len(GESTURES)), np.int64)
        np.add.at(table, (self.clips.label, self.mean.argmax(1)), 1)
        return [[int(value) for value in row] for row in table]

    def calibrate(self) -> tuple[float, float]:
        """Temperature and threshold from the settled frames (`calibrate`)."""
        labels = np.broadcast_to(self.clips.label[:, None], self.counted.shape)[self.counted]
        return calibrate(self.logits[self.counted], labels)


def calibrate(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> tuple[float, float]:
    """(temperature, threshold) for answers with these `logits` [n, classes] where `labels` [n] are right.

    The temperature has the least NLL (Guo et al. 2017, arXiv 1706.04599). The threshold, in steps of 0.01 from 0.2, is the first at which
    PRECISION of the accepted answers are right (`other_gestures` is never accepted as a gesture); 0.9 if none is.
    """
    scores, right = torch.from_numpy(logits), torch.from_numpy(labels)
    grid = np.exp(np.linspace(np.log(0.3), np.log(5.0), 40))
    temperature = float(min(grid, key=lambda value: float(functional.cross_entropy(scores / float(value), right))))
    confidence, answer = (scores / temperature).softmax(1).max(1)
    threshold = 0.9
    for candidate in (0.2 + 0.01 * step for step in range(71)):
        accepted = (confidence >= candidate) & (answer != OTHER)
        if float((answer[accepted] == right[accepted]).float().mean()) >= PRECISION:
            threshold = candidate
            break
    return round(temperature, 3), round(threshold, 2)


@torch.no_grad()
def _logits(model: GestureNetwork, clips: data.Clips, mixed: bool) -> tuple[npt.NDArray[np.float32], list[float]]:
    """Logits [clips, FRAMES, classes] from a fresh state, and the share of units that fire per layer."""
    training = model.training
    model.eval()
    parts: list[npt.NDArray[np.float32]] = []
    device = model.readout.weight.device
    active = torch.zeros(len(model.hidden), device=device)
    for first in range(0, len(clips), 48):
        counts = torch.from_numpy(np.stack(clips.counts[first : first + 48], axis=1)).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
            logits, outputs, _, _ = model(gesture.features(counts))
        active += torch.stack([(y > 0).float().mean() for y in outputs]) * counts.shape[1] / len(clips)
        parts.append(logits.float().transpose(0, 1).cpu().numpy())
    model.train(training)
    return np.concatenate(parts), active.tolist()
