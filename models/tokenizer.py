"""Text to tokens and back: a byte-level byte-pair encoding of our own, with markers for the turns of a conversation.

**Format of a conversation**, in training and in chat alike:

    <|end|> <|user|> how are you <|bot|> fine, thank you <|user|> ... <|bot|> ... <|end|> <|user|> ...

A conversation begins with `<|end|>`, which also ends the one before. A turn is its speaker's marker and then the text, led by one space
(so that a word has the same tokens at the start of a turn as inside it). The model's turn is over when it predicts any marker; that
marker is not fed back, since the next prompt brings its own. Markers are ids 0, 1, 2. Text that spells a marker out is ordinary
text: a visitor cannot forge a turn.

The encoding works on bytes, so every string can be written and nothing is unknown. Bytes of one character may be spread over
several tokens, hence `Stream`, which holds incomplete characters back.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import tokenizers

from models.inference import Doubt
from pipeline.errors import UserError

MARKERS = ("<|end|>", "<|user|>", "<|bot|>")
END, USER, BOT = 0, 1, 2
MAX_FILE_BYTES = 1 << 26
WORD = r" ?[^\s]+|\s"
"""A word with the blank before it, or any other white space by itself."""
SPEAKERS = {"user": USER, "bot": BOT}
RARE_PIECES = 4
"""A word of so many tokens was hardly met in training: common ones are one or two, by the way a byte-pair vocabulary is made."""


def bytes_of_letters() -> dict[str, int]:
    """The printable letter that stands for each byte in a byte-level vocabulary, inverted (the table of GPT-2's `bytes_to_unicode`)."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(plain)]
    return {chr(byte): byte for byte in plain} | {chr(0x100 + index): byte for index, byte in enumerate(others)}


class Tokenizer:
    """Encodes text, prompts and conversations, decodes tokens."""

    def __init__(self, inner: tokenizers.Tokenizer) -> None:
        self._inner = inner
        self._inner.encode_special_tokens = True  # markers spelled out in a text are text
        letters = bytes_of_letters()
        names = [inner.id_to_token(index) or "" for index in range(inner.get_vocab_size())]
        if tuple(names[: len(MARKERS)]) != MARKERS:
            raise ValueError(f"ids 0 to {len(MARKERS) - 1} are not the markers {' '.join(MARKERS)}")
        if not all(letter in letters for name in names[len(MARKERS) :] for letter in name):
            raise ValueError("it is not a byte-level vocabulary")
        self._bytes = [b""] * len(MARKERS) + [bytes(letters[letter] for letter in name) for name in names[len(MARKERS) :]]

    def __reduce__(self) -> tuple[type["Tokenizer"], tuple[tokenizers.Tokenizer]]:
        """Copied and sent by being made again: the library's own copy forgets that markers spelled out in a text are text."""
        return Tokenizer, (self._inner,)

    @classmethod
    def load(cls, path: str | Path) -> "Tokenizer":
        """The tokenizer in the file `path`. Raises UserError where it is missing or is not one of ours."""
        path = Path(path)
        if not path.is_file():
            raise UserError(f"There is no tokenizer at {path}; it belongs beside the language model's weights.")
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise ValueError("it is far too large")
            return cls(tokenizers.Tokenizer.from_str(path.read_text("utf-8")))
        except Exception as error:  # the library raises bare Exception on anything it cannot read
            raise UserError(f"The tokenizer {path} cannot be used: {error}; take the file written by `egret train language`.") from error

    @classmethod
    def train(cls, texts: Iterable[str], vocabulary: int = 2048, *, whole_words: bool = False) -> "Tokenizer":
        """A tokenizer of at most `vocabulary` ids, markers and the 256 bytes included, learnt from `texts` (fewer where they are short).

        A token never spans two words, nor a word and the punctuation after it; with `whole_words`, for texts in which punctuation stands
        between blanks, words are whatever white space separates, so that ``<unk>`` or ``@-@`` can be one token.
        """
        inner = tokenizers.Tokenizer(tokenizers.models.BPE())
        inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not whole_words)
        if whole_words:
            cut = tokenizers.pre_tokenizers.Split(tokenizers.Regex(WORD), "isolated")
            inner.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([cut, inner.pre_tokenizer])
        inner.decoder = tokenizers.decoders.ByteLevel()
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=list(MARKERS),
            initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        inner.train_from_iterator(texts, trainer)
        return cls(inner)

    def save(self, path: str | Path) -> None:
        """Write the tokenizer to `path` (JSON of the `tokenizers` library)."""
        path = Path(path)
        scratch = path.with_name(path.name + ".part")
        scratch.write_text(self._inner.to_str(), "utf-8")
        scratch.replace(path)

    def __len__(self) -> int:
        """How many ids there are."""
        return len(self._bytes)

    def encode(self, text: str) -> list[int]:
        """Tokens of `text` alone; never a marker. `decode` gives `text` back, whatever it is (lone surrogates become U+FFFD)."""
        clean = text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text
        ids: list[int] = self._inner.encode(clean, add_special_tokens=False).ids
        return ids

    def encode_turn(self, speaker: int, text: str) -> list[int]:
        """Marker and tokens of one turn; `speaker` is USER or BOT."""
        return [speaker, *self.encode(" " + text.strip())]

    def encode_conversation(self, lines: Iterable[str]) -> list[int]:
        """Tokens of a conversation given as lines ``user: ...`` and ``bot: ...``; other lines are refused with ValueError."""
        ids = [END]
        for line in lines:
            speaker, colon, text = line.partition(":")
            if not colon or speaker not in SPEAKERS:
                raise ValueError(f"a line of a conversation starts with user: or bot:, not with {line[:20]!r}")
            ids += self.encode_turn(SPEAKERS[speaker], text)
        return ids

    def prompt(self, text: str, first: bool) -> list[int]:
        """What to feed for a visitor's `text`, so that the model's next tokens are its answer. `first` opens a new conversation."""
        return [END] * first + [*self.encode_turn(USER, text), BOT]

    @staticmethod
    def ends_turn(token: int) -> bool:
        """True for the markers: a prediction of one of them means that the model has finished speaking."""
        return token < len(MARKERS)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; markers are silent, bytes that are no UTF-8 become U+FFFD."""
        return b"".join(self._bytes[index] for index in ids).decode("utf-8", "replace")

    def doubts(self, text: str) -> list[Doubt]:
        """Characters that the vocabulary has only as loose bytes (``unknown``), and words that it spells out (``rare``), in order."""
        found: list[Doubt] = []
        for match in re.finditer(r"\w+|[^\w\s]", text):
            word, start = match[0], match.start()
            loose = [place for place, letter in enumerate(word) if not letter.isascii() and len(self.encode(letter)) > 1]
            found += [Doubt(start + place, start + place + 1, "unknown", len(self.encode(word[place]))) for place in loose]
            if not loose and (pieces := len(self.encode(" " + word))) >= RARE_PIECES:
                found.append(Doubt(start, match.end(), "rare", pieces))
        return found

    def stream(self) -> "Stream":
        """A decoder for one turn that is being written."""
        return Stream(self._bytes)


class Stream:
    """Decodes one turn token by token: text comes out as soon as its characters are whole, without the turn's leading space."""

    def __init__(self, table: list[bytes]) -> None:
        self._table = table
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._started = False

    def feed(self, token: int) -> str:
        """The text that `token` completes; often a word, "" in the middle of a character."""
        return self._begin(self._decoder.decode(self._table[token]))

    def finish(self) -> str:
        """What was held back: U+FFFD for a character that never became whole."""
        return self._begin(self._decoder.decode(b"", final=True))

    def _begin(self, text: str) -> str:
        if self._started or not text:
            return text
        self._started = True
        return text.removeprefix(" ")


def conversations(text: str) -> Iterator[list[str]]:
    """The conversations of a text in which a blank line stands between them: lists of lines."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.strip():
            lines.append(line)
        elif lines:
            yield lines
            lines = []
    if lines:
        yield lines
