"""Promises of the commands with other people's models: a published checkpoint talks and is measured, or a sentence says why not."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from app.cli import run_command
from models.conversation import Conversation
from models.foreign import opening
from models.memory import Memory
from models.tokenizer import Tokenizer
from pipeline.errors import FAILED, USAGE, UserError
from tests.models.foreign import checkpoints

LINES = "the cat sat on the mat\nThe dog sat , too\n <unk> <unk> cat\n"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The options that name a made checkpoint of each kind and its vocabulary."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "corpus").mkdir()
    for name in ("train.txt", "valid.txt", "test.txt"):
        (folder / "corpus" / name).write_text(LINES)
    tokenizer = Tokenizer.train([opening.SAMPLE] * 9, 300)
    tokenizer.save(folder / "bytes.json")
    evnn = checkpoints.save(checkpoints.evnn(11), folder / "EGRU_best_model.cpt")
    spikegpt = checkpoints.save(checkpoints.spikegpt(len(tokenizer)), folder / "SpikeGPT.pth", torch.bfloat16)
    return {
        "evnn": ["--weights", str(evnn), "--vocabulary", str(folder / "corpus")],
        "spikegpt": ["--weights", str(spikegpt), "--vocabulary", str(folder / "bytes.json")],
    }


both = pytest.mark.parametrize("kind", ["evnn", "spikegpt"])


@both
def test_a_checkpoint_of_others_goes_on_with_a_prompt_and_equal_seeds_give_equal_texts(
    kind: str, published: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["chat", *published[kind], "--prompt", "the cat sat", "--seed", "3", "--tokens", "20", "--json"]
    assert run_command(command) == 0 and run_command(command) == 0
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert first["text"] == second["text"] and first["tokens"] == second["tokens"] and first["runtime"] == "host"
    assert first["model"]["name"] == Path(published[kind][1]).name


@both
def test_a_conversation_with_it_that_is_rewound_goes_on_as_if_the_rest_had_never_been(kind: str, published: dict[str, list[str]]) -> None:
    opened = opening.load(Path(published[kind][1]), Path(published[kind][3]))
    conversation = Conversation(opened.network, opened.vocabulary)
    for _ in conversation.read("the cat"):
        pass
    memory: Memory = conversation.memory
    place, scores = memory.head, conversation.scores().copy()
    for token in (3, 1, 4, 1, 5):
        conversation.take(token)
    memory.rewind(place)
    np.testing.assert_array_equal(conversation.scores(), scores)


@both
def test_its_perplexity_is_that_of_its_scores_step_by_step(
    kind: str, published: dict[str, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "the cat sat\n on the mat\n" * 20
    (tmp_path / "text.txt").write_text(text)
    assert run_command(["evaluate", "language", *published[kind], "--data", str(tmp_path / "text.txt"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    opened = opening.load(Path(published[kind][1]), Path(published[kind][3]))
    begin = opened.vocabulary.begin
    assert begin is not None
    ids = [begin, *opened.vocabulary.encode(text)]
    scores = np.stack([opened.network.step(token) for token in ids[:-1]]).astype(np.float64)
    nats = (np.log(np.exp(scores).sum(1)) - scores[np.arange(len(scores)), ids[1:]]).sum()
    assert said["words"] == 20 * 8 and said["tokens"] == len(scores)
    assert said["perplexity"] == pytest.approx(np.exp(nats / 160)) and said["perplexity_token"] == pytest.approx(np.exp(nats / len(scores)))
    assert 0 < said["operations"] < said["operations_dense"] == opened.network.dense and 0 < said["activity"] < 1
    assert said["operations"] == round(opened.network.operations / len(scores)) and said["model"]["name"] == Path(published[kind][1]).name


def test_words_that_a_corpus_lacks_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    for name in ("train.txt", "valid.txt", "test.txt"):
        (tmp_path / "corpus" / name).write_text("a cat\n")
    checkpoints.save(checkpoints.evnn(3), tmp_path / "tiny.cpt")
    (tmp_path / "text.txt").write_text("a dog\n")
    options = ["--weights", str(tmp_path / "tiny.cpt"), "--vocabulary", str(tmp_path / "corpus"), "--data", str(tmp_path / "text.txt")]
    with pytest.raises(UserError, match="no word 'dog'"):
        run_command(["evaluate", "language", *options])
    with pytest.raises(UserError, match="leave out --cache"):
        run_command(["evaluate", "language", *options, "--cache"])


def test_a_text_of_which_no_float_holds_the_perplexity_of_a_word_is_still_measured_by_the_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "vocab_book.json").write_text(json.dumps({character: index for index, character in enumerate("abc")}), "utf-8")
    made = checkpoints.spikegpt(3)
    made["head.weight"] *= 10
    options = ["--weights", str(checkpoints.save(made, tmp_path / "book.pth")), "--data", str(tmp_path / "text.txt")]
    (tmp_path / "text.txt").write_text("abcbcacba" * 50)
    assert run_command(["evaluate", "language", *options, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["words"] == 1 and said["perplexity"] is None and said["perplexity_token"] > 3
    assert run_command(["evaluate", "language", *options]) == 0
    assert "perplexity beyond counting a word" in capsys.readouterr().out


def test_a_character_that_makes_the_scores_no_numbers_is_one_sentence(tmp_path: Path) -> None:
    letters = [chr(0x100 + index) for index in range(70)]
    (tmp_path / "vocab_book.json").write_text(json.dumps({letter: index for index, letter in enumerate(letters)}), "utf-8")
    made = checkpoints.spikegpt(len(letters))
    made["emb.weight"][:, 0], made["emb.weight"][-1] = 0, np.eye(16)[0]
    made["blocks.0.ln0.weight"][0] = 1.5e38  # of the last letter alone the norm's output is infinite
    weights = checkpoints.save(made, tmp_path / "book.pth")
    (tmp_path / "text.txt").write_text("".join(letters) * 2, "utf-8")
    with pytest.raises(UserError, match="not finite"):
        run_command(["evaluate", "language", "--weights", str(weights), "--data", str(tmp_path / "text.txt")])


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--weights", "missing.pth"], FAILED, "missing.pth"),
        (["--vocabulary", "corpus"], USAGE, "leave out --vocabulary"),
        (["--weights", "zip.pth"], FAILED, "none that torch wrote"),
    ],
)
def test_what_is_wrong_is_one_sentence(options: list[str], code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("zip.pth", "w") as archive:
        archive.writestr("letter.txt", "hello")
    assert words in refused([*options, "--prompt", "hello"], code)


def test_others_networks_run_on_the_host_only(published: dict[str, list[str]]) -> None:
    assert "run on the host only" in refused([*published["evnn"], "--prompt", "cat", "--runtime", "emulator"], USAGE)


def test_a_prompt_that_the_vocabulary_cannot_write_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "vocab_book.json").write_text(json.dumps({character: index for index, character in enumerate("abc")}), "utf-16")
    checkpoints.save(checkpoints.spikegpt(3), tmp_path / "book.pth")
    assert "no character 'z'" in refused(["--weights", str(tmp_path / "book.pth"), "--prompt", "abz"], FAILED)


def refused(options: list[str], code: int) -> str:
    """The sentence with which `egret chat` ends."""
    with pytest.raises(UserError) as caught:
        run_command(["chat", *options])
    assert caught.value.exit_code == code and "\n" not in str(caught.value)
    return str(caught.value)
