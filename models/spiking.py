"""The two recurrences of SpikeGPT over a sequence, forward and backward, compiled: what autograd would record step by step.

On a processor they are the loops below; where the tensors are on a GPU, the kernels of the same names in models/spiking_gpu.py.

All arrays are float32 [T, B, D] (steps, rows, channels), states [B, D], parameters [D]; the equations are those of
models/foreign/spikegpt.py. The backward pass ends at the sequence's beginning: the state that it began with is a constant.

**Weighted mean.** The state is (num, den) times exp(p), p the largest exponent so far. Of its adjoint (dL/dnum, dL/dden) the same is true
with an exponent q of its own: what step s adds to it has the factor 1 / den_s, that is exp(-m_s) with m_s = max(p_s, u + k_s), and on the
way back to step t it is multiplied by exp((s - t - 1) w). Since m_s is at least k_t + (s - t - 1) w, every product that is needed, such as
exp(k_t + q), is at most 1: nothing overflows, however large the keys are.

**Leaky integrate-and-fire** (Zhu et al. 2023, arXiv 2302.13939): v' = v + (input - v) / 2, a spike where v' >= 1, and v = v' (1 - spike).
The derivative of the spike is replaced by that of an arctangent, a / (2 (1 + (pi/2 a (v' - 1))^2)) with a = 2, in the reset too.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from numba import njit
from torch import Tensor

Floats = npt.NDArray[np.float32]

NEVER = np.float32(-1e30)
"""The exponent of nothing."""
SLOPE = np.float32(2.0)
"""a of the surrogate gradient."""
_ONE, _HALF, _STEEP = np.float32(1), np.float32(0.5), np.float32(np.pi / 2) * SLOPE


@njit(cache=True, nogil=True, error_model="numpy")
def mean_forward(k: Floats, v: Floats, w: Floats, u: Floats, num: Floats, den: Floats, p: Floats, before: Floats, out: Floats) -> None:
    """out = the weighted mean at every step. `num`, `den`, `p` [B, D] are replaced; `before` [3, T, B, D] is what they were before each."""
    nums, dens, exponents = before[0], before[1], before[2]
    for t in range(k.shape[0]):
        for row in range(k.shape[1]):
            for j in range(k.shape[2]):
                a, b, e = num[row, j], den[row, j], p[row, j]
                nums[t, row, j], dens[t, row, j], exponents[t, row, j] = a, b, e
                key, value = k[t, row, j], v[t, row, j]
                top = max(e, u[j] + key)
                past, new = np.exp(e - top), np.exp(u[j] + key - top)
                out[t, row, j] = (past * a + new * value) / (past * b + new)
                top = max(e + w[j], key)
                past, new = np.exp(e + w[j] - top), np.exp(key - top)
                num[row, j], den[row, j], p[row, j] = past * a + new * value, past * b + new, top


@njit(cache=True, nogil=True, error_model="numpy")
def mean_backward(
    grad: Floats,
    k: Floats,
    v: Floats,
    w: Floats,
    u: Floats,
    before: Floats,
    out: Floats,
    to_k: Floats,
    to_v: Floats,
    to_w: Floats,
    to_u: Floats,
) -> None:
    """From the gradient of `out` those of k and v, and added to `to_w`, `to_u` [D] those of w and u."""
    nums, dens, exponents = before[0], before[1], before[2]
    of_num, of_den = np.zeros(k.shape[1:], np.float32), np.zeros(k.shape[1:], np.float32)
    scale = np.full(k.shape[1:], NEVER)
    for t in range(k.shape[0] - 1, -1, -1):
        for row in range(k.shape[1]):
            for j in range(k.shape[2]):
                key, value, e, q = k[t, row, j], v[t, row, j], exponents[t, row, j], scale[row, j]
                later, older = np.exp(key + q), np.exp(w[j] + e + q)
                later_num, later_den = of_num[row, j], of_den[row, j]
                top = max(e, u[j] + key)
                new = np.exp(u[j] + key - top)
                share = grad[t, row, j] / (np.exp(e - top) * dens[t, row, j] + new)
                mean = out[t, row, j]
                now = new * share * (value - mean)
                to_u[j] += now
                to_k[t, row, j] = now + later * (value * later_num + later_den)
                to_v[t, row, j] = new * share + later * later_num
                to_w[j] += older * (nums[t, row, j] * later_num + dens[t, row, j] * later_den)
                reached = max(-top, w[j] + q)
                own, far = np.exp(-top - reached), np.exp(w[j] + q - reached)
                of_num[row, j] = own * share + far * later_num
                of_den[row, j] = far * later_den - own * share * mean
                scale[row, j] = reached


@njit(cache=True, nogil=True)
def gate_forward(drive: Floats, membrane: Floats, before: Floats, spikes: Floats) -> None:
    """`spikes` of the units, and in `before` the membrane ahead of the reset. `membrane` [B, D] is replaced."""
    for t in range(drive.shape[0]):
        for row in range(drive.shape[1]):
            for j in range(drive.shape[2]):
                h = membrane[row, j] + (drive[t, row, j] - membrane[row, j]) * _HALF
                before[t, row, j] = h
                spikes[t, row, j] = _ONE if h >= _ONE else np.float32(0)
                membrane[row, j] = np.float32(0) if h >= _ONE else h


@njit(cache=True, nogil=True)
def gate_backward(grad: Floats, before: Floats, to_drive: Floats) -> None:
    """From the gradient of the spikes that of the drive."""
    of_membrane = np.zeros(grad.shape[1:], np.float32)
    for t in range(grad.shape[0] - 1, -1, -1):
        for row in range(grad.shape[1]):
            for j in range(grad.shape[2]):
                h, later = before[t, row, j], of_membrane[row, j]
                distance = (h - _ONE) * _STEEP
                slope = SLOPE * _HALF / (_ONE + distance * distance)
                passed = np.float32(0) if h >= _ONE else later
                half = ((grad[t, row, j] - later * h) * slope + passed) * _HALF
                to_drive[t, row, j] = half
                of_membrane[row, j] = half


def _compute(recurrence: Callable[..., None], *tensors: Tensor) -> None:
    """`recurrence` of the tensors, on the device that they are on. Triton is asked for only on a GPU: torch for processors has none."""
    if tensors[0].is_cuda:
        from models import spiking_gpu

        getattr(spiking_gpu, recurrence.__name__)(*tensors)
    else:
        recurrence(*(tensor.detach().numpy() for tensor in tensors))


class WeightedMean(torch.autograd.Function):
    """(k, v [T, B, D], w, u [D], num, den, exponent [B, D]) -> the mean [T, B, D]. The last three are state and replaced in place."""

    @staticmethod
    def forward(ctx: Any, k: Tensor, v: Tensor, w: Tensor, u: Tensor, num: Tensor, den: Tensor, exponent: Tensor) -> Tensor:
        """All steps, keeping the state before each."""
        k, v = k.contiguous(), v.contiguous()
        out, before = torch.empty_like(k), k.new_empty(3, *k.shape)
        _compute(mean_forward, k, v, w, u, num, den, exponent, before, out)
        ctx.save_for_backward(k, v, w, u, out, before)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """The gradients of k, v, w and u."""
        k, v, w, u, out, before = ctx.saved_tensors
        found = [torch.empty_like(k), torch.empty_like(v), torch.zeros_like(w), torch.zeros_like(u)]
        _compute(mean_backward, gradients[0].contiguous(), k, v, w, u, before, out, *found)
        return *found, None, None, None


class Gate(torch.autograd.Function):
    """(drive [T, B, D], membrane [B, D]) -> spikes [T, B, D]. The membrane is state and replaced in place."""

    @staticmethod
    def forward(ctx: Any, drive: Tensor, membrane: Tensor) -> Tensor:
        """All steps, keeping the membranes."""
        drive = drive.contiguous()
        before, spikes = torch.empty_like(drive), torch.empty_like(drive)
        _compute(gate_forward, drive, membrane, before, spikes)
        ctx.save_for_backward(before)
        return spikes

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        """The gradient of the drive."""
        (before,) = ctx.saved_tensors
        found = torch.empty_like(before)
        _compute(gate_backward, gradients[0].contiguous(), before, found)
        return found, None
