"""`egret teach` as a user runs it."""

import json
from pathlib import Path

import pytest
from commandline import egret, lines
from lessons import PUNCHING, WAVING, few_movements, movement, untrained

from app.cli import run_command
from models.teaching import movements
from pipeline.errors import USAGE, UserError
from pipeline.formats.aedat4 import Aedat4Writer

EVERY_MOVEMENT = movements.FILE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained weights, and recordings of two movements and of nothing."""
    folder = tmp_path_factory.mktemp("teach")
    untrained(folder / "weights.safetensors")
    few_movements(folder / "movements.npz")
    for name, seed in (("sway", WAVING), ("punch", PUNCHING)):
        for take, events in enumerate(movement(seed, 3)):
            with Aedat4Writer(folder / f"{name}-{take}.aedat4", 128, 128, "simulated") as writer:
                writer.write(events)
    with Aedat4Writer(folder / "still.aedat4", 128, 128, "simulated") as writer:
        writer.write(movement(WAVING, 1)[0][:5])
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Fewer known movements."""
    monkeypatch.setattr(movements, "FILE", str(folder / "movements.npz"))


def teach(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    """What ``egret teach ... --json`` prints."""
    assert run_command(["teach", *arguments, "--weights", str(folder / "weights.safetensors"), "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


def test_gestures_are_taught_listed_and_taken_back(folder: Path, capsys: pytest.CaptureFixture[str], taught_heads: Path) -> None:
    sway, punch = ([str(folder / f"{name}-{take}.aedat4") for take in range(3)] for name in ("sway", "punch"))
    said = teach(folder, capsys, "Big sway", "--from", *sway, "--not", punch[0])
    assert said["type"] == "teach" and said["taught"] == ["big_sway"] and said["done"] == "teach"
    (path,) = taught_heads.glob("*.safetensors")
    assert said["head"] == str(path)
    once = path.read_bytes()
    said = teach(folder, capsys, "punch", "--from", *punch)
    assert said["taught"] == ["big_sway", "punch"]
    assert [len(lesson["examples"]) for lesson in said["lessons"]] == [4, 3]  # type: ignore[attr-defined, index]
    assert teach(folder, capsys, "--list")["taught"] == ["big_sway", "punch"]
    assert teach(folder, capsys, "--undo", "punch")["taught"] == ["big_sway"]
    assert path.read_bytes() == once
    assert teach(folder, capsys, "--undo", "big sway") | {"head": "", "version": ""} == {
        "type": "teach", "done": "undo", "taught": [], "lessons": [], "figures": None, "head": "", "version": "",
        "model": {"name": "weights.safetensors", "hash": said["model"]["hash"]},  # type: ignore[index]
    }  # fmt: skip


def test_people_are_told_what_teaching_did(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = ["--weights", str(folder / "weights.safetensors")]
    assert run_command(["teach", "sway", "--from", str(folder / "sway-0.aedat4"), str(folder / "sway-1.aedat4"), *weights]) == 0
    said = capsys.readouterr().out
    assert "Taught sway" in said and "held-out windows" in said and "old gestures" in said and "only 2 examples" in said
    assert run_command(["teach", "--list", *weights]) == 0
    assert "sway: 2 examples from 2 recordings" in capsys.readouterr().out
    assert run_command(["teach", "--undo", "sway", *weights]) == 0
    assert "Nothing is taught any more." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "--undo NAME, or --list"),
        (["sway"], "recordings of it with --from"),
        (["sway", "--list"], "or --list"),
        (["--from", "x.aedat4", "--list"], "name it"),
        (["arm roll", "--from", "x.aedat4"], "knows arm_roll already"),
        (["a/b", "--from", "x.aedat4"], "letters and digits"),
        (["--undo", "sway"], "nothing has been taught"),
        (["sway", "--from", "x.aedat4", "--head", "none"], "no place for what is taught"),
    ],
)
def test_wishes_that_make_no_sense_are_usage_errors(folder: Path, arguments: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as refused:
        run_command(["teach", *arguments, "--weights", str(folder / "weights.safetensors")])
    assert refused.value.exit_code == USAGE


@pytest.mark.parametrize(("name", "sentence"), [("still.aedat4", "Too little happens in"), ("none.aedat4", "There is no file")])
def test_recordings_that_show_nothing_are_named(folder: Path, name: str, sentence: str) -> None:
    with pytest.raises(UserError, match=f"{sentence} .*{name}"):
        run_command(["teach", "sway", "--from", str(folder / name), "--weights", str(folder / "weights.safetensors")])


def test_what_was_taught_is_recognised_by_run_and_can_be_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights, head = folder / "weights.safetensors", folder / "head.safetensors"
    teach(folder, capsys, "sway", "--from", *(str(folder / f"sway-{take}.aedat4") for take in range(2)), "--head", str(head))
    run = ["run", "--source", folder / "sway-2.aedat4", "--speed", "0", "--json", "--weights", weights, "--threshold", "0.3"]
    found = egret(*run, "--head", head)
    assert found.returncode == 0, found.stderr
    assert lines(found)[-1]["label"] == "sway"
    assert all(line["label"] != "sway" for line in lines(egret(*run, "--head", "none"))[:-1])
    refused = egret("run", "--source", folder / "sway-2.aedat4", "--head", head)
    assert refused.returncode == 1 and "belongs to the weights" in refused.stderr and "Traceback" not in refused.stderr


def test_the_help_explains_how_to_teach(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_command(["teach", "--help"])
    said = capsys.readouterr().out
    assert "egret record" in said and "--undo" in said and "does not change" in said


def test_a_real_movement_is_taught_from_recordings_and_found_in_others(
    wave_near: list[Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The five near waves, which the network was not made for: each is found by what the other four taught."""
    monkeypatch.setattr(movements, "FILE", EVERY_MOVEMENT)
    assert run_command(["teach", "near wave", "--from", *map(str, wave_near), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    own, known = said["figures"]["taught"]["near_wave"], said["figures"]["known"]
    assert own["recordings"] == 5 and own["found"] >= 0.9
    assert known["after"] >= known["before"] - 0.03


def test_a_rod_is_taught_from_an_older_format(shared_data: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rod = shared_data / "not-gestures" / "pendulo2.aedat"
    said = teach(folder, capsys, "rod", "--from", str(rod))
    assert said["figures"]["taught"]["rod"]["recordings"] == 1  # type: ignore[index]
    assert "recording" in [remark["kind"] for remark in said["figures"]["remarks"]]  # type: ignore[index]
