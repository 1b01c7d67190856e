"""`egret evaluate gesture|language`: the shipped network on data, on the runtime that runs live."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import assets
from app.commands.common import MAX_WHOLE, VOCABULARY, add_json, add_runtime, json_line, share, whole
from pipeline.errors import PARTIAL, USAGE, UserError

CACHE = "6000,0.6,0.2"
"""The settings of `app.evaluation.cache` that are best for the bundled network."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `egret evaluate`."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="gesture|language")
    gesture = kinds.add_parser("gesture", help="recordings of one gesture, the DVS128 Gesture set, or the simulated test set")
    what = "recordings or folders of them (with --label); the DVS128 Gesture set's folder; or the word `simulated`"
    gesture.add_argument("--data", required=True, nargs="+", metavar="PATH", help=what)
    gesture.add_argument("--label", metavar="NAME", help="the gesture that all of the recordings show; `none` if it is none at all")
    gesture.add_argument("--mirror", action="store_true", help="exchange left and right in the recordings first")
    gesture.add_argument("--clips", type=whole(1, 10_000), default=40, metavar="N", help="simulated: clips of every kind (default: 40)")
    gesture.add_argument("--preset", metavar="NAME", help="simulated: only this preset of ranges (default: wide and dvs128)")
    gesture.add_argument("--threshold", type=share, metavar="P", help="confidence a decision needs (default: the weights' own)")
    gesture.add_argument("--plot", type=Path, metavar="DIR", help="draw confusion, rejection, reliability and time as PNG into this folder")
    gesture.add_argument("--against", type=Path, metavar="JSON", help="compare with what an earlier run printed with --json")
    gesture.add_argument("--weights", type=Path, metavar="FILE", help="gesture weights (default: the bundled ones)")
    language = kinds.add_parser("language", help="perplexity on a text")
    what = "a text (.txt, .txt.gz), or WikiText-2 as ids (a folder or .tar.gz)"
    language.add_argument("--data", type=Path, required=True, metavar="PATH", help=what)
    language.add_argument("--tokens", type=whole(2, MAX_WHOLE), metavar="N", help="read only this many tokens (default: all)")
    language.add_argument("--part", choices=("test", "validate"), default="test", help="of WikiText-2 (default: test)")
    what = f"say too what a continuous cache of this size, flatness and share would make of it (without a value: {CACHE})"
    language.add_argument("--cache", nargs="?", const=CACHE, metavar="N,F,S", help=what)
    what = "language weights (default: the bundled ones, for WikiText-2 those trained on it), or a checkpoint of EvNN or SpikeGPT"
    language.add_argument("--weights", type=Path, metavar="FILE", help=what)
    language.add_argument("--vocabulary", type=Path, metavar="PATH", help=VOCABULARY)
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
    from app.evaluation import compare, gesture, pictures

    earlier = compare.read_earlier(arguments.against) if arguments.against else None
    models = Models(gesture=arguments.weights)
    wanted = gesture.Wanted(arguments.data, arguments.label, arguments.mirror, arguments.clips, arguments.preset)
    said = gesture.evaluate(models, wanted, arguments.runtime, arguments.threshold)
    text = gesture.readable(said)
    if arguments.plot:
        drawn = [str(path) for path in pictures.draw(said, arguments.plot)]
        said |= {"pictures": drawn}
        text += "\n  drawn: " + ", ".join(drawn)
    if earlier is not None:
        changes = compare.changes(earlier, said)
        said |= {"against": [asdict(change) for change in changes]}
        text += f"\nAgainst {arguments.against}:\n" + ("\n".join(f"  {change}" for change in changes) or "  nothing has changed")
    return said, models.gesture_id, text


def _language(arguments: argparse.Namespace) -> tuple[dict[str, Any], dict[str, str], str]:
    from app.engine.models import WIKITEXT, Models
    from app.engine.partner import opens_as_foreign
    from app.evaluation import foreign, language
    from app.evaluation.cache import Settings
    from models import wikitext
    from models.foreign import opening

    if opens_as_foreign(arguments.weights, arguments.vocabulary, arguments.runtime):
        if arguments.cache:
            raise UserError("A continuous cache stands beside Egret's own networks only: leave out --cache.", USAGE)
        opened = opening.load(arguments.weights, arguments.vocabulary)
        said = foreign.evaluate(opened, arguments.data, arguments.tokens, arguments.part)
        return said, opened.identity, foreign.readable(said)
    articles = arguments.weights is None and wikitext.is_here(arguments.data)
    models = Models(language=assets.path(WIKITEXT) if articles else arguments.weights)
    try:
        cache = Settings.parse(arguments.cache) if arguments.cache else None
    except ValueError:
        raise UserError(f"A cache is SIZE,FLATNESS,SHARE as {CACHE}, not {arguments.cache}.", USAGE) from None
    said = language.evaluate(models, arguments.data, arguments.runtime, arguments.tokens, arguments.part, cache)
    return said, models.language_id, language.readable(said)
