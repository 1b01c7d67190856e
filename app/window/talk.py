"""What the window knows of the chat: the conversation where it stands, its branches, its figures; changed only by the engine's messages.

The engine tells a `path` after everything that moves the conversation, so what streamed in between is only ever a picture of the answer
that is being written. What a path does not say of a turn, how chip and host got on in it, is kept from before.
"""

import enum
import math
from dataclasses import dataclass, field, replace
from typing import Any

from app.protocol import MAX_TURNS
from app.window.fields import Fields

USER, MODEL = "user", "model"
MOST_FATES = 1000
"""Nobody may take them away."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One token: its place in the conversation's tree, the text that it completes, and what its step took."""

    node: int
    text: str
    activity: float = math.nan
    operations: int = 0
    energy_uj: float = math.nan
    """NaN on the host."""
    agrees: bool = True
    """False where chip and host differ first."""


@dataclass(frozen=True, slots=True)
class Host:
    """How chip and host got on in an answer."""

    agreed: int
    """Tokens in whose steps they came to the same, those of the prompt included."""
    alone: int
    """Tokens that are the host's alone."""
    reason: str
    """Why the chip was left, empty while it is not; a sentence without its stop."""
    difference: int
    """Place in the conversation of the first token at which they differ, -1 if there is none."""


@dataclass(slots=True)
class Turn:
    """One turn. `text` and `pieces` grow while tokens stream in."""

    role: str
    text: str = ""
    done: bool = True
    reason: str = ""
    id: object = None
    tokens: int = 0
    node: int = 0
    """Its last token, 0 while that is not known."""
    pieces: list[Piece] = field(default_factory=list)
    versions: tuple[int, ...] = ()
    """Last tokens of everything that was said in its place, itself included."""
    host: Host | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A turn in the tree of branches."""

    node: int
    depth: int
    role: str
    text: str
    here: bool
    """Whether the conversation went this way."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A stretch of the prompt, in UTF-16 units as Qt counts, that the model can make little of."""

    start: int
    stop: int
    kind: str
    pieces: int


class Fate(enum.Enum):
    """What becomes of a prompt."""

    BEGUN = enum.auto()
    """Its answer has begun."""
    READ = enum.auto()
    """It is part of the conversation."""
    UNREAD = enum.auto()
    """It was refused, or over before it had been read."""


@dataclass(slots=True)
class Talk:
    """The conversation as the window shows it."""

    generation: int = 0
    """Counts beginnings from nothing, so that a view knows that it must start anew."""
    turns: list[Turn] = field(default_factory=list)
    busy: bool = False
    kept: int = 0
    """Tokens that can be gone back to, those of other branches included."""
    activity: float = math.nan
    energy_uj: float = math.nan
    first_token_ms: float = math.nan
    tokens_per_s: float = 0.0
    fates: list[tuple[str, Fate]] = field(default_factory=list)
    """Prompts, whoever sent them, and what became of each, oldest first; for a view to take away."""
    rows: tuple[Row, ...] = ()
    doubted: str = ""
    """The text that `doubts` are about."""
    doubts: tuple[Doubt, ...] = ()
    host: Host | None = None
    """How chip and host got on in the last answer; None where that was not asked for."""
    differing: set[int] = field(default_factory=set)
    """Places of tokens at which they differed."""

    @property
    def taking_up(self) -> bool:
        """Whether the engine is busy with a conversation from a file: with no answer."""
        return self.busy and not (self.turns and not self.turns[-1].done)

    def greet(self, turns: list[Fields]) -> None:
        """What an engine says of its conversation when the window attaches."""
        self.turns = [_turn(turn) for turn in turns][-MAX_TURNS - 2 :]  # two are being said perhaps
        self.busy = bool(self.turns) and not self.turns[-1].done

    def end(self) -> None:
        """The engine has gone."""
        self.busy = False
        if self.turns and not self.turns[-1].done:
            self.turns[-1].done, self.turns[-1].reason = True, "error"

    def chat(self, m: Fields) -> None:
        """Take in a ``chat`` message."""
        match m.text("event"):
            case "started":
                self._started(m)
            case "done":
                self._done(m)
            case "path":
                self._path(m)
            case "cleared":
                self.turns, self.rows, self.host, self.kept = [], (), None, 0
                self.differing.clear()
                self.generation += 1
                self.activity = self.energy_uj = self.first_token_ms = math.nan
            case "tree":
                self.rows = tuple(
                    Row(row.whole("node"), row.whole("depth"), row.text("role"), row.text("text"), row.flag("here"))
                    for row in m.parts("rows")
                )
            case "refused":
                self._fated(m.text("prompt"), Fate.UNREAD)
            case "doubts":
                self._doubts(m)

    def token(self, m: Fields) -> None:
        """Take in a ``token`` message."""
        energy = m.number("energy_uj", math.nan)
        text, activity = m.text("text"), m.number("activity", math.nan)
        piece = Piece(m.whole("node"), text, activity, m.whole("operations"), energy, m.flag("agrees", True))
        turn = self._answer(m.value("id"))
        if turn is None:  # the window attached in the middle of an answer
            turn = next((t for t in reversed(self.turns[-1:]) if not t.done and t.id is None), None)
            if turn is None:
                turn = Turn(MODEL, done=False)
                self.turns.append(turn)
            turn.id = m.value("id")
        turn.text += text
        turn.pieces.append(piece)
        turn.tokens += 1
        self.activity, self.energy_uj = activity, energy
        self.tokens_per_s = m.number("tokens_per_s", self.tokens_per_s)

    def _started(self, m: Fields) -> None:
        self.busy, prompt = True, m.text("prompt")
        self.first_token_ms = self.activity = self.energy_uj = math.nan
        if not m.absent("prompt"):
            self.turns.append(Turn(USER, prompt))
            self._fated(prompt, Fate.BEGUN)
        if not self.turns or self.turns[-1].role == USER:
            self.turns.append(Turn(MODEL))
        last = self.turns[-1]
        last.done, last.reason, last.id, last.tokens = False, "", m.value("id"), 0
        del self.turns[: -MAX_TURNS - 2]  # the next path tells whether these two stay

    def _done(self, m: Fields) -> None:
        tokens, first_ms, reason = m.whole("tokens"), m.number("first_token_ms", math.nan), m.text("reason")
        host = None if m.absent("host") else _host(m.part("host"))
        self._fated(m.text("prompt"), Fate.READ if m.flag("read", True) else Fate.UNREAD)
        self.busy = False
        if tokens:
            self.first_token_ms = first_ms
        turn = self._answer(m.value("id"))
        if turn is not None:
            turn.done, turn.reason, turn.tokens, turn.host = True, reason, tokens, host
            self.host = host
            if host and host.difference >= 0:
                self.differing.add(host.difference)

    def _fated(self, prompt: str, fate: Fate) -> None:
        self.fates.append((prompt, fate))
        del self.fates[:-MOST_FATES]

    def _path(self, m: Fields) -> None:
        after, told, kept = m.whole("after"), [_turn(turn) for turn in m.parts("turns")], m.whole("kept", self.kept)
        before = {turn.text: turn for turn in self.turns if turn.host}
        place = next((index + 1 for index, turn in enumerate(self.turns) if after and turn.node == after), 0)
        self.turns, self.kept = (self.turns[:place] + told)[-MAX_TURNS:], kept
        for turn in self.turns:
            if (known := before.get(turn.text)) and known is not turn and known.role == turn.role:
                turn.host = known.host
            if self.differing:
                turn.pieces = [replace(piece, agrees=False) if piece.node in self.differing else piece for piece in turn.pieces]

    def _answer(self, answer: object) -> Turn | None:
        """The turn with this id among the last few (a token may still come after the next question was asked)."""
        return next((t for t in reversed(self.turns[-6:]) if t.role == MODEL and t.id == answer), None)

    def _doubts(self, m: Fields) -> None:
        text, found = m.text("text"), []
        for start, stop, kind, pieces in m.rows("doubts", 4):
            if not (type(start) is type(stop) is type(pieces) is int and 0 <= start < stop <= len(text) and isinstance(kind, str)):
                raise ValueError("doubts are of another kind")
            found.append(Doubt(_units(text[:start]), _units(text[:stop]), kind, pieces))
        self.doubted, self.doubts = text, tuple(found)


def _host(m: Fields) -> Host:
    difference = -1 if m.absent("difference") else m.part("difference").whole("node")
    return Host(m.whole("agreed"), m.whole("alone"), m.text("reason"), difference)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _turn(m: Fields) -> Turn:
    pieces = [_piece(row) for row in m.rows("pieces", 5)]
    versions = tuple(m.wholes("versions"))
    turn = Turn(m.text("role"), m.text("text"), m.flag("done", True), m.text("reason"), m.value("id"), len(pieces), m.whole("node"))
    turn.pieces, turn.versions = pieces, versions
    return turn


def _piece(row: list[Any]) -> Piece:
    fields = Fields(dict(zip(("node", "text", "activity", "operations", "energy_uj"), row, strict=True)))
    energy = fields.number("energy_uj", math.nan)
    return Piece(fields.whole("node"), fields.text("text"), fields.number("activity", math.nan), fields.whole("operations"), energy)
