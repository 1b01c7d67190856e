"""`egret chat`: the language model in a terminal, or answers for a script (`--prompt`, once or more)."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from app.commands.common import MAX_WHOLE, VOCABULARY, add_json, add_runtime, real, seed, whole
from pipeline.errors import USAGE, UserError

PRESETS = ("exact", "careful", "balanced", "lively")
"""Names of `models.sampling.PRESETS`, which takes a moment to load; a test compares them."""
ROWS = "With --json a line of JSON is printed for every answer (its type is answer), /branches, /set and /help (branches, settings, help)."
RULES = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `egret chat`."""
    parser.add_argument("--prompt", metavar="TEXT", action="append", help="answer this and end; more than one are one conversation")
    parser.add_argument("--tokens", type=whole(1, MAX_WHOLE), default=100, metavar="N", help="length of an answer at most (default: 100)")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="equal seeds give equal answers (default: 0)")
    parser.add_argument("--preset", choices=PRESETS, default="balanced", help="settings that the following options change")
    parser.add_argument("--temperature", type=real(0, 100), metavar="T", help="0 takes the likeliest token always")
    parser.add_argument("--top-k", type=whole(0, 1 << 16), metavar="K", help="choose among this many tokens; 0 is all")
    parser.add_argument("--top-p", type=real(0, 1), metavar="P", help="choose among the likeliest that have this probability together")
    parser.add_argument("--min-p", type=real(0, 1), metavar="P", help="choose among tokens at least this part as likely as the best")
    parser.add_argument(
        "--repetition-penalty", type=real(1, 100), metavar="X", help="make tokens that were there before less likely; 1 is off"
    )
    parser.add_argument("--check", action="store_true", help="say how far chip and host agree, and where they differ")
    what = "language weights (default: the bundled ones), or a checkpoint of EvNN or SpikeGPT"
    parser.add_argument("--weights", "--language-weights", type=Path, metavar="FILE", help=what)
    parser.add_argument("--vocabulary", type=Path, metavar="PATH", help=VOCABULARY)
    add_runtime(parser)
    add_json(parser)
    what = "with --json: what every token of an answer took (figures), and what of the prompt the model can make little of (doubts)"
    parser.add_argument("--figures", action="store_true", help=what)
    parser.epilog = ROWS


def run(arguments: argparse.Namespace) -> int:
    """Talk until the input ends, or answer the prompts."""
    from app.commands.terminal import Settings, Terminal, talk
    from app.engine import partner
    from app.engine.chat import MAX_TOKENS
    from models.sampling import PRESETS as presets

    if arguments.tokens > MAX_TOKENS:  # known only here: the module that says it takes a second to load
        raise UserError(f"An answer can be {MAX_TOKENS:,} tokens long at most: choose a smaller --tokens.", USAGE)
    if arguments.figures and not arguments.json:
        raise UserError("The figures of tokens are a part of the JSON lines: add --json.", USAGE)
    prompts = [text.strip() for text in arguments.prompt or []]
    if not all(prompts):
        raise UserError("The prompt is empty: say something in --prompt.", USAGE)
    if not prompts and not sys.stdin:  # the shell closed it
        raise UserError("There is no input to read prompts from: name one with --prompt.", USAGE)
    changes = {name: value for name in RULES if (value := getattr(arguments, name)) is not None}
    settings = Settings(replace(presets[arguments.preset], seed=arguments.seed, **changes), arguments.tokens)
    other = partner.choose(arguments.weights, arguments.vocabulary, arguments.runtime)
    try:
        with Terminal(other, settings, arguments.json, arguments.figures) as terminal:
            if arguments.check:
                terminal.check()
            for text in prompts:
                terminal.ask(text)
            if not prompts:
                return talk(terminal, interactive=sys.stdin.isatty() and not arguments.json)
    finally:
        other.close()
    return 0
