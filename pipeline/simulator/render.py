"""Painting tapered capsules over a static background, only where something moved.

The image is cut into tiles of 8x8 pixels. Everything per pixel lives in one array `planes` (tiles, planes, 64), so that the work on a tile
touches one piece of memory, and the loops over its 64 pixels have no branches and compile to vector instructions. For every tile a bit
mask says which capsules touch it. When a capsule has moved by more than `MOVE_PX` since it was last painted, the tiles that it touched or
touches now are painted anew, front to back, until nothing shows through. A person standing still thus costs almost nothing, a waving
arm a few dozen tiles.

A capsule is a segment a-b with radii r_a, r_b (pixels). With t the clamped projection of a pixel on the segment and q the distance to
that point, the signed distance is q - (r_a + t (r_b - r_a)) and the coverage clamp(0.5 - distance, 0, 1): edges one pixel wide, so that
an edge that crosses a pixel changes it gradually, as the sensor model needs. Intensity is linear; the logarithm and the photoreceptor's
gain (see `pipeline.simulator.sensor`) come from a table over intensity.

What the compiler needs to be quick here: arrays one by one rather than the tuples that hold them (handing a tuple on costs a reference
count for each of its arrays, which at this grain is most of the time); and, in the loops over pixels, the planes as one flat array with
unsigned offsets that it knows (`AT_*`). numba cannot be told that arrays do not overlap; but LLVM sees that planes 64 apart do not, and
uses vector instructions. For the same reason values are fetched from tables in loops of their own, and sums of flags are kept to 32 bits.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.simulator.scene import TEXTURE_ACROSS, TEXTURE_ALONG, Image

TILE = 8
TILE_PIXELS = TILE * TILE
MOVE_PX = 0.05
"""A capsule is painted anew when an end or a radius has moved this far: small against the edge's width of one pixel."""
TABLE_SIZE = 2048
TABLE_MAX = 4.0
"""The tables cover linear intensity from 0 to this."""

BACKGROUND, LIGHT, TARGET, GAIN, PHOTO, LEVEL, THETA_ON, THETA_OFF, SCRATCH, SCRATCH_2, LAMP, FLICKER, SCRATCH_3 = range(13)
"""Planes of a tile. Background and picture (linear intensity), the picture's logarithm and the share GAIN of the way toward it that the
photoreceptor goes in a step; photoreceptor, remembered level and thresholds (`pipeline.simulator.sensor`); memory within a step; depth of
the background's flicker (log units), and of that the part which nothing covers."""
PLANES = 13

PIXELS, TILE_SIZE = np.uint64(TILE_PIXELS), np.uint64(PLANES * TILE_PIXELS)
AT_BACKGROUND, AT_LIGHT, AT_TARGET, AT_GAIN, AT_PHOTO, AT_LEVEL, AT_THETA_ON, AT_THETA_OFF, AT_SCRATCH, AT_SCRATCH_2 = (
    np.uint64(plane * TILE_PIXELS) for plane in range(10)
)
AT_LAMP, AT_FLICKER, AT_SCRATCH_3 = (np.uint64(plane * TILE_PIXELS) for plane in range(10, 13))
"""Where planes begin inside a tile, and where pixels and tiles end, for flat and unsigned indices."""
_TABLE_SIZE, _SURFACE, _ONE = np.uint64(TABLE_SIZE), np.uint64(TEXTURE_ALONG * TEXTURE_ACROSS), np.uint64(1)

Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.uint8]


class Canvas(NamedTuple):
    """What the painter needs and leaves behind. T tiles, C capsules."""

    width: int
    height: int
    columns: int
    """Tiles in a row of tiles."""
    planes: Float32
    """(T, PLANES, 64)."""
    surfaces: Float32
    """(C, along * across) linear intensity; the nearest cell is taken, cells being small against the texture's grain."""
    tables: Float32
    """(2, TABLE_SIZE) logarithm and gain over linear intensity."""
    mask: Int64
    """(T,) bit i: capsule i touches the tile."""
    dirty: Flags
    """(T,) the tile has to be painted."""
    pose: Float32
    """(C, 6) as painted: x_a, y_a, r_a, x_b, y_b, r_b in pixels."""
    cells: Int32
    """(64,) memory within a step."""
    flat: Flags
    """(C,) the ends are cut straight rather than round: a rectangle."""
    panorama: Float32
    """(rows, columns) what a moving camera looks around in, repeated without end; (0, 0) where the camera stands still."""
    lamps: Float32
    """(rows, columns) depth of flicker in the panorama, log units; (0, 0) where the camera stands still or nothing in it flickers."""


def new_canvas(
    background: Image,
    surfaces: Image,
    tables: Float32,
    lamps: Image | None = None,
    flat: Flags | None = None,
    panorama: Image | None = None,
) -> Canvas:
    """A canvas on which nothing is painted yet. `background` and `lamps` (depth of flicker, log units) are (height, width).

    They are the first rows and columns of what a moving camera looks around in: the `panorama`, in which no other lamps are.
    """
    height, width = background.shape
    around = np.zeros((0, 0), np.float32)
    if panorama is not None and lamps is not None and np.any(lamps):
        around = np.pad(lamps, ((0, panorama.shape[0] - height), (0, panorama.shape[1] - width)))
    columns, count = -(-width // TILE), -(-width // TILE) * -(-height // TILE)
    planes = np.zeros((count, PLANES, TILE_PIXELS), np.float32)
    planes[:, BACKGROUND] = tiles_of(background, columns)
    if lamps is not None:
        planes[:, LAMP] = planes[:, FLICKER] = tiles_of(lamps, columns)
    return Canvas(
        width=width,
        height=height,
        columns=columns,
        planes=planes,
        surfaces=np.ascontiguousarray(surfaces.reshape(len(surfaces), -1)),
        tables=tables,
        mask=np.zeros(count, np.int64),
        dirty=np.ones(count, np.uint8),
        pose=np.full((len(surfaces), 6), -1e4, np.float32),
        cells=np.zeros(TILE_PIXELS, np.int32),
        flat=np.zeros(len(surfaces), np.uint8) if flat is None else flat,
        panorama=np.zeros((0, 0), np.float32) if panorama is None else panorama,
        lamps=around,
    )


def tiles_of(image: npt.NDArray[np.generic], columns: int) -> npt.NDArray[np.generic]:
    """An image (height, width) as tiles (T, 64); what a last tile has beyond the image repeats the edge."""
    height, width = image.shape
    rows = -(-height // TILE)
    padded = np.pad(image, ((0, rows * TILE - height), (0, columns * TILE - width)), mode="edge")
    return padded.reshape(rows, TILE, columns, TILE).swapaxes(1, 2).reshape(-1, TILE_PIXELS)


def image_of(canvas: Canvas, plane: int) -> Float32:
    """One plane as an image (height, width)."""
    rows = len(canvas.planes) // canvas.columns
    image = canvas.planes[:, plane].reshape(rows, canvas.columns, TILE, TILE).swapaxes(1, 2).reshape(rows * TILE, -1)
    return np.array(image[: canvas.height, : canvas.width])


@njit(cache=True, nogil=True, error_model="numpy")
def place(pose: Float32, painted: Float32, mask: Int64, dirty: Flags, columns: int) -> None:
    """Move capsules to `pose` (C, 6) and mark the tiles to be painted anew; `painted` keeps those that moved too little."""
    moved = 0
    for i in range(pose.shape[0]):
        change = np.float32(0.0)
        for j in range(6):
            change = max(change, abs(pose[i, j] - painted[i, j]))
        if change > MOVE_PX:
            moved |= 1 << i
            for j in range(6):
                painted[i, j] = pose[i, j]
    if moved == 0:
        return
    for k in range(mask.shape[0]):
        if mask[k] & moved:
            dirty[k] = 1
            mask[k] &= ~moved
    for i in range(pose.shape[0]):
        if moved >> i & 1:
            _mark(i, painted, mask, dirty, columns)


@njit(cache=True, nogil=True, error_model="numpy")
def _mark(i: int, painted: Float32, mask: Int64, dirty: Flags, columns: int) -> None:
    """Set bit i in the tiles that capsule i touches: in each row of tiles, those beside its part of the segment."""
    ax, ay, bx, by = painted[i, 0], painted[i, 1], painted[i, 3], painted[i, 4]
    reach = max(painted[i, 2], painted[i, 5]) + 1.0
    rows = mask.shape[0] // columns
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
        right = min(int(np.floor((max(x0, x1) + reach) / TILE)), columns - 1)
        for column in range(left, right + 1):
            mask[row * columns + column] |= 1 << i
            dirty[row * columns + column] = 1


@njit(cache=True, nogil=True, error_model="numpy")
def look(panorama: Float32, shift: Float32, planes: Float32, plane: int, dirty: Flags, columns: int) -> None:
    """Fill a plane (the background or its lamps, which move together) from the panorama.

    The panorama's pixel (0, 0) is seen `shift` (x, y) pixels left of and above the view's corner. All tiles have to be painted anew.
    """
    height, width = panorama.shape
    left, up = int(np.floor(shift[0])), int(np.floor(shift[1]))
    right_part, lower_part = np.float32(shift[0] - left), np.float32(shift[1] - up)
    one = np.float32(1.0)
    rows = planes.shape[0] // columns
    xs = (left + np.arange(columns * TILE + 1)) % width
    ys = (up + np.arange(rows * TILE + 1)) % height
    for k in range(planes.shape[0]):
        dirty[k] = 1
        first_x, first_y = k % columns * TILE, k // columns * TILE
        for p in range(TILE_PIXELS):
            x, y = first_x + (p & (TILE - 1)), first_y + p // TILE
            x0, x1, y0, y1 = np.uint64(xs[x]), np.uint64(xs[x + 1]), np.uint64(ys[y]), np.uint64(ys[y + 1])
            upper = panorama[y0, x0] + right_part * (panorama[y0, x1] - panorama[y0, x0])
            lower = panorama[y1, x0] + right_part * (panorama[y1, x1] - panorama[y1, x0])
            planes[k, plane, p] = (one - lower_part) * upper + lower_part * lower


@njit(cache=True, nogil=True, error_model="numpy")
def paint(
    k: int,
    planes: Float32,
    touching: int,
    order: Int64,
    painted: Float32,
    surfaces: Float32,
    tables: Float32,
    cells: Int32,
    flat: Flags,
    columns: int,
) -> None:
    """Paint tile k with the capsules of the bit mask `touching`; `order` (C,) names all from front to back.

    `planes`, `surfaces` and `tables` are the canvas's, flattened.
    """
    x0, y0 = np.float32((k % columns) * TILE), np.float32((k // columns) * TILE)
    tile = np.uint64(k) * TILE_SIZE
    for p in range(PIXELS):
        planes[tile + AT_LIGHT + p] = np.float32(0.0)
        planes[tile + AT_SCRATCH + p] = np.float32(1.0)
    for n in range(order.shape[0]):
        i = order[n]
        if touching >> i & 1 == 0 or _cover(tile, planes, painted, i, x0, y0, cells) == 0:
            continue
        if flat[i]:
            _cut_ends(tile, planes, painted, i, x0, y0)
        if _lay(tile, planes, surfaces, np.uint64(i) * _SURFACE, cells) == 0:
            break
    _finish(tile, planes, tables, cells)


@njit(cache=True, nogil=True, error_model="numpy")
def _cover(tile: int, planes: Float32, painted: Float32, i: int, x0: np.float32, y0: np.float32, cells: Int32) -> int:
    """Coverage (into SCRATCH_2) of the pixels by capsule i, and their cells in its texture; returns how many are covered at all."""
    zero, half, one = np.float32(0.0), np.float32(0.5), np.float32(1.0)
    ax, ay, ra = painted[i, 0] - x0, painted[i, 1] - y0, painted[i, 2]
    ex, ey, dr = painted[i, 3] - x0 - ax, painted[i, 4] - y0 - ay, painted[i, 5] - ra
    inverse = one / (ex * ex + ey * ey + np.float32(1e-6))
    mx, my = np.float32(0.5 * (TILE - 1)) - ax, np.float32(0.5 * (TILE - 1)) - ay  # the tile's middle: is all of it too far away?
    nearest = min(max((mx * ex + my * ey) * inverse, zero), one)
    away = max(ra, ra + dr) + np.float32(1.0 + 0.5 * (TILE - 1) * np.sqrt(2.0))
    if (mx - nearest * ex) ** 2 + (my - nearest * ey) ** 2 > away * away:
        return 0
    inverse_length = half * np.sqrt(inverse)
    along, across = np.float32(TEXTURE_ALONG - 1), np.float32(TEXTURE_ACROSS - 1)
    inside = np.int32(0)
    for p in range(PIXELS):
        px, py = np.float32(np.int32(p) & np.int32(TILE - 1)) - ax, np.float32(np.int32(p) // np.int32(TILE)) - ay
        t = min(max((px * ex + py * ey) * inverse, zero), one)
        qx, qy, radius = px - t * ex, py - t * ey, ra + t * dr
        share = min(max(radius + half - np.sqrt(qx * qx + qy * qy), zero), one)
        side = min(max(half + (py * ex - px * ey) * inverse_length / radius, zero), one)
        planes[tile + AT_SCRATCH_2 + p] = share
        cells[p] = np.int32(t * along + half) * np.int32(TEXTURE_ACROSS) + np.int32(side * across + half)
        inside = np.int32(inside + (np.int32(1) if share > zero else np.int32(0)))
    return int(inside)


@njit(cache=True, nogil=True, error_model="numpy")
def _cut_ends(tile: int, planes: Float32, painted: Float32, i: int, x0: np.float32, y0: np.float32) -> None:
    """Take from the coverage (in SCRATCH_2) by capsule i what lies beyond the segment's ends: leaves a rectangle."""
    zero, half, one = np.float32(0.0), np.float32(0.5), np.float32(1.0)
    ax, ay = painted[i, 0] - x0, painted[i, 1] - y0
    ex, ey = painted[i, 3] - x0 - ax, painted[i, 4] - y0 - ay
    length = np.sqrt(ex * ex + ey * ey + np.float32(1e-6))
    for p in range(PIXELS):
        px, py = np.float32(np.int32(p) & np.int32(TILE - 1)) - ax, np.float32(np.int32(p) // np.int32(TILE)) - ay
        along = (px * ex + py * ey) / length
        planes[tile + AT_SCRATCH_2 + p] *= min(max(min(along, length - along) + half, zero), one)


@njit(cache=True, nogil=True, error_model="numpy")
def _lay(tile: int, planes: Float32, surfaces: Float32, surface: int, cells: Int32) -> int:
    """Lay the capsule whose texture begins at `surface` under what is painted; returns how many pixels still show what is behind."""
    zero, one = np.float32(0.0), np.float32(1.0)
    for p in range(PIXELS):
        planes[tile + AT_SCRATCH_3 + p] = surfaces[surface + np.uint64(np.uint32(cells[p]))]
    still_open = np.int32(0)
    for p in range(PIXELS):
        through, cover = planes[tile + AT_SCRATCH + p], planes[tile + AT_SCRATCH_2 + p]
        planes[tile + AT_LIGHT + p] += through * cover * planes[tile + AT_SCRATCH_3 + p]
        rest = through * (one - cover)
        planes[tile + AT_SCRATCH + p] = rest
        still_open = np.int32(still_open + (np.int32(1) if rest > zero else np.int32(0)))
    return int(still_open)


@njit(cache=True, nogil=True, error_model="numpy")
def _finish(tile: int, planes: Float32, tables: Float32, cells: Int32) -> None:
    """Lay the background under all, and look up the logarithm and the photoreceptor's gain."""
    last = np.int32(TABLE_SIZE - 2)
    for p in range(PIXELS):
        through = planes[tile + AT_SCRATCH + p]
        light = planes[tile + AT_LIGHT + p] + through * planes[tile + AT_BACKGROUND + p]
        planes[tile + AT_LIGHT + p] = light
        planes[tile + AT_FLICKER + p] = through * planes[tile + AT_LAMP + p]
        at = light * np.float32((TABLE_SIZE - 1) / TABLE_MAX)
        cell = np.int32(at)
        cell = cell if cell < last else last
        cells[p] = cell
        planes[tile + AT_SCRATCH_3 + p] = at - np.float32(cell)
    for p in range(PIXELS):
        place = np.uint64(np.uint32(cells[p]))
        planes[tile + AT_TARGET + p] = tables[place]
        planes[tile + AT_SCRATCH_2 + p] = tables[place + _ONE]
        planes[tile + AT_GAIN + p] = tables[place + _TABLE_SIZE]
    for p in range(PIXELS):
        low = planes[tile + AT_TARGET + p]
        planes[tile + AT_TARGET + p] = low + planes[tile + AT_SCRATCH_3 + p] * (planes[tile + AT_SCRATCH_2 + p] - low)
