"""Promises of `egret evaluate language`: what is counted is what was read."""

import gzip
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from commandline import egret, lines

from app.cli import run_command
from app.commands.evaluate import CACHE
from app.engine.models import Models
from app.evaluation import language
from app.evaluation.cache import Cache, Settings
from models import checkpoint, wikitext
from models.chip.integer import LanguageNetwork
from models.tokenizer import Tokenizer
from pipeline.errors import USAGE, UserError
from tests.models.chip import programs
from tests.models.damage import flipped

TEXT = "the person waves\nand the camera sees it\n"
NAMES = ["<eos>", "=", "Robert", "is", "an"]
IDS = [0, 1, 2, 1, 0, 0, 2, 3, 4, 0]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Models().tokenizer()


def test_a_text_is_measured_by_the_word_and_by_the_token(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    ended = egret("evaluate", "language", "--data", tmp_path / "text.txt", "--json")
    assert ended.returncode == 0, ended.stderr
    (said,) = lines(ended)
    assert said["words"] == 8 + 2
    assert said["perplexity"] ** said["words"] == pytest.approx(said["perplexity_token"] ** said["tokens"])
    assert said["runtime"] == "host"


def test_words_are_those_of_the_part_that_was_read(tmp_path: Path, tokenizer: Tokenizer) -> None:
    (tmp_path / "text.txt").write_text("one two three\n" + "supercalifragilistic " * 100)
    limit = 1 + len(tokenizer.encode("one two three\n"))
    said = language.evaluate(Models(), tmp_path / "text.txt", limit=limit)
    assert (said["tokens"], said["words"]) == (limit - 1, 4)


def test_speakers_are_words_of_a_conversation(tokenizer: Tokenizer) -> None:
    tokens = language.encode(tokenizer, "user: how are you\nbot: fine\n\nuser: bye\nbot: bye\n")
    assert language.count_words(tokenizer, tokens) == 4 + 2 + 2 + 2


@pytest.mark.parametrize("tokens", ["1", "0", "-3", "many"])
def test_fewer_than_two_tokens_are_refused(tokens: str) -> None:
    with pytest.raises(UserError, match="--tokens") as caught:
        run_command(["evaluate", "language", "--data", "text.txt", "--tokens", tokens])
    assert caught.value.exit_code == USAGE


@pytest.mark.parametrize("text", ["", "user: a\nneither of them\n"])
def test_a_text_that_cannot_be_measured_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(text)
    with pytest.raises(UserError, match="text"):
        language.evaluate(Models(), tmp_path / "text.txt")


@pytest.fixture(scope="module")
def network() -> LanguageNetwork:
    return Models().runtime("host").language


@pytest.mark.parametrize("cache", [None, Settings(size=5)])
def test_the_pieces_of_a_text_add_up_to_one_pass(network: LanguageNetwork, tokenizer: Tokenizer, cache: Settings | None) -> None:
    tokens = language.encode(tokenizer, TEXT)
    network.reset()
    whole = language.Listener(network, cache)
    whole.hear(tokens)
    network.reset()
    pieces = language.Listener(network, cache)
    for start in range(0, len(tokens), 4):
        pieces.hear(tokens[start : start + 4])
    assert (pieces.tokens, pieces.nats, pieces.nats_with_cache) == (whole.tokens, whole.nats, whole.nats_with_cache)
    assert (pieces.activity, pieces.operations) == (whole.activity, whole.operations)
    assert whole.tokens == len(tokens) - 1


def test_surprise_is_that_of_the_softmax_of_the_logits(network: LanguageNetwork, tokenizer: Tokenizer) -> None:
    tokens = language.encode(tokenizer, TEXT)
    network.reset()
    logits = np.array([network.step(token) for token in tokens[:-1]], np.float64)
    chosen = np.exp(logits)[np.arange(len(logits)), tokens[1:]] / np.exp(logits).sum(1)
    network.reset()
    listener = language.Listener(network)
    listener.hear(tokens)
    assert listener.nats == pytest.approx(-np.log(chosen).sum())


def test_a_cache_gives_its_share_to_what_followed_alike_outputs() -> None:
    cache = Cache(2, Settings(size=2, flatness=50.0, share=0.5))
    left, right = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    assert cache.mixed(left, 7, 0.25) == 0.25  # nothing is remembered yet
    assert cache.mixed(right, 8, 0.25) == pytest.approx(0.5 * 0.25 + 0.5 * 0)
    assert cache.mixed(left, 7, 0.25) == pytest.approx(0.5 * 0.25 + 0.5 * 1)
    cache.mixed(right, 9, 0.25)  # the first two are forgotten
    assert cache.mixed(right, 8, 0.25) == pytest.approx(0.5 * 0.25)


class Certain:
    """A network of two tokens that always expects the first, and so firmly that no float holds the probability of the second."""

    program = SimpleNamespace(hidden=(1,))
    state = SimpleNamespace(y=[np.zeros(1, np.int16)])
    activity, operations = (0.0,), 0

    def step(self, token: int) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
        return np.array([0, -1000], np.float32)


def test_what_a_network_holds_impossible_costs_much_and_does_not_end_the_measurement() -> None:
    listener = language.Listener(Certain(), Settings(size=5))
    listener.hear([0, 1, 1])
    assert listener.nats == 2000
    assert 700 < listener.nats_with_cache < 720  # nothing was remembered before the first, the second was


def test_a_text_with_hardly_a_blank_has_a_perplexity_by_the_token_only(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("qzxjkvw" * 60)
    said = language.evaluate(Models(), tmp_path / "text.txt", cache=Settings())
    assert said["words"] == 1 and said["perplexity"] is said["perplexity_cache"] is None and said["perplexity_token"] > 1
    assert language.readable(said).startswith("perplexity beyond counting a word, beyond counting with a")


def test_a_damaged_archive_or_compressed_text_is_one_sentence(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "wiki.tar.gz", "w:gz") as archive:
        archive.add(ids(tmp_path / "wiki", np.random.default_rng(0).integers(0, 5, 2000).tolist()), "wikitext-2")
    (tmp_path / "text.gz").write_bytes(gzip.compress(" ".join(map(str, range(300))).encode()))
    sentences = {"text.gz": "", "wiki.tar.gz": ""}
    for name in sentences:
        for damaged in flipped(tmp_path / name, 5):
            try:
                language.read(damaged)
            except UserError as error:
                sentences[name] += str(error)
    assert all("it is damaged" in found for found in sentences.values())


@pytest.mark.parametrize("cache", ["many", "0,1,0.1", "10,-1,0.1", "10,1,1", "10,1", "10,nan,0.1", "10,1e39,0.1"])
def test_caches_that_cannot_be_are_refused(cache: str) -> None:
    with pytest.raises(UserError, match="SIZE,FLATNESS,SHARE") as caught:
        run_command(["evaluate", "language", "--data", "text.txt", "--cache", cache])
    assert caught.value.exit_code == USAGE


def test_the_cache_that_the_command_names_is_the_best_one_known() -> None:
    assert str(Settings()) == CACHE and Settings.parse(CACHE) == Settings()


def test_a_network_with_more_tokens_than_events_can_name_takes_no_pes() -> None:
    said = language.on_the_chip(programs.program(1, "language", [8, 8], outputs=40_000))
    assert said["pes"] == said["bytes"] == 0 < said["weights"]


def test_a_path_that_nobody_can_look_at_is_no_text() -> None:
    with pytest.raises(UserError, match="cannot be read"):
        run_command(["evaluate", "language", "--data", "x" * 300])


def test_what_the_chip_does_is_told(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    said = language.evaluate(Models(), tmp_path / "text.txt", cache=Settings())
    assert 0 < said["operations"] <= said["weights"] + 2048 * 384
    assert 0 < said["pes"] <= 148 and said["bytes"] > said["weights"] / 2
    assert said["perplexity_cache"] > 0
    assert f"{said['perplexity_cache']:.2f} with a continuous cache" in language.readable(said)


def ids(folder: Path, numbers: list[int]) -> Path:
    """A small WikiText-2 as ids."""
    folder.mkdir()
    np.save(folder / wikitext.TEST, np.array(numbers))
    (folder / wikitext.NAMES).write_text("".join(f"{name}\n" for name in NAMES))
    return folder


def test_every_eos_is_one_end_of_line(tmp_path: Path, tokenizer: Tokenizer) -> None:
    text = language.read(ids(tmp_path / "wiki", IDS))
    assert text == "\n = Robert =\n\n Robert is an\n"
    assert language.count_words(tokenizer, language.encode(tokenizer, text)) == len(IDS)


def test_ids_in_an_archive_are_the_text_of_their_folder(tmp_path: Path) -> None:
    folder = ids(tmp_path / "wiki", IDS)
    with tarfile.open(tmp_path / "wiki.tar.gz", "w:gz") as archive:
        archive.add(folder, "wikitext-2")
    assert language.read(tmp_path / "wiki.tar.gz") == language.read(folder)


def test_the_test_set_of_wikitext_2_has_the_standards_number_of_words(shared_data: Path, tokenizer: Tokenizer) -> None:
    text = language.read(shared_data / "text/wikitext-2/wikitext-2.tar.gz")
    assert language.count_words(tokenizer, language.encode(tokenizer, text)) == 245_569


def beyond(folder: Path) -> None:
    np.save(folder / wikitext.TEST, np.array([0, len(NAMES) + 1]))


def negative(folder: Path) -> None:
    np.save(folder / wikitext.TEST, np.array([0, -1]))


def fractions(folder: Path) -> None:
    np.save(folder / wikitext.TEST, np.array([0.0, 1.0]))


def objects(folder: Path) -> None:
    np.save(folder / wikitext.TEST, np.array([{}], dtype=object), allow_pickle=True)


def too_large(folder: Path) -> None:
    whole = (folder / wikitext.TEST).read_bytes()
    header = whole.replace(b"(10,)", b"(9999999999999,)")
    (folder / wikitext.TEST).write_bytes(header)


def absent(folder: Path) -> None:
    (folder / wikitext.NAMES).unlink()


@pytest.mark.parametrize("spoil", [beyond, negative, fractions, objects, too_large, absent])
def test_ids_that_stand_for_no_text_are_refused(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    folder = ids(tmp_path / "wiki", IDS)
    spoil(folder)
    with pytest.raises(UserError, match="cannot be read"):
        language.read(folder)


def test_archives_that_are_none_or_lack_a_member_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"no archive")
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as archive:
        archive.add(ids(tmp_path / "wiki", IDS) / wikitext.TEST, wikitext.TEST)
    (tmp_path / "c.txt.gz").write_bytes(gzip.compress(b"words " * 1000)[:-20])
    for name in ("a.tar.gz", "b.tar.gz", "c.txt.gz"):
        with pytest.raises(UserError, match="cannot be read"):
            language.read(tmp_path / name)


def weights(folder: Path, tokenizer: str) -> Path:
    """The bundled language weights, with another name for their tokenizer."""
    tensors, metadata = checkpoint.load(Models().language_path)
    metadata["config"]["tokenizer"] = tokenizer
    checkpoint.save(folder / "language.safetensors", tensors, metadata)
    return folder / "language.safetensors"


@pytest.mark.parametrize("name", ["../language.tokenizer.json", "/etc/hostname", "..", ""])
def test_weights_cannot_name_a_tokenizer_outside_their_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="beside them"):
        Models(language=weights(tmp_path, name)).tokenizer()


def test_a_tokenizer_of_another_size_is_refused(tmp_path: Path) -> None:
    Tokenizer.train(["a few words"], 300).save(tmp_path / "small.json")
    with pytest.raises(UserError, match="tokens"):
        Models(language=weights(tmp_path, "small.json")).tokenizer()


def test_wikitext_is_read_by_the_weights_that_were_trained_on_it_and_fit_the_chip(shared_data: Path) -> None:
    ended = egret("evaluate", "language", "--data", shared_data / "text" / "wikitext-2", "--tokens", "600", "--json")
    assert ended.returncode == 0, ended.stderr
    (said,) = lines(ended)
    assert said["model"]["name"] == "wikitext.safetensors"
    assert 0 < said["pes"] <= 148
    assert said["perplexity"] < 200  # of a vocabulary of 8,192; the first lines of an article are the hardest
