"""Sensor time between the engine's messages.

The engine tells the sensor's time four times a second; the picture decays sixty times a second. Between messages the clock runs on with the
speed the engine named, and a message corrects it: small errors (delivery jitter) are worked off gradually so that the decay never stutters,
large ones (seek, reconnect, overload) are taken at once. Without messages it stops: a picture must not fade out on a guess.
"""

RUN_ON_S = 1.0
"""How long the clock runs on without a message (s): four missed messages."""
JUMP_US = 150_000
"""A larger error than this is a jump, not jitter (us of sensor time at speed 1)."""
CORRECTION = 0.25
"""Share of a small error taken per message: the jitter's weight falls below a tenth within two seconds."""


class SensorClock:
    """Runs on between observations. Times: `now_s` monotonic host time (s), the others us."""

    __slots__ = ("_at_s", "_known", "_offset_us", "_speed", "_time_us")

    def __init__(self) -> None:
        self._known = False
        self._at_s = 0.0
        self._time_us = 0.0
        self._offset_us = 0
        self._speed = 0.0

    @property
    def known(self) -> bool:
        """Whether any time has been observed."""
        return self._known

    @property
    def running(self) -> bool:
        """Whether sensor time moves (not paused, not waiting)."""
        return self._speed > 0

    def observe(self, now_s: float, time_us: int, position_us: int, speed: float) -> None:
        """The engine said: sensor time `time_us`, place in the recording `position_us`, moving at `speed` (0 = standing still)."""
        error = time_us - self._run_on(now_s)
        small = self._known and speed > 0 and self._speed > 0 and abs(error) <= JUMP_US * max(speed, 1.0)
        self._time_us = time_us - error * (1.0 - CORRECTION) if small else float(time_us)
        self._offset_us = position_us - time_us
        self._at_s = now_s
        self._speed = speed
        self._known = True

    def _run_on(self, now_s: float) -> float:
        elapsed = min(max(now_s - self._at_s, 0.0), RUN_ON_S)
        return self._time_us + elapsed * 1e6 * self._speed

    def now_us(self, now_s: float) -> int:
        """Sensor time at host time `now_s`."""
        return int(self._run_on(now_s))

    def position_us(self, now_s: float) -> int:
        """Place in the recording at host time `now_s`; never before its start."""
        return max(self.now_us(now_s) + self._offset_us, 0)
