"""Where an engine and its windows meet: one folder a running engine, holding its socket and the time surface.

The folder lies under ``$EGRET_SESSIONS``, else ``$XDG_RUNTIME_DIR/egret``, else a folder of this user's in the temporary directory;
it is readable by its owner alone, because whoever can open the socket can steer the engine.
"""

import os
import shutil
import socket
import tempfile
from pathlib import Path

from pipeline.errors import UserError

SOCKET = "engine.sock"
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
        raise UserError(
            f"The sessions folder {folder} cannot be used ({error.strerror}): set EGRET_SESSIONS to a writable folder."
        ) from None
    if owner != os.getuid():
        raise UserError(f"The sessions folder {folder} belongs to another user: set EGRET_SESSIONS to a folder of your own.")
    return folder


def create() -> Path:
    """A new session's folder, named after this process."""
    folder = root() / str(os.getpid())
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700)
    if len(str(folder / SOCKET)) > MAX_SOCKET_PATH:
        folder.rmdir()
        raise UserError(f"The path {folder} is too long for a socket: set EGRET_SESSIONS to a folder with a shorter path.")
    return folder


def answers(folder: Path) -> bool:
    """Whether an engine listens in `folder`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1.0)
        try:
            client.connect(str(folder / SOCKET))
        except OSError:
            return False
        return True


def _alive(folder: Path) -> bool:
    try:
        os.kill(int(folder.name), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def running() -> list[Path]:
    """The sessions whose engine answers, newest first. Folders that a dead engine left are removed on the way."""
    found = []
    for folder in root().iterdir():
        if not _alive(folder):
            shutil.rmtree(folder, ignore_errors=True)
        elif answers(folder):
            found.append(folder)
    return sorted(found, key=lambda f: f.stat().st_mtime, reverse=True)
