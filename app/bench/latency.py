"""Latency from packet arrival to decision: a recording of 1 Mev/s in its own process, played in sensor time into a whole engine.

Everything runs as it does live, language model included; in the second half the model writes text all the time.
"""

import tempfile
from pathlib import Path
from typing import Any

from app.bench import recordings
from app.engine.chat import Prompt
from app.engine.loop import Engine, EngineSettings
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


def _talk(engine: Engine) -> None:
    """Prompts enough to keep the language model writing for as long as the recording plays."""
    for seed in range(500):
        if engine.chat:
            engine.chat.ask(Prompt("hello", Sampling(temperature=1.0, seed=seed), 2000))


def _measure(source: str, talk: bool) -> dict[str, Any]:
    decisions: list[Message] = []
    with Engine(EngineSettings(source), decisions.append) as engine:
        if talk:
            _talk(engine)
        engine.run()
    figures: dict[str, Any] = {}
    for stage in STAGES:
        p50, p95 = percentiles(decision["latency_ms"][stage] for decision in decisions if stage in decision["latency_ms"])
        figures[f"{stage} ms"] = {"median": round(p50, 3), "p95": round(p95, 3)}
    figures["decisions"] = len(decisions)
    figures["events"] = engine.recognition.totals.events
    return figures
