"""Teaching live: examples are cut out of what the camera sees right now, and what was learnt is recognised from the next packet on.

    window:  record (3 s)  -->  recognition thread collects the windows  -->  teaching thread looks at them: an example
    window:  train NAME    -->  teaching thread fits, keeps the head, hands the wider network to the recognition thread

The teaching thread starts with the first order and runs beside everything else; its loops are compiled and release Python's lock. It has a
network of its own, so the live one keeps its state. One order at a time: a window that asks for a second is answered with a sentence.
"""

import contextlib
import itertools
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from app.engine import heads
from app.protocol import Message
from models.teaching.clips import pack
from models.teaching.head import Example, Head, as_label
from models.teaching.teacher import LEAST_WINDOWS, Teacher
from pipeline.errors import UserError
from pipeline.frames import WINDOW_US

if TYPE_CHECKING:
    from app.engine.loop import Engine

MOST_EXAMPLES = 50
"""Examples that may wait to be learnt."""
TOLD_EVERY = 4
"""Windows of a recording after which windows are told how far it is."""
TOLD_SHARE = 0.02
"""Progress of learning after which windows are told."""
BUSY = "Teaching is busy: wait until it has finished, or stop it."


class _Stopped(Exception):
    """Learning was broken off."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An example that waits to be learnt."""

    number: int
    example: Example
    windows: int
    label: str
    """What most of its windows are read as by the network alone."""
    share: float


class Teaching:
    """Owns the examples that windows record, and the thread that learns from them. Orders come from the engine's control loop."""

    def __init__(self, engine: "Engine", publish: Callable[[Message], None], crashed: Callable[[BaseException], None]) -> None:
        self._engine = engine
        self._publish = publish
        self._crashed = crashed
        self._state = "idle"
        self._share = 0.0
        self._seconds = 0.0
        self._counter = False
        self._examples: list[_Waiting] = []
        self._numbers = itertools.count(1)
        self._frames: list[npt.NDArray[np.uint16]] = []
        self._until = self._next_us = 0
        self._recording = threading.Lock()
        """Held by whoever takes a window, begins or ends a recording: a stop comes before a window or after it, never within."""
        self._teacher: Teacher | None = None
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    # ---- what windows ask for ---------------------------------------------------------------------------------------------------

    def record(self, seconds: float, counter: bool) -> None:
        """Take the next `seconds` of sensor time as an example; with `counter` as one of what the gesture is not."""
        self._need_idle()
        self._path()
        if self._engine.info is None:
            raise UserError("There is nothing to see yet: wait until the source is live.")
        if len(self._examples) >= MOST_EXAMPLES:
            raise UserError(f"{MOST_EXAMPLES} examples wait already: train with them, or take some away.")
        with self._recording:
            self._seconds, self._counter, self._frames = seconds, counter, []
            self._until = max(round(seconds * 1e6 / WINDOW_US), 1)
            self._tell("recording", 0.0)
            self._engine.recognition.tap = self._collect

    def stop(self) -> None:
        """Break off recording or learning; nothing of it is kept."""
        with self._recording:
            if self._state == "recording":
                self._engine.recognition.tap = None
                self._tell("idle")
        if self._state == "learning":
            self._stopping.set()

    def drop(self, number: int) -> None:
        """Take the example with this number away."""
        self._need_idle()
        self._examples = [one for one in self._examples if one.number != number]
        self._tell("idle")

    def learn(self, name: str) -> None:
        """Learn the gesture `name` from the examples that wait."""
        self._need_idle()
        label = as_label(name, tuple(self._engine.models.gesture["labels"]))
        if not any(not one.example.counter for one in self._examples):
            raise UserError(f"There is no example of {label} yet: record some first.")
        examples = [one.example for one in self._examples]
        self._start("learning", lambda: self._learn(label, examples))

    def undo(self, name: str) -> None:
        """Take back the newest lesson of the gesture `name`."""
        self._need_idle()
        self._start("learning", lambda: self._undo(name))

    def describe(self) -> Message:
        """The ``teach`` message of `app.protocol`."""
        head = self._engine.models.head
        examples = [
            {"id": one.number, "windows": one.windows, "label": one.label, "share": round(one.share, 4), "counter": one.example.counter}
            for one in self._examples
        ]
        message: Message = {"type": "teach", "state": self._state, "share": round(self._share, 3), "seconds": self._seconds}
        message |= {"counter": self._counter, "examples": examples, "figures": head.figures if head else None}
        return message | {"newest": head.lessons[-1].name if head else "", "taught": list(head.taught) if head else []}

    def close(self) -> bool:
        """End; False if the thread did not end in time."""
        self._stopping.set()
        if self._thread is None:
            return True
        self._orders.put(None)
        self._thread.join(5.0)
        return not self._thread.is_alive()

    # ---- recognition thread -----------------------------------------------------------------------------------------------------

    def _collect(self, start_us: int, counts: npt.NDArray[np.uint16]) -> None:
        """Take one window; a jump in time begins the example anew."""
        with self._recording:
            if self._state != "recording":  # it was stopped just now
                return
            if self._frames and start_us != self._next_us:
                self._frames = []
            self._next_us = start_us + WINDOW_US
            self._frames.append(counts.copy())
            if len(self._frames) >= self._until:
                self._engine.recognition.tap = None
                frames, counter = np.stack(self._frames), self._counter
                self._start("looking", lambda: self._look_at(frames, counter))
            elif len(self._frames) % TOLD_EVERY == 0:
                self._tell("recording", len(self._frames) / self._until)

    # ---- teaching thread --------------------------------------------------------------------------------------------------------

    def _start(self, state: str, work: Callable[[], None]) -> None:
        """Hand `work` to the teaching thread."""
        self._stopping.clear()
        self._tell(state, 0.0)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="egret-teaching", daemon=True)
            self._thread.start()
        self._orders.put(work)

    def _work(self) -> None:
        try:
            while (work := self._orders.get()) is not None:
                try:
                    work()
                except UserError as error:
                    self._engine.notice("error", str(error))
                except OSError as error:
                    self._engine.notice("error", f"Teaching failed ({error}); nothing else has changed.")
                except _Stopped:
                    self._engine.notice("info", "Teaching was stopped; nothing has changed.")
                self._tell("idle")
                self._prepare()
        except BaseException as error:
            self._crashed(error)

    def _prepare(self) -> None:
        """Use the time until the next order: what learning needs once is done while examples are recorded."""

        def unless_ordered(share: float) -> None:
            if self._stopping.is_set() or not self._orders.empty():
                raise _Stopped

        with contextlib.suppress(_Stopped, UserError):  # the order that needs it will say what is wrong
            self._taught_by().prepare(unless_ordered)

    def _look_at(self, frames: npt.NDArray[np.uint16], counter: bool) -> None:
        number = next(self._numbers)
        clip = pack(frames)
        windows, label, share = self._taught_by().reading(clip)
        if windows < LEAST_WINDOWS and not counter:
            least_s, seen_s = LEAST_WINDOWS * WINDOW_US / 1e6, windows * WINDOW_US / 1e6
            raise UserError(f"Too little happened: {seen_s:.1f} s of movement, and {least_s:.1f} s are needed. Move more, or come nearer.")
        example = Example(clip, f"live, {datetime.now():%Y-%m-%d %H:%M:%S}", number, counter)
        self._examples = [*self._examples, _Waiting(number, example, windows, label, share)]

    def _learn(self, label: str, examples: list[Example]) -> None:
        self._adopt(heads.Shelf(self._path()).teach(self._taught_by(), label, examples, self._progress))
        self._examples = []

    def _undo(self, name: str) -> None:
        self._adopt(heads.Shelf(self._path()).undo(self._taught_by(), name, self._progress))

    def _adopt(self, head: Head | None) -> None:
        """Recognise with `head` from now on. Windows hear of the labels before the first decision among them."""
        engine = self._engine
        network = engine.runtime.taught(head)
        engine.models.head = head
        self._publish({"type": "models", "models": engine.models.describe()})
        engine.recognition.use_network(network)

    def _taught_by(self) -> Teacher:
        if self._teacher is None:
            self._teacher = Teacher(self._engine.models.gesture_path, heads.cache_folder())
        return self._teacher

    def _path(self) -> Path:
        """Where the head is kept; UserError if the engine was told to use none."""
        return heads.place(self._engine.settings.head, self._engine.models.gesture_id["hash"])

    def _progress(self, share: float) -> None:
        if self._stopping.is_set():
            raise _Stopped
        if share - self._share >= TOLD_SHARE:
            self._tell("learning", share)

    def _need_idle(self) -> None:
        if self._state != "idle":
            raise UserError(BUSY)

    def _tell(self, state: str, share: float = 0.0) -> None:
        self._state, self._share = state, share
        self._publish(self.describe())


def teaching_order(engine: "Engine", order: dict[str, Any]) -> None:
    """Carry out one of the orders ``teach_record``, ``teach_stop``, ``teach_drop``, ``teach_learn`` and ``teach_undo``."""
    teaching = engine.teaching
    match order["op"]:
        case "teach_record":
            seconds = float(order["seconds"])
            if not 1.0 <= seconds <= 10.0:
                raise UserError(f"An example must take from 1 to 10 s, not {seconds:g}.")
            teaching.record(seconds, bool(order["counter"]))
        case "teach_stop":
            teaching.stop()
        case "teach_drop":
            teaching.drop(int(order["id"]))
        case "teach_learn":
            teaching.learn(str(order["name"]))
        case "teach_undo":
            teaching.undo(str(order["name"]))
