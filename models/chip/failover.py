"""Networks whose steps a chip computes, and the host from the moment that the chip does not.

The chip, emulated or real, is a process of its own (models/chip/worker_process.py) that may hang, die, answer wrongly or come too late. A
network here *is* the host's network (models/chip/integer.py), with all of its state, and the two run **in lockstep**: a step is sent to the
chip, the host makes it too while the chip works, and the chip's answer, state and logits, has to be the host's to the last bit before it is
told to anybody. The host's step costs a third of a millisecond. What it buys: a wrong answer is never told, and the chip can be left at
any moment, because there is nothing to fetch from it and nothing to make anew.

**A frame does not wait.** Where somebody waits for every step (`Chip.frame_s`), the chip has that long for its answer. After that the step
is the host's, and said to be (`Watched.overtaken`); so a chip that hangs, dies or answers wrongly is left within the frame in which it does
so. An answer that is late is still an answer: it is compared when it comes, and the chip, brought up to date with the state, takes the next
step again. So a chip that is sometimes slower than a frame (an emulated one is, on a busy computer) is not given up for it. One that owes
an answer for `Chip.limit_s` is.

**Going back** to a chip that was given up is never by itself: `attach` with a new process, whenever somebody asks for it; the next step
brings the state along.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.chip import exchange, integer
from models.chip.exchange import Answer, Exchange
from models.chip.plan import Plan
from models.chip.program import Program, State
from models.chip.worker_process import ChipProcess, Lost

Floats = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint32]

PATIENT_S = 60.0
"""Limit of a step where nobody waits for it."""
SENDING_S = 0.002
"""To write into a socket that is empty."""


@dataclass(eq=False, slots=True)
class Chip:
    """One network's place on a chip."""

    process: ChipProcess
    exchange: Exchange
    network: int
    """Index of the network in the plan."""
    limit_s: float = PATIENT_S
    """A step that takes longer is the chip's last."""
    frame_s: float | None = None
    """A step that takes longer is the host's; None: it is waited for."""
    always_import: bool = False
    """Bring the state along with every step: the chip keeps nothing between runs."""
    bytes: int = 0
    """Written and read over the link in the last step."""

    def send(self, events: Words, state: State | None, timeout: float) -> None:
        """Ask for one step with `events`, from `state` or from where the chip stands. Lost where it does not take that in time."""
        writes = self.exchange.input(events)
        if state is not None:
            writes += self.exchange.state(state)
        self.bytes = sum(len(words) for _, _, words in writes) + 4 * self.exchange.words
        self.process.send(self.network, self.exchange.network.period, state is not None, writes, timeout)

    def warm(self) -> None:
        """Make one step, which takes longer than any other; whoever is attached brings another state. Lost where that does not work."""
        self.send(exchange.spoken(0), None, PATIENT_S)
        if self.collect(PATIENT_S) is None:
            raise self.process.overdue(PATIENT_S)

    def collect(self, timeout: float) -> Answer | None:
        """The answer to the step that was asked for; None where it is not there within `timeout` s. Lost where there will be none."""
        data = self.process.collect(self.network, timeout)
        return None if data is None else self.exchange.answer(data)


def on_chip(process: ChipProcess, plan: Plan, always_import: bool = False) -> list[Chip]:
    """Every network of `plan`, which `process` holds, ready to be stepped. Lost where it is not."""
    chips = []
    for index in range(len(plan.networks)):
        exchange = Exchange(plan, index)
        process.load(index, exchange.reads, exchange.words)
        chips.append(Chip(process, exchange, index, always_import=always_import))
    return chips


class _Differs(Lost):
    """The chip's answer is not the host's."""


@dataclass(frozen=True, eq=False, slots=True)
class _Owed:
    """A step that a chip was asked for and has not answered."""

    chip: Chip
    step: int
    """`Watched.steps` after it."""
    since: float
    """`time.monotonic` when it was sent, s."""
    state: State
    """That the host came to in this step, and so must the chip."""
    logits: npt.NDArray[np.int32]

    def settled(self, timeout: float) -> Answer | None:
        """The answer, where it came within `timeout` s. Lost where it is wrong, or overdue."""
        left = self.since + self.chip.limit_s - time.monotonic()
        answer = self.chip.collect(max(0.0, min(timeout, left)))
        if answer is None:
            if left <= timeout:
                raise self.chip.process.overdue(self.chip.limit_s)
        elif answer.failures:
            raise self.chip.process.lose(Lost(f"reports that its program stopped on {answer.failures} PEs"))
        elif not all(map(np.array_equal, _parts(self.state, self.logits), _parts(answer.state, answer.logits))):
            wrong = _Differs("answered wrongly: the host comes to another result")
            self.chip.process.lose(wrong)
            raise wrong
        return answer


class Watched(integer.Network):
    """What both networks have in common."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.chip: Chip | None = None
        self.checked = 0
        """Steps that chip and host both made, with the same outcome."""
        self.overtaken = 0
        """Steps that the host told because the chip's answer was not there in time."""
        self.differed: int | None = None
        """The last step in which the chip came to another result than the host, counted as `steps`; None if there was none."""
        self.late = 0
        """Deadlines that the chip's own clock says were missed, since it was last given a state."""
        self.sent = 0
        """Events of the source in the last step: pixels with an event, or the one token."""
        self._abreast: Chip | None = None
        """The chip that holds the host's state, if the answer that it owes is right."""
        self._owed: _Owed | None = None

    @property
    def on_chip(self) -> bool:
        """Whether a chip is asked for steps."""
        return self.chip is not None and self.chip.process.lost is None

    @property
    def behind(self) -> bool:
        """Whether the chip owes an answer: the last step was the host's."""
        return self._owed is not None

    def attach(self, chip: Chip | None) -> None:
        """From the next step on ask `chip`, which is brought the state; None: the host. May be called from any thread."""
        self.chip = chip

    @property
    def state(self) -> State:
        """A copy of the state."""
        return super().state

    @state.setter
    def state(self, state: State) -> None:
        """Continue from `state` (models.chip.integer.Network.state)."""
        integer.Network.state.fset(self, state)  # type: ignore[attr-defined]
        self._abreast = None

    def reset(self) -> None:
        """Forget everything: h = y = 0, and the read-out."""
        super().reset()
        self._abreast = None

    def _host_step(self, given: Any) -> Floats:
        raise NotImplementedError

    def _stepped(self, given: Any, events: Words) -> Floats:
        """One step in lockstep with the chip, if there is one."""
        self.sent = events.size
        chip, begun = self.chip, time.monotonic()
        if self._owed is not None and self._owed.chip is not chip:
            self._owed = None
        if chip is None or chip.process.lost is not None:
            self._owed = None
            return self._host_step(given)
        deadline = begun + (chip.limit_s if chip.frame_s is None else chip.frame_s)
        sent = False
        try:
            if sent := self._settle(deadline):
                state = None if self._abreast is chip and not chip.always_import else self.state
                chip.send(events, state, max(SENDING_S, deadline - time.monotonic()))
        except Lost:
            self._owed, sent = None, False
        logits = self._host_step(given)
        self._abreast = chip if sent else None
        if sent:
            self._owed = _Owed(chip, self.steps, begun, self.state, self._answers.logits.copy())
            try:
                self._settle(deadline)
            except Lost:
                self._owed = None
        self.overtaken += self.behind
        return logits

    def _settle(self, deadline: float) -> bool:
        """Compare what the chip owes, if it comes before `deadline` (`time.monotonic`); whether it owes nothing now. Lost as `_Owed`."""
        if self._owed is None:
            return True
        try:
            answer = self._owed.settled(deadline - time.monotonic())
        except _Differs:
            self.differed = self._owed.step
            raise
        if answer is None:
            return False
        self._owed, self.late = None, answer.late
        self.checked += 1
        return True


class GestureNetwork(Watched, integer.GestureNetwork):
    """Counts of a window in, logits out."""

    def step(self, counts: npt.NDArray[np.uint16]) -> Floats:
        """logits [classes] after a window with counts [2, 32, 32] (polarity OFF and ON, row, column); ValueError for another shape."""
        if counts.dtype != np.uint16 or counts.size != self._x.size:
            raise ValueError(f"the counts are {counts.dtype}{list(counts.shape)}, not {self._x.size} numbers of uint16")
        return self._stepped(counts, exchange.window(counts))

    def _host_step(self, given: Any) -> Floats:
        return integer.GestureNetwork.step(self, given)


class LanguageNetwork(Watched, integer.LanguageNetwork):
    """A token in, logits of the next token out."""

    def step(self, token: int) -> Floats:
        """logits [V] of the token that follows `token`. ValueError for a token outside the vocabulary."""
        if not 0 <= token < self.vocabulary:
            raise ValueError(f"there is no token {token} in a vocabulary of {self.vocabulary}")
        return self._stepped(token, exchange.spoken(token))

    def _host_step(self, given: Any) -> Floats:
        return integer.LanguageNetwork.step(self, given)


def _parts(state: State, logits: npt.NDArray[np.int32]) -> list[npt.NDArray[Any]]:
    return [*state.h, *state.y, state.o, logits]
