"""A network stream is received as it is sent, and a peer that is absent, silent, foreign or broken is waited for with a sentence."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import UserError
from pipeline.events import EVENT_DTYPE, Events, Packet, SourceInfo, join_events
from pipeline.formats.aedat4 import Aedat4Reader, Compression
from pipeline.formats.aedat4.container import PACKET_HEADER, build_header, compress, pack_events
from pipeline.frames import WINDOW_US
from pipeline.sources import network
from pipeline.sources.base import Notice, Options
from pipeline.sources.network import NetworkSource
from pipeline.sources.spec import parse_spec

DV_SERVER = Path(__file__).with_name("dv_server.py")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def dv_server(recording: Path, where: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """dv-processing's own server in a process of its own, ready for clients."""
    process = subprocess.Popen([sys.executable, str(DV_SERVER), str(recording), where, *options], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "READY\n"
        yield process
    finally:
        process.kill()
        process.communicate()


class Client:
    """Drives a network source as the worker does."""

    def __init__(self, spec: str) -> None:
        self.source = NetworkSource(parse_spec(spec), Options())
        self.source.open()
        self.events: list[Events] = []
        self.packets: list[Packet] = []
        self.infos: list[SourceInfo] = []
        self.notices: list[Notice] = []

    def until(self, condition: Callable[["Client"], bool], seconds: float = 30) -> "Client":
        deadline = time.monotonic() + seconds
        while not condition(self):
            assert time.monotonic() < deadline, self.notices
            item = self.source.read()
            if isinstance(item, Packet):
                self.packets.append(item)
                if len(item.events):
                    self.events.append(item.events)
            elif isinstance(item, Notice):
                self.notices.append(item)
            elif item is not None:
                self.infos.append(item)
            else:
                time.sleep(min(0.005, self.source.due()))
        return self

    def until_told(self, text: str, times: int = 1) -> "Client":
        return self.until(lambda c: sum(text in notice.sentence for notice in c.notices) >= times)


@pytest.mark.parametrize("compression", ["NONE", "LZ4", "ZSTD"])
def test_what_dv_serves_is_what_is_in_the_file(monkeypatch: pytest.MonkeyPatch, wave_far: list[Path], compression: str) -> None:
    monkeypatch.setattr(network, "QUIET_MARGIN_US", 60_000_000)  # however long this computer lets the server wait
    port = free_port()
    with dv_server(wave_far[0], str(port), "--speed", "10", "--compression", compression):
        client = Client(f"tcp://localhost:{port}")
        with closing(client.source):
            client.until_told("has gone")
    with Aedat4Reader(wave_far[0]) as reader:
        expected = join_events(list(reader.packets()))
    assert len(join_events(client.events)) == len(expected)
    assert np.array_equal(join_events(client.events), expected)
    info = client.infos[0]
    assert (info.kind, info.title, info.width, info.height, info.live) == ("network", "DVS128_0279", 128, 128, True)
    assert client.packets[-1].status.until_us % WINDOW_US == 0
    assert client.packets[-1].status.until_us > expected["timestamp"][-1]
    assert sum(packet.status.repaired + packet.status.refused for packet in client.packets) == 0


def test_a_server_that_is_killed_and_started_again_is_live_again(wave_far: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "dv.sock"
    client = Client(f"unix:{path}")
    with closing(client.source):
        client.until_told("Nothing serves")
        for round_ in (1, 2):
            path.unlink(missing_ok=True)
            with dv_server(wave_far[0], str(path), "--stay"):
                client.until_told("Receiving", times=round_)
                count = len(client.events)
                client.until(lambda c, count=count: len(c.events) > count + 20)  # type: ignore[misc]
            client.until_told("has gone", times=round_)
    assert [notice.state for notice in client.notices] == ["waiting", "live", "waiting", "live", "waiting"]
    assert len(client.infos) == 1
    assert [packet.status.discontinuity for packet in client.packets].count(True) == 1
    assert (np.diff(join_events(client.events)["timestamp"]) >= 0).all()
    assert (np.diff([packet.status.until_us for packet in client.packets]) >= 0).all()


@contextmanager
def peer(greeting: bytes, hang_up: bool = False) -> Iterator[int]:
    """Somebody who sends `greeting` to whoever connects, then says nothing, or hangs up."""
    server = socket.create_server(("127.0.0.1", 0))
    guests: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                guest, _ = server.accept()
                guest.sendall(greeting)
            except OSError:
                return
            guests.append(guest)
            if hang_up:
                guest.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield int(server.getsockname()[1])
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()
        for guest in guests:
            guest.close()


HEADER, _ = build_header(8, 6, "Peer", Compression.NONE)
NO_EVENTS = HEADER.replace(b"EVTS", b"FRME")


def packet(count: int, start: int = 0, stream: int = 0, compression: Compression = Compression.NONE) -> bytes:
    events = np.zeros(count, EVENT_DTYPE)
    events["timestamp"] = start + np.arange(count)
    payload = compress(pack_events(events), compression)
    return PACKET_HEADER.pack(stream, len(payload)) + payload


@pytest.mark.parametrize(
    ("greeting", "hang_up", "told"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", False, "not with an event stream"),
        (b"\xff" * 100, False, "not with an event stream"),
        (b"\x10\0\0\0\x20\0\0\0IOHE" + b"\xff" * 8, False, "header that is damaged"),
        (NO_EVENTS, False, "sends no events"),
        (b"", True, "hangs up without saying"),
        (HEADER[:50], True, "hangs up without saying"),
        (b"", False, "does not say what it sends"),
        (HEADER[:50], False, "does not say what it sends"),
        (HEADER + packet(5)[:40], False, "stopped in the middle of a packet"),
        (HEADER + packet(5) + b"\xff" * 20, False, "make no sense"),
        (HEADER + PACKET_HEADER.pack(0, 1 << 30), False, "make no sense"),
        (HEADER + PACKET_HEADER.pack(0, 20) + b"\x20\0\0\0" + bytes(16), False, "make no sense"),
    ],
)
def test_a_peer_that_sends_something_else_is_left_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, greeting: bytes, hang_up: bool, told: str
) -> None:
    for limit in ("GREETING_S", "STALL_S", "RETRY_S"):
        monkeypatch.setattr(network, limit, 0.2)
    with peer(greeting, hang_up) as port:
        client = Client(f"tcp://127.0.0.1:{port}")
        with closing(client.source):
            client.until_told(told)
    assert client.notices[-1].state == "waiting"
    assert client.notices[-1].sentence.endswith(".")


def test_nobody_there_is_said_once_and_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "RETRY_S", 0.01)
    client = Client(f"tcp://127.0.0.1:{free_port()}")
    with closing(client.source):
        end = time.monotonic() + 0.5
        client.until(lambda _: time.monotonic() > end)
    assert [notice.state for notice in client.notices] == ["waiting"]
    assert "start the server" in client.notices[0].sentence


def test_an_address_that_cannot_be_gets_a_sentence() -> None:
    client = Client(f"unix:/{'x' * 200}")
    with closing(client.source):
        client.until(lambda c: bool(c.notices))
    assert client.notices[0].state == "waiting"


def test_an_unknown_computer_gets_a_sentence() -> None:
    client = Client("tcp://no.such.computer.invalid:7777")
    with closing(client.source):
        client.until(lambda c: bool(c.notices))
    assert "no.such.computer.invalid" in client.notices[0].sentence


def test_streams_of_other_kinds_are_skipped() -> None:
    with peer(HEADER + packet(3) + packet(9, stream=4) + packet(4, 3, compression=Compression.ZSTD)) as port:
        client = Client(f"tcp://127.0.0.1:{port}")
        with closing(client.source):
            client.until(lambda c: sum(map(len, c.events)) >= 7)
    assert list(join_events(client.events)["timestamp"]) == list(range(7))


def test_a_silent_stream_is_a_still_scene_in_which_time_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "QUIET_MARGIN_US", 50_000)
    with peer(HEADER + packet(3, start=1_000_000)) as port:
        client = Client(f"tcp://127.0.0.1:{port}")
        with closing(client.source):
            client.until(lambda c: bool(c.packets) and c.packets[-1].status.until_us > 1_000_000 + 10 * WINDOW_US)
    assert sum(map(len, client.events)) == 3


@given(st.binary(max_size=300), st.booleans())
def test_whatever_a_stranger_sends_is_events_or_a_sentence(rubbish: bytes, greeted: bool) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stranger = network.Peer.over(parse_spec("tcp://127.0.0.1:1"), theirs)
        ours.sendall((HEADER if greeted else b"") + rubbish)
        ours.shutdown(socket.SHUT_WR)
        with pytest.raises(network.Unusable) as error:
            for _ in range(10):
                stranger.work()
        assert str(error.value).endswith(".")


def test_a_stream_has_no_transport() -> None:
    client = Client("tcp://127.0.0.1:1")
    with pytest.raises(UserError):
        client.source.command("pause", {})
