"""Promises of what the trainings share: processes that wait for each other."""

import os
import subprocess
import sys
from pathlib import Path

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
