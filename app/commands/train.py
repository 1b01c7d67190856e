"""`egret train gesture|language`: training, which needs the `train` extra (torch)."""

import argparse
import importlib
import sys

from pipeline.errors import FAILED, UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Hands the options to the training of the network that is named first."""
    try:
        import torch  # noqa: F401  (only to say plainly that it is missing)
    except ImportError:
        raise UserError(
            "Training needs PyTorch, which is not installed: run `sh app/environment.sh train` in the project's folder.", FAILED
        ) from None
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="gesture|language")
    for kind in ("gesture", "language"):
        chosen = kinds.add_parser(kind, help=f"train the {kind} network")
        if kind in sys.argv:
            importlib.import_module(f"models.training.{kind}").add_arguments(chosen)


def run(arguments: argparse.Namespace) -> int:
    """Train."""
    return int(importlib.import_module(f"models.training.{arguments.kind}").run(arguments))
