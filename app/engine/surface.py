"""The time surface in shared memory: written in place by the framer's compiled loop, read by windows (format: `app.protocol`)."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.errors import UserError

MAX_PIXELS = 1 << 24
"""16 Mpixel, far above any event sensor: a larger one is a damaged header, not a camera."""


def create(folder: Path, width: int, height: int, number: int) -> tuple[Path, npt.NDArray[np.uint32]]:
    """A new surface of zeros [height, width] in `folder`; `number` tells it from earlier ones of the session.

    Raises UserError when the size is no sensor's or the folder's file system is full.
    """
    if not (width > 0 and height > 0 and width * height <= MAX_PIXELS):
        raise UserError(f"The source says its sensor has {width} x {height} pixels, which no event sensor has: check the source.")
    path = folder / f"surface.{number}"
    try:
        # Written rather than mapped sparse: a full disk is found here and not as a SIGBUS in the live loop.
        path.write_bytes(bytes(width * height * 4))
        return path, np.memmap(path, np.uint32, "r+", shape=(height, width))
    except OSError as error:
        raise UserError(f"The shared picture {path} cannot be made ({error.strerror}): free space there or set EGRET_SESSIONS.") from None
