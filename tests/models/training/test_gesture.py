"""Promises of the gesture network's training: clips as the live pipeline would frame them, honest variations, learning, resuming."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from app.cli import run_command
from models import checkpoint, gesture
from models.gesture import GestureNetwork
from models.local import Local
from models.training import augment, clips, plot, prune
from models.training.answers import PRECISION, Answers, calibrate
from models.training.gesture import train
from models.training.run import World
from models.training.trainer import Recipe, Trainer
from models.training.widen import widened
from pipeline.errors import UserError
from pipeline.events import EVENT_DTYPE
from pipeline.filters import FilterSettings
from pipeline.frames import GRID, frames_of
from pipeline.simulator import GESTURES, PRESETS, simulate

RECIPE = Recipe(hidden=(128, 12), geometry=Local(2), batch=8, window=20, peak_rate=1e-2, activity_weight=0.0)
Counts = npt.NDArray[np.uint8]
SMALL: dict[str, Any] = {"clips": clips.SHARD, "held_out": clips.SHARD, "recipe": RECIPE}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips on disk that take no simulation: of two classes, one busy and one quiet."""
    path = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(1)
    for split in clips.SPLITS:
        kind = np.where(np.arange(clips.SHARD * clips.TAKES) % 2, clips.KINDS.index("hand_clapping"), clips.KINDS.index("arm_roll"))
        rate = np.where(kind == 0, 0.4, 0.02)[:, None, None, None, None]
        np.save(path / f"{split}-0000.npy", rng.poisson(rate, (len(kind), clips.FRAMES, 2, GRID, GRID)).astype(np.uint8))
        np.save(path / f"{split}-0000.info.npy", np.stack([kind, np.zeros_like(kind)], 1))
    return path


def test_clips_are_framed_as_the_live_pipeline_frames_them() -> None:
    (plain, poor), (kind, onset) = clips.make("train", 1)
    events = simulate(GESTURES[1], 1, 3_000_000, "wide").astype(EVENT_DTYPE)
    live = frames_of(events, clips.WIDTH, clips.HEIGHT).counts
    first = int(events["timestamp"][0]) // 25_000
    assert clips.KINDS[kind] == "right_hand_wave" and 0 <= onset < clips.FRAMES
    np.testing.assert_array_equal(plain[first : first + len(live)], np.minimum(live, 255))
    assert plain.shape == poor.shape == (clips.FRAMES, 2, GRID, GRID)
    assert poor.sum() < plain.sum()


def test_a_clip_is_the_same_whenever_it_is_made_and_held_out_ones_are_others() -> None:
    again, other = clips.make("train", 2), clips.make("held-out", 2)
    np.testing.assert_array_equal(clips.make("train", 2)[0], again[0])
    assert not np.array_equal(other[0], again[0])


def test_a_clip_without_any_event_still_has_all_its_frames() -> None:
    empty = np.zeros(0, EVENT_DTYPE)
    assert clips.frames(empty, FilterSettings()).shape[0] == clips.FRAMES
    late = np.zeros(1, EVENT_DTYPE)
    late["timestamp"] = 2_900_000
    assert clips.frames(late, FilterSettings(background_us=None))[116].sum() == 1


def test_the_poor_take_is_sparse_ordered_and_within_the_sensor() -> None:
    events = simulate("arm_roll", 5, 3_000_000, "wide").astype(EVENT_DTYPE)
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(30):
        taken = clips.poor(events, rng)
        assert (np.diff(taken["timestamp"]) >= 0).all()
        assert taken["x"].max() < clips.WIDTH and taken["y"].max() < clips.HEIGHT
        rates.append(len(taken) / clips.SECONDS)
    assert min(rates) < 4000 < max(rates)  # the far recordings' rate lies inside


def test_a_thinned_clip_loses_more_of_some_pixels_than_of_others_and_keeps_three_fifths_of_the_share_drawn_or_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clips, "MOST_NOISE", 0.0)  # what is counted is what was left
    events = np.zeros(160_000, EVENT_DTYPE)
    events["timestamp"] = np.sort(np.random.default_rng(1).integers(0, 3_000_000, len(events)))
    events["x"], events["y"] = np.arange(len(events)) % 40, np.arange(len(events)) // 40 % 40
    spread: list[float] = []
    for least, least_left in ((0.2, 0.19), (0.5, 0.42), (1.0, 0.6)):
        left = []
        for seed in range(60):
            taken = clips.poor(events, np.random.default_rng(seed), least)
            each = np.bincount(taken["x"].astype(int) * 128 + taken["y"], minlength=128 * 128).reshape(128, 128)[:40, :40]
            left.append(each.sum() / len(events))
            spread.append(each.var() / each.mean())
        assert least_left < min(left) < least, "no pixel gives more than all, whatever its share"
        assert max(left) > 0.8
    assert max(spread) > 10.0, "of 100 events a pixel; a binomial has at most 1"


def test_a_shard_has_every_kind_in_every_preset_and_most_of_what_is_no_gesture() -> None:
    kinds = np.array(clips.ORDER * len(clips.ROUNDS))
    assert set(kinds) == set(clips.KINDS) and len(kinds) == clips.SHARD
    assert set(clips.ROUNDS) == set(PRESETS)
    assert np.mean([clips.LABELS[clips.KINDS.index(kind)] == GESTURES.index("other_gestures") for kind in kinds]) == 6 / 16


def test_the_mirror_exchanges_hands_and_senses() -> None:
    names = [GESTURES[index] for index in augment.MIRRORED]
    for seen, mirrored in zip(GESTURES, names, strict=True):
        sides = seen.replace("left", "RIGHT").replace("right", "left").replace("RIGHT", "right")
        senses = sides.replace("counter_clockwise", "X").replace("clockwise", "counter_clockwise").replace("X", "clockwise")
        assert mirrored == (senses if "arm_c" in seen else sides)


def varied(counts: Counts, variation: augment.Variation, start: int = 0, frames: int | None = None, seed: int = 3) -> Counts:
    """What becomes of a clip."""
    out = np.empty((len(counts) if frames is None else frames, 2, GRID, GRID), np.uint8)
    augment.vary(counts, start, variation, out, seed)
    return out


def sparse(frames: int = 20, rate: float = 0.1) -> Counts:
    return np.random.default_rng(0).poisson(rate, (frames, 2, GRID, GRID)).astype(np.uint8)


def test_a_variation_that_changes_nothing_gives_the_clip_from_its_start() -> None:
    counts = sparse()
    np.testing.assert_array_equal(varied(counts, augment.Variation(), 4, 10), counts[4:14])
    ended = varied(counts, augment.Variation(), 15, 10)
    np.testing.assert_array_equal(ended[:5], counts[15:])
    assert not ended[5:].any()


def test_mirror_and_exchanged_polarities_are_exact_and_name_the_class_seen() -> None:
    counts = sparse()
    np.testing.assert_array_equal(varied(counts, augment.Variation(mirror=True)), counts[..., ::-1])
    np.testing.assert_array_equal(varied(counts, augment.Variation(swap=True)), counts[:, ::-1])
    assert augment.Variation(mirror=True).label(3) == 6 and augment.Variation(swap=True).label(3) == 3


def test_a_shift_moves_and_covering_empties_what_it_covers() -> None:
    counts = np.zeros((4, 2, GRID, GRID), np.uint8)
    counts[:, :, 10, 12] = 3
    moved = varied(counts, augment.Variation(shift=(2.0, -3.0)))
    assert moved[:, :, 7, 14].min() == 3 and moved.sum() == counts.sum()
    assert not varied(counts, augment.Variation(covered=(12, 10, 3, 3))).any()


def test_tempo_stretches_time_and_keeps_the_events() -> None:
    counts = sparse(40)
    slow = varied(counts, augment.Variation(tempo=0.5), 0, 80)
    assert slow.sum() == counts.sum()
    assert slow[:40].sum() == counts[:20].sum()
    assert augment.Variation(tempo=0.5).frame(10, 4) == 12


def test_thinning_doubling_and_noise_change_the_counts_as_much_as_they_say() -> None:
    counts = np.full((20, 2, GRID, GRID), 4, np.uint8)
    thinned = varied(counts, augment.Variation(keep=(0.25, 1.5)))
    assert thinned[:, 0].mean() == pytest.approx(1.0, rel=0.05)
    assert thinned[:, 1].mean() == pytest.approx(6.0, rel=0.05)
    noise = varied(np.zeros_like(counts), augment.Variation(noise=0.02, noise_on=0.8))
    assert noise.mean() == pytest.approx(0.01, rel=0.3)
    assert noise[:, 1].sum() / noise.sum() == pytest.approx(0.8, abs=0.1)
    assert varied(np.full_like(counts, 255), augment.Variation(keep=(2.0, 2.0), noise=0.1)).min() == 255  # saturates, does not wrap


def test_a_rebound_gives_the_other_polarity_at_the_same_place_and_time() -> None:
    counts = np.zeros((20, 2, GRID, GRID), np.uint8)
    counts[:, 1] = 4
    answered = varied(counts, augment.Variation(rebound=0.5))
    np.testing.assert_array_equal(answered[:, 1], counts[:, 1])
    assert answered[:, 0].mean() == pytest.approx(2.0, rel=0.05)


def test_what_is_drawn_follows_from_the_generator_and_leaves_the_clip_as_it_is() -> None:
    counts = sparse()
    before = counts.copy()
    first, again = (augment.draw(np.random.default_rng(5), augment.Ranges()) for _ in range(2))
    assert first == again
    np.testing.assert_array_equal(varied(counts, first), varied(counts, again))
    np.testing.assert_array_equal(counts, before)


def test_steps_equal_a_sequence_read_out_included() -> None:
    torch.manual_seed(1)
    network = gesture.GestureNetwork([12, 10], 11).eval()
    counts = torch.randint(0, 4, (15, 2, 2, GRID, GRID), dtype=torch.uint8)
    with torch.no_grad():
        whole, _, _, end = network(gesture.features(counts))
        memory, parts = network.start(2), []
        for frame in counts:
            logits, _, _, memory = network(gesture.features(frame[None]), memory)
            parts.append(logits)
    torch.testing.assert_close(torch.cat(parts), whole)
    torch.testing.assert_close(memory[1], end[1])


def test_batches_drawn_ahead_are_those_of_their_steps(folder: Path) -> None:
    learnt = clips.read(folder, "train", clips.SHARD)
    with World() as world:
        ahead, plain = (Trainer(RECIPE, 1, world, learnt, len(GESTURES), workers=workers) for workers in (1, 0))
    for step in (0, 1, 2):
        ahead.step = plain.step = step
        for mine, other in zip(ahead._next(), plain._next(), strict=True):
            assert torch.equal(mine, other)
    ahead.restore(plain.state() | {"step": 7})
    plain.step = 7
    for mine, other in zip(ahead._next(), plain._next(), strict=True):
        assert torch.equal(mine, other)
    ahead.close()


def test_a_few_steps_lower_the_loss_and_the_file_can_be_used(folder: Path, tmp_path: Path) -> None:
    losses: list[float] = []
    out = tmp_path / "gesture.safetensors"
    train(out, tmp_path / "run", folder, steps=80, save_every=80, progress=lambda step, steps, got: losses.append(got["loss"]), **SMALL)
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])
    network, metadata = gesture.load(out)
    assert metadata["labels"] == list(GESTURES)
    assert metadata["made"]["figures"]["held_out_clips"] == clips.SHARD * clips.TAKES
    again = Answers(network, clips.read(folder, "held-out", clips.SHARD)).figures()["accuracy"]
    assert again == pytest.approx(metadata["made"]["figures"]["accuracy"], abs=0.05)


def test_the_threshold_lets_only_answers_pass_that_are_mostly_right() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 4000)
    sure = (1.4 * rng.random(4000)).clip(max=1)  # how clearly each answer shows, and how often it is right
    answer = np.where(rng.random(4000) < sure, labels, rng.integers(0, 10, 4000))
    logits = (4 * sure[:, None] * np.eye(11, dtype=np.float32)[answer]).astype(np.float32)
    temperature, threshold = calibrate(logits, labels)
    powers = np.exp(logits / temperature)
    confidence = powers.max(1) / powers.sum(1)
    accepted = confidence >= threshold
    assert 0.2 < threshold <= 0.9 and 0.1 < accepted.mean() < 0.9
    assert (answer == labels)[accepted].mean() >= PRECISION > (answer == labels).mean()
    assert abs(confidence.mean() - (answer == labels).mean()) < 0.1  # calibrated on average


def test_answers_that_are_never_right_are_never_accepted() -> None:
    logits = 5 * np.eye(11, dtype=np.float32)[np.zeros(100, np.int64)]
    assert calibrate(logits, np.ones(100, np.int64))[1] == 0.9


def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(folder: Path, tmp_path: Path) -> None:
    def interrupt(step: int, steps: int, figures: dict[str, float]) -> None:
        if step == 5:
            raise KeyboardInterrupt

    train(tmp_path / "whole.safetensors", tmp_path / "whole", folder, steps=6, save_every=3, **SMALL)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts.safetensors", tmp_path / "parts", folder, steps=6, save_every=3, progress=interrupt, **SMALL)
    train(tmp_path / "parts.safetensors", tmp_path / "parts", folder, steps=6, save_every=3, resume=True, **SMALL)
    whole, parts = (checkpoint.load(tmp_path / f"{name}.safetensors")[0] for name in ("whole", "parts"))
    for name, value in whole.items():
        np.testing.assert_array_equal(parts[name], value, err_msg=name)


def test_a_run_with_a_density_ends_with_it_keeps_the_shared_kernels_and_can_be_interrupted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(step: int, steps: int, figures: dict[str, float]) -> None:
        if step == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(prune, "EVERY", 4)
    options: dict[str, Any] = {"steps": 10, "save_every": 5} | SMALL | {"recipe": replace(RECIPE, density=0.3)}
    train(tmp_path / "whole.safetensors", tmp_path / "whole", folder, **options)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts.safetensors", tmp_path / "parts", folder, progress=interrupt, **options)
    train(tmp_path / "parts.safetensors", tmp_path / "parts", folder, resume=True, **options)
    whole, parts = (gesture.load(tmp_path / f"{name}.safetensors")[0].stack.state_dict() for name in ("whole", "parts"))
    for name, value in whole.items():
        assert torch.equal(parts[name], value), name
    matrices = [value for value in whole.values() if value.ndim == 2]
    kept = sum(int((matrix != 0).sum()) for matrix in matrices) / sum(matrix.numel() for matrix in matrices)
    assert kept == pytest.approx(0.3, abs=0.002)
    assert all((value != 0).float().mean() > 0.99 for value in whole.values() if value.ndim == 4)


def test_a_density_that_is_no_share_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    for wrong in (0.0, 1.5):
        with pytest.raises(UserError, match="not a share"):
            train(tmp_path / "out", tmp_path / "run", folder, steps=1, **(SMALL | {"recipe": replace(RECIPE, density=wrong)}))


def test_a_run_that_cannot_begin_is_refused_before_any_clip_is_simulated(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "state.pt").write_bytes(b"a run")
    (tmp_path / "weights").write_bytes(b"no weights")
    for options, sentence in (
        (["--initial", str(tmp_path / "absent")], "absent"),
        (["--initial", str(tmp_path / "weights")], "weights"),
        (["--density", "2"], "not a share"),
        (["--folder", str(tmp_path / "taken")], "a run in .* already"),
        (["--resume"], "no run to resume"),
    ):
        given = ["--folder", str(tmp_path / "run"), "--clip-folder", str(tmp_path / "clips"), "--clips", "1", "--held-out", "1", *options]
        with pytest.raises(UserError, match=sentence):
            run_command(["train", "gesture", "--out", str(tmp_path / "out"), "--steps", "1", *given])
        assert not (tmp_path / "clips").exists()


def test_a_clip_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="could not be written"):
        clips.prepare(tmp_path / "file", "train", 48)


def test_a_run_may_begin_with_the_weights_of_another_of_the_same_shape(folder: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    train(first, tmp_path / "one", folder, steps=3, **SMALL)
    train(second, tmp_path / "two", folder, steps=1, start=first, **(SMALL | {"recipe": replace(RECIPE, peak_rate=1e-9)}))
    before, after = (checkpoint.load(path)[0] for path in (first, second))
    for name, value in before.items():
        np.testing.assert_allclose(after[name], value, rtol=2e-3, atol=1e-6, err_msg=name)
    with pytest.raises(UserError, match="another shape"):
        train(second, tmp_path / "three", folder, steps=1, start=first, **(SMALL | {"recipe": Recipe()}))


@pytest.mark.timeout(700)
def test_two_processes_train_one_network_and_resume(folder: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "-m",
        "models.training.gesture",
        "--clips",
        "48",
        "--held-out",
        "48",
    ]
    command += ["--clip-folder", str(folder), "--folder", str(tmp_path / "run"), "--out", str(tmp_path / "out.safetensors")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for more in (["--steps", "2"], ["--steps", "3", "--resume"]):
        ended = subprocess.run([*command, *more], env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert ended.returncode == 0, ended.stderr[-2000:]
    assert gesture.load(tmp_path / "out.safetensors")[1]["made"]["steps"] == 3


def test_the_course_of_a_run_can_be_drawn_and_a_folder_without_one_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(
        "step,seconds,loss,train_accuracy,rate,activity_0,accuracy\n100,9,2.1,0.2,1e-3,0.1,0.3\n200,18,1.9,0.4,1e-3,0.1,0.5\n"
    )
    plot.curves(tmp_path, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    for broken in ("", "step,loss\n1\n", "loss\n0.1\n"):
        (tmp_path / "log.csv").write_text(broken)
        with pytest.raises(UserError, match="no log of a training"):
            plot.curves(tmp_path, tmp_path / "curves.png")


def test_a_widened_network_answers_as_the_narrow_one_does() -> None:
    torch.manual_seed(3)
    narrow = GestureNetwork([192, 16], 5, geometry=Local(3)).eval()
    x = gesture.features(torch.poisson(torch.full((12, 4, 2, GRID, GRID), 0.2)).to(torch.uint8))
    wide = widened(narrow, 8, torch.Generator().manual_seed(1)).eval()
    before, *_ = narrow(x)
    after, outputs, *_ = wide(x)
    assert outputs[0].shape[-1] == 8 * 64 and float((outputs[0] > 0).float().mean()) > 0.02
    torch.testing.assert_close(after, before, rtol=0, atol=1e-4)


def test_training_goes_on_from_a_narrower_network_and_refuses_a_wider_one(folder: Path, tmp_path: Path) -> None:
    train(tmp_path / "narrow.safetensors", tmp_path / "narrow", folder, steps=1, **SMALL)
    wider = SMALL | {"recipe": replace(RECIPE, hidden=(192, 12), geometry=Local(3))}
    train(tmp_path / "wide.safetensors", tmp_path / "wide", folder, steps=1, start=tmp_path / "narrow.safetensors", **wider)
    assert gesture.load(tmp_path / "wide.safetensors")[0].hidden == [192, 12]
    with pytest.raises(UserError, match="another shape"):
        train(tmp_path / "back.safetensors", tmp_path / "back", folder, steps=1, start=tmp_path / "wide.safetensors", **SMALL)
