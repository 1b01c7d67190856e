"""A camera is opened, read, lost and found again. The double has exactly the names of dv-processing that are used, no more."""

import datetime
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from pipeline.errors import FAILED, UserError
from pipeline.events import EVENT_DTYPE, Events, Packet, SourceInfo
from pipeline.frames import WINDOW_US
from pipeline.sources import camera as module
from pipeline.sources.base import Notice, Options
from pipeline.sources.camera import COMMIT_INTERVAL, NO_CAMERA, CameraSource, DvCameras, dv_cameras


class Store:
    """`dv.EventStore`."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def numpy(self) -> Events:
        return self._events.copy()


class Device:
    """`dv.io.camera.DVXplorer` and its like."""

    def __init__(self, bus: "Bus", serial: str) -> None:
        self._bus, self._serial = bus, serial

    def getCameraName(self) -> str:
        return f"DVXplorer_{self._serial}"

    def getEventResolution(self) -> tuple[int, int]:
        return (640, 480)

    def setTimeInterval(self, interval: datetime.timedelta) -> None:
        assert type(interval) is datetime.timedelta
        self._bus.interval = interval

    def isRunning(self) -> bool:
        return self._serial in self._bus.plugged

    def getNextEventBatch(self) -> Store | None:
        if self._serial not in self._bus.plugged or not self._bus.waiting:
            return None
        return Store(self._bus.waiting.pop(0))


class Bus:
    """`dv.io.camera`: what is plugged in."""

    def __init__(self, *plugged: str) -> None:
        self.plugged = list(plugged)
        self.waiting: list[Events] = []
        self.interval: datetime.timedelta | None = None
        self.refuse = ""

    def discover(self) -> list[Any]:
        return [SimpleNamespace(serialNumber=serial, cameraModel="DVXPLORER") for serial in self.plugged]

    def open(self, descriptor: Any) -> Device:
        if self.refuse:
            raise RuntimeError(self.refuse)
        if descriptor.serialNumber not in self.plugged:
            raise IndexError("vector::_M_range_check")
        return Device(self, descriptor.serialNumber)


def at(*times: int) -> Events:
    events = np.zeros(len(times), EVENT_DTYPE)
    events["timestamp"] = times
    return events


class Driver:
    """Drives the source as the worker does."""

    def __init__(self, bus: Bus, serial: str = "", **options: Any) -> None:
        dv = cast(Any, SimpleNamespace(io=SimpleNamespace(camera=bus)))
        self.source = CameraSource("camera", serial, Options(**options), DvCameras(dv))
        self.packets: list[Packet] = []
        self.notices: list[Notice] = []
        self.infos: list[SourceInfo] = []

    def until(self, condition: Callable[["Driver"], bool]) -> "Driver":
        deadline = time.monotonic() + 20
        while not condition(self):
            assert time.monotonic() < deadline
            item = self.source.read()
            if isinstance(item, Packet):
                self.packets.append(item)
            elif isinstance(item, Notice):
                self.notices.append(item)
            elif item is not None:
                self.infos.append(item)
            else:
                time.sleep(min(0.005, self.source.due()))
        return self


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEARCH_S", 0.01)


def test_no_camera_fails_with_a_sentence() -> None:
    driver = Driver(Bus())
    with pytest.raises(UserError) as error:
        driver.source.open()
    assert (str(error.value), error.value.exit_code) == (NO_CAMERA, FAILED)


def test_no_camera_fails_with_dv_itself_as_well() -> None:
    cameras = dv_cameras()
    if cameras.serials():
        pytest.skip("an event camera is connected to this computer")
    with pytest.raises(UserError, match="No event camera is connected"):
        CameraSource("camera", "", Options(), cameras).open()
    with pytest.raises(UserError, match="DXA7 is not connected"):
        CameraSource("camera", "DXA7", Options(), cameras).open()


def test_the_double_has_only_names_that_dv_has() -> None:
    import dv_processing as dv

    for name in (n for n in vars(Device) if not n.startswith("_")):
        for model in (dv.io.camera.DVXplorer, dv.io.camera.DVXplorerM, dv.io.camera.DAVIS, dv.io.camera.DVS128):
            assert hasattr(model, name)
    for name in (n for n in vars(Bus) if not n.startswith("_")):
        assert hasattr(dv.io.camera, name)
    assert hasattr(dv.io.camera.DVXplorer.DeviceDescriptor, "serialNumber")


def test_another_camera_than_the_one_named_is_told() -> None:
    with pytest.raises(UserError, match="DXA7 is not connected, but DXA1 is"):
        Driver(Bus("DXA1"), "DXA7").source.open()


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        ("/project/usb.hpp(1)\nRuntimeError: Failed to open USB device. LIBUSB_ERROR_ACCESS\nStacktrace:\n 0# x", "65-event-cameras.rules"),
        ("file(8): f()\nRuntimeError: Device firmware 6 is too old, need 8.\nStacktrace:\n 0# 0x00", "firmware 6 is too old, need 8)"),
        ("", "cannot be opened"),
    ],
)
def test_a_camera_that_refuses_fails_with_what_to_do(problem: str, told: str) -> None:
    bus = Bus("DXA1")
    bus.refuse = problem or "?"
    with pytest.raises(UserError) as error:
        Driver(bus).source.open()
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    assert "Stacktrace" not in str(error.value)


def test_events_are_handed_on_as_they_come() -> None:
    bus = Bus("DXA1", "DXA2")
    driver = Driver(bus, "DXA2")
    driver.source.open()
    bus.waiting = [at(1000, 2000), at(2000, 3000)]
    driver.until(lambda d: bool(d.packets))
    assert list(driver.packets[0].events["timestamp"]) == [1000, 2000, 2000, 3000]
    assert driver.packets[0].status.until_us == 3000
    info = driver.infos[0]
    assert (info.kind, info.title, info.width, info.height, info.live) == ("camera", "DVXplorer_DXA2", 640, 480, True)
    assert bus.interval == COMMIT_INTERVAL <= datetime.timedelta(milliseconds=5)


def test_a_still_scene_lets_windows_close() -> None:
    bus = Bus("DXA1")
    driver = Driver(bus)
    driver.source.open()
    bus.waiting = [at(1000)]
    driver.until(lambda d: bool(d.packets) and d.packets[-1].status.until_us > 4 * WINDOW_US)
    assert sum(len(packet.events) for packet in driver.packets) == 1


def test_an_unplugged_camera_is_waited_for_and_live_again() -> None:
    bus = Bus("DXA1")
    driver = Driver(bus)
    driver.source.open()
    bus.waiting = [at(5_000_000)]
    driver.until(lambda d: bool(d.packets))
    bus.plugged.clear()
    driver.until(lambda d: len(d.notices) == 2)
    end = time.monotonic() + 0.2
    driver.until(lambda _: time.monotonic() > end)
    bus.plugged.append("DXA1")
    bus.waiting = [at(7)]
    driver.until(lambda d: sum(len(packet.events) for packet in d.packets) == 2)
    assert [notice.state for notice in driver.notices] == ["live", "waiting", "live"]
    assert "unplugged" in driver.notices[1].sentence
    assert len(driver.infos) == 1
    last = driver.packets[-1]
    assert last.events["timestamp"][0] >= 5_000_000
    assert [packet.status.discontinuity for packet in driver.packets].count(True) == 1
    assert (np.diff([packet.status.until_us for packet in driver.packets]) >= 0).all()


def test_a_camera_that_was_there_before_the_worker_was_replaced_is_waited_for() -> None:
    bus = Bus()
    driver = Driver(bus, sequence=12, not_before_us=10**6)
    driver.source.open()
    driver.until(lambda d: bool(d.notices))
    bus.plugged.append("DXA1")
    driver.until(lambda d: len(d.notices) == 2)
    assert [notice.state for notice in driver.notices] == ["waiting", "live"]


def test_a_camera_has_no_transport() -> None:
    driver = Driver(Bus("DXA1"))
    with pytest.raises(UserError):
        driver.source.command("seek", {"position_us": 0})
