"""Promises of choosing the next token."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sampling import PRESETS, Floats, Sampling, distribution, generator, sample

LOGITS = np.random.default_rng(0).normal(size=50).astype(np.float32)

scores = st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=40).map(lambda values: np.array(values, np.float32))
settings = st.builds(
    Sampling,
    temperature=st.floats(0, 5),
    top_k=st.integers(0, 50),
    top_p=st.floats(0, 1),
    min_p=st.floats(0, 1),
    repetition_penalty=st.floats(1, 5),
    repetition_window=st.integers(0, 20),
)
plain = Sampling(temperature=1.0, top_k=0)


def softmax(logits: Floats, temperature: float = 1.0) -> dict[int, float]:
    powers = np.exp((logits.astype(np.float64) - logits.max()) / temperature)
    return dict(enumerate((powers / powers.sum()).tolist()))


def likely(logits: Floats, how: Sampling, recent: tuple[int, ...] = ()) -> dict[int, float]:
    ids, probabilities = distribution(logits, how, recent)
    return dict(zip(ids.tolist(), probabilities.tolist(), strict=True))


def test_equal_seeds_give_equal_tokens() -> None:
    draws = [[sample(LOGITS, plain, generator(7, place)) for place in range(100)] for _ in range(2)]
    assert draws[0] == draws[1]
    assert draws[0] != [sample(LOGITS, plain, generator(8, place)) for place in range(100)]


def test_what_is_drawn_at_a_place_does_not_depend_on_what_was_drawn_before() -> None:
    drawn = [sample(LOGITS, plain, generator(7, place)) for place in range(20)]
    assert [sample(LOGITS, plain, generator(7, place)) for place in reversed(range(20))] == drawn[::-1]


def test_temperature_zero_takes_the_best_token() -> None:
    assert sample(LOGITS, Sampling(temperature=0), generator(1, 1)) == LOGITS.argmax()


@given(scores, settings, st.integers(0, 2**63 - 1))
def test_every_draw_is_a_candidate_and_candidates_are_a_distribution_with_the_best_first(
    how_good: Floats, how: Sampling, seed: int
) -> None:
    ids, probabilities = distribution(how_good, how)
    assert sample(how_good, how, generator(seed, 0)) in ids
    assert ids[0] == how_good.argmax()
    assert probabilities.sum() == pytest.approx(1)
    assert (np.diff(probabilities) <= 0).all()
    assert how.top_k == 0 or ids.size <= how.top_k
    assert len(set(ids.tolist())) == ids.size


@given(st.integers(1, 60), st.integers(0, 2**32))
def test_only_the_best_k_tokens_are_ever_chosen(k: int, seed: int) -> None:
    best = set(np.argsort(LOGITS)[-k:].tolist())
    assert sample(LOGITS, Sampling(2.0, k), generator(seed, 0)) in best


@given(scores, settings, st.integers(1, 40))
def test_the_best_k_alone_give_the_same_draw_as_all_scores(how_good: Floats, how: Sampling, more: int) -> None:
    how = Sampling(how.temperature, max(how.top_k, 1), 0, how.top_p, how.min_p)
    reported = np.full_like(how_good, -np.inf)
    best = np.lexsort((np.arange(how_good.size), -how_good))[: how.top_k + more]
    reported[best] = how_good[best]
    assert likely(reported, how) == likely(how_good, how)


@given(scores, st.floats(0, 1), st.floats(0.1, 3))
def test_top_p_keeps_the_smallest_set_of_the_likeliest_whose_mass_reaches_p(how_good: Floats, p: float, temperature: float) -> None:
    every = softmax(how_good, temperature)
    kept = likely(how_good, Sampling(temperature, 0, top_p=p))
    mass = sum(every[index] for index in kept)
    assert mass >= p - 1e-9
    assert mass - min(every[index] for index in kept) < p + 1e-9 or len(kept) == 1
    assert min(every[index] for index in kept) >= max((every[index] for index in every if index not in kept), default=0) - 1e-12


@given(scores, st.floats(0, 1))
def test_min_p_keeps_those_at_least_that_part_as_likely_as_the_best(how_good: Floats, p: float) -> None:
    every = softmax(how_good)
    kept = likely(how_good, Sampling(1.0, 0, min_p=p))
    best = max(every.values())
    assert all(every[index] >= p * best * (1 - 1e-9) for index in kept)
    assert all(every[index] <= p * best * (1 + 1e-9) for index in every if index not in kept)


@given(scores, st.integers(0, 39), st.floats(1, 5))
def test_a_penalty_never_makes_a_token_that_was_said_more_likely(how_good: Floats, said: int, penalty: float) -> None:
    said %= how_good.size
    before = likely(how_good, plain)
    after = likely(how_good, Sampling(1.0, 0, repetition_penalty=penalty), (said,))
    assert after[said] <= before[said] * (1 + 1e-9)


@given(scores, st.lists(st.integers(0, 39), max_size=30), st.floats(1, 5))
def test_a_penalty_never_raises_the_odds_of_what_was_said_against_what_was_not(how_good: Floats, past: list[int], penalty: float) -> None:
    said = tuple(index % how_good.size for index in past)
    before = likely(how_good, plain)
    after = likely(how_good, Sampling(1.0, 0, repetition_penalty=penalty), said)
    for other in set(before) - set(said):
        assert all(after[index] * before[other] <= before[index] * after[other] * (1 + 1e-9) for index in said)


def test_a_penalty_looks_back_as_far_as_its_window() -> None:
    how = Sampling(1.0, 0, repetition_penalty=2.0, repetition_window=2)
    assert likely(LOGITS, how, (5, 1, 2)) == likely(LOGITS, how, (1, 2)) != likely(LOGITS, how, (5,))
    assert likely(LOGITS, Sampling(1.0, 0, repetition_penalty=2.0, repetition_window=0), (5,)) == likely(LOGITS, plain)


def test_rules_act_in_the_order_that_is_documented() -> None:
    logits = np.log(np.array([0.4, 0.3, 0.2, 0.1], np.float32))
    by_mass_of_two = Sampling(1.0, 2, top_p=0.6)  # of the best two 0.4 / 0.7 is less than 0.6, of all four 0.4 + 0.3 would be needed too
    assert list(likely(logits, by_mass_of_two)) == [0, 1]
    assert list(likely(logits, Sampling(1.0, 2, top_p=0.57))) == [0]
    cold = Sampling(0.25, 0, top_p=0.7)  # at this temperature the first has 0.72 of the mass
    assert list(likely(logits, cold)) == [0]


def test_frequencies_follow_the_softmax() -> None:
    logits = np.log(np.array([0.7, 0.2, 0.1], np.float32))
    counts = np.bincount([sample(logits, plain, generator(3, place)) for place in range(5000)], minlength=3) / 5000
    assert np.abs(counts - [0.7, 0.2, 0.1]).max() < 0.03


def test_what_is_banned_is_never_chosen_and_nothing_left_is_said() -> None:
    best = int(LOGITS.argmax())
    assert sample(LOGITS, Sampling(0.0), generator(0, 0), banned=(best,)) == np.argsort(LOGITS)[-2]
    with pytest.raises(ValueError, match="no token"):
        sample(LOGITS[:2], plain, generator(0, 0), banned=(0, 1))


@pytest.mark.parametrize("temperature", [5e-324, 1e-300, 1e-9, 100.0])
def test_extreme_temperatures_leave_the_best_token_possible(temperature: float) -> None:
    ids, probabilities = distribution(LOGITS, Sampling(temperature, 0))
    assert ids[0] == LOGITS.argmax()
    assert np.isfinite(probabilities).all()


WRONG: list[dict[str, Any]] = [{"temperature": -1}, {"temperature": math.nan}, {"top_p": 1.1}, {"min_p": -0.1}, {"top_k": -1}]
WRONG += [{"repetition_penalty": 0.5}, {"seed": -1}, {"seed": 1 << 63}]


@pytest.mark.parametrize("wrong", WRONG)
def test_settings_without_a_meaning_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Sampling(**wrong)


def test_every_preset_leaves_a_choice_of_sense() -> None:
    for how in PRESETS.values():
        assert likely(LOGITS, how)
