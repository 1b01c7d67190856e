"""The runtime: gesture and language network, loaded together, stepped one input at a time, on one backend.

Which backend runs is never hidden: `badge` is what the window shows. There are the host (`models/chip/integer.py`), the chip's own firmware
on an emulated chip, and the chip itself (`models/chip/spinnaker2.py`); the two chips are processes of their own that are left for the host
when they fail (`models/chip/failover.py`), and returned to when somebody asks for it (`go_back`).

What runs is a program (`models/chip/program.py`). A file may hold one; trained weights become one when they are loaded, which takes a
fraction of a second and gives the same program every time.
"""

import functools
import logging
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from models import checkpoint
from models.chip import energy, failover, firmware, integer, placement, spinnaker2, storage
from models.chip import plan as plans
from models.chip.compress import compress
from models.chip.failover import Chip, Watched
from models.chip.integer import GestureNetwork, LanguageNetwork
from models.chip.plan import Plan
from models.chip.program import Program
from models.chip.worker_process import ChipProcess, Lost
from models.teaching.head import Head
from pipeline.errors import FAILED, USAGE, UserError
from pipeline.frames import GRID, WINDOW_US

log = logging.getLogger("egret")

BACKENDS = ("auto", "host", "emulator", "spinnaker2")
"""Names of DESIGN.md section 6."""
BADGES = {"host": "HOST", "emulator": "EMULATED CHIP", "spinnaker2": "CHIP"}
FRAME_S = 0.020
"""An emulated chip has this long for a gesture step that somebody waits for; then it is the host's, within the frame of 25 ms."""
OVERDUE_S = 1.0
"""An emulated chip that owes an answer for so long hangs, on however slow a computer: a step takes it some tens of milliseconds."""
BATCHES = (
    "py-spinnaker2 runs in batches: every window of a gesture and every token is a run of its own and takes seconds. "
    "Egret's way to a board has never been tried on one."
)


class Runtime:
    """Both networks on one backend; the two may be stepped from two threads at once, each from one thread at a time.

    UserError for weights that are missing, broken or of another shape than Egret's frames need, for a backend that cannot be had
    (exit 1), and for a name that is none (exit 2).
    """

    def __init__(
        self,
        gesture_path: str | Path,
        language_path: str | Path,
        backend: str = "auto",
        head: Head | None = None,
        *,
        recognises: bool = True,
    ) -> None:
        """With a `head`, which must belong to the gesture weights, the classes that were taught follow the network's own.

        For who never `recognises` a gesture the language network has the chip to itself.
        """
        self._backend, self._board = _chosen(backend)
        self._recognises = recognises
        self._live = self._in_time = False
        self._on_notice: Callable[[str, str], None] = lambda level, sentence: log.warning("%s", sentence)
        self._costs: dict[str, energy.Costs] = {}
        """Of a step of each kind of network, once there is a plan."""
        self._gesture_path = Path(gesture_path)
        programs = [_gesture(self._gesture_path, head), _program(Path(language_path), "language")]
        self.gesture: GestureNetwork
        self.language: LanguageNetwork
        self.gesture, self.language = self._networks(programs)  # type: ignore[assignment]

    @property
    def backend(self) -> str:
        """Where the gesture network's last decision came from: "host" while the chip that was asked for is late, and once it was left.
        For who recognises none, where the last token came from."""
        network = self.gesture if self._recognises else self.language
        if isinstance(network, Watched) and (network.behind or not network.on_chip):
            return "host"
        return self._backend

    @property
    def badge(self) -> str:
        """What the window shows of that."""
        return BADGES[self.backend]

    @property
    def offer(self) -> str:
        """The backend that `go_back` returns to; empty while all networks run on it."""
        return self._backend if any(not network.on_chip for network in self._watched()) else ""

    def telemetry(self) -> dict[str, Any]:
        """What is known of the chip: the backend to go back to, how many steps chip and host both made, how many the host told because
        the chip was late, deadlines missed on the chip's own clock, joules, and of both networks the work of a step (`_work`)."""
        watched = self._watched()
        return {
            "offer": self.offer,
            "checked": sum(network.checked for network in watched),
            "overtaken": sum(network.overtaken for network in watched),
            "late": sum(network.late for network in watched if network.on_chip),
            "energy": self._energy(),
            "work": {network.program.kind: _work(network) for network in (self.gesture, self.language)},
        }

    def _energy(self) -> dict[str, Any] | None:
        """Microjoules of a gesture step and of a token: measured in the last run where the board does that, else estimated from the steps
        so far; None on the host. `how` says which."""
        said: dict[str, Any] = {}
        hows = []
        for network in self._watched():
            if not network.on_chip or not network.steps or network.chip is None:
                continue
            kind = network.program.kind
            power = network.chip.process.power.get(network.chip.network)
            if power is not None and not power.sentence:
                said[kind] = energy.measured(power.joules)
                hows.append(f"{energy.MEASURED} ({kind}: {power.seconds:.3g} s)")
                continue
            events = network.sent if kind == "gesture" else energy.token_events(network.program)
            said[kind] = self._costs[kind].step(network.operations / network.steps, events, network.activity).figures()
            hows.append(f"{energy.SOURCE}{f'; {power.sentence}' if power else ''}")
        return said | {"how": "; ".join(dict.fromkeys(hows))} if said else None

    def token_uj(self, operations: float, activity: Sequence[float]) -> float | None:
        """Microjoules that one token's step adds on the chip, estimated from its operations and the share of units that fired, per layer;
        None on the host."""
        network = self.language
        if not isinstance(network, Watched) or not network.on_chip:
            return None
        return self._costs[network.program.kind].step(operations, self._token_events, activity).work_j * 1e6

    @functools.cached_property
    def _token_events(self) -> float:
        return energy.token_events(self.language.program)

    def taught(self, head: Head | None) -> GestureNetwork:
        """The gesture network anew, with the classes of `head` behind its own, or without any; `change` puts it to use.

        It gets a chip of its own, unless a chip was lost: going back is for the user to ask (`go_back`).
        """
        (network,) = self._networks([_gesture(self._gesture_path, head)], attach=not self.offer)
        return cast(GestureNetwork, network)

    def change(self, network: GestureNetwork) -> None:
        """Step `network` from now on for gestures, and end the chip that nobody uses any more."""
        old, self.gesture = self.gesture, network
        chip = old.chip if isinstance(old, Watched) else None
        if chip is not None and all(other.chip is None or other.chip.process is not chip.process for other in self._watched()):
            chip.process.close()

    def live(self, on_notice: Callable[[str, str], None], in_time: bool = True) -> None:
        """From now on somebody waits for every step: a chip that hangs is left after `OVERDUE_S`, and where decisions have to be `in_time`
        no gesture step waits for it beyond its frame. `on_notice` is told, with a level and a sentence, when a chip is left, in whatever
        thread finds out."""
        self._live, self._in_time, self._on_notice = True, in_time, on_notice
        if self._board:
            on_notice("warning", BATCHES)
        self._limit_all()

    def keep_time(self, wanted: bool) -> None:
        """From now on decisions have to be in time, or no longer: the speed of what is played was changed. From any thread."""
        self._in_time = wanted
        self._limit_all()

    def go_back(self) -> None:
        """Start the chip anew and return to it, with the networks' state. Takes seconds; the host goes on meanwhile. UserError where it
        cannot be had."""
        networks = self._watched()
        if not networks or not self.offer:
            raise UserError(f"There is no chip to go back to: the networks run where they were asked to ({self.badge}).")
        left = {network.chip.process for network in networks if network.chip is not None}
        self._attach(networks)
        for process in left:
            process.close()

    def close(self) -> None:
        """End the chip's process, if there is one."""
        for network in self._watched():
            if network.chip is not None:
                network.chip.process.close()

    def _watched(self) -> list[Watched]:
        return [network for network in (self.gesture, self.language) if isinstance(network, Watched)]

    def _networks(self, programs: list[Program], *, attach: bool = True) -> list[integer.Network]:
        """The networks of `programs` on this backend; without `attach` where a lost chip would leave them, on the host."""
        kinds: dict[str, type[integer.Network]] = {"gesture": GestureNetwork, "language": LanguageNetwork}
        if self._backend != "host":
            kinds["language"] = failover.LanguageNetwork
            if self._recognises:
                kinds["gesture"] = failover.GestureNetwork
        networks = [kinds[program.kind](program) for program in programs]
        watched = [network for network in networks if isinstance(network, Watched)]
        if attach and watched:
            self._attach(watched)
        return networks

    def _attach(self, networks: list[Watched]) -> None:
        """Bring `networks` to a new chip, all to the same."""
        plan = placement.place([network.program for network in networks], firmware.image())
        process = spinnaker2.start(plan, self._board) if self._board else emulated(plan)
        try:
            chips = failover.on_chip(process, plan, always_import=self._board is not None)
            if self._live and not self._board:
                for chip in chips:
                    chip.warm()
        except Lost as lost:
            raise UserError(f"{process.name} {lost} while it was started; use --runtime host.", FAILED) from None
        self._costs |= {network.program.kind: energy.Costs(plan, index) for index, network in enumerate(networks)}
        process.told = lambda lost: self._lost(process, lost)
        for chip, network in zip(chips, networks, strict=True):
            self._limit(chip, network)
            network.attach(chip)

    def _limit_all(self) -> None:
        for network in self._watched():
            if network.chip is not None:
                self._limit(network.chip, network)

    def _limit(self, chip: Chip, network: Watched) -> None:
        """How long `chip` may take for a step of `network`: a board's run takes seconds, and a token has no frame that it belongs to."""
        if self._board:
            chip.limit_s = self._board.limit_s
        elif self._live:
            chip.limit_s = OVERDUE_S
            chip.frame_s = FRAME_S if self._in_time and network.program.kind == "gesture" else None

    def _lost(self, process: ChipProcess, lost: Lost) -> None:
        """In the thread that found out: what one network has lost, the other leaves too."""
        self._on_notice("warning", f"{process.name} {lost}: the host goes on from the same state, and no decision is missing.")
        for network in self._watched():
            if network.chip is not None:
                network.chip.process.lose(lost, tell=False)

    def warm(self) -> None:
        """Compile the kernels with the types of real steps, or load them from the cache. Both networks are reset, counters included.
        UserError where a chip does not make these steps."""
        self.gesture.step(np.ones((2, GRID, GRID), np.uint16))
        self.language.step(0)
        if self.offer:
            raise UserError(f"The networks do not run on {self._backend}, as the warning says; use --runtime host.", FAILED)
        for network in (self.gesture, self.language):
            network.reset()
            network.steps = network.operations = 0


def _work(network: integer.Network) -> dict[str, int | None]:
    """Events of the last step and synaptic operations of a step on average; of a chip also the bytes that the last step took over the link
    and the ticks that it was given so far."""
    chip = network.chip if isinstance(network, Watched) and network.on_chip else None
    return {
        "events": network.events,
        "operations": round(network.operations / max(network.steps, 1)),
        "bytes": chip.bytes if chip else None,
        "ticks": chip.exchange.network.period * network.steps if chip else None,
    }


def emulated(plan: Plan, module: str = "models.chip.emulator_worker") -> ChipProcess:
    """A process that emulates a chip with `plan`. UserError where it cannot be had."""
    with tempfile.TemporaryDirectory(prefix="egret-") as folder:
        path = Path(folder) / "plan.safetensors"
        plans.save(plan, path)
        return ChipProcess("The emulated chip", sys.executable, ["-m", module, str(path)], len(plan.networks))


def _chosen(backend: str) -> tuple[str, spinnaker2.Settings | None]:
    """Name of the backend, and of the chip itself the board. "auto" is the host: no public way leads to a board that keeps a frame's
    time (`spinnaker2`), and the emulated chip is slower than the host by nature."""
    name, _, address = backend.partition(":")
    if name not in BACKENDS or (address and name != "spinnaker2"):
        raise UserError(f"There is no runtime called {backend!r}; choose one of {', '.join(BACKENDS)}.", USAGE)
    return "host" if name == "auto" else name, spinnaker2.settings(address) if name == "spinnaker2" else None


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
