"""Why a process of ours has ended, in words."""

import contextlib
import os
import signal
import subprocess
from typing import IO

LAST_BYTES = 4096
LAST_CHARACTERS = 200


def how_it_ended(process: subprocess.Popen[bytes], errors: IO[bytes], patience_s: float) -> str:
    """Why `process` has closed its link, as the end of a sentence that begins with its name.

    `errors` is the file that it writes its last words to; it may take up to `patience_s` until it is gone.
    """
    with contextlib.suppress(subprocess.TimeoutExpired):
        code = process.wait(patience_s)
        if code < 0:
            return f"crashed ({_name(-code)})"
        last = _last_line(errors)
        return f"ended ({last})" if last else f"ended with code {code}"
    return "closed the connection"


def _last_line(errors: IO[bytes]) -> str:
    """Of a traceback, the error."""
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - LAST_BYTES))
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip()[:LAST_CHARACTERS] if lines else ""


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
