"""What stands around the conversation: the prompt's field, the settings of answers, and gestures that drive the chat."""

import json

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from window.engine_double import EngineDouble, status

from app.window.mainwindow import MainWindow
from app.window.panels.chat_settings import OWN, ChatSettings
from models.sampling import PRESETS


def test_what_the_model_can_make_little_of_is_marked_where_it_stands(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    prompt = window.chat.prompt
    prompt.setText("🐦 at a zebrafish")
    qtbot.waitUntil(lambda: engine.ops("chat_doubts") != [])
    assert engine.ops("chat_doubts") == [{"op": "chat_doubts", "text": "🐦 at a zebrafish"}]
    found = [[0, 1, "unknown", 4], [7, 16, "rare", 5]]
    engine.send({"type": "chat", "event": "doubts", "text": "another text", "doubts": found})
    engine.send({"type": "chat", "event": "doubts", "text": "🐦 at a zebrafish", "doubts": found})
    qtbot.waitUntil(lambda: len(prompt.extraSelections()) == 2)
    assert [mark.cursor.selectedText() for mark in prompt.extraSelections()] == ["🐦", "zebrafish"]  # type: ignore[attr-defined]
    qtbot.keyClicks(prompt, "x")
    assert prompt.extraSelections() == []


def test_presets_set_what_they_are_and_a_change_makes_settings_ones_own(qtbot: QtBot, window: MainWindow) -> None:
    settings, button = window.chat.settings, window.chat.settings_button
    assert button.text().startswith("Balanced")
    settings.use("careful")
    assert (settings.temperature.value(), settings.top_p.value()) == (0.4, 0.9)
    assert button.text().startswith("Careful")
    settings.temperature.setValue(0.45)
    assert button.text().startswith("Own settings")
    settings.temperature.setValue(0.4)
    assert settings.preset.currentData() == "careful"


def test_own_settings_are_back_when_they_are_chosen_after_a_preset(qtbot: QtBot, window: MainWindow) -> None:
    settings = window.chat.settings
    settings.use("exact")
    settings.temperature.setValue(1.23)
    settings.top_k.setValue(17)
    kept = settings.get()
    settings.use("exact")
    assert settings.temperature.value() == 0.0
    settings.use(OWN)
    assert settings.get() == kept
    assert settings.preset.currentData() == OWN


def test_own_settings_are_kept_between_runs_under_a_preset(qtbot: QtBot, window: MainWindow) -> None:
    settings = window.chat.settings
    settings.temperature.setValue(1.23)
    settings.use("careful")
    kept = json.loads(json.dumps(settings.get()))
    again = ChatSettings()
    qtbot.addWidget(again)
    again.set({"own": {"temperature": "hot", "top_k": True}, "fresh": 1})
    assert again.name() == "balanced"
    again.set(kept)
    assert again.name() == "careful"
    again.use(OWN)
    assert (again.temperature.value(), again.top_p.value()) == (1.23, PRESETS["balanced"].top_p)


def test_every_question_has_a_new_seed_where_that_is_wanted(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    chat = window.chat
    chat.settings.seed.setValue(7)
    for prompt in "abc":
        chat.prompt.setText(prompt)
        chat.send()
        chat.settings.fresh.setChecked(True)
    qtbot.waitUntil(lambda: len(engine.ops("chat")) == 3)
    first, second, third = (message["seed"] for message in engine.ops("chat"))
    assert first == 7
    assert len({first, second, third}) == 3
    assert chat.settings.seed.value() == third, "the answer can be had again"
    again = ChatSettings()
    qtbot.addWidget(again)
    again.set(chat.settings.get())
    assert (again.fresh.isChecked(), again.seed.isEnabled(), again.seed.value()) == (True, False, third)


def test_a_long_prompt_makes_the_field_grow_and_enter_with_shift_begins_a_line(qtbot: QtBot, window: MainWindow) -> None:
    prompt = window.chat.prompt
    one = prompt.sizeHint().height()
    qtbot.keyClicks(prompt, "a")
    qtbot.keyClick(prompt, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClicks(prompt, "b")
    assert prompt.text() == "a\nb"
    assert prompt.sizeHint().height() > one
    prompt.setText("x" * 30_000)
    assert len(prompt.text()) == 20_000


def test_gestures_do_nothing_until_they_are_switched_on_and_then_the_engine_is_told(
    qtbot: QtBot, window: MainWindow, engine: EngineDouble
) -> None:
    gestures = window.chat.gestures
    assert not gestures.on.isChecked()
    assert not any(choice.isEnabled() for choice in gestures.choices.values())
    assert engine.ops("chat_gestures") == []
    gestures.on.click()
    qtbot.waitUntil(lambda: engine.ops("chat_gestures") != [])
    (told,) = engine.ops("chat_gestures")
    assert told["on"]
    assert told["actions"] == {"hand_clapping": "stop", "arm_roll": "regenerate", "right_hand_wave": "accept"}
    assert len(told["prompts"]) == 3
    assert told["temperature"] == 0.7
    choice = gestures.choices["stop"]
    choice.setCurrentIndex(choice.findData("air_drums"))
    choice.activated.emit(choice.currentIndex())
    qtbot.waitUntil(lambda: len(engine.ops("chat_gestures")) == 2)
    assert engine.ops("chat_gestures")[1]["actions"]["air_drums"] == "stop"


def test_the_prompt_that_a_gesture_would_send_stands_in_the_empty_field(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    window.chat.gestures.on.click()
    engine.send(status(1_000_000, chat={"busy": False, "suggestion": "Hello, how are you?"}))
    qtbot.waitUntil(lambda: window.chat.prompt.placeholderText() == "Right hand wave sends: Hello, how are you?")
    window.chat.gestures.on.click()
    engine.send(status(2_000_000))
    qtbot.waitUntil(lambda: window.chat.prompt.placeholderText() == "Write something for the model to answer")


def test_a_long_suggestion_is_cut_to_the_line_and_whole_under_the_mouse(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    window.chat.gestures.on.click()
    said = "I am looking for a restaurant in San Jose. " * 5
    engine.send(status(1_000_000, chat={"busy": False, "suggestion": said}))
    prompt = window.chat.prompt
    qtbot.waitUntil(lambda: prompt.placeholderText().startswith("Right hand wave sends: I am"))
    assert prompt.placeholderText().endswith("…")
    assert prompt.fontMetrics().horizontalAdvance(prompt.placeholderText()) <= prompt.viewport().width()
    assert said.strip() in prompt.toolTip()


def test_what_gestures_do_is_kept_between_runs_even_for_gestures_that_are_not_known_yet(qtbot: QtBot, window: MainWindow) -> None:
    gestures = window.chat.gestures
    kept = gestures.get()
    gestures.set({"on": True, "labels": {"stop": "thumbs_up", "accept": 3}, "prompts": "Hi\n\nBye"})
    assert gestures.message()["actions"] == {"thumbs_up": "stop", "arm_roll": "regenerate", "right_hand_wave": "accept"}
    assert gestures.message()["prompts"] == ["Hi", "Bye"]
    gestures.show_labels(("thumbs_up", "arm_roll"))
    assert gestures.choices["stop"].currentData() == "thumbs_up"
    gestures.set(kept)
    assert gestures.get() == kept


def test_a_gesture_chosen_for_two_actions_does_the_newer_one_and_is_seen_to(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    gestures = window.chat.gestures
    gestures.on.click()
    choice = gestures.choices["regenerate"]
    choice.setCurrentIndex(choice.findData("hand_clapping"))
    choice.activated.emit(choice.currentIndex())
    assert gestures.choices["stop"].currentText() == "none"
    assert gestures.gesture("stop") == ""
    qtbot.waitUntil(lambda: len(engine.ops("chat_gestures")) == 2)
    assert engine.ops("chat_gestures")[1]["actions"] == {"hand_clapping": "regenerate", "right_hand_wave": "accept"}
    gestures.set({"labels": {"stop": "air_drums", "regenerate": "air_drums", "accept": "arm_roll"}})
    assert gestures.message()["actions"] == {"air_drums": "regenerate", "arm_roll": "accept"}


def test_a_window_that_comes_later_shows_what_gestures_do_already(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    gestures = window.chat.gestures
    does = {"on": True, "actions": {"air_drums": "accept", "arm_roll": "stop"}, "prompts": ["Hello there"]}
    engine.send(status(1_000_000, chat={"suggestion": "Hello there", "gestures": does}))
    qtbot.waitUntil(lambda: window.chat.prompt.placeholderText() == "Air drums sends: Hello there")
    assert gestures.on.isChecked()
    assert {action: choice.currentData() for action, choice in gestures.choices.items()} == {
        "stop": "arm_roll",
        "regenerate": "",
        "accept": "air_drums",
    }
    assert gestures.prompts.toPlainText() == "Hello there"
    assert engine.ops("chat_gestures") == [], "to show it is not to ask for it"
    engine.send(status(2_000_000, chat={"gestures": {"on": False, "actions": {}, "prompts": []}}))
    qtbot.waitUntil(lambda: not gestures.on.isChecked())
    assert gestures.gesture("accept") == ""
    assert gestures.prompts.toPlainText() == "Hello there"


def test_what_is_set_here_is_not_undone_by_a_status_that_was_on_its_way(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    gestures = window.chat.gestures
    gestures.on.click()
    flips: list[bool] = []
    gestures.on.toggled.connect(flips.append)
    nothing = {"on": False, "actions": {}, "prompts": []}
    told = {name: value for name, value in gestures.message().items() if name != "op"}
    for number, gestures_told in enumerate([nothing, told, told]):
        engine.send(status(1_000_000 + number, chat={"gestures": gestures_told}))
        qtbot.waitUntil(lambda number=number: window.state.status.now_us == 1_000_000 + number)
        qtbot.wait(100)
    assert gestures.on.isChecked()
    assert flips == []
