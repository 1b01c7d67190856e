"""The system libraries that the Python packages load and do not bring: which are missing here, and which Debian packages hold them.

Asked of the dynamic loader itself, before Qt is imported, because Qt says it as an abort ("no Qt platform plugin could be initialized").
The lists were found one by one on a bare Debian 12.
"""

import ctypes
import os
import sys

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
    if os.environ.get("WAYLAND_DISPLAY"):
        return "wayland"
    return "x11" if os.environ.get("DISPLAY") else ""


def missing_for_window() -> list[str]:
    """The Debian packages that a window needs on the present screen and that are missing."""
    return missing(QT | (QT_X11 if screen() == "x11" else {}))


def install_command(packages: list[str]) -> str:
    """The command that installs Debian `packages`."""
    return f"sudo apt-get install --no-install-recommends {' '.join(packages)}"
