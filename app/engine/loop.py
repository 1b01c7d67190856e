"""The engine: one owner of the source process, every thread, and the session that windows attach to.

    source process --> capture thread --+--> recorder thread (lossless, first in line)
                                        +--> recognition thread --> decisions
                       chat thread ---------> tokens                    |
                       server thread <---- windows (commands) <---------+

`Engine.run` is the control loop and the only place where the engine changes: commands from windows, the end of a source and signals
arrive here through one queue and are carried out one after the other. A thread that dies is the engine's death, told in one sentence
with the traceback in the log; a source that dies is not (`pipeline.sources.supervisor` replaces it).
"""

import contextlib
import gc
import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.engine import commands, heads, partner, session, snapshot, surface
from app.engine.chat import Chat
from app.engine.gestures import GestureControl
from app.engine.models import Models
from app.engine.recognition import Recognition, Result
from app.engine.recorder import Recorder
from app.engine.server import Server
from app.engine.teach import Teaching
from app.protocol import Message
from pipeline.errors import FAILED, UserError
from pipeline.events import Packet, SourceInfo
from pipeline.filters import FilterSettings
from pipeline.sources.supervisor import Notice, SupervisedSource, parse_spec

log = logging.getLogger("egret")

STATUS_S = 0.25
TOKEN_S = 0.001
"""A token beside live recognition takes at least this long. Nobody reads faster, and a model that writes as fast as it can (4,000 tokens a
second) takes the lock and the processor that packets wait for: the 95th percentile to a decision was 6.6 to 9.7 ms (`egret bench latency`).
"""


@dataclass
class EngineSettings:
    """What an engine is started with."""

    source: str
    runtime: str = "auto"
    speed: float = 1.0
    loop: bool = False
    duration: float | None = None
    """Seconds of sensor time after which to end; None runs until the source ends."""
    stay: bool = False
    """Go on when the source has ended (a window may seek, or open another one)."""
    window_within: float | None = None
    """Seconds in which the first window must attach; None waits for none."""
    record: Path | None = None
    filters: FilterSettings = field(default_factory=FilterSettings)
    threshold: float | None = None
    gesture_weights: Path | None = None
    language_weights: Path | None = None
    head: str | None = None
    """Taught gestures: a file, "none", or None for this user's, if there are any (`app.engine.heads`)."""
    chat: bool = True
    """Start the language model beside recognition."""


class Engine:
    """The program without its window. Use as a context manager, and call `run` in it."""

    def __init__(self, settings: EngineSettings, on_decision: Callable[[Message], None] | None = None) -> None:
        """Checks the settings and the weights; UserError for what a user got wrong. Nothing runs yet."""
        parse_spec(settings.source)
        self.settings = settings
        self.models = Models(settings.gesture_weights, settings.language_weights)
        if head := heads.chosen(settings.head, self.models.gesture_id["hash"]):
            self.models.teach(head)
        self.exit_code = 0
        self.state = "starting"
        self.sentence = ""
        """The last thing the source said of its state."""
        self.info: SourceInfo | None = None
        self.surface_path: Path | None = None
        self.recorder: Recorder | None = None
        self.speed = settings.speed
        self.loop = settings.loop
        self.playing = True
        self.ended = False
        """Settings of answers that are asked for without any."""
        self._on_decision = on_decision
        self._orders: queue.SimpleQueue[Message | Callable[[], None]] = queue.SimpleQueue()
        """What windows ask for, and what the engine's own threads want done in the control loop."""
        self._stop = threading.Event()
        self._loaded = threading.Event()
        """Set when the networks are there; until then the source may open, but nothing of it is taken."""
        self._returning: threading.Thread | None = None
        self._surfaces = 0
        self._decided: dict[int, int] = {}
        """Host time of the newest decisions that windows were told, by their sensor time."""
        self._decided_lock = threading.Lock()

    # ---- life cycle -------------------------------------------------------------------------------------------------------------

    def __enter__(self) -> "Engine":
        with contextlib.ExitStack() as undo:
            self._source = SupervisedSource(self.settings.source, speed=self.speed, loop=self.loop)
            undo.callback(self._source.close, 1.0)
            self.folder = session.create()
            undo.callback(session.remove, self.folder)
            self._server = Server(self.folder / session.SOCKET, lambda: snapshot.hello(self), self._orders.put, self._still)
            undo.callback(self._server.stop)
            self._source.start()
            self._start_capture()  # the source's process starts up while the networks load here
            undo.callback(self._join_capture)
            undo.callback(self._loaded.set)
            undo.callback(self._stop.set)
            self._load()
            undo.pop_all()
        gc.freeze()  # what is loaded stays: looking through it for garbage would stop every thread for tens of milliseconds
        self.recognition.start()
        if self.chat:
            self.chat.start()
        self._loaded.set()
        self._server.start()
        return self

    def _still(self) -> contextlib.AbstractContextManager[object]:
        """The lock under which the chat tells what it says, if there is one: greeting a window takes it too."""
        return self.chat.still if self.chat else contextlib.nullcontext()

    def _load(self) -> None:
        """Everything that can fail, before anything runs."""
        duration = self.settings.duration
        self.runtime = self.models.runtime(self.settings.runtime)
        self.runtime.live(self.notice, in_time=self.speed != 0)
        self.recognition = Recognition(
            self.runtime,
            self.models.decider(self.settings.threshold),
            self.settings.filters,
            on_result=self._decided_one,
            on_end=lambda source: self._orders.put(lambda: self._source_ended(source)),
            on_over=self.stop,
            on_crash=self._crashed,
            duration_us=None if duration is None else round(duration * 1e6),
        )
        self.chat: Chat | None = None
        self.gestures: GestureControl | None = None
        if self.settings.chat:
            self.chat = partner.on_runtime(self.runtime, self.models, self.publish, self._crashed, TOKEN_S)
            self.gestures = GestureControl(self.chat, self._orders.put, self.notice)
        self.teaching = Teaching(self, self._server.publish, self._crashed)

    def __exit__(self, *_: object) -> None:
        """Ask everything to stop, wait with a limit, and log who refused."""
        self._stop.set()
        stopped = {"source": self._source.close(3.0), "recognition": self.recognition.stop(), "capture": self._join_capture()}
        if self.recorder:
            stopped["recorder"] = self.recorder.close()
        if self.chat:
            stopped["chat"] = self.chat.close()
        stopped["teaching"] = self.teaching.close()
        stopped["server"] = self._server.stop()
        self.runtime.close()
        session.remove(self.folder)
        if refused := [who for who, did in stopped.items() if not did]:
            log.warning("did not stop in time: %s", ", ".join(refused))

    def stop(self) -> None:
        """Make `run` return soon. May be called from a signal handler or any thread."""
        self._stop.set()

    def run(self) -> int:
        """Work until the source ends, the duration is over, or `stop`; the exit code."""
        next_status = 0.0
        lonely_at = time.monotonic() + (math.inf if self.settings.window_within is None else self.settings.window_within)
        while not self._stop.is_set():
            with contextlib.suppress(queue.Empty):
                order = self._orders.get(timeout=0.05)
                if callable(order):
                    order()
                else:
                    commands.carry_out(self, order)
            now = time.monotonic()
            if now >= next_status:
                next_status = now + STATUS_S
                self._server.publish(snapshot.status(self))
            if self._server.windows:
                lonely_at = math.inf
            elif now > lonely_at:
                self.notice("error", "No window came to the engine that was started for one: try `egret gui` again, or `egret run`.")
                self.exit_code = FAILED
                self.stop()
        return self.exit_code

    # ---- source -----------------------------------------------------------------------------------------------------------------

    def _start_capture(self) -> None:
        self._capture = threading.Thread(target=self._read, args=(self._source,), name="egret-capture", daemon=True)
        self._capture.start()

    def _join_capture(self) -> bool:
        self._capture.join(3.0)
        return not self._capture.is_alive()

    def open_source(self, spec: str) -> None:
        """Close the source and open `spec` instead; UserError if it is no source."""
        parse_spec(spec)
        self._end_recording("The recording ended with its source.")
        old, self._source = self._source, SupervisedSource(spec, speed=self.speed, loop=self.loop)
        old.close(3.0)
        self._join_capture()
        self.settings.source = spec
        self.state, self.sentence, self.info = "starting", "", None
        self.playing, self.ended, self.exit_code = True, False, 0
        self._server.publish(snapshot.source(self))
        self._source.start()
        self._start_capture()

    def steer(self, op: str, **arguments: Any) -> None:
        """A transport command to the source."""
        self._source.command(op, **arguments)

    def _read(self, source: SupervisedSource) -> None:
        """The capture thread: from the source to the recorder and the recogniser, in order, and nothing else."""
        try:
            while not self._stop.is_set() and source is self._source:
                item = source.read(0.1)
                if isinstance(item, Packet):
                    self.ended = False  # one that had ended plays again
                    if (recorder := self.recorder) is not None:
                        recorder.put(item.events)
                    self.recognition.put(item)
                elif isinstance(item, SourceInfo):
                    self._loaded.wait()
                    if not self._stop.is_set():
                        self._opened(item)
                elif isinstance(item, Notice):
                    self._noticed(item, source)
        except UserError as error:
            self._noticed(Notice("error", "failed", str(error), error.exit_code), source)
        except BaseException as error:
            self._crashed(error)

    def _opened(self, info: SourceInfo) -> None:
        previous = self.surface_path
        self._surfaces += 1
        self.surface_path, picture = surface.create(self.folder, info.width, info.height, self._surfaces)
        self.info = info
        self.state, self.sentence = "live", ""
        self.recognition.open(info, picture)
        if self.recorder and not self.recorder.fits(info):
            self._end_recording("The recording ended because another sensor came: start a new one.")
        if self.settings.record and self.recorder is None:
            path, self.settings.record = self.settings.record, None
            self.start_recording(path)
        self._server.publish(snapshot.source(self))
        if previous:
            previous.unlink(missing_ok=True)  # a window that has it mapped keeps it until it maps the new one

    def _end_recording(self, why: str) -> None:
        """What comes next does not belong into the recording; the control loop closes it."""
        if self.recorder:
            self.recorder.end()
            self._orders.put({"op": "record_stop"})  # in its turn, as if a window had asked
            self.notice("warning", why)

    def start_recording(self, path: Path) -> None:
        """Record what comes from the source from now on; UserError if `path` cannot be written."""
        if self.info is None:
            raise UserError("There is nothing to record yet: wait until the source is live.")
        self.recorder = Recorder(path, self.info, self._recording_failed, self._crashed)

    def _recording_failed(self, sentence: str) -> None:
        self.exit_code = FAILED
        self.notice("error", sentence)

    def _noticed(self, notice: Notice, source: SupervisedSource) -> None:
        self.state, self.sentence = notice.state, notice.sentence
        self._server.publish(snapshot.source(self))
        if notice.sentence:
            self.notice(notice.level, notice.sentence)
        if notice.state == "failed":
            self._orders.put(lambda: self._source_failed(source, notice.exit_code or FAILED))
        elif notice.state == "ended":
            self.exit_code = notice.exit_code or self.exit_code
            self._loaded.wait()
            if not self._stop.is_set():
                self.recognition.end(source)

    def go_back_to_the_chip(self) -> None:
        """Return to the chip that was left, in a thread of its own: it takes seconds, and recognition goes on meanwhile."""

        def work() -> None:
            try:
                self.runtime.go_back()
                self.notice("info", f"The networks have moved back, with their state: {self.runtime.badge}.")
            except UserError as error:
                self.notice("error", str(error))

        if not self._returning or not self._returning.is_alive():
            self._returning = threading.Thread(target=work, name="egret-return", daemon=True)
            self._returning.start()

    # ---- what happened ----------------------------------------------------------------------------------------------------------

    def _decided_one(self, result: Result) -> None:
        """In the recognition thread: tell everybody of one decision."""
        if self.gestures:
            self.gestures.feed(result.decision.label if result.decision.accepted else "")
        message = decision_message(result, self.runtime.backend)
        if self._server.windows:
            with self._decided_lock:
                self._decided[result.t_us] = result.decided_ns
                if len(self._decided) > 100:
                    self._decided.pop(next(iter(self._decided)))
            self._server.publish(message | details(result))
        if self._on_decision:
            self._on_decision(message)

    def painted(self, t_us: int, ns: int) -> None:
        """A window had the decision of `t_us` on its screen at monotonic time `ns`."""
        with self._decided_lock:
            decided_ns = self._decided.pop(t_us, 0)
        if decided_ns:
            self.recognition.latency.add({"painted": max(ns - decided_ns, 0) / 1e6})

    def _source_ended(self, source: object) -> None:
        """Everything of `source` has been decided."""
        if source is self._source:
            self.ended = True
            self._end_unless_staying()

    def _source_failed(self, source: object, exit_code: int) -> None:
        """`source` cannot be used; without a window to choose another one that is the end."""
        if source is self._source:
            self.exit_code = exit_code
            self._end_unless_staying()

    def _end_unless_staying(self) -> None:
        if not self.settings.stay:
            self.stop()

    def _crashed(self, error: BaseException) -> None:
        log.critical("Egret has a fault and must stop; please report what stands below.", exc_info=error)
        self.exit_code = FAILED
        self._stop.set()

    def notice(self, level: str, sentence: str) -> None:
        """Tell windows and the log one sentence."""
        self._server.publish({"type": "notice", "level": level, "sentence": sentence})
        log.log({"info": logging.INFO, "warning": logging.WARNING}.get(level, logging.ERROR), "%s", sentence)

    def publish(self, message: Message) -> None:
        """Tell every window."""
        self._server.publish(message)

    def publish_settings(self) -> None:
        """Tell every window the settings as they are now."""
        self._server.publish(snapshot.settings(self))


def decision_message(result: Result, backend: str) -> Message:
    """A decision as `egret run --json` prints it (DESIGN.md section 6)."""
    decision = result.decision
    return {
        "type": "decision",
        "t_us": result.t_us,
        "label": decision.label,
        "confidence": round(decision.confidence, 4),
        "accepted": decision.accepted,
        "reason": decision.reason,
        "latency_ms": {stage: round(value, 3) for stage, value in result.latency_ms.items()},
        "runtime": backend,
        "events": result.events,
    }


def details(result: Result) -> Message:
    """What a window shows of a decision besides."""
    scores = [round(score, 4) for score in result.decision.scores]
    activity = [round(share, 4) for share in result.activity]
    return {"scores": scores, "margin": round(result.decision.margin, 4), "activity": activity, "kept": result.kept}
