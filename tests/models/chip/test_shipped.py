"""The bundled weights as programs say what their float networks say: what quantisation costs, on data."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import assets
from models import checkpoint
from models.chip import host, integer
from models.chip.compress import compress
from models.tokenizer import Tokenizer
from pipeline.frames import frames_of
from pipeline.simulator import simulate

GESTURES = ("right_hand_wave", "left_arm_clockwise", "hand_clapping", "other_gestures")
TOKENS = 1500


def test_the_gesture_program_leads_with_the_class_that_the_float_network_leads_with() -> None:
    """In nearly every window: at most one in a hundred is a toss-up between two classes."""
    weights = checkpoint.load(assets.path("gesture.safetensors"), "gesture")
    mine, exact = integer.GestureNetwork(compress(*weights)), host.GestureNetwork(*weights)
    same = []
    for seed, gesture in enumerate(GESTURES):
        mine.reset()
        exact.reset()
        for counts in frames_of(simulate(gesture, seed, 1_500_000), 128, 128).counts:
            same.append(mine.step(counts).argmax() == exact.step(counts).argmax())
    assert np.mean(same) > 0.97
    assert mine.operations < exact.operations


def perplexity(network: Any, tokens: list[int]) -> float:
    """Per token, of `tokens` after their first."""
    surprise = 0.0
    for token, following in pairwise(tokens):
        logits = network.step(token).astype(np.float64)
        surprise += logits.max() + math.log(np.exp(logits - logits.max()).sum()) - logits[following]
    return math.exp(surprise / (len(tokens) - 1))


def test_the_language_program_loses_less_than_two_per_cent_of_perplexity(shared_data: Path) -> None:
    evaluation = pytest.importorskip("app.evaluation.language")
    weights = checkpoint.load(assets.path("language.safetensors"), "language")
    tokenizer = Tokenizer.load(assets.path(weights[1]["config"]["tokenizer"]))
    text = shared_data / "text" / "sgd-dialogues" / "sgd_dev.txt.gz"
    tokens = evaluation.encode(tokenizer, evaluation.read(text))[:TOKENS]
    exact = perplexity(host.LanguageNetwork(*weights), tokens)
    assert perplexity(integer.LanguageNetwork(compress(*weights)), tokens) < 1.02 * exact
