"""`egret evaluate gesture|language`: the shipped network on data, on the runtime that runs live."""

import argparse
from pathlib import Path
from typing import Any

from app.commands.common import MAX_WHOLE, add_json, add_runtime, json_line, share, whole
from pipeline.errors import PARTIAL


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `egret evaluate`."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="gesture|language")
    gesture = kinds.add_parser("gesture", help="recordings of one gesture, by majority of their decisions")
    gesture.add_argument("--data", type=Path, required=True, metavar="PATH", help="a folder of AEDAT 4 recordings, or one recording")
    gesture.add_argument("--label", required=True, metavar="NAME", help="the gesture that all of them show")
    gesture.add_argument("--mirror", action="store_true", help="exchange left and right in the recordings first")
    gesture.add_argument("--threshold", type=share, metavar="P", help="confidence a decision needs (default: the weights' own)")
    gesture.add_argument("--weights", type=Path, metavar="FILE", help="gesture weights (default: the bundled ones)")
    language = kinds.add_parser("language", help="perplexity on a text")
    what = "a text (.txt, .txt.gz), or WikiText-2 as ids (a folder or .tar.gz)"
    language.add_argument("--data", type=Path, required=True, metavar="PATH", help=what)
    language.add_argument("--tokens", type=whole(2, MAX_WHOLE), metavar="N", help="read only this many tokens (default: all)")
    language.add_argument("--weights", type=Path, metavar="FILE", help="language weights (default: the bundled ones)")
    for chosen in (gesture, language):
        add_runtime(chosen)
        add_json(chosen)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print; exit code 3 if a part of the data is damaged."""
    said, model, text = _gesture(arguments) if arguments.kind == "gesture" else _language(arguments)
    if arguments.json:
        json_line({"type": "evaluation", "kind": arguments.kind} | said, model)
    else:
        print(text)
    return PARTIAL if said.get("damaged") else 0


def _gesture(arguments: argparse.Namespace) -> tuple[dict[str, Any], dict[str, str], str]:
    from app.engine.models import Models
    from app.evaluation import gesture

    models = Models(gesture=arguments.weights)
    said = gesture.evaluate(models, arguments.data, arguments.label, arguments.mirror, arguments.runtime, arguments.threshold)
    return said, models.gesture_id, gesture.readable(said)


def _language(arguments: argparse.Namespace) -> tuple[dict[str, Any], dict[str, str], str]:
    from app.engine.models import Models
    from app.evaluation import language

    models = Models(language=arguments.weights)
    said = language.evaluate(models, arguments.data, arguments.runtime, arguments.tokens)
    return said, models.language_id, language.readable(said)
