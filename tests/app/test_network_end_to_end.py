"""Promises of playing from the network: dv-processing's own server in another process, the whole engine here."""

import itertools
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from commandline import ROOT, environment

from app.engine.loop import Engine, EngineSettings

SERVER = ROOT / "tests" / "pipeline" / "sources" / "dv_server.py"


def free_port() -> int:
    """A TCP port of the loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(path: Path, where: str, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """`path` served once to the first client that comes."""
    command = [sys.executable, str(SERVER), str(path), where, *options]
    server = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
    assert server.stdout
    try:
        assert server.stdout.readline() == "READY\n"
        yield server
    finally:
        server.kill()
        server.stdout.close()
        server.wait()


@contextmanager
def running(source: str) -> Iterator[tuple[Engine, list[dict[str, Any]]]]:
    """An engine on `source`, and its decisions as they come."""
    decisions: list[dict[str, Any]] = []
    with Engine(EngineSettings(source, chat=False), decisions.append) as engine:
        loop = threading.Thread(target=engine.run)
        loop.start()
        yield engine, decisions
        engine.stop()
        loop.join()


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Poll until `condition()` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def told(decisions: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """What must not depend on the way the events came."""
    return [tuple(decision[name] for name in ("t_us", "label", "confidence", "accepted", "reason", "events")) for decision in decisions]


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_stream_gives_the_same_decisions_as_the_file(kind: str, wave_near: list[Path], sessions: Path) -> None:
    path = wave_near[-1]
    from_file: list[dict[str, Any]] = []
    with Engine(EngineSettings(str(path), speed=0, chat=False), from_file.append) as engine:
        engine.run()
    where = str(free_port()) if kind == "tcp" else str(sessions / "dv.sock")
    source = f"tcp://127.0.0.1:{where}" if kind == "tcp" else f"unix:{where}"
    with served(path, where), running(source) as (_, decisions):
        wait_for(lambda: len(decisions) >= len(from_file) - 1, "all decisions")
    assert told(decisions)[: len(from_file) - 1] == told(from_file)[:-1]  # the stream cannot say that its last window is over


def test_a_server_that_goes_and_comes_back_is_waited_for(wave_near: list[Path]) -> None:
    where = str(free_port())
    with running(f"tcp://127.0.0.1:{where}") as (engine, decisions):
        with served(wave_near[-1], where):
            wait_for(lambda: sum(d["events"] for d in decisions) > 10_000, "events of the first server")
        wait_for(lambda: engine.state == "waiting", "the engine to notice")
        assert where in engine.sentence
        seen = sum(d["events"] for d in decisions)
        with served(wave_near[-1], where):
            wait_for(lambda: sum(d["events"] for d in decisions) > seen + 10_000, "events of the second server")
            assert engine.state == "live"
        times = [d["t_us"] for d in decisions]
        assert all(earlier < later for earlier, later in itertools.pairwise(times))


@pytest.mark.parametrize("said", [b"", b"not a camera\n" * 100, b"\xff\xff\xff\x7f" + bytes(64)], ids=["nothing", "text", "absurd length"])
def test_a_peer_that_makes_no_sense_is_told_and_never_blocks_the_engine(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()
        held: list[socket.socket] = []

        def accept() -> None:
            listener.settimeout(0.1)
            while not stop.is_set():
                try:
                    peer, _ = listener.accept()
                except TimeoutError:
                    continue
                held.append(peer)
                peer.sendall(said)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            with running(f"tcp://127.0.0.1:{listener.getsockname()[1]}") as (engine, decisions):
                wait_for(lambda: engine.state == "waiting" and "tcp://" in engine.sentence, "the engine to say so")
                assert not decisions
        finally:
            stop.set()
            thread.join()
            for peer in held:
                peer.close()
