"""What gestures are evaluated on, as pieces: frames with the answer that they should get.

A piece comes from a recording, from a trial of the DVS128 Gesture set, or from the simulator. Its frames are made by the live path's own
code and handed on in parts, so a recording may be of any length. The truth of a piece is a gesture, or `NONE`: nothing may be accepted.

The simulated test set has seeds of its own, from `TEST_SEEDS` on, which neither training nor the calibration ever sees: other people,
other scenes, other sensors. Number n shows kind n mod 13 (11 gestures, idle people, things), every fourth round from the preset `dvs128`.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipeline.door import Door
from pipeline.errors import USAGE, UserError
from pipeline.events import EVENT_DTYPE, empty_events
from pipeline.formats.opening import open_recording, recordings_in
from pipeline.frames import Framer, Frames, frames_of

NONE = "none"
"""The truth of what is no gesture of ours at all."""
TEST_SEEDS = 2 << 30
"""Training begins at 0, held-out clips at 1 << 30, teaching at 1 << 40 (`models.training.clips`, `models.teaching`)."""
SIMULATED_US = 3_000_000
WIDTH = HEIGHT = 128
AT_ONCE = 32
"""Simulated pieces from which on they are made by several processes."""


@dataclass(frozen=True)
class Piece:
    """Something to recognise."""

    name: str
    truth: str
    frames: Iterable[Frames]
    """In order of time, read once."""
    onset_us: int | None = None
    """Sensor time at which the gesture begins to be seen; None where it is under way from the start or nobody knows."""
    damage: Callable[[], str] = str
    """What could not be read of it, once the frames have been; empty if it is whole."""


def recordings(paths: list[Path], truth: str, mirror: bool = False) -> list[Piece]:
    """The recordings at `paths`, of which folders are searched, each said to show `truth`; with `mirror` left and right exchanged.

    UserError if there is none, or, when its frames are read, for one that cannot be opened or holds no events.
    """
    found = [file for path in paths for file in (recordings_in(path) if path.is_dir() else [path])]
    if not found:
        raise UserError(f"There is no recording in {paths[0]}: name a folder that holds .aedat4 or .aedat files.")
    return [_recording(path, truth, mirror) for path in found]


def _recording(path: Path, truth: str, mirror: bool) -> Piece:
    told: list[str] = []

    def frames() -> Iterator[Frames]:
        """Those of the recording; what was damaged in it goes to `told`."""
        with open_recording(path) as reader:
            door, framer = Door(reader.width, reader.height), Framer(reader.width, reader.height)
            empty = True
            for packet in reader.packets():
                events = door.check(packet)[0]
                empty = empty and not len(events)
                if mirror:
                    events = events.copy()
                    events["x"] = reader.width - 1 - events["x"]
                yield framer.process(events)
            if empty:
                raise UserError(f"The recording {path} holds no events: there is nothing to evaluate.")
            yield framer.flush()
            told.append(reader.recovered)

    return Piece(str(path), truth, frames(), damage=lambda: "".join(told))


def data_set(folder: Path) -> Iterator[Piece]:
    """The test trials of the DVS128 Gesture set in `folder`."""
    from models.training import dvs128
    from pipeline.simulator import GESTURES

    for trial in dvs128.trials(folder, "test"):
        frames = frames_of(trial.events, dvs128.WIDTH, dvs128.HEIGHT)
        yield Piece(trial.name, GESTURES[trial.label], [frames], damage=lambda told=trial.damage: told)  # type: ignore[misc]


def is_data_set(path: Path) -> bool:
    """Whether `path` is a folder with the DVS128 Gesture set."""
    from models.training import dvs128

    return path.is_dir() and dvs128.is_data_set(path)


def simulated(clips: int, preset: str | None = None) -> tuple[int, Iterator[Piece]]:
    """(how many, the pieces) of the simulated test set with `clips` of every kind; only of `preset` if one is named."""
    from pipeline.simulator import KINDS, PRESETS

    if preset is not None and preset not in PRESETS:
        raise UserError(f"There is no preset {preset!r}: choose one of {', '.join(PRESETS)}.", USAGE)
    return clips * len(KINDS), _simulated(clips * len(KINDS), preset)


def _simulated(number: int, preset: str | None) -> Iterator[Piece]:
    workers = os.cpu_count() or 1
    if number < AT_ONCE or workers == 1:
        yield from map(simulate, range(number), [preset] * number)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(simulate, range(number), [preset] * number)


def simulate(number: int, preset: str | None) -> Piece:
    """Piece `number` of the simulated test set."""
    from pipeline.simulator import GESTURES, KINDS, Simulator

    kind, seed = KINDS[number % len(KINDS)], TEST_SEEDS + number
    chosen = preset or ("dvs128" if number // len(KINDS) % 4 == 3 else "wide")
    simulator = Simulator(kind, seed, chosen, WIDTH, HEIGHT)
    events = simulator.advance(SIMULATED_US).astype(EVENT_DTYPE)
    framer = Framer(WIDTH, HEIGHT)
    framer.process(empty_events(), 0)  # the first window starts at 0, whenever the first event comes
    frames = framer.process(events, SIMULATED_US)
    return Piece(f"simulated:{seed}/{kind} ({chosen})", kind if kind in GESTURES else NONE, [frames], simulator.truth.onset_us)
