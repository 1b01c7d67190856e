"""`egret train gesture|language|spikegpt`: training, which needs the `train` extra (torch)."""

import argparse

from pipeline.errors import FAILED, UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the trainings, which name them themselves."""
    try:
        import torch  # noqa: F401  (only to say plainly that it is missing)
    except ImportError:
        raise UserError(
            "Training needs PyTorch, which is not installed: run `sh app/environment.sh train` in the project's folder.", FAILED
        ) from None
    from models.training import gesture, language, spikegpt

    kinds = parser.add_subparsers(dest="kind", required=True, metavar="gesture|language|spikegpt")
    for kind, training in (("gesture", gesture), ("language", language), ("spikegpt", spikegpt)):
        chosen = kinds.add_parser(kind, help=f"train the {kind} network")
        training.add_arguments(chosen)
        chosen.set_defaults(train=training.run)


def run(arguments: argparse.Namespace) -> int:
    """Train."""
    return int(arguments.train(arguments))
