"""What the network remembers while it watches a clip: its read-out o, in every window that counts."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.decision import Decider
from models.teaching.clips import Frames

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

WARM = 16
"""Windows (400 ms) after a start from nothing that do not count: the read-out's time constant is 237 ms."""
MIN_EVENTS = 8.0
"""Events per window over the last half second that a window needs: the decision's own gate, below which no gesture is accepted anyway."""
MOVES = ((0, 0), (2, 0), (-2, 0), (0, 2), (0, -2))
"""Places, in cells of the grid to the right and down, in which an example counts."""


class Readout(Protocol):
    """The network's memory, as far as teaching needs it."""

    @property
    def readout(self) -> Floats:
        """[H]: the leaky read-out o."""


class Network(Protocol):
    """A gesture network that runs: `models.chip.host.GestureNetwork`."""

    @property
    def state(self) -> Readout:
        """The state after the last step."""

    def reset(self) -> None:
        """Forget everything."""

    def step(self, counts: npt.NDArray[np.uint16]) -> Floats:
        """Logits after one window."""


def memories(network: Network, frames: Frames) -> Floats:
    """[n, H]: the read-out after each of `frames`, from a network that had seen nothing before."""
    network.reset()
    rows = []
    for counts in frames:
        network.step(counts)
        rows.append(network.state.readout)
    return np.stack(rows) if rows else np.empty((0, 0), np.float32)


def counting(frames: Frames) -> Mask:
    """[n]: windows after the warm-up in which enough happens."""
    kept = np.concatenate([[0], np.cumsum(frames.reshape(len(frames), -1).sum(1, dtype=np.int64))])
    last = np.arange(1, kept.size)
    first = np.maximum(last - Decider.RECENT, 0)
    return ((kept[last] - kept[first]) >= MIN_EVENTS * (last - first)) & (last > WARM)


def moved(frames: Frames, right: int, down: int) -> Frames:
    """`frames` moved by whole cells; what leaves the grid is gone."""
    out = np.zeros_like(frames)
    height, width = frames.shape[-2:]
    to_y, to_x = (slice(max(by, 0), size + min(by, 0)) for by, size in ((down, height), (right, width)))
    from_y, from_x = (slice(max(-by, 0), size + min(-by, 0)) for by, size in ((down, height), (right, width)))
    out[..., to_y, to_x] = frames[..., from_y, from_x]
    return out
