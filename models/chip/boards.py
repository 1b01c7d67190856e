"""The boards of a site: which there are, and who uses them.

Where boards are shared, py-spinnaker2's installation names a folder in the file `SITE` (without it the folder is `ROOT`, if that is there).
In it lies ``spinnaker2_network_config.yml``, with an entry a machine:

    a-name:
        ETH_IP_START: 192.168.1.25
        n_boards: 4
        type: 201                       201: boards with one chip; 248: boards with 48

and a folder ``locks`` with a file for every address, ``BOARD_192_168_1_25.lock``, which is locked (flock) while somebody uses the board.
File names, keys and types are those that are publicly known. That the boards of an entry have addresses one after another is inferred from
the name of the key, and so is that no other key is needed.
"""

import contextlib
import fcntl
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import FAILED, UserError

SITE = Path("/etc/opt/spinnaker/SPINNAKER_CONFIG_PATH")
ROOT = Path("/mnt/spinnaker")
NAME = "spinnaker2_network_config.yml"
KINDS = {201: "single", 248: "48"}
MAX_BYTES = 1 << 20
MAX_BOARDS = 4096
"""Of an entry; more is a slip of the pen."""


@dataclass(frozen=True, slots=True)
class Board:
    """One of a site's boards."""

    machine: str
    """The entry that it belongs to."""
    eth_ip: str
    kind: str
    """"single" or "48"."""


def root() -> Path | None:
    """The folder of the site's configuration; None where boards are not shared."""
    with contextlib.suppress(OSError, ValueError):  # there is no such file, or it is no text
        if named := SITE.read_text("utf-8").strip():
            return Path(named)
    return ROOT if ROOT.is_dir() else None


def listed() -> list[Board]:
    """The boards of this site in the order of its list; none where it has none. UserError for a list that cannot be read."""
    folder = root()
    path = folder / NAME if folder else None
    if path is None or not path.is_file():
        return []
    try:
        import yaml
    except ImportError:
        raise UserError(
            f"The site's boards {path} cannot be read without PyYAML: run `sh app/environment.sh board`, or name an address.", FAILED
        ) from None
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
        found = yaml.safe_load(path.read_text())
        if not isinstance(found, dict):
            raise ValueError("it has no entries")
        return [board for name, entry in found.items() for board in _boards(str(name), entry)]
    except (OSError, ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"The site's boards {path} cannot be read ({reason}); name an address instead.", FAILED) from None


def _boards(machine: str, entry: Any) -> list[Board]:
    """Those of an entry. ValueError where it is none."""
    if not isinstance(entry, dict):
        raise ValueError(f"{machine} has no keys")
    kind, number, first = KINDS.get(entry.get("type", 0)), entry.get("n_boards"), entry.get("ETH_IP_START")
    if kind is None:
        raise ValueError(f"{machine} has the type {entry.get('type')!r}; known are {', '.join(map(str, KINDS))}")
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= MAX_BOARDS:
        raise ValueError(f"{machine} has n_boards {number!r}, not 1 to {MAX_BOARDS}")
    if not isinstance(first, str):
        raise ValueError(f"{machine} has no ETH_IP_START")
    start = ipaddress.IPv4Address(first)
    return [Board(machine, str(start + index), kind) for index in range(number)]


def locked(address: str) -> bool:
    """Whether another process holds the lock of the board at `address`. False where that cannot be seen."""
    folder = root()
    if folder is None:
        return False
    try:
        with (folder / "locks" / f"BOARD_{address.replace('.', '_')}.lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: looking is in nobody's way
    except BlockingIOError:
        return True
    except (OSError, ValueError):  # ValueError: no file can be called so
        return False
    return False


def described() -> str:
    """A sentence on the boards of this site's list and who of them is in use; empty where there is no list, or none that can be read."""
    try:
        every = listed()
    except UserError:
        return ""
    if not every:
        return ""
    used = [board.eth_ip for board in every if locked(board.eth_ip)]
    return f"The site's list has {len(every)} boards, in use: {', '.join(used) or 'none'}."
