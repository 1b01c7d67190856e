"""Promises of others' vocabularies: ids as the networks were trained with, every text back as it was, and reasons for broken files."""

import json
import tarfile
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import wikitext
from models.foreign import vocabulary
from models.foreign.vocabulary import Characters, Pieces, Vocabulary, Words
from models.tokenizer import Tokenizer
from tests.models.damage import flipped

WORDS = ["the", "The", "cat", ",", "<unk>", "sat", "@-@", "on", "12", "é", "鳥"]
lines = st.lists(st.lists(st.sampled_from(WORDS), max_size=8), min_size=1, max_size=6)
anything = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)


def corpus(folder: Path, train: str, valid: str = "", test: str = "", names: tuple[str, str, str] = vocabulary._SPLITS[0]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in zip(names, (train, valid, test), strict=True):
        (folder / name).write_text(text, "utf-8")
    return folder


def as_ids(folder: Path, parts: dict[str, list[int]], words: str) -> Path:
    folder.mkdir()
    for name, ids in parts.items():
        np.save(folder / name, np.array(ids, np.int64))
    (folder / "type.info").write_text(words, "utf-8")
    return folder


@pytest.mark.parametrize("names", vocabulary._SPLITS)
def test_words_are_numbered_in_order_of_first_appearance_over_training_validation_and_test(
    names: tuple[str, str, str], tmp_path: Path
) -> None:
    words = Words.read(corpus(tmp_path / "text", "the cat\n\n The cat", " sat\n", "12 the ,\n", names))
    assert words.decode(range(len(words))).split(" ") == ["", "the", "cat\n", "The", "sat", "12", ","]
    assert words.encode("cat the\n, 12") == [1, 0, 2, 6, 5] and words.end == words.begin == 2


def test_the_ids_of_wikitext_2_as_they_are_distributed_are_those_that_its_text_gives(shared_data: Path) -> None:
    archive = shared_data / "text" / "wikitext-2" / "wikitext-2.tar.gz"
    words = Words.read(archive)
    with tarfile.open(archive) as opened:
        file = opened.extractfile("wikitext-2/type.info")
        assert file is not None
        names = file.read().decode().rstrip("\n").split("\n")
    assert len(words) == len(names) == 33_278 and words.end == 0
    assert words.encode(" ".join(names[1:])) == list(range(1, len(names)))


def test_a_corpus_as_ids_and_as_text_give_the_same_words(tmp_path: Path) -> None:
    text = Words.read(corpus(tmp_path / "text", "b a\n", "c b\n", "d\n"))
    parts = {wikitext.TRAIN: [7, 3, 0], wikitext.VALIDATE: [5, 7, 0], wikitext.TEST: [2, 0]}
    ids = Words.read(as_ids(tmp_path / "ids", parts, "<eos>\nunused\nd\na\nunused\nc\nunused\nb\n"))
    assert ids.decode(range(len(ids))) == text.decode(range(len(text)))


def test_a_damaged_archive_of_a_corpus_gives_a_reason(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    parts = {part: random.integers(0, 8, 2000).tolist() for part in (wikitext.TRAIN, wikitext.VALIDATE, wikitext.TEST)}
    as_ids(tmp_path / "ids", parts, "<eos>\na\nb\nc\nd\ne\nf\ng\n")
    with tarfile.open(tmp_path / "ids.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "ids", "ids")
    reasons = set()
    for damaged in flipped(tmp_path / "ids.tar.gz", 23):
        try:
            vocabulary.read(damaged)
        except (OSError, ValueError) as error:
            reasons.add(str(error)[:13])
    assert "it is damaged" in reasons


@given(lines, lines)
def test_every_text_of_known_words_comes_back_with_its_lines(known: list[list[str]], said: list[list[str]]) -> None:
    words = Words([vocabulary.END_OF_LINE, *WORDS])
    text = "\n".join(" ".join(line) for line in said)
    again = words.decode(words.encode(text))
    assert [line.split() for line in again.split("\n")] == said


def test_what_is_no_word_is_taken_apart_before_it_is_unknown() -> None:
    words = Words([vocabulary.END_OF_LINE, *WORDS])
    ids = [word.strip() for word in map(words.decode, ([token] for token in words.prompt("the cat, xyz", True)))]
    assert ids == ["", "the", "cat", ",", "<unk>"]
    with pytest.raises(ValueError, match="no word 'dog'"):
        Words(["<eos>", "cat"]).encode("cat dog")


@pytest.fixture(scope="session")
def neox(shared_data: Path) -> Vocabulary:
    return vocabulary.read(shared_data / "tokenizers" / "20B_tokenizer.json")


def test_the_published_byte_pairs_have_the_ids_that_are_published(neox: Vocabulary) -> None:
    assert len(neox) == 50_277 and neox.end == 0 and neox.ends_turn(0)
    assert neox.encode("\n") == [187] and neox.decode([187]) == "\n"
    assert neox.encode("<|endoftext|>") != [0] and neox.decode([0]) == ""  # a marker that is spelled out is text
    assert len(neox.encode(" " * 24)) == 1 and neox.prompt("x", False)[0] == 187


@given(anything)
@settings(max_examples=100)
def test_any_text_comes_back_from_the_published_byte_pairs_in_its_normal_form(neox: Vocabulary, text: str) -> None:
    ids = neox.encode(text)
    assert neox.decode(ids) == unicodedata.normalize("NFC", text)
    assert all(0 <= token < len(neox) for token in ids)


@given(st.lists(st.integers(2, 50_276), max_size=30))
@settings(max_examples=100)
def test_a_stream_writes_what_decoding_at_once_writes(neox: Vocabulary, ids: list[int]) -> None:
    stream = neox.stream()
    written = "".join(stream.feed(token) for token in ids) + stream.finish()
    assert written == neox.decode(ids).removeprefix(" ")


def test_egrets_own_byte_pairs_are_read_as_they_are_saved(tmp_path: Path) -> None:
    own = Tokenizer.train(["the cat sat on the mat"] * 9, 300)
    own.save(tmp_path / "tokenizer.json")
    read = vocabulary.read(tmp_path / "tokenizer.json")
    assert isinstance(read, Pieces) and len(read) == len(own) and read.end == 0
    assert read.encode("the cat é") == own.encode("the cat é")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("turned", [False, True])
def test_characters_are_read_in_either_direction_and_encoding(encoding: str, turned: bool, tmp_path: Path) -> None:
    table = {character: index for index, character in enumerate("\n abcé")}
    written = {str(index): character for character, index in table.items()} if turned else table
    (tmp_path / "vocab.json").write_bytes(json.dumps(written, ensure_ascii=False).encode(encoding))
    read = vocabulary.read(tmp_path / "vocab.json")
    assert isinstance(read, Characters) and len(read) == 6
    assert read.encode("bé") == [3, 5] and read.decode([3, 5]) == "bé" and read.prompt("a", False) == [0, 2]
    with pytest.raises(ValueError, match="no character 'z'"):
        read.encode("az")


@given(
    st.dictionaries(st.text(max_size=2) | st.characters(), st.integers(-1, 4) | st.text(max_size=2) | st.none(), max_size=5) | st.floats()
)
@settings(max_examples=100)
def test_any_json_is_a_table_of_characters_or_refused_with_a_reason(value: object) -> None:
    try:
        table = Characters(json.dumps(value))
    except ValueError:
        return
    assert table.encode(table.decode(range(len(table)))) == list(range(len(table)))


@given(anything)
@settings(max_examples=50)
def test_doubts_are_stretches_of_the_text_that_a_model_of_words_does_not_know(text: str) -> None:
    words = Words([vocabulary.END_OF_LINE, *WORDS])
    doubts = words.doubts(text)
    assert all(text[doubt.start : doubt.stop] not in WORDS and doubt.kind == "unknown" for doubt in doubts)
    unknown = words.encode(vocabulary.UNKNOWN)[0]
    assert words.prompt(text, True).count(unknown) == len(doubts) + text.split().count(vocabulary.UNKNOWN)


def test_doubts_of_pieces_are_words_of_many_and_of_characters_those_that_are_missing(neox: Vocabulary) -> None:
    (doubt,) = neox.doubts("the xqzjvkwpt sat")
    assert (doubt.start, doubt.stop, doubt.kind) == (4, 13, "rare") and doubt.pieces >= 4
    assert [(doubt.start, doubt.kind) for doubt in Characters('{"a": 0}').doubts("aba")] == [(1, "unknown")]


def test_folders_and_files_that_hold_no_vocabulary_are_refused_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds one of these"):
        vocabulary.read(tmp_path)
    (tmp_path / "train.txt").write_text("a")
    with pytest.raises(OSError, match=r"valid\.txt"):
        vocabulary.read(tmp_path)
    for contents in ("[]", "{}", '{"model": 1}', "{", "[" * 100_000, "\ufeff"):
        (tmp_path / "vocab.json").write_text(contents, "utf-8")
        with pytest.raises(ValueError):
            vocabulary.read(tmp_path / "vocab.json")
    (tmp_path / "broken.tar.gz").write_bytes(b"\x1f\x8b nothing")
    with pytest.raises((ValueError, OSError)):
        vocabulary.read(tmp_path / "broken.tar.gz")
