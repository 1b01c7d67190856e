"""The taught columns: multinomial logistic regression against everything else, with the old columns frozen (essay in `models.teaching`).

All sums run in one thread and one order (compiled, no fastmath, no BLAS), so equal examples give equal columns, bit for bit.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

RIDGE = 0.01
"""Of a weight in units of the features' spread. Held-out examples of twelve simulated movements were read right in 98.0 % of windows at
0.1, 99.1 % at 0.01 and 99.3 % at 0.001, at the same cost to the old classes; the larger of equals is taken."""
FLOOR = 0.1
"""Of the mean spread, added to every feature's: a unit that hardly ever fires must not become a loud one."""
MOST_STEPS = 200
FLAT = 1e-6
"""Largest slope at which the optimum is reached."""
HISTORY = 10
"""Pairs of steps that L-BFGS remembers."""
ELSE = -1
"""The target of a window that is none of the taught classes."""


@dataclass(frozen=True, slots=True)
class OldHead:
    """The read-out as it is."""

    w: Doubles
    """[H, C]"""
    b: Doubles
    """[C]"""
    temperature: float
    anchor: int
    """Index of the class that a new one starts from; -1 for none (zeros)."""


def logits(memories: npt.NDArray[np.floating], w: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> Doubles:
    """[n, classes]: memories [n, H] @ w [H, classes] + b, in double precision and one order."""
    return np.asarray(np.einsum("nh,hc->nc", memories.astype(np.float64), w.astype(np.float64)) + b)


def spread(memories: npt.NDArray[np.floating]) -> Doubles:
    """[H]: the features' standard deviations over `memories` [n, H], lifted by FLOOR; the unit of a weight."""
    deviation = memories.astype(np.float64).std(0)
    return np.asarray(np.maximum(deviation + FLOOR * deviation.mean(), 1e-6))


def fit(
    memories: npt.NDArray[np.float32], target: Integers, weight: Doubles, classes: int, old: OldHead, unit: Doubles
) -> tuple[Doubles, Doubles]:
    """Columns (w [H, classes], b [classes]) of the taught classes.

    `memories` [n, H]; `target` [n]: index of a taught class, or ELSE; `weight` [n]: what a window counts, summing to 1; `unit`: `spread`.
    """
    before = logits(memories, old.w, old.b) / old.temperature
    top = before.max(1)
    anything = top + np.log(np.exp(before - top[:, None]).sum(1))
    start_w, start_b = (old.w[:, old.anchor], old.b[old.anchor]) if old.anchor >= 0 else (np.zeros(unit.size), 0.0)
    offset = (before[:, old.anchor] if old.anchor >= 0 else np.zeros(len(memories))) - anything
    x = np.ascontiguousarray(memories / unit)
    found = _minimise(x, offset, target, weight, np.zeros((classes, unit.size + 1)))
    w = start_w[:, None] + old.temperature * found[:, :-1].T / unit[:, None]
    return w, start_b + old.temperature * found[:, -1]


@njit(cache=True, nogil=True)
def _loss(x: Doubles, offset: Doubles, target: Integers, weight: Doubles, ridge: float, p: Doubles, slope: Doubles) -> float:
    """Negative log likelihood of `target` plus the ridge, at the parameters p [classes, H + 1]; its gradient is written to `slope`."""
    classes, size = p.shape[0], p.shape[1] - 1
    loss = 0.0
    u = np.empty(classes)
    for k in range(classes):
        slope[k, size] = 0.0
        for h in range(size):
            slope[k, h] = ridge * p[k, h]
            loss += 0.5 * ridge * p[k, h] * p[k, h]
    for n in range(x.shape[0]):
        top = 0.0
        for k in range(classes):
            total = offset[n] + p[k, size]
            for h in range(size):
                total += x[n, h] * p[k, h]
            u[k] = total
            top = max(top, total)
        everything = np.exp(-top)
        for k in range(classes):
            everything += np.exp(u[k] - top)
        loss += weight[n] * (top + np.log(everything) - (u[target[n]] if target[n] >= 0 else 0.0))
        for k in range(classes):
            pull = weight[n] * (np.exp(u[k] - top) / everything - (1.0 if target[n] == k else 0.0))
            slope[k, size] += pull
            for h in range(size):
                slope[k, h] += pull * x[n, h]
    return loss


@njit(cache=True, nogil=True)
def _dot(a: Doubles, b: Doubles) -> float:
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


def _minimise(x: Doubles, offset: Doubles, target: Integers, weight: Doubles, start: Doubles) -> Doubles:
    """The parameters at the least loss, by L-BFGS with backtracking (Nocedal and Wright, Numerical Optimization, ch. 7.2)."""

    def at(flat: Doubles) -> tuple[float, Doubles]:
        slope = np.empty_like(start)
        return _loss(x, offset, target, weight, RIDGE, flat.reshape(start.shape), slope), slope.ravel()

    place = start.ravel()
    loss, slope = at(place)
    steps: list[Doubles] = []
    turns: list[Doubles] = []
    for _ in range(MOST_STEPS):
        if np.abs(slope).max() < FLAT:
            break
        direction = -_smoothed(slope, steps, turns)
        size, falls = (1.0 if steps else 1.0 / np.sqrt(_dot(slope, slope))), _dot(slope, direction)
        while (there := at(place + size * direction))[0] > loss + 1e-4 * size * falls and size > 1e-12:
            size *= 0.5
        if there[0] > loss:
            break  # no step leads down any more: rounding
        step, turn = size * direction, there[1] - slope
        if _dot(step, turn) > 1e-14:
            steps, turns = [*steps, step][-HISTORY:], [*turns, turn][-HISTORY:]
        place, (loss, slope) = place + step, there
    return place.reshape(start.shape)


def _smoothed(slope: Doubles, steps: list[Doubles], turns: list[Doubles]) -> Doubles:
    """`slope` times the inverse Hessian as far as it is known from the last steps: the two-loop recursion."""
    q, shares = slope.copy(), []
    for step, turn in zip(reversed(steps), reversed(turns), strict=True):
        shares.append(_dot(step, q) / _dot(turn, step))
        q -= shares[-1] * turn
    if steps:
        q *= _dot(steps[-1], turns[-1]) / _dot(turns[-1], turns[-1])
    for step, turn, share in zip(steps, turns, reversed(shares), strict=True):
        q += step * (share - _dot(turn, q) / _dot(turn, step))
    return q
