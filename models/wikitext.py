"""WikiText-2 (Merity et al. 2016) as word ids on disk, and the text that a byte-level vocabulary reads.

The corpus is words between blanks, some of them stand-ins (``<unk>``, ``@-@``), and ``<eos>`` at each end of a line. On disk it is an array
of word ids for each part and a list of the words: ``train.npy``, ``validate.npy``, ``test.npy`` and ``type.info``, in a folder or a
.tar.gz.

As a text every word is led by one blank, the first of a line too, and every ``<eos>`` is an end of line. So a word always has the same
letters, wherever it stands, and words and lines can be told back exactly: the text has as many words as `words` counts, those of the
standard.
"""

import gzip
import io
import tarfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import numpy.typing as npt

TRAIN, VALIDATE, TEST = "train.npy", "validate.npy", "test.npy"
NAMES = "type.info"
END_OF_LINE = "<eos>"
MAX_BYTES = 1 << 28
ARCHIVES = (".tar.gz", ".tgz")


def read(source: Path, part: str) -> str:
    """The text of `part` (TRAIN, VALIDATE or TEST) at `source`. OSError, TarError, EOFError or ValueError if there is none."""
    if source.is_dir() and not (source / NAMES).exists() and len(archives := _archives(source)) == 1:
        source = archives[0]
    if source.is_dir():
        return text_of(limited(source / part), limited(source / NAMES))
    return text_of(*_unpacked(source, part))


def is_here(source: Path) -> bool:
    """Whether `source` looks like the corpus: a folder with its words or with a single archive, or an archive; as far as one can look."""
    try:
        return source.name.endswith(ARCHIVES) or (source / NAMES).is_file() or len(_archives(source)) == 1
    except OSError:  # no folder, or one that may not be looked into: whoever reads it says what is wrong
        return False


def _archives(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.name.endswith(ARCHIVES))


def words(text: str) -> int:
    """How many words `text` has, ends of lines included; a part's number of ids."""
    return len(text.split()) + text.count("\n")


def limited(path: Path) -> bytes:
    """The contents of `path`, unpacked. ValueError if that is damaged or larger than anything one would read; EOFError if it is cut off."""
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            contents = file.read(MAX_BYTES + 1)
    except zlib.error as error:
        raise ValueError(f"it is damaged: {error}") from None
    if len(contents) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES >> 20} MB")
    return contents


def _unpacked(archive: Path, part: str) -> tuple[bytes, bytes]:
    """The ids and their names, from wherever in `archive` they lie."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, "r:gz") as members:
            for member in members:
                name = Path(member.name).name
                if name in (part, NAMES) and member.isfile() and (file := members.extractfile(member)):
                    if member.size > MAX_BYTES:
                        raise ValueError(f"{name} is larger than {MAX_BYTES >> 20} MB")
                    found[name] = file.read()
    except zlib.error as error:
        raise ValueError(f"it is damaged: {error}") from None
    if missing := {part, NAMES} - found.keys():
        raise ValueError(f"it holds no {' and no '.join(sorted(missing))}")
    return found[part], found[NAMES]


def text_of(ids: bytes, names: bytes) -> str:
    """The text that a saved array of word ids stands for. ValueError where it stands for none."""
    numbers = _numbers(ids)
    known = names.decode("utf-8").split("\n")
    if not len(numbers) or numbers.min() < 0 or numbers.max() >= len(known):
        raise ValueError(f"the ids are no list of numbers of words in {NAMES}")
    pieces = ["\n" if name == END_OF_LINE else " " + name for name in known]
    return "".join(pieces[number] for number in numbers.tolist())


def _numbers(contents: bytes) -> npt.NDArray[Any]:
    """The array in an .npy file's `contents`, whose header is not believed. ValueError where there is none."""
    file = io.BytesIO(contents)
    try:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    except (ValueError, TypeError, SyntaxError, TokenError, RecursionError):  # the header is an expression of Python's
        raise ValueError("the array of ids is none, or damaged") from None
    if len(shape) != 1 or dtype.kind not in "iu" or shape[0] * dtype.itemsize != len(contents) - file.tell():
        raise ValueError("the array of ids is no list of numbers, or damaged")
    return np.frombuffer(contents, dtype, offset=file.tell())
