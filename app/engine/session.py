"""Where an engine and its windows meet: one folder a running engine, holding its socket and the time surface.

The folder lies under ``$EGRET_SESSIONS``, else ``$XDG_RUNTIME_DIR/egret``, else a folder of this user's in the temporary directory, and is
called ``engine-PID``. It is readable by its owner alone, because whoever can open the socket can steer the engine. Nothing is ever removed
but files of our own names in folders of our own names: the place may hold other things.
"""

import contextlib
import os
import re
import socket
import tempfile
from pathlib import Path

from pipeline.errors import UserError

SOCKET = "engine.sock"
OURS = (SOCKET, "surface.*")
"""What an engine puts into its folder."""
MAX_SOCKET_PATH = 100
"""A UNIX socket's path must fit 108 bytes on Linux."""


def root() -> Path:
    """The folder that holds the sessions of this user; made if it is not there."""
    if named := os.environ.get("EGRET_SESSIONS"):
        folder = Path(named)
    elif runtime := os.environ.get("XDG_RUNTIME_DIR"):
        folder = Path(runtime) / "egret"
    else:
        folder = Path(tempfile.gettempdir()) / f"egret-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = folder.stat().st_uid
    except OSError as error:
        why = error.strerror
        raise UserError(f"The sessions folder {folder} cannot be used ({why}): set EGRET_SESSIONS to a writable folder.") from None
    if owner != os.getuid():
        raise UserError(f"The sessions folder {folder} belongs to another user: set EGRET_SESSIONS to a folder of your own.")
    return folder


def folder_of(pid: int) -> Path:
    """The session's folder of the engine with process number `pid`."""
    return root() / f"engine-{pid}"


def pid_of(folder: Path) -> int:
    """The process number of the engine whose session lies in `folder`."""
    return int(folder.name.removeprefix("engine-"))


def create() -> Path:
    """A new session's folder, named after this process."""
    folder = folder_of(os.getpid())
    if len(str(folder / SOCKET)) > MAX_SOCKET_PATH:
        raise UserError(f"The path {folder} is too long for a socket: set EGRET_SESSIONS to a folder with a shorter path.")
    remove(folder)
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise UserError(f"The session {folder} cannot be made ({error.strerror}): set EGRET_SESSIONS to a writable folder.") from None
    return folder


def remove(folder: Path) -> None:
    """Remove a session's folder: our own files in it, and then the folder if that left it empty."""
    with contextlib.suppress(OSError):
        for pattern in OURS:
            for path in folder.glob(pattern):
                path.unlink()
        folder.rmdir()


def answers(folder: Path) -> bool:
    """Whether an engine listens in `folder`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1.0)
        try:
            client.connect(str(folder / SOCKET))
        except OSError:
            return False
        return True


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def running() -> list[Path]:
    """The sessions whose engine answers, newest first. What a dead engine left is removed on the way."""
    found: list[tuple[float, Path]] = []
    for folder in root().iterdir():
        if not (match := re.fullmatch(r"engine-(\d+)", folder.name)):
            continue
        if not _alive(int(match[1])):
            remove(folder)
        elif answers(folder):
            with contextlib.suppress(OSError):  # it ended just now
                found.append((folder.stat().st_mtime, folder))
    return [folder for _, folder in sorted(found, reverse=True)]
