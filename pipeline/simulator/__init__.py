"""A simulated person in front of a simulated event camera.

`Simulator(kind, seed, preset)` gives events, reproducible bit for bit from the seed, with the ground truth beside them. The kind is one of

- `GESTURES`: the 11 gestures of DVS128 Gesture, in the data set's order; "clockwise" is as the camera sees it, with either arm;
- `IDLE` ("idle"): a person who makes no gesture, standing, fidgeting, talking, turning, walking through;
- `THINGS` ("things"): nobody who could perform: boxes, rods, balls, a pendulum, a fan, leaves, a door, still things before a camera that
  trembles, an arm that reaches into the view, people who pass, or nothing.

`KINDS` has them all. The chain, one module each: what is drawn (`ranges`), from where (`presets`), reproducibly (`draw`), becomes a body
(`body`), a way of moving (`gestures`, `others`, `idlers`), a view and involuntary movement (`figure`), or `things` (with `still` and
`passing`, made of `parts`); a movement of the camera (`cameras`); and an appearance and light (`scene`). 500 times a second of sensor time
the capsules are painted where they moved (`render`) and the pixels turn changes into events (`sensor`, `noise`, `readout`).
"""

from pipeline.simulator.clip import KINDS, Simulator, simulate
from pipeline.simulator.figure import IDLE, Truth
from pipeline.simulator.gestures import GESTURES
from pipeline.simulator.presets import PRESETS
from pipeline.simulator.things import THINGS

__all__ = ["GESTURES", "IDLE", "KINDS", "PRESETS", "THINGS", "Simulator", "Truth", "simulate"]
