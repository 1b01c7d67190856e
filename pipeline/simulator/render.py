"""Painting tapered capsules over a static background, only where something moved.

The image is cut into tiles of 8x8 pixels, stored one after the other so that a tile is contiguous memory. For every tile a bit mask says
which capsules touch it. When a capsule has moved by more than `MOVE_PX` since it was last painted, the tiles that it touched or touches
now are painted anew, front to back: a pixel is finished as soon as what lies in front of it is opaque. A person standing still thus costs
almost nothing, a waving arm a few dozen tiles.

A capsule is a segment a-b with radii r_a, r_b (pixels). With t the clamped projection of a pixel on the segment and q the distance to
that point, the signed distance is q - (r_a + t (r_b - r_a)) and the coverage clamp(0.5 - distance, 0, 1): edges one pixel wide, so that
an edge that crosses a pixel changes it gradually, as the sensor model needs. Intensity is linear; the logarithm and the photoreceptor's
gain (see `pipeline.simulator.sensor`) come from a table over intensity.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.simulator.scene import Image

TILE = 8
TILE_PIXELS = TILE * TILE
MOVE_PX = 0.05
"""A capsule is painted anew when an end or a radius has moved this far: small against the edge's width of one pixel."""
OPAQUE = 0.004
TABLE_SIZE = 2048
TABLE_MAX = 4.0
"""The tables cover linear intensity from 0 to this."""

Float32 = npt.NDArray[np.float32]


class Canvas(NamedTuple):
    """What the painter needs and leaves behind. T tiles, C capsules."""

    width: int
    height: int
    columns: int
    """Tiles in a row of tiles."""
    background: Float32
    """(T, 64) linear intensity."""
    surfaces: Float32
    """(C, along, across) linear intensity."""
    log_table: Float32
    gain_table: Float32
    mask: npt.NDArray[np.int64]
    """(T,) bit i: capsule i touches the tile."""
    dirty: npt.NDArray[np.uint8]
    """(T,) the tile has to be painted."""
    pose: Float32
    """(C, 6) as painted: x_a, y_a, r_a, x_b, y_b, r_b in pixels."""
    light: Float32
    """(T, 64) linear intensity as painted."""
    target: Float32
    """(T, 64) its logarithm, where the photoreceptor is heading."""
    gain: Float32
    """(T, 64) share of the way that it goes in one step."""


def new_canvas(background: Image, surfaces: Image, log_table: Float32, gain_table: Float32) -> Canvas:
    """A canvas on which nothing is painted yet. `background` is (height, width)."""
    height, width = background.shape
    rows, columns = -(-height // TILE), -(-width // TILE)
    padded = np.pad(background, ((0, rows * TILE - height), (0, columns * TILE - width)), mode="edge")
    tiles = padded.reshape(rows, TILE, columns, TILE).swapaxes(1, 2).reshape(-1, TILE_PIXELS)
    count = len(tiles)
    return Canvas(
        width,
        height,
        columns,
        np.ascontiguousarray(tiles),
        np.ascontiguousarray(surfaces),
        log_table,
        gain_table,
        np.zeros(count, np.int64),
        np.ones(count, np.uint8),
        np.full((len(surfaces), 6), -1e4, np.float32),
        np.zeros((count, TILE_PIXELS), np.float32),
        np.zeros((count, TILE_PIXELS), np.float32),
        np.zeros((count, TILE_PIXELS), np.float32),
    )


def untile(tiles: Float32, canvas: Canvas) -> Float32:
    """(T, 64) as an image (height, width)."""
    rows = len(tiles) // canvas.columns
    image = tiles.reshape(rows, canvas.columns, TILE, TILE).swapaxes(1, 2).reshape(rows * TILE, -1)
    return np.asarray(image[: canvas.height, : canvas.width])


@njit(cache=True, nogil=True)
def place(canvas: Canvas, pose: Float32) -> None:
    """Move capsules to `pose` (C, 6) and mark the tiles to be painted anew."""
    moved = 0
    for i in range(pose.shape[0]):
        change = np.float32(0.0)
        for j in range(6):
            change = max(change, abs(pose[i, j] - canvas.pose[i, j]))
        if change > MOVE_PX:
            moved |= 1 << i
            canvas.pose[i] = pose[i]
    if moved == 0:
        return
    mask, dirty = canvas.mask, canvas.dirty
    for k in range(mask.shape[0]):
        if mask[k] & moved:
            dirty[k] = 1
            mask[k] &= ~moved
    for i in range(pose.shape[0]):
        if moved >> i & 1:
            _mark(canvas, i)


@njit(cache=True, nogil=True)
def _mark(canvas: Canvas, i: int) -> None:
    """Set bit i in the tiles that capsule i touches: in each row of tiles, those beside its part of the segment."""
    ax, ay, ra, bx, by, rb = canvas.pose[i]
    reach = max(ra, rb) + 1.0
    rows = canvas.mask.shape[0] // canvas.columns
    first, last = max(int(np.floor((min(ay, by) - reach) / TILE)), 0), min(int(np.floor((max(ay, by) + reach) / TILE)), rows - 1)
    for row in range(first, last + 1):
        low, high = row * TILE - reach, row * TILE + TILE - 1 + reach
        t0, t1 = 0.0, 1.0
        if abs(by - ay) > 1e-3:
            u, v = (low - ay) / (by - ay), (high - ay) / (by - ay)
            t0, t1 = max(min(u, v), 0.0), min(max(u, v), 1.0)
            if t0 > t1:
                continue
        x0, x1 = ax + t0 * (bx - ax), ax + t1 * (bx - ax)
        left = max(int(np.floor((min(x0, x1) - reach) / TILE)), 0)
        right = min(int(np.floor((max(x0, x1) + reach) / TILE)), canvas.columns - 1)
        for column in range(left, right + 1):
            k = row * canvas.columns + column
            canvas.mask[k] |= 1 << i
            canvas.dirty[k] = 1


@njit(cache=True, nogil=True)
def paint(canvas: Canvas, k: int, order: npt.NDArray[np.int64]) -> None:
    """Paint tile k; `order` (C,) names the capsules from front to back."""
    near, count = np.empty(order.shape[0], np.int64), 0
    for i in order:
        if canvas.mask[k] >> i & 1:
            near[count] = i
            count += 1
    x0, y0 = (k % canvas.columns) * TILE, (k // canvas.columns) * TILE
    for index in range(TILE_PIXELS):
        x, y = np.float32(x0 + index % TILE), np.float32(y0 + index // TILE)
        light, through = np.float32(0.0), np.float32(1.0)
        for n in range(count):
            cover, shade = _sample(canvas, near[n], x, y)
            light += through * cover * shade
            through *= np.float32(1.0) - cover
            if through < OPAQUE:
                break
        light += through * canvas.background[k, index]
        canvas.light[k, index] = light
        place_in_table = light * np.float32((TABLE_SIZE - 1) / TABLE_MAX)
        cell = min(int(place_in_table), TABLE_SIZE - 2)
        part = place_in_table - np.float32(cell)
        table = canvas.log_table
        canvas.target[k, index] = table[cell] + part * (table[cell + 1] - table[cell])
        canvas.gain[k, index] = canvas.gain_table[cell]


@njit(cache=True, nogil=True, inline="always")
def _sample(canvas: Canvas, i: int, x: np.float32, y: np.float32) -> tuple[np.float32, np.float32]:
    """Coverage of pixel (x, y) by capsule i, and its surface's intensity there."""
    zero, one = np.float32(0.0), np.float32(1.0)
    pose = canvas.pose
    ax, ay, ra = pose[i, 0], pose[i, 1], pose[i, 2]
    ex, ey, dr = pose[i, 3] - ax, pose[i, 4] - ay, pose[i, 5] - ra
    px, py = x - ax, y - ay
    inverse = one / (ex * ex + ey * ey + np.float32(1e-6))
    t = min(max((px * ex + py * ey) * inverse, zero), one)
    qx, qy, radius = px - t * ex, py - t * ey, ra + t * dr
    squared, outer = qx * qx + qy * qy, radius + np.float32(0.5)
    if squared >= outer * outer:
        return zero, zero
    cover = min(outer - np.sqrt(squared), one)
    side = (py * ex - px * ey) * np.sqrt(inverse) / radius
    texture = canvas.surfaces
    u = t * np.float32(texture.shape[1] - 1)
    v = min(max(np.float32(0.5) + np.float32(0.5) * side, zero), one) * np.float32(texture.shape[2] - 1)
    iu, iv = min(int(u), texture.shape[1] - 2), min(int(v), texture.shape[2] - 2)
    fu, fv = u - np.float32(iu), v - np.float32(iv)
    near = texture[i, iu, iv] + fv * (texture[i, iu, iv + 1] - texture[i, iu, iv])
    far = texture[i, iu + 1, iv] + fv * (texture[i, iu + 1, iv + 1] - texture[i, iu + 1, iv])
    return cover, near + fu * (far - near)
