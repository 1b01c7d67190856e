"""The chip itself: how a board is named, what may be missing, and the process that drives it (models/chip/board).

**Never tried on a board**, because nobody who builds Egret has one. What can be proven without is proven: the whole path, from a step of a
network to "the board" and back, runs in the tests in a second process against a package with exactly the public names of py-spinnaker2 and
the emulated chip behind them.

A board is described, in this order of precedence, by

1. the option ``--runtime spinnaker2:ADDRESS``, after which any key below may follow: ``spinnaker2:192.168.1.25,board=48,tick_s=0.002``,
2. the environment: S2_IP (eth_ip), STM_IP, or STM_IP48 for the board "48" (stm_ip), PYS2_EXPERIMENT_BACKEND (experiment_backend),
3. a file: the one that `SETTINGS` names, else ``spinnaker2.toml`` in $XDG_CONFIG_HOME/egret,
4. where none of them gives an address, the site's list (models/chip/boards.py): its first board of this kind that nobody uses.

    python = "/usr/bin/python3.12"          interpreter that has py-spinnaker2 (default: python3.12 on the path)
    path = "/home/me/py-spinnaker2/src"     folder to find the package in, where it is not installed
    board = "single"                        or "48", the board with 48 chips
    eth_ip = "192.168.1.25"                 address of the chip, or an entry of the site's list
    stm_ip = "192.168.1.2"                  address of the board's controller
    experiment_backend = "spinnman2"        which of the package's backends
    tick_s = 0.001                          instead of the plan's tick
    limit_s = 120                           seconds after which a run hangs

Every way in which a board may be out of reach is a state with a name and a sentence: see `Readiness`.
"""

import contextlib
import ipaddress
import json
import os
import shutil
import subprocess
import tempfile
import tomllib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from models.chip import boards
from models.chip import plan as plans
from models.chip.plan import Plan
from models.chip.worker_process import ChipProcess
from pipeline.errors import FAILED, USAGE, UserError

NAME = "The SpiNNaker 2 board"
SETTINGS = "EGRET_SPINNAKER2"
"""Environment variable that names the file."""
PROBE_S = 20.0
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
    ``board`` (no address), ``site`` (the site's list cannot be read), ``locked`` (somebody else uses it). When it is asked, besides:
    ``version`` (a name that Egret needs is not in this py-spinnaker2), ``model`` (Egret's program is not added to it), ``run`` (it
    failed), ``answer`` (it is none), or it hangs."""
    sentence: str
    chosen: Settings = Settings()
    """With a board of the site's list, where none was named."""


def settings(option: str = "") -> Settings:
    """What option, environment and file say, the first of them that says something. UserError where one makes no sense."""
    address, _, rest = option.partition(",")
    if "=" in address:
        address, rest = "", option
    said = _checked(_pairs(rest), f"The runtime spinnaker2:{option} says")
    if address:
        said["eth_ip"] = address
    filed = _from_file(_file())
    board = said.get("board", filed.get("board"))
    stm = "STM_IP48" if board == "48" and "STM_IP48" in os.environ else "STM_IP"
    exported = {"eth_ip": "S2_IP", "stm_ip": stm, "experiment_backend": "PYS2_EXPERIMENT_BACKEND"}
    environment = {name: os.environ[variable] for name, variable in exported.items() if os.environ.get(variable)}
    return Settings(**filed | environment | said)


def _pairs(text: str) -> dict[str, Any]:
    """The keys in ``name=value,name=value``, numbers where a key is one."""
    found: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        found[name] = value
        if isinstance(getattr(Settings(), name, None), float):
            with contextlib.suppress(ValueError):  # `_checked` says so
                found[name] = float(value)
    return found


def _file() -> Path:
    if named := os.environ.get(SETTINGS):
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".config") / "egret" / "spinnaker2.toml"


def _from_file(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text())
    except FileNotFoundError:
        if os.environ.get(SETTINGS):
            raise UserError(f"There is no file {path}, which {SETTINGS} names as the board's settings.", USAGE) from None
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"The board's settings {path} cannot be read: {error}.", USAGE) from None
    return _checked(found, f"The board's settings {path} say")


def _checked(found: dict[str, Any], who: str) -> dict[str, Any]:
    """`found`, whose keys are those of `Settings`, with numbers as floats. UserError, which begins with `who` says, where one is none."""
    kinds: dict[str, type] = {name: type(value) for name, value in asdict(Settings()).items()}
    for name, value in found.items():
        wanted = (int, float) if kinds.get(name) is float else (kinds.get(name, type(None)),)
        if not isinstance(value, wanted) or isinstance(value, bool) or (name == "board" and value not in BOARDS):
            known = f"known are {', '.join(kinds)}, and as board {' or '.join(BOARDS)}"
            raise UserError(f"{who} {name} = {value!r}; {known}.", USAGE)
    result = {name: kinds[name](value) for name, value in found.items()}
    if not (0 <= result.get("tick_s", 0) <= 1 and 0 < result.get("limit_s", 1) <= 86_400):
        raise UserError(f"{who} what cannot be: 0 <= tick_s <= 1 and 0 < limit_s <= 86400 are needed.", USAGE)
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
    return _board(wanted, python)


def _board(wanted: Settings, python: str) -> Readiness:
    """Whether there is a board for `wanted`, by its address or by the site's list."""
    if not wanted.stm_ip and not _is_address(wanted.eth_ip):
        try:
            every = boards.listed()
        except UserError as unreadable:
            return Readiness("site", str(unreadable))
        mine = [board for board in every if (board.machine == wanted.eth_ip if wanted.eth_ip else board.kind == wanted.board)]
        free = next((board for board in mine if not boards.locked(board.eth_ip)), None)
        if free is not None:
            wanted = replace(wanted, eth_ip=free.eth_ip, board=free.kind)
        elif mine:
            return Readiness("locked", f"All {len(mine)} boards of this kind in the site's list are in use: wait until one is free.")
        elif not wanted.eth_ip and (every or boards.root() is None):  # a site without a list is for the package to ask
            return Readiness("board", "No board is named: set S2_IP to its address, or use --runtime spinnaker2:ADDRESS.")
    if wanted.eth_ip and boards.locked(wanted.eth_ip):
        return Readiness("locked", f"The board {wanted.eth_ip} is in use by somebody else: wait until its lock is free.")
    where = "the package is to find a board itself"
    if address := wanted.eth_ip or wanted.stm_ip:
        where = f"the board {address} is named"
    sentence = f"py-spinnaker2 is there ({python}) and {where}; whether it answers is seen when it is asked."
    return Readiness("ready", sentence, wanted)


def _is_address(text: str) -> bool:
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(text)
        return True
    return False


def _asked(python: str, wanted: Settings) -> tuple[str, bool] | None:
    """(version, whether the package is there) of an interpreter; None if it cannot be run."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, [wanted.path, os.environ.get("PYTHONPATH")])))
    try:
        done = subprocess.run([python, "-c", _PROBE], capture_output=True, timeout=PROBE_S, env=environment, check=True)
        version, there = json.loads(done.stdout)
        return ".".join(map(str, version)), bool(there)
    except (OSError, subprocess.SubprocessError, ValueError, TypeError):
        return None


def start(plan: Plan, wanted: Settings) -> ChipProcess:
    """The process that has `plan` and the way to the board. UserError with the sentence of the state where there is none."""
    readiness = examine(wanted)
    if readiness.state != "ready":
        raise UserError(f"No board ({readiness.state}): {readiness.sentence} The runtime `host` needs none.", FAILED)
    wanted = readiness.chosen
    python = wanted.python or shutil.which("python3.12") or ""
    told: dict[str, Any] = {name: getattr(wanted, name) for name in ("board", "eth_ip", "stm_ip", "experiment_backend", "tick_s")}
    with tempfile.TemporaryDirectory(prefix="egret-") as folder:
        path = Path(folder) / "plan.safetensors"
        plans.save(plan, path)
        arguments = ["-m", "models.chip.board.worker", str(path), json.dumps(told)]
        return ChipProcess(NAME, python, arguments, len(plan.networks), path=wanted.path)
