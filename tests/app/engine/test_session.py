"""Promises of the folders in which engines and windows meet."""

import os
import socket
import stat
from pathlib import Path

import pytest

from app.engine import session
from pipeline.errors import UserError


def test_a_session_is_readable_by_its_owner_alone(sessions: Path) -> None:
    folder = session.create()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.parent == sessions


def test_a_folder_that_a_dead_engine_left_is_removed(sessions: Path) -> None:
    left = sessions / "engine-999999999"
    left.mkdir()
    (left / "surface.1").write_bytes(b"x")
    assert session.running() == []
    assert not left.exists()


@pytest.mark.parametrize("name", ["photos", "999999999", "engine-x", "20240101123456789012345678901234567890"])
def test_what_is_not_ours_in_the_sessions_folder_is_never_touched(name: str, sessions: Path) -> None:
    precious = sessions / name / "album" / "picture.jpg"
    precious.parent.mkdir(parents=True)
    precious.write_bytes(b"irreplaceable")
    assert session.running() == []
    assert precious.read_bytes() == b"irreplaceable"


def test_a_foreign_file_in_a_dead_engines_folder_is_kept(sessions: Path) -> None:
    left = sessions / "engine-999999999"
    left.mkdir()
    (left / "notes.txt").write_text("mine")
    assert session.running() == []
    assert (left / "notes.txt").read_text() == "mine"


def test_a_running_engine_is_found(sessions: Path) -> None:
    folder = session.create()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(folder / session.SOCKET))
        listener.listen()
        assert session.running() == [folder]


def test_a_path_too_long_for_a_socket_is_said(sessions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EGRET_SESSIONS", str(sessions / ("x" * 120)))
    with pytest.raises(UserError, match="too long"):
        session.create()


def test_a_folder_that_cannot_be_made_is_said(sessions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (sessions / "file").write_bytes(b"")
    monkeypatch.setenv("EGRET_SESSIONS", str(sessions / "file" / "below"))
    with pytest.raises(UserError, match="EGRET_SESSIONS"):
        session.root()


def test_a_session_is_named_after_its_process(sessions: Path) -> None:
    assert session.create().name == f"engine-{os.getpid()}"
