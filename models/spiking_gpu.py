"""The recurrences of models/spiking.py on a CUDA GPU, in Triton (Tillet et al. 2019, doi 10.1145/3315508.3329973).

A recurrence is serial in time and independent in everything else, so a program takes `PAIRS` pairs of (row, channel), one a thread, and
walks through all steps with their state in registers: one launch a sequence where torch's own operations would need a dozen a step. What a
step reads does not depend on the steps before it, so the loop's loads are issued `AHEAD` steps early, which hides the memory's latency.

The arguments are those of the functions of the same names there, as tensors on one device, and so are the results but for rounding. The
gradients of w and u are summed over time in registers and over rows by torch: no atomic additions, so they are the same in every run.
Nothing waits for the device and no shape depends on data: the calls may be captured in a CUDA graph.

A kernel is compiled (in about a second, kept on disk) for every length of a sequence that it meets: a training has two or three.

Triton comes with the CUDA builds of torch for Linux. Only models/spiking.py imports this module, when it meets tensors on a GPU.
"""

from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor

from models.spiking import NEVER, SLOPE

PAIRS = 64
"""Pairs of (row, channel) a program: enough programs for every multiprocessor of a large GPU at 32 rows of 256 channels."""
AHEAD = 8
"""Steps that loads run ahead."""
_WARPS = PAIRS // 32

_NEVER, _SLOPE, _STEEP = (tl.constexpr(float(value)) for value in (NEVER, SLOPE, np.pi / 2 * SLOPE))


@triton.jit
def _mean_forward(k, v, w, u, num, den, p, before, out, count, width, steps: tl.constexpr, pairs: tl.constexpr, ahead: tl.constexpr):  # type: ignore[no-untyped-def]
    pair = tl.program_id(0) * pairs + tl.arange(0, pairs)
    inside, channel = pair < count, pair % width
    decay, first = tl.load(w + channel), tl.load(u + channel)
    a, b, e = tl.load(num + pair, inside), tl.load(den + pair, inside), tl.load(p + pair, inside)
    at = pair.to(tl.int64)
    size = tl.cast(count, tl.int64) * steps
    for _ in tl.range(steps, num_stages=ahead):
        key, value = tl.load(k + at, inside), tl.load(v + at, inside)
        tl.store(before + at, a, inside)
        tl.store(before + size + at, b, inside)
        tl.store(before + 2 * size + at, e, inside)
        top = tl.maximum(e, first + key)
        past, new = tl.exp(e - top), tl.exp(first + key - top)
        tl.store(out + at, (past * a + new * value) / (past * b + new), inside)
        top = tl.maximum(e + decay, key)
        past, new = tl.exp(e + decay - top), tl.exp(key - top)
        a, b, e = past * a + new * value, past * b + new, top
        at += count
    tl.store(num + pair, a, inside)
    tl.store(den + pair, b, inside)
    tl.store(p + pair, e, inside)


@triton.jit
def _mean_backward(  # type: ignore[no-untyped-def]
    grad, k, v, w, u, before, out, to_k, to_v, to_w, to_u, count, width, steps: tl.constexpr, pairs: tl.constexpr, ahead: tl.constexpr
):
    pair = tl.program_id(0) * pairs + tl.arange(0, pairs)
    inside, channel = pair < count, pair % width
    decay, first = tl.load(w + channel), tl.load(u + channel)
    later_num, later_den = tl.full((pairs,), 0.0, tl.float32), tl.full((pairs,), 0.0, tl.float32)
    of_decay, of_first = tl.full((pairs,), 0.0, tl.float32), tl.full((pairs,), 0.0, tl.float32)
    q = tl.full((pairs,), _NEVER, tl.float32)
    size = tl.cast(count, tl.int64) * steps
    at = size - count + pair
    for _ in tl.range(steps, num_stages=ahead):
        key, value, slope, mean = tl.load(k + at, inside), tl.load(v + at, inside), tl.load(grad + at, inside), tl.load(out + at, inside)
        num, den, e = tl.load(before + at, inside), tl.load(before + size + at, inside), tl.load(before + 2 * size + at, inside)
        later, older = tl.exp(key + q), tl.exp(decay + e + q)
        top = tl.maximum(e, first + key)
        new = tl.exp(first + key - top)
        share = slope / (tl.exp(e - top) * den + new)
        now = new * share * (value - mean)
        of_first += now
        tl.store(to_k + at, now + later * (value * later_num + later_den), inside)
        tl.store(to_v + at, new * share + later * later_num, inside)
        of_decay += older * (num * later_num + den * later_den)
        reached = tl.maximum(-top, decay + q)
        own, far = tl.exp(-top - reached), tl.exp(decay + q - reached)
        later_num, later_den = own * share + far * later_num, far * later_den - own * share * mean
        q = reached
        at -= count
    tl.store(to_w + pair, of_decay, inside)
    tl.store(to_u + pair, of_first, inside)


@triton.jit
def _gate_forward(drive, membrane, before, spikes, count, steps: tl.constexpr, pairs: tl.constexpr, ahead: tl.constexpr):  # type: ignore[no-untyped-def]
    pair = tl.program_id(0) * pairs + tl.arange(0, pairs)
    inside = pair < count
    level = tl.load(membrane + pair, inside)
    at = pair.to(tl.int64)
    for _ in tl.range(steps, num_stages=ahead):
        h = level + (tl.load(drive + at, inside) - level) * 0.5
        tl.store(before + at, h, inside)
        tl.store(spikes + at, tl.where(h >= 1.0, 1.0, 0.0), inside)
        level = tl.where(h >= 1.0, 0.0, h)
        at += count
    tl.store(membrane + pair, level, inside)


@triton.jit
def _gate_backward(grad, before, to_drive, count, steps: tl.constexpr, pairs: tl.constexpr, ahead: tl.constexpr):  # type: ignore[no-untyped-def]
    pair = tl.program_id(0) * pairs + tl.arange(0, pairs)
    inside = pair < count
    later = tl.full((pairs,), 0.0, tl.float32)
    at = tl.cast(count, tl.int64) * (steps - 1) + pair
    for _ in tl.range(steps, num_stages=ahead):
        h, from_spike = tl.load(before + at, inside), tl.load(grad + at, inside)
        distance = (h - 1.0) * _STEEP
        slope = _SLOPE * 0.5 / (1.0 + distance * distance)
        later = ((from_spike - later * h) * slope + tl.where(h >= 1.0, 0.0, later)) * 0.5
        tl.store(to_drive + at, later, inside)
        at -= count


def mean_forward(
    k: Tensor, v: Tensor, w: Tensor, u: Tensor, num: Tensor, den: Tensor, p: Tensor, before: Tensor, out: Tensor
) -> None:  # fmt: skip
    """`models.spiking.mean_forward` of tensors."""
    _launch(_mean_forward, k, (k, v, w, u, num, den, p, before, out), k.shape[2])


def mean_backward(
    grad: Tensor, k: Tensor, v: Tensor, w: Tensor, u: Tensor, before: Tensor, out: Tensor,
    to_k: Tensor, to_v: Tensor, to_w: Tensor, to_u: Tensor,
) -> None:  # fmt: skip
    """`models.spiking.mean_backward` of tensors."""
    rows = k.new_empty(2, *k.shape[1:])
    _launch(_mean_backward, k, (grad, k, v, w, u, before, out, to_k, to_v, rows[0], rows[1]), k.shape[2])
    of_w, of_u = rows.sum(1)
    to_w += of_w
    to_u += of_u


def gate_forward(drive: Tensor, membrane: Tensor, before: Tensor, spikes: Tensor) -> None:
    """`models.spiking.gate_forward` of tensors."""
    _launch(_gate_forward, drive, (drive, membrane, before, spikes))


def gate_backward(grad: Tensor, before: Tensor, to_drive: Tensor) -> None:
    """`models.spiking.gate_backward` of tensors."""
    _launch(_gate_backward, grad, (grad, before, to_drive))


def _launch(kernel: Any, sequence: Tensor, tensors: tuple[Tensor, ...], *width: int) -> None:
    """Run `kernel` over all pairs of `sequence` [T, B, D]. ValueError where a tensor is not laid out as the kernels read it."""
    if any(tensor.dtype != torch.float32 or not tensor.is_contiguous() for tensor in tensors):
        raise ValueError("the recurrences take contiguous tensors of float32")
    count, shape = sequence[0].numel(), {"steps": len(sequence), "pairs": PAIRS, "ahead": AHEAD}
    with torch.cuda.device_of(sequence):  # Triton launches on the current device; nothing happens where the tensors are on a processor
        kernel[(triton.cdiv(count, PAIRS),)](*tensors, count, *width, **shape, num_warps=_WARPS)
