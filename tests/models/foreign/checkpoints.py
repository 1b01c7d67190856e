"""Checkpoints made in the layouts that are published (tables of names and shapes written down here a second time), with random weights."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Arrays = dict[str, npt.NDArray[np.float32]]


def spikegpt(vocabulary: int = 40, width: int = 16, blocks: int = 2, seed: int = 0, strength: float = 1.0) -> Arrays:
    """A SpikeGPT; `strength` scales the projections in front of the gates, so that some of them spike."""
    random = np.random.default_rng(seed)

    def normal(*shape: int, scale: float = 1.0) -> npt.NDArray[np.float32]:
        return (random.standard_normal(shape) * scale).astype(np.float32)

    made = {"emb.weight": normal(vocabulary, width), "head.weight": normal(vocabulary, width, scale=width**-0.5)}
    norms = ["blocks.0.ln0", "ln_out", *(f"blocks.{i}.{name}" for i in range(blocks) for name in ("ln1", "ln2"))]
    for norm in norms:
        made |= {f"{norm}.weight": 1 + normal(width, scale=0.2), f"{norm}.bias": normal(width, scale=0.2)}
    for i in range(blocks):
        att, ffn = f"blocks.{i}.att.", f"blocks.{i}.ffn."
        made |= {att + "time_decay": normal(width, scale=2.0), att + "time_first": normal(width)}
        made |= {
            f"{part}time_mix_{name}": random.random((1, 1, width), np.float32)
            for part, names in ((att, "kvr"), (ffn, "kr"))
            for name in names
        }
        for name in ("key", "value", "receptance", "output"):
            made[f"{att}{name}.weight"] = normal(width, width, scale=3 * strength * width**-0.5)
        made[ffn + "key.weight"] = normal(4 * width, width, scale=width**-0.5)
        made[ffn + "receptance.weight"] = normal(width, width, scale=width**-0.5)
        made[ffn + "value.weight"] = normal(width, 4 * width, scale=2 * strength * width**-0.5)
    return made


def evnn(vocabulary: int = 40, width: int = 12, hidden: tuple[int, ...] = (20, 12), seed: int = 0, older: bool = False) -> Arrays:
    """An EvNN language model, `older` with thr_reparam; the last of `hidden` must be `width`."""
    random = np.random.default_rng(seed)

    def normal(*shape: int, scale: float) -> npt.NDArray[np.float32]:
        return (random.standard_normal(shape) * scale).astype(np.float32)

    embedding = normal(vocabulary, width, scale=1.0)
    made = {"embeddings.weight": embedding, "decoder.decoder.weight": embedding, "decoder.decoder.bias": normal(vocabulary, scale=0.3)}
    into = width
    for layer, units in enumerate(hidden):
        rnn = f"rnns.{layer}."
        made |= {rnn + "kernel": normal(into, 3 * units, scale=into**-0.5), rnn + "recurrent_kernel": normal(units, 3 * units, scale=0.5)}
        made |= {rnn + "bias": normal(3 * units, scale=0.3), rnn + "recurrent_bias": normal(3 * units, scale=0.3)}
        threshold = normal(units, scale=1.0) - 2 if older else random.random(units, np.float32) * 0.4 - 0.1  # below 0 it is clamped
        made[rnn + ("thr_reparam" if older else "thr")] = threshold
        ones = np.ones(1, np.float32)
        made |= {rnn + "dampening_factor": ones, rnn + "pseudo_derivative_support": ones, rnn + "_max_norm": ones}
        into = units
    return made


def save(arrays: Arrays, path: Path, dtype: torch.dtype = torch.float32, **more: Any) -> Path:
    """`path`, with `arrays` as torch writes a state_dict; EvNN's embedding and read-out share their numbers, as there."""
    tensors = {name: torch.from_numpy(value).to(dtype) for name, value in arrays.items()}
    if (tied := arrays.get("decoder.decoder.weight")) is not None and tied is arrays.get("embeddings.weight"):
        tensors["decoder.decoder.weight"] = tensors["embeddings.weight"]
    torch.save(tensors | more, path)
    return path
