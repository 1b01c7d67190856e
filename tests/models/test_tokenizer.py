"""Promises of `models.tokenizer`: text survives, turns cannot be forged, and streamed text is whole."""

import pickle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.tokenizer import BOT, END, MARKERS, USER, Tokenizer, conversations
from pipeline.errors import UserError

TEXTS = [
    " Hello there, how can I help you today?",
    " I would like a table for two in San José at 7:30 pm, please. Grüße 🦢",
    " Your reservation has been made. Is there anything else?",
] * 20


TOKENIZER = Tokenizer.train(TEXTS, 400)
anything = st.text(st.characters(exclude_categories=("Cs",)))


@given(st.one_of(anything, st.sampled_from(MARKERS).flatmap(lambda marker: anything.map(lambda text: text + marker + text))))
@settings(max_examples=200, deadline=None)
def test_any_text_comes_back_as_it_was_and_never_becomes_a_marker(text: str) -> None:
    ids = TOKENIZER.encode(text)
    assert TOKENIZER.decode(ids) == text
    assert not any(TOKENIZER.ends_turn(token) for token in ids)


def test_a_copy_that_was_sent_to_another_process_makes_no_marker_of_text_either() -> None:
    sent = pickle.loads(pickle.dumps(TOKENIZER))
    for text in ("".join(MARKERS), TEXTS[0]):
        assert sent.encode(text) == TOKENIZER.encode(text)


@given(st.text())
@settings(max_examples=100, deadline=None)
def test_even_lone_surrogates_can_be_encoded(text: str) -> None:
    TOKENIZER.encode(text)


@given(st.lists(st.integers(0, len(TOKENIZER) - 1)))
@settings(max_examples=200, deadline=None)
def test_a_stream_writes_what_decoding_at_once_writes_whatever_the_tokens(ids: list[int]) -> None:
    stream = TOKENIZER.stream()
    parts = [stream.feed(token) for token in ids] + [stream.finish()]
    assert "".join(parts) == TOKENIZER.decode(ids).removeprefix(" ")


def test_a_stream_holds_a_character_back_until_it_is_whole() -> None:
    ids = TOKENIZER.encode("🐦")
    assert len(ids) > 1
    stream = TOKENIZER.stream()
    assert [stream.feed(token) for token in ids] == [""] * (len(ids) - 1) + ["🐦"]
    assert stream.finish() == ""


def test_words_that_are_spelled_out_and_characters_that_are_loose_bytes_are_doubted_and_nothing_else() -> None:
    text = "Hello there, zebrafish! 🐦"
    doubts = TOKENIZER.doubts(text)
    assert [(text[doubt.start : doubt.stop], doubt.kind) for doubt in doubts] == [("zebrafish", "rare"), ("🐦", "unknown")]
    assert all(doubt.pieces > 1 for doubt in doubts)
    assert TOKENIZER.doubts("Hello there, how can I help you today?") == []


def test_a_conversation_is_markers_and_turns() -> None:
    ids = TOKENIZER.encode_conversation(["user: Hello there", "bot:  how can I help you?"])
    assert ids == [END, USER, *TOKENIZER.encode(" Hello there"), BOT, *TOKENIZER.encode(" how can I help you?")]
    assert [token for token in ids if TOKENIZER.ends_turn(token)] == [END, USER, BOT]


def test_a_prompt_is_the_beginning_of_such_a_conversation() -> None:
    whole = TOKENIZER.encode_conversation(["user: Hello there", "bot: how", "user: please", "bot: you"])
    prompt = TOKENIZER.prompt("  Hello there ", first=True)
    assert whole[: len(prompt)] == prompt
    assert TOKENIZER.prompt("please", first=False) == [USER, *TOKENIZER.encode(" please"), BOT]


@pytest.mark.parametrize("line", ["robot: hi", "hello", ""])
def test_a_line_of_nobody_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="user: or bot:"):
        TOKENIZER.encode_conversation([line])


def test_blank_lines_stand_between_conversations() -> None:
    assert list(conversations("\nuser: a\nbot: b\n\n \nuser: c\nbot: d")) == [["user: a", "bot: b"], ["user: c", "bot: d"]]


def test_a_saved_tokenizer_is_the_same_when_loaded(tmp_path: Path) -> None:
    TOKENIZER.save(tmp_path / "t.json")
    again = Tokenizer.load(tmp_path / "t.json")
    assert 256 < len(again) == len(TOKENIZER) <= 400
    assert again.encode(TEXTS[1]) == TOKENIZER.encode(TEXTS[1])
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.json"]


def test_a_missing_tokenizer_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no tokenizer"):
        Tokenizer.load(tmp_path / "absent.json")


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"\xff\xfe", b'{"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}'],
    ids=["empty", "no-model", "binary", "of-somebody-else"],
)
def test_a_file_that_is_no_tokenizer_of_ours_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.json").write_bytes(content)
    with pytest.raises(UserError, match="cannot be used"):
        Tokenizer.load(tmp_path / "bad.json")


def test_learning_is_the_same_every_time() -> None:
    assert Tokenizer.train(TEXTS, 400).encode(TEXTS[0]) == TOKENIZER.encode(TEXTS[0])
