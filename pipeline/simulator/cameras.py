"""How a camera moves that is not screwed down. Before it even a still scene makes events, and none of them means a thing.

A DVS sees nothing that stands still, so whoever wants to see such a thing shakes the camera: on purpose (a pan-tilt head, as N-MNIST was
recorded: Orchard et al., "Converting Static Image Datasets to Spiking Neuromorphic Datasets Using Saccades", Frontiers in Neuroscience 9,
2015) or because a hand holds it. Ranges, in degrees that the camera turns:

- a hand: physiological tremor of 6 to 12 Hz, enhanced or pathological from 4 Hz on (Elble, Koller: "Tremor", 1990), 0.06 to 0.8 degrees,
  whose size comes and goes; and slow sway below 1 Hz;
- a walk: steps of 1.5 to 2.5 Hz up and down, half that rate sideways, 0.3 to 3 degrees, with the jolt of the heel;
- a knock: a mount that rings at 3 to 20 Hz and dies away by a factor of e in 0.1 to 0.8 s, now and then knocked again;
- a table: motors, fans and drives at 10 to 50 Hz, 0.03 to 0.5 degrees, beating;
- a head: to and fro at 1 to 8 Hz, 0.2 to 3 degrees, mostly sideways, as evenly as a motor does it;
- a pan: turned steadily or from one view to the next.

How many pixels a degree is follows from the lens: a DVS128 is 5.1 mm wide, which lenses of 3.6 to 16 mm turn into 70 to 18 degrees. Where
that would make edges move by more than about a 128th of the view's shorter side in a step of the simulator, the movement is made smaller.
That is a pixel of a 128-pixel view, and as much more of a finer one: two pixels of one of 260. A knock that comes before the last
has rung down adds to it, which may be half as much again.
"""

from collections.abc import Callable

import numpy as np

from pipeline.simulator.body import Array
from pipeline.simulator.draw import Draw, Range
from pipeline.simulator.readout import STEP_US

Path = Callable[[Array], Array]
"""Time in s (n,) -> (n, 2): x, y."""

VIEW_DEGREES = (18.0, 70.0)
VIEW_PIXELS = 128.0
TREMOR, HELD_SWAY = (0.06, 0.8), (0.05, 1.5)


def draw_motion(draw: Draw, half: float) -> Path:
    """Draw a moving camera: how far it has turned, as metres at the scene's distance; `half`: half the view's width there, metres."""
    view = draw.log_between(VIEW_DEGREES)
    turned = draw.choice(_FAMILY)(draw, view / VIEW_PIXELS / (1e-6 * STEP_US))
    metres = 2.0 * half / view
    return lambda t: metres * turned(t)


def _wave(draw: Draw, size: Range, rate: float, fastest: float, regular: float = 0.0) -> Path:
    """(n,) degrees: two oscillations whose rates differ by up to 15 %, so that they beat; `regular` from 0 to 1 lets them beat less."""
    rates = rate * np.array([1.0, draw.between((0.85, 1.15))])
    most = min(draw.log_between(size), fastest / (2.0 * np.pi * rate))
    second = (1.0 - regular) * draw.between((0.1, 0.5))
    weights, shifts = most * np.array([1.0 - second, second]), draw.generator.uniform(0.0, 2.0 * np.pi, 2)
    return lambda t: np.asarray(np.sin(2.0 * np.pi * rates * t[:, None] + shifts) @ weights)


def _along(angle: float, wave: Path, across: Path | None = None) -> Path:
    """A movement along one direction and, if given, another across it."""
    way, normal = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    if across is None:
        return lambda t: wave(t)[:, None] * way
    return lambda t: wave(t)[:, None] * way + across(t)[:, None] * normal


def _hand(draw: Draw, fastest: float) -> Path:
    rate = draw.log_between((4.0, 12.0))
    tremor = _along(draw.angle(), _wave(draw, TREMOR, rate, fastest), _wave(draw, TREMOR, rate * draw.between((0.7, 1.4)), 0.6 * fastest))
    sway = _along(
        draw.angle(),
        _wave(draw, HELD_SWAY, draw.between((0.1, 1.0)), fastest),
        _wave(draw, HELD_SWAY, draw.between((0.1, 1.0)), fastest),
    )
    return lambda t: tremor(t) + sway(t)


def _walk(draw: Draw, fastest: float) -> Path:
    """Up and down with every step, sideways with every second, and a jolt of harmonics when the heel comes down."""
    rate, held = draw.between((1.5, 2.5)), _hand(draw, fastest)
    tall = min(draw.log_between((0.3, 3.0)), 0.4 * fastest / (2.0 * np.pi * rate))
    wide, jolt, shift = tall * draw.between((0.3, 1.2)), draw.between((0.0, 0.3)), draw.angle()

    def turned(t: Array) -> Array:
        step = 2.0 * np.pi * rate * t + shift
        up = tall * (np.sin(step) + jolt * np.sin(2.0 * step + 1.0) + 0.5 * jolt * np.sin(3.0 * step))
        return np.column_stack([wide * np.sin(0.5 * step), up]) + 0.5 * held(t)

    return turned


def _knock(draw: Draw, fastest: float) -> Path:
    """Knocks at 16 drawn moments, and from a second after the last of them at the same again, without end; each rings on over the next."""
    rate, lasts, angle = draw.log_between((3.0, 20.0)), draw.log_between((0.1, 0.8)), draw.angle()
    size = min(draw.log_between((0.3, 6.0)), fastest / (2.0 * np.pi * rate))
    moments = np.cumsum(draw.generator.exponential(draw.log_between((0.4, 2.0)), 16) + 0.1) - draw.between((0.0, 1.0))
    strength, period = draw.generator.uniform(0.2, 1.0, 16), moments[-1] + 1.0

    def ringing(t: Array) -> Array:
        since = np.mod(t[:, None] - moments, period)  # of its own clock, so that no ring is cut short where the schedule begins anew
        wave = np.exp(-since / lasts) * np.sin(2.0 * np.pi * rate * since)
        return np.asarray(size * np.clip(wave @ strength, -1.0, 1.0))

    return _along(angle, ringing)


def _table(draw: Draw, fastest: float) -> Path:
    rate, size = draw.log_between((10.0, 50.0)), (0.03, 0.5)
    return _along(draw.angle(), _wave(draw, size, rate, fastest, 0.5), _wave(draw, size, rate * draw.choice((0.5, 1.0)), 0.5 * fastest))


def _head(draw: Draw, fastest: float) -> Path:
    rate, size = draw.log_between((1.0, 8.0)), (0.2, 3.0)
    wave = _wave(draw, size, rate, fastest, 0.9)
    if draw.chance(0.5):
        return _along(draw.between((-0.3, 0.3)), wave)
    return _along(draw.angle(), wave, _wave(draw, size, rate * draw.choice((0.5, 1.0, 2.0)), 0.5 * fastest, 0.9))


def _pan(draw: Draw, fastest: float) -> Path:
    """Steadily, or smoothly from one view to the next with rests; a hand's tremor on top of half of them."""
    held = _hand(draw, fastest)
    trembling, angle = draw.choice((0.0, draw.between((0.2, 1.0)))), draw.choice((0.0, draw.angle()))
    way = draw.sign() * np.array([np.cos(angle), 0.4 * np.sin(angle)])
    speed = min(draw.log_between((0.5, 40.0)), 0.7 * fastest)
    rests = draw.choice((0.0, draw.between((0.3, 1.5))))
    moves = draw.between((0.4, 2.0))

    def turned(t: Array) -> Array:
        if rests == 0.0:
            gone = t
        else:
            whole, now = np.divmod(t, moves + rests)
            share = np.clip(now / moves, 0.0, 1.0)
            gone = 0.5 * moves * (whole + share**3 * (10.0 - 15.0 * share + 6.0 * share**2))
        return np.asarray(speed * gone[:, None] * way + trembling * held(t))

    return turned


_FAMILY = (_hand, _hand, _hand, _walk, _knock, _table, _head, _head, _pan, _pan)
"""Ways to move, each as likely."""
