"""Units on a map that see their neighbourhood with weights every place shares, written out as the ordinary layer that they are.

The first layer of the gesture network may be local: `channels` units at each of `grid` x `grid` places, connected to the input cells and to
the units within `reach` places of their own, and every place with the same weights. A gesture then needs to be learnt once and not at every
place of the view, with a hundredth of the numbers on disk. Nothing but training and the file knows of it: `unroll` writes the layer out
as [inputs, 3H] and [H, 3H] with zeros where there is no connection, and the runtimes skip zeros.

Inputs are the cells [2, grid * block, grid * block] of a frame, flattened; a place covers `block` x `block` of them. Units are numbered
(channel, row, column). A kernel is [3C, sources, K, K] with K = 2 reach + 1, gates z, r, g in blocks of C, and for the inputs
2 block^2 sources: (polarity, row, column) of a cell within its place.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Local:
    """The geometry of such a layer."""

    channels: int
    grid: int = 8
    block: int = 4
    reach: int = 1

    @property
    def units(self) -> int:
        """How many units there are, all places together."""
        return self.channels * self.grid * self.grid

    @property
    def inputs(self) -> int:
        """How many input cells there are, both polarities together."""
        return 2 * (self.grid * self.block) ** 2

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor that the layer has on disk."""
        gates, kernel = 3 * self.channels, (2 * self.reach + 1,) * 2
        wx, wh = (gates, 2 * self.block**2, *kernel), (gates, self.channels, *kernel)
        return {"wx": wx, "wh": wh, "b": (gates,), "d": (gates,), "theta": (self.channels,)}

    def spread(self, values: Floats) -> Floats:
        """[n C] numbers per channel -> [n H] per unit."""
        return np.repeat(values, self.grid * self.grid)

    def unroll(self, kernel: Floats) -> Floats:
        """[3C, S, K, K] -> [S grid^2, 3H], sources numbered (source, row, column) and zeros where nothing is connected."""
        gates, sources, grid = kernel.shape[0], kernel.shape[1], self.grid
        out = np.zeros((sources, grid, grid, gates, grid, grid), np.float32)
        places = np.arange(grid)
        for down in range(-self.reach, self.reach + 1):
            for right in range(-self.reach, self.reach + 1):
                rows = places[(places + down >= 0) & (places + down < grid)]  # of the target; the source lies `down` below it
                columns = places[(places + right >= 0) & (places + right < grid)]
                row, column = (part.ravel() for part in np.meshgrid(rows, columns, indexing="ij"))
                out[:, row + down, column + right, :, row, column] = kernel[:, :, down + self.reach, right + self.reach].T
        return out.reshape(sources * grid * grid, gates * grid * grid)

    def cells(self) -> npt.NDArray[np.int64]:
        """[inputs]: the source number, as `unroll` counts, of every cell of a flattened frame."""
        side = self.grid * self.block
        polarity, row, column = np.meshgrid(np.arange(2), np.arange(side), np.arange(side), indexing="ij")
        source = (polarity * self.block + row % self.block) * self.block + column % self.block
        return ((source * self.grid + row // self.block) * self.grid + column // self.block).ravel()

    def written_out(self, tensors: dict[str, Floats]) -> dict[str, Floats]:
        """The layer's tensors as those of an ordinary layer with the same outputs: wx [I, 3H], wh [H, 3H], b, d [3H], theta [H]."""
        wide = {name: self.spread(tensors[name]) for name in ("b", "d", "theta")}
        return {"wx": self.unroll(tensors["wx"])[self.cells()], "wh": self.unroll(tensors["wh"])} | wide
