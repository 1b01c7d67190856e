"""Examples for teaching, cut out of recordings: through the same door, filters and framing as everything that is recognised."""

from pathlib import Path

import numpy as np

from models.teaching.clips import Frames, pack
from models.teaching.features import WARM, counting
from models.teaching.head import Example
from models.teaching.teacher import LEAST_WINDOWS
from pipeline.door import Door
from pipeline.errors import UserError
from pipeline.formats.opening import open_recording
from pipeline.frames import WINDOW_US, Framer

STRETCH = 160
"""Windows (4 s) in an example at most: a longer recording is several."""
LONGEST = 15 * STRETCH
"""Windows (60 s) of a recording that are taken at most."""


def examples_of(path: Path, group: int, counter: bool = False) -> list[Example]:
    """The first minute of the recording at `path` in stretches of 4 s, without those in which too little happens (a counter-example may be
    still). UserError if nothing is left."""
    frames = _frames(path)
    found = []
    for first in range(0, len(frames), STRETCH):
        stretch = frames[first : first + STRETCH]
        if (len(stretch) - WARM if counter else counting(stretch).sum()) >= LEAST_WINDOWS:
            source = f"{path.name}, {first * WINDOW_US / 1e6:g} to {(first + len(stretch)) * WINDOW_US / 1e6:g} s"
            found.append(Example(pack(stretch), source, group, counter))
    if not found:
        raise UserError(
            f"Too little happens in {path}: an example needs {LEAST_WINDOWS * WINDOW_US / 1e6:g} s of movement after its first 0.4 s."
        )
    return found


def _frames(path: Path) -> Frames:
    with open_recording(path) as reader:
        door, framer = Door(reader.width, reader.height), Framer(reader.width, reader.height)
        parts: list[Frames] = []
        taken = 0
        for events in reader.packets():
            parts.append(framer.process(door.check(events)[0]).counts)
            taken += len(parts[-1])
            if taken >= LONGEST:
                break
        parts.append(framer.flush().counts)
    return np.concatenate(parts)[:LONGEST]
