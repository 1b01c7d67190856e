"""Latency from packet arrival to decision: a recording of 1 Mev/s in its own process, played in sensor time into a whole engine.

Everything runs as it does live, language model included; in the second half the model writes text all the time.
"""

import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from app.bench import recordings
from app.engine.loop import Engine, EngineSettings
from app.engine.wishes import Prompt
from app.protocol import Message
from models.sampling import Sampling
from pipeline.latency import percentiles

RATE = 1e6
STAGES = ("queue", "frame", "chip", "decision", "total")


def run(seconds: float = 3.0) -> dict[str, Any]:
    """Figures in ms per stage, without and with text being written."""
    with tempfile.TemporaryDirectory() as folder:
        source = str(recordings.write(Path(folder) / "noise.aedat4", recordings.noise(RATE, seconds)))
        return {"quiet": _measure(source, talk=False), "with the language model writing": _measure(source, talk=True)}


class _Talker:
    """Keeps the language model of `engine` writing, one answer after the other, until `stop`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._over = threading.Event()
        self._begun, self._before = time.monotonic(), engine.runtime.language.steps
        self._thread = threading.Thread(target=self._talk)
        self._thread.start()

    def _talk(self) -> None:
        chat = self._engine.chat
        seed = 0
        while chat and not self._over.wait(0.001):
            if not chat.busy:
                seed += 1
                chat.ask(Prompt("hello", Sampling(temperature=1.0, seed=seed), 2000))

    def stop(self) -> float:
        """Tokens read and written a second."""
        tokens = self._engine.runtime.language.steps - self._before
        self._over.set()
        self._thread.join()
        return tokens / (time.monotonic() - self._begun)


def _measure(source: str, talk: bool) -> dict[str, Any]:
    decisions: list[Message] = []
    with Engine(EngineSettings(source), decisions.append) as engine:
        talker = _Talker(engine) if talk else None
        engine.run()
        tokens = talker.stop() if talker else 0.0
    figures: dict[str, Any] = {}
    for stage in STAGES:
        p50, p95 = percentiles(decision["latency_ms"][stage] for decision in decisions if stage in decision["latency_ms"])
        figures[f"{stage} ms"] = {"median": round(p50, 3), "p95": round(p95, 3)}
    figures["decisions"] = len(decisions)
    figures["tokens/s"] = round(tokens)
    figures["events"] = engine.recognition.totals.events
    return figures
