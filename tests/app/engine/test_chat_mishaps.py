"""What goes wrong in an answer costs the answer and one sentence, and nothing that was said before."""

from collections.abc import Callable

from app.engine.wishes import clean
from app.protocol import decode, encode
from tests.app.engine.talks import Talk, prompt

HALF = "\ud800"
"""Of a surrogate pair: JSON can bring it, UTF-8 cannot write it."""


def test_a_prompt_that_utf_8_cannot_write_is_answered_with_a_mark_in_its_place(talk: Callable[..., Talk]) -> None:
    one = talk()
    one.chat.ask(prompt(f"a{HALF}b"))
    assert one.until("started")["prompt"] == "a?b"
    turn = one.settle()["turns"][0]
    one.chat.edit(prompt(f"{HALF}c"), turn["node"])
    assert one.until("started")["prompt"] == "?c"
    assert one.chat.doubts(HALF) == one.chat.doubts("?")


def test_what_is_sent_on_can_always_be_written() -> None:
    sentence = f"The file {HALF} is none: größer 🐦."
    assert decode(encode({"sentence": sentence}))["sentence"] == clean(sentence) == sentence.replace(HALF, "?")
