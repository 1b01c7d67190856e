"""Names of sources, as users type them: ``camera``, ``wave.aedat4``, ``tcp://127.0.0.1:7777``, ``simulated:7``."""

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pipeline.errors import USAGE, UserError

FORMS = "camera[:SERIAL], a recording's path, tcp://HOST:PORT, unix:PATH or simulated[:SEED[/GESTURE]]"

Kind = Literal["camera", "file", "tcp", "unix", "simulated"]


@dataclass(frozen=True, slots=True)
class Spec:
    """A source's name, taken apart. Fields that its kind has no use for are empty."""

    kind: Kind
    text: str
    """As the user gave it."""
    path: str = ""
    host: str = ""
    port: int = 0
    serial: str = ""
    seed: int = 0
    gesture: str = ""

    @property
    def live(self) -> bool:
        """Whether it goes on by itself and is worth waiting for when it goes away."""
        return self.kind != "file"


def parse_spec(text: str) -> Spec:
    """The source that `text` names; UserError (usage) if it names none. Whether it is there, only opening it will tell."""
    if "\0" in text:
        raise UserError(f"{_short(text)} is neither a source nor a file: give {FORMS}.", USAGE)
    scheme, colon, rest = text.partition(":")
    match scheme:
        case "camera" if rest or not colon:
            return Spec("camera", text, serial=rest)
        case "file" if rest:
            return Spec("file", text, path=rest.removeprefix("//"))
        case "unix" if rest.removeprefix("//"):
            return Spec("unix", text, path=rest.removeprefix("//"))
        case "tcp":
            return _tcp(text)
        case "simulated":
            return _simulated(text, rest if colon else "0")
    if text and "://" not in text and ("/" in text or "." in text or _exists(text)):
        return Spec("file", text, path=text)
    raise UserError(f"{_short(text)} is neither a source nor a file: give {FORMS}.", USAGE)


def _exists(path: str) -> bool:
    with contextlib.suppress(OSError):  # too long for a name, or in a folder that may not be read
        return Path(path).exists()
    return False


def _short(text: str) -> str:
    """`text` in quotes, cut where it is too long for a sentence."""
    return repr(text if len(text) <= 80 else f"{text[:80]}...")


def _tcp(text: str) -> Spec:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port or parts.path or parts.query or parts.username is not None:
        raise UserError(f"{_short(text)} is not a network address: write tcp://HOST:PORT, for instance tcp://127.0.0.1:7777.", USAGE)
    return Spec("tcp", text, host=host, port=port)


def _simulated(text: str, rest: str) -> Spec:
    match = re.fullmatch(r"(\d{0,18})(?:/(\w+))?", rest)
    if match is None:
        raise UserError(f"{_short(text)} is not a simulated source: write simulated, simulated:SEED or simulated:SEED/GESTURE.", USAGE)
    if gesture := match[2] or "":
        from pipeline.simulator import KINDS  # its compiled code takes a while to load, and the engine does not need it

        if gesture not in KINDS:
            raise UserError(f"There is no gesture {gesture!r}: choose one of {', '.join(KINDS)}.", USAGE)
    return Spec("simulated", text, seed=int(match[1] or 0), gesture=gesture)
