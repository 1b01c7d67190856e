"""What things look like: linear intensity of the background and of each capsule's surface."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.simulator.body import CAPSULES, FINGERS, FOREARM, HEAD, LEFT, LEGS, NECK, PALM, RIGHT, SHOULDERS, THUMB, TORSO, UPPER_ARM
from pipeline.simulator.draw import Draw
from pipeline.simulator.ranges import SceneRanges

Image = npt.NDArray[np.float32]
Log = npt.NDArray[np.float64]
"""Log intensity or contrast."""

TEXTURE_ALONG, TEXTURE_ACROSS = 64, 32
"""Cells of a capsule's texture."""
Wall = Literal["bare", "furnished", "full"]
BARE = 0.1
"""Contrast of a bare wall, share of what the ranges say."""
BRIGHTEST, DARKEST = 3.0, 0.004
"""Linear intensity is kept inside the sensor's table (`pipeline.simulator.sensor`)."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """Linear intensities, 1 = a white sheet."""

    background: Image
    """(height, width)."""
    surfaces: Image
    """(C, TEXTURE_ALONG, TEXTURE_ACROSS): fixed to each capsule, from near to far end and from one rim to the other."""


@dataclass(frozen=True, slots=True)
class Lights:
    """Lamps on alternating current: log intensity changes by depth x wave.

    Their light pulses at twice the mains' frequency (100 or 120 Hz), between a sine (lamps with a phosphor or a filament) and a rectified
    one (LEDs without a capacitor).
    """

    frequency: float
    start: float
    sharpness: float
    mains: float
    """Depth in all that is seen, log units; 0 where the light is steady."""
    lamps: Image
    """(height, width) additional depth where a lamp, or its reflection, is in view; it stays behind when the camera turns."""
    hardness: float = 0.0
    """From a sine (0) toward a light that is either on or off."""

    def waves(self, times_us: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Brightness in [-1, 1] about its mean at n times in us."""
        angle = np.pi * self.frequency * 1e-6 * times_us + self.start
        sine, rectified = -np.cos(2.0 * angle), np.abs(np.sin(angle)) * np.pi / 2.0 - 1.0
        if self.hardness > 0.0:
            sine = np.tanh(self.hardness * sine) / np.tanh(self.hardness)
        return ((1.0 - self.sharpness) * sine + self.sharpness * rectified).astype(np.float32)


def draw_lights(draw: Draw, ranges: SceneRanges, width: int, height: int) -> Lights:
    """Draw the mains and the lamps in view."""
    frequency, start, sharpness = draw.choice((100.0, 120.0)), draw.angle(), draw.between((0.0, 1.0))
    mains = draw.log_between(ranges.mains_depth) if draw.chance(ranges.mains) else 0.0
    lamps = np.zeros((height, width))
    if draw.chance(ranges.lamps):
        x, y = draw.between((0.0, 1.0)) * width, draw.between((0.0, 0.7)) * height
        wide, high = (draw.log_between((0.012, 0.06)) * min(width, height) for _ in range(2))
        rows, columns = np.mgrid[0:height, 0:width]
        lamps[((columns - x) / wide) ** 2 + ((rows - y) / high) ** 2 <= 1.0] = draw.log_between(ranges.lamp_depth)
    return Lights(frequency, start, sharpness, mains, lamps.astype(np.float32))


def draw_blinking(draw: Draw, width: int, height: int) -> Lights:
    """Draw a light that comes and goes by itself: an indicator, a failing tube, a screen with a film; or the daylight or dimmer of a room.

    Indicators blink at 0.5 to 5 Hz, films change at up to 25 Hz, tubes in between; contrast up to a factor of 2.7 either way. A light may
    begin left of the view or above it, and where it is small all of it lies outside: in about one scene of a hundred nothing blinks.
    """
    frequency, start, hardness = draw.log_between((0.3, 25.0)), draw.angle(), draw.choice((0.0, draw.log_between((0.5, 8.0))))
    mains = draw.log_between((0.03, 0.3)) if draw.chance(0.25) else 0.0
    lamps = np.zeros((height, width), np.float32)
    for _ in range(0 if mains else draw.choice((1, 1, 2, 3))):
        x, y = draw.between((-0.1, 0.9)) * width, draw.between((-0.1, 0.9)) * height
        wide, high = draw.log_between((0.02, 0.5)) * width, draw.log_between((0.02, 0.5)) * height
        lamps[max(int(y), 0) : max(int(y + high) + 1, 0), max(int(x), 0) : max(int(x + wide) + 1, 0)] = draw.log_between((0.1, 1.0))
    return Lights(frequency, start, 0.0, mains, lamps, hardness)


def draw_appearance(draw: Draw, ranges: SceneRanges, width: int, height: int, around: Draw | None = None) -> Appearance:
    """Draw wall, furniture, skin and clothes; `around` draws what is beside and below the view, for a camera that moves.

    Person and view are the same with `around` as without.
    """
    level, factor = draw.between(ranges.background), draw.log_between(ranges.contrast_factor)
    limbs = draw.between(ranges.limb_contrast) * factor * (-1.0 if draw.chance(ranges.dark_limbs) else 1.0)
    torso = draw.between(ranges.torso_contrast) * factor
    legs = draw.between(ranges.torso_contrast) * factor
    plain = _plaster(draw, ranges, level, factor, (height, width), min(width, height))
    wall = plain.copy()
    _furnish(draw, wall, ranges.furniture, factor)
    if around is not None:
        wall = _surrounded(around, ranges, factor, plain, wall)
    surfaces = _shades(draw, limbs, torso, legs, ranges.sleeves)[:, None, None] + _grain(draw, ranges, CAPSULES)
    _detail(draw, surfaces, draw.between(ranges.detail) * factor)
    return Appearance(_light(wall), _light(np.log(level) + surfaces))


def draw_thing_appearance(
    draw: Draw, ranges: SceneRanges, parts: int, width: int, height: int, around: bool = False, behind: Wall = "furnished"
) -> Appearance:
    """Draw wall and things; `around`: also what is beside and below the view, for a camera that moves; `behind`: a bare wall or table
    (a tenth of the contrast), one as the ranges say, or a full room."""
    level, factor = draw.between(ranges.background), draw.log_between(ranges.contrast_factor)
    wall = draw_around(draw, ranges, level, factor, width, height) if around else draw_wall(draw, ranges, level, factor, width, height)
    if behind == "bare":
        wall = np.log(level) + BARE * (wall - np.log(level))
    elif behind == "full":
        _clutter(draw, wall, factor, min(width, height))
    contrast = draw.between(ranges.limb_contrast) * factor * draw.sign()
    shades = contrast * draw.generator.uniform(0.5, 1.0, parts) + draw.between(ranges.detail) * factor * draw.generator.uniform(
        -1, 1, parts
    )
    surfaces = shades[:, None, None] + _grain(draw, ranges, parts)
    return Appearance(_light(wall), _light(np.log(level) + surfaces))


def draw_wall(draw: Draw, ranges: SceneRanges, level: float, factor: float, width: int, height: int) -> Log:
    """Log intensity of the background (height, width)."""
    wall = _plaster(draw, ranges, level, factor, (height, width), min(width, height))
    _furnish(draw, wall, ranges.furniture, factor)
    return wall


def draw_around(draw: Draw, ranges: SceneRanges, level: float, factor: float, width: int, height: int) -> Log:
    """Log intensity of what a camera that moves may see: twice the view in either direction, as fine and as full as the view."""
    wall = _plaster(draw, ranges, level, factor, (2 * height, 2 * width), min(width, height))
    for view in _views(wall):
        _furnish(draw, view, ranges.furniture, factor)
    return wall


def _surrounded(draw: Draw, ranges: SceneRanges, factor: float, plain: Log, wall: Log) -> Log:
    """The same around a view that is drawn already: its `wall`, and what that is without furniture, `plain`, which repeats seamlessly."""
    room = np.tile(plain, (2, 2))
    own, *others = _views(room)
    own[:] = wall
    for view in others:
        _furnish(draw, view, ranges.furniture, factor)
    return room


def _views(room: Log) -> list[Log]:
    """The four views that surroundings consist of, the camera's own first."""
    height, width = room.shape[0] // 2, room.shape[1] // 2
    return [room[y : y + height, x : x + width] for y in (0, height) for x in (0, width)]


def _plaster(draw: Draw, ranges: SceneRanges, level: float, factor: float, shape: tuple[int, int], side: int) -> Log:
    """Log intensity (`shape`) of a wall without furniture, for a view whose shorter side is `side`."""
    sigma = draw.between(ranges.background_sigma) * side / 128.0
    return np.asarray(np.log(level) + draw.between(ranges.background_contrast) * factor * draw.smooth_noise(shape, sigma))


def _clutter(draw: Draw, wall: Log, factor: float, side: int) -> None:
    """What fills a room: pictures, books, cables, keyboards, blinds, as rectangles and rows of stripes of 2 to 50 % of the view `side`."""
    height, width = wall.shape
    views = height * width / side**2
    for _ in range(int(draw.generator.integers(4, 24) * views)):
        x, y = draw.between((-0.1, 1.0)) * width, draw.between((-0.1, 1.0)) * height
        w, h = draw.log_between((0.02, 0.5)) * side, draw.log_between((0.02, 0.5)) * side
        area = wall[max(int(y), 0) : max(int(y + h) + 1, 0), max(int(x), 0) : max(int(x + w) + 1, 0)]
        shade = factor * draw.between((-0.8, 0.8))
        if draw.chance(0.25):
            along, period = np.arange(area.shape[draw.choice((0, 1))]), draw.between((3.0, 12.0)) * side / 128.0
            stripes = shade * (np.mod(along, period) < 0.5 * period)
            area += stripes[None, :] if len(stripes) == area.shape[1] else stripes[:, None]
        else:
            area += shade


def _grain(draw: Draw, ranges: SceneRanges, capsules: int) -> Log:
    """Log texture of skin, cloth or board, darker toward the rim: (capsules, along, across)."""
    texture = draw.between(ranges.texture)
    rim = -0.12 * np.abs(np.linspace(-1.0, 1.0, TEXTURE_ACROSS)) ** 3
    shape = (TEXTURE_ALONG, TEXTURE_ACROSS)
    return np.stack([texture * draw.smooth_noise(shape, draw.between((2.0, 7.0))) + rim for _ in range(capsules)])


def _detail(draw: Draw, surfaces: Log, depth: float) -> None:
    """What a near camera resolves, `depth` log units deep: joints of the fingers, lines of the palm, a watch, eyes, hair, a print."""
    along, across = np.arange(TEXTURE_ALONG)[:, None], np.arange(TEXTURE_ACROSS)[None, :]
    for side in (RIGHT, LEFT):
        for finger in (*FINGERS[side], THUMB[side]):
            surfaces[finger] -= depth * 0.7 * (along % 21 < 3)
            surfaces[finger] -= depth * (np.abs(across - 15.5) > 12)
        lines = np.abs(np.sin(0.16 * along + 0.13 * across + draw.angle())) < 0.12
        surfaces[PALM[side]] -= depth * 0.7 * lines
        end = int(draw.between((40.0, 63.0)))
        surfaces[FOREARM[side], end : end + 4] += depth * draw.between((-1.0, 1.0))
    surfaces[list(UPPER_ARM)] += depth * 0.3 * np.sin(2.0 * np.pi * draw.between((2.0, 9.0)) * along / TEXTURE_ALONG)
    surfaces[HEAD, 44:] += depth * draw.between((-1.5, 0.5))
    surfaces[HEAD, 24:30, 6:12] -= depth
    surfaces[HEAD, 24:30, 20:26] -= depth
    stripes = draw.choice((0.0, draw.between((2.0, 12.0))))
    surfaces[TORSO] += depth * 0.5 * np.sign(np.sin(2.0 * np.pi * stripes * along / TEXTURE_ALONG))


def _shades(draw: Draw, limbs: float, torso: float, legs: float, sleeves: float) -> Log:
    """Log contrast of every capsule: skin like the limbs, clothes like the torso."""
    shades = np.full(CAPSULES, limbs)
    shades[[TORSO, SHOULDERS]] = torso
    shades[list(LEGS)] = legs
    shades[[HEAD, NECK]] += draw.between((-0.15, 0.1)) * np.sign(limbs)
    upper = torso if draw.chance(sleeves) else limbs
    fore = upper if draw.chance(0.5) else limbs
    for side in (RIGHT, LEFT):
        shades[UPPER_ARM[side]], shades[FOREARM[side]] = upper, fore
        shades[list(FINGERS[side])] -= 0.05
        shades[THUMB[side]] -= 0.08
        shades[PALM[side]] += 0.03
    return shades


def _furnish(draw: Draw, wall: Log, most: int, factor: float) -> None:
    """Rectangles of another shade: doors, shelves, screens, windows."""
    height, width = wall.shape
    for _ in range(int(draw.generator.integers(most + 1))):
        x, y = draw.between((-0.2, 0.9)) * width, draw.between((-0.2, 0.9)) * height
        w, h = draw.between((0.05, 0.6)) * width, draw.between((0.05, 0.6)) * height
        wall[max(int(y), 0) : max(int(y + h), 0), max(int(x), 0) : max(int(x + w), 0)] += factor * draw.between((-0.6, 0.6))


def _light(log_intensity: Log) -> Image:
    return np.clip(np.exp(log_intensity), DARKEST, BRIGHTEST).astype(np.float32)
