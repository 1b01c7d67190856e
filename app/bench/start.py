"""Cold start: from the command to the first painted picture of the window with events in it, everything as a visitor starts it.

The window says itself when that picture was on screen (`egret gui --timing`), on the same monotonic clock. The processor time of all its
processes is given beside it, because on a busy machine only that can be compared; it includes taking leave.
"""

import resource
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import assets
from app.commands.common import DEMO, as_process
from pipeline.errors import UserError
from pipeline.latency import percentiles

RUNS = 3


def run(seconds: float = 3.0) -> dict[str, Any]:
    """Figures over RUNS starts; the window takes its picture as soon as it has painted events, and ends."""
    with tempfile.TemporaryDirectory(prefix="egret-") as folder:
        took, cpu = zip(*(_start(Path(folder)) for _ in range(RUNS)), strict=True)
    figures = {
        "median s": round(percentiles(took)[0], 2),
        "slowest s": round(max(took), 2),
        "median CPU s": round(percentiles(cpu)[0], 2),
        "runs": RUNS,
    }
    return {"start to first painted frame": figures}


def _start(folder: Path) -> tuple[float, float]:
    """(seconds from the start of the process to its first picture with events, seconds of processor time of it and its children)."""
    command, environment = as_process("gui", "--source", str(assets.path(DEMO)), "--timing", "--after", "0")
    command += ["--screenshot", str(folder / "first.png")]
    environment["EGRET_SESSIONS"] = str(folder)
    environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    try:
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        raise UserError("The window did not open within a minute: try `egret gui --timing` by hand.") from None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    for line in ended.stderr.splitlines():
        if line.startswith("egret: first frame "):
            return float(line.split()[-1]) - begun, cpu
    raise UserError(f"The window did not open: {ended.stderr.strip()}")
