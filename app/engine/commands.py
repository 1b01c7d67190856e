"""What windows may ask of the engine, and how each wish is carried out (`app.protocol`, window to engine).

A wish comes from another process: every value is checked here, and a bad one costs one sentence, never the engine.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.engine.chat import MAX_TOKENS, Chat
from app.engine.gestures import ACTIONS, MAX_LENGTH, MAX_PROMPTS, Wanted
from app.engine.teach import teaching_order
from app.engine.wishes import NOTHING, Prompt, clean
from app.protocol import Message
from models.sampling import MAX_SEED, PRESETS
from pipeline.errors import UserError

if TYPE_CHECKING:
    from app.engine.loop import Engine

MAX_SPEED = 100.0
MAX_NODE = 1 << 53
"""Ids of tokens are smaller."""


def carry_out(engine: "Engine", order: Message) -> None:
    """Carry out one order; what is wrong with it is said as a notice."""
    operation = order.get("op")
    handler = HANDLERS.get(operation) if isinstance(operation, str) else None
    if handler is None:
        engine.notice("warning", f"The engine does not know the command {operation!r}: window and engine differ in version.")
        return
    try:
        handler(engine, order)
    except UserError as error:
        engine.notice("error", str(error))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        engine.notice("warning", f"The command {operation!r} came with values that make no sense, and was left out.")


def _number(order: Message, name: str, low: float, high: float) -> float:
    value = float(order[name])
    if not low <= value <= high:
        raise UserError(f"{name} must lie between {low:g} and {high:g}, not be {value:g}.")
    return value


def _play(engine: "Engine", order: Message) -> None:
    engine.playing = True
    engine.steer("play")


def _pause(engine: "Engine", order: Message) -> None:
    engine.playing = False
    engine.steer("pause")


def _step(engine: "Engine", order: Message) -> None:
    engine.playing = False
    engine.steer("step")


def _seek(engine: "Engine", order: Message) -> None:
    engine.steer("seek", position_us=int(_number(order, "position_us", 0, 2**62)))


def _speed(engine: "Engine", order: Message) -> None:
    engine.speed = _number(order, "value", 0, MAX_SPEED)
    engine.steer("speed", value=engine.speed)
    engine.runtime.keep_time(engine.speed != 0)


def _loop(engine: "Engine", order: Message) -> None:
    engine.loop = bool(order["value"])
    engine.steer("loop", value=engine.loop)


def _source(engine: "Engine", order: Message) -> None:
    engine.open_source(str(order["spec"]))


def _filters(engine: "Engine", order: Message) -> None:
    known = engine.settings.filters.__dataclass_fields__
    changes = {name: value for name, value in order.items() if name in known}
    off = {"hot_pixel": False, "polarity": "both"}  # what null means for those whose "off" is a value
    changes |= {name: value for name, value in off.items() if name in changes and changes[name] is None}
    if isinstance(changes.get("region"), list):
        changes["region"] = tuple(int(v) for v in changes["region"])
    engine.settings.filters = replace(engine.settings.filters, **changes)
    engine.recognition.set_filters(engine.settings.filters)
    engine.publish_settings()


def _threshold(engine: "Engine", order: Message) -> None:
    engine.recognition.decider.threshold = _number(order, "value", 0, 1)
    engine.publish_settings()


def _min_events(engine: "Engine", order: Message) -> None:
    engine.recognition.decider.min_events = _number(order, "value", 0, 1e6)
    engine.publish_settings()


def _of(engine: "Engine") -> Chat:
    if engine.chat is None:
        raise UserError("The language model is not running: start the engine without --no-chat.")
    return engine.chat


def _prompt(order: Message) -> Prompt:
    """The prompt of an order; settings that it leaves out are those of a `Prompt`."""
    limits = {"temperature": 5.0, "top_k": 1e6, "top_p": 1.0, "min_p": 1.0, "repetition_penalty": 10.0, "repetition_window": 1e6}
    changes = {name: _number(order, name, 1 if name == "repetition_penalty" else 0, high) for name, high in limits.items() if name in order}
    changes |= {name: int(changes[name]) for name in ("top_k", "repetition_window") if name in changes}
    if "seed" in order:
        changes["seed"] = _whole(order, "seed", MAX_SEED)
    sampling = PRESETS[order["preset"]] if "preset" in order else NOTHING.sampling
    tokens = int(_number(order, "tokens", 1, MAX_TOKENS)) if "tokens" in order else NOTHING.tokens
    return Prompt(str(order.get("prompt", "")), replace(sampling, **changes), tokens)  # type: ignore[arg-type]


def _whole(order: Message, name: str, high: int) -> int:
    value = int(order[name])
    if not 0 <= value <= high:
        raise UserError(f"{name} must lie between 0 and {high}, not be {value}.")
    return value


def _chat(engine: "Engine", order: Message) -> None:
    text = str(order["prompt"])
    try:
        _of(engine).ask(_prompt(order))
    except UserError:
        engine.publish({"type": "chat", "event": "refused", "prompt": clean(text)})
        raise


def _chat_regenerate(engine: "Engine", order: Message) -> None:
    node = _whole(order, "node", MAX_NODE) if order.get("node") is not None else None
    _of(engine).regenerate(_prompt(order), node)


def _chat_doubts(engine: "Engine", order: Message) -> None:
    text = clean(str(order["text"]))
    engine.publish({"type": "chat", "event": "doubts", "text": text, "doubts": _of(engine).doubts(text)})


def _chat_check(engine: "Engine", order: Message) -> None:
    _of(engine).check(bool(order["value"]))


def _chat_gestures(engine: "Engine", order: Message) -> None:
    _of(engine)
    assert engine.gestures is not None
    actions = {str(label): action for label, action in order["actions"].items() if action in ACTIONS}
    prompts = [clean(str(text)).strip()[:MAX_LENGTH] for text in order["prompts"]][:MAX_PROMPTS]
    how = replace(_prompt(order), text="")
    engine.gestures.set(Wanted(bool(order["on"]), actions, tuple(filter(None, prompts))), how)


def _chat_stop(engine: "Engine", order: Message) -> None:
    if engine.chat:
        engine.chat.stop()


def _chat_clear(engine: "Engine", order: Message) -> None:
    if engine.chat:
        engine.chat.clear()


def _record(engine: "Engine", order: Message) -> None:
    if engine.recorder is not None:
        raise UserError(f"A recording is running already ({engine.recorder.path}): stop it first.")
    engine.start_recording(Path(str(order["path"])))


def _record_stop(engine: "Engine", order: Message) -> None:
    recorder, engine.recorder = engine.recorder, None
    if recorder:
        recorder.close()
        said = recorder.describe()
        if not recorder.failure:
            engine.notice("info", f"Recorded {said['events']:,} events ({said['bytes'] / 1e6:.1f} MB) in {said['path']}.")


def _painted(engine: "Engine", order: Message) -> None:
    engine.painted(int(order["t_us"]), int(order["ns"]))


def _runtime(engine: "Engine", order: Message) -> None:
    if order["value"] != "chip":
        raise ValueError
    engine.go_back_to_the_chip()


HANDLERS: dict[str, Callable[["Engine", Message], None]] = {
    "play": _play,
    "pause": _pause,
    "step": _step,
    "seek": _seek,
    "speed": _speed,
    "loop": _loop,
    "source": _source,
    "filters": _filters,
    "threshold": _threshold,
    "min_events": _min_events,
    "chat": _chat,
    "chat_regenerate": _chat_regenerate,
    "chat_continue": lambda engine, order: _of(engine).proceed(_prompt(order)),
    "chat_edit": lambda engine, order: _of(engine).edit(_prompt(order), _whole(order, "node", MAX_NODE)),
    "chat_rewind": lambda engine, order: _of(engine).rewind(_whole(order, "node", MAX_NODE)),
    "chat_switch": lambda engine, order: _of(engine).switch(_whole(order, "node", MAX_NODE)),
    "chat_tree": lambda engine, order: _of(engine).tree(),
    "chat_check": _chat_check,
    "chat_doubts": _chat_doubts,
    "chat_gestures": _chat_gestures,
    "chat_export": lambda engine, order: _of(engine).export(Path(str(order["path"]))),
    "chat_load": lambda engine, order: _of(engine).load(Path(str(order["path"]))),
    "chat_stop": _chat_stop,
    "chat_clear": _chat_clear,
    "record": _record,
    "record_stop": _record_stop,
    "painted": _painted,
    "runtime": _runtime,
    **dict.fromkeys(("teach_record", "teach_stop", "teach_drop", "teach_learn", "teach_undo"), teaching_order),
    "quit": lambda engine, order: engine.stop(),
}
