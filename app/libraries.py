"""The system libraries that the Python packages load and do not bring: which are missing here, and which Debian packages hold them.

Asked of the dynamic loader itself, before Qt is imported, because Qt says it as an abort ("no Qt platform plugin could be initialized").
The lists were found one by one on a bare Debian 12.
"""

import ctypes
import os
import re
import socket
import sys
from pathlib import Path

QT = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
}
"""What every Qt window needs, an offscreen one too."""

QT_X11 = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
"""What a window on an X11 screen needs besides."""

DV = {"libatomic.so.1": "libatomic1"}
"""What dv-processing needs."""


def missing(libraries: dict[str, str]) -> list[str]:
    """The Debian packages of those `libraries` that the loader does not find. Empty on systems other than Linux."""
    if not sys.platform.startswith("linux"):
        return []
    absent = []
    for library, package in libraries.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            absent.append(package)
    return absent


def screen() -> str:
    """What a window would appear on: ``offscreen``, ``wayland``, ``x11``, ``native`` (not Linux), or empty where there is none."""
    if platform := os.environ.get("QT_QPA_PLATFORM"):
        return "x11" if platform == "xcb" else platform
    if not sys.platform.startswith("linux"):
        return "native"
    if (name := os.environ.get("WAYLAND_DISPLAY")) and _answers(str(Path(os.environ.get("XDG_RUNTIME_DIR", "/")) / name)):
        return "wayland"
    return "x11" if _x11_answers(os.environ.get("DISPLAY", "")) else ""


def _x11_answers(display: str) -> bool:
    """Whether an X server listens at `display`: one that does not (an old DISPLAY in a terminal) makes Qt abort."""
    match = re.fullmatch(r"(?P<host>.*):(?P<number>\d{1,5})(\.\d+)?", display)
    if match is None:
        return False
    if match["host"] in ("", "unix"):
        path = f"/tmp/.X11-unix/X{match['number']}"
        return _answers(path) or _answers(f"\0{path}")
    try:
        socket.create_connection((match["host"], 6000 + int(match["number"])), timeout=2).close()
    except (OSError, OverflowError):
        return False
    return True


def _answers(path: str) -> bool:
    """Whether somebody listens at the UNIX socket `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def missing_for_window() -> list[str]:
    """The Debian packages that a window needs on the present screen and that are missing."""
    return missing(QT | (QT_X11 if screen() == "x11" else {}))


def install_command(packages: list[str]) -> str:
    """The command that installs Debian `packages`."""
    return f"sudo apt-get install --no-install-recommends {' '.join(packages)}"
