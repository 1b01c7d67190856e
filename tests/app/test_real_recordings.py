"""Promises on real recordings, from file to decisions through the whole engine."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commandline import dv_count, egret, lines

from app.engine.loop import Engine, EngineSettings
from pipeline.frames import WINDOW_US


def recordings(data: Path) -> list[Path]:
    """Every AEDAT 4 recording that is not ours."""
    return sorted([*(data / "gestures").glob("wave-*/*.aedat4"), *(data / "formats").glob("*.aedat4")])


def play(path: Path, **settings: Any) -> tuple[list[dict[str, Any]], Engine]:
    """The decisions of a whole run on `path`, as fast as possible."""
    decisions: list[dict[str, Any]] = []
    with Engine(EngineSettings(str(path), speed=0, chat=False, **settings), decisions.append) as engine:
        assert engine.run() == 0
    return decisions, engine


def test_every_window_of_every_real_recording_gets_a_decision_and_every_event_is_counted_once(shared_data: Path) -> None:
    for path in recordings(shared_data):
        decisions, engine = play(path)
        times = np.array([decision["t_us"] for decision in decisions])
        assert (np.diff(times) == WINDOW_US).all(), path
        assert sum(decision["events"] for decision in decisions) + engine.recognition.totals.refused == dv_count(path), path
        assert engine.recognition.totals.skipped == 0


def test_older_recordings_are_played_and_told_of_as_any_other(shared_data: Path) -> None:
    path = shared_data / "gestures" / "arm-unlabelled" / "DVS128-2017-03-21-short.aedat"
    _, engine = play(path)
    assert engine.recognition.totals.events == 130_114
    (said,) = lines(egret("info", path, "--json"))
    assert (said["format"], said["camera"], said["width"], said["events"], said["damage"]) == ("AEDAT 2.0", "DVS128", 128, 130_114, "")


def test_the_command_prints_a_line_a_decision_and_a_summary_with_version_and_model(wave_near: list[Path]) -> None:
    ended = egret("run", "--source", wave_near[0], "--speed", "0", "--json")
    assert ended.returncode == 0, ended.stderr
    *decisions, last = lines(ended)
    assert last["type"] == "summary"
    assert last["decisions"] == len(decisions)
    assert sum(decision["events"] for decision in decisions) == last["events"] == dv_count(wave_near[0])
    for line in (decisions[0], last):
        assert line["version"]
        assert set(line["model"]) == {"name", "hash"}
    wanted = {"t_us", "label", "confidence", "accepted", "reason", "latency_ms", "runtime"}
    assert all(wanted <= set(decision) for decision in decisions)


def test_the_speed_of_playing_changes_no_decision(wave_far: list[Path]) -> None:
    def told(decisions: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
        return [tuple(d[name] for name in ("t_us", "label", "confidence", "accepted", "reason", "events")) for d in decisions]

    fastest, _ = play(wave_far[0])
    paced: list[dict[str, Any]] = []
    with Engine(EngineSettings(str(wave_far[0]), speed=4, chat=False), paced.append) as engine:
        assert engine.run() == 0
    assert told(paced) == told(fastest)


def test_recording_while_playing_keeps_every_event(wave_far: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "copy.aedat4"
    play(wave_far[0], record=out)
    assert dv_count(out) == dv_count(wave_far[0])


@pytest.mark.parametrize("mirror", [False, True])
def test_a_folder_is_evaluated_against_one_label(wave_far: list[Path], mirror: bool) -> None:
    ended = egret("evaluate", "gesture", "--data", wave_far[0].parent, "--label", "right_hand_wave", "--json", *["--mirror"] * mirror)
    assert ended.returncode == 0, ended.stderr
    (said,) = lines(ended)
    assert said["recordings"] == len(wave_far)
    assert said["mirror"] is mirror
    assert said["windows"] == sum(said["windows_rejected"].values()) + said["windows_accepted"] == sum(said["windows_leading"].values())
    assert 0 <= said["accuracy"] <= 1
