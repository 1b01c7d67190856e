"""Frame times of the window under full load: events at 1 Mev/s, decisions at 40 Hz, text streaming at 300 tokens/s.

The engine's side is played by a child process over the real socket and the real surface file, so that its work is not counted as the
window's and the two compete for the processor as they do in life. The window is the real one, on Qt's `offscreen` platform unless
`QT_QPA_PLATFORM` says otherwise.
"""

import json
import multiprocessing
import os
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from app.protocol import TICK_US, Message, encode

WIDTH, HEIGHT = 640, 480
EVENTS_PER_S = 1_000_000
TOKENS_PER_S = 300
ANSWER_TOKENS = 200
TURN_S = 0.005
WARM_UP_S = 1.0
LABELS = [f"gesture_{number}" for number in range(11)]
WORDS = ("the ", "train ", "leaves ", "at ", "seven ", "from ", "the ", "old ", "station. ")


def _hello(surface: Path) -> Message:
    source = {"type": "source", "state": "live", "spec": "simulated", "kind": "simulated", "title": "load", "width": WIDTH}
    source |= {"height": HEIGHT, "live": True, "duration_us": 0, "surface": str(surface)}
    models = {"gesture": {"name": "load", "hash": "", "labels": LABELS}, "language": {"name": "load", "hash": ""}}
    message: Message = {"type": "hello", "models": models, "source": source, "chat": [], "recording": None}
    return message | {"runtime": {"backend": "host", "badge": "HOST"}, "settings": {"filters": {}, "threshold": 0.5, "min_events": 8}}


def _status(now_us: int, tokens: int) -> Message:
    stages = ("arrival", "queue", "frame", "chip", "decision", "total")
    latency = {name: {"p50": 0.5 + index, "p95": 1.0 + index} for index, name in enumerate(stages)}
    message: Message = {"type": "status", "now_us": now_us, "rate": EVENTS_PER_S + now_us % 9973, "kept_rate": 8e5, "latency": latency}
    message |= {"position_us": now_us, "runtime": {"backend": "host", "badge": "HOST", "heartbeat": now_us // 25_000}}
    return message | {"chat": {"busy": True, "tokens_per_s": TOKENS_PER_S, "memory_age": tokens}}


def _play_engine(folder: str, seconds: float) -> None:
    """The child: serves one window, writes random events into the surface, and talks as an engine at full rate does."""
    random = np.random.default_rng(0)
    surface = Path(folder) / "surface.1"
    surface.write_bytes(bytes(4 * WIDTH * HEIGHT))
    words = np.memmap(surface, "<u4", "r+", shape=(HEIGHT * WIDTH,))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(Path(folder) / "engine.sock"))
        listener.listen(1)
        window, _ = listener.accept()
    turn_events = int(EVENTS_PER_S * TURN_S)
    window.sendall(encode(_hello(surface)) + encode({"type": "chat", "event": "started", "id": 1, "prompt": "load", "seed": 1}))
    begin = time.monotonic()
    tokens = decisions = statuses = turns = 0
    answer = 1
    while (elapsed := time.monotonic() - begin) < seconds:
        now_us = int(elapsed * 1e6) + 1_000_000
        places = random.integers(0, WIDTH * HEIGHT, turn_events)
        words[places] = ((now_us // TICK_US) << 1 | random.integers(0, 2, turn_events)).astype(np.uint32)
        lines = []
        while tokens < elapsed * TOKENS_PER_S:
            text = WORDS[tokens % len(WORDS)]
            if tokens and tokens % ANSWER_TOKENS == 0:
                lines.append({"type": "chat", "event": "done", "id": answer, "reason": "limit", "tokens": ANSWER_TOKENS, "seconds": 1.0})
                answer += 1
                lines.append({"type": "chat", "event": "started", "id": answer, "prompt": "load", "seed": 1})
            lines.append({"type": "token", "id": answer, "index": tokens, "text": text, "activity": 0.1, "tokens_per_s": TOKENS_PER_S})
            tokens += 1
        while decisions < elapsed * 40:
            scores = random.dirichlet(np.ones(len(LABELS)))
            best = int(scores.argmax())
            decision = {"type": "decision", "t_us": now_us + decisions, "label": LABELS[best], "confidence": float(scores[best])}
            lines.append(decision | {"accepted": bool(scores[best] > 0.5), "scores": scores.tolist(), "latency_ms": {"total": 2.0}})
            decisions += 1
        if statuses < elapsed * 4:
            statuses += 1
            lines.append(_status(now_us, tokens))
        try:
            window.sendall(b"".join(encode(line) for line in lines))
        except OSError:
            return  # the window has closed
        turns += 1
        time.sleep(max(begin + turns * TURN_S - time.monotonic(), 0.0))
    window.close()


def run(seconds: float = 10.0) -> dict[str, Any]:
    """Run the window for `seconds`; frames per second, frame times and paint cost in ms (median, 95th and 99th percentile)."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    from app.window import theme
    from app.window.mainwindow import ORDINARY, MainWindow

    with tempfile.TemporaryDirectory(prefix="egret-bench-") as folder:
        engine = multiprocessing.get_context("spawn").Process(target=_play_engine, args=(folder, seconds + 30.0), daemon=True)
        engine.start()
        _wait_for(Path(folder) / "engine.sock", engine)
        running = QApplication.instance()
        application = running if isinstance(running, QApplication) else QApplication(["egret"])
        theme.apply(application)
        window = MainWindow(Path(folder))
        window.show()
        meter = window.events.view.meter
        cpu: list[float] = []

        def begin() -> None:
            meter.restart()
            cpu.append(time.process_time())

        def finish() -> None:
            cpu.append(time.process_time())
            window.close()  # ends `exec`, as the last window does

        QTimer.singleShot(round(WARM_UP_S * 1e3), window, begin)
        QTimer.singleShot(round((WARM_UP_S + seconds) * 1e3), window, finish)
        application.exec()
        frames, costs = window.frame_times(), meter.costs_ms()
        shown = window.state.decisions
        window.deleteLater()
        engine.join(5)
        if engine.is_alive():
            engine.kill()
    p50, p95, p99 = np.percentile(frames, (50, 95, 99)).round(2).tolist() if len(frames) else (None, None, None)
    result: dict[str, Any] = {"window": f"{ORDINARY[0]}x{ORDINARY[1]}", "sensor": f"{WIDTH}x{HEIGHT}", "events_per_s": EVENTS_PER_S}
    result |= {
        "tokens_per_s": TOKENS_PER_S,
        "seconds": seconds,
        "frames": len(frames),
        "fps": round(1e3 / float(frames.mean()), 1) if len(frames) else 0.0,
    }
    result |= {"frame_ms": {"p50": p50, "p95": p95, "p99": p99}, "picture_ms": round(float(np.median(costs)), 2) if len(costs) else None}
    return result | {"cpu_ms_per_frame": round((cpu[-1] - cpu[0]) * 1e3 / max(len(frames), 1), 2), "decisions": shown}


def _wait_for(path: Path, engine: Any) -> None:
    """Until the child serves; RuntimeError if it died instead."""
    while not path.exists():
        if not engine.is_alive():
            raise RuntimeError("the load generator did not start")
        time.sleep(0.01)


if __name__ == "__main__":
    print(json.dumps(run()))
