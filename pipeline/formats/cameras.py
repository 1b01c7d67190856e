"""Cameras and text headers of AEDAT recordings before version 4: which sensor a name stands for, and where the text ends."""

import re
from typing import BinaryIO

from pipeline.errors import UserError

MAX_HEADER = 16 << 20
"""jAER writes all its preferences into the header, some hundred kilobytes; more than this is no header."""
_MAX_LINE = 1 << 16
_ENDS = (b"#!END-HEADER", b"#End Of ASCII Header")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")

SIZES = {
    "dvs128": (128, 128),
    "davis128": (128, 128),
    "davis208": (208, 192),
    "davis240": (240, 180),
    "dvxplorer_lite": (320, 240),
    "davis346": (346, 260),
    "davis640": (640, 480),
    "dvxplorer": (640, 480),
}
"""Width and height in pixels (iniVation's data sheets), from the smallest sensor to the largest."""
_NAMES = (
    (re.compile(r"e?dvs_?128|tmpdiff128", re.I), "dvs128"),
    (re.compile(r"sbret10", re.I), "davis240"),
    (re.compile(r"davis_?(?:rgb)?(128|208|240|346|640)", re.I), "davis"),
    (re.compile(r"dvxplorer.?lite", re.I), "dvxplorer_lite"),
    (re.compile(r"dvxplorer", re.I), "dvxplorer"),
)


def camera_in(text: str) -> str:
    """The camera of `SIZES` that `text` names, however cAER and jAER spell it; empty if none."""
    for pattern, camera in _NAMES:
        if found := pattern.search(text):
            return camera + found[1] if camera == "davis" else camera
    return ""


def read_header(file: BinaryIO, name: str) -> list[str]:
    """The lines of the text header of `file`, which is left where its data begins.

    The header ends at its end mark, or, where the format has none, before the first line that does not begin with ``#`` or is no text:
    an event may begin with that byte as well. UserError if there is more than `MAX_HEADER`; raises OSError as the file does.
    """
    lines: list[str] = []
    begin = file.seek(0)
    while begin < MAX_HEADER:
        line = file.readline(_MAX_LINE)
        if not line.startswith(b"#") or not line.endswith(b"\n") or _CONTROL.search(line):
            file.seek(begin)
            return lines
        begin += len(line)
        lines.append(line.decode("utf-8", "replace").strip())
        if line.startswith(_ENDS):
            return lines
    raise UserError(f"The header of {name} has no end: the file is damaged.")
