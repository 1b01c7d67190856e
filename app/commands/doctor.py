"""`egret doctor`: what is missing or wrong here, with the command that mends each."""

import argparse

from app.commands.common import add_json, json_line
from pipeline.errors import FAILED

MARKS = {"good": "ok  ", "note": "note", "bad": "BAD "}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `egret doctor`."""
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print every finding; exit code 1 if one of them keeps Egret from working."""
    from app.doctor import examine

    bad = False
    for finding in examine():
        bad |= finding.level == "bad"
        if arguments.json:
            json_line({"type": "finding"} | finding.message())
        else:
            print(
                f"{MARKS[finding.level]}  {finding.what:14} {finding.sentence}" + (f"\n      mend: {finding.mend}" if finding.mend else "")
            )
    return FAILED if bad else 0
