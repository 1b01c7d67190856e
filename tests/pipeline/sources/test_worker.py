"""The source process: its heartbeat is a proof that events could flow, and it never outlives what it is for."""

import json
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.sources.base import Notice
from pipeline.sources.link import Command, Connection, Heartbeat, Message

ROOT = Path(__file__).parents[3]

HANGING = """
import ctypes, sys, socket
from pipeline.sources import worker
from pipeline.sources.link import Connection

class Hanging:
    turns = 0
    def open(self): pass
    def close(self): pass
    def fileno(self): return None
    def due(self): return 0.3
    def command(self, op, arguments): pass
    def read(self):
        self.turns += 1
        if self.turns == 4:
            ctypes.PyDLL(None).sleep(3600)  # keeps Python's lock, as dv-processing does

worker.STUCK_S = 3
worker.Worker(Hanging(), Connection(socket.socket(fileno=int(sys.argv[1])))).run()
"""


@contextmanager
def process(*command: str) -> Iterator[tuple[subprocess.Popen[bytes], Connection, socket.socket]]:
    """A process whose last argument is its end of a link, and the other end."""
    ours, theirs = socket.socketpair()
    with theirs:
        child = subprocess.Popen(
            [sys.executable, *[str(theirs.fileno()) if part == "SOCKET" else part for part in command]],
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
        )
    connection = Connection(ours)
    try:
        yield child, connection, ours
    finally:
        connection.close()
        child.kill()
        child.wait()


def messages(connection: Connection, sock: socket.socket) -> Iterator[Message]:
    """Everything that comes until the other side is gone."""
    while True:
        select.select([sock], [], [], 60)
        try:
            message = connection.receive()
        except EOFError:
            return
        if message is not None:
            yield message


def test_a_call_that_never_gives_the_lock_back_stops_the_heartbeat_and_ends_the_process() -> None:
    with process("-c", HANGING, "SOCKET") as (child, connection, sock):
        beats = list(messages(connection, sock))
        assert beats
        assert all(beat == Heartbeat() for beat in beats)
        assert len(beats) < 6, "the heartbeat went on while nothing else could"
        assert child.wait(30) == 1


@pytest.mark.parametrize("spec", ["camera:none such", "nothing.aedat4"])
def test_a_source_that_fails_says_so_and_ends_well(spec: str) -> None:
    with process("-m", "pipeline.sources.worker", spec, "SOCKET", "{}") as (child, connection, sock):
        told = [m for m in messages(connection, sock) if m != Heartbeat()]
        assert [m.state for m in told if isinstance(m, Notice)] == ["failed"]
        assert child.wait(30) == 0


def test_a_command_that_makes_no_sense_is_answered_and_ctrl_c_is_left_to_the_engine() -> None:
    options = json.dumps({"speed": 1.0})
    with process("-m", "pipeline.sources.worker", "tcp://127.0.0.1:9", "SOCKET", options) as (child, connection, sock):
        received = messages(connection, sock)
        while not isinstance(next(received), Notice):
            pass
        child.send_signal(2)
        connection.queue(Command("dance", {"x": [1, None]}))
        connection.flush()
        answer = next(m for m in received if isinstance(m, Notice))
        assert "cannot dance" in answer.sentence
        assert answer.level == "warning"
        connection.close()
        assert child.wait(30) == 0
