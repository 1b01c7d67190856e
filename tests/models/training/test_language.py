"""Promises of the language model's training: it learns, it can be killed, and what it writes can be used."""

import argparse
import contextlib
import gzip
import shutil
import signal
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from app.cli import run_command
from models import checkpoint, language, wikitext
from models.chip.compress import compress
from models.chip.integer import LanguageNetwork
from models.language import Dropouts
from models.tokenizer import Tokenizer
from models.training import corpus, plot, prune, reader
from models.training import language as training
from models.training.language import train
from models.training.perplexity import perplexity
from models.training.reader import Recipe
from pipeline.errors import USAGE, UserError
from tests.models.damage import flipped

CITIES = ("San Jose", "Oakland", "Paris", "Berlin", "Dresden", "London")
SMALL = Recipe(
    vocabulary=300,
    hidden=(32, 24),
    streams=8,
    window=16,
    peak_rate=1e-2,
    dropouts=Dropouts(0.05, 0.05, 0.05, 0.05),
    dropconnect=0.05,
    density=0.4,
    average=0.9,
)


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


@pytest.fixture(scope="module")
def articles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small WikiText-2, as ids."""
    folder = tmp_path_factory.mktemp("wikitext")
    lines = [["=", city, "="] for city in CITIES] + [
        ["We", "ate", "in", city, "for", str(n), "@.@", "<unk>"] for city in CITIES for n in range(9)
    ]
    row = [word for line in lines for word in [*line, "<eos>"]]
    names = ["<eos>", *sorted(set(row) - {"<eos>"})]
    ids = np.array([names.index(word) for word in row])
    np.save(folder / wikitext.TRAIN, np.tile(ids, 4))
    np.save(folder / wikitext.VALIDATE, ids)
    (folder / wikitext.NAMES).write_text("\n".join(names))
    return folder


def weights(path: Path) -> dict[str, Any]:
    return checkpoint.load(path, "language")[0]


def test_a_few_steps_lower_the_loss_and_the_file_says_how_it_was_made(text: Path, tmp_path: Path) -> None:
    losses: list[float] = []
    out = tmp_path / "language.safetensors"
    figures = train(
        text,
        out,
        tmp_path / "run",
        recipe=SMALL,
        steps=120,
        save_every=40,
        progress=lambda step, steps, got: losses.append(got["loss"]),
    )
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    metadata = checkpoint.load(out, "language")[1]
    assert metadata["made"]["steps"] == 120 and metadata["made"]["seed"] == 1
    assert metadata["made"]["figures"] == pytest.approx(figures | {"tokens_seen": 120 * 8 * 16})
    assert "CC BY-SA 4.0" in metadata["attribution"] and "Rastogi" in metadata["attribution"]
    assert len(Tokenizer.load(out.with_name(metadata["config"]["tokenizer"]))) == metadata["config"]["vocabulary"]
    assert len((tmp_path / "run" / "log.csv").read_text().splitlines()) == 1 + 120 // 40
    plot.curves(tmp_path / "run", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000


def test_damaged_dialogues_and_articles_are_refused_with_a_sentence(text: Path, articles: Path, tmp_path: Path) -> None:
    shutil.copytree(text, tmp_path / "text")
    packed = tmp_path / "articles.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(articles, "articles")
    sentences = []
    for damaged in flipped(tmp_path / "text" / "sgd-dialogues" / "sgd_train.txt.gz", 7):
        with contextlib.suppress(UserError):
            corpus.read(damaged.parents[1])
    for damaged in flipped(packed, 23):
        try:
            corpus.material(damaged, tmp_path / "tokenizer.json", 300)
        except UserError as error:
            sentences.append(str(error))
    assert any("it is damaged" in sentence for sentence in sentences)


def test_a_run_begins_with_weights_of_its_shape_and_their_vocabulary(articles: Path, tmp_path: Path) -> None:
    first = tmp_path / "first.safetensors"
    train(articles, first, tmp_path / "run", recipe=replace(SMALL, density=1.0), steps=40, save_every=1000)
    begun = train(articles, tmp_path / "next.safetensors", tmp_path / "next", start=first, recipe=SMALL, steps=1, save_every=1000)
    fresh = train(articles, tmp_path / "fresh.safetensors", tmp_path / "fresh", recipe=SMALL, steps=1, save_every=1000)
    assert begun["perplexity_word"] < 0.7 * fresh["perplexity_word"]
    assert (tmp_path / "next" / "tokenizer.json").read_bytes() == first.with_suffix(".tokenizer.json").read_bytes()
    for contents in (Tokenizer.train(["a b c"], 270), None):
        first.with_suffix(".tokenizer.json").unlink()
        if contents is not None:
            contents.save(first.with_suffix(".tokenizer.json"))
        with pytest.raises(UserError, match=r"There is no first\.tokenizer\.json"):
            train(articles, tmp_path / "a.safetensors", tmp_path / "again", start=first, recipe=SMALL, steps=1)


def test_a_run_that_was_refused_leaves_no_vocabulary_to_the_next(articles: Path, tmp_path: Path) -> None:
    first = tmp_path / "first.safetensors"
    train(articles, first, tmp_path / "run", recipe=replace(SMALL, density=1.0), steps=1, save_every=1000)
    for recipe, sentence in (
        (replace(SMALL, density=2.0), "not a share"),
        (replace(SMALL, streams=4000), "too short"),
    ):
        for start in (first, None):
            with pytest.raises(UserError, match=sentence):
                train(articles, tmp_path / "a.safetensors", tmp_path / "refused", start=start, recipe=recipe, steps=1)
            assert not (tmp_path / "refused" / "tokenizer.json").exists()
    with pytest.raises(UserError, match="another shape"):
        train(articles, tmp_path / "a.safetensors", tmp_path / "refused", start=first, recipe=replace(SMALL, hidden=(8, 8)), steps=1)
    assert not (tmp_path / "refused" / "tokenizer.json").exists()


def test_a_vocabulary_of_another_size_in_the_folder_is_refused_but_not_that_of_a_text_too_short_for_more(
    text: Path, tmp_path: Path
) -> None:
    place, run = tmp_path / "run" / "tokenizer.json", {"output": tmp_path / "a.safetensors", "run": tmp_path / "run", "steps": 1}
    for there in (290, 310):
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        place.parent.mkdir()
        Tokenizer.train(corpus.texts(corpus.read(text)), there).save(place)
        before = place.read_bytes()
        with pytest.raises(UserError, match=f"{there} ids and --vocabulary asks for 300.*--folder") as refused:
            train(text, recipe=SMALL, **run)
        assert refused.value.exit_code == USAGE and place.read_bytes() == before
    place.unlink()
    large = replace(SMALL, vocabulary=8000)  # more than there is in so short a text
    train(text, recipe=large, **run)
    filled = len(Tokenizer.load(place))
    assert 300 < filled < 8000
    train(text, recipe=large, resume=True, **run)
    assert len(Tokenizer.load(place)) == filled


@pytest.mark.parametrize("kind", ["gesture", "language"])
def test_a_resumed_run_takes_no_other_weights(kind: str) -> None:
    with pytest.raises(UserError, match="--initial") as refused:
        run_command(["train", kind, "--resume", "--initial", "weights.safetensors"])
    assert refused.value.exit_code == USAGE


def test_articles_are_learnt_from_the_training_text_pruned_and_as_good_in_integers(
    articles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prune, "EVERY", 5)
    out = tmp_path / "wikitext.safetensors"
    figures = train(articles, out, tmp_path / "run", recipe=SMALL, steps=150, save_every=1000)
    assert figures["density"] == pytest.approx(0.4, abs=0.001)
    assert figures["perplexity_word"] < 100  # guessing tokens at random gives several hundred
    tensors, metadata = checkpoint.load(out, "language")
    assert "Merity" in metadata["attribution"]
    program = compress(tensors, metadata)
    assert program.metadata["density"] == pytest.approx(0.4, abs=0.01)  # a few of those kept round to zero
    tokenizer = Tokenizer.load(tmp_path / metadata["config"]["tokenizer"])
    material = corpus.material(articles, tmp_path / metadata["config"]["tokenizer"], SMALL.vocabulary)
    (row,) = material.validation
    assert tokenizer.decode(row.tolist()) == wikitext.read(articles, wikitext.VALIDATE)
    network, nats = LanguageNetwork(program), 0.0
    for token, following in zip(row[:-1].tolist(), row[1:].tolist(), strict=True):
        logits = network.step(token).astype(np.float64)
        nats += float(np.log(np.exp(logits - logits[following]).sum()))
    exact = perplexity(language.load(out), material.validation, material.words, streams=1)
    assert np.exp(nats / material.words) == pytest.approx(exact["perplexity_word"], rel=0.02)


def test_a_run_that_was_killed_goes_on_as_if_nothing_had_happened(text: Path, tmp_path: Path) -> None:
    train(text, tmp_path / "whole.safetensors", tmp_path / "whole", recipe=SMALL, steps=10, save_every=4)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(text), str(tmp_path)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        timeout=170,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "parts.safetensors").exists()
    train(text, tmp_path / "parts.safetensors", tmp_path / "parts", recipe=SMALL, steps=10, save_every=4, resume=True)
    whole, parts = weights(tmp_path / "whole.safetensors"), weights(tmp_path / "parts.safetensors")
    for name, value in whole.items():
        np.testing.assert_array_equal(parts[name], value, err_msg=name)


KILLED = f"""
import os, signal, sys
from pathlib import Path
from models.language import Dropouts
from models.training.language import train
from models.training.reader import Recipe
def progress(step, steps, figures):
    if step == 7:
        os.kill(os.getpid(), signal.SIGKILL)
text, folder = map(Path, sys.argv[1:])
train(text, folder / "parts.safetensors", folder / "parts", recipe={SMALL!r}, steps=10, save_every=4, progress=progress)
"""


def test_a_run_is_not_overwritten_nor_resumed_with_other_settings(text: Path, tmp_path: Path) -> None:
    def start(recipe: Recipe = SMALL, folder: str = "run", **options: Any) -> None:
        train(text, tmp_path / "a.safetensors", tmp_path / folder, recipe=recipe, steps=2, **options)

    start()
    for recipe, options, sentence in (
        (SMALL, {}, "already"),
        (replace(SMALL, hidden=(16, 16)), {"resume": True}, "another hidden"),
        (SMALL, {"resume": True, "seed": 5}, "another seed"),
    ):
        with pytest.raises(UserError, match=sentence) as caught:
            start(recipe, **options)
        assert caught.value.exit_code == USAGE
    with pytest.raises(UserError, match="no run to resume"):
        start(folder="elsewhere", resume=True)
    (tmp_path / "run" / "state.pt").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="cannot be read"):
        start(resume=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_processes_learn_as_one_and_resume_as_two(articles: Path, tmp_path: Path) -> None:
    def run(*more: str) -> None:
        where = ["--data", str(articles), "--out", str(tmp_path / "a.safetensors"), "--folder", str(tmp_path / "run")]
        what = ["--hidden", "16,8", "--vocabulary", "300", "--streams", "4", "--density", "0.5"]
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
        ended = subprocess.run(
            [*torchrun, "-m", "models.training.language", *where, *what, *more],
            cwd=Path(__file__).parents[3],
            capture_output=True,
            timeout=290,
            check=False,
            text=True,
        )
        assert ended.returncode == 0, ended.stderr

    run("--steps", "2")
    run("--steps", "3", "--resume")
    assert checkpoint.load(tmp_path / "a.safetensors", "language")[1]["made"]["steps"] == 3
    carried = torch.load(tmp_path / "run" / "state.pt", weights_only=True)["carried"]
    assert len(carried) == 2 and not torch.equal(carried[0][0], carried[1][0])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--vocabulary", "9000"], "vocabulary"),
        (["--streams", "0"], "stream"),
        (["--density", "0"], "density"),
        (["--dropout", "9", "--data", "WIKITEXT"], "dropout"),
    ],
)
def test_recipes_that_cannot_be_are_refused(options: list[str], sentence: str, text: Path, articles: Path, tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    training.add_arguments(parser)
    given = [str(articles) if option == "WIKITEXT" else option for option in options]
    with pytest.raises(UserError, match=sentence):
        training.run(parser.parse_args(["--data", str(text), "--folder", str(tmp_path / "run"), "--steps", "1", *given]))


def test_the_learning_rate_rises_stays_and_falls() -> None:
    rates = [reader.rate_at(step / 1000, step, 1000) for step in range(1000)]
    assert rates[0] < 0.02 and rates[100:500] == [1.0] * 400
    assert np.all(np.diff(rates[500:]) <= 0) and rates[-1] < 0.02


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
    pieces = dialogues + small_talk * corpus.SMALL_TALK_REPEATS
    first, second = (corpus.epoch(pieces, 1, seed=3, number=number)[:, 0] for number in (0, 1))
    assert np.array_equal(np.sort(first), np.sort(second)) and not np.array_equal(first, second)
    assert len(first) == sum(map(len, dialogues)) + corpus.SMALL_TALK_REPEATS * sum(map(len, small_talk))
    assert np.array_equal(first, corpus.epoch(pieces, 1, seed=3, number=0)[:, 0])


def test_a_single_text_is_cut_elsewhere_in_every_epoch() -> None:
    text = [np.arange(100, dtype=np.uint16)]
    first, second = (corpus.epoch(text, 4, seed=3, number=number) for number in (0, 1))
    assert first.shape == second.shape == (25, 4) and not np.array_equal(first, second)
    assert np.array_equal(np.sort(first.ravel()), np.arange(100))
    assert np.isin(np.diff(first, axis=0), (1, -99)).all()


def test_a_model_that_knows_nothing_has_the_perplexity_of_its_vocabulary() -> None:
    model = language.LanguageModel(50, 8, [8])
    with torch.no_grad():
        model.embedding.zero_()
    text = [np.arange(50, dtype=np.uint16)] * 64
    figures = perplexity(model, text, words=64 * 50 - 1)
    assert figures["perplexity_token"] == pytest.approx(50, rel=1e-5)
    assert figures["perplexity_word"] == pytest.approx(50, rel=1e-5)


def test_perplexity_does_not_depend_on_the_pieces_that_are_computed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(3)
    model, text = language.LanguageModel(50, 8, [12, 8]), [np.random.default_rng(1).integers(0, 50, 300).astype(np.uint16)]
    whole = perplexity(model, text, 100, streams=1)
    monkeypatch.setattr("models.training.perplexity.PIECE", 7)
    assert perplexity(model, text, 100, streams=1) == pytest.approx(whole, rel=1e-5)
    logits = model.eval()(torch.from_numpy(text[0][:-1].astype(np.int64))[:, None])[0][:, 0]
    nats = torch.nn.functional.cross_entropy(logits, torch.from_numpy(text[0][1:].astype(np.int64)), reduction="sum")
    assert whole["perplexity_word"] == pytest.approx(float(torch.exp(nats.detach() / 100)), rel=1e-4)


def test_dropout_leaves_things_out_in_training_only() -> None:
    torch.manual_seed(3)
    model = language.LanguageModel(50, 8, [12, 8], dropouts=Dropouts(0.3, 0.3, 0.3, 0.3))
    tokens = torch.randint(0, 50, (20, 2))
    assert not torch.equal(model(tokens)[0], model(tokens)[0])
    model.eval()
    assert torch.equal(model(tokens)[0], model(tokens)[0])


def test_a_saved_model_computes_the_same_up_to_the_rounding_to_float16(tmp_path: Path) -> None:
    torch.manual_seed(2)
    model = language.LanguageModel(50, 8, [12, 8]).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half())
    language.save(model, tmp_path / "net", "t.json", {})
    tokens = torch.randint(0, 50, (20, 2))
    assert torch.equal(language.load(tmp_path / "net")(tokens)[0], model(tokens)[0])
