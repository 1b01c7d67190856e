"""The way to a board and back, against a package with exactly the public names of py-spinnaker2; and every way in which there is none."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.chip import boards, failover, firmware, integer, placement, spinnaker2
from models.chip import plan as plans
from models.chip.board import link, planfile, worker
from models.chip.layout import REGIONS_END, SPECIFICATION_ADDRESS, SPECIFICATION_MAGIC, SPECIFICATION_VERSION, Region
from models.chip.plan import Plan
from models.chip.program import Program
from models.chip.runtime import Runtime
from models.chip.spinnaker2 import Settings
from models.chip.worker_process import ChipProcess, Lost
from pipeline.errors import USAGE, UserError
from tests.models.chip import programs as make
from tests.models.chip.test_runtime import save

DOUBLE = Path(__file__).with_name("spinnaker2_double")
BOARD = Settings(python=sys.executable, path=str(DOUBLE), eth_ip="192.0.2.1")


@pytest.fixture(scope="module")
def both() -> tuple[Program, Program]:
    return make.program(1, "gesture", [10, 8], inputs=20), make.program(2, "language", [9, 7], outputs=12, inputs=8)


@pytest.fixture(scope="module")
def plan(both: tuple[Program, Program]) -> Plan:
    return placement.place(list(both), firmware.image())


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("S2_IP", "STM_IP", "STM_IP48", "PYS2_EXPERIMENT_BACKEND", spinnaker2.SETTINGS, "DOUBLE_FAULT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(boards, "SITE", tmp_path / "none")
    monkeypatch.setattr(boards, "ROOT", tmp_path / "none")


@pytest.fixture
def processes() -> Iterator[list[ChipProcess]]:
    started: list[ChipProcess] = []
    yield started
    for process in started:
        process.close()


@pytest.mark.parametrize("board", [BOARD, Settings(BOARD.python, BOARD.path, "48", stm_ip="192.0.2.2", experiment_backend="spinnman2")])
def test_a_step_on_the_board_is_a_step_on_the_host(
    both: tuple[Program, Program], plan: Plan, processes: list[ChipProcess], board: Settings
) -> None:
    """Through the worker's process, the double and the firmware on emulated PEs, at places that the mapper chose; and bit for bit."""
    pytest.importorskip("unicorn", reason="the emulated chip needs the extra emulator")
    process = spinnaker2.start(plan, board)
    processes.append(process)
    assert process.hello["live"] is False
    chips = failover.on_chip(process, plan, always_import=True)
    gesture, language = failover.GestureNetwork(both[0]), failover.LanguageNetwork(both[1])
    gesture.attach(chips[0])
    language.attach(chips[1])
    hosts = integer.GestureNetwork(both[0]), integer.LanguageNetwork(both[1])
    for counts, token in zip(make.inputs(both[0], 3, 4), make.inputs(both[1], 4, 4), strict=True):
        np.testing.assert_array_equal(gesture.step(counts), hosts[0].step(counts))
        np.testing.assert_array_equal(language.step(token), hosts[1].step(token))
    assert process.lost is None and gesture.on_chip and language.on_chip


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("raise", "gave up: The board's run failed (RuntimeError: no route to host)."),
        ("short", "gave up: py-spinnaker2 gave "),
        ("hang", "did not answer within 500 ms"),
        ("crash", "crashed (SIGABRT)"),
        ("wrong", "answered wrongly: the host comes to another result"),
    ],
)
def test_a_run_that_fails_leaves_the_board_for_the_host(
    both: tuple[Program, Program], plan: Plan, processes: list[ChipProcess], monkeypatch: pytest.MonkeyPatch, fault: str, sentence: str
) -> None:
    monkeypatch.setenv("DOUBLE_FAULT", fault)
    process = spinnaker2.start(plan, BOARD)
    processes.append(process)
    chip = failover.on_chip(process, plan, always_import=True)[0]
    chip.limit_s = 0.5 if fault == "hang" else 60.0
    network, host = failover.GestureNetwork(both[0]), integer.GestureNetwork(both[0])
    network.attach(chip)
    for counts in make.inputs(both[0], 3, 3):
        np.testing.assert_array_equal(network.step(counts), host.step(counts))
    assert str(process.lost).startswith(sentence)


def test_the_runtime_goes_all_the_way_to_the_board_and_refuses_one_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("unicorn", reason="the emulated chip needs the extra emulator")
    (tmp_path / "egret").mkdir()
    (tmp_path / "egret" / "spinnaker2.toml").write_text(f"python = {sys.executable!r}\npath = {str(DOUBLE)!r}\n")
    weights = save(tmp_path / "gesture.safetensors", "gesture"), save(tmp_path / "language.safetensors", "language")
    board, host = Runtime(*weights, "spinnaker2:192.0.2.1"), Runtime(*weights)
    told: list[tuple[str, str]] = []
    board.live(lambda level, sentence: told.append((level, sentence)))
    assert (board.backend, board.badge, board.offer) == ("spinnaker2", "CHIP", "")
    assert told[0][0] == "warning" and "never been tried" in told[0][1]
    counts = np.random.default_rng(2).poisson(0.02, (2, 2, 32, 32)).astype(np.uint16)
    for window in counts:
        np.testing.assert_array_equal(board.gesture.step(window), host.gesture.step(window))
    np.testing.assert_array_equal(board.language.step(3), host.language.step(3))
    assert board.backend == "spinnaker2" and len(told) == 1
    board.close()
    monkeypatch.setenv("DOUBLE_FAULT", "raise")
    broken = Runtime(*weights, "spinnaker2:192.0.2.1")
    with pytest.raises(UserError, match="do not run on spinnaker2"):
        broken.warm()
    broken.close()


@pytest.mark.parametrize("fault", ["unknown", "routing"])
def test_a_package_without_egrets_program_is_said_before_a_run(
    plan: Plan, processes: list[ChipProcess], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setenv("DOUBLE_FAULT", fault)
    process = spinnaker2.start(plan, BOARD)
    processes.append(process)
    with pytest.raises(Lost, match=r"could not place .* PEs of the program egret_pe .* as the README says"):
        failover.on_chip(process, plan)


def test_a_package_without_a_needed_name_is_named_with_it(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "spinnaker2").mkdir()
    (tmp_path / "spinnaker2" / "__init__.py").touch()
    (tmp_path / "spinnaker2" / "snn.py").write_text("Network = Population = None\n")
    with pytest.raises(UserError, match=r"has no spinnaker2\.snn\.Projection, spinnaker2\.hardware\.SpiNNaker2Chip, .*as it is"):
        spinnaker2.start(plan, Settings(sys.executable, str(tmp_path), eth_ip="192.0.2.1"))


def test_every_missing_thing_has_a_name_and_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    wanted = {
        "python": [Settings(), Settings(python=str(tmp_path / "none")), Settings(python="/bin/true")],
        "package": [Settings(python=sys.executable)],
        "board": [Settings(BOARD.python, BOARD.path)],
        "ready": [BOARD],
    }
    found = {state: [spinnaker2.examine(settings) for settings in cases] for state, cases in wanted.items()}
    for state, cases in found.items():
        assert {case.state for case in cases} == {state} and all(case.sentence.endswith(".") for case in cases)


def test_file_environment_and_option_name_a_board_and_the_later_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert spinnaker2.settings() == Settings()
    file = tmp_path / "egret" / "spinnaker2.toml"
    file.parent.mkdir()
    file.write_text('board = "48"\neth_ip = "192.0.2.1"\nstm_ip = "192.0.2.2"\nlimit_s = 30\n')
    assert spinnaker2.settings() == Settings(board="48", eth_ip="192.0.2.1", stm_ip="192.0.2.2", limit_s=30.0)
    monkeypatch.setenv("S2_IP", "192.0.2.3")
    monkeypatch.setenv("STM_IP48", "192.0.2.4")
    assert spinnaker2.settings() == Settings(board="48", eth_ip="192.0.2.3", stm_ip="192.0.2.4", limit_s=30.0)
    assert spinnaker2.settings("192.0.2.5").eth_ip == "192.0.2.5"
    monkeypatch.setenv("STM_IP", "192.0.2.6")
    option = "192.0.2.5,board=single,tick_s=0.002,python=/usr/bin/python3.12"
    wanted = Settings("/usr/bin/python3.12", "", "single", "192.0.2.5", "192.0.2.6", tick_s=0.002, limit_s=30.0)
    assert spinnaker2.settings(option) == wanted
    assert spinnaker2.settings("board=48").board == "48" and spinnaker2.settings("board=48").eth_ip == "192.0.2.3"


@pytest.mark.parametrize("option", ["192.0.2.5,board=49", "192.0.2.5,colour=1", "tick_s=fast", "192.0.2.5,limit_s=0", "1,2", "limit_s=nan"])
def test_an_option_that_makes_no_sense_is_refused(option: str) -> None:
    with pytest.raises(UserError, match=f"spinnaker2:{option}") as caught:
        spinnaker2.settings(option)
    assert caught.value.exit_code == USAGE


def site(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site with this list of boards; the folder of its locks."""
    root = folder / "root"
    (root / "locks").mkdir(parents=True)
    (root / boards.NAME).write_text(text)
    (folder / "SPINNAKER_CONFIG_PATH").write_text(f"{root}\n")
    monkeypatch.setattr(boards, "SITE", folder / "SPINNAKER_CONFIG_PATH")
    return root / "locks"


LIST = """
small:
    ETH_IP_START: 192.0.2.10
    n_boards: 2
    type: 201
large: {ETH_IP_START: 192.0.2.40, n_boards: 1, type: 248}
"""
HOLD = "import fcntl, sys; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"


def test_the_first_board_of_the_sites_list_that_nobody_uses_is_taken_where_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = site(tmp_path, LIST, monkeypatch)
    assert [board.eth_ip for board in boards.listed()] == ["192.0.2.10", "192.0.2.11", "192.0.2.40"]
    bare = Settings(BOARD.python, BOARD.path)

    def found(wanted: Settings) -> tuple[str, str, str]:
        readiness = spinnaker2.examine(wanted)
        return readiness.state, readiness.chosen.board, readiness.chosen.eth_ip

    assert found(bare) == ("ready", "single", "192.0.2.10")
    assert found(replace(bare, board="48")) == found(replace(bare, eth_ip="large")) == ("ready", "48", "192.0.2.40")
    assert found(replace(bare, eth_ip="192.0.2.99")) == ("ready", "single", "192.0.2.99")
    assert found(replace(bare, eth_ip="board.example")) == ("ready", "single", "board.example")
    with ExitStack() as holders:
        for address, left in (("192_0_2_10", "192.0.2.11"), ("192_0_2_11", "")):
            holder = subprocess.Popen(
                [sys.executable, "-c", HOLD, str(locks / f"BOARD_{address}.lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            holders.enter_context(holder)
            assert holder.stdout is not None
            holder.stdout.readline()
            state, _, eth_ip = found(bare)
            assert (state, eth_ip) == (("ready", left) if left else ("locked", ""))
        assert found(replace(bare, eth_ip="192.0.2.11"))[0] == "locked"
        assert boards.described() == "The site's list has 3 boards, in use: 192.0.2.10, 192.0.2.11."
        with pytest.raises(UserError, match=r"^No board \(locked\): All 2 boards"):
            spinnaker2.start(None, bare)  # type: ignore[arg-type]
    assert found(bare)[0] == "ready"


def test_a_site_without_a_list_leaves_it_to_the_package_to_find_a_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site(tmp_path, "", monkeypatch).parent / boards.NAME).unlink()
    found = spinnaker2.examine(Settings(BOARD.python, BOARD.path))
    assert found.state == "ready" and "the package is to find a board itself" in found.sentence and "named" not in found.sentence


@pytest.mark.parametrize("contents", [b"", b" \n", b"\xff\xfe\n"], ids=["empty", "blank", "no text"])
def test_a_sites_file_that_names_no_folder_is_as_if_it_were_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contents: bytes
) -> None:
    site(tmp_path, LIST, monkeypatch)
    boards.SITE.write_bytes(contents)
    monkeypatch.setattr(boards, "ROOT", tmp_path / "absent")
    assert boards.root() is None and boards.listed() == [] and boards.described() == ""
    assert spinnaker2.examine(Settings(BOARD.python, BOARD.path)).state == "board"


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2]",
        "a: 1",
        "a: {type: 999}",
        "a: {type: 201, n_boards: 0, ETH_IP_START: 1.2.3.4}",
        "a: {type: 201, n_boards: 1}",
        "a: {type: 201, n_boards: 1, ETH_IP_START: here}",
        "a: {type: 201, n_boards: 9999999, ETH_IP_START: 1.2.3.4}",
        "{",
        "\x00",
    ],
)
def test_a_list_of_boards_that_makes_no_sense_is_a_state_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    site(tmp_path, text, monkeypatch)
    found = spinnaker2.examine(Settings(BOARD.python, BOARD.path))
    assert found.state == "site" and found.sentence.endswith("name an address instead.") and boards.described() == ""


@given(st.text(max_size=60))
def test_whatever_the_list_of_boards_holds_is_boards_or_a_sentence(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        site(Path(folder), text, patch)
        with suppress(UserError):
            assert all(board.kind in spinnaker2.BOARDS for board in boards.listed())


def test_without_a_reader_of_the_list_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site(tmp_path, LIST, monkeypatch)
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(UserError, match=r"environment\.sh board"):
        boards.listed()


@pytest.mark.parametrize("text", ["board = 3", 'board = "49"', "colour = 1", "eth_ip = true", "limit_s = -1", "tick_s = nan", "= 3", "[a]"])
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    path = tmp_path / "board.toml"
    path.write_text(text)
    monkeypatch.setenv(spinnaker2.SETTINGS, str(path))
    with pytest.raises(UserError, match=r"board\.toml") as caught:
        spinnaker2.settings()
    assert caught.value.exit_code == USAGE


def test_settings_that_are_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(spinnaker2.SETTINGS, str(tmp_path / "absent.toml"))
    with pytest.raises(UserError, match="There is no file"):
        spinnaker2.settings()


def test_the_worker_reads_the_plan_that_was_written(plan: Plan, tmp_path: Path) -> None:
    plans.save(plan, tmp_path / "plan")
    found = planfile.load(tmp_path / "plan")
    assert (found.tick_s, found.networks) == (pytest.approx(plan.tick_us / 1e6), len(plan.networks))
    for element, wanted in zip(found.elements, plan.elements, strict=True):
        sends = {part.address: part.words for part in element.regions.values() if part.words is not None}
        sends[SPECIFICATION_ADDRESS] = element.specification(tuple(worker.REGIONS), worker.MAGIC, worker.FORMAT)
        assert sends == {address: words.tobytes() for address, words in wanted.sends()}
        assert element.network == wanted.network
    assert [region.name for region in Region] == worker.REGIONS
    assert (worker.MAGIC, worker.FORMAT) == (SPECIFICATION_MAGIC, SPECIFICATION_VERSION)
    assert worker.SPECIFICATION_ADDRESS == SPECIFICATION_ADDRESS
    assert link.SPACE == (SPECIFICATION_ADDRESS, REGIONS_END)


def test_a_file_that_is_no_plan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan"
    for data in (b"", b"\xff" * 40, b"\x02" + bytes(7) + b"{}"):
        path.write_bytes(data)
        with pytest.raises(ValueError):
            planfile.load(path)


def test_the_workers_side_needs_nothing_but_the_standard_library(tmp_path: Path) -> None:
    """It is imported by a Python that has none of Egret's packages."""
    root = str(Path(spinnaker2.__file__).parents[2])
    code = "import models.chip.board.worker, sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {root!r}); {code}"], capture_output=True, check=True, text=True
    )
    assert not {"numpy", "numba", "safetensors"} & set(json.loads(done.stdout))


def test_the_double_refuses_what_is_not_public() -> None:
    code = "from spinnaker2 import hardware; hardware.SpiNNaker2Chip(eth_ip='192.0.2.1').stream"
    path = os.pathsep.join([str(DOUBLE), str(Path(spinnaker2.__file__).parents[2])])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ, PYTHONPATH=path))
    assert "NotPublic: SpiNNaker2Chip.stream is not among" in done.stderr
