"""Promises of the weights in assets/: they load, say how they were made, and do what they are for."""

import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import assets
from models import checkpoint, gesture, language
from models.tokenizer import Tokenizer, conversations
from models.training import clips
from models.training.corpus import encode
from models.training.language import perplexity
from pipeline.simulator import GESTURES

PROMPTS = (
    "Hello!",
    "I would like to book a table for two in San Jose.",
    "Can you find me a bus to Los Angeles?",
    "What is the weather like today?",
    "My printer is not working.",
    "I need a doctor in Oakland.",
    "Thank you, that is all.",
    "Play some music, please.",
)


@pytest.mark.parametrize("kind", checkpoint.KINDS)
def test_the_weights_say_how_from_what_and_with_which_result_they_were_made(kind: str) -> None:
    path = assets.path(f"{kind}.safetensors")
    _, metadata = checkpoint.load(path, kind)
    made: dict[str, Any] = metadata["made"]
    assert made["command"].startswith(f"egret train {kind}")
    assert made["steps"] > 0 and isinstance(made["seed"], int) and re.fullmatch(r"\d{4}-\d\d-\d\d", made["date"])
    assert {"accuracy", "activity_0"} <= made["figures"].keys() or {"perplexity_token", "perplexity_word"} <= made["figures"].keys()
    assert metadata["licence"] and metadata["attribution"]
    assert path.stat().st_size < 8 << 20


def test_the_language_model_names_the_texts_it_learnt_from() -> None:
    _, metadata = checkpoint.load(assets.path("language.safetensors"), "language")
    for name in ("Schema-Guided Dialogue", "Rastogi", "CC BY-SA 4.0", "ChatterBot", "BSD-3-Clause"):
        assert name in metadata["attribution"]


@pytest.fixture(scope="module")
def answers() -> list[tuple[str, bool]]:
    """What the shipped model says to PROMPTS, and whether it stopped by itself."""
    model = language.load(assets.path("language.safetensors"))
    tokenizer = Tokenizer.load(assets.path("language.tokenizer.json"))
    limit = 80
    written = [model.write(tokenizer, tokenizer.prompt(text, first=True), limit, seed=seed) for seed, text in enumerate(PROMPTS)]
    for prompt, ids in zip(PROMPTS, written, strict=True):
        print(f"> {prompt}\n  {tokenizer.decode(ids).strip()}")
    return [(tokenizer.decode(ids), len(ids) < limit) for ids in written]


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def test_the_language_model_says_something_and_stops_by_itself(answers: list[tuple[str, bool]]) -> None:
    assert sum(stopped for _, stopped in answers) >= len(PROMPTS) - 1
    assert sum(len(words(text)) >= 2 for text, _ in answers) >= len(PROMPTS) - 1


def test_what_the_language_model_writes_are_words(answers: list[tuple[str, bool]], shared_data: Path) -> None:
    with gzip.open(shared_data / "text" / "sgd-dialogues" / "sgd_test.txt.gz", "rt") as file:
        known = set(words(file.read()))
    written = [word for text, _ in answers for word in words(text)]
    share = sum(word in known for word in written) / len(written)
    print(f"{share:.1%} of {len(written)} words occur in a text that the model has not seen")
    assert share > 0.8  # the rest are names, which it invents


def test_the_language_model_predicts_dialogues_that_it_has_not_seen(shared_data: Path) -> None:
    with gzip.open(shared_data / "text" / "sgd-dialogues" / "sgd_test.txt.gz", "rt") as file:
        dialogues = list(conversations(file.read()))[:40]
    tokenizer = Tokenizer.load(assets.path("language.tokenizer.json"))
    spoken = sum(len(line.partition(":")[2].split()) for lines in dialogues for line in lines)
    figures = perplexity(language.load(assets.path("language.safetensors")), encode(tokenizer, dialogues), spoken)
    print(figures)
    assert figures["perplexity_token"] < 25  # the vocabulary has 2,048 tokens; their bare frequencies give several hundred
    assert max(figures["activity_0"], figures["activity_1"]) < 0.35


def test_the_gesture_network_knows_simulated_people_it_has_not_seen() -> None:
    network, _ = gesture.load(assets.path("gesture.safetensors"))
    fresh = [clips.make("held-out", 100_000 + number) for number in range(2 * len(clips.KINDS))]
    counts = torch.from_numpy(np.stack([takes[0] for takes, _ in fresh], axis=1))
    labels = np.array([clips.LABELS[kind] for _, (kind, _) in fresh])
    with torch.no_grad():
        logits, outputs, _, _ = network(gesture.features(counts))
    answer = logits[60:].mean(0).argmax(1).numpy()
    accuracy = float((answer == labels).mean())
    active = [float((y > 0).float().mean()) for y in outputs]
    print(f"{accuracy:.1%} of {len(labels)} clips right (chance {1 / len(GESTURES):.1%}); activity {active}")
    assert accuracy > 0.4
    assert max(active) < 0.35
