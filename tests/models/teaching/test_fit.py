"""The fit finds the optimum of what its essay says, and always the same one."""

import numpy as np
import pytest

from models.teaching.fit import ELSE, RIDGE, OldHead, _loss, fit, logits, spread

CLASSES, UNITS = 5, 12


@pytest.fixture
def world() -> tuple[np.ndarray, np.ndarray, np.ndarray, OldHead]:
    """Memories of which every third belongs to one of two new classes, their targets and weights, and the old columns."""
    rng = np.random.default_rng(3)
    target = np.tile([ELSE, ELSE, 0, ELSE, ELSE, 1], 50)
    memories = rng.normal(size=(target.size, UNITS)).astype(np.float32)
    memories[target == 0, 0] += 5
    memories[target == 1, 1] += 5
    weight = np.full(target.size, 1 / target.size)
    return memories, target, weight, OldHead(rng.normal(size=(UNITS, CLASSES)), rng.normal(size=CLASSES), 1.7, CLASSES - 1)


def objective(w: np.ndarray, b: np.ndarray, world: tuple[np.ndarray, np.ndarray, np.ndarray, OldHead], unit: np.ndarray) -> float:
    """The loss as the essay defines it, written out: cross entropy of old classes together against each new one, and the ridge."""
    memories, target, weight, old = world
    z = np.concatenate([memories @ old.w + old.b, memories @ w + b], axis=1) / old.temperature
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    right = np.where(target == ELSE, p[:, :CLASSES].sum(1), p[np.arange(len(p)), CLASSES + np.maximum(target, 0)])
    away = (w - old.w[:, [old.anchor]]) * unit[:, None] / old.temperature
    return float(-(weight * np.log(right)).sum() + RIDGE / 2 * (away**2).sum())


def test_no_other_columns_are_better(world: tuple[np.ndarray, np.ndarray, np.ndarray, OldHead]) -> None:
    memories, target, weight, old = world
    unit = spread(memories)
    w, b = fit(memories, target, weight, 2, old, unit)
    best = objective(w, b, world, unit)
    rng = np.random.default_rng(1)
    for size in (1e-3, 1e-2, 0.1, 1.0):
        for _ in range(20):
            assert objective(w + size * rng.normal(size=w.shape), b + size * rng.normal(size=b.shape), world, unit) > best


def test_the_slope_is_that_of_the_loss() -> None:
    rng = np.random.default_rng(2)
    x, offset, target = rng.normal(size=(30, 4)), rng.normal(size=30), rng.integers(-1, 3, 30)
    weight, p = np.full(30, 1 / 30), rng.normal(size=(3, 5))
    slope, rest = np.empty_like(p), np.empty_like(p)
    _loss(x, offset, target, weight, 0.1, p, slope)
    for place in np.ndindex(p.shape):
        step = np.zeros_like(p)
        step[place] = 1e-5
        up, down = (_loss(x, offset, target, weight, 0.1, p + sign * step, rest) for sign in (1, -1))
        assert slope[place] == pytest.approx((up - down) / 2e-5, abs=1e-7)


def test_new_classes_are_told_apart_and_old_ones_keep_their_order(world: tuple[np.ndarray, np.ndarray, np.ndarray, OldHead]) -> None:
    memories, target, weight, old = world
    w, b = fit(memories, target, weight, 2, old, spread(memories))
    scores = logits(memories, np.concatenate([old.w, w], axis=1), np.concatenate([old.b, b]))
    taken = scores.argmax(1) - CLASSES
    assert (np.where(taken < 0, ELSE, taken) == target).mean() > 0.9
    assert np.array_equal(scores[:, :CLASSES], logits(memories, old.w, old.b))


def test_equal_examples_give_equal_columns_to_the_last_bit(world: tuple[np.ndarray, np.ndarray, np.ndarray, OldHead]) -> None:
    memories, target, weight, old = world
    first, second = (fit(memories.copy(), target, weight, 2, old, spread(memories)) for _ in range(2))
    assert first[0].tobytes() == second[0].tobytes() and first[1].tobytes() == second[1].tobytes()


def test_without_a_class_for_everything_else_columns_start_from_nothing(
    world: tuple[np.ndarray, np.ndarray, np.ndarray, OldHead],
) -> None:
    memories, target, weight, old = world
    w, b = fit(memories, target, weight, 2, OldHead(old.w, old.b, old.temperature, -1), spread(memories))
    scores = logits(memories, np.concatenate([old.w, w], axis=1), np.concatenate([old.b, b]))
    assert (scores.argmax(1)[target == 0] == CLASSES).mean() > 0.8
