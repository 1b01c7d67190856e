"""What things look like: linear intensity of the background and of each capsule's surface."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.simulator.body import CAPSULES, FINGERS, FOREARM, HEAD, LEFT, LEGS, NECK, PALM, RIGHT, SHOULDERS, THUMB, TORSO, UPPER_ARM
from pipeline.simulator.draw import Draw
from pipeline.simulator.presets import SceneRanges

Image = npt.NDArray[np.float32]

TEXTURE_ALONG, TEXTURE_ACROSS = 64, 32
"""Cells of a capsule's texture."""
BRIGHTEST, DARKEST = 3.0, 0.004
"""Linear intensity is kept inside the sensor's table (`pipeline.simulator.sensor`)."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """Linear intensities, 1 = a white sheet."""

    background: Image
    """(height, width)."""
    surfaces: Image
    """(CAPSULES, TEXTURE_ALONG, TEXTURE_ACROSS): fixed to each capsule, from near to far end and from one rim to the other."""


def draw_appearance(draw: Draw, ranges: SceneRanges, width: int, height: int) -> Appearance:
    """Draw wall, furniture, skin and clothes."""
    level, factor = draw.between(ranges.background), draw.log_between(ranges.contrast_factor)
    limbs = draw.between(ranges.limb_contrast) * factor * (-1.0 if draw.chance(ranges.dark_limbs) else 1.0)
    torso = draw.between(ranges.torso_contrast) * factor
    legs = draw.between(ranges.torso_contrast) * factor
    wall = np.log(level) + draw.between(ranges.background_contrast) * factor * draw.smooth_noise(
        (height, width), draw.between(ranges.background_sigma) * min(width, height) / 128.0
    )
    _furnish(draw, wall, ranges.furniture, factor)
    shades = _shades(draw, limbs, torso, legs, ranges.sleeves)
    texture = draw.between(ranges.texture)
    rim = -0.12 * np.abs(np.linspace(-1.0, 1.0, TEXTURE_ACROSS)) ** 3
    surfaces = np.empty((CAPSULES, TEXTURE_ALONG, TEXTURE_ACROSS))
    for index in range(CAPSULES):
        noise = draw.smooth_noise((TEXTURE_ALONG, TEXTURE_ACROSS), draw.between((2.0, 7.0)))
        surfaces[index] = np.log(level) + shades[index] + texture * noise + rim
    return Appearance(_light(wall), _light(surfaces))


def _shades(draw: Draw, limbs: float, torso: float, legs: float, sleeves: float) -> npt.NDArray[np.float64]:
    """Log contrast of every capsule: skin like the limbs, clothes like the torso."""
    shades = np.full(CAPSULES, limbs)
    shades[[TORSO, SHOULDERS]] = torso
    shades[list(LEGS)] = legs
    shades[[HEAD, NECK]] += draw.between((-0.15, 0.1)) * np.sign(limbs)
    upper = torso if draw.chance(sleeves) else limbs
    fore = upper if draw.chance(0.5) else limbs
    for side in (RIGHT, LEFT):
        shades[UPPER_ARM[side]], shades[FOREARM[side]] = upper, fore
        shades[FINGERS[side]] -= 0.05
        shades[THUMB[side]] -= 0.08
        shades[PALM[side]] += 0.03
    return shades


def _furnish(draw: Draw, wall: npt.NDArray[np.float64], most: int, factor: float) -> None:
    """Rectangles of another shade: doors, shelves, screens, windows."""
    height, width = wall.shape
    for _ in range(int(draw.generator.integers(most + 1))):
        x, y = draw.between((-0.2, 0.9)) * width, draw.between((-0.2, 0.9)) * height
        w, h = draw.between((0.05, 0.6)) * width, draw.between((0.05, 0.6)) * height
        wall[max(int(y), 0) : max(int(y + h), 0), max(int(x), 0) : max(int(x + w), 0)] += factor * draw.between((-0.6, 0.6))


def _light(log_intensity: npt.NDArray[np.float64]) -> Image:
    return np.clip(np.exp(log_intensity), DARKEST, BRIGHTEST).astype(np.float32)
