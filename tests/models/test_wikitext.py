"""Promises of reading WikiText-2 as ids: the text that they stand for, or a reason."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import wikitext

NAMES = b"<eos>\nthe\ncat"


def saved(ids: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(ids))
    return buffer.getvalue()


@given(st.data())
@settings(max_examples=150)
def test_a_damaged_array_of_ids_is_refused_with_a_reason(data: st.DataObject) -> None:
    contents = bytearray(saved([0, 1, 2] * 7))
    for _ in range(data.draw(st.integers(1, 3))):
        contents[data.draw(st.integers(0, 127))] = data.draw(st.integers(0, 255))
    try:
        text = wikitext.text_of(bytes(contents[: data.draw(st.integers(0, len(contents)))]), NAMES)
    except ValueError:
        return
    assert set(text.split()) <= {"the", "cat"}


@pytest.mark.parametrize("ids", [[], [3], [-1], [[0]], [0.5], 1, "text"])
def test_arrays_that_are_no_ids_of_the_words_are_refused(ids: object) -> None:
    with pytest.raises(ValueError, match="ids"):
        wikitext.text_of(saved(ids), NAMES)


def test_a_header_that_promises_more_than_there_is_takes_no_memory() -> None:
    contents = saved([0, 1, 2]).replace(b"(3,)", b"(" + b"9" * 15 + b",)")
    with pytest.raises(ValueError, match="damaged"):
        wikitext.text_of(contents, NAMES)
