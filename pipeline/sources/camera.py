"""An iniVation camera through dv-processing: opened, read, waited for when it is unplugged, and taken again.

dv-processing is touched only through `DvCameras` and `DvCamera`, few lines with names confirmed against dv-processing 2.0.4, so that a
strict fake of those names can stand in where there is no camera. Every call holds Python's lock and may hang; that is what the worker's
heartbeat and the supervisor are for.
"""

import datetime
import time
from collections import deque
from types import ModuleType
from typing import Any

from pipeline.errors import UserError
from pipeline.events import EVENT_DTYPE, Events, SourceInfo, join_events
from pipeline.sources.base import Intake, Item, Notice, Options

COMMIT_INTERVAL = datetime.timedelta(milliseconds=2)
"""How often the driver hands on what it has: the latency that it adds (its default is 10 ms)."""
POLL_S = 0.002
SEARCH_S = 0.5
QUIET_MARGIN_US = 50_000
"""A camera delivers within a few milliseconds; after so much silence the scene is still."""
UDEV_RULE = "65-event-cameras.rules"

NO_CAMERA = "No event camera is connected: plug one in, or use --source simulated or a recording."


class DvCamera:
    """An open camera."""

    def __init__(self, camera: Any) -> None:
        self._camera = camera
        camera.setTimeInterval(COMMIT_INTERVAL)
        self.name = str(camera.getCameraName())
        self.width, self.height = (int(side) for side in camera.getEventResolution())

    def running(self) -> bool:
        """Whether it is still there; `batch` cannot tell."""
        return bool(self._camera.isRunning())

    def batch(self) -> Events | None:
        """The next events, None if there are none now (or never again)."""
        store = self._camera.getNextEventBatch()
        return None if store is None else store.numpy().astype(EVENT_DTYPE, copy=False)


class DvCameras:
    """The cameras of this computer."""

    def __init__(self, dv: ModuleType) -> None:
        self._cameras = dv.io.camera

    def find(self, serial: str) -> Any | None:
        """The camera with this serial number (the first one if it is empty); None if it is not connected."""
        return next((found for found in self._cameras.discover() if not serial or str(found.serialNumber) == serial), None)

    def serials(self) -> list[str]:
        """Serial numbers of all cameras that are connected."""
        return [str(found.serialNumber) for found in self._cameras.discover()]

    def open(self, found: Any) -> DvCamera:
        """Open what `find` found. Raises RuntimeError as dv does."""
        return DvCamera(self._cameras.open(found))


def dv_cameras() -> DvCameras:
    """The real ones; UserError if dv-processing cannot be loaded."""
    try:
        import dv_processing
    except ImportError as error:
        raise UserError(f"dv-processing cannot be loaded ({error}): run `egret doctor`, it names what is missing.") from error
    return DvCameras(dv_processing)


class CameraSource:
    """The camera with serial number `serial`, or the first one. A camera that was there once is waited for; one that never was is not."""

    def __init__(self, spec: str, serial: str, options: Options, cameras: DvCameras) -> None:
        self._spec = spec
        self._serial = serial
        self._cameras = cameras
        self._intake = Intake(spec, options)
        self._was_there = options.sequence > 0
        self._items: deque[Item] = deque()
        self._camera: DvCamera | None = None
        self._due_at = 0.0
        self._told = ""
        self._info: SourceInfo | None = None

    def open(self) -> None:
        """Open the camera; UserError if it is not there or may not be used, unless another worker had it before."""
        problem = self._take()
        if problem and not self._was_there:
            raise UserError(problem)
        if problem:
            self._wait(problem)

    def close(self) -> None:
        """Let the camera go."""
        self._camera = None

    def fileno(self) -> int | None:
        """None: the driver has to be asked."""
        return None

    def command(self, op: str, arguments: dict[str, Any]) -> None:
        """A camera has no transport."""
        raise UserError(f"A camera cannot {op}: it shows what is there now.")

    def due(self) -> float:
        """Seconds until the driver, or the bus, is asked again."""
        return 0.0 if self._items else max(0.0, self._due_at - time.monotonic())

    def read(self) -> Item | None:
        """The next thing to tell."""
        if not self._items and time.monotonic() >= self._due_at:
            if self._camera is None:
                if problem := self._take():
                    self._wait(problem)
            else:
                self._poll(self._camera)
        return self._items.popleft() if self._items else None

    def _poll(self, camera: DvCamera) -> None:
        self._due_at = time.monotonic() + POLL_S
        try:
            arrived: list[Events] = []
            while (batch := camera.batch()) is not None:
                arrived.append(self._intake.admit(batch))
            running = camera.running()
        except RuntimeError:
            running = False
        events = join_events([events for events in arrived if len(events)])
        if len(events):
            self._items.append(self._intake.live_packet(events))
        elif (quiet := self._intake.quiet_packet(QUIET_MARGIN_US)) is not None:
            self._items.append(quiet)
        if not running:
            self._camera = None
            if (last := self._intake.close_window()) is not None:
                self._items.append(last)
            self._wait(f"{camera.name} has been unplugged: plug it in again.")

    def _wait(self, sentence: str) -> None:
        """Tell what is missing, once, and look again soon."""
        self._due_at = time.monotonic() + SEARCH_S
        if sentence != self._told and not (self._told and sentence == self._absent()):
            self._told = sentence
            self._items.append(Notice("warning", "waiting", sentence))

    def _take(self) -> str:
        """Find and open the camera; what is wrong if that cannot be done, else nothing."""
        found = self._cameras.find(self._serial)
        if found is None:
            return self._absent()
        try:
            self._camera = camera = self._cameras.open(found)
        except (RuntimeError, IndexError) as error:  # IndexError: gone since it was found
            return _refusal(str(found.serialNumber), error)
        self._intake.new_scene(camera.width, camera.height)
        info = SourceInfo(self._spec, "camera", camera.name, camera.width, camera.height, live=True)
        if info != self._info:
            self._info = info
            self._items.append(info)
        self._items.append(Notice("info", "live", f"{camera.name} is live."))
        self._told = ""
        self._due_at = 0.0
        return ""

    def _absent(self) -> str:
        others = self._cameras.serials() if self._serial else []
        if others:
            return f"The camera {self._serial} is not connected, but {', '.join(others)} is: plug it in, or choose that one."
        if self._serial:
            return f"The camera {self._serial} is not connected: plug it in, or use --source simulated or a recording."
        return NO_CAMERA


def _refusal(serial: str, error: Exception) -> str:
    """Why a camera that is connected cannot be opened."""
    lines = [line for line in str(error).splitlines() if "Error:" in line] or str(error).splitlines() or [""]
    reason = lines[0].partition("Error:")[2].strip() or lines[0].strip()
    if "open USB device" in reason:
        return (
            f"The camera {serial} may not be opened: close other programs that use it, or allow it with the udev rule {UDEV_RULE} "
            "(`egret doctor` prints it)."
        )
    return f"The camera {serial} cannot be opened ({reason.rstrip('.')}): plug it in again, or update its firmware with dv-gui."
