"""Promises on everything a user can get wrong: one sentence that names it and what to do, the right exit code, no traceback."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commandline import egret, environment, lines

import assets
from pipeline.events import EVENT_DTYPE
from pipeline.formats.aedat4 import Aedat4Writer


def one_sentence(ended: "subprocess.CompletedProcess[str]", code: int, *words: str) -> None:
    """`ended` with `code`, and its last line on stderr is a sentence of Egret's that has all `words`."""
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("egret: ")
    assert last.endswith(".")
    for word in words:
        assert word in last, last


def empty(path: Path, good: Path) -> None:
    path.write_bytes(b"")


def text(path: Path, good: Path) -> None:
    path.write_text("a shopping list, misnamed\n" * 50)


def other_format(path: Path, good: Path) -> None:
    path.write_bytes(b"#!AER-DAT3.0\r\n# another format\r\n" + bytes(800))


def header_only(path: Path, good: Path) -> None:
    path.write_bytes(good.read_bytes()[:40])


@pytest.mark.parametrize("spoil", [empty, text, other_format, header_only])
@pytest.mark.parametrize("command", ["run", "info"])
def test_a_file_that_is_no_recording_is_refused(
    spoil: Callable[[Path, Path], None], command: str, simulated_wave: Path, tmp_path: Path
) -> None:
    path = tmp_path / "bad.aedat4"
    spoil(path, simulated_wave)
    one_sentence(egret(command, *["--source"] * (command == "run"), path), 1, "bad.aedat4")


@pytest.mark.parametrize("command", ["run", "info"])
def test_a_truncated_recording_plays_what_is_left_and_ends_as_partial(command: str, simulated_wave: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.aedat4"
    whole = simulated_wave.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    arguments = ("run", "--source", path, "--speed", "0", "--json") if command == "run" else ("info", path, "--json")
    ended = egret(*arguments)
    assert ended.returncode == 3, ended.stderr
    assert lines(ended)[-1]["events"] > 0
    assert "Traceback" not in ended.stderr


def test_a_recording_without_events_stream_is_refused(tmp_path: Path, shared_data: Path) -> None:
    one_sentence(egret("run", "--source", shared_data / "formats" / "faery_evt2.raw"), 1, "faery_evt2.raw")


def test_a_missing_file_is_named() -> None:
    one_sentence(egret("run", "--source", "nowhere/at/all.aedat4"), 1, "all.aedat4")


@pytest.mark.parametrize("size", [(1, 1), (1280, 720)])
def test_any_sensor_size_plays(size: tuple[int, int], tmp_path: Path) -> None:
    width, height = size
    random = np.random.default_rng(0)
    events = np.zeros(5000, EVENT_DTYPE)
    events["timestamp"] = np.sort(random.integers(0, 200_000, 5000))
    events["x"], events["y"] = random.integers(0, width, 5000), random.integers(0, height, 5000)
    path = tmp_path / "sensor.aedat4"
    with Aedat4Writer(path, width, height, "test") as writer:
        writer.write(events)
    ended = egret("run", "--source", path, "--speed", "0", "--json")
    assert ended.returncode == 0, ended.stderr
    assert lines(ended)[-1]["events"] == 5000


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("run", "--source", "telepathy"), 2, ("telepathy",)),
        (("run", "--source", "tcp://nowhere"), 2, ("tcp://HOST:PORT",)),
        (("run", "--source", "simulated:abc"), 2, ("simulated",)),
        (("run",), 2, ("--source",)),
        (("run", "--source", "simulated", "--runtime", "abacus"), 2, ("abacus",)),
        (("dance",), 2, ("dance", "choose")),
        (("simulate", "--gesture", "moonwalk", "--seed", "1", "--out", "x.aedat4"), 2, ("moonwalk", "hand_clapping")),
        (("simulate", "--gesture", "idle", "--seed", "1", "--preset", "dream", "--out", "x.aedat4"), 2, ("dream",)),
        (("simulate", "--gesture", "idle", "--seed", "-1", "--out", "x.aedat4"), 2, ("seed",)),
        (("chat", "--prompt", " "), 2, ("prompt",)),
        (("chat", "--prompt", "x", "--tokens", "0"), 2, ("--tokens",)),
        (("chat", "--prompt", "x", "--figures"), 2, ("--json",)),
        (("bench", "everything"), 2, ("everything",)),
        (("evaluate", "gesture", "--data", ".", "--label", "moonwalk"), 2, ("moonwalk",)),
        (("evaluate", "language", "--data", "nowhere.txt"), 1, ("nowhere.txt",)),
        (("info", "nowhere.aedat4"), 1, ("nowhere.aedat4",)),
    ],
)
def test_a_wrong_word_on_the_command_line_is_named(arguments: tuple[str, ...], code: int, words: tuple[str, ...], tmp_path: Path) -> None:
    one_sentence(egret(*arguments), code, *words)


def test_no_camera_is_one_sentence_that_says_what_else_works() -> None:
    one_sentence(egret("run", "--source", "camera"), 1, "camera", "simulated")


def broken_header(path: Path) -> None:
    path.write_bytes(b"\xff" * 100)


def truncated(path: Path) -> None:
    path.write_bytes(assets.path("gesture.safetensors").read_bytes()[:5000])


def other_kind(path: Path) -> None:
    shutil.copy(assets.path("language.safetensors"), path)


def other_shape(path: Path) -> None:
    raw = assets.path("gesture.safetensors").read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = re.sub(rb'("hidden\\": \[|\\"hidden\\": \[)(\d)', rb"\g<1>9", raw[8 : 8 + size], count=1)
    assert header != raw[8 : 8 + size]
    path.write_bytes(raw[:8] + header + raw[8 + size :])


@pytest.mark.parametrize("spoil", [broken_header, truncated, other_kind, other_shape])
def test_weights_that_cannot_be_run_are_refused(spoil: Callable[[Path], None], simulated_wave: Path, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    spoil(path)
    one_sentence(egret("run", "--source", simulated_wave, "--weights", path), 1, "weights.safetensors")


def test_missing_weights_are_named(simulated_wave: Path) -> None:
    one_sentence(egret("run", "--source", simulated_wave, "--weights", "nowhere.safetensors"), 1, "nowhere.safetensors")


def test_a_file_that_is_there_is_never_written_over(simulated_wave: Path) -> None:
    before = simulated_wave.read_bytes()
    for arguments in (
        ("record", "--source", "simulated", "--duration", "0.1", "--out", simulated_wave),
        ("simulate", "--gesture", "idle", "--seed", "1", "--duration", "0.1", "--out", simulated_wave),
        ("run", "--source", "simulated", "--duration", "0.1", "--record", simulated_wave),
    ):
        one_sentence(egret(*arguments), 1, simulated_wave.name)
    assert simulated_wave.read_bytes() == before


def test_whoever_stops_reading_causes_no_traceback(simulated_wave: Path) -> None:
    command = [sys.executable, "-m", "app.cli", "run", "--source", str(simulated_wave), "--speed", "0.5", "--json"]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout and process.stderr
    process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 1
    assert "Traceback" not in said
