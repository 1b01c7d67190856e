"""The vocabularies of others' language models: words of a corpus, byte pairs, characters. None of them is in a checkpoint.

Every vocabulary is a list of byte strings, one a token, and a way from a text to tokens; what has been written so far is the bytes joined.
They offer what conversation and chat ask of a vocabulary (`models.inference.Text`). These models know no speakers: they go on with a text.
"""

import codecs
import io
import json
import re
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from models import wikitext
from models.inference import Doubt
from models.tokenizer import RARE_PIECES, Stream, bytes_of_letters

END_OF_LINE, UNKNOWN = "<eos>", "<unk>"
MAX_BYTES = 1 << 29
"""Of a corpus' file; WikiText-103 has 540 MB."""
MAX_WORDS = 1 << 20
_SPLITS = (
    ("train.txt", "valid.txt", "test.txt"),
    ("wiki.train.tokens", "wiki.valid.tokens", "wiki.test.tokens"),
    ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt"),
)
_END_NAMES = ("<|endoftext|>", "<|end|>")


class Vocabulary(ABC):
    """Tokens of a text, and the text of tokens."""

    def __init__(self, pieces: Sequence[bytes], end: int | None, begin: int | None) -> None:
        """`pieces` are the bytes of each token. A text is over where `end` is predicted, and a beginning is predicted from `begin`."""
        self._pieces = list(pieces)
        self.end, self.begin = end, begin

    def __len__(self) -> int:
        """How many tokens there are."""
        return len(self._pieces)

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Tokens of `text`. ValueError, naming it, for what this vocabulary cannot write."""

    @abstractmethod
    def prompt(self, text: str, first: bool) -> list[int]:
        """What to feed so that the model goes on with a visitor's `text`; `first` where it has read nothing yet. ValueError as above."""

    @abstractmethod
    def doubts(self, text: str) -> list[Doubt]:
        """What the model can make little of in a visitor's `text`, in order."""

    def ends_turn(self, token: int) -> bool:
        """True where `token`, predicted, means that the text is over."""
        return token == self.end

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; bytes that are no UTF-8 become U+FFFD."""
        return b"".join(self._pieces[index] for index in ids).decode("utf-8", "replace")

    def stream(self) -> Stream:
        """A decoder for a text that is being written."""
        return Stream(self._pieces)


class Words(Vocabulary):
    """The words of a corpus, as EvNN's data code numbers them: in order of first appearance over its training, validation and test text.

    A line's words lie between white space, in whatever case they are written, and every line ends with ``<eos>``. What is unknown is
    ``<unk>`` where the corpus has that word.
    """

    def __init__(self, words: Sequence[str]) -> None:
        """`words` by id."""
        self._ids = {word: index for index, word in enumerate(words)}
        end = self._ids.get(END_OF_LINE)
        super().__init__([b"\n" if word == END_OF_LINE else f" {word}".encode() for word in words], end, end)

    @classmethod
    def read(cls, corpus: Path) -> "Words":
        """The vocabulary of the corpus at `corpus`: a folder with its three texts, or WikiText-2 as ids (models/wikitext.py). OSError or
        ValueError where there is none."""
        for names in _SPLITS:
            if (corpus / names[0]).is_file():
                return cls(_first_appearance(_limited(corpus / name).decode("utf-8") for name in names))
        if wikitext.is_here(corpus):
            try:
                return cls(_first_appearance(wikitext.read(corpus, part) for part in (wikitext.TRAIN, wikitext.VALIDATE, wikitext.TEST)))
            except (tarfile.TarError, EOFError) as error:
                raise ValueError(f"it is damaged ({error})") from None
        wanted = "; ".join(", ".join(names) for names in _SPLITS)
        raise ValueError(f"the folder of a corpus holds one of these sets of files: {wanted}; or WikiText-2 as ids")

    def encode(self, text: str) -> list[int]:
        """Words of every line, each line but the last followed by ``<eos>``."""
        ids: list[int] = []
        for number, line in enumerate(text.split("\n")):
            if number:
                ids.append(self._id(END_OF_LINE))
            ids += [self._id(word) for word in line.split()]
        return ids

    def prompt(self, text: str, first: bool) -> list[int]:
        """A new line and the words of `text`; what is no word is taken apart at its punctuation before it is unknown."""
        return [self._id(END_OF_LINE), *(self._id(word) for word, _ in self._words(text))]

    def doubts(self, text: str) -> list[Doubt]:
        """Words that the corpus does not have."""
        return [Doubt(place, place + len(word), "unknown", 1) for word, place in self._words(text) if word not in self._ids]

    def _words(self, text: str) -> Iterator[tuple[str, int]]:
        """The words of a visitor's `text` and where they begin."""
        for match in re.finditer(r"\S+", text):
            if match[0] in self._ids:
                yield match[0], match.start()
            else:
                yield from ((part[0], match.start() + part.start()) for part in re.finditer(r"\w+|[^\w\s]", match[0]))

    def _id(self, word: str) -> int:
        found = self._ids.get(word, self._ids.get(UNKNOWN))
        if found is None:
            raise ValueError(f"the corpus has no word {word[:40]!r}, and none for unknown words")
        return found


class Pieces(Vocabulary):
    """A byte-level byte-pair encoding in the file of the `tokenizers` library, such as the published SpikeGPT's ``20B_tokenizer.json``."""

    def __init__(self, contents: str) -> None:
        """`contents` of the file; ValueError where it is something else."""
        import tokenizers

        try:
            self._inner = tokenizers.Tokenizer.from_str(contents)
        except Exception as error:  # the library raises this very class
            raise ValueError(f"the `tokenizers` library does not read it ({str(error)[:80]})") from None
        self._inner.encode_special_tokens = True  # a marker that is spelled out in a text is text
        added = self._inner.get_added_tokens_decoder()
        letters = bytes_of_letters()
        pieces = []
        for index in range(self._inner.get_vocab_size()):
            name = self._inner.id_to_token(index) or ""
            if index in added:
                pieces.append(b"" if added[index].special else added[index].content.encode())
            elif all(letter in letters for letter in name):
                pieces.append(bytes(letters[letter] for letter in name))
            else:
                raise ValueError("it is not a byte-level vocabulary")
        end = next((index for index in map(self._inner.token_to_id, _END_NAMES) if index is not None), None)
        super().__init__(pieces, end, end)

    def encode(self, text: str) -> list[int]:
        """Tokens of `text` alone, no markers."""
        clean = text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates cannot be encoded
        ids: list[int] = self._inner.encode(clean, add_special_tokens=False).ids
        return ids

    def prompt(self, text: str, first: bool) -> list[int]:
        """`text`, on a line of its own if something has been read before."""
        return self.encode(text if first else "\n" + text)

    def doubts(self, text: str) -> list[Doubt]:
        """Words that are spelled out in many pieces. Nothing is unknown to an encoding of bytes."""
        counted = [(match, len(self.encode(" " + match[0]))) for match in re.finditer(r"\w+", text)]
        return [Doubt(match.start(), match.end(), "rare", pieces) for match, pieces in counted if pieces >= RARE_PIECES]


class Characters(Vocabulary):
    """Single characters, as the published BookCorpus SpikeGPT has them in ``vocab_book.json``."""

    def __init__(self, contents: str) -> None:
        """`contents` of a JSON object from characters to ids or from ids to characters; ValueError where it is something else."""
        table = json.loads(contents)
        if not isinstance(table, dict) or not 0 < len(table) <= MAX_WORDS:
            raise ValueError("it is no object of characters and their ids")
        if all(isinstance(value, str) for value in table.values()):
            table = {character: int(index) for index, character in table.items()}
        if sorted(map(str, table.values())) != sorted(map(str, range(len(table)))) or not all(len(character) == 1 for character in table):
            raise ValueError(f"it does not give each of {len(table)} characters an id from 0 on")
        self._ids: dict[str, int] = table
        by_id = sorted(table, key=table.__getitem__)
        super().__init__([character.encode("utf-8", "replace") for character in by_id], None, table.get("\n"))

    def encode(self, text: str) -> list[int]:
        """A token a character."""
        for character in text:
            if character not in self._ids:
                raise ValueError(f"the vocabulary has no character {character!r}")
        return [self._ids[character] for character in text]

    def prompt(self, text: str, first: bool) -> list[int]:
        """`text`, on a line of its own if something has been read before and there are lines."""
        return self.encode(text if first or "\n" not in self._ids else "\n" + text)

    def doubts(self, text: str) -> list[Doubt]:
        """Characters that there are not."""
        return [Doubt(place, place + 1, "unknown", 0) for place, character in enumerate(text) if character not in self._ids]


def read(path: Path) -> Vocabulary:
    """The vocabulary at `path`: a corpus (folder or .tar.gz) or a JSON file. ValueError with the reason where it is none of these."""
    if path.is_dir() or path.suffix != ".json":
        return Words.read(path)
    contents = _limited(path)
    text = contents.decode("utf-16" if contents[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8")
    try:
        return Pieces(text) if '"model"' in text else Characters(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _first_appearance(texts: Iterable[str]) -> list[str]:
    """Words of `texts` in order of first appearance, each line's end a word too."""
    words: dict[str, None] = {}
    for text in texts:
        for line in io.StringIO(text, newline=None):
            words |= dict.fromkeys([*line.split(), END_OF_LINE])
    return list(words)


def _limited(path: Path) -> bytes:
    """The contents of `path`; ValueError if that is larger than any vocabulary's source."""
    with path.open("rb") as file:
        contents = file.read(MAX_BYTES + 1)
    if len(contents) > MAX_BYTES:
        raise ValueError(f"{path.name} is larger than {MAX_BYTES >> 20} MB")
    return contents
