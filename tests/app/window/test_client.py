"""The line to the engine: whole messages out of any pieces, garbage passed over, and a way back when it breaks."""

import json
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot
from window.engine_double import EngineDouble

from app.protocol import MAX_LINE
from app.window.client import EngineClient


@pytest.fixture
def line(qtbot: QtBot, folder: Path) -> Any:
    """An engine that says nothing by itself, a client attached to it, and what the client received."""
    engine = EngineDouble(folder)
    client = EngineClient(folder)
    received: list[dict[str, Any]] = []
    client.received.connect(received.append)
    client.connect_now()
    qtbot.waitUntil(lambda: client.is_connected)
    yield engine, client, received
    client.close()
    engine.close()


def test_messages_arrive_whole_in_whatever_pieces_they_were_sent(qtbot: QtBot, line: Any) -> None:
    engine, _, received = line
    data = b'{"type":"notice","sentence":"gr\xc3\xb6\xc3\x9fe"}\n{"type":"status"}\n'
    for index in range(len(data)):
        engine.send_raw(data[index : index + 1])
    qtbot.waitUntil(lambda: len(received) == 2)
    assert received == [{"type": "notice", "sentence": "größe"}, {"type": "status"}]


@pytest.mark.parametrize("garbage", [b"\xff\xfe\x00", b"[1, 2]", b"{", b"null", b"NaN", b"[" * 5000, b""])
def test_a_line_that_is_no_message_is_passed_over(qtbot: QtBot, line: Any, garbage: bytes) -> None:
    engine, client, received = line
    engine.send_raw(garbage + b'\n{"type":"status"}\n')
    qtbot.waitUntil(lambda: len(received) == 1)
    assert client.garbage == 1
    assert client.is_connected


def test_a_line_without_an_end_breaks_the_connection_with_a_sentence(qtbot: QtBot, line: Any) -> None:
    engine, client, _ = line
    with qtbot.waitSignal(client.gone) as gone:
        engine.send_raw(b"x" * (2 * MAX_LINE))
    assert "not an engine" in gone.args[0]


def test_commands_reach_the_engine_in_order(qtbot: QtBot, line: Any) -> None:
    engine, client, _ = line
    assert client.send({"op": "play"})
    assert client.send({"op": "seek", "position_us": 5})
    qtbot.waitUntil(lambda: len(engine.received) == 2)
    assert engine.received == [{"op": "play"}, {"op": "seek", "position_us": 5}]


def test_without_an_engine_a_command_is_refused_and_the_reason_told(qtbot: QtBot, folder: Path) -> None:
    client = EngineClient(folder, patience_ms=0)
    with qtbot.waitSignal(client.gone) as gone:
        client.connect_now()
    assert gone.args == ["There is no engine to show."]
    assert not client.send({"op": "play"})
    client.close()


def test_the_client_attaches_by_itself_when_an_engine_appears(qtbot: QtBot, folder: Path) -> None:
    client = EngineClient(folder, patience_ms=0)
    with qtbot.waitSignal(client.gone):
        client.connect_now()
    engine = EngineDouble(folder)
    qtbot.waitUntil(lambda: client.is_connected)
    client.close()
    engine.close()


def test_optional_messages_are_dropped_when_the_engine_does_not_read(qtbot: QtBot, folder: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(folder / "engine.sock"))
        listener.listen(1)
        client = EngineClient(folder)
        client.connect_now()
        qtbot.waitUntil(lambda: client.is_connected)
        peer, _ = listener.accept()
        sent = 0
        while client.send({"op": "painted", "t_us": sent, "ns": 0}, optional=True):
            sent += 1
            assert sent < 100_000
        assert client.send({"op": "chat_stop"})
        peer.close()
        client.close()


def test_a_farewell_is_delivered_although_the_engine_keeps_talking(qtbot: QtBot, line: Any) -> None:
    engine, client, _ = line
    engine.send_raw(json.dumps({"type": "status"}).encode() * 1000)
    client.close({"op": "quit"}, limit_ms=50)
    qtbot.waitUntil(lambda: engine.ops("quit") != [])
