"""What a sensor's read-out makes of the events of its pixels in one step: rebounds, echoes, and their order in time.

Measured on the recordings of a real DVS128 at hand: a fifth to a third of all events answer one of the other polarity that the same pixel
made 0.2 to 3 ms earlier, after which the pixel is silent for some 10 ms (rebounds: no two successive events of a pixel that lie so near
have the same polarity); and 13 to 14 % are OFF events sent twice, 1 us apart (echoes). Neither says anything of the scene.

Which events rebound or echo follows from a hash of moment and place, so that it does not depend on how time is cut. A batch holds the
events of one step of `STEP_US`: (us since it began, tile * 64 + pixel, polarity).
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from pipeline.simulator.render import TILE, TILE_PIXELS, Int32, Int64

STEP_US = 2000
"""Time step of picture and pixels: 500 Hz."""
REBOUND_US = (200, 2700)
"""A rebound comes so long after its event."""


@njit(cache=True, nogil=True, error_model="numpy")
def _hash(moment: int, place: int) -> int:
    """32 bits that follow from when and where alone."""
    mixed = (moment * 40503 + place * 2654435761) & 0xFFFFFFFF
    return ((mixed ^ mixed >> 15) * 2246822519) & 0xFFFFFFFF


@njit(cache=True, nogil=True, error_model="numpy")
def rebound(batch: Int32, count: int, t0: int, share: float, pending: Int64, waiting: Int64) -> int:
    """Answer a share of the batch's events, and add the answers to earlier steps' that are due; returns the new number of events."""
    limit, first, last = int(share * 65536.0), REBOUND_US[0], REBOUND_US[1]
    fresh, left = count, 0
    for n in range(waiting[0]):
        if pending[n, 0] < t0 + STEP_US:
            if count < batch.shape[0]:
                batch[count, 0], batch[count, 1], batch[count, 2] = pending[n, 0] - t0, pending[n, 1], pending[n, 2]
                count += 1
        else:
            pending[left] = pending[n]
            left += 1
    for n in range(fresh):
        mixed = _hash(t0 + batch[n, 0], batch[n, 1])
        if (mixed & 65535) >= limit:
            continue
        moment = t0 + batch[n, 0] + first + (mixed >> 16) % (last - first)
        if moment >= t0 + STEP_US and left < pending.shape[0]:
            pending[left, 0], pending[left, 1], pending[left, 2] = moment, batch[n, 1], 1 - batch[n, 2]
            left += 1
        elif moment < t0 + STEP_US and count < batch.shape[0]:
            batch[count, 0], batch[count, 1], batch[count, 2] = moment - t0, batch[n, 1], 1 - batch[n, 2]
            count += 1
    waiting[0] = left
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def echo(batch: Int32, count: int, t0: int, share: float) -> int:
    """Repeat a share of the OFF events of the batch 1 us later (inside the step); returns the new number of events."""
    limit = int(share * 65536.0)
    for n in range(count):
        if batch[n, 2] == 0 and count < batch.shape[0] and (_hash(t0 + batch[n, 0], batch[n, 1]) >> 13 & 65535) < limit:
            batch[count, 0], batch[count, 1], batch[count, 2] = min(batch[n, 0] + 1, STEP_US - 1), batch[n, 1], 0
            count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def write(batch: Int32, slots: Int32, count: int, t0: int, out: npt.NDArray[np.void], written: int, columns: int) -> None:
    """Counting sort by time (stable) into the output."""
    for n in range(slots.shape[0]):
        slots[n] = 0
    for n in range(count):
        slots[batch[n, 0] + 1] += 1
    for n in range(1, slots.shape[0]):
        slots[n] += slots[n - 1]
    for n in range(count):
        row = written + slots[batch[n, 0]]
        slots[batch[n, 0]] += 1
        k, i = batch[n, 1] // TILE_PIXELS, batch[n, 1] % TILE_PIXELS
        out[row].timestamp = t0 + batch[n, 0]
        out[row].x = (k % columns) * TILE + i % TILE
        out[row].y = (k // columns) * TILE + i // TILE
        out[row].polarity = batch[n, 2]
