"""Promises of the language model's training: it learns, it can be killed, and what it writes can be used."""

import gzip
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models import checkpoint, language
from models.tokenizer import Tokenizer
from models.training import corpus
from models.training.language import perplexity, train
from pipeline.errors import USAGE, UserError

CITIES = ("San Jose", "Oakland", "Paris", "Berlin", "Dresden", "London")
SMALL: dict[str, Any] = {"vocabulary": 300, "hidden": (32, 32), "streams": 8, "window": 16, "peak_rate": 1e-2}


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    (folder / "sgd-dialogues").mkdir()
    (folder / "chatterbot-english").mkdir()
    dialogues = [f"user: I want to eat in {city}.\nbot: For how many?\nuser: {n}.\nbot: Done." for city in CITIES for n in range(1, 9)]
    for name in ("train", "dev"):
        with gzip.open(folder / "sgd-dialogues" / f"sgd_{name}.txt.gz", "wt") as file:
            file.write("\n\n".join(dialogues))
    (folder / "chatterbot-english" / "greetings.yml").write_text("conversations:\n- - Hello\n  - Hi\n- - Bye\n  - See\n    you\n  - More\n")
    return folder


def weights(path: Path) -> dict[str, Any]:
    return checkpoint.load(path, "language")[0]


def test_a_few_steps_lower_the_loss_and_the_file_says_how_it_was_made(text: Path, tmp_path: Path) -> None:
    losses: list[float] = []
    out = tmp_path / "language.safetensors"
    figures = train(
        text, out, tmp_path / "run", steps=120, save_every=40, progress=lambda step, steps, got: losses.append(got["loss"]), **SMALL
    )
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    metadata = checkpoint.load(out, "language")[1]
    assert metadata["made"]["steps"] == 120 and metadata["made"]["seed"] == 1
    assert metadata["made"]["figures"] == pytest.approx(figures | {"tokens_seen": 120 * 8 * 16})
    assert "CC BY-SA 4.0" in metadata["attribution"] and "Rastogi" in metadata["attribution"]
    assert len(Tokenizer.load(out.with_name(metadata["config"]["tokenizer"]))) == metadata["config"]["vocabulary"]
    assert len((tmp_path / "run" / "log.csv").read_text().splitlines()) == 1 + 120 // 40


def test_a_run_that_was_killed_goes_on_as_if_nothing_had_happened(text: Path, tmp_path: Path) -> None:
    train(text, tmp_path / "whole.safetensors", tmp_path / "whole", steps=10, save_every=4, **SMALL)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(text), str(tmp_path)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "parts.safetensors").exists()
    train(text, tmp_path / "parts.safetensors", tmp_path / "parts", steps=10, save_every=4, resume=True, **SMALL)
    whole, parts = weights(tmp_path / "whole.safetensors"), weights(tmp_path / "parts.safetensors")
    for name, value in whole.items():
        np.testing.assert_array_equal(parts[name], value, err_msg=name)


KILLED = f"""
import os, signal, sys
from pathlib import Path
from models.training.language import train
def progress(step, steps, figures):
    if step == 7:
        os.kill(os.getpid(), signal.SIGKILL)
text, folder = map(Path, sys.argv[1:])
train(text, folder / "parts.safetensors", folder / "parts", steps=10, save_every=4, progress=progress, **{SMALL!r})
"""


def test_a_run_is_not_overwritten_nor_resumed_with_other_settings(text: Path, tmp_path: Path) -> None:
    train(text, tmp_path / "a.safetensors", tmp_path / "run", steps=2, **SMALL)
    for change, sentence in (
        ({}, "already"),
        ({"resume": True, "hidden": (16, 16)}, "another hidden"),
        ({"resume": True, "seed": 5}, "another seed"),
    ):
        with pytest.raises(UserError, match=sentence) as caught:
            train(text, tmp_path / "a.safetensors", tmp_path / "run", steps=2, **(SMALL | change))
        assert caught.value.exit_code == USAGE
    with pytest.raises(UserError, match="no run to resume"):
        train(text, tmp_path / "a.safetensors", tmp_path / "elsewhere", steps=2, resume=True, **SMALL)
    (tmp_path / "run" / "state.pt").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="cannot be read"):
        train(text, tmp_path / "a.safetensors", tmp_path / "run", steps=2, resume=True, **SMALL)


def test_texts_that_are_absent_empty_or_damaged_are_one_sentence(text: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="sgd_train"):
        corpus.read(tmp_path)
    (tmp_path / "sgd-dialogues").mkdir()
    (tmp_path / "sgd-dialogues" / "sgd_train.txt.gz").write_bytes(gzip.compress(b"\n\n"))
    with pytest.raises(UserError, match="no dialogues"):
        corpus.read(tmp_path)
    (tmp_path / "sgd-dialogues" / "sgd_train.txt.gz").write_bytes(gzip.compress(b"user: hello\nbot: hi\n" * 99)[:-9])
    with pytest.raises(UserError, match="cannot be read"):
        corpus.read(tmp_path)


def test_small_talk_becomes_conversations_of_two_turns(text: Path) -> None:
    assert corpus.read(text).small_talk == [["user: Hello", "bot: Hi"], ["user: Bye", "bot: See you"]]


def test_every_epoch_reads_everything_once_in_another_order(text: Path) -> None:
    read = corpus.read(text)
    tokenizer = Tokenizer.train(corpus.texts(read), 300)
    dialogues, small_talk = corpus.encode(tokenizer, read.train), corpus.encode(tokenizer, read.small_talk)
    first, second = (corpus.epoch(dialogues, small_talk, 1, seed=3, number=number)[:, 0] for number in (0, 1))
    assert np.array_equal(np.sort(first), np.sort(second)) and not np.array_equal(first, second)
    assert len(first) == sum(map(len, dialogues)) + corpus.SMALL_TALK_REPEATS * sum(map(len, small_talk))
    assert np.array_equal(first, corpus.epoch(dialogues, small_talk, 1, seed=3, number=0)[:, 0])


def test_a_model_that_knows_nothing_has_the_perplexity_of_its_vocabulary() -> None:
    model = language.LanguageModel(50, 8, [8])
    with torch.no_grad():
        model.embedding.zero_()
    text = [np.arange(50, dtype=np.uint16)] * 64
    figures = perplexity(model, text, words=64 * 50)
    assert figures["perplexity_token"] == pytest.approx(50, rel=1e-5)
    assert figures["perplexity_word"] == pytest.approx(50, rel=1e-5)


def test_a_saved_model_computes_the_same_up_to_the_rounding_to_float16(tmp_path: Path) -> None:
    torch.manual_seed(2)
    model = language.LanguageModel(50, 8, [12, 8]).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half())
    language.save(model, tmp_path / "net", "t.json", {})
    tokens = torch.randint(0, 50, (20, 2))
    assert torch.equal(language.load(tmp_path / "net")(tokens)[0], model(tokens)[0])
