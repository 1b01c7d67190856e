"""From a trained network to a program: number the units, prune, quantise (the formats are those of models/chip/program.py).

**Pruning** is by magnitude. The weights of all layers are ranked together, each measured in units of its own matrix's root mean square, so
that a matrix of many small weights is not emptied for one of few large ones. Without training on (models/training/prune.py) a language
model keeps its perplexity to 0.5 % with four fifths of its weights, and to 6 % with half of them.

**Quantisation** is after training: every target (a column) has the step that takes its largest weight to 127. Where the worst input could
overflow a sum, the column's step is made larger until it cannot. Biases and thresholds are rounded to their formats. For the first
bundled networks it cost 0.05 % of perplexity and no accuracy on 384 simulated clips; tests/models/chip/test_shipped.py keeps watch.

A program made from a checkpoint depends on the checkpoint and the density alone.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from models.checkpoint import Metadata, Tensors
from models.chip.program import (
    EVENT_BITS,
    FEATURES,
    GATE_BITS,
    INPUT_BITS,
    LOGIT_BITS,
    MAX_EVENT,
    MAX_ROW_SCALE,
    MAX_WEIGHT,
    STATE_BITS,
    Embedding,
    Int8s,
    Int32s,
    Int64s,
    Layer,
    Program,
    Readout,
    tied,
)

_INT32 = (1 << 31) - 1


def compress(tensors: Tensors, metadata: Metadata, density: float = 1.0) -> Program:
    """The program of the checkpoint with these float32 `tensors`, of whose weights the share `density` is kept.

    ValueError where the weights cannot be expressed: not finite, or so large that a multiplier or bias leaves its format.
    """
    kept = prune(neighbours(tensors, len(metadata["config"]["hidden"])), density)
    layers = []
    language = metadata["kind"] == "language"
    embedding = _embedding(kept["embedding"]) if language else None
    if embedding is None:
        largest = np.full(kept["layers.0.wx"].shape[0], FEATURES.max(), np.int64)
    else:
        largest = np.abs(embedding.rows.astype(np.int64) * embedding.scale[:, None]).max(0)
    bits, signed = INPUT_BITS, language
    for index in range(len(metadata["config"]["hidden"])):
        wx, wh, b, d, theta = (kept[f"layers.{index}.{name}"] for name in ("wx", "wh", "b", "d", "theta"))
        own = np.full(theta.size, MAX_EVENT, np.int64)
        columns, mx = quantise(wx, largest, bits, GATE_BITS, signed)
        recurrent, mh = quantise(wh, own, EVENT_BITS, GATE_BITS)
        theta = np.minimum(theta, 1)  # no membrane passes 1, so any higher threshold is the same
        layers.append(Layer(columns, recurrent, mx, mh, _fixed(b, GATE_BITS), _fixed(d, GATE_BITS), _fixed(theta, STATE_BITS)))
        largest, bits, signed = own, EVENT_BITS, False
    if embedding is not None:
        readout = tied(embedding, _fixed(kept["bias"], LOGIT_BITS))
    else:
        w, m = quantise(kept["readout.w"], largest, EVENT_BITS, LOGIT_BITS)
        leak = min(int(np.rint(metadata["config"]["leak"] * (1 << EVENT_BITS))), MAX_EVENT)
        readout = Readout(w, m, _fixed(kept["readout.b"], LOGIT_BITS), leak)
    matrices = [matrix for layer in layers for matrix in (layer.wx, layer.wh)]
    share = sum(int(np.count_nonzero(matrix)) for matrix in matrices) / sum(matrix.size for matrix in matrices)
    return Program(metadata["kind"], embedding, tuple(layers), readout, metadata | {"density": round(share, 4)})


def prune(tensors: Tensors, density: float) -> Tensors:
    """`tensors` with the smallest weights of the layers zero, so that the share `density` of all of them is kept.

    Weights that are exactly zero already count as pruned. Vectors, the embedding and the read-out are kept as they are: they are small,
    or, tied to each other, used twice.
    """
    if not 0 < density <= 1:
        raise ValueError(f"the density {density} is not above 0 and at most 1")
    if density == 1:
        return tensors
    names = [name for name in tensors if name.startswith("layers.") and tensors[name].ndim == 2]
    ranks = {name: np.abs(tensors[name]) / (_rms(tensors[name]) or 1.0) for name in names}
    every = np.concatenate([rank.ravel() for rank in ranks.values()])
    zeros = int(every.size - round(every.size * density))
    threshold = np.partition(every, zeros)[zeros] if zeros else 0.0
    return tensors | {name: np.where(rank >= threshold, tensors[name], np.float32(0)) for name, rank in ranks.items()}


def thinned(program: Program, density: float) -> Program:
    """`program` with the share `density` of its layers' weights: those that `prune` keeps, as far as integers tell."""
    names = [(f"layers.{index}.", layer) for index, layer in enumerate(program.layers)]
    matrices = {name + "wx": layer.wx.astype(np.float32) * layer.mx.astype(np.float32) for name, layer in names}
    kept = prune(matrices | {name + "wh": layer.wh.astype(np.float32) * layer.mh.astype(np.float32) for name, layer in names}, density)
    layers = [
        replace(layer, wx=np.where(kept[name + "wx"], layer.wx, np.int8(0)), wh=np.where(kept[name + "wh"], layer.wh, np.int8(0)))
        for name, layer in names
    ]
    return replace(program, layers=tuple(layers))


def neighbours(tensors: Tensors, depth: int) -> Tensors:
    """`tensors` with the units of every local layer numbered anew, so that units with the same sources follow one another.

    The network is the same. Units of a local layer (models.local) come place by place, so that a PE that holds a few places hears of their
    neighbourhood only, and a source's weights lie together. Other layers keep their order: where all units have the same sources there is
    nothing to gain, and by what pruning left a new order would only put the units with few weights together.
    """
    ordered = dict(tensors)
    for index in range(depth):
        name = f"layers.{index}."
        above = f"layers.{index + 1}.wx" if index + 1 < depth else "readout.w" if "readout.w" in ordered else None
        if above is None:  # the embedding, which is the read-out too, says what the last units are called
            break
        connected = (ordered[name + "wx"] != 0).reshape(ordered[name + "wx"].shape[0], 3, -1).any(1)
        first, last = connected.argmax(0), len(connected) - 1 - connected[::-1].argmax(0)
        order = np.lexsort((last, first))
        if not _local(connected[:, order]):
            continue
        columns = (np.arange(3)[:, None] * order.size + order).ravel()
        for part, where in (("wx", columns), ("wh", columns), ("b", columns), ("d", columns), ("theta", order)):
            ordered[name + part] = np.take(ordered[name + part], where, axis=-1)
        for rows in (name + "wh", above):
            ordered[rows] = ordered[rows][order]
    return ordered


def _local(connected: npt.NDArray[np.bool_]) -> bool:
    """Whether units [sources, units] that follow one another share sources because they have a place in common.

    Of a unit's sources its neighbour has a third too, and twice the share that any two units have in common. The first is never so where
    weights were pruned one by one to a few, the second never where most were kept; a local layer of which a twentieth was kept is still
    told (the bundled gesture network: 0.47 beside 0.05; language networks between: 0.23 beside 0.13).
    """
    synapses = int(connected.sum())
    shared = int((connected[:, 1:] & connected[:, :-1]).sum())
    any_two = float((connected.sum(1, dtype=np.int64) ** 2).sum()) / connected.shape[1]
    return 3 * shared > synapses and shared > 2 * any_two


def _rms(matrix: npt.NDArray[Any]) -> float:
    """Root mean square of what is not zero."""
    found = matrix[matrix != 0].astype(np.float64)
    return float(np.sqrt(np.mean(found**2))) if found.size else 0.0


def quantise(matrix: npt.NDArray[np.float32], largest: Int64s, bits: int, out_bits: int, signed: bool = False) -> tuple[Int8s, Int32s]:
    """(weights int8 [K, M], multipliers int32 [M]) of `matrix` [K, M] for events of format Q`bits`, at most `largest` [K] in magnitude.

    A sum times its multiplier is in the format Q`out_bits`. ValueError where a column's step is too large for a multiplier.
    """
    wide = matrix.astype(np.float64)
    up, down = largest @ np.maximum(wide, 0), largest @ np.maximum(-wide, 0)
    limit = _INT32 - largest.sum() / 2  # rounding may add half a step a weight
    if limit <= 0:
        raise ValueError(f"{len(matrix):,} sources are too many for a sum of 32 bits")
    step = np.maximum(np.abs(wide).max(0) / MAX_WEIGHT, (up + down if signed else np.maximum(up, down)) / limit)
    factor = 2.0 ** (32 + out_bits - bits)
    multipliers = np.ceil(step * factor)
    if not (multipliers <= _INT32).all():
        raise ValueError(f"a weight of {np.abs(wide).max():.3g} is too large: at most {_INT32 / factor * MAX_WEIGHT:.3g}")
    used = np.where(multipliers > 0, multipliers / factor, np.inf)
    weights = np.clip(np.rint(wide / used), -MAX_WEIGHT, MAX_WEIGHT).astype(np.int8, order="C")
    return weights, multipliers.astype(np.int32)


def _embedding(matrix: npt.NDArray[np.float32]) -> Embedding:
    """Rows of tokens, each with the smallest scale that holds its largest number."""
    wide = matrix.astype(np.float64) * (1 << INPUT_BITS)
    scale = np.maximum(np.ceil(np.abs(wide).max(1) / MAX_WEIGHT), 1)
    if scale.max() > MAX_ROW_SCALE:
        raise ValueError(f"an embedding of {np.abs(matrix).max():.3g} is too large: at most {MAX_ROW_SCALE * MAX_WEIGHT / 4096:.3g}")
    return Embedding(np.rint(wide / scale[:, None]).astype(np.int8), scale.astype(np.int16))


def _fixed(values: npt.NDArray[np.float32], bits: int) -> Int32s:
    """`values` in the format Q`bits`; ValueError where they leave an int32."""
    scaled = np.rint(values.astype(np.float64) * (1 << bits))
    if not (np.abs(scaled) <= _INT32).all():
        raise ValueError(f"a bias of {np.abs(values).max():.3g} is too large")
    return scaled.astype(np.int32)
