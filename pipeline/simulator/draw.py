"""Drawing parameters from documented ranges, reproducibly.

Everything random about a simulated clip comes from one integer seed. The seed is split into independent streams, one for each thing
that is drawn (`Stream`), so that a change in how many numbers the person needs does not move the sensor's noise, and the same seed gives
the same person before the same wall for every gesture and for none.
"""

from enum import IntEnum
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Range = tuple[float, float]
"""Lower and upper limit of a uniformly drawn parameter."""

T = TypeVar("T")


class Stream(IntEnum):
    """The independent random streams of one seed."""

    PERSON = 0
    SCENE = 1
    MOTION = 2
    SENSOR = 3
    NOISE = 4
    LIGHT = 5
    CAMERA = 6
    AROUND = 7


class Draw:
    """A numpy Generator with the few ways of drawing that the simulator uses."""

    def __init__(self, seed: int, stream: Stream, *key: int) -> None:
        self.generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, int(stream), *key))))

    def between(self, limits: Range) -> float:
        """Uniform in the range."""
        return float(self.generator.uniform(*limits))

    def log_between(self, limits: Range) -> float:
        """Uniform in the logarithm: as often between 1 and 2 as between 10 and 20."""
        return float(np.exp(self.generator.uniform(np.log(limits[0]), np.log(limits[1]))))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.generator.random() < probability)

    def sign(self) -> float:
        """-1.0 or 1.0."""
        return 1.0 if self.chance(0.5) else -1.0

    def angle(self) -> float:
        """Uniform over the circle, radians."""
        return self.between((0.0, 2.0 * np.pi))

    def choice(self, options: tuple[T, ...]) -> T:
        """One of the options, each as likely."""
        return options[int(self.generator.integers(len(options)))]

    def smooth_noise(self, shape: tuple[int, int], sigma: float) -> npt.NDArray[np.float64]:
        """White noise through a Gaussian of `sigma` samples (periodic, by FFT), zero mean and unit variance."""
        spectrum = np.fft.rfft2(self.generator.standard_normal(shape))
        rows, columns = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]
        field = np.fft.irfft2(spectrum * np.exp(-2.0 * (np.pi * sigma) ** 2 * (rows**2 + columns**2)), shape)
        field -= field.mean()
        return np.asarray(field / max(float(field.std()), 1e-9))
