"""Names of sources are understood, or refused with a sentence."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import USAGE, UserError
from pipeline.simulator import GESTURES
from pipeline.sources.spec import Spec, parse_spec


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("camera", Spec("camera", "camera")),
        ("camera:DXA00093", Spec("camera", "camera:DXA00093", serial="DXA00093")),
        ("file:a b.aedat4", Spec("file", "file:a b.aedat4", path="a b.aedat4")),
        ("file:///tmp/x", Spec("file", "file:///tmp/x", path="/tmp/x")),
        ("wave.aedat4", Spec("file", "wave.aedat4", path="wave.aedat4")),
        ("./wave", Spec("file", "./wave", path="./wave")),
        ("tcp://127.0.0.1:7777", Spec("tcp", "tcp://127.0.0.1:7777", host="127.0.0.1", port=7777)),
        ("tcp://localhost:1", Spec("tcp", "tcp://localhost:1", host="localhost", port=1)),
        ("tcp://[::1]:65535", Spec("tcp", "tcp://[::1]:65535", host="::1", port=65535)),
        ("unix:/run/dv.sock", Spec("unix", "unix:/run/dv.sock", path="/run/dv.sock")),
        ("unix:///run/dv.sock", Spec("unix", "unix:///run/dv.sock", path="/run/dv.sock")),
        ("simulated", Spec("simulated", "simulated", seed=0)),
        ("simulated:7", Spec("simulated", "simulated:7", seed=7)),
        ("simulated:7/arm_roll", Spec("simulated", "simulated:7/arm_roll", seed=7, gesture="arm_roll")),
    ],
)
def test_every_kind_of_source_is_understood(text: str, spec: Spec) -> None:
    assert parse_spec(text) == spec


def test_an_existing_file_needs_no_dot_in_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wave").write_bytes(b"")
    assert parse_spec("wave").kind == "file"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "camra",
        "camera:",
        "file:",
        "unix:",
        "tcp:",
        "tcp://",
        "tcp://host",
        "tcp://host:0",
        "tcp://host:70000",
        "tcp://host:7/x",
        "tcp://a:b",
        "udp://127.0.0.1:3",
        "simulated:x",
        "simulated:-1",
        "simulated:1/dance",
        "simulated:" + "9" * 40,
        "tcp://[::1:4",
    ],
)
def test_what_is_no_source_is_a_mistake_of_usage(text: str) -> None:
    with pytest.raises(UserError) as error:
        parse_spec(text)
    assert error.value.exit_code == USAGE


@given(
    st.one_of(
        st.text(max_size=30), st.builds(str.__add__, st.sampled_from(["tcp://", "simulated:", "camera:", "unix:"]), st.text(max_size=20))
    )
)
def test_any_text_is_a_source_or_a_sentence(text: str) -> None:
    try:
        assert parse_spec(text).text == text
    except UserError as error:
        assert error.exit_code == USAGE


def test_every_gesture_can_be_asked_for() -> None:
    for gesture in GESTURES:
        assert parse_spec(f"simulated:3/{gesture}").gesture == gesture
