"""An independent judge of gestures: a spiking convolutional network that others trained on the real DVS128 Gesture recordings.

The judge (synsense/sinabs, Apache-2.0; not shipped with Egret) has never seen a simulated clip, so where it names the gesture that was
simulated, shapes, places and edge polarity are like those of real recordings. It is a yardstick of this benchmark only: neither training
nor anything live may use it. It is nearly blind to temporal order (it reads a sense of rotation from which polarity leads), so rhythm,
phase and sense are not its to certify.

The network: nine layers without biases, each followed by integrate-and-fire neurons without leak. In a step of 10 ms a membrane takes
its input, fires floor(membrane) spikes (threshold 1) and is reduced by as many, and never stays below -1:

    input     2 x 128 x 128      events of the step, counted per pixel; channel = polarity
    conv 2x2  16 x 64 x 64       stride 2
    conv 3x3  16 x 64 x 64       padding 1, as all of this size; then the mean of 2 x 2 as after all of this size
    conv 3x3  32 x 32 x 32
    conv 3x3  32 x 16 x 16
    conv 3x3  64 x 8 x 8
    conv 3x3  64 x 4 x 4
    conv 2x2  256 x 1 x 1
    full      128
    full      11                 answer = the class with most spikes in the whole clip

Here it runs event-driven, 7 to 10 times as fast as torch's dense products on one core: only pixels that have spikes scatter their weights,
and only membranes that were reached can fire, since one that takes nothing in keeps its value (it lies in [-1, 1)). Full layers are
convolutions of 1 x 1.
Sums are of 32-bit floats in another order than a dense product has, so a membrane that ends within rounding of a whole number may fire a
step later than there.
"""

import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.errors import UserError
from pipeline.events import Events

Float32 = npt.NDArray[np.float32]

SIDE = 128
"""Pixels of the sensor, across and down."""
STEP_US = 10_000
CLASSES = 11
"""In the order of `pipeline.simulator.GESTURES`."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Shape of a convolution and of the pooling that follows its neurons."""

    inputs: int
    outputs: int
    kernel: int
    stride: int
    padding: int
    pool: int
    side: int
    """Neurons across and down, before pooling."""


LAYERS = (
    Layer(2, 16, kernel=2, stride=2, padding=0, pool=1, side=64),
    Layer(16, 16, kernel=3, stride=1, padding=1, pool=2, side=64),
    Layer(16, 32, kernel=3, stride=1, padding=1, pool=2, side=32),
    Layer(32, 32, kernel=3, stride=1, padding=1, pool=2, side=16),
    Layer(32, 64, kernel=3, stride=1, padding=1, pool=2, side=8),
    Layer(64, 64, kernel=3, stride=1, padding=1, pool=2, side=4),
    Layer(64, 256, kernel=2, stride=1, padding=0, pool=1, side=1),
    Layer(256, 128, kernel=1, stride=1, padding=0, pool=1, side=1),
    Layer(128, CLASSES, kernel=1, stride=1, padding=0, pool=1, side=1),
)


class Judge:
    """The network with its weights; every clip is judged from a clean state."""

    def __init__(self, weights: list[Float32]) -> None:
        """`weights`: one array per layer of `LAYERS`, (outputs, inputs, kernel, kernel), or (outputs, inputs) for a full one.

        Raises ValueError for another number or other shapes.
        """
        expected = [(layer.outputs, layer.inputs, layer.kernel, layer.kernel) for layer in LAYERS]
        shaped = [w if w.ndim == 4 else w[..., None, None] for w in weights]
        if [w.shape for w in shaped] != expected:
            raise ValueError(f"weights of shapes {[w.shape for w in weights]} where {expected} are needed")
        # By input channel, and turned: what one spike adds to the neurons around it then lies in memory as those neurons do.
        turned = [w.transpose(1, 2, 3, 0)[:, ::-1, ::-1] for w in shaped]
        self._weights = tuple(np.ascontiguousarray(w, np.float32) for w in turned)

    def spikes(self, events: Events, duration_us: int) -> npt.NDArray[np.int64]:
        """Spikes of each class (11,) in the whole steps of a clip of a 128x128 sensor, from its timestamp 0 on."""
        steps = duration_us // STEP_US
        bounds = np.searchsorted(events["timestamp"], STEP_US * np.arange(steps + 1))
        membranes = tuple(np.zeros((layer.side, layer.side, layer.outputs), np.float32) for layer in LAYERS)
        outputs = tuple(np.zeros((layer.side // layer.pool,) * 2 + (layer.outputs,), np.float32) for layer in LAYERS)
        spikes = (np.zeros((SIDE, SIDE, 2), np.float32), *outputs)
        marks = tuple(np.zeros(array.shape[:2], np.bool_) for array in spikes)
        reached = tuple(np.zeros(array.shape[:2], np.bool_) for array in membranes)
        columns = [np.ascontiguousarray(events[name]) for name in ("x", "y", "polarity")]
        return np.asarray(_play(*columns, bounds, self._weights, _SHAPES, membranes, reached, spikes, marks))

    def answer(self, events: Events, duration_us: int) -> int:
        """The class with most spikes; the first of them where several have as many, `CLASSES` where the network never fired."""
        spikes = self.spikes(events, duration_us)
        return int(spikes.argmax()) if spikes.any() else CLASSES


def load(path: Path) -> Judge:
    """The judge from its file of torch weights, of which nothing but tensors is read. Needs torch.

    Raises UserError if the file cannot be read or holds another network.
    """
    import torch

    try:
        tensors = torch.load(path, weights_only=True, map_location="cpu")
        return Judge([np.asarray(tensor.numpy(), np.float32) for tensor in tensors.values()])
    except (OSError, RuntimeError, ValueError, AttributeError, EOFError, pickle.UnpicklingError):
        raise UserError(f"{path} cannot be read as the judge's weights: put the file there anew, or take it away.") from None


_SHAPES = np.array([(layer.stride, layer.padding, layer.pool) for layer in LAYERS])


@njit(cache=True, nogil=True)
def _play(xs, ys, polarities, bounds, weights, shapes, membranes, reached, spikes, marks):  # type: ignore[no-untyped-def]
    """All steps of a clip; spikes of the last layer, summed."""
    total = np.zeros(spikes[-1].shape[2], np.int64)
    for step in range(len(bounds) - 1):
        for i in range(bounds[step], bounds[step + 1]):
            spikes[0][ys[i], xs[i], polarities[i]] += np.float32(1)
            marks[0][ys[i], xs[i]] = True
        for k in range(len(weights)):
            stride, padding, pool = shapes[k]
            _scatter(spikes[k], marks[k], weights[k], membranes[k], reached[k], stride, padding)
            _fire(membranes[k], reached[k], spikes[k + 1], marks[k + 1], pool)
        last = spikes[len(weights)]
        for c in range(len(total)):
            total[c] += np.int64(last[0, 0, c])
        last[:] = 0
    return total


@njit(cache=True, nogil=True)
def _scatter(spikes, marks, weights, membranes, reached, stride, padding):  # type: ignore[no-untyped-def]
    """Add the weights of all spikes to the membranes they reach, and take the spikes away.

    `weights` (inputs, kernel, kernel, outputs) are turned: tap t of an axis belongs to the neuron that lies t after the first reached.
    """
    inputs, kernel, _, outputs = weights.shape
    height, width = reached.shape
    for y in range(marks.shape[0]):
        for x in range(marks.shape[1]):
            if not marks[y, x]:
                continue
            marks[y, x] = False
            top, left = y + padding - kernel + 1, x + padding - kernel + 1
            for i in range(kernel):
                row = (top + i) // stride
                if (top + i) % stride or not 0 <= row < height:
                    continue
                for j in range(kernel):
                    column = (left + j) // stride
                    if (left + j) % stride or not 0 <= column < width:
                        continue
                    reached[row, column] = True
                    membrane = membranes[row, column]
                    for c in range(inputs):
                        value = spikes[y, x, c]
                        if value != 0:
                            taps = weights[c, i, j]
                            for o in range(outputs):
                                membrane[o] += value * taps[o]
            spikes[y, x] = 0


@njit(cache=True, nogil=True)
def _fire(membranes, reached, spikes, marks, pool):  # type: ignore[no-untyped-def]
    """Let the membranes reached fire into the mean over `pool` x `pool` neurons."""
    share = np.float32(1 / (pool * pool))
    for y in range(reached.shape[0]):
        for x in range(reached.shape[1]):
            if not reached[y, x]:
                continue
            reached[y, x] = False
            membrane = membranes[y, x]
            for c in range(len(membrane)):
                value = membrane[c]
                if value >= 1:
                    fired = np.floor(value)
                    spikes[y // pool, x // pool, c] += fired * share
                    marks[y // pool, x // pool] = True
                    membrane[c] = value - fired
                elif value < -1:
                    membrane[c] = np.float32(-1)
