"""`egret run`: the engine alone. A line per decision, then a summary line; a window may attach at any time (`egret gui --attach`)."""

import argparse
from pathlib import Path
from typing import Any

from app.commands.common import add_head, add_json, add_runtime, add_source, duration, json_line, real, share, stop_on_signals

MAX_SPEED = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `egret run`."""
    add_source(parser)
    add_runtime(parser)
    add_json(parser)
    parser.add_argument("--duration", type=duration, metavar="SEC", help="end after this much sensor time (default: when the source ends)")
    parser.add_argument(
        "--speed", type=real(0, MAX_SPEED), default=1.0, metavar="X", help="speed of a recording; 0 is as fast as possible (default: 1)"
    )
    parser.add_argument("--loop", action="store_true", help="play a recording again and again")
    parser.add_argument("--record", type=Path, metavar="FILE", help="record to this AEDAT 4 file meanwhile")
    parser.add_argument("--threshold", type=share, metavar="P", help="confidence a decision needs (default: the weights' own)")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="gesture weights (default: the bundled ones)")
    add_head(parser)
    parser.add_argument("--language-weights", type=Path, metavar="FILE", help="language weights (default: the bundled ones)")
    parser.add_argument("--stay", action="store_true", help="go on when the source has ended, for windows to steer")
    parser.add_argument("--window-within", type=duration, metavar="SEC", help="end if no window has attached by then")
    parser.add_argument("--quiet", action="store_true", help="print no decisions, only the summary")


def run(arguments: argparse.Namespace) -> int:
    """Run the engine in this process until it ends or is interrupted."""
    from app.engine.loop import Engine, EngineSettings
    from app.engine.recognition import summary

    settings = EngineSettings(
        source=arguments.source,
        runtime=arguments.runtime,
        speed=arguments.speed,
        loop=arguments.loop,
        duration=arguments.duration,
        stay=arguments.stay,
        window_within=arguments.window_within,
        record=arguments.record,
        threshold=arguments.threshold,
        gesture_weights=arguments.weights,
        head=arguments.head,
        language_weights=arguments.language_weights,
    )
    model: dict[str, str] = {}

    def tell(message: dict[str, Any]) -> None:
        try:
            if arguments.json:
                json_line(message, model)
            else:
                print(readable(message), flush=True)
        except OSError:  # whoever read our output has gone, or the disk is full; the summary meets that too, and `app.cli` says it
            engine.stop()

    engine = Engine(settings, None if arguments.quiet else tell)
    model.update(engine.models.gesture_id)
    stop_on_signals(engine.stop)
    with engine:
        code = engine.run()
    said = summary(engine.recognition.totals)
    if arguments.json:
        json_line({"type": "summary"} | said | {"latency_ms": engine.recognition.latency.summary(), "exit_code": code}, model)
    else:
        print(readable_summary(said))
    return code


def readable(decision: dict[str, Any]) -> str:
    """One decision as a line for people."""
    verdict = decision["label"] if decision["accepted"] else f"no gesture ({decision['reason']}; {decision['label']}?)"
    return f"{decision['t_us'] / 1e6:14.3f} s  {decision['confidence']:4.0%}  {verdict}"


def readable_summary(said: dict[str, Any]) -> str:
    """The end of a run as a line for people."""
    label = f"mostly {said['label']} ({said['labels'][said['label']]} of {said['accepted']} accepted)" if said["label"] else "no gesture"
    trouble = ", ".join(f"{said[name]:,} {name}" for name in ("lost", "repaired", "refused", "skipped") if said[name])
    return f"{said['decisions']:,} decisions from {said['events']:,} events: {label}." + (f" Events {trouble}." if trouble else "")
