"""Figures as people read them: three digits that count, SI prefixes, plain names."""

import math

from app.window.texts import mark, number, tr

LEAST_TOP = 100.0
"""An axis of rates reaches at least so far (events/s)."""


GESTURES = (
    mark("Hand clapping"),
    mark("Right hand wave"),
    mark("Left hand wave"),
    mark("Right arm clockwise"),
    mark("Right arm counter-clockwise"),
    mark("Left arm clockwise"),
    mark("Left arm counter-clockwise"),
    mark("Arm roll"),
    mark("Air drums"),
    mark("Air guitar"),
    mark("Other gestures"),
)
"""Gestures that have a name in every language; a label that a network brings besides is shown in English."""


def rate(value: float, unit: str) -> str:
    """`value` a second with an SI prefix: ``1.25 Mev/s``."""
    if not math.isfinite(value):
        return f"– {unit}"
    scaled, prefix = _scaled(value)
    return f"{three(scaled)} {prefix}{unit}" if prefix else f"{value:.0f} {unit}"


def _scaled(value: float) -> tuple[float, str]:
    """`value` with an SI prefix."""
    for limit, factor, prefix in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e3, 1e3, "k")):
        if value >= limit * 0.9995:
            return value / factor, prefix
    return value, ""


def three(value: float) -> str:
    """Three significant digits without exponents: 1.25, 12.5, 125."""
    decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return number(f"{value:.{decimals}f}")


def whole(value: int) -> str:
    """A whole number with its thousands set apart: 12,345."""
    return number(f"{value:,}")


def axis_rate(value: float) -> str:
    """A rate at an axis, without digits that say nothing: ``50 kev/s``."""
    scaled, prefix = _scaled(value)
    return number(f"{scaled:.3g} {prefix}ev/s")


def nice_top(value: float) -> float:
    """The least 1, 2 or 5 times a power of ten that is not below `value`, at least LEAST_TOP: an axis that seldom changes."""
    top = LEAST_TOP
    while top < value:
        for factor in (2.0, 2.5, 2.0):
            top *= factor
            if top >= value:
                break
    return top


def tick_step(span: float) -> float:
    """The largest 1, 2.5 or 5 times a power of ten that divides `span` into at least two."""
    power = 10.0 ** math.floor(math.log10(span / 2))
    return max(step * power for step in (1.0, 2.5, 5.0) if step * power <= span / 2)


def milliseconds(value: float) -> str:
    """A duration in ms: ``0.04 ms``, ``12.5 ms``; a dash where there is none."""
    return f"{three(value)} ms" if math.isfinite(value) else "– ms"


def size(count: int) -> str:
    """Bytes with a decimal prefix."""
    for factor, prefix in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= factor:
            return f"{three(count / factor)} {prefix}B"
    return f"{count} B"


def clock_time(us: int, decimals: int = 1) -> str:
    """Minutes and seconds: ``1:05.3``; with hours where needed."""
    step = 10**decimals
    tenths = max(us, 0) * step // 1_000_000
    seconds, part = divmod(tenths, step)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return number(f"{head}:{seconds:02d}.{part:0{decimals}d}") if decimals else f"{head}:{seconds:02d}"


def gesture_name(label: str) -> str:
    """A class label as a visitor reads it: ``right_arm_counter_clockwise`` is ``Right arm counter-clockwise``."""
    return tr(label.replace("counter_clockwise", "counter-clockwise").replace("_", " ").capitalize())
