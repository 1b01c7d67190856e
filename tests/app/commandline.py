"""Running the command as a user does, and asking dv-processing what is in a file, each in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

COUNT = """
import sys
import dv_processing as dv
reader = dv.io.MonoCameraRecording(sys.argv[1])
count = 0
while reader.isRunning("events"):
    events = reader.getNextEventBatch()
    count += 0 if events is None else len(events)
print(count, flush=True)
import os; os._exit(0)
"""


def environment(**more: str) -> dict[str, str]:
    """The environment for child processes: this checkout, no screen unless `more` says so."""
    kept = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    return kept | {"PYTHONPATH": str(ROOT)} | more


def egret(*arguments: str | Path, timeout: float = 120, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run ``egret ARGUMENTS`` to its end."""
    command = [sys.executable, "-m", "app.cli", *map(str, arguments)]
    return subprocess.run(command, env=environment(**more), capture_output=True, text=True, timeout=timeout, check=False)


def lines(ended: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    """The JSON lines on stdout."""
    return [json.loads(line) for line in ended.stdout.splitlines()]


def dv_count(path: Path) -> int:
    """How many events dv-processing itself reads from `path`."""
    said = subprocess.run([sys.executable, "-c", COUNT, str(path)], capture_output=True, text=True, timeout=60, check=True)
    return int(said.stdout)
