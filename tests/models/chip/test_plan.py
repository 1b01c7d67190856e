"""A plan on disk is the plan; what is none is refused with a sentence."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

from models.chip import firmware, placement, plan
from models.chip.layout import FIRST_REGION, SPECIFICATION_ADDRESS, Region
from models.chip.plan import Plan, RegionPlan, Route
from pipeline.errors import UserError
from tests.models.chip import programs


def some(kind: str = "gesture", seed: int = 1) -> Plan:
    return placement.place([programs.program(seed, kind, [20, 10])], firmware.image())


def same(mine: Plan, theirs: Plan) -> None:
    """Two plans send and read the same."""
    for name in ("image", "tick_us", "clock_hz", "networks", "routes"):
        assert getattr(mine, name) == getattr(theirs, name)
    for one, other in zip(mine.elements, theirs.elements, strict=True):
        about = ("coordinate", "role", "network", "stage", "start", "stop")
        assert [getattr(one, name) for name in about] == [getattr(other, name) for name in about]
        assert one.reads() == other.reads()
        for (address, words), (there, others) in zip(one.sends(), other.sends(), strict=True):
            assert address == there
            np.testing.assert_array_equal(words, others)


@settings(max_examples=10)
@given(st.integers(0, 2**32), st.sampled_from(["gesture", "language"]))
def test_a_plan_read_again_is_the_plan(tmp_path_factory: pytest.TempPathFactory, seed: int, kind: str) -> None:
    path = tmp_path_factory.mktemp("plan") / "plan"
    written = some(kind, seed)
    plan.save(written, path)
    same(plan.load(path), written)


def test_what_is_sent_begins_with_the_data_specification() -> None:
    element = some().elements[1]
    address, words = element.sends()[0]
    assert (address, words[0], words[1]) == (SPECIFICATION_ADDRESS, 0xAD130AD6, 0x00010000)
    assert {name for name, *_ in element.reads()} >= {"state", "signals", "time_done", "counters"}
    with pytest.raises(KeyError):
        element[Region.INPUT]


def changed(path: Path, change: Any) -> None:
    """Rewrite the file at `path` with its description changed."""
    with safe_open(path, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = json.loads(file.metadata()[plan.ENTRY])
    change(about, tensors)
    save_file(tensors, path, {plan.ENTRY: json.dumps(about)})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda about, tensors: about.update(version=1), "of version 1, and this Egret reads version 2"),
        (lambda about, tensors: about.pop("routes"), "routes"),
        (lambda about, tensors: tensors.pop("image"), "image"),
        (lambda about, tensors: about["elements"][0].update(coordinate=[4, 3, 0]), r"no PE at \(4, 3, 0\)"),
        (lambda about, tensors: about["elements"][1].update(coordinate=[1, 1, 0]), "two parts"),
        (lambda about, tensors: about["elements"][0].update(network=7), "network that does not exist"),
        (lambda about, tensors: about["elements"][0]["regions"][0].update(address=FIRST_REGION + 4), "do not fit"),
        (lambda about, tensors: about["elements"][0]["regions"][0].update(address=0), "do not fit"),
        (lambda about, tensors: about["elements"][0]["regions"][0].update(size=1 << 40), "do not fit"),
        (lambda about, tensors: about["elements"][0]["regions"][0].update(region="NOWHERE"), "NOWHERE"),
        (lambda about, tensors: tensors.update({"1/ROWS": np.zeros(3, np.uint32)}), "is sent"),
        (lambda about, tensors: tensors.update({"1/ROWS": tensors["1/ROWS"].astype(np.float32)}), "is sent float32"),
        (lambda about, tensors: tensors.update(image=np.zeros(40_000, np.uint8)), "holds 32768 of code"),
    ],
)
def test_a_file_that_is_no_plan_is_refused_with_a_sentence(tmp_path: Path, change: Any, sentence: str) -> None:
    path = tmp_path / "plan"
    plan.save(some(), path)
    changed(path, change)
    with pytest.raises(UserError, match=f"cannot be used: .*{sentence}"):
        plan.load(path)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_a_sentence(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "plan"
    path.write_bytes(data)
    with pytest.raises(UserError, match="cannot be used"):
        plan.load(path)


def test_an_absent_or_gigantic_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no plan at"):
        plan.load(tmp_path / "absent")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(plan.MAX_FILE_BYTES + 1)
    with pytest.raises(UserError, match="larger than a chip"):
        plan.load(tmp_path / "large")


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="could not be written"):
        plan.save(some(), tmp_path / "absent" / "plan")


def test_overlapping_regions_and_routes_to_nowhere_are_refused() -> None:
    good = some()
    first = good.elements[0]
    twice = dataclasses.replace(first, regions=(*first.regions, RegionPlan(Region.ROWS, FIRST_REGION, 4, None, False)))
    with pytest.raises(ValueError, match="do not fit"):
        dataclasses.replace(good, elements=(twice, *good.elements[1:]))
    with pytest.raises(ValueError, match="leads to a PE that does not exist"):
        dataclasses.replace(good, routes=(Route(0, 0, (99,)),))
    with pytest.raises(ValueError, match="routing entries"):
        dataclasses.replace(good, routes=(Route(0, 0, (0,)),) * 16_385)
