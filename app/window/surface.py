"""The time surface, and the picture made of it.

The surface (app/protocol.py) holds for every pixel when it last fired and with which polarity. A picture is that age put through a table
of colours, so its cost depends on the sensor's size only: ten thousand or fifty million events a second cost the same, and a still scene
fades although no event comes (neuromorphic-drivers' viewer does this in a shader; here it is two passes of numpy over uint32).

How two passes suffice: a word is ``tick << 1 | polarity``. With ``w = (now_tick + slack) << 1 | 1`` the difference ``w - word``, taken
modulo 2^32 as the ticks themselves wrap, is ``(age + slack) << 1 | (1 - polarity)``: age and polarity in one index. Look it up, clipped
to the table's length, done. The first `slack` entries are full brightness: the engine may have written events newer than the window's
clock.
"""

import mmap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.protocol import TICK_US
from app.window.texts import mark, tr

SLACK_TICKS = 250_000 // TICK_US
"""Events up to a quarter of a second ahead of the window's clock are shown as new."""
VISIBLE_TIME_CONSTANTS = 4.6
"""exp(-4.6) = 1 %: older events are background."""
MOST_PIXELS = 1 << 24
"""Larger sensors are refused, as by the engine; the file's size is checked before it is mapped."""

Rgb = tuple[int, int, int]
Picture = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class PolarityTheme:
    """Colours of new events and of the background, 0-255."""

    name: str
    on: Rgb
    off: Rgb
    background: Rgb


THEMES: tuple[PolarityTheme, ...] = (
    PolarityTheme(mark("Orange / cyan"), (255, 176, 64), (64, 196, 255), (10, 12, 16)),
    PolarityTheme(mark("Red / blue"), (255, 92, 92), (88, 132, 255), (10, 12, 16)),
    PolarityTheme(mark("White / violet"), (250, 250, 250), (158, 112, 255), (10, 12, 16)),
    PolarityTheme(mark("Monochrome"), (235, 240, 245), (235, 240, 245), (10, 12, 16)),
    PolarityTheme(mark("On paper"), (196, 60, 20), (20, 80, 170), (244, 244, 240)),
)
"""Polarity themes. The first is safe for all common kinds of colour blindness (orange and sky blue of Okabe and Ito, 2008, brightened)."""


def age_table(theme: PolarityTheme, decay_us: int) -> npt.NDArray[np.uint32]:
    """Colours by ``(age + slack) << 1 | (1 - polarity)``: uint32 0xffRRGGBB, exponential decay with time constant `decay_us`."""
    visible = int(VISIBLE_TIME_CONSTANTS * decay_us / TICK_US) + 1
    age_us = np.maximum(np.arange(visible + SLACK_TICKS) - SLACK_TICKS, 0) * TICK_US
    weight = np.exp(-age_us / decay_us)[:, None, None]
    ends = np.array([theme.on, theme.off], np.float64)
    ground = np.array(theme.background, np.float64)
    rgb = np.rint(ground + (ends - ground) * weight).astype(np.uint32)
    words = (0xFF << 24) | (rgb[..., 0] << 16) | (rgb[..., 1] << 8) | rgb[..., 2]
    words[-1] = pack(theme.background)
    return np.ascontiguousarray(words.reshape(-1).astype(np.uint32))


def pack(colour: Rgb) -> int:
    """0xffRRGGBB, as QImage's 32-bit formats hold it."""
    return (0xFF << 24) | (colour[0] << 16) | (colour[1] << 8) | colour[2]


class SurfaceFile:
    """A time surface mapped read-only: `words` is uint32[height, width], changing under our eyes.

    Raises ValueError with a sentence if the file is not what the engine announced.
    """

    def __init__(self, path: Path, width: int, height: int) -> None:
        if not (width > 0 and height > 0 and width * height <= MOST_PIXELS):
            raise ValueError(
                tr("The engine announced a sensor of {width} x {height} pixels, which cannot be shown.").format(width=width, height=height)
            )
        size = 4 * width * height
        try:
            with path.open("rb") as file:
                if file.seek(0, 2) < size:
                    raise ValueError(tr("The event picture is smaller than {width} x {height} pixels.").format(width=width, height=height))
                memory = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
        except OSError as error:
            raise ValueError(tr("The event picture cannot be read: {why}.").format(why=error.strerror or error)) from error
        self.width, self.height = width, height
        self.words: npt.NDArray[np.uint32] = np.frombuffer(memory, "<u4").reshape(height, width)


class Painter:
    """Makes pictures of one surface size with one theme and decay; reuses its memory."""

    def __init__(self, theme: PolarityTheme = THEMES[0], decay_us: int = 100_000) -> None:
        self.theme, self.decay_us = theme, decay_us
        self._table = age_table(theme, decay_us)
        self._index = np.empty((0, 0), np.uint32)
        self.picture: Picture = np.empty((0, 0), np.uint32)
        """uint32[height, width], 0xffRRGGBB: the newest picture."""

    def use(self, theme: PolarityTheme, decay_us: int) -> None:
        """Change colours or time constant."""
        if (theme, decay_us) != (self.theme, self.decay_us):
            self.theme, self.decay_us = theme, decay_us
            self._table = age_table(theme, decay_us)

    def paint(self, words: npt.NDArray[np.uint32], now_us: int) -> Picture:
        """The picture of `words` (uint32[height, width]) at sensor time `now_us`."""
        if words.shape != self.picture.shape:
            self._index = np.empty(words.shape, np.uint32)
            self.picture = np.empty(words.shape, np.uint32)
        now = np.uint32(((now_us // TICK_US + SLACK_TICKS) << 1 | 1) & 0xFFFFFFFF)
        np.subtract(now, words, out=self._index)
        np.take(self._table, self._index, out=self.picture, mode="clip")
        if now < len(self._table):  # sensor time is so young that "never" looks recent
            self.picture[words == 0] = pack(self.theme.background)
        return self.picture
