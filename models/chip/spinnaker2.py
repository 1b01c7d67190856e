"""The chip itself: how a board is named, what may be missing, and the process that drives it (models/chip/board).

**Never tried on a board**, because nobody who builds Egret has one. What can be proven without is proven: the whole path, from a step of a
network to "the board" and back, runs in the tests in a second process against a package with exactly the public names of py-spinnaker2 and
the emulated chip behind them.

A board is described by a file (`SETTINGS`, else `spinnaker2.toml` in $XDG_CONFIG_HOME/egret), by the environment, and by the option
``--runtime spinnaker2:ADDRESS``; what comes later wins. Keys of the file, all optional:

    python = "/usr/bin/python3.12"          interpreter that has py-spinnaker2 (default: python3.12 on the path)
    path = "/home/me/py-spinnaker2/src"     folder to find the package in, where it is not installed
    board = "single"                        or "48", the board with 48 chips
    eth_ip = "192.168.1.25"                 address of the chip                             environment: S2_IP
    stm_ip = "192.168.1.2"                  address of the board's controller               environment: STM_IP, or STM_IP48 for "48"
    experiment_backend = "spinnman2"        which of the package's backends                 environment: PYS2_EXPERIMENT_BACKEND
    tick_s = 0.001                          instead of the plan's tick
    limit_s = 120                           seconds after which a run hangs

Every way in which a board may be out of reach is a state with a name and a sentence: see `Readiness`.
"""

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.chip import plan as plans
from models.chip.plan import Plan
from models.chip.worker_process import ChipProcess
from pipeline.errors import FAILED, USAGE, UserError

NAME = "The SpiNNaker 2 board"
SETTINGS = "EGRET_SPINNAKER2"
"""Environment variable that names the file."""
PROBE_S = 20.0
SITE = Path("/etc/opt/spinnaker/SPINNAKER_CONFIG_PATH")
"""Where boards are shared, the package's installation keeps the folder of its configuration and locks in this file."""
BOARDS = ("single", "48")
_PROBE = "import importlib.util, json, sys; print(json.dumps([sys.version_info[:2], importlib.util.find_spec('spinnaker2') is not None]))"


@dataclass(frozen=True, slots=True)
class Settings:
    """A board, and the way to it."""

    python: str = ""
    path: str = ""
    board: str = "single"
    eth_ip: str = ""
    stm_ip: str = ""
    experiment_backend: str = ""
    tick_s: float = 0.0
    """0: the plan's."""
    limit_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a board could be asked, as far as that can be seen without asking it."""

    state: str
    """``ready``, or what is missing: ``python`` (no interpreter that the package runs in), ``package`` (py-spinnaker2 is not there),
    ``board`` (no address), ``locked`` (somebody else uses it). When it is asked, besides: ``version`` (a name that Egret needs is not
    in this py-spinnaker2), ``model`` (Egret's program is not added to it), ``run`` (it failed), ``answer`` (it is none), or it hangs."""
    sentence: str


def settings(address: str = "") -> Settings:
    """What file, environment and option say. UserError where one makes no sense."""
    found = _from_file(_file())
    stm = "STM_IP48" if found.board == "48" and "STM_IP48" in os.environ else "STM_IP"
    named = {"eth_ip": address or os.environ.get("S2_IP"), "stm_ip": os.environ.get(stm)}
    named["experiment_backend"] = os.environ.get("PYS2_EXPERIMENT_BACKEND")
    return Settings(**asdict(found) | {name: value for name, value in named.items() if value})


def _file() -> Path:
    if named := os.environ.get(SETTINGS):
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".config") / "egret" / "spinnaker2.toml"


def _from_file(path: Path) -> Settings:
    try:
        found = tomllib.loads(path.read_text())
    except FileNotFoundError:
        if os.environ.get(SETTINGS):
            raise UserError(f"There is no file {path}, which {SETTINGS} names as the board's settings.", USAGE) from None
        return Settings()
    except (OSError, ValueError) as error:
        raise UserError(f"The board's settings {path} cannot be read: {error}.", USAGE) from None
    kinds: dict[str, type] = {name: type(value) for name, value in asdict(Settings()).items()}
    for name, value in found.items():
        wanted = (int, float) if kinds.get(name) is float else (kinds.get(name, type(None)),)
        if not isinstance(value, wanted) or isinstance(value, bool) or (name == "board" and value not in BOARDS):
            known = f"known are {', '.join(kinds)}, and as board {' or '.join(BOARDS)}"
            raise UserError(f"The board's settings {path} say {name} = {value!r}; {known}.", USAGE)
    result = Settings(**{name: kinds[name](value) for name, value in found.items()})
    if not (0 <= result.tick_s <= 1 and 0 < result.limit_s <= 86_400):
        raise UserError(f"The board's settings {path} need 0 <= tick_s <= 1 and 0 < limit_s <= 86400.", USAGE)
    return result


def examine(wanted: Settings) -> Readiness:
    """What is there of what a board needs, without touching the board. Starts the other Python for a moment."""
    python = wanted.python or shutil.which("python3.12")
    if not python:
        return Readiness(
            "python", "There is no Python 3.12, which py-spinnaker2 needs: install it, or name it as `python` in the settings."
        )
    found = _asked(python, wanted)
    if found is None:
        return Readiness("python", f"The Python {python} cannot be run: name one that py-spinnaker2 is installed in as `python`.")
    version, there = found
    if not there:
        sentence = f"The Python {python} ({version}) has no package spinnaker2: install py-spinnaker2 there, or name its folder as `path`."
        return Readiness("package", sentence)
    if not (wanted.eth_ip or wanted.stm_ip or SITE.is_file()):
        return Readiness("board", "No board is named: set S2_IP to its address, or use --runtime spinnaker2:ADDRESS.")
    if wanted.eth_ip and locked(wanted.eth_ip):
        return Readiness("locked", f"The board {wanted.eth_ip} is in use by somebody else: wait until its lock is free.")
    return Readiness("ready", f"py-spinnaker2 is there ({python}) and a board is named; whether it answers is seen when it is asked.")


def _asked(python: str, wanted: Settings) -> tuple[str, bool] | None:
    """(version, whether the package is there) of an interpreter; None if it cannot be run."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, [wanted.path, os.environ.get("PYTHONPATH")])))
    try:
        done = subprocess.run([python, "-c", _PROBE], capture_output=True, timeout=PROBE_S, env=environment, check=True)
        version, there = json.loads(done.stdout)
        return ".".join(map(str, version)), bool(there)
    except (OSError, subprocess.SubprocessError, ValueError, TypeError):
        return None


def locked(address: str, site: Path = SITE) -> bool:
    """Whether another process holds the lock of the board at `address`, where boards are shared. False where that cannot be seen."""
    try:
        lock = Path(site.read_text().strip()) / "locks" / f"BOARD_{address.replace('.', '_')}.lock"
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def start(plan: Plan, wanted: Settings) -> ChipProcess:
    """The process that has `plan` and the way to the board. UserError with the sentence of the state where there is none."""
    readiness = examine(wanted)
    if readiness.state != "ready":
        raise UserError(f"{readiness.sentence} --runtime host needs no board.", FAILED)
    python = wanted.python or shutil.which("python3.12") or ""
    told: dict[str, Any] = {name: getattr(wanted, name) for name in ("board", "eth_ip", "stm_ip", "experiment_backend", "tick_s")}
    with tempfile.TemporaryDirectory(prefix="egret-") as folder:
        path = Path(folder) / "plan.safetensors"
        plans.save(plan, path)
        arguments = ["-m", "models.chip.board.worker", str(path), json.dumps(told)]
        return ChipProcess(NAME, python, arguments, len(plan.networks), path=wanted.path)
