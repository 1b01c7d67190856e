"""Networks whose steps a chip computes, and the host from the moment that the chip does not.

The chip, emulated or real, is a process of its own (models/chip/worker_process.py) that may hang, die or answer wrongly. A network here
*is* the host's network (models/chip/integer.py), with all of its state: after every step the chip's answer is put where the host's own
step would have put it. So there is nothing to fetch when the chip is gone; the step that failed is made on the host, and no decision is
missing.

**A wrong answer** is found in one of three ways: it is no answer (the link's checks); it holds what no step can leave (range of h and y,
logits that do not follow from the read-out); or the host, which makes every `CHECK_EVERY`-th step too, from the same state, comes to
another one. The inputs since the last step that was checked so are kept, and when the chip is left, for whatever reason, the host makes
these steps anew: the state it goes on from is the one it would have had without a chip, to the last bit, even if the chip had gone wrong
some steps before anybody noticed. That takes a few milliseconds, inside the frame.

**Going back** is never by itself: `attach` with a new process, whenever somebody asks for it; the next step brings the state along.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.chip import integer
from models.chip.exchange import Answer, Exchange
from models.chip.plan import Plan
from models.chip.program import LOGIT_BITS, MAX_READOUT, MAX_STATE, Program, State
from models.chip.worker_process import ChipProcess, Lost

Floats = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint32]

CHECK_EVERY = 20
"""Steps: half a second of gestures."""
PATIENT_S = 60.0
"""Limit of a step where nobody waits for it."""


@dataclass(eq=False, slots=True)
class Chip:
    """One network's place on a chip."""

    process: ChipProcess
    exchange: Exchange
    network: int
    """Index of the network in the plan."""
    limit_s: float = PATIENT_S
    """A step that takes longer is the chip's last."""
    always_import: bool = False
    """Bring the state along with every step: the chip keeps nothing between runs."""

    def step(self, events: Words, state: State | None) -> Answer:
        """One step with `events`, from `state` or from where the chip stands; Lost where there is none to be had."""
        writes = self.exchange.input(events)
        if state is not None:
            writes += self.exchange.state(state)
        ticks = self.exchange.network.period
        return self.exchange.answer(self.process.ask(self.network, ticks, state is not None, writes, self.limit_s))


def on_chip(process: ChipProcess, plan: Plan, always_import: bool = False) -> list[Chip]:
    """Every network of `plan`, which `process` holds, ready to be stepped. Lost where it is not."""
    chips = []
    for index in range(len(plan.networks)):
        exchange = Exchange(plan, index)
        process.load(index, exchange.reads, exchange.words)
        chips.append(Chip(process, exchange, index, always_import=always_import))
    return chips


class Watched(integer.Network):
    """What both networks have in common."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self.chip: Chip | None = None
        self.checked = 0
        """Steps that chip and host both made, with the same outcome."""
        self.late = 0
        """Deadlines that the chip's own clock says were missed, since it was last given a state."""
        self.events = 0
        """That the source sent in the last step: pixels with an event, or the one token."""
        self._import = True
        self._checkpoint: tuple[State, int, int] = (self.state, 0, 0)
        """State, steps and operations after the last step that was checked."""
        self._inputs: list[Any] = []
        """Of the steps since then."""

    @property
    def on_chip(self) -> bool:
        """Whether the next step will be asked of a chip."""
        return self.chip is not None and self.chip.process.lost is None

    def attach(self, chip: Chip | None) -> None:
        """From the next step on ask `chip`, which is brought the state; None: the host."""
        self._import = True
        self.chip = chip

    @property
    def state(self) -> State:
        """A copy of the state."""
        return super().state

    @state.setter
    def state(self, state: State) -> None:
        """Continue from `state` (models.chip.integer.Network.state)."""
        self._put(state)
        self._import, self._inputs = True, []

    def _put(self, state: State) -> None:
        integer.Network.state.fset(self, state)  # type: ignore[attr-defined]

    def reset(self) -> None:
        """Forget everything: h = y = 0, and the read-out."""
        super().reset()
        self._import, self._inputs = True, []

    def _host_step(self, given: Any) -> Floats:
        raise NotImplementedError

    def _first_operations(self, given: Any) -> int:
        raise NotImplementedError

    def _stepped(self, given: Any, events: Words, kept: Callable[[], Any]) -> Floats:
        """One step on the chip, or else on the host. `kept` gives what to keep of `given` for another time."""
        self.events = events.size
        chip = self.chip
        if chip is None or chip.process.lost is not None:
            if self._inputs:  # steps that a chip made and nobody checked
                self._redo()
            return self._host_step(given)
        try:
            return self._asked(chip, given, events, kept)
        except Lost:
            self._redo()
            return self._host_step(given)

    def _asked(self, chip: Chip, given: Any, events: Words, kept: Callable[[], Any]) -> Floats:
        """One step on the chip. Lost where there is none, or a wrong one."""
        if self._import:
            if self._inputs:  # of a chip before this one
                self._redo()
            self._checkpoint = self.state, self.steps, self.operations
        state = self.state if self._import or chip.always_import else None
        answer = chip.step(events, state)
        if not plausible(answer, self.program):
            raise chip.process.lose(Lost("answered with what no step can leave"))
        first, self._import, self.late = self._import, False, answer.late
        if not first and len(self._inputs) + 1 < CHECK_EVERY:
            self._inputs.append(kept())
            return self._adopt(answer, given)
        logits = self._host_step(given)
        if not self._agrees(answer):
            raise chip.process.lose(Lost("answered wrongly: the host comes to another result"))
        self.checked += 1
        self._checkpoint, self._inputs = (self.state, self.steps, self.operations), []
        return logits

    def _redo(self) -> None:
        """Go back to the last step that was checked and make those since then on the host; what a chip holds is out of date after that."""
        state, self.steps, self.operations = self._checkpoint
        self._put(state)
        past, self._inputs, self._import = self._inputs, [], True
        for given in past:
            self._host_step(given)

    def _agrees(self, answer: Answer) -> bool:
        """Whether the host's last step came to `answer`, to the last bit."""
        return all(map(np.array_equal, _parts(self.state, self._answers.logits), _parts(answer.state, answer.logits)))

    def _adopt(self, answer: Answer, given: Any) -> Floats:
        """Put the chip's answer where a step of the host would have put its own; logits."""
        operations = self._first_operations(given)
        below: npt.NDArray[np.int16] | None = None
        for units, h, y in zip(self._units, answer.state.h, answer.state.y, strict=True):
            if below is not None:
                operations += int(units.below.synapses[below != 0].sum())
            operations += int(units.own.synapses[units.y != 0].sum())
            units.h[:], units.y[:] = h, y
            units.fired = int(np.count_nonzero(y))
            below = units.y
        answers = self._answers
        operations += int(answers.matrix.synapses[below != 0].sum())
        if answer.state.o.size:
            answers.o[:] = answer.state.o
        answers.logits[:] = answer.logits
        self.operations += operations
        self.steps += 1
        return (answer.logits * 2.0**-LOGIT_BITS).astype(np.float32)


class GestureNetwork(Watched, integer.GestureNetwork):
    """Counts of a window in, logits out."""

    def step(self, counts: npt.NDArray[np.uint16]) -> Floats:
        """logits [classes] after a window with counts [2, 32, 32] (polarity OFF and ON, row, column); ValueError for another shape."""
        if counts.dtype != np.uint16 or counts.size != self._x.size:
            raise ValueError(f"the counts are {counts.dtype}{list(counts.shape)}, not {self._x.size} numbers of uint16")
        flat = counts.reshape(-1)
        pixels = np.flatnonzero(flat)
        return self._stepped(counts, (pixels << 16 | flat[pixels]).astype(np.uint32), counts.copy)

    def _host_step(self, given: Any) -> Floats:
        return integer.GestureNetwork.step(self, given)

    def _first_operations(self, given: Any) -> int:
        return int(self._units[0].below.synapses[given.reshape(-1) != 0].sum())


class LanguageNetwork(Watched, integer.LanguageNetwork):
    """A token in, logits of the next token out."""

    def step(self, token: int) -> Floats:
        """logits [V] of the token that follows `token`. ValueError for a token outside the vocabulary."""
        if not 0 <= token < self.vocabulary:
            raise ValueError(f"there is no token {token} in a vocabulary of {self.vocabulary}")
        return self._stepped(token, np.array([token << 16 | 1], np.uint32), lambda: token)

    def _host_step(self, given: Any) -> Floats:
        return integer.LanguageNetwork.step(self, given)

    def _first_operations(self, given: Any) -> int:
        return int(self._units[0].below.synapses[self._embedding.rows[given] != 0].sum())


def _parts(state: State, logits: npt.NDArray[np.int32]) -> list[npt.NDArray[Any]]:
    return [*state.h, *state.y, state.o, logits]


def plausible(answer: Answer, program: Program) -> bool:
    """Whether `answer` could be one of `program` at all."""
    state = answer.state
    if answer.failures or any(y.min() < 0 for y in state.y) or any(h.min() < -MAX_STATE or h.max() > MAX_STATE for h in state.h):
        return False
    o = state.o.astype(np.int64) if state.o.size else answer.logits.astype(np.int64) - program.readout.b
    return bool(np.abs(o).max() <= MAX_READOUT and np.array_equal(o + program.readout.b, answer.logits))
