"""What the window knows: a model of the engine, changed only by the engine's messages, without Qt.

The window holds no truth of its own. Every panel draws from one `WindowState`; the client feeds it decoded messages; `apply` returns which
topics changed, so that a panel repaints only what it must. Commands go the other way and change nothing here: what a button did is seen
when the engine says so (a dead engine therefore never looks alive).

The engine is another process and may be of another version: a message whose fields have the wrong type is refused as a whole, counted in
`refused`, and leaves the state as it was; unknown types and unknown fields are passed over.
"""

import enum
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from app.protocol import Message
from app.window.clock import SensorClock
from app.window.facts import (
    Decision,
    Recording,
    Runtime,
    Segment,
    Settings,
    Source,
    Status,
    driving_of,
    recording_of,
    runtime_of,
    settings_of,
    source_of,
)
from app.window.fields import Fields
from app.window.lessons import Teaching, teaching_of
from app.window.talk import Talk

RIBBON_US = 30_000_000
"""Sensor time that the history of decisions covers (us)."""
STATUS_S = 0.25
"""The engine sends a `status` this often (s)."""
RATE_POINTS = 240
"""Points of the rate history: a minute of `status` messages."""


class Topic(enum.Flag):
    """What a message changed."""

    NONE = 0
    SOURCE = enum.auto()
    DECISION = enum.auto()
    STATUS = enum.auto()
    SETTINGS = enum.auto()
    CHAT = enum.auto()
    NOTICE = enum.auto()
    MODELS = enum.auto()
    CONNECTION = enum.auto()
    TEACH = enum.auto()
    ALL = SOURCE | DECISION | STATUS | SETTINGS | CHAT | NOTICE | MODELS | CONNECTION | TEACH


class WindowState:
    """All that the panels draw from. Not thread-safe: it lives in the window's thread."""

    def __init__(self) -> None:
        self.connected = False
        self.gone = ""
        """Why there is no engine; empty while there is one, or while it may still be starting."""
        self.refused = 0
        """Messages passed over because a field had the wrong type."""
        self._handlers: dict[str, Callable[[Fields, float], Topic]] = {
            "hello": self._hello,
            "source": self._source,
            "decision": self._decision,
            "status": self._status,
            "settings": self._settings,
            "token": self._token,
            "chat": self._chat,
            "notice": self._notice,
            "teach": self._teach,
            "models": self._models,
        }
        self._forget()

    def _forget(self) -> None:
        """Everything an engine said; a new one says it again."""
        self.session = ""
        self.labels: tuple[str, ...] = ()
        self.models: dict[str, tuple[str, str]] = {}
        self.source: Source | None = None
        self.runtime = Runtime()
        self.settings = Settings()
        self.teaching = Teaching()
        self.status = Status()
        self.recording: Recording | None = None
        self.decision: Decision | None = None
        self.decisions = 0
        self.history: deque[Segment] = deque()
        self.rates: deque[tuple[float, float]] = deque(maxlen=RATE_POINTS)
        self.talk = Talk()
        self.notices: deque[tuple[str, str]] = deque(maxlen=20)
        self.notices_seen = 0
        self.clock = SensorClock()

    def engine_gone(self, sentence: str) -> Topic:
        """The connection ended or could not be made; the last picture stays, with `sentence` over it."""
        self.connected = False
        self.gone = sentence
        self.talk.end()
        return Topic.CONNECTION | Topic.CHAT | Topic.SOURCE

    def apply(self, message: Message, now_s: float) -> Topic:
        """Take in one message that came at monotonic time `now_s` (s); never raises on what another process sent."""
        handler = self._handlers.get(str(message.get("type")))
        if handler is None:
            return Topic.NONE
        try:
            return handler(Fields(message), now_s)
        except ValueError:
            self.refused += 1
            return Topic.NONE

    def _hello(self, m: Fields, now_s: float) -> Topic:
        models = m.part("models")
        gesture, language = models.part("gesture"), models.part("language")
        labels = tuple(gesture.texts("labels"))
        runtime = runtime_of(m.part("runtime"), Runtime())
        settings = settings_of(m.part("settings"), Settings())
        source = None if m.absent("source") else source_of(m.part("source"), None)
        recording = None if m.absent("recording") else recording_of(m.part("recording"))
        talk = Talk(self.talk.generation + 1)
        talk.greet(m.parts("chat"))
        names = {
            "gesture": (gesture.text("name"), gesture.text("hash")),
            "language": (language.text("name"), language.text("hash")),
        }
        teaching = teaching_of(m.part("teach"))
        session = m.text("session")
        self._forget()
        self.connected, self.gone = True, ""
        self.session, self.models, self.labels = session, names, labels
        self.runtime, self.settings, self.source, self.recording = runtime, settings, source, recording
        self.teaching = teaching
        self.talk = talk
        return Topic.ALL

    def _source(self, m: Fields, now_s: float) -> Topic:
        previous = self.source
        self.source = source_of(m, previous)
        if previous is None or (previous.spec, previous.surface) != (self.source.spec, self.source.surface):
            self.clock = SensorClock()
            self.history.clear()
            self.decision = None
            self.rates.clear()
            return Topic.SOURCE | Topic.DECISION | Topic.STATUS
        return Topic.SOURCE

    def _decision(self, m: Fields, now_s: float) -> Topic:
        decision = Decision(
            t_us=m.whole("t_us"),
            label=m.text("label"),
            confidence=m.number("confidence"),
            accepted=m.flag("accepted"),
            reason=m.text("reason"),
            latency_ms=m.part("latency_ms").numbers_by_name(),
            scores=tuple(m.numbers("scores")),
            activity=tuple(m.numbers("activity")),
            events=m.whole("events"),
            kept=m.whole("kept"),
        )
        before = self.decision.t_us if self.decision else decision.t_us
        self.decision = decision
        self.decisions += 1
        self._remember(before, decision)
        return Topic.DECISION

    def _remember(self, before_us: int, decision: Decision) -> None:
        """Lengthen the last segment of the history or begin a new one."""
        label = decision.label if decision.accepted else ""
        last = self.history[-1] if self.history else None
        if decision.t_us < before_us:
            self.history.clear()
            last = None
        if last is not None and last.label == label:
            self.history[-1] = replace(last, end_us=decision.t_us)
        elif last is not None or decision.t_us > before_us:
            self.history.append(Segment(before_us, decision.t_us, label))
        else:
            self.history.append(Segment(decision.t_us, decision.t_us, label))
        while self.history and self.history[0].end_us < decision.t_us - RIBBON_US:
            self.history.popleft()

    def _status(self, m: Fields, now_s: float) -> Topic:
        chat = m.part("chat")
        status = Status(
            now_us=m.whole("now_us"),
            rate=m.number("rate"),
            kept_rate=m.number("kept_rate"),
            lost=m.whole("lost"),
            repaired=m.whole("repaired"),
            refused=m.whole("refused"),
            skipped=m.whole("skipped"),
            position_us=m.whole("position_us"),
            playing=m.flag("playing", True),
            speed=m.number("speed", 1.0),
            loop=m.flag("loop"),
            latency={name: (f.number("p50"), f.number("p95")) for name, f in m.part("latency").parts_by_name()},
            chat_busy=chat.flag("busy"),
            tokens_per_s=chat.number("tokens_per_s"),
            memory_age=chat.whole("memory_age"),
            checks=chat.flag("checks"),
            may_check=chat.flag("may_check"),
            suggestion=chat.text("suggestion"),
            driving=None if chat.absent("gestures") else driving_of(chat.part("gestures")),
        )
        runtime = runtime_of(m.part("runtime"), self.runtime)
        recording = None if m.absent("recording") else recording_of(m.part("recording"))
        self.status, self.runtime, self.recording = status, runtime, recording
        self.talk.busy = status.chat_busy
        self.talk.kept = chat.whole("kept", self.talk.kept)
        if status.chat_busy:
            self.talk.tokens_per_s = status.tokens_per_s
        self.rates.append((status.rate, status.kept_rate))
        running = status.playing and (self.source is None or self.source.state == "live")
        self.clock.observe(now_s, status.now_us, status.position_us, self._speed(status) if running else 0.0)
        return Topic.STATUS

    def _speed(self, status: Status) -> float:
        recording = self.source is not None and not self.source.live
        return status.speed if recording and status.speed > 0 else 1.0

    def _settings(self, m: Fields, now_s: float) -> Topic:
        self.settings = settings_of(m, self.settings)
        return Topic.SETTINGS

    def _chat(self, m: Fields, now_s: float) -> Topic:
        self.talk.chat(m)
        return Topic.CHAT

    def _token(self, m: Fields, now_s: float) -> Topic:
        self.talk.token(m)
        return Topic.CHAT

    def _notice(self, m: Fields, now_s: float) -> Topic:
        self.notices.append((m.text("level", "info"), m.text("sentence")))
        self.notices_seen += 1
        return Topic.NOTICE

    def _teach(self, m: Fields, now_s: float) -> Topic:
        self.teaching = teaching_of(m)
        return Topic.TEACH

    def _models(self, m: Fields, now_s: float) -> Topic:
        """The classes changed; what was decided among the old ones no longer fits."""
        gesture = m.part("models").part("gesture")
        self.labels = tuple(gesture.texts("labels"))
        self.models["gesture"] = gesture.text("name"), gesture.text("hash")
        self.decision = None
        return Topic.MODELS | Topic.DECISION
