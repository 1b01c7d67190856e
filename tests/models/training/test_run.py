"""Promises of what the trainings share: processes that wait for each other, and options that cannot be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import run_command
from pipeline.errors import USAGE, UserError

WAITING = """
import torch
from torch import distributed
from models.training.run import World
with World():
    gloo = distributed.group.WORLD._get_backend(torch.device("cpu"))
    print(f"waits {gloo.options._timeout.total_seconds() / 3600} h")
"""


def test_processes_wait_for_the_first_one_for_as_long_as_a_simulation_may_take(tmp_path: Path) -> None:
    (tmp_path / "waiting.py").write_text(WAITING)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[3])}
    ended = subprocess.run(
        [*torchrun, str(tmp_path / "waiting.py")], env=environment, capture_output=True, text=True, timeout=170, check=False
    )
    assert ended.returncode == 0, ended.stderr
    hours = [float(line.split()[1]) for line in ended.stdout.splitlines() if line.startswith("waits")]
    assert len(hours) == 2 and min(hours) >= 24


@pytest.mark.parametrize("kind", ["gesture", "language", "spikegpt"])
@pytest.mark.parametrize(
    "option",
    [
        *("--steps=0", "--steps=-3", "--hours=0", "--hours=-1", "--hours=nan", "--save-every=-3", "--threads=0", "--threads=2147483648"),
        *("--seed=-1", "--seed=2147483649", "--seed=99999999999999999999", "--rate=0", "--rate=-0.1", "--rate=nan", "--rate=inf"),
    ],
)
def test_a_figure_that_cannot_be_is_refused_in_a_sentence(kind: str, option: str) -> None:
    with pytest.raises(UserError, match=option.partition("=")[0]) as refused:
        run_command(["train", kind, option])
    assert refused.value.exit_code == USAGE


@pytest.mark.parametrize("option", ["--clips=0", "--clips=-5", "--clips=1073741825", "--held-out=0", "--held-out=-1"])
def test_clips_that_are_none_are_refused_in_a_sentence(option: str) -> None:
    with pytest.raises(UserError, match=option.partition("=")[0]) as refused:
        run_command(["train", "gesture", option])
    assert refused.value.exit_code == USAGE
