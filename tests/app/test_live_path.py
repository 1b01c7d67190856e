"""Promises of starting live: without torch, and without dv-processing or Qt in the engine."""

import subprocess
import sys
from pathlib import Path

from commandline import environment

FORBID = """
import sys
for name in {forbidden}:
    sys.modules[name] = None  # importing it fails
from app.cli import run_command
sys.exit(run_command({arguments}))
"""


def run_without(forbidden: list[str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    code = FORBID.format(forbidden=forbidden, arguments=list(arguments))
    return subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=120, check=False)


def test_the_engine_runs_a_recording_where_torch_qt_and_dv_cannot_be_imported(simulated_wave: Path) -> None:
    ended = run_without(["torch", "PySide6", "pyqtgraph", "dv_processing", "tonic"], "run", "--source", str(simulated_wave), "--speed", "0")
    assert ended.returncode == 0, ended.stderr
    assert "decisions from" in ended.stdout


def test_chat_answers_where_torch_cannot_be_imported() -> None:
    ended = run_without(["torch", "PySide6", "dv_processing"], "chat", "--prompt", "hello", "--tokens", "5", "--json")
    assert ended.returncode == 0, ended.stderr
    assert '"type": "answer"' in ended.stdout


def test_the_window_can_be_imported_where_torch_and_dv_cannot() -> None:
    code = "import sys; sys.modules['torch'] = sys.modules['dv_processing'] = None; import app.window.main"
    subprocess.run([sys.executable, "-c", code], env=environment(QT_QPA_PLATFORM="offscreen"), timeout=120, check=True)
