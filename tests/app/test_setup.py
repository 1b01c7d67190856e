"""Promises of the set-up scripts: what is up to date stays, what changed is installed again, what is half-made is made anew.

The scripts run as they are, in a folder of their own, on a stand-in for Python that notes what it is asked for instead of doing it.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from commandline import ROOT, environment

PYTHON = """#!/bin/sh
case "$*" in
    *sys.version_info*) cat "$STUB/version" ;;
    "-c import venv, ensurepip") [ ! -e "$STUB/no-venv" ] ;;
    "-m venv "*)
        for folder; do :; done
        echo "venv $*" >>"$STUB/log"
        case "$*" in *--clear*) rm -rf "$folder"; mkdir "$folder" ;; esac
        mkdir -p "$folder/bin"
        touch "$folder/pyvenv.cfg" "$folder/pip"
        cp "$STUB/python3" "$folder/bin/python"
        printf '#!/bin/sh\\npwd\\necho "$@"\\n' >"$folder/bin/egret"
        chmod +x "$folder/bin/egret" ;;
    "-m pip --version") [ -e "$(dirname "$0")/../pip" ] ;;
    "-m pip install "*) echo "install $*" >>"$STUB/log"; [ ! -e "$STUB/no-network" ] ;;
    *) echo "unexpected: $*" >&2; exit 1 ;;
esac
"""
TOOLS = ("sh", "cat", "cksum", "cp", "chmod", "dirname", "grep", "mkdir", "mv", "rm", "sed", "sort", "touch", "tr")


class Project:
    """A copy of the scripts with a stand-in for Python."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.stub = folder / "the project", folder / "stub"
        (self.folder / "app").mkdir(parents=True)
        self.stub.mkdir()
        for name in ("app/environment.sh", "app/start.sh", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, self.folder / name)
        for tool in TOOLS:
            (self.stub / tool).symlink_to(shutil.which(tool) or tool)
        self.python = self.stub / "python3"
        self.python.write_text(PYTHON)
        self.python.chmod(0o755)
        self.version("3.12")

    def version(self, number: str) -> None:
        """What the stand-in says of itself."""
        (self.stub / "version").write_text(f"{number}\n")

    def sh(self, *arguments: str, cwd: Path | None = None, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run one of the scripts."""
        known = {"PATH": str(self.stub), "STUB": str(self.stub), **more}
        return subprocess.run(
            ["sh", *arguments], cwd=cwd or self.folder, env=known, capture_output=True, text=True, timeout=60, check=False
        )

    def set_up(self, extras: str = "", **more: str) -> list[str]:
        """Run environment.sh; what it asked Python for."""
        (self.stub / "log").write_text("")
        ended = self.sh("app/environment.sh", extras, **more)
        assert ended.returncode == 0, ended.stderr
        return (self.stub / "log").read_text().splitlines()

    def refused(self, *words: str, **more: str) -> None:
        """environment.sh fails with one sentence that has all `words`, and leaves nothing that looks finished."""
        ended = self.sh("app/environment.sh", **more)
        assert ended.returncode == 1
        said = [line for line in ended.stderr.splitlines() if "setting up" not in line]
        assert len(said) == 1, ended.stderr
        assert said[0].startswith("egret: ")
        for word in words:
            assert word in said[0]

    def stamp(self) -> list[str]:
        return (self.folder / ".venv/egret.stamp").read_text().splitlines()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_first_set_up_makes_the_environment_and_installs_the_project(project: Project) -> None:
    made, installed = project.set_up()
    assert made.startswith("venv ")
    assert "--clear" not in made
    assert installed.endswith("--constraint constraints.txt --editable .")
    assert "python 3.12" in project.stamp()


def test_what_is_up_to_date_is_left_alone(project: Project) -> None:
    project.set_up("train,test")
    for extras in ("train,test", "test", ""):
        assert project.set_up(extras) == []


def test_a_new_extra_is_installed_and_remembered(project: Project) -> None:
    project.set_up()
    (installed,) = project.set_up("test")
    assert installed.endswith("--editable .[test]")
    torch, installed = project.set_up("train")
    assert torch.endswith(" torch")
    assert installed.endswith("--editable .[test,train]")
    assert project.stamp()[-2:] == ["extra test", "extra train"]


def test_a_changed_project_is_installed_again_with_every_extra_there_was(project: Project) -> None:
    project.set_up("train,test")
    with (project.folder / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    torch, installed = project.set_up()
    assert torch.endswith(" torch")
    assert installed.endswith("--editable .[test,train]")
    assert project.set_up("train,test") == []


def test_an_install_that_failed_is_one_sentence_and_is_done_again(project: Project) -> None:
    (project.stub / "no-network").touch()
    project.refused("network connection")
    (project.stub / "no-network").unlink()
    assert len(project.set_up()) == 1


def test_a_half_made_environment_is_made_anew(project: Project) -> None:
    project.set_up()
    (project.folder / ".venv/pip").unlink()
    (project.folder / ".venv/egret.stamp").unlink()
    made, installed = project.set_up()
    assert "--clear" in made
    assert "--editable" in installed


def test_an_environment_of_another_python_is_made_anew_with_its_extras(project: Project) -> None:
    project.set_up("test")
    project.version("3.13")
    made, installed = project.set_up()
    assert "--clear" in made
    assert installed.endswith("--editable .[test]")
    assert "python 3.13" in project.stamp()


def test_an_environment_that_was_moved_is_made_anew(project: Project) -> None:
    project.set_up()
    project.folder = project.folder.rename(project.folder.with_name("elsewhere"))
    assert "--clear" in project.set_up()[0]


def test_a_folder_that_is_no_environment_is_never_emptied(project: Project) -> None:
    (project.folder / "home").mkdir()
    (project.folder / "home/letters").touch()
    assert "--clear" not in project.set_up(EGRET_VENV="home")[0]
    assert (project.folder / "home/letters").exists()


def test_options_for_pip_reach_every_install(project: Project) -> None:
    for installed in project.set_up("train", EGRET_PIP_OPTIONS="--find-links wheels --pre")[1:]:
        assert " --find-links wheels --pre " in installed


def test_a_missing_python_is_one_sentence(project: Project) -> None:
    project.python.unlink()
    project.refused("Python 3.11 to 3.14", "EGRET_PYTHON")


def test_a_python_that_is_named_and_missing_is_one_sentence_even_where_another_is_there(project: Project) -> None:
    project.set_up()
    project.refused("Python 3.11 to 3.14", EGRET_PYTHON="python9")


def test_a_missing_venv_module_is_one_sentence(project: Project) -> None:
    (project.stub / "no-venv").touch()
    project.refused("venv module", "python3-venv")


def test_a_place_that_cannot_be_written_is_one_sentence(project: Project) -> None:
    (project.folder / "file").touch()
    project.refused("EGRET_VENV", EGRET_VENV="file/venv")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_checkout_is_one_sentence(project: Project) -> None:
    project.folder.chmod(0o555)
    try:
        project.refused("read-only")
    finally:
        project.folder.chmod(0o755)


@pytest.mark.parametrize("place", [".venv", "other"])
def test_start_runs_egret_where_the_caller_stands(place: str, project: Project, tmp_path: Path) -> None:
    ended = project.sh("../the project/app/start.sh", "info", "my file", cwd=project.stub, EGRET_VENV=place)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == [str(project.stub), "info my file"]


def test_the_installed_command_and_its_children_run_in_a_folder_with_packages_of_the_same_names(
    tmp_path: Path, simulated_wave: Path
) -> None:
    script = ROOT / os.environ.get("EGRET_VENV", ".venv") / "bin/egret"
    if not script.is_file():
        pytest.skip("the project is not installed: run sh app/environment.sh train,test")
    for name in ("app", "models", "pipeline"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('the wrong package')")
    (tmp_path / "wave.aedat4").symlink_to(simulated_wave)
    known = {name: value for name, value in environment().items() if name != "PYTHONPATH"}
    command = [script, "run", "--source", "wave.aedat4", "--speed", "0", "--quiet"]
    ended = subprocess.run(command, cwd=tmp_path, env=known, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "decisions from" in ended.stdout
