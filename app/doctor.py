"""What is missing or wrong on this machine, each finding with the command that mends it.

A check imports what it needs itself: where a package is missing or broken, that is a finding, and the others are still made.
"""

import importlib.metadata
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import assets
from app import libraries
from app.commands.common import DEMO, INIVATION, camera_is_there
from pipeline.errors import UserError

UDEV_RULE = Path("/etc/udev/rules.d/65-event-cameras.rules")
MIN_FREE_GB = 2.0
INSTALL = "sh app/environment.sh"
PACKAGES = (
    "numpy",
    "dv-processing",
    "PySide6-Essentials",
    "pyqtgraph",
    "numba",
    "safetensors",
    "tokenizers",
    "flatbuffers",
    "lz4",
    "zstandard",
    "tqdm",
)
"""What pyproject.toml asks for without extras."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    level: str
    """``good``, ``note`` (works, could be better), or ``bad``."""
    sentence: str
    mend: str = ""
    """The command that mends it."""

    def message(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


def examine() -> Iterator[Finding]:
    """Every finding, one after the other."""
    checks: tuple[Callable[[], Finding], ...] = (
        _python,
        _packages,
        _dv_libraries,
        _window_libraries,
        _screen,
        _camera,
        _chip,
        _weights,
        _demo,
        _training,
        _engines,
        _disk,
    )
    for check in checks:
        try:
            yield check()
        except UserError as error:
            yield Finding(check.__name__.strip("_"), "bad", str(error))
        except ImportError as error:
            sentence = f"The Python package {error.name or '?'} cannot be imported: {error}."
            yield Finding(check.__name__.strip("_"), "bad", sentence, INSTALL)


def _python() -> Finding:
    return Finding("python", "good", ".".join(map(str, sys.version_info[:3])))


def _packages() -> Finding:
    versions = {name: _version(name) for name in PACKAGES}
    if absent := [name for name, version in versions.items() if not version]:
        return Finding("packages", "bad", f"Python packages are missing: {', '.join(absent)}.", INSTALL)
    if versions["PySide6-Essentials"].startswith("6.12.0") and sys.version_info < (3, 12):
        mend = "pip install 'PySide6-Essentials<6.12'"
        return Finding("packages", "bad", "PySide6 6.12.0 aborts on Python 3.11.", mend)
    return Finding("packages", "good", ", ".join(f"{name} {version}" for name, version in versions.items()))


def _version(package: str) -> str:
    """The installed version of `package`; empty if there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _dv_libraries() -> Finding:
    if absent := libraries.missing(libraries.DV):
        mend = libraries.install_command(absent)
        return Finding("dv-processing", "bad", "dv-processing cannot load: cameras and network streams will not work.", mend)
    return Finding("dv-processing", "good", "its system libraries are here")


def _window_libraries() -> Finding:
    if absent := libraries.missing_for_window():
        return Finding("qt", "bad", "The window cannot open: system libraries are missing.", libraries.install_command(absent))
    return Finding("qt", "good", "its system libraries are here")


def _screen() -> Finding:
    if kind := libraries.screen():
        return Finding("screen", "good", kind)
    return Finding("screen", "note", "There is no screen: Egret runs without its window. Start it in a graphical session to see one.")


def _camera() -> Finding:
    if not camera_is_there():
        return Finding("camera", "note", "No iniVation camera is connected: recordings, network streams and the simulated person work.")
    if not UDEV_RULE.exists():
        rule = f'SUBSYSTEM=="usb", ATTRS{{idVendor}}=="{INIVATION}", MODE="0666"'
        mend = f"echo '{rule}' | sudo tee {UDEV_RULE} && sudo udevadm control --reload-rules && sudo udevadm trigger"
        return Finding("camera", "note", "A camera is connected; without a udev rule only root may open it.", mend)
    return Finding("camera", "good", "an iniVation camera is connected")


def _chip() -> Finding:
    """A board, as far as can be seen without asking it; it is no fault to have none."""
    from models.chip import boards, spinnaker2

    board = spinnaker2.examine(spinnaker2.settings())
    said = " ".join(filter(None, [board.sentence, boards.described()]))
    if board.state == "ready":
        return Finding("chip", "good", f"{said} Egret's way to a board has never been tried on one: --runtime spinnaker2.")
    emulated = "--runtime emulator emulates the chip" if _version("unicorn") else f"`{INSTALL} emulator` brings an emulated chip"
    return Finding("chip", "note", f"{said} Without a board the networks run on the host (HOST); {emulated}.")


def _weights() -> Finding:
    from app.engine.models import Models

    models = Models()
    made = ", ".join(f"{one['name']} {one['hash']}" for one in (models.gesture_id, models.language_id))
    models.tokenizer()
    return Finding("weights", "good", made)


def _demo() -> Finding:
    if not assets.path(DEMO).is_file():
        return Finding("demo", "bad", "The bundled demo recording is missing.", "git checkout -- assets")
    return Finding("demo", "good", str(assets.path(DEMO)))


def _training() -> Finding:
    if version := _version("torch"):
        return Finding("training", "good", f"torch {version}")
    return Finding("training", "note", "PyTorch is not installed: training is not possible, everything else is.", f"{INSTALL} train")


def _engines() -> Finding:
    from app.engine import session

    if running := session.running():
        pids = ", ".join(folder.name for folder in running)
        return Finding("engines", "note", f"An engine is running (process {pids}); `egret gui` attaches to it.", f"kill {running[0].name}")
    return Finding("engines", "good", "no engine is running")


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    if free < MIN_FREE_GB:
        return Finding("disk", "bad", f"Only {free:.1f} GB are free here: recordings will fail soon.", "df -h .")
    return Finding("disk", "good", f"{free:.0f} GB free")
