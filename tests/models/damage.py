"""Files with one byte that is another, as a bad disk or a broken download leaves them."""

from collections.abc import Iterator
from pathlib import Path


def flipped(path: Path, step: int = 1) -> Iterator[Path]:
    """`path` with every `step`-th of its bytes turned over, one at a time; as it was in the end."""
    whole = path.read_bytes()
    for place in range(0, len(whole), step):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        yield path
    path.write_bytes(whole)
