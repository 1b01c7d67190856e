"""Promises of SpikeGPT's training: it learns, it can be stopped and goes on the same, and what it writes runs like a published one."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models import wikitext
from models.foreign import opening
from models.spikegpt import SpikeGPT
from models.training import corpus
from models.training.spikegpt import Recipe, perplexity, train
from pipeline.errors import USAGE, UserError

SMALL = Recipe(vocabulary=300, width=32, blocks=2, streams=8, window=16, peak_rate=1e-2, dropout=0.05)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus as ids: a few sentences over and over."""
    folder = tmp_path_factory.mktemp("text")
    words = ["<eos>", "the", "cat", "sat", "on", "a", "mat", "dog", "ran"]
    line = [1, 2, 3, 4, 5, 6, 0, 1, 7, 8, 4, 1, 6, 0]
    for part, times in ((wikitext.TRAIN, 200), (wikitext.VALIDATE, 60), (wikitext.TEST, 20)):
        np.save(folder / part, np.array(line * times))
    (folder / wikitext.NAMES).write_text("\n".join(words))
    return folder


def test_a_few_steps_lower_the_loss_and_what_is_written_runs_on_the_host(text: Path, tmp_path: Path) -> None:
    losses: list[float] = []
    out = tmp_path / "small.pth"
    figures = train(
        text, out, tmp_path / "run", recipe=SMALL, steps=60, save_every=30, progress=lambda *step: losses.append(step[2]["loss"])
    )
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])
    about = json.loads((tmp_path / "small.json").read_text())
    assert about["made"]["steps"] == 60 and about["made"]["figures"]["tokens_seen"] == 60 * 8 * 16 and "WikiText-2" in about["attribution"]
    assert len((tmp_path / "run" / "log.csv").read_text().splitlines()) == 3 and (tmp_path / "run" / "latest.pth").is_file()
    opened = opening.load(out)
    assert "plain embedding" in opened.network.about
    tokens = opened.vocabulary.encode(wikitext.read(text, wikitext.TEST))
    loss = opening.loss(opened.network.read(tokens[:-1]), tokens[1:])
    assert np.exp(loss) == pytest.approx(figures["perplexity_token"], rel=0.2)
    assert 0 < figures["activity"] < 0.5


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU here")
def test_on_a_gpu_it_learns_the_same_and_goes_on_when_it_was_stopped(text: Path, tmp_path: Path) -> None:
    losses: dict[str, list[float]] = {"cpu": [], "cuda": []}
    recipe = replace(SMALL, dropout=0.0)  # whose random numbers differ between devices
    figures = {}
    for device, seen in losses.items():
        how: dict[str, Any] = {"recipe": recipe, "device": device, "progress": lambda *step, to=seen: to.append(step[2]["loss"])}
        train(text, tmp_path / "half.pth", tmp_path / device, steps=30, **how)
        figures[device] = train(text, tmp_path / f"{device}.pth", tmp_path / device, steps=60, resume=True, **how)
    assert len(losses["cuda"]) == 60
    assert losses["cuda"][:5] == pytest.approx(losses["cpu"][:5], rel=0.02)
    assert figures["cuda"]["perplexity_token"] == pytest.approx(figures["cpu"]["perplexity_token"], rel=0.1)
    assert all(value.device.type == "cpu" for value in torch.load(tmp_path / "cuda.pth", weights_only=True).values())


def test_a_run_that_was_stopped_goes_on_as_if_nothing_had_happened(text: Path, tmp_path: Path) -> None:
    how: dict[str, Any] = {"recipe": SMALL, "save_every": 4}
    train(text, tmp_path / "whole.pth", tmp_path / "whole", steps=10, **how)

    class Stopped(Exception):
        pass

    def stop(step: int, *_: object) -> None:
        if step == 7:
            raise Stopped

    with pytest.raises(Stopped):
        train(text, tmp_path / "parts.pth", tmp_path / "parts", steps=10, progress=stop, **how)
    train(text, tmp_path / "parts.pth", tmp_path / "parts", steps=10, resume=True, **how)
    whole, parts = (torch.load(tmp_path / f"{name}.pth", weights_only=True) for name in ("whole", "parts"))
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=0, atol=0, msg=name)


def test_perplexity_is_that_of_the_mean_of_all_tokens(text: Path, tmp_path: Path) -> None:
    material = corpus.material(text, tmp_path / "tokenizer.json", 300)
    torch.manual_seed(0)
    model = SpikeGPT(len(material.tokenizer), 16, 1).eval()
    model.head.weight.data.zero_()  # every token is as likely as any other
    assert perplexity(model, material)["perplexity_token"] == pytest.approx(len(material.tokenizer), rel=1e-4)


def test_a_text_that_is_too_short_is_refused(text: Path, tmp_path: Path) -> None:
    long = Recipe(vocabulary=300, width=8, blocks=1, streams=64, window=256)
    with pytest.raises(UserError, match="too short"):
        train(text, tmp_path / "out.pth", tmp_path / "run", recipe=long, steps=1)


def test_sizes_that_are_none_are_refused_with_a_sentence(tmp_path: Path) -> None:
    from app.cli import run_command

    for options in (["--width", "0"], ["--vocabulary", "3"], ["--dropout", "1"]):
        with pytest.raises(UserError) as caught:
            run_command(["train", "spikegpt", "--folder", str(tmp_path), *options])
        assert caught.value.exit_code == USAGE
