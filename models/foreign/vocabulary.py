"""The vocabularies of others' language models: words of a corpus, byte pairs, characters. None of them is in a checkpoint.

Every vocabulary is a list of byte strings, one a token, and a way from a text to tokens; what has been written so far is the bytes joined.
They offer what `models.tokenizer.Tokenizer` offers to the chat, except speakers: these models know no turns. They go on with a text.
"""

import codecs
import io
import json
import re
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.tokenizer import Stream

END_OF_LINE, UNKNOWN = "<eos>", "<unk>"
MAX_BYTES = 1 << 29
"""Of a corpus' file; WikiText-103 has 540 MB."""
MAX_WORDS = 1 << 20
_SPLITS = (
    ("train.txt", "valid.txt", "test.txt"),
    ("wiki.train.tokens", "wiki.valid.tokens", "wiki.test.tokens"),
    ("ptb.train.txt", "ptb.valid.txt", "ptb.test.txt"),
)
_IDS = ("train.npy", "validate.npy", "test.npy", "type.info")
_END_NAMES = ("<|endoftext|>", "<|end|>")
_PARTS = re.compile(r"\w+|[^\w\s]")


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
        """The vocabulary of the corpus in the folder (or .tar.gz) `corpus`, text or WikiText-2's ids; ValueError where there is none."""
        if corpus.is_dir():
            for names in _SPLITS:
                if (corpus / names[0]).is_file():
                    return cls(_first_appearance([_limited(corpus / name) for name in names]))
            if (corpus / _IDS[0]).is_file():
                return cls(_first_ids([_limited(corpus / name) for name in _IDS]))
        elif corpus.name.endswith((".tar.gz", ".tgz")):
            return cls(_first_ids(_unpacked(corpus)))
        wanted = "; ".join(", ".join(names) for names in (*_SPLITS, _IDS))
        raise ValueError(f"a corpus' folder holds one of these sets of files: {wanted}")

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
        ids = [self._id(END_OF_LINE)]
        for word in text.split():
            ids += [self._id(part) for part in ([word] if word in self._ids else _PARTS.findall(word) or [word])]
        return ids

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
        letters = _bytes_of_letters()
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


def _first_appearance(texts: Sequence[bytes]) -> list[str]:
    """Words of `texts` in order of first appearance, each line's end a word too."""
    words: dict[str, None] = {}
    for text in texts:
        for line in io.StringIO(text.decode("utf-8"), newline=None):
            words |= dict.fromkeys([*line.split(), END_OF_LINE])
    return list(words)


def _first_ids(files: Sequence[bytes]) -> list[str]:
    """Words of a corpus given as ids and names, in order of first appearance; names that never appear are left out."""
    ids = np.concatenate([_numbers(contents) for contents in files[:-1]])
    names = files[-1].decode("utf-8").split("\n")
    seen, first = np.unique(ids, return_index=True)
    if not len(seen) or seen[0] < 0 or seen[-1] >= len(names):
        raise ValueError(f"its ids are not those of {_IDS[-1]}")
    return [names[index] for index in seen[np.argsort(first)]]


def _numbers(contents: bytes) -> npt.NDArray[np.int64]:
    """The ids in an .npy file's `contents`; its header is not believed."""
    file = io.BytesIO(contents)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("it is no list of ids")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if len(shape) != 1 or dtype.kind not in "iu" or shape[0] * dtype.itemsize != len(contents) - file.tell():
        raise ValueError("it is no list of ids, or damaged")
    return np.frombuffer(contents, dtype, offset=file.tell()).astype(np.int64)


def _limited(path: Path) -> bytes:
    """The contents of `path`; ValueError if that is larger than any vocabulary's source."""
    with path.open("rb") as file:
        contents = file.read(MAX_BYTES + 1)
    if len(contents) > MAX_BYTES:
        raise ValueError(f"{path.name} is larger than {MAX_BYTES >> 20} MB")
    return contents


def _unpacked(archive: Path) -> list[bytes]:
    """WikiText-2's ids and names, from wherever in `archive` they lie."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, "r:gz") as members:
            for member in members:
                name = Path(member.name).name
                if name in _IDS and member.isfile() and (file := members.extractfile(member)):
                    if member.size > MAX_BYTES:
                        raise ValueError(f"{name} is larger than {MAX_BYTES >> 20} MB")
                    found[name] = file.read()
    except (tarfile.TarError, EOFError) as error:
        raise ValueError(f"it is damaged ({error})") from None
    if missing := set(_IDS) - found.keys():
        raise ValueError(f"it holds no {' and no '.join(sorted(missing))}")
    return [found[name] for name in _IDS]


def _bytes_of_letters() -> dict[str, int]:
    """The printable letter that stands for each byte in a byte-level vocabulary, inverted (the table of GPT-2's `bytes_to_unicode`)."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(plain)]
    return {chr(byte): byte for byte in plain} | {chr(0x100 + index): byte for index, byte in enumerate(others)}
