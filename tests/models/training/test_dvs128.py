"""DVS128 Gesture in both layouts: every trial with its label, its subject on its own side, and its events in the live path's frames."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from aedat_bytes import CAER_HEADER, Event, packet
from hypothesis import given
from hypothesis import strategies as st

from models.training import dvs128
from models.training.clips import FRAMES
from pipeline.errors import UserError
from pipeline.events import EVENT_DTYPE, Events
from pipeline.frames import WINDOW_US, frames_of
from pipeline.simulator import GESTURES

NAMES = ("user02_led", "user22_led", "user24_natural")
START_US = 90_000_000
TRIAL_US = 4_500_000
GAP_US = 500_000


def some_events(seed: int, start_us: int, length_us: int, step: int = 1) -> Events:
    """Events over the whole sensor, one every 5 ms on average, the first at the start; times are multiples of `step`."""
    random = np.random.default_rng(seed)
    events = np.zeros(length_us // 5000, EVENT_DTYPE)
    events["timestamp"] = start_us + np.sort(random.integers(0, length_us // step, len(events))) * step
    events["timestamp"][0] = start_us
    events["x"], events["y"] = random.integers(0, 128, (2, len(events)))
    events["polarity"] = random.integers(0, 2, len(events))
    return events


def trial_of(name: str, label: int, step: int = 1, length_us: int = TRIAL_US) -> Events:
    start = START_US + label * (TRIAL_US + GAP_US)
    return some_events(1000 * NAMES.index(name) + label, start, length_us, step)


def as_tuples(events: Events) -> list[Event]:
    found: list[Event] = events[["timestamp", "x", "y", "polarity"]].tolist()
    return found


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layout of the archive that IBM gave out, with three of its recordings."""
    folder = tmp_path_factory.mktemp("DvsGesture")
    for name in NAMES:
        rows, data = ["class,startTime_usec,endTime_usec"], CAER_HEADER
        for label in range(len(GESTURES)):
            events = trial_of(name, label)
            between = some_events(label, int(events["timestamp"][0]) + TRIAL_US, GAP_US)
            rows.append(f"{label + 1},{events['timestamp'][0]},{events['timestamp'][0] + TRIAL_US}")
            for part in (events, between):
                data += b"".join(packet(as_tuples(part[first : first + 400])) for first in range(0, len(part), 400))
        (folder / f"{name}.aedat").write_bytes(data)
        (folder / f"{name}_labels.csv").write_text("\n".join(rows) + "\n")
    (folder / "trials_to_train.txt").write_text("user02_led.aedat\nuser22_led.aedat\n")
    (folder / "trials_to_test.txt").write_text("user24_natural.aedat\n\n")
    (folder / "gesture_mapping.csv").write_text("action,label\nhand_clapping,1\n")
    return folder


@pytest.fixture(scope="module")
def tonics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layout in which tonic leaves the data set after its download, with the same trials."""
    root = tmp_path_factory.mktemp("tonic")
    for name in NAMES:
        folder = root / "DVSGesture" / ("ibmGestureTest" if name == NAMES[2] else "ibmGestureTrain") / name
        folder.mkdir(parents=True)
        for label in range(len(GESTURES)):
            events = trial_of(name, label, step=1000)
            columns = [events["x"], events["y"], events["polarity"], (events["timestamp"] - events["timestamp"][0]) // 1000]
            np.save(folder / f"{label}.npy", np.stack(columns, 1).astype(np.uint16))
    return root


@pytest.mark.parametrize(("split", "names"), [("train", NAMES[:2]), ("test", NAMES[2:])])
def test_the_original_recordings_are_cut_into_their_trials(original: Path, split: dvs128.Split, names: tuple[str, ...]) -> None:
    trials = list(dvs128.trials(original, split))
    assert [trial.name for trial in trials] == [f"{name}/{gesture}" for name in names for gesture in GESTURES]
    for trial in trials:
        name, gesture = trial.name.split("/")
        assert np.array_equal(trial.events, trial_of(name, GESTURES.index(gesture)))
        assert (trial.subject, trial.light) == (int(name[4:6]), name[7:])
        assert (GESTURES[trial.label], trial.damage) == (gesture, "")


@pytest.mark.parametrize(("split", "names"), [("train", NAMES[:2]), ("test", NAMES[2:])])
def test_tonics_files_are_the_same_trials(tonics: Path, split: dvs128.Split, names: tuple[str, ...]) -> None:
    pytest.importorskip("tonic")
    for root in (tonics, tonics / "DVSGesture"):
        trials = list(dvs128.trials(root, split))
        assert [trial.name for trial in trials] == [f"{name}/{gesture}" for name in names for gesture in GESTURES]
        for trial in trials:
            name, gesture = trial.name.split("/")
            expected = trial_of(name, GESTURES.index(gesture), step=1000).copy()
            expected["timestamp"] -= expected["timestamp"][0]
            assert np.array_equal(trial.events, expected)


@pytest.mark.parametrize("layout", ["original", "tonics"])
def test_clips_are_the_frames_that_the_live_path_makes(layout: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(layout)
    if layout == "tonics":
        pytest.importorskip("tonic")
    clips = dvs128.load(folder, "test")
    assert clips.label.tolist() == [label for label in range(len(GESTURES)) for _ in range(2)]  # 4.5 s: 3 s from the start, 3 s to the end
    assert not clips.onset.any()
    for label, trial in enumerate(dvs128.trials(folder, "test")):
        counts = frames_of(trial.events, 128, 128).counts
        assert np.array_equal(clips.counts[2 * label], counts[:FRAMES])
        assert np.array_equal(clips.counts[2 * label + 1], counts[-FRAMES:])
        assert clips.counts[2 * label].dtype == np.uint8


def test_the_known_wrong_label_is_corrected(tmp_path: Path) -> None:
    events = some_events(1, 100_000_000, 12_000_000)
    for name in ("user22_led", "user21_led"):
        (tmp_path / f"{name}.aedat").write_bytes(CAER_HEADER + packet(as_tuples(events)))
        (tmp_path / f"{name}_labels.csv").write_text("class,startTime_usec,endTime_usec\n9,100500000,110590564\n10,104100000,111000000\n")
    ends = {trial.name: int(trial.events["timestamp"][-1]) for trial in dvs128.trials(tmp_path, "train")}
    assert ends["user22_led/air_drums"] < 104_000_000 < ends["user21_led/air_drums"]
    assert ends["user22_led/air_guitar"] == ends["user21_led/air_guitar"]


def test_a_recording_that_is_filed_on_the_wrong_side_or_not_listed_is_left_out(original: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(original, folder)
    (folder / "trials_to_train.txt").write_text("user02_led.aedat\nuser24_natural.aedat\n")
    assert {trial.subject for trial in dvs128.trials(folder, "train")} == {2}
    (folder / "trials_to_train.txt").unlink()
    assert {trial.subject for trial in dvs128.trials(folder, "train")} == {2, 22}


@pytest.mark.parametrize(
    ("frames", "starts", "onset"),
    [(1, [0], FRAMES - 1), (50, [0], FRAMES - 50), (FRAMES, [0], 0), (FRAMES + 39, [0], 0), (290, [0, 120, 170], 0)],
)
def test_every_second_of_a_trial_is_in_a_clip_and_short_ones_begin_still(frames: int, starts: list[int], onset: int) -> None:
    counts = np.random.default_rng(0).integers(0, 400, (frames, 2, 32, 32)).astype(np.uint16)
    clips = dvs128.cut(counts)
    assert len(clips) == len(starts)
    for (clip, begins), start in zip(clips, starts, strict=True):
        assert (clip.shape, clip.dtype, begins) == ((FRAMES, 2, 32, 32), np.uint8, onset)
        assert not clip[:onset].any()
        assert np.array_equal(clip[onset:], np.minimum(counts[start : start + FRAMES], 255))


def test_a_cut_recording_gives_the_trials_before_the_cut_and_says_so(original: Path, tmp_path: Path) -> None:
    data = (original / "user02_led.aedat").read_bytes()
    (tmp_path / "user02_led.aedat").write_bytes(data[: len(data) // 2])
    shutil.copy(original / "user02_led_labels.csv", tmp_path)
    trials = list(dvs128.trials(tmp_path, "train"))
    assert 5 <= len(trials) <= 6
    assert all("cut off" in trial.damage for trial in trials)


def spoil_labels(folder: Path) -> None:
    (folder / "user02_led_labels.csv").write_text("class,startTime_usec,endTime_usec\n1,5,3\n")


def spoil_class(folder: Path) -> None:
    (folder / "user02_led_labels.csv").write_text("class,startTime_usec,endTime_usec\n12,5,9\n")


def spoil_bytes(folder: Path) -> None:
    (folder / "user02_led_labels.csv").write_bytes(b"\xff\xfe" * 40)


def without_labels(folder: Path) -> None:
    (folder / "user02_led_labels.csv").unlink()


def misnamed(folder: Path) -> None:
    (folder / "user_led.aedat").write_bytes(b"")


@pytest.mark.parametrize("spoil", [spoil_labels, spoil_class, spoil_bytes, without_labels, misnamed])
def test_files_that_cannot_be_used_are_named(original: Path, tmp_path: Path, spoil: object) -> None:
    for name in ("user02_led.aedat", "user02_led_labels.csv"):
        shutil.copy(original / name, tmp_path)
    assert callable(spoil)
    spoil(tmp_path)
    with pytest.raises(UserError, match="user"):
        list(dvs128.trials(tmp_path, "train"))


@given(st.text(st.sampled_from("0123456789,-+ \n\r\0\"'e.x²"), max_size=60))
def test_any_label_file_gives_trials_or_one_sentence(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "labels.csv"
    path.write_text("class,startTime_usec,endTime_usec\n" + text)
    try:
        rows = dvs128._labels(path)
    except UserError as error:
        assert str(error).endswith(".")
    else:
        assert all(1 <= number <= 11 and 0 <= start < end for number, start, end in rows)


def test_a_folder_without_the_data_set_is_refused(tmp_path: Path, original: Path, tonics: Path) -> None:
    with pytest.raises(UserError, match="no DVS128 Gesture trials to test"):
        dvs128.load(tmp_path, "test")
    assert [dvs128.is_data_set(folder) for folder in (tmp_path, original, tonics)] == [False, True, True]


def test_a_damaged_file_of_tonics_is_named(tonics: Path, tmp_path: Path) -> None:
    pytest.importorskip("tonic")
    folder = tmp_path / "DVSGesture" / "ibmGestureTest" / "user24_led"
    folder.mkdir(parents=True)
    (folder / "3.npy").write_bytes(b"not numpy's")
    with pytest.raises(UserError, match=r"3\.npy"):
        dvs128.load(tmp_path, "test")
    for wrong in (np.array([{}], dtype=object), np.full((3, 4), np.nan), np.zeros((3, 5), np.int16)):
        np.save(folder / "3.npy", wrong, allow_pickle=True)
        with pytest.raises(UserError, match=r"3\.npy"):
            dvs128.load(tmp_path, "test")


def test_events_outside_the_sensor_are_left_out_whatever_their_size(tmp_path: Path) -> None:
    pytest.importorskip("tonic")
    folder = tmp_path / "DVSGesture" / "ibmGestureTest" / "user24_led"
    folder.mkdir(parents=True)
    np.save(folder / "3.npy", np.array([[5, 6, 1, 0], [128, 6, 1, 1], [65536 + 5, 6, 1, 2], [5, -70_000, 1, 3], [127, 0, 0, 40_000]]))
    (trial,) = dvs128.trials(tmp_path, "test")
    assert as_tuples(trial.events) == [(0, 5, 6, 1), (40_000_000, 127, 0, 0)]


def test_a_clip_lasts_three_seconds() -> None:
    assert FRAMES * WINDOW_US == 3_000_000
