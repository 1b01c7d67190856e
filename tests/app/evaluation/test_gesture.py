"""Promises of `egret evaluate gesture`: every kind of data, every figure from the same answers, and damage is never hidden."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aedat_bytes import CAER_HEADER, packet
from commandline import egret, lines

from app.cli import run_command
from app.engine.models import Models
from app.evaluation import compare, gesture, material, pictures
from app.evaluation.gesture import Wanted
from models.training.clips import SPLITS
from pipeline.errors import USAGE, UserError
from pipeline.formats.aedat4 import Aedat4Reader
from pipeline.simulator import GESTURES, KINDS


@pytest.fixture(scope="module")
def simulated() -> dict[str, Any]:
    """One clip of every kind."""
    return gesture.evaluate(Models(), Wanted(["simulated"], clips=1))


def test_the_simulated_test_set_has_every_kind_once_and_every_figure(simulated: dict[str, Any]) -> None:
    assert [file["truth"] for file in simulated["files"]] == [kind if kind in GESTURES else "none" for kind in KINDS]
    assert (simulated["data"], simulated["recordings"], simulated["damaged"]) == ("simulated", len(KINDS), 0)
    assert {file["windows"] for file in simulated["files"]} == {120}
    assert simulated["windows"] == 120 * len(KINDS) == simulated["windows_accepted"] + sum(simulated["windows_rejected"].values())
    assert simulated["windows"] == sum(simulated["windows_leading"].values())
    assert set(simulated["recall"]) == set(simulated["windows_accepted_share"]) == {*GESTURES, "none"}
    assert sum(number for row in simulated["confusion"].values() for number in row.values()) == len(KINDS)
    assert simulated["decision_time"]["onset_known"] == simulated["decision_time"]["pieces"] == len(GESTURES) - 1
    assert 0 < simulated["activity"] < 1
    assert min(simulated["activity_layers"]) <= simulated["activity"] <= max(simulated["activity_layers"])
    assert simulated["operations_per_step"] > 0
    assert sum(part["share"] for part in simulated["reliability"]) == pytest.approx(1, abs=0.01)


def test_the_test_set_has_people_and_sensors_that_training_never_sees() -> None:
    most = 10_000 * len(KINDS)
    for start in (*SPLITS.values(), 1 << 40):
        assert start + (1 << 30) <= material.TEST_SEEDS or start >= material.TEST_SEEDS + most


def test_a_simulated_piece_is_the_same_whoever_makes_it_and_however_many_are_asked_for() -> None:
    (again,) = material.simulate(5, None).frames
    number, pieces = material.simulated(1)
    alone = [next(pieces) for _ in range(6)][5]
    (frames,) = alone.frames
    assert number == len(KINDS)
    assert np.array_equal(frames.counts, again.counts)
    assert (alone.truth, len(frames)) == (KINDS[5], 120)


def test_an_evaluation_is_compared_with_itself_and_drawn(simulated: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "earlier.json").write_text(json.dumps({"type": "evaluation"} | simulated) + "\n")
    earlier = compare.read_earlier(tmp_path / "earlier.json")
    assert compare.changes(earlier, simulated) == []
    earlier["decision_time"]["median_ms"] = 1e6
    (change,) = compare.changes(earlier, simulated)
    assert change.figure == "decision_time.median_ms"
    pytest.importorskip("matplotlib")
    drawn = pictures.draw(simulated, tmp_path / "new")
    assert [path.name for path in drawn] == ["confusion.png", "rejection.png", "reliability.png", "time.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)


def test_recordings_of_any_format_are_evaluated_together_and_damage_is_told(simulated_wave: Path, tmp_path: Path) -> None:
    whole = simulated_wave.read_bytes()
    (tmp_path / "a.aedat4").write_bytes(whole)
    (tmp_path / "b.aedat4").write_bytes(whole[: len(whole) // 2])
    with Aedat4Reader(simulated_wave) as reader:
        events = [event for part in reader.packets() for event in part[["timestamp", "x", "y", "polarity"]].tolist()]
    (tmp_path / "c.aedat").write_bytes(CAER_HEADER + packet(events))
    ended = egret("evaluate", "gesture", "--data", tmp_path, "--label", "right_hand_wave", "--json", "--against", tmp_path / "none.json")
    assert ended.returncode == 1
    assert "none.json" in ended.stderr
    ended = egret("evaluate", "gesture", "--data", tmp_path, "--label", "right_hand_wave", "--json")
    assert ended.returncode == 3, ended.stderr
    (said,) = lines(ended)
    assert (said["recordings"], said["damaged"]) == (3, 1)
    good, bad, other = said["files"]
    assert not good["damage"]
    assert bad["damage"]
    assert 0 < bad["windows"] < good["windows"] == pytest.approx(80, abs=1)
    assert [good[name] for name in ("windows", "accepted", "label")] == [other[name] for name in ("windows", "accepted", "label")]


def test_what_is_no_gesture_is_right_when_nothing_is_accepted(simulated_wave: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["evaluate", "gesture", "--data", str(simulated_wave), "--label", "none", "--mirror", "--threshold", "1", "--json"]
    assert run_command(command) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["accuracy"], said["mirror"], said["windows_accepted_share"]) == (1.0, True, {"none": 0.0})
    assert said["decision_time"] == {}
    assert run_command(command[:-1]) == 0
    assert "accepted although there is no gesture: 0.0%" in capsys.readouterr().out


def test_the_dvs128_gesture_set_is_evaluated_by_its_own_labels(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    events = [(1_000_000 + 1000 * n, *random.integers(0, 128, 2).tolist(), n % 2) for n in range(1000)]
    (tmp_path / "user24_led.aedat").write_bytes(CAER_HEADER + packet(events))
    (tmp_path / "user24_led_labels.csv").write_text("class,startTime_usec,endTime_usec\n2,1000000,1500000\n11,1500000,1990000\n")
    said = gesture.evaluate(Models(), Wanted([str(tmp_path)]))
    assert said["data"] == "dvs128"
    assert [(file["path"], file["truth"], file["windows"]) for file in said["files"]] == [
        ("user24_led/right_hand_wave", "right_hand_wave", 20),
        ("user24_led/other_gestures", "other_gestures", 20),
    ]


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (Wanted(["somewhere"]), "--label"),
        (Wanted(["somewhere"], "moonwalk"), "moonwalk"),
        (Wanted(["simulated"], "none"), "leave out --label"),
        (Wanted(["simulated", "more"]), "leave out"),
        (Wanted(["simulated"], preset="dream"), "dream"),
    ],
)
def test_data_that_cannot_be_evaluated_so_is_refused(wanted: Wanted, told: str) -> None:
    with pytest.raises(UserError, match=told) as caught:
        gesture.evaluate(Models(), wanted)
    assert caught.value.exit_code == USAGE


@pytest.mark.parametrize("content", ["", "no json", '{"type": "info"}', "[" * 100_000, '"evaluation"'])
def test_what_is_no_evaluation_is_not_compared_with(content: str, tmp_path: Path) -> None:
    (tmp_path / "it.json").write_text(content)
    with pytest.raises(UserError, match="is no evaluation"):
        compare.read_earlier(tmp_path / "it.json")
