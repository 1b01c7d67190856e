"""What a message changes is seen in its panel, and what a control does reaches the engine as the right command."""

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from commandline import environment
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from window.engine_double import EngineDouble, decision, fire, hello, source, status

from app.window import theme
from app.window.mainwindow import MainWindow
from app.window.panels.latency import in_order

if TYPE_CHECKING:
    from app.window.panels.rateplot import RatePlot


def pixels(widget: QWidget) -> np.ndarray:
    """uint8[height, width, 3]: what the widget looks like."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def near(colour: str, picture: np.ndarray) -> int:
    """Pixels of `picture` that have `colour`."""
    wanted = QColor(colour)
    return int((np.abs(picture.astype(int) - (wanted.red(), wanted.green(), wanted.blue())).max(axis=-1) <= 2).sum())


# Events


def test_events_in_the_surface_are_in_the_picture_with_the_colour_of_their_polarity(
    qtbot: QtBot, window: MainWindow, engine: EngineDouble
) -> None:
    fire(engine.folder, 32, 24, 10_000_000, slice(0, 8), slice(0, 6), polarity=1)
    fire(engine.folder, 32, 24, 10_000_000, slice(24, 32), slice(18, 24), polarity=0)
    engine.send(status(10_000_000, playing=False))
    qtbot.waitUntil(lambda: window.state.clock.known)
    view, colours = window.events.view, window.events.painter.theme

    def corners() -> tuple[list[int], list[int]]:
        picture, target = pixels(view), view.target()
        return picture[target.top() + 5, target.left() + 5].tolist(), picture[target.bottom() - 5, target.right() - 5].tolist()

    qtbot.waitUntil(lambda: corners() == (list(colours.on), list(colours.off)))
    assert list(colours.background) == pixels(view)[view.target().center().y(), view.target().center().x()].tolist()


def test_the_picture_keeps_the_sensors_aspect_in_any_widget(window: MainWindow) -> None:
    for width, height in ((900, 300), (300, 900), (641, 479), (30, 20)):
        window.events.view.resize(width, height)
        target = window.events.view.target()
        assert abs(target.width() / target.height() - 32 / 24) < 0.08
        assert target.width() <= width and target.height() <= height


def test_events_fade_with_the_chosen_decay_time(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    fire(engine.folder, 32, 24, 10_000_000, slice(0, 32), slice(0, 24))
    engine.send(status(10_200_000, playing=False))
    qtbot.waitUntil(lambda: pixels(window.events.view).max() > 40)
    brightness = []
    for index in (0, window.events.decay.count() - 1):
        window.events.decay.setCurrentIndex(index)
        brightness.append(pixels(window.events.view).max())
    assert brightness[0] < 40 < 180 < brightness[1]


def test_another_theme_changes_the_colours(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    fire(engine.folder, 32, 24, 10_000_000, slice(0, 32), slice(0, 24))
    engine.send(status(10_000_000, playing=False))
    qtbot.waitUntil(lambda: window.state.status.now_us == 10_000_000)
    window.events.colours.setCurrentIndex(1)
    target = window.events.view.target()
    expected = list(window.events.painter.theme.on)
    qtbot.waitUntil(lambda: pixels(window.events.view)[target.center().y(), target.center().x()].tolist() == expected)


@pytest.mark.parametrize(
    ("state", "heading"),
    [
        ("starting", "Opening the source"),
        ("waiting", "Waiting for events"),
        ("failed", "The source has failed"),
        ("ended", "The recording has ended"),
    ],
)
def test_a_source_that_gives_no_events_says_why(qtbot: QtBot, window: MainWindow, engine: EngineDouble, state: str, heading: str) -> None:
    engine.send({"type": "source", "state": state, "sentence": "Plug the camera in."})
    qtbot.waitUntil(lambda: heading in window.events.view.heading)
    assert window.events.view.sentence == "Plug the camera in."
    assert near(theme.MUTED, pixels(window.events.view)) > 50


def test_another_sensor_is_mapped_when_the_source_says_so(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(source(engine.folder, width=64, height=16, spec="camera", kind="camera", live=True))
    qtbot.waitUntil(lambda: window.events.painter.picture.shape == (16, 64))
    engine.send(source(engine.folder, width=1, height=1, spec="file:tiny"))
    qtbot.waitUntil(lambda: window.events.painter.picture.shape == (1, 1))


def test_a_surface_that_cannot_be_mapped_is_a_sentence(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(source(engine.folder, width=64, height=64, surface=str(engine.folder / "surface.none"), spec="camera"))
    qtbot.waitUntil(lambda: window.events.view.heading == "No picture")
    assert "cannot be read" in window.events.view.sentence


# Gesture


def test_an_accepted_gesture_is_named_with_its_confidence_and_its_bar(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(decision(25_000, "air_drums", 0.87))
    qtbot.waitUntil(lambda: window.gesture.verdict.headline == "Air drums")
    assert "87 %" in window.gesture.verdict.reason
    bars = window.gesture.bars
    row = bars.row(bars.labels.index("air_drums"))
    filled = near(theme.CLASS_COLOURS[8], pixels(bars)[row.center().y() : row.center().y() + 1, row.left() : row.right()])
    assert abs(filled / row.width() - 0.87) < 0.03
    assert near(theme.CLASS_COLOURS[8], pixels(window.gesture.verdict)) > 100


def test_below_the_threshold_there_is_no_gesture_but_a_reason_and_a_guess(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(decision(25_000, "arm_roll", 0.31, accepted=False, reason="below the threshold"))
    qtbot.waitUntil(lambda: "below the threshold" in window.gesture.verdict.reason)
    assert window.gesture.verdict.headline == "No gesture"
    assert "Arm roll 31 %" in window.gesture.verdict.reason


def test_the_ribbon_shows_the_gestures_of_the_last_half_minute(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(*(decision(t * 25_000, "arm_roll" if t < 600 else "air_guitar") for t in range(1, 1200)))
    qtbot.waitUntil(lambda: window.state.decisions == 1199)
    ribbon = window.gesture.ribbon

    def shares() -> list[float]:
        band = pixels(ribbon)[3:4]
        return [near(theme.CLASS_COLOURS[index], band) / band.shape[1] for index in (7, 9)]

    qtbot.waitUntil(lambda: all(abs(share - 0.5) < 0.03 for share in shares()))


def test_dragging_the_line_sets_the_threshold(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    bars = window.gesture.bars
    qtbot.waitUntil(lambda: bars.labels != ())
    track = bars.track()
    y = track.center().y()
    qtbot.mousePress(bars, Qt.MouseButton.LeftButton, pos=QPoint(bars.line_x(), y))
    for share in (0.6, 0.7, 0.8):
        qtbot.mouseMove(bars, QPoint(track.left() + round(share * track.width()), y))
    qtbot.mouseRelease(bars, Qt.MouseButton.LeftButton, pos=QPoint(track.left() + round(0.8 * track.width()), y))
    qtbot.waitUntil(lambda: engine.ops("threshold")[-1:] == [{"op": "threshold", "value": 0.8}])
    assert window.gesture.threshold.value() == 0.8


def test_a_click_beside_the_line_leaves_the_threshold_alone(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    bars = window.gesture.bars
    qtbot.mouseClick(bars, Qt.MouseButton.LeftButton, pos=QPoint(bars.line_x() + 60, bars.track().center().y()))
    window.gesture.min_events.setValue(20)
    qtbot.waitUntil(lambda: engine.ops("min_events") == [{"op": "min_events", "value": 20.0}])
    assert engine.ops("threshold") == []


def test_a_threshold_set_elsewhere_moves_the_line_and_is_not_sent_back(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send({"type": "settings", "filters": {}, "threshold": 0.75, "min_events": 3})
    qtbot.waitUntil(lambda: window.gesture.bars.threshold == 0.75)
    assert window.gesture.threshold.value() == 0.75
    assert engine.ops("threshold") == engine.ops("min_events") == []


def test_a_painted_decision_is_reported_with_its_time(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(decision(75_000))
    qtbot.waitUntil(lambda: [m["t_us"] for m in engine.ops("painted")] == [75_000])
    assert engine.ops("painted")[0]["ns"] > 0


# Transport


def test_the_transport_is_there_for_recordings_and_not_for_live_sources(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    qtbot.waitUntil(window.transport.isVisible)
    engine.send(source(engine.folder, live=True, spec="camera", kind="camera"))
    qtbot.waitUntil(lambda: not window.transport.isVisible())
    window.play_or_pause()
    window.step()
    window.forward()
    engine.send(source(engine.folder))
    qtbot.waitUntil(window.transport.isVisible)
    assert engine.received == []


def test_transport_controls_send_their_commands(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    transport = window.transport
    engine.send(status(1_000_000))
    qtbot.waitUntil(lambda: transport.play.text() == "Pause" and transport.isVisible())
    transport.play.click()
    transport.step_button.click()
    transport.loop.click()
    transport.speed.setCurrentIndex(0)
    transport.speed.activated.emit(0)
    expected = [{"op": "pause"}, {"op": "step"}, {"op": "loop", "value": True}, {"op": "speed", "value": 0.1}]
    qtbot.waitUntil(lambda: engine.received == expected)


def test_a_paused_recording_offers_to_play(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(status(1_000_000, playing=False, position_us=2_500_000, speed=2.0, loop=True))
    qtbot.waitUntil(lambda: window.transport.play.text() == "Play" and window.transport.time.text() == "0:02.5 / 0:05.0")
    assert window.transport.speed.currentText() == "2 ×"
    assert window.transport.loop.isChecked()
    assert window.transport.slider.value() == 5000
    window.transport.play.click()
    qtbot.waitUntil(lambda: engine.received == [{"op": "play"}])


def test_a_click_on_the_slider_seeks_there(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    slider = window.transport.slider
    qtbot.waitUntil(window.transport.isVisible)
    qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=QPoint(slider.width() // 2, slider.height() // 2))
    qtbot.waitUntil(lambda: engine.ops("seek") != [])
    assert abs(engine.ops("seek")[-1]["position_us"] - 2_500_000) < 50_000


def test_play_after_the_end_begins_at_the_start(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send({"type": "source", "state": "ended", "sentence": ""})
    qtbot.waitUntil(lambda: window.transport.play.text() == "Play")
    window.transport.play.click()
    qtbot.waitUntil(lambda: engine.received == [{"op": "seek", "position_us": 0}, {"op": "play"}])


# Rates, latency, filters, record, strip


@pytest.fixture
def plot(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> "RatePlot":
    """The rate plot with two points; it is built once events have been painted."""
    assert window.rates.plot is None
    fire(engine.folder, 32, 24, 10_000_000, slice(0, 8), slice(0, 6))
    engine.send(status(10_000_000, playing=False))
    qtbot.waitUntil(lambda: window.events.view.events_painted)
    window.rates.finish()
    engine.send(status(10_000_001, playing=False))
    qtbot.waitUntil(lambda: window.rates.plot is not None)
    assert window.rates.plot is not None
    return window.rates.plot


def test_the_rate_curve_grows_with_every_status(qtbot: QtBot, plot: "RatePlot", engine: EngineDouble) -> None:
    before = near(theme.ACCENT, pixels(plot))
    engine.send(*(status(t, rate=40_000.0 * (t % 2), kept_rate=10_000.0) for t in range(200)))
    qtbot.waitUntil(lambda: plot.top == 50_000.0 and len(plot.arrived.getData()[0]) == 202)
    assert near(theme.ACCENT, pixels(plot)) > before + 500


def test_the_plot_keeps_a_minute_and_its_curves_for_ever(qtbot: QtBot, window: MainWindow, plot: "RatePlot", engine: EngineDouble) -> None:
    items = list(plot.getPlotItem().items)
    engine.send(*(status(t, rate=1000.0, kept_rate=0.0) for t in range(500)), status(500, rate=70.0))
    qtbot.waitUntil(lambda: window.state.status.rate == 70.0 and plot.arrived.getData()[1][-1] == 70.0)
    x, y = plot.arrived.getData()
    assert (len(x), x[-1], x[0]) == (240, 0.0, -59.75)
    assert plot.getPlotItem().items == items
    assert np.shares_memory(y, plot.kept.getData()[1].base)


def test_a_zoomed_plot_stays_as_it_is_until_a_double_click(qtbot: QtBot, plot: "RatePlot", engine: EngineDouble) -> None:
    at = plot.viewport().rect().center()
    plot.getViewBox().scaleBy((0.5, 0.5))
    plot.getViewBox().sigRangeChangedManually.emit([True, True])
    zoomed = plot.viewRange()
    engine.send(status(1, rate=90_000.0))
    qtbot.waitUntil(lambda: plot.top == 100_000.0)
    assert plot.viewRange() == zoomed
    qtbot.mouseDClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert plot.viewRange()[1] == [0.0, 100_000.0]


def test_the_plot_is_not_loaded_before_there_is_a_picture(window: MainWindow, engine: EngineDouble) -> None:
    code = "import sys, app.window.main; print('pyqtgraph' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment()).stdout == "False\n"
    assert window.rates.plot is None


def test_stages_stand_in_the_order_of_the_chain() -> None:
    stages = dict.fromkeys(("total", "chip", "new", "painted", "queue", "sensor"), (1.0, 2.0))
    assert [name for name, *_ in in_order(stages)] == ["sensor", "queue", "chip", "painted", "total", "new"]


def test_every_stage_has_its_bar(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(status(1))
    qtbot.waitUntil(lambda: [name for name, *_ in window.latency.bars.stages] == ["queue", "chip", "total"])
    picture = pixels(window.latency.bars)
    assert near(theme.ACCENT, picture) > 100
    assert near(theme.GOOD, picture) > 100
    assert "1.10 ms to decision" in window.strip.latency.text()


def test_filters_show_what_the_engine_uses_and_send_what_is_switched(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    filters = window.filters
    qtbot.waitUntil(filters.background.isChecked)
    assert (filters.background_us.value(), filters.refractory.isChecked(), filters.hot_pixel.isChecked()) == (2000, False, True)
    filters.background.click()
    filters.refractory_us.setValue(500)
    filters.refractory.click()
    filters.hot_pixel.click()
    filters.polarity.setCurrentIndex(1)
    filters.polarity.activated.emit(1)
    values = ({"background_us": None}, {"refractory_us": 500}, {"hot_pixel": False}, {"polarity": "on"})
    qtbot.waitUntil(lambda: engine.received == [{"op": "filters", **value} for value in values])


def test_a_region_drawn_in_the_picture_is_sent_in_sensor_pixels(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    window.filters.region.setChecked(True)
    view = window.events.view
    target = view.target()
    unit = target.width() / 32

    def at(x: float, y: float) -> QPoint:
        return (QPointF(target.topLeft()) + QPointF(x * unit, y * unit)).toPoint()

    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=at(20.5, 15.5))
    qtbot.mouseMove(view, at(10.5, 5.5))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=at(4.5, 3.5))
    qtbot.waitUntil(lambda: engine.ops("filters") == [{"op": "filters", "region": [4, 3, 17, 13]}])
    assert not view.picking


def test_recording_starts_and_stops_and_tells_how_much(qtbot: QtBot, window: MainWindow, engine: EngineDouble, tmp_path: Any) -> None:
    record = window.record_panel
    record.folder = tmp_path / "new"
    qtbot.waitUntil(record.button.isEnabled)
    record.button.click()
    qtbot.waitUntil(lambda: engine.ops("record") != [])
    path = engine.ops("record")[0]["path"]
    assert path.startswith(str(tmp_path / "new")) and path.endswith(".aedat4")
    assert (tmp_path / "new").is_dir()
    engine.send(status(1, recording={"path": path, "events": 10, "bytes": 12_345_678, "seconds": 65.3, "sentence": ""}))
    qtbot.waitUntil(lambda: record.button.text() == "■ Stop")
    assert record.figures.text() == "1:05.3   12.3 MB"
    record.button.click()
    qtbot.waitUntil(lambda: engine.ops("record_stop") != [])
    engine.send(status(2))
    qtbot.waitUntil(lambda: record.button.text() == "● Record" and not record.figures.isVisible())


def test_the_strip_names_source_and_runtime(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(status(1_000_000, runtime={"backend": "spinnaker2", "badge": "CHIP", "heartbeat": 7}))
    qtbot.waitUntil(lambda: "CHIP" in window.strip.runtime.text())
    assert "RECORDING  wave.aedat4" in window.strip.source.text()
    assert window.strip.rate.text() == "12.5 kev/s"
    assert not window.strip.loss.isVisible()


def test_a_chip_that_was_left_can_be_returned_to(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(status(1_000_000, runtime={"backend": "host", "badge": "HOST", "heartbeat": 7, "offer": "emulator"}))
    qtbot.waitUntil(lambda: "back to the chip" in window.strip.runtime.text())
    window.strip.runtime.linkActivated.emit("chip")
    qtbot.waitUntil(lambda: engine.ops("runtime") == [{"op": "runtime", "value": "chip"}])
    engine.send(status(1_025_000, runtime={"backend": "emulator", "badge": "EMULATED CHIP", "heartbeat": 8, "offer": ""}))
    qtbot.waitUntil(lambda: "back to the chip" not in window.strip.runtime.text())


def test_losses_are_shown_as_soon_as_there_are_any(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(status(1_000_000, lost=12, skipped=40_000))
    qtbot.waitUntil(window.strip.loss.isVisible)
    assert window.strip.loss.text() == "lost 12   skipped 40.0 k"


def test_a_runtime_whose_heart_stops_is_called_silent(window: MainWindow) -> None:
    state, strip = window.state, window.strip
    runtime = {"backend": "host", "badge": "HOST", "heartbeat": 7}
    for now in (1000.0, 1001.0, 1003.5):
        state.apply(status(int(now * 1e6), runtime=runtime), now)
        strip.seek(now)
        strip.refresh(strip.INTERESTS)
    assert "HOST IS SILENT" in strip.runtime.text()


def test_another_source_is_asked_for_from_the_menu(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    actions = {action.text(): action for action in window.strip.source.menu().actions()}
    actions["Camera"].trigger()
    actions["Simulated person"].trigger()
    qtbot.waitUntil(lambda: engine.ops("source") == [{"op": "source", "spec": "camera"}, {"op": "source", "spec": "simulated"}])


def test_a_greeting_without_a_source_says_what_to_do(qtbot: QtBot, window: MainWindow, engine: EngineDouble) -> None:
    engine.send(hello(None))
    qtbot.waitUntil(lambda: window.events.view.heading == "No source")
    assert "camera" in window.events.view.sentence
    qtbot.waitUntil(lambda: not window.record_panel.button.isEnabled())
