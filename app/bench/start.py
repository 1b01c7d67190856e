"""Cold start: from the command to the first painted picture of the window with events in it, everything as a visitor starts it."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import assets
from app.commands.common import DEMO
from pipeline.errors import UserError
from pipeline.latency import percentiles

RUNS = 3


def run(seconds: float = 3.0) -> dict[str, Any]:
    """Figures over RUNS starts; the window takes its picture as soon as it has painted events, and ends."""
    with tempfile.TemporaryDirectory(prefix="egret-") as folder:
        took = [_start(Path(folder)) for _ in range(RUNS)]
    p50, p95 = percentiles(took)
    return {"start to first painted frame": {"median s": round(p50, 2), "p95 s": round(p95, 2), "runs": RUNS}}


def _start(folder: Path) -> float:
    """Seconds from the start of the process to the time stamp that the window prints when it has painted events."""
    environment = dict(os.environ, EGRET_SESSIONS=str(folder), EGRET_FIRST_FRAME="1")
    environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    command = [
        sys.executable,
        "-m",
        "app.cli",
        "gui",
        "--source",
        str(assets.path(DEMO)),
        "--screenshot",
        str(folder / "first.png"),
        "--after",
        "1",
    ]
    begun = time.monotonic()
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    for line in ended.stderr.splitlines():
        if line.startswith("egret: first frame "):
            return float(line.split()[-1]) - begun
    raise UserError(f"The window did not open: {ended.stderr.strip()}")
