"""Tokens a second of the language model on the runtime, alone and with a gesture step every 25 ms beside it."""

import threading
import time
from typing import Any

import numpy as np

from app.engine.models import Models
from models.chip.runtime import Runtime
from models.sampling import Sampling, sample
from pipeline.latency import percentiles


def run(seconds: float = 3.0) -> dict[str, Any]:
    """Figures: tokens a second and the time a token takes, sampling included."""
    runtime = Models().runtime("host")
    return {"alone": _write(runtime, seconds), "beside gesture recognition": _beside(runtime, seconds)}


def _write(runtime: Runtime, seconds: float) -> dict[str, Any]:
    network, random, how = runtime.language, np.random.default_rng(0), Sampling()
    network.reset()
    token, took, activity = 1, [], []
    end = time.perf_counter() + seconds
    while (begun := time.perf_counter()) < end:
        token = sample(network.step(token), how, random)
        took.append((time.perf_counter() - begun) * 1e3)
        activity.append(float(np.mean(network.activity)))
    p50, p95 = percentiles(took)
    return {
        "tokens/s": round(len(took) / seconds, 1),
        "median ms": round(p50, 4),
        "p95 ms": round(p95, 4),
        "activity": round(float(np.mean(activity)), 3),
    }


def _beside(runtime: Runtime, seconds: float) -> dict[str, Any]:
    over = threading.Event()
    counts = np.random.default_rng(0).poisson(0.1, (2, 32, 32)).astype(np.uint16)

    def recognise() -> None:
        while not over.wait(0.025):
            runtime.gesture.step(counts)

    thread = threading.Thread(target=recognise)
    thread.start()
    try:
        return _write(runtime, seconds)
    finally:
        over.set()
        thread.join()
