"""Promises of the single commands that no other test keeps: numbers, output, signals, recording, chat, training's options, benchmarks."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commandline import dv_count, egret, environment, lines

import assets
from app.cli import run_command
from app.commands import chat as chat_command
from app.commands.common import DEMO, stop_on_signals
from app.commands.terminal import Settings, Terminal, _carry_out
from app.engine import partner
from app.engine.models import Models
from models.chip.runtime import Runtime
from models.sampling import PRESETS, Sampling
from pipeline.errors import PARTIAL, USAGE, UserError
from pipeline.sources.spec import parse_spec

NUMBERS = [
    (("run", "--source", "simulated"), "--duration", ("0", "-1", "nan", "inf", "1e300", "soon")),
    (("run", "--source", "simulated"), "--speed", ("-0.5", "nan", "inf", "1001")),
    (("run", "--source", "simulated"), "--threshold", ("-0.1", "nan", "1.5")),
    (("record", "--source", "simulated", "--out", "never.aedat4"), "--duration", ("0", "-1", "nan", "inf", "1e300")),
    (("simulate", "--gesture", "idle", "--seed", "1", "--out", "never.aedat4"), "--duration", ("0", "-1", "nan", "3601")),
    (("simulate", "--gesture", "idle", "--out", "never.aedat4"), "--seed", ("-1", "0.5", "nan", "9" * 40, "9" * 5000)),
    (("chat", "--prompt", "hello"), "--tokens", ("0", "-1", "2001", "nan")),
    (("chat", "--prompt", "hello"), "--temperature", ("-1", "nan", "inf")),
    (("chat", "--prompt", "hello"), "--top-k", ("-1", "1.5")),
    (("chat", "--prompt", "hello"), "--seed", ("-1", "9" * 40)),
    (("chat", "--prompt", "hello"), "--top-p", ("-0.1", "1.1")),
    (("chat", "--prompt", "hello"), "--min-p", ("-0.1", "nan")),
    (("chat", "--prompt", "hello"), "--repetition-penalty", ("0.5", "inf")),
    (("chat", "--prompt", "hello"), "--preset", ("daft",)),
    (("bench", "runtime"), "--seconds", ("0", "-1", "nan", "inf", "601")),
    (("evaluate", "gesture", "--data", ".", "--label", "arm_roll"), "--threshold", ("2", "nan")),
]


@pytest.mark.parametrize(("command", "option", "value"), [(c, option, value) for c, option, values in NUMBERS for value in values])
def test_a_number_out_of_range_is_a_usage_error_that_names_its_option(
    command: tuple[str, ...], option: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=option) as caught:
        run_command([*command, option, value])
    assert caught.value.exit_code == USAGE
    assert len(str(caught.value)) < 200
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["a" * 300, "a" * 5000, "a\0b", "unix:a\0b", "simulated:" + "x" * 300, "tcp://" + "x" * 300])
def test_a_source_of_any_length_is_refused_with_a_short_sentence(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_spec(text)
    assert caught.value.exit_code == USAGE
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("command", "unbuffered"), [(("info",), "1"), (("info",), ""), (("run", "--speed", "0", "--source"), "")])
def test_output_that_cannot_be_written_is_one_sentence(command: tuple[str, ...], unbuffered: str, simulated_wave: Path) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        ended = subprocess.run(
            [sys.executable, "-m", "app.cli", *command, simulated_wave],
            env=environment(PYTHONUNBUFFERED=unbuffered),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1
    said = ended.stderr.strip().splitlines()[-1]
    assert said.startswith("egret: The output cannot be written (No space left on device)")
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


# ---- signals ------------------------------------------------------------------------------------------------------------------------


def started(*arguments: str | Path, **more: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "app.cli", *map(str, arguments)]
    return subprocess.Popen(command, env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_engine_whose_terminal_goes_away_ends_properly_and_leaves_no_session(number: signal.Signals, sessions: Path) -> None:
    with started("run", "--source", "simulated", "--json") as engine:
        assert engine.stdout
        engine.stdout.readline()
        engine.send_signal(number)
        said, complaints = engine.communicate(timeout=60)
    assert engine.returncode == 0, complaints
    assert '"type": "summary"' in said.splitlines()[-1]
    assert not list(sessions.iterdir())


def test_a_recording_whose_terminal_goes_away_is_closed_and_whole(tmp_path: Path) -> None:
    out = tmp_path / "out.aedat4"
    with started("record", "--source", "simulated:3/air_drums", "--out", out, "--json") as recorder:
        while recorder.poll() is None and not (out.exists() and out.stat().st_size > 20_000):
            time.sleep(0.05)
        recorder.send_signal(signal.SIGHUP)
        said, complaints = recorder.communicate(timeout=60)
    assert recorder.returncode == 0, complaints
    (info,) = lines(egret("info", out, "--json"))
    assert not info["damage"]
    assert f'"events": {info["events"]}' in said


def test_whoever_ignores_that_the_terminal_goes_away_is_not_stopped_by_it() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    stopped: list[bool] = []
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
        stop_on_signals(lambda: stopped.append(True))
        os.kill(os.getpid(), signal.SIGHUP)
        assert not stopped
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# ---- record -------------------------------------------------------------------------------------------------------------------------


def test_a_recording_of_a_file_holds_every_event_of_it(simulated_wave: Path, tmp_path: Path) -> None:
    ended = egret("record", "--source", simulated_wave, "--out", tmp_path / "copy.aedat4", "--json")
    assert ended.returncode == 0, ended.stderr
    (said,) = lines(ended)
    (original,) = lines(egret("info", simulated_wave, "--json"))
    (copy,) = lines(egret("info", tmp_path / "copy.aedat4", "--json"))
    assert said["events"] == original["events"] == copy["events"] == dv_count(tmp_path / "copy.aedat4")
    assert said["lost"] == 0
    assert {copy[name] == original[name] for name in ("duration_s", "start_us", "on_share", "width", "height")} == {True}


def test_a_recording_of_a_live_source_holds_what_it_says_and_lasts_as_long_as_asked(tmp_path: Path) -> None:
    ended = egret("record", "--source", "simulated:3/air_drums", "--duration", "1", "--out", tmp_path / "out.aedat4", "--json")
    assert ended.returncode == 0, ended.stderr
    (said,) = lines(ended)
    (info,) = lines(egret("info", tmp_path / "out.aedat4", "--json"))
    assert said["events"] == info["events"] == dv_count(tmp_path / "out.aedat4") > 0
    assert said["bytes"] == (tmp_path / "out.aedat4").stat().st_size
    assert info["duration_s"] <= 1
    assert not info["damage"]


# ---- chat, training, the bare command -----------------------------------------------------------------------------------------------


def chat(text: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`egret chat` with `text` on its stdin."""
    command = [sys.executable, "-m", "app.cli", "chat", "--tokens", "12", *arguments]
    return subprocess.run(command, env=environment(), input=text, capture_output=True, text=True, timeout=60, check=False)


def test_a_chat_over_a_pipe_answers_line_by_line_until_it_ends_and_forgets_when_told() -> None:
    ended = chat("hello\nhello\n/clear\n\nhello", "--json")
    assert ended.returncode == 0, ended.stderr
    first, second, third = lines(ended)
    assert [said["prompt"] for said in (first, second, third)] == ["hello"] * 3
    assert first["text"] == third["text"] != second["text"]
    assert all(0 < said["tokens"] <= 12 for said in (first, second, third))


def test_a_chat_ends_where_it_is_told_to_and_prints_nothing_but_answers() -> None:
    ended = chat("hello\n/quit\nnever read\n")
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) == 1
    assert not ended.stderr


def test_a_chat_over_a_pipe_goes_on_after_what_cannot_be_done_and_ends_as_partly_done(tmp_path: Path) -> None:
    ended = chat(f"/nosuch\nhello\n/export {tmp_path}/nowhere/said.json\nhello", "--json")
    assert ended.returncode == PARTIAL
    assert [said["prompt"] for said in lines(ended)] == ["hello"] * 2
    first, second = ended.stderr.splitlines()
    assert "no command /nosuch" in first
    assert "cannot be saved" in second


def test_a_chat_whose_messages_nobody_wants_prints_its_answers_alone() -> None:
    command = [sys.executable, "-m", "app.cli", "chat", "--tokens", "12", "--json"]
    text = "hello\n/rewind 1\n/nosuch\n"
    ended = subprocess.run(
        ["sh", "-c", '"$@" 2>&-', "sh", *command], env=environment(), input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == PARTIAL
    assert [said["prompt"] for said in lines(ended)] == ["hello"]


def test_a_chat_without_an_input_is_a_usage_error() -> None:
    command = [sys.executable, "-m", "app.cli", "chat"]
    ended = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", *command], env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == USAGE
    assert len(ended.stderr.splitlines()) == 1
    assert "--prompt" in ended.stderr


def test_several_prompts_are_one_conversation() -> None:
    ended = egret("chat", "--prompt", "hello", "--prompt", "hello", "--tokens", "5", "--json")
    one, two = lines(ended)
    assert (one["prompt"], two["prompt"]) == ("hello", "hello")
    assert two["memory_age"] > one["memory_age"] > 5


def test_equal_seeds_give_the_same_text_on_the_host_and_on_an_emulated_chip() -> None:
    pytest.importorskip("unicorn", reason="the emulated chip needs the extra emulator")
    said = [
        lines(egret("chat", "--prompt", "hi", "--seed", "1", "--tokens", "8", "--runtime", runtime, "--json"))[0]
        for runtime in ("host", "emulator")
    ]
    assert [one["runtime"] for one in said] == ["host", "emulator"]
    assert said[0]["text"] == said[1]["text"]
    assert [said[0][name] for name in ("tokens", "activity", "operations")] == [
        said[1][name] for name in ("tokens", "activity", "operations")
    ]
    assert said[0]["energy_uj"] is None
    assert said[1]["energy_uj"] > 0


def test_commands_of_a_chat_move_the_conversation(tmp_path: Path) -> None:
    said = f"""hello
/regenerate
/rewind 3
/continue
/branches
/edit good morning
/switch 2
/export {tmp_path / "said.json"}
/export {tmp_path / "said.txt"}
/clear
/load {tmp_path / "said.json"}
/set top-p 0.5
/preset careful
/set
/help
"""
    ended = chat(said, "--seed", "1")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "said.txt").read_text().startswith("You: hello\nEgret: ")
    assert "You: hello" in ended.stdout
    assert "/regenerate" in ended.stdout
    assert "temperature 0.4" in ended.stdout


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("/fly", "no command /fly"),
        ("/rewind soon", "/rewind N"),
        ("/switch 9", "/branches"),
        ("/edit", "/edit TEXT"),
        ("/edit hello", "no prompt to replace"),
        ("/continue", "nothing to answer"),
        ("/set heat 3", "no setting 'heat'"),
        ("/set top_p 3", "top_p cannot be '3'"),
        ("/set tokens 0", "tokens cannot be '0'"),
        ("/preset daft", "no preset 'daft'"),
        ("/export", "Name a file"),
        ("/load /nowhere.json", "/nowhere.json cannot be read"),
        ("/check on", "nothing to compare"),
        ("/check of", "/check off"),
    ],
)
def test_a_command_of_a_chat_that_makes_no_sense_is_one_sentence(line: str, sentence: str, runtime: Runtime) -> None:
    with (
        Terminal(partner.own(Models(), runtime), Settings(Sampling(), 5), False) as one,
        pytest.raises(UserError, match=re.escape(sentence)),
    ):
        _carry_out(one, line)


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    models = Models()
    return Runtime(models.gesture_path, models.language_path, "host")


def test_the_presets_that_the_command_offers_are_those_there_are() -> None:
    assert tuple(PRESETS) == chat_command.PRESETS


@pytest.mark.parametrize("kind", ["gesture", "language"])
def test_trainings_options_come_from_the_arguments_given(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(sys, "argv", ["something else"])
    with pytest.raises(UserError, match="--steps") as caught:
        run_command(["train", kind, "--steps", "many"])
    assert caught.value.exit_code == USAGE


def test_training_begins_with_the_arguments_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(sys, "argv", ["something else"])
    with pytest.raises(UserError, match="nowhere"):
        run_command(["train", "language", "--data", str(tmp_path / "nowhere"), "--folder", str(tmp_path / "run")])


@pytest.mark.skipif(not assets.path(DEMO).is_file(), reason="assets/demo.aedat4 is not in this checkout")
def test_egret_alone_plays_the_demo_where_there_is_no_screen() -> None:
    with started(QT_QPA_PLATFORM="") as alone:
        assert alone.stdout
        begun = [alone.stdout.readline() for _ in range(20)]
        alone.send_signal(signal.SIGINT)
        rest = alone.stdout.read()  # communicate() would lose what readline() has read ahead
        assert alone.stderr
        complaints = alone.stderr.read()
        assert alone.wait(60) == 0, complaints
    assert "there is no screen here" in complaints
    *more, summary = rest.splitlines()
    assert summary.startswith(f"{len(begun) + len(more):,} decisions from ")


# ---- bench --------------------------------------------------------------------------------------------------------------------------


def measured(name: str) -> dict[str, object]:
    """The figures of one benchmark, taken quickly."""
    ended = egret("bench", name, "--seconds", "0.2", "--json")
    assert ended.returncode == 0, ended.stderr
    (said,) = lines(ended)
    assert (said["type"], said["name"]) == ("bench", name)
    figures: dict[str, object] = said["figures"]
    return figures


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("pipeline", ["scene of 1 Mev/s", "scene of 20 Mev/s"]),
        ("runtime", ["gesture step", "language step", "time against activity", "energy on a chip", "how"]),
        ("latency", ["quiet", "with the language model writing"]),
        ("language", ["alone", "beside gesture recognition"]),
    ],
)
def test_a_benchmark_ends_and_prints_its_figures(name: str, parts: list[str]) -> None:
    assert list(measured(name)) == parts


def test_the_benchmark_of_the_window_ends_and_prints_its_figures() -> None:
    assert {"fps", "frame_ms", "cpu_ms_per_frame"} <= set(measured("window"))


@pytest.mark.slow
@pytest.mark.skipif(not assets.path(DEMO).is_file(), reason="assets/demo.aedat4 is not in this checkout")
def test_the_benchmark_of_the_start_ends_and_prints_its_figures() -> None:
    assert list(measured("start")) == ["start to first painted frame"]


def test_figures_for_people_have_a_line_each() -> None:
    ended = egret("bench", "runtime", "--seconds", "0.1")
    assert ended.returncode == 0, ended.stderr
    begin = [line.split()[0] for line in ended.stdout.splitlines()]
    assert begin[:4] == ["runtime:", "gesture", "median", "egret,"] and {"numpy", "language", "energy"} < set(begin)
