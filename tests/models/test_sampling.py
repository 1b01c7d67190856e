"""Promises of choosing the next token."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.sampling import Sampling, sample

LOGITS = np.random.default_rng(0).normal(size=50).astype(np.float32)


def test_equal_seeds_give_equal_tokens() -> None:
    draws = [
        [sample(LOGITS, Sampling(1.0, 0, 7), random) for _ in range(100)] for random in (np.random.default_rng(7), np.random.default_rng(7))
    ]
    assert draws[0] == draws[1]


def test_temperature_zero_takes_the_best_token() -> None:
    assert sample(LOGITS, Sampling(temperature=0), np.random.default_rng(1)) == LOGITS.argmax()


@given(st.integers(1, 60), st.integers(0, 2**32))
def test_only_the_best_k_tokens_are_ever_chosen(k: int, seed: int) -> None:
    best = set(np.argsort(LOGITS)[-k:].tolist())
    assert sample(LOGITS, Sampling(2.0, k), np.random.default_rng(seed)) in best


def test_frequencies_follow_the_softmax() -> None:
    logits = np.log(np.array([0.7, 0.2, 0.1], np.float32))
    random = np.random.default_rng(3)
    counts = np.bincount([sample(logits, Sampling(1.0, 0), random) for _ in range(5000)], minlength=3) / 5000
    assert np.abs(counts - [0.7, 0.2, 0.1]).max() < 0.03
