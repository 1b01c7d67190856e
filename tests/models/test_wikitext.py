"""Promises of WikiText-2's reader and of the vocabulary made for it: every word is counted, and every text comes back."""

import gzip
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import wikitext
from models.tokenizer import MARKERS, Tokenizer
from tests.models.damage import flipped

LINES = [" The <unk> wore a 3 @.@ 5 @-@ inch hat , he said .\n", " = Hats =\n", "\n", " The hat was red .\n"]
KNOWN = ["<eos>", "=", "Hats", "<unk>", "3", "@.@", "5"]


made = Tokenizer.train(LINES * 4, 320, whole_words=True)


@given(st.text() | st.lists(st.sampled_from([*KNOWN[1:], "\n", "Zürich", "  "])).map(lambda found: " " + " ".join(found)))
@settings(max_examples=200)
def test_every_text_comes_back_from_its_tokens(text: str) -> None:
    tokens = made.encode(text)
    assert made.decode(tokens) == text
    assert all(len(MARKERS) <= token < len(made) for token in tokens)


def test_stand_ins_are_single_tokens_and_a_word_has_the_same_ones_everywhere() -> None:
    for word in (" <unk>", " @.@", " @-@"):
        assert len(made.encode(word)) == 1
    hat = made.encode(" hat")
    assert made.encode("\n hat hat,")[1 : 1 + 2 * len(hat)] == hat + hat


def test_a_vocabulary_read_from_its_file_is_the_same(tmp_path: Path) -> None:
    made.save(tmp_path / "t.json")
    text = "".join(LINES)
    assert Tokenizer.load(tmp_path / "t.json").encode(text) == made.encode(text)


@given(st.lists(st.integers(0, len(KNOWN) - 1), min_size=1))
def test_a_text_has_as_many_words_as_there_were_ids(tmp_path_factory: pytest.TempPathFactory, ids: list[int]) -> None:
    folder = tmp_path_factory.mktemp("wiki")
    np.save(folder / wikitext.TRAIN, np.array(ids))
    (folder / wikitext.NAMES).write_text("\n".join(KNOWN) + "\n")
    text = wikitext.read(folder, wikitext.TRAIN)
    assert wikitext.words(text) == len(ids)
    assert text.replace("\n", " <eos> ").split() == [KNOWN[number] for number in ids]


def test_the_parts_of_the_corpus_have_the_words_of_the_standard(shared_data: Path) -> None:
    source = shared_data / "text/wikitext-2"
    assert wikitext.is_here(source)
    for part, words in ((wikitext.TRAIN, 2_088_628), (wikitext.VALIDATE, 217_646), (wikitext.TEST, 245_569)):
        assert wikitext.words(wikitext.read(source, part)) == words


def test_a_folder_without_the_corpus_is_none(tmp_path: Path) -> None:
    assert not wikitext.is_here(tmp_path)
    with pytest.raises(OSError, match="No such file"):
        wikitext.read(tmp_path, wikitext.TEST)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus as ids that do not compress well, so that most of its archive's bytes are theirs."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    np.save(folder / wikitext.TEST, np.random.default_rng(0).integers(0, len(KNOWN), 2000))
    (folder / wikitext.NAMES).write_text("\n".join(KNOWN) + "\n")
    return folder


def test_a_damaged_archive_gives_a_reason_or_a_text(corpus: Path) -> None:
    packed = corpus.with_suffix(".tar.gz")
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(corpus, "corpus")
    reasons = set()
    for damaged in flipped(packed, 3):
        try:
            wikitext.read(damaged, wikitext.TEST)
        except (OSError, EOFError, tarfile.TarError, ValueError) as error:
            reasons.add(str(error)[:13])
    assert "it is damaged" in reasons


def test_a_damaged_compressed_text_gives_a_reason_or_a_text(corpus: Path) -> None:
    packed = corpus.with_suffix(".gz")
    packed.write_bytes(gzip.compress((corpus / wikitext.TEST).read_bytes(), mtime=0))
    reasons = set()
    for damaged in flipped(packed, 3):
        try:
            wikitext.limited(damaged)
        except (OSError, EOFError, ValueError) as error:
            reasons.add(str(error)[:13])
    assert "it is damaged" in reasons


def test_a_link_in_an_archive_is_not_followed(corpus: Path) -> None:
    packed = corpus.with_suffix(".tar.gz")
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(corpus / wikitext.NAMES, wikitext.NAMES)
        link = tarfile.TarInfo(wikitext.TEST)
        link.type, link.linkname = tarfile.SYMTYPE, "nowhere"
        archive.addfile(link)
    with pytest.raises(ValueError, match=r"it holds no test\.npy"):
        wikitext.read(packed, wikitext.TEST)
