"""The runtime: gesture and language network, loaded together, stepped one input at a time, on one backend.

Which backend runs is never hidden: `badge` is what the window shows. This version has two, the host (`models/chip/integer.py`) and the
chip's own firmware on an emulated chip (`models/chip/emulated.py`); asking for the chip itself is answered with a sentence.

What runs is a program (`models/chip/program.py`). A file may hold one; trained weights become one when they are loaded, which takes a
fraction of a second and gives the same program every time.
"""

from pathlib import Path
from typing import Any, cast

import numpy as np

from models import checkpoint
from models.chip import storage
from models.chip.compress import compress
from models.chip.integer import GestureNetwork, LanguageNetwork
from models.chip.program import Program
from models.teaching.head import Head
from pipeline.errors import FAILED, USAGE, UserError
from pipeline.frames import GRID, WINDOW_US

BACKENDS = ("auto", "host", "emulator", "spinnaker2")
"""Names of DESIGN.md section 6."""
BADGES = {"host": "HOST", "emulator": "EMULATED CHIP"}


class Runtime:
    """Both networks on one backend; the two may be stepped from two threads at once, each from one thread at a time.

    UserError for weights that are missing, broken or of another shape than Egret's frames need, for a backend that this version does not
    have (exit 1), and for a name that is none (exit 2).
    """

    def __init__(self, gesture_path: str | Path, language_path: str | Path, backend: str = "auto", head: Head | None = None) -> None:
        """With a `head`, which must belong to the gesture weights, the classes that were taught follow the network's own."""
        self.backend = _chosen(backend)
        self.badge = BADGES[self.backend]
        self._gesture_path = Path(gesture_path)
        programs = [_gesture(self._gesture_path, head), _program(Path(language_path), "language")]
        self.gesture: GestureNetwork
        self.language: LanguageNetwork
        self.gesture, self.language = self._stepped(programs)

    def taught(self, head: Head | None) -> GestureNetwork:
        """The gesture network anew, with the classes of `head` behind its own, or without any."""
        (network,) = self._stepped([_gesture(self._gesture_path, head)])
        return cast(GestureNetwork, network)

    def _stepped(self, programs: list[Program]) -> list[Any]:
        """The networks of `programs` on this backend. They step alike, so all of them count as the host's to whoever holds one."""
        if self.backend == "emulator":
            from models.chip.emulated import on_one_chip

            return on_one_chip(programs)
        return [GestureNetwork(program) if program.kind == "gesture" else LanguageNetwork(program) for program in programs]

    def warm(self) -> None:
        """Compile the kernels with the types of real steps, or load them from the cache. Both networks are reset, counters included."""
        self.gesture.step(np.ones((2, GRID, GRID), np.uint16))
        self.language.step(0)
        for network in (self.gesture, self.language):
            network.reset()
            network.steps = network.operations = 0


def _chosen(backend: str) -> str:
    if backend not in BACKENDS:
        raise UserError(f"There is no runtime called {backend!r}; choose one of {', '.join(BACKENDS)}.", USAGE)
    if backend == "spinnaker2":
        raise UserError("The runtime spinnaker2 is not part of this version; use --runtime host or --runtime emulator.", FAILED)
    return "host" if backend == "auto" else backend


def _gesture(path: Path, head: Head | None) -> Program:
    """The program at `path`, if it was made for the frames that `pipeline.frames` makes."""
    program = _program(path, "gesture", head)
    config, wanted = program.metadata["config"], 2 * GRID * GRID
    if config["inputs"] != wanted:
        raise UserError(
            f"The weights {path} are of another shape: {config['inputs']} inputs, but frames have 2 x {GRID} x {GRID} = {wanted}."
        )
    if config["window_us"] != WINDOW_US:
        raise UserError(f"The weights {path} were trained on windows of {config['window_us']} us, but frames are {WINDOW_US} us long.")
    return program


def _program(path: Path, kind: str, head: Head | None = None) -> Program:
    """The program at `path`, or of the weights there, with the classes of `head`."""
    if storage.is_program(path):
        if head is not None:
            raise UserError(f"{path} is a program, and classes are taught to weights; name the weights that it was made from.")
        return storage.load(path, kind)
    tensors, metadata = checkpoint.load(path, kind)
    try:
        return compress(*(head.extend(tensors, metadata) if head else (tensors, metadata)))
    except ValueError as error:
        raise UserError(f"The weights {path} do not fit the chip's integers: {error}.") from error
