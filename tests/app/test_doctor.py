"""Promises of `egret doctor`: it speaks where it is needed, and of everything it looked at."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commandline import egret, environment, lines

import assets
from app.commands.common import DEMO, camera_is_there

WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None  # importing it fails
from app.cli import run_command
sys.exit(run_command(["doctor", "--json"]))
"""
LOOKED_AT = ["python", "packages", "dv-processing", "qt", "screen", "camera", "chip", "weights", "demo", "training", "engines", "disk"]


def test_every_finding_is_a_line_of_json_and_the_exit_code_says_whether_one_is_bad() -> None:
    ended = egret("doctor", "--json")
    findings = lines(ended)
    assert [finding["what"] for finding in findings] == LOOKED_AT
    assert {finding["level"] for finding in findings} <= {"good", "note", "bad"}
    assert ended.returncode == any(finding["level"] == "bad" for finding in findings)
    assert not ended.stderr


@pytest.mark.skipif(not assets.path(DEMO).is_file(), reason="assets/demo.aedat4 is not in this checkout")
def test_nothing_is_bad_where_everything_is_installed() -> None:
    ended = egret("doctor")
    assert ended.returncode == 0, ended.stdout
    assert len([line for line in ended.stdout.splitlines() if not line.startswith(" ")]) == len(LOOKED_AT)


@pytest.mark.parametrize("package", ["numpy", "numba", "safetensors", "tokenizers"])
def test_a_package_that_cannot_be_imported_is_a_finding_beside_all_the_others(package: str) -> None:
    command = [sys.executable, "-c", WITHOUT, package]
    ended = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1, ended.stderr
    findings = {finding["what"]: finding for finding in map(json.loads, ended.stdout.splitlines())}
    assert list(findings) == LOOKED_AT
    assert findings["weights"]["level"] == "bad"
    assert package in findings["weights"]["sentence"]
    assert findings["weights"]["mend"] == "sh app/environment.sh"


def plug(bus: Path, port: str, vendor: str, product: str) -> None:
    (bus / port).mkdir()
    (bus / port / "idVendor").write_text(f"{vendor}\n")
    (bus / port / "idProduct").write_text(f"{product}\n")


@pytest.mark.parametrize(("vendor", "product", "there"), [("152a", "841a", True), ("152a", "88c5", False), ("1d6b", "8400", False)])
def test_a_camera_is_told_from_other_devices_on_the_bus(vendor: str, product: str, there: bool, tmp_path: Path) -> None:
    plug(tmp_path, "1-1", vendor, product)
    assert camera_is_there(tmp_path) is there


def test_a_device_that_goes_away_while_it_is_looked_at_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "1-1" / "idVendor").mkdir(parents=True)  # cannot be read
    plug(tmp_path, "1-2", "152a", "8419")
    plug(tmp_path, "1-3", "152a", "8419")
    (tmp_path / "1-2" / "idProduct").unlink()
    assert camera_is_there(tmp_path)
