"""`taskset -c 0 python tests/benchmarks/bench_simulator.py [CLIPS]`: how much faster than real time people are simulated on one core.

Not a test: nothing is judged by the clock. Counts the processor's time of this process, making of the clip included, for clips of 3 s
(as training takes them) of every kind; the compiled code is loaded before.
"""

import sys
import time

from pipeline.simulator import GESTURES, KINDS, PRESETS, simulate

SECONDS = 3


def speed(kinds: tuple[str, ...], preset: str, clips: int) -> tuple[float, float]:
    """Seconds simulated per second of processor time, and thousands of events per simulated second."""
    events, start = 0, time.process_time()
    for number in range(clips):
        events += sum(len(simulate(kind, 100 * number + place, SECONDS * 1_000_000, preset)) for place, kind in enumerate(kinds))
    simulated = SECONDS * clips * len(kinds)
    return simulated / (time.process_time() - start), events / simulated / 1e3


if __name__ == "__main__":
    clips = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    simulate(GESTURES[0], 0, 100_000)
    for preset in PRESETS:
        for name, kinds in (("gestures", GESTURES), ("idle and things", KINDS[len(GESTURES) :])):
            times, rate = speed(kinds, preset, clips)
            print(f"{preset:8s}{name:16s}{times:6.1f} times real time, {rate:6.1f} k events/s")
