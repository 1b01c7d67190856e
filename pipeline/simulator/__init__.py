"""A simulated person in front of a simulated event camera.

`Simulator(gesture, seed, preset)` gives events of one of the 11 DVS128 gestures or of a person standing idle, reproducible bit for bit from
the seed, with the ground truth beside them. The chain, one module each: ranges (`presets`) are drawn (`draw`) into a body (`body`), a
way of moving (`gestures`, `others`), a view and involuntary movement (`figure`) and an appearance (`scene`); 500 times a second of
sensor time the capsules of the body are painted where they moved (`render`) and the pixels turn changes into events (`sensor`, `noise`).
"""

from pipeline.simulator.clip import Simulator, simulate
from pipeline.simulator.figure import IDLE, Truth
from pipeline.simulator.gestures import GESTURES
from pipeline.simulator.presets import PRESETS

__all__ = ["GESTURES", "IDLE", "PRESETS", "Simulator", "Truth", "simulate"]
