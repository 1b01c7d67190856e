"""The recording thread: every packet to disk, first in line, whatever the view and the networks do.

Packets are queued without a limit and written in order; the writer closes each AEDAT 4 packet as it goes, so a killed process loses at
most what was still queued. A write that fails ends the recording with what was written kept, and says so.
"""

import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

from app.protocol import Message
from pipeline.errors import UserError
from pipeline.events import Events, SourceInfo
from pipeline.formats.aedat4 import Aedat4Writer


class Recorder:
    """Writes one recording. Made when a recording starts, closed when it stops."""

    def __init__(self, path: Path, info: SourceInfo, on_failure: Callable[[str], None], on_crash: Callable[[BaseException], None]) -> None:
        """Opens `path` for events of `info`'s sensor; UserError if that cannot be. `on_failure` gets a sentence if writing fails later."""
        self.path = path
        self.failure = ""
        self._writer = Aedat4Writer(path, info.width, info.height, info.title)
        self._on_failure, self._on_crash = on_failure, on_crash
        self._ended = False
        self._size = (info.width, info.height)
        self._started = time.monotonic()
        self._queue: queue.SimpleQueue[Events | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="egret-recorder", daemon=True)
        self._thread.start()

    def put(self, events: Events) -> None:
        """Queue `events` for writing; never waits."""
        if len(events) and not self.failure and not self._ended:
            self._queue.put(events)

    def fits(self, info: SourceInfo) -> bool:
        """Whether events of `info`'s sensor belong into this recording."""
        return (info.width, info.height) == self._size

    def describe(self) -> Message:
        """The ``recording`` part of a status message."""
        return {
            "path": str(self.path),
            "events": self._writer.events,
            "bytes": self._writer.bytes,
            "seconds": round(time.monotonic() - self._started, 1),
            "sentence": self.failure,
        }

    def end(self) -> None:
        """Take no more events; the file is closed once what is queued is written."""
        if not self._ended:
            self._ended = True
            self._queue.put(None)

    def close(self, timeout: float = 30.0) -> bool:
        """`end`, and wait for it; False if that did not happen in time."""
        self.end()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _write(self) -> None:
        try:
            with self._writer as writer:
                while (events := self._queue.get()) is not None:
                    writer.write(events)
        except UserError as error:
            self.failure = str(error)
            self._on_failure(self.failure)
        except BaseException as error:
            self._on_crash(error)
