"""What windows are told of the engine's state: the `hello`, `source`, `status` and `settings` messages of `app.protocol`."""

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

import app
from app.protocol import Message

if TYPE_CHECKING:
    from app.engine.loop import Engine


def hello(engine: "Engine") -> Message:
    """Everything a window needs that attaches now."""
    return status(engine) | {
        "type": "hello",
        "version": app.__version__,
        "pid": os.getpid(),
        "session": str(engine.folder),
        "models": engine.models.describe(),
        "settings": settings(engine),
        "source": source(engine),
        "chat": engine.chat.newest() if engine.chat else [],
        "teach": engine.teaching.describe(),
    }


def source(engine: "Engine") -> Message:
    """The source's state, and its sensor once it is open."""
    message: Message = {"type": "source", "state": engine.state, "sentence": engine.sentence}
    if (info := engine.info) and engine.surface_path:
        message |= {"spec": info.spec, "kind": info.kind, "title": info.title, "width": info.width, "height": info.height}
        message |= {"live": info.live, "duration_us": info.duration_us, "surface": str(engine.surface_path)}
    return message


def settings(engine: "Engine") -> Message:
    """Filters and the gates of the decision."""
    decider = engine.recognition.decider
    filters = asdict(engine.settings.filters)
    gates = {"threshold": decider.threshold, "margin": decider.margin, "min_events": decider.min_events}
    return {"type": "settings", "filters": filters} | gates


def status(engine: "Engine") -> Message:
    """What changes all the time."""
    recognition, totals, network = engine.recognition, engine.recognition.totals, engine.runtime.gesture
    rate, kept_rate = recognition.rates()
    return {
        "type": "status",
        "now_us": recognition.now_us,
        "rate": rate,
        "kept_rate": kept_rate,
        "lost": totals.lost,
        "repaired": totals.repaired,
        "refused": totals.refused,
        "skipped": totals.skipped,
        "position_us": recognition.position_us,
        "playing": engine.playing and not engine.ended,
        "speed": engine.speed,
        "loop": engine.loop,
        "latency": recognition.latency.summary(),
        "runtime": {
            "backend": engine.runtime.backend,
            "badge": engine.runtime.badge,
            "heartbeat": network.steps,
            "activity": [round(float(share), 4) for share in network.activity],
            "steps_per_s": recognition.steps_per_s(),
        }
        | engine.runtime.telemetry(),
        "recording": engine.recorder.describe() if engine.recorder else None,
        "chat": _chat(engine),
    }


def _chat(engine: "Engine") -> Message | None:
    if not (chat := engine.chat):
        return None
    figures = {"busy": chat.busy, "tokens_per_s": round(chat.tokens_per_s, 1), "memory_age": chat.memory_age}
    figures |= {"kept": chat.kept, "checks": chat.checks, "may_check": chat.may_check}
    gestures = engine.gestures
    return figures | {"suggestion": gestures.suggestion if gestures else "", "gestures": gestures.describe() if gestures else None}
