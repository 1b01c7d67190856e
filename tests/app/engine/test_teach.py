"""Teaching through the engine: examples out of the live stream, learnt beside recognition, recognised at once, taken back."""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from engine.test_engine import Window
from lessons import WAVING, few_movements, movement, untrained

import assets
from app.engine import heads
from app.engine.loop import Engine, EngineSettings
from app.engine.teach import TOLD_EVERY, Teaching
from models.teaching import head as head_file
from models.teaching import movements
from pipeline.errors import UserError
from pipeline.formats.aedat4 import Aedat4Writer
from pipeline.frames import WINDOW_US

Attached = tuple[Engine, Window]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("weights") / "weights.safetensors")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of somebody who makes one movement."""
    path = tmp_path_factory.mktemp("recordings") / "sway.aedat4"
    with Aedat4Writer(path, 128, 128, "simulated") as writer:
        for events in movement(WAVING, 4):
            writer.write(events)
    return path


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, weights: Path) -> None:
    """Fewer known movements, so that a test need not wait for all of them."""
    monkeypatch.setattr(movements, "FILE", str(few_movements(weights.parent / "movements.npz")))


@pytest.fixture
def attached(weights: Path, recording: Path) -> Iterator[Attached]:
    """An engine that loops over the movement at four times its speed, and a window on it."""
    settings = EngineSettings(str(recording), loop=True, stay=True, speed=4.0, chat=False, gesture_weights=weights)
    with Engine(settings) as engine:
        loop = threading.Thread(target=engine.run)
        loop.start()
        window = Window(engine)
        window.wait_for(lambda: window.last("decision"), "a decision")
        yield engine, window
        window.close()
        engine.stop()
        loop.join()


def show(window: Window, counter: bool = False) -> None:
    """Have the engine take one example, and wait for it."""
    before = len(window.last("teach").get("examples", []))
    window.order("teach_record", seconds=1.5, counter=counter)
    window.wait_for(lambda: idle(window) and len(window.last("teach")["examples"]) == before + 1, "an example", 60)


def idle(window: Window) -> bool:
    return window.last("teach").get("state") == "idle"


def labels(window: Window) -> list[str]:
    return list(window.last("models")["models"]["gesture"]["labels"]) if window.last("models") else []


def test_a_movement_is_shown_learnt_recognised_and_taken_back(attached: Attached, taught_heads: Path) -> None:
    engine, window = attached
    assert window.told[0]["teach"]["state"] == "idle" and window.told[0]["teach"]["figures"] is None
    for _ in range(3):
        show(window)
    example = window.last("teach")["examples"][-1]
    assert example["windows"] > 20 and example["label"] in engine.models.gesture["labels"] and not example["counter"]
    window.order("teach_learn", name="My sway")
    window.wait_for(lambda: "my_sway" in labels(window) and idle(window), "the new class", 90)
    said = window.last("teach")
    assert said["taught"] == ["my_sway"] and said["newest"] == "my_sway" and said["examples"] == []
    assert said["figures"]["taught"]["my_sway"]["examples"] == 3
    window.wait_for(lambda: window.last("decision")["label"] == "my_sway" and window.last("decision")["accepted"], "the taught class")
    assert len(window.last("decision")["scores"]) == len(labels(window)) == 12
    (path,) = taught_heads.glob("*.safetensors")
    assert path == heads.default_path(engine.models.gesture_id["hash"])
    assert all(example.source.startswith("live, ") for example in head_file.load(path).lessons[0].examples)
    window.order("teach_undo", name="my_sway")
    window.wait_for(lambda: len(labels(window)) == 11 and idle(window), "the class to go", 60)
    window.wait_for(lambda: len(window.last("decision")["scores"]) == 11, "decisions without it")
    assert not path.exists()


def test_a_head_that_is_there_is_used_by_the_next_engine(attached: Attached, weights: Path, recording: Path) -> None:
    _, window = attached
    show(window)
    show(window)
    window.order("teach_learn", name="sway")
    window.wait_for(lambda: "sway" in labels(window) and idle(window), "the new class", 90)
    for option, expected in ((None, ("sway",)), ("none", ())):
        engine = Engine(EngineSettings(str(recording), gesture_weights=weights, head=option))
        assert engine.models.labels[11:] == expected
    with pytest.raises(UserError, match="belongs to the weights"):
        Engine(EngineSettings(str(recording), head=str(heads.default_path(engine.models.gesture_id["hash"]))))


def test_orders_that_make_no_sense_now_are_answered_and_change_nothing(attached: Attached) -> None:
    _, window = attached
    window.order("teach_learn", name="sway")
    window.wait_for(lambda: "no example of sway" in window.last("notice").get("sentence", ""), "a sentence")
    window.order("teach_learn", name="arm_roll")
    window.wait_for(lambda: "knows arm_roll already" in window.last("notice")["sentence"], "a sentence")
    window.order("teach_record", seconds=1000, counter=False)
    window.wait_for(lambda: "1 to 10 s" in window.last("notice")["sentence"], "a sentence")
    window.order("teach_record", seconds="x", counter=False)
    window.wait_for(lambda: "make no sense" in window.last("notice")["sentence"], "a sentence")
    window.order("teach_undo", name="sway")
    window.wait_for(lambda: "nothing has been taught" in window.last("notice")["sentence"], "a sentence")
    window.order("teach_record", seconds=10, counter=False)
    window.order("teach_record", seconds=2, counter=False)
    window.wait_for(lambda: "busy" in window.last("notice")["sentence"], "a sentence")
    window.order("teach_stop")
    window.wait_for(lambda: idle(window), "recording to stop")
    assert window.last("teach")["examples"] == []


def test_a_stop_that_comes_while_a_window_is_taken_ends_the_recording() -> None:
    taking, stopped = threading.Event(), threading.Event()

    class Slow(np.ndarray):  # type: ignore[type-arg]
        def copy(self, order: str = "C") -> Any:
            taking.set()
            stopped.wait(0.2)  # as long as a stop takes that waits for nothing
            return np.asarray(self)

    recognition = SimpleNamespace(tap=None)
    models = SimpleNamespace(head=None, gesture_id={"hash": "0"})
    engine: Any = SimpleNamespace(recognition=recognition, info=True, settings=SimpleNamespace(head=None), models=models)
    teaching = Teaching(engine, lambda message: None, lambda error: None)
    teaching.record(2, False)
    counts = np.zeros((2, 32, 32), np.uint16)
    for window in range(TOLD_EVERY - 1):
        recognition.tap(window * WINDOW_US, counts)
    taker = threading.Thread(target=recognition.tap, args=((TOLD_EVERY - 1) * WINDOW_US, counts.view(Slow)))
    taker.start()
    assert taking.wait(5)
    teaching.stop()
    stopped.set()
    taker.join()
    assert teaching.describe()["state"] == "idle"
    assert recognition.tap is None


def test_examples_can_be_taken_away_and_counter_examples_do_not_count_as_examples(attached: Attached) -> None:
    _, window = attached
    show(window, counter=True)
    window.order("teach_learn", name="sway")
    window.wait_for(lambda: "no example of sway" in window.last("notice").get("sentence", ""), "a sentence")
    window.order("teach_drop", id=window.last("teach")["examples"][0]["id"])
    window.wait_for(lambda: window.last("teach")["examples"] == [], "the example to go")


def test_learning_that_is_stopped_keeps_the_examples_and_changes_nothing(attached: Attached, taught_heads: Path) -> None:
    _, window = attached
    show(window)
    window.order("teach_learn", name="sway")
    window.order("teach_stop")
    window.wait_for(lambda: idle(window), "learning to stop", 60)
    if not labels(window):  # it was not faster than the order
        assert len(window.last("teach")["examples"]) == 1
        assert not list(taught_heads.glob("*.safetensors"))


def test_an_engine_without_heads_teaches_nothing(weights: Path, recording: Path) -> None:
    with Engine(EngineSettings(str(recording), stay=True, chat=False, gesture_weights=weights, head="none")) as engine:
        with pytest.raises(UserError, match="--head none"):
            engine.teaching.record(2.0, False)
        assert engine.teaching.describe()["state"] == "idle"


def test_the_bundled_movements_are_whole() -> None:
    whole = movements.Movements(assets.path("movements.npz"))
    assert {"right_hand_wave", "arm_roll", "other_gestures"} <= set(whole.kinds)
