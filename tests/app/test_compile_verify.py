"""`egret compile` and `egret verify`: figures, files, refusals."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from commandline import egret, lines

import assets
from app.cli import run_command
from app.commands import verify
from models.chip import emulated, plan, spinnaker2, storage
from models.chip.layout import USABLE_PES, Region, Role
from pipeline.errors import FAILED, USAGE, UserError
from tests.models.chip import test_storage
from tests.models.chip.test_spinnaker2 import DOUBLE

GESTURE, LANGUAGE = str(assets.path("gesture.safetensors")), str(assets.path("language.safetensors"))


def test_both_shipped_networks_fit_one_chip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, picture = tmp_path / "plan", tmp_path / "chip.png"
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib, of the extra train")
    assert run_command(["compile", GESTURE, LANGUAGE, "--out", str(out), "--plot", str(picture), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    made = plan.load(out)
    assert said["pes"] == len(made.elements) <= USABLE_PES
    assert [network["kind"] for network in said["networks"]] == ["gesture", "language"]
    stages = [stage["name"] for network in said["networks"] for stage in network["stages"]]
    assert stages == ["source", "layer 0", "layer 1", "read-out", "source", "layer 0", "layer 1", "read-out"]
    assert all(stage["headroom"] >= 0 for network in said["networks"] for stage in network["stages"])
    assert said["data_bytes"] == sum(element.data_bytes for element in made.elements)
    assert said["routing_entries"] == 7
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_table_says_what_a_network_takes_and_its_program_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, program = tmp_path / "plan", tmp_path / "program"
    assert run_command(["compile", LANGUAGE, "--density", "0.5", "--out", str(out), "--program", str(program)]) == 0
    said = capsys.readouterr().out
    assert f"{len(plan.load(out).elements)} of 148 PEs" in said and "language: " in said and "read-out" in said
    assert storage.load(program, "language").metadata["density"] == pytest.approx(0.5, abs=0.01)
    assert run_command(["compile", str(program), "--out", str(tmp_path / "again"), "--tick", "900"]) == 0
    assert plan.load(tmp_path / "again").tick_us == 900
    with pytest.raises(UserError, match="is a program already"):
        run_command(["compile", str(program), "--density", "0.5", "--out", str(out)])


@pytest.mark.parametrize(
    ("arguments", "sentence", "code"),
    [
        (["compile", GESTURE, LANGUAGE, "--out", "plan", "--program", "program"], "--program is for one MODEL", USAGE),
        (["compile", "absent.safetensors", "--out", "plan"], "There are no weights at absent.safetensors", FAILED),
        (["compile", GESTURE, "--out", "plan", "--density", "0"], "not a number above 0", USAGE),
        (["compile", GESTURE, "--out", "absent/plan"], "could not be written to absent/plan", FAILED),
        (["verify", "--against", "oracle"], "nothing called 'oracle'", USAGE),
        (["verify", "--against", "host"], "with itself proves nothing", USAGE),
        (["verify", "--against", "emulator:x"], "Only a board has an address.*write emulator, not 'emulator:x'", USAGE),
        (["verify", "--runtime", "host:1"], "Only a board has an address.*write host,", USAGE),
        (["verify", "--against", "spinnaker2:"], "Only a board has an address", USAGE),
        (["verify", LANGUAGE, "--source", "x.aedat4"], "a language model, which reads no recording", USAGE),
        (["verify", "--source", "absent.aedat4"], "absent.aedat4", FAILED),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    arguments: list[str], sentence: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=sentence) as caught:
        run_command(arguments)
    assert caught.value.exit_code == code


def test_the_shipped_gesture_network_is_verified_on_a_recording(simulated_wave: Path) -> None:
    ended = egret("verify", GESTURE, "--source", simulated_wave, "--steps", "6", "--json")
    assert ended.returncode == 0, ended.stderr
    (said,) = lines(ended)
    assert (said["type"], said["steps"], said["difference"], said["deadlines_missed"]) == ("verify", 6, None, 0)
    assert said["model"]["name"] == "gesture.safetensors" and said["numbers"] > 6 * 2048
    assert 0 < said["longest_turn"]["ms_at_300_mhz"] < said["longest_turn"]["ms_at_150_mhz"] < said["tick_ms"]


def test_the_first_signal_that_differs_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One bias on one PE is off by one."""
    original = emulated.on_one_chip

    def tampered(programs: list) -> list:  # type: ignore[type-arg]
        networks = original(programs)
        layer = networks[0].of(Role.EGRU)[0]
        units = networks[0].element(layer).stop
        networks[0].chip.words(layer, Region.UNITS)[6 * units + 1] += np.uint32(1)
        return networks

    monkeypatch.setattr(emulated, "on_one_chip", tampered)
    assert run_command(["verify", "--steps", "3"]) == FAILED
    assert "Step 1 differs first in layer 0: a[1]: " in capsys.readouterr().out


@pytest.fixture
def a_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A board, as far as a package with py-spinnaker2's public names and the emulated chip behind them is one."""
    (tmp_path / "egret").mkdir()
    (tmp_path / "egret" / "spinnaker2.toml").write_text(f"python = {sys.executable!r}\npath = {str(DOUBLE)!r}\n")
    for name in ("STM_IP", "PYS2_EXPERIMENT_BACKEND", spinnaker2.SETTINGS, "DOUBLE_FAULT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("S2_IP", "192.0.2.1")


def small(kind: str, path: Path) -> str:
    """A program on disk."""
    storage.save(path, test_storage.program(kind))
    return str(path)


@pytest.mark.parametrize("pair", [[], ["--runtime", "emulator"]], ids=["host", "emulator"])
def test_a_board_is_verified_signal_by_signal(a_board: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], pair: list[str]) -> None:
    arguments = ["verify", small("language", tmp_path / "program"), "--against", "spinnaker2", "--steps", "3", *pair]
    assert run_command([*arguments, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["runtime"], said["against"], said["steps"], said["difference"]) == (pair[-1] if pair else "host", "spinnaker2", 3, None)
    signals_of_a_step = 18 * (9 + 4) + 4 * 5
    assert said["numbers"] == 3 * signals_of_a_step and said["deadlines_missed"] == 0
    assert run_command(arguments) == 0
    assert " and the board." in capsys.readouterr().out


def test_two_boards_are_told_apart_by_their_addresses(a_board: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boards = "spinnaker2:192.0.2.7", "spinnaker2:192.0.2.8"
    program = small("language", tmp_path / "program")
    arguments = ["verify", program, "--runtime", boards[0], "--against", boards[1], "--steps", "2"]
    assert run_command([*arguments, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["runtime"], said["against"], said["difference"]) == (*boards, None)
    differing = said | {"difference": {"step": 1, "signal": "o", "index": 2, "runtime": 3, "against": 4}}
    assert "o[2]: 3 on the board 192.0.2.7, 4 on the board 192.0.2.8." in verify.readable(differing)


def test_what_each_of_two_places_computed_stands_under_its_role(
    a_board: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOUBLE_FAULT", "wrong")
    assert run_command(["verify", small("language", tmp_path / "program"), "--against", "spinnaker2", "--steps", "2", "--json"]) == FAILED
    difference = json.loads(capsys.readouterr().out)["difference"]
    assert difference["runtime"] != difference["against"] and set(difference) == {"step", "signal", "index", "runtime", "against"}


def test_a_board_that_computes_something_else_is_told_with_the_first_signal(
    a_board: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOUBLE_FAULT", "wrong")
    assert run_command(["verify", small("language", tmp_path / "program"), "--against", "spinnaker2:192.0.2.7"]) == FAILED
    assert "Step 1 differs first in layer 0: h[0]: " in capsys.readouterr().out


@pytest.mark.parametrize(("fault", "sentence"), [("raise", "gave up: The board's run failed"), ("unknown", "gave up: .*could not place")])
def test_a_board_that_fails_while_it_is_verified_is_one_sentence(
    a_board: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, sentence: str
) -> None:
    monkeypatch.setenv("DOUBLE_FAULT", fault)
    with pytest.raises(UserError, match=f"The board {sentence}.*nothing was verified"):
        run_command(["verify", small("language", tmp_path / "program"), "--against", "spinnaker2"])


def test_where_there_is_no_board_the_state_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with pytest.raises(
        UserError, match=r"^No board \(python\): The Python /absent cannot be run.* The runtime `host` needs none\.$"
    ) as caught:
        run_command(["verify", small("language", tmp_path / "program"), "--against", "spinnaker2:192.0.2.1,python=/absent"])
    assert caught.value.exit_code == FAILED


def test_tokens_are_what_the_model_would_write() -> None:
    writer = verify._Writer()
    tokens = iter(writer)
    logits = np.zeros(50, np.float32)
    logits[17] = 100
    assert next(tokens) == 1
    writer(logits)
    assert next(tokens) == 17
