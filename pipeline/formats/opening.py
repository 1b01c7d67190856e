"""Opening a recording whatever its format, which its first bytes tell; what its name ends in does not matter."""

import os
from pathlib import Path

from pipeline.formats.aedat2 import Aedat2Reader
from pipeline.formats.aedat3 import Aedat3Reader
from pipeline.formats.aedat4 import Aedat4Reader
from pipeline.formats.reader import MARK, Reader, foreign, open_binary, unreadable

READERS: dict[bytes, type[Reader]] = {b"2.0": Aedat2Reader, b"3.1": Aedat3Reader, b"4.0": Aedat4Reader}
"""Reader of every version of AEDAT that Egret plays."""
SUFFIXES = (".aedat", ".aedat4")
"""What names of recordings end in, for looking through a folder."""


def open_recording(path: str | os.PathLike[str]) -> Reader:
    """The reader for the recording at `path`. UserError if there is none, or if it is of a kind that Egret does not play."""
    named = Path(path)
    try:
        with open_binary(named) as file:
            start = file.read(len(MARK) + 3)
    except OSError as error:
        raise unreadable(named, error) from error
    reader = READERS.get(start[len(MARK) :]) if start.startswith(MARK) else None
    if reader is None:
        raise foreign(named.name, start, "AEDAT")
    return reader(named)


def recordings_in(folder: Path) -> list[Path]:
    """The files in `folder` and below it that are called recordings, sorted."""
    return sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
