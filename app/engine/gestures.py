"""Gestures that drive the chat: stop the answer, write it anew, or send a suggested prompt. Off until a window asks for it.

A gesture is *confirmed* when it was accepted in `CONFIRMED` of the last `LOOKED_AT` windows (300 of 400 ms), and then acts once. It acts
again only after it has been away for `RELEASED` windows (half a second), so that a wave acts once however long somebody waves, and a window
or two that are read otherwise in the middle of it do not make it two. Another gesture may act at once.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from app.engine.chat import Chat
from app.engine.wishes import NOTHING, Prompt
from app.protocol import Message
from pipeline.errors import UserError

LOOKED_AT, CONFIRMED, RELEASED = 16, 12, 20
"""Windows of 25 ms."""
STOP, REGENERATE, ACCEPT = "stop", "regenerate", "accept"
ACTIONS = (STOP, REGENERATE, ACCEPT)
MAX_PROMPTS = 20
MAX_LENGTH = 500
"""Characters of a suggested prompt."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What gestures are to do."""

    on: bool = False
    actions: Mapping[str, str] = field(default_factory=dict)
    """An action for a label."""
    prompts: tuple[str, ...] = ()
    """Suggested one after the other, and then from the first again."""


class Confirmation:
    """Decisions, window by window, to gestures that act once."""

    def __init__(self) -> None:
        self._recent: deque[str] = deque(maxlen=LOOKED_AT)
        self._acted = ""
        """The gesture that acted last, while it is not over."""
        self._away = 0
        """Windows without it."""

    def feed(self, label: str) -> str:
        """Take in a window's accepted label, or "" where none was; the label that is confirmed with this window, else ""."""
        self._recent.append(label)
        self._away = 0 if label and label == self._acted else self._away + 1
        if self._away >= RELEASED:
            self._acted = ""
        if not label or label == self._acted or self._recent.count(label) < CONFIRMED:
            return ""
        self._acted, self._away = label, 0
        return label


class GestureControl:
    """Carries out what gestures are to do with `chat`; `feed` is for the recognition thread, the rest for the control loop."""

    def __init__(self, chat: Chat, later: Callable[[Callable[[], None]], None], notice: Callable[[str, str], None]) -> None:
        """`later` has something done in the control loop; `notice` tells windows a level and a sentence."""
        self._chat, self._later, self._notice = chat, later, notice
        self._wanted = Wanted()
        self._how = NOTHING
        self._confirmation = Confirmation()
        self._next = 0

    @property
    def suggestion(self) -> str:
        """The prompt that would be sent next; empty while none would be."""
        wanted = self._wanted
        sends = wanted.on and wanted.prompts and ACCEPT in wanted.actions.values()
        return wanted.prompts[self._next % len(wanted.prompts)] if sends else ""

    def describe(self) -> Message:
        """What they do, in the words of the order that sets it."""
        wanted = self._wanted
        return {"on": wanted.on, "actions": dict(wanted.actions), "prompts": list(wanted.prompts)}

    def set(self, wanted: Wanted, how: Prompt) -> None:
        """From now on do what is `wanted`, with answers written as `how` says."""
        if wanted.prompts != self._wanted.prompts:
            self._next = 0
        self._wanted, self._how = wanted, how

    def feed(self, label: str) -> None:
        """A window was decided: its label if it was accepted, else ""."""
        confirmed = self._confirmation.feed(label)
        wanted = self._wanted
        if wanted.on and (action := wanted.actions.get(confirmed)):
            self._later(lambda: self._carry_out(action, confirmed))

    def _carry_out(self, action: str, label: str) -> None:
        try:
            self._act(action, label)
        except UserError as error:  # prompts wait, say: a visitor's wave must not end the engine
            self._notice("error", str(error))

    def _act(self, action: str, label: str) -> None:
        chat, name = self._chat, label.replace("_", " ")
        if action == STOP and chat.busy:
            chat.stop()
            self._notice("info", f"Gesture {name}: the answer is stopped.")
        elif action == REGENERATE and chat.memory_age and not chat.busy:
            chat.regenerate(self._how)
            self._notice("info", f"Gesture {name}: the answer is written anew.")
        elif action == ACCEPT and not chat.busy and (text := self.suggestion):
            chat.ask(replace(self._how, text=text))
            self._next += 1
            self._notice("info", f"Gesture {name}: “{text}”")
