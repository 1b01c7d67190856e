"""Promises of what a clone brings: every bundled file is in it, the README's links lead somewhere, and the demo shows gestures."""

import re
import shutil
import subprocess

import pytest
from commandline import ROOT

import assets
from app.commands.common import DEMO
from app.engine.models import Models
from app.evaluation.answers import answer
from app.evaluation.material import recordings


def tracked() -> set[str]:
    """The files that git knows here."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout: what a clone brings cannot be told")
    said = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(said.stdout.splitlines())


def test_every_bundled_file_is_in_a_clone() -> None:
    files = tracked()
    for name in (DEMO, "gesture.safetensors", "language.safetensors", "language.tokenizer.json"):
        assert f"assets/{name}" in files


def test_every_file_that_the_readme_points_to_is_in_a_clone() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert links
    assert set(links) <= tracked()


def test_the_demo_shows_several_gestures_that_the_bundled_network_accepts() -> None:
    models = Models()
    (piece,) = recordings([assets.path(DEMO)], "none")
    accepted = answer(piece, models.runtime("host"), models.decider()).accepted
    assert len([label for label, windows in accepted.items() if windows >= 20]) >= 2, accepted
