"""The command `egret`: finds the subcommand, runs it, and turns what went wrong into one sentence and an exit code.

0 good, 1 failed, 2 usage, 3 partial (DESIGN.md section 6). Only the module of the subcommand in question is imported, so that no command
pays for another's libraries. Results go to stdout, everything else to stderr.
"""

import argparse
import contextlib
import errno
import importlib
import logging
import os
import sys
from collections.abc import Sequence

import app
from pipeline.errors import FAILED, USAGE, UserError

COMMANDS = {
    "gui": "the window, with an engine of its own or attached to one that runs",
    "run": "the engine alone: recognise without a window and print decisions",
    "record": "write what a source delivers to an AEDAT 4 file",
    "info": "say what is in a recording",
    "simulate": "make a recording of a simulated gesture",
    "teach": "teach the gesture network a new gesture from a few examples",
    "train": "train the gesture network or the language model",
    "evaluate": "measure a network on data",
    "chat": "talk with the language model in the terminal",
    "compile": "place networks on the chip, and write what it is sent",
    "verify": "prove that the chip's firmware computes what the host computes",
    "bench": "measure speed on this machine and print the figures",
    "doctor": "look for what is missing or wrong here, and name the mend",
}

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What the machine answers when there is no room, or the terminal has gone. Not a fault of ours, wherever it comes up."""


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {what}" for name, what in COMMANDS.items()]
    head = [
        "usage: egret [COMMAND] [OPTIONS]",
        "",
        "Without a command: the window, on a camera if one is there, else on the demo recording.",
        "",
    ]
    return "\n".join(head + lines)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence, like all of Egret's."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise UserError(f"{message[0].upper()}{message[1:]}: see `{self.prog} --help`.", USAGE)


def run_command(arguments: Sequence[str]) -> int:
    """Parse `arguments` (without the program's name) and run; raises UserError for what a user got wrong."""
    if arguments and arguments[0] in ("-h", "--help", "help"):
        print(_usage())
        return 0
    if arguments and arguments[0] == "--version":
        print(f"egret {app.__version__}")
        return 0
    name, rest = (arguments[0], arguments[1:]) if arguments and not arguments[0].startswith("-") else ("gui", arguments)
    if name not in COMMANDS:
        raise UserError(f"There is no command {name!r}: choose one of {', '.join(COMMANDS)}.", USAGE)
    module = importlib.import_module(f"app.commands.{name}")
    parser = Parser(prog=f"egret {name}", description=COMMANDS[name].capitalize() + ".")
    module.add_arguments(parser)
    return int(module.run(parser.parse_args(rest)))


def _drop_output() -> None:
    """What is still to be written to stdout goes nowhere, so that the interpreter does not complain of it on its way out."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> int:
    """The entry point: returns the exit code."""
    logging.basicConfig(format="egret: %(message)s", level=logging.INFO, stream=sys.stderr)
    try:
        code = run_command(sys.argv[1:])
        if sys.stdout:  # there is none where the shell closed it
            sys.stdout.flush()
        return code
    except UserError as error:
        print(f"egret: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # whoever read our output has gone
        _drop_output()
        return FAILED
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        _drop_output()
        print(f"egret: The output cannot be written ({error.strerror}): make room, or write to another place.", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("egret: stopped.", file=sys.stderr)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
