"""What the engine's messages say, as plain records, and how they are read out of a message (ValueError where a field has a wrong type)."""

import math
from dataclasses import dataclass, field

from app.window.fields import Fields


@dataclass(frozen=True, slots=True)
class Source:
    """The source as the engine describes it; width 0 until it is open."""

    state: str = "starting"
    sentence: str = ""
    spec: str = ""
    kind: str = ""
    title: str = ""
    width: int = 0
    height: int = 0
    live: bool = True
    duration_us: int = 0
    surface: str = ""

    @property
    def open(self) -> bool:
        """Whether there is a sensor to look at."""
        return self.width > 0 and self.height > 0 and bool(self.surface)


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision of the gesture network (times in us of sensor time, latencies in ms)."""

    t_us: int
    label: str
    confidence: float
    accepted: bool
    reason: str = ""
    latency_ms: dict[str, float] = field(default_factory=dict)
    scores: tuple[float, ...] = ()
    activity: tuple[float, ...] = ()
    events: int = 0
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Runtime:
    """Which machine the networks run on, and its heartbeat (steps so far)."""

    backend: str = ""
    badge: str = ""
    heartbeat: int = 0
    activity: float = math.nan
    steps_per_s: float = math.nan
    offer: str = ""
    """The chip that was left for the host and can be returned to."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The recording that is being written."""

    path: str
    events: int = 0
    bytes: int = 0
    seconds: float = 0.0
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Driving:
    """What gestures do with the chat."""

    on: bool
    actions: dict[str, str]
    """An action for a label."""
    prompts: tuple[str, ...]
    """Those that are suggested, one after the other."""


@dataclass(frozen=True, slots=True)
class Status:
    """The engine's quarter-second summary."""

    now_us: int = 0
    rate: float = 0.0
    kept_rate: float = 0.0
    lost: int = 0
    repaired: int = 0
    refused: int = 0
    skipped: int = 0
    position_us: int = 0
    playing: bool = True
    speed: float = 1.0
    loop: bool = False
    latency: dict[str, tuple[float, float]] = field(default_factory=dict)
    chat_busy: bool = False
    tokens_per_s: float = 0.0
    memory_age: int = 0
    checks: bool = False
    """It is told of answers how chip and host get on."""
    may_check: bool = False
    """There is a chip to compare."""
    suggestion: str = ""
    """The prompt that a gesture would send."""
    driving: Driving | None = None
    """None before the engine has said it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Filters and decision settings, as the engine uses them."""

    background_us: int | None = None
    refractory_us: int | None = None
    hot_pixel: bool = False
    polarity: str = "both"
    region: tuple[int, int, int, int] | None = None
    threshold: float = 0.5
    min_events: float = 0.0


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of sensor time with one answer; `label` is empty where nothing was accepted."""

    start_us: int
    end_us: int
    label: str


def runtime_of(m: Fields, before: Runtime) -> Runtime:
    """The runtime part of a message; what it leaves out stays as `before`."""
    return Runtime(
        backend=m.text("backend", before.backend),
        badge=m.text("badge", before.badge),
        heartbeat=m.whole("heartbeat", before.heartbeat),
        activity=m.mean("activity", before.activity),
        steps_per_s=m.number("steps_per_s", before.steps_per_s),
        offer=m.text("offer"),
    )


def driving_of(m: Fields) -> Driving:
    """What a status message says of gestures that drive the chat."""
    return Driving(m.flag("on"), m.part("actions").texts_by_name(), tuple(m.texts("prompts")))


def source_of(m: Fields, before: Source | None) -> Source:
    """A source message; one that only tells a state keeps what the last one said of the same sensor."""
    base = before if (before is not None and m.absent("spec")) or (before and m.text("spec") == before.spec) else Source()
    return Source(
        state=m.text("state", base.state),
        sentence=m.text("sentence"),
        spec=m.text("spec", base.spec),
        kind=m.text("kind", base.kind),
        title=m.text("title", base.title),
        width=m.whole("width", base.width),
        height=m.whole("height", base.height),
        live=m.flag("live", base.live),
        duration_us=m.whole("duration_us", base.duration_us),
        surface=m.text("surface", base.surface),
    )


def recording_of(m: Fields) -> Recording:
    """The recording part of a message."""
    return Recording(m.text("path"), m.whole("events"), m.whole("bytes"), m.number("seconds"), m.text("sentence"))


def settings_of(m: Fields, before: Settings) -> Settings:
    """A settings message; a null switches a filter off, what it leaves out stays as `before`."""
    f = m.part("filters")
    region: tuple[int, int, int, int] | None = before.region
    if f.has("region"):
        region = None
        if not f.absent("region"):
            x, y, w, h = f.wholes("region", 4)
            region = (x, y, w, h)
    return Settings(
        background_us=f.optional_whole("background_us", before.background_us),
        refractory_us=f.optional_whole("refractory_us", before.refractory_us),
        hot_pixel=f.flag("hot_pixel", before.hot_pixel),
        polarity=f.text("polarity", before.polarity),
        region=region,
        threshold=m.number("threshold", before.threshold),
        min_events=m.number("min_events", before.min_events),
    )
