"""Promises of `egret bench realism`: what is missing is named and left out, and the figures are those of the clips counted."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from app.bench import realism, statistics
from app.bench.judge import LAYERS, Judge
from app.cli import run_command
from app.commands.bench import FIRST_SEED
from pipeline.errors import USAGE, UserError
from pipeline.events import EVENT_DTYPE
from pipeline.formats.aedat4 import Aedat4Writer
from pipeline.simulator import GESTURES, simulate


@pytest.fixture
def short_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clips of 0.2 s: what is counted is the same."""
    monkeypatch.setattr(realism, "CLIP_US", 200_000)


def made_weights() -> list[np.ndarray]:
    """A judge that answers at random."""
    random = np.random.default_rng(1)
    shapes = [(layer.outputs, layer.inputs, layer.kernel, layer.kernel) for layer in LAYERS]
    return [random.normal(1 / np.prod(s[1:]), 2.5 / np.sqrt(np.prod(s[1:])), s).astype(np.float32) for s in shapes]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out like the real recordings: simulated waves of 0.45 s, which begin long after the sensor's zero, and a made judge."""
    torch = pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("data")
    for name in realism.LABELS:
        (folder / "gestures" / name).mkdir(parents=True)
        events = simulate("right_hand_wave", 8, 450_000, "dvs128")
        events["timestamp"] += 1 << 40
        with Aedat4Writer(folder / "gestures" / name / "wave.aedat4", 128, 128, "made") as writer:
            writer.write(events)
    (folder / "judges").mkdir()
    torch.save({k: torch.from_numpy(w) for k, w in enumerate(made_weights())}, folder / realism.JUDGE)
    return folder


def test_what_is_missing_is_left_out_with_a_sentence(
    tmp_path: Path, short_clips: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EGRET_DATA", str(tmp_path))
    assert run_command(["bench", "realism", "--clips", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    figures = said["figures"]
    assert list(figures["events"]) == [
        f"{preset} {group}" for preset in ("dvs128", "wide") for group in ("waves", "gestures", "no gesture")
    ]
    assert figures["judge"] == figures["rank among simulated waves"] == {}
    assert [note.split(":")[0] for note in figures["notes"]] == ["The judge is left out", "Real recordings are left out"]
    text = "\n".join(realism.readable(figures))
    assert all(note in text for note in figures["notes"])
    assert all(name in text for name in statistics.MEANINGS)


def test_every_clip_is_counted_in_the_row_of_its_gesture(data: Path, short_clips: None) -> None:
    figures = realism.run(1, 5, data)
    json.dumps(figures, allow_nan=False)
    assert figures["notes"] == []
    assert list(figures["judge"]) == ["dvs128", "dvs128, mirrored", "dvs128, polarity exchanged", "wide", *realism.LABELS]
    referee = Judge(made_weights())
    expected = np.zeros((11, 12), int)
    for kind, gesture in enumerate(GESTURES):
        expected[kind, referee.answer(simulate(gesture, 5, realism.CLIP_US, "dvs128"), realism.CLIP_US)] += 1
    verdict = figures["judge"]["dvs128"]
    assert verdict["confusion"] == expected.tolist()
    assert verdict["named"] == pytest.approx(np.trace(expected[:10, :10]) / 10)
    wave = simulate("right_hand_wave", 8, 450_000, "dvs128")
    for name in realism.LABELS:
        for said in figures["judge"][name].values():
            assert (sum(said["recordings"].values()), sum(said["clips"].values())) == (1, 2)
        rates = [np.sum(wave["timestamp"] // realism.CLIP_US == part) / 200 for part in (0, 1)]
        assert figures["events"][name]["k events/s"]["median"] == pytest.approx(np.median(rates), rel=0.02)
    text = "\n".join(realism.readable(figures))
    assert f"judge on dvs128: {verdict['named']:.1%}" in text
    for gesture, row in zip(GESTURES, verdict["confusion"], strict=True):
        assert f"{gesture:28}" + "".join(f"{count:5}" for count in row) in text


def test_equal_seeds_give_equal_figures(tmp_path: Path, short_clips: None) -> None:
    assert realism.run(1, FIRST_SEED, tmp_path) == realism.run(1, FIRST_SEED, tmp_path)


def test_in_a_mirror_hands_exchange_and_with_polarity_senses_do() -> None:
    def named(table: tuple[int, ...]) -> dict[str, str]:
        return {GESTURES[i]: GESTURES[j] for i, j in enumerate(table) if i != j}

    opposite = {"clockwise": "counter_clockwise", "counter_clockwise": "clockwise"}
    senses = {f"{side}_arm_{a}": f"{side}_arm_{b}" for side in ("right", "left") for a, b in opposite.items()}
    hands = {"right": "left", "left": "right"}
    mirror = {f"{a}_arm_{s}": f"{b}_arm_{o}" for a, b in hands.items() for s, o in opposite.items()}
    mirror |= {f"{a}_hand_wave": f"{b}_hand_wave" for a, b in hands.items()}
    assert named(realism.SENSES_EXCHANGED) == senses
    assert named(realism.MIRRORED) == mirror


def test_mirror_and_exchange_leave_the_clip_itself_alone() -> None:
    events = np.zeros(2, EVENT_DTYPE)
    events["x"], events["polarity"] = (0, 127), (0, 1)
    assert realism.mirrored(events)["x"].tolist() == [127, 0]
    assert realism.exchanged(events)["polarity"].tolist() == [1, 0]
    assert (events["x"].tolist(), events["polarity"].tolist()) == ([0, 127], [0, 1])


def test_the_interval_of_a_share_is_wilsons() -> None:
    assert realism.wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert realism.wilson(10, 10) == pytest.approx((0.7225, 1), abs=1e-4)
    assert realism.wilson(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)


def test_a_recording_of_another_sensor_is_refused_in_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "gestures" / "wave-far"
    folder.mkdir(parents=True)
    with Aedat4Writer(folder / "large.aedat4", 346, 260, "made") as writer:
        writer.write(simulate("arm_roll", 1, 100_000))
    with pytest.raises(UserError, match="346x260"):
        realism.run(1, 0, tmp_path)


def test_the_judge_knows_the_real_waves_for_what_they_are_at_a_distance(shared_data: Path) -> None:
    pytest.importorskip("torch")
    from app.bench import judge

    referee = judge.load(shared_data / realism.JUDGE)
    clips = list(realism.recordings(shared_data / "gestures" / "wave-far"))
    assert realism.answers(referee, clips)["right_hand_wave"] >= 4
    assert realism.answers(referee, [(realism.mirrored(events), duration) for events, duration in clips])["left_hand_wave"] >= 4


@pytest.mark.parametrize("option", [("--clips", "0"), ("--clips", "many"), ("--seed", "-1")])
def test_numbers_out_of_range_are_refused_before_anything_is_simulated(option: tuple[str, str]) -> None:
    with pytest.raises(UserError) as told:
        run_command(["bench", "realism", *option])
    assert told.value.exit_code == USAGE


def test_without_pytorch_the_judge_is_left_out_and_the_sentence_names_the_extra(
    data: Path, short_clips: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    figures = realism.run(1, 0, data)
    assert figures["judge"] == {}
    assert "environment.sh train" in figures["notes"][0]
    assert set(realism.LABELS) < set(figures["events"])
