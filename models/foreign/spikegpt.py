"""SpikeGPT (Zhu et al. 2023, arXiv 2302.13939), as its published checkpoints lay it out: RWKV-4 with a spiking gate after each sub-block.

Layout (V tokens, D channels, L blocks; linear weights [out, in], none with a bias):

    emb.weight [V, D]   blocks.0.ln0.weight, .bias [D]   ln_out.weight, .bias [D]   head.weight [V, D]
    blocks.{i}.ln1.*, ln2.* [D]
    blocks.{i}.att.time_decay, time_first [D]     time_mix_k, time_mix_v, time_mix_r [1, 1, D]
    blocks.{i}.att.key.weight, value.weight, receptance.weight, output.weight [D, D]
    blocks.{i}.ffn.time_mix_k, time_mix_r [1, 1, D]
    blocks.{i}.ffn.key.weight [4D, D]   receptance.weight [D, D]   value.weight [D, 4D]

Token by token, with w = -exp(time_decay), u = time_first, and x mixed with the token before it (x' of the same place, 0 at first):

    x = LN0(E[token])                                     in some checkpoints LN0(H(E[token])), H(e) = 1 where e >= 0, else 0
    in every block:
        a = LN1(x) ;  k, v, r = products of a m + a' (1 - m), each with its own m
        y = (num + exp(u + k) v) / (den + exp(u + k))
        num = exp(w) num + exp(k) v ;  den = exp(w) den + exp(k)
        x += LIF(Wo (sigmoid(r) y))
        f = LN2(x) ;  k, r = products of f m + f' (1 - m)
        x += LIF(sigmoid(r) (Wv relu(k)^2))
    logits = W_head LN_out(x)

    LIF, one step a token:  v = v + (input - v) / 2 ;  spike = 1 where v >= 1, else 0 ;  v = 0 where it spiked

exp(k) overflows, so num and den are kept as multiples of exp(pp), where pp is the largest exponent so far: the factors are at most 1.

**Decisions.** (1) Whether the embedding is binary is not in the checkpoint: all published training code makes it so, the published
inference code only for one vocabulary. `SpikeGPT` takes it as an argument, and `models.foreign.opening` measures which of the two reads
a text better. (2) The published inference code divides two projections by powers of two, which is exact for RWKV but not in front of a
threshold; training has nothing of the kind, and neither have we. (3) The membranes are state like all else: they are carried, copied and
reset with it.

**What a token costs.** Spikes come after the products, so nearly all products read dense numbers and the spikes save nothing; only
relu(k)^2 has zeros that `kernels.products` skips. `operations` says what was done, `activity` how often the gates spiked.
"""

import math
import re
from collections.abc import Callable, Mapping

import numpy as np
from numba import njit

from models.foreign import network
from models.foreign.kernels import Floats, Matrix, layer_norm
from models.foreign.network import State, Tokens

Shape = tuple[int, ...]
Read = Callable[[str], Floats]

EMPTY = np.float32(-1e30)
"""The largest exponent so far of a network that has read nothing."""
_MARK = "emb.weight"


def belongs(names: Mapping[str, Shape]) -> bool:
    """True where the names of tensors are those of a SpikeGPT rather than of anything else."""
    return _MARK in names and any(name.startswith("blocks.") for name in names)


def layout(found: Mapping[str, Shape]) -> dict[str, Shape]:
    """Names and shapes of the tensors that a checkpoint with these must hold; sizes and depth are taken from them. ValueError where they
    do not exist."""
    if len(found.get(_MARK, ())) != 2 or 0 in found[_MARK]:
        raise ValueError(f"the tensor {_MARK} is missing or has no two sizes")
    vocabulary, width = found[_MARK]
    blocks = 1 + max((int(name.split(".")[1]) for name in found if re.fullmatch(r"blocks\.\d{1,3}\.ln1\.weight", name)), default=-1)
    if not blocks:
        raise ValueError("the tensor blocks.0.ln1.weight is missing")
    return shapes(vocabulary, width, blocks)


def shapes(vocabulary: int, width: int, blocks: int) -> dict[str, Shape]:
    """Names and shapes of the tensors of a network of these sizes."""
    vector, mix, square = (width,), (1, 1, width), (width, width)
    block: dict[str, Shape] = {f"{norm}.{part}": vector for norm in ("ln1", "ln2") for part in ("weight", "bias")}
    block |= {"att.time_decay": vector, "att.time_first": vector}
    block |= {f"att.time_mix_{name}": mix for name in "kvr"} | {f"ffn.time_mix_{name}": mix for name in "kr"}
    block |= {f"att.{name}.weight": square for name in ("key", "value", "receptance", "output")}
    block |= {"ffn.key.weight": (4 * width, width), "ffn.receptance.weight": square, "ffn.value.weight": (width, 4 * width)}
    ends: dict[str, Shape] = {_MARK: (vocabulary, width), "head.weight": (vocabulary, width)}
    ends |= {f"{norm}.{part}": vector for norm in ("blocks.0.ln0", "ln_out") for part in ("weight", "bias")}
    return ends | {f"blocks.{index}.{name}": shape for index in range(blocks) for name, shape in block.items()}


class _Attention:
    """Time-mixing of one block: what of the past matters to this token."""

    def __init__(self, prefix: str, read: Read) -> None:
        self.mix_k, self.mix_v, self.mix_r = (read(f"{prefix}time_mix_{name}").reshape(-1) for name in "kvr")
        names = ("key", "value", "receptance", "output")
        self.key, self.value, self.receptance, self.output = (Matrix(read(f"{prefix}{name}.weight").T) for name in names)
        self.decay, self.first = -np.exp(read(prefix + "time_decay")), read(prefix + "time_first")

    def drive(self, a: Floats, last: Floats, num: Floats, den: Floats, exponent: Floats) -> tuple[Floats, int]:
        """What goes into the gate [T, D] after a [T, D], and the operations. The rest, [D] each, is state and is replaced."""
        (k, first), (v, second), (r, third) = (
            matrix.times(shifted(a, last, mix))
            for matrix, mix in ((self.key, self.mix_k), (self.value, self.mix_v), (self.receptance, self.mix_r))
        )
        last[:] = a[-1]
        wkv(k, v, r, self.decay, self.first, num, den, exponent)
        drive, fourth = self.output.times(r)
        return drive, first + second + third + fourth

    @property
    def dense(self) -> int:
        return self.key.dense + self.value.dense + self.receptance.dense + self.output.dense


class _FeedForward:
    """Channel-mixing of one block."""

    def __init__(self, prefix: str, read: Read) -> None:
        self.mix_k, self.mix_r = (read(f"{prefix}time_mix_{name}").reshape(-1) for name in "kr")
        self.key, self.receptance, self.value = (Matrix(read(f"{prefix}{name}.weight").T) for name in ("key", "receptance", "value"))

    def drive(self, f: Floats, last: Floats) -> tuple[Floats, int]:
        """What goes into the gate [T, D] after f [T, D], and the operations. `last` [D] is state and is replaced."""
        k, first = self.key.times(shifted(f, last, self.mix_k))
        r, second = self.receptance.times(shifted(f, last, self.mix_r))
        last[:] = f[-1]
        drive, third = self.value.times(np.square(np.maximum(k, 0)))
        times_sigmoid(drive, r)
        return drive, first + second + third

    @property
    def dense(self) -> int:
        return self.key.dense + self.receptance.dense + self.value.dense


def start(blocks: int, width: int) -> State:
    """The state of a network that has read nothing, all [L, D]: the tokens before, numerator, denominator and largest exponent of the
    weighted mean, and the gates' membranes."""
    names = ("att.last", "att.numerator", "att.denominator", "att.exponent", "att.membrane", "ffn.last", "ffn.membrane")
    return {name: np.full((blocks, width), EMPTY if name == "att.exponent" else 0, np.float32) for name in names}


class SpikeGPT(network.Network):
    """A SpikeGPT with a published checkpoint's weights. State: `start`; `activity` is by gate, two a block."""

    def __init__(self, layout: Mapping[str, Shape], read: Read, *, binary: bool = False) -> None:
        """`layout` as the function of that name gives it, `read` the tensors. With `binary` the embedding is one of zeros and ones."""
        vocabulary, width = layout["head.weight"]
        blocks = sum(name.endswith("ln1.weight") for name in layout)
        self.binary = binary
        self._embedding, self._head = read(_MARK), Matrix(read("head.weight").T)
        norms = [f"blocks.{index}.{name}" for index in range(blocks) for name in ("ln1", "ln2")]
        self._norm = {name: (read(f"{name}.weight"), read(f"{name}.bias")) for name in ("blocks.0.ln0", "ln_out", *norms)}
        self._attention = [_Attention(f"blocks.{index}.att.", read) for index in range(blocks)]
        self._feed_forward = [_FeedForward(f"blocks.{index}.ffn.", read) for index in range(blocks)]
        size = sum(math.prod(shape) for shape in layout.values()) / 1e6
        super().__init__(vocabulary, start(blocks, width), f"SpikeGPT, {blocks} blocks of {width} channels, {size:.1f} M numbers")
        dense = sum(attention.dense for attention in self._attention) + sum(part.dense for part in self._feed_forward)
        self.dense = self._head.dense + dense

    def _advance(self, tokens: Tokens) -> tuple[Floats, tuple[float, ...]]:
        x = self._embedding[tokens]
        if self.binary:
            x = (x >= 0).astype(np.float32)
        layer_norm(x, *self._norm["blocks.0.ln0"], x)
        shares = []
        normal = np.empty_like(x)
        names = ("att.last", "att.numerator", "att.denominator", "att.exponent")
        for index, (attention, feed_forward) in enumerate(zip(self._attention, self._feed_forward, strict=True)):
            layer_norm(x, *self._norm[f"blocks.{index}.ln1"], normal)
            drive, operations = attention.drive(normal, *(self._state[name][index] for name in names))
            shares.append(gate(drive, self._state["att.membrane"][index], x) / x.size)
            layer_norm(x, *self._norm[f"blocks.{index}.ln2"], normal)
            drive, more = feed_forward.drive(normal, self._state["ffn.last"][index])
            shares.append(gate(drive, self._state["ffn.membrane"][index], x) / x.size)
            self.operations += operations + more
        layer_norm(x, *self._norm["ln_out"], x)
        logits, operations = self._head.times(x)
        self.operations += operations
        return logits, tuple(shares)


@njit(cache=True, nogil=True)
def shifted(a: Floats, last: Floats, mix: Floats) -> Floats:
    """Every row of a [T, D] mixed with the row before it, the first with `last` [D]: a mix + a' (1 - mix)."""
    out = np.empty_like(a)
    one = np.float32(1)
    for t in range(a.shape[0]):
        before = a[t - 1] if t else last
        for j in range(a.shape[1]):
            out[t, j] = a[t, j] * mix[j] + before[j] * (one - mix[j])
    return out


@njit(cache=True, nogil=True)
def wkv(k: Floats, v: Floats, r: Floats, decay: Floats, first: Floats, num: Floats, den: Floats, exponent: Floats) -> None:
    """The weighted mean of all values so far, times sigmoid(r), in place of r. k, v, r are [T, D], the rest [D].

    `decay` is w, `first` is u. `num`, `den` are replaced; both are to be multiplied by exp(`exponent`), which is replaced too.
    """
    one = np.float32(1)
    for t in range(k.shape[0]):
        for j in range(k.shape[1]):
            now = first[j] + k[t, j]
            top = max(exponent[j], now)
            past, new = np.exp(exponent[j] - top), np.exp(now - top)
            mean = (past * num[j] + new * v[t, j]) / (past * den[j] + new)
            r[t, j] = mean / (one + np.exp(-r[t, j]))
            faded = exponent[j] + decay[j]
            top = max(faded, k[t, j])
            past, new = np.exp(faded - top), np.exp(k[t, j] - top)
            num[j] = past * num[j] + new * v[t, j]
            den[j] = past * den[j] + new
            exponent[j] = top


@njit(cache=True, nogil=True)
def times_sigmoid(value: Floats, r: Floats) -> None:
    """value *= sigmoid(r), both [T, D]."""
    one = np.float32(1)
    for t in range(value.shape[0]):
        for j in range(value.shape[1]):
            value[t, j] /= one + np.exp(-r[t, j])


@njit(cache=True, nogil=True)
def gate(drive: Floats, membrane: Floats, x: Floats) -> int:
    """Leaky integrate-and-fire units, one step a row: `drive` [T, D] goes in, spikes are added to x [T, D], `membrane` [D] is replaced.

    Time constant 2, threshold 1, reset to 0. Returns the number of spikes.
    """
    half, one = np.float32(0.5), np.float32(1)
    spikes = 0
    for t in range(drive.shape[0]):
        for j in range(drive.shape[1]):
            membrane[j] += (drive[t, j] - membrane[j]) * half
            if membrane[j] >= one:
                x[t, j] += one
                membrane[j] = 0
                spikes += 1
    return spikes
