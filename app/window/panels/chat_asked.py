"""Prompts that were sent from this window, until the model has read them.

The engine answers prompts one after the other and tells of each by its text: other windows and gestures ask too, so what it tells is
looked up among what was sent from here.
"""

from collections.abc import Iterable

from app.window.talk import Fate


class Asked:
    """Those that wait, and those that are being read."""

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._begun: list[str] = []

    @property
    def waiting(self) -> int:
        """How many wait for the answers before them."""
        return len(self._waiting)

    def sent(self, prompt: str) -> None:
        """It is on its way to the engine."""
        self._waiting.append(prompt)

    def hear(self, fates: Iterable[tuple[str, Fate]]) -> list[str]:
        """What became of prompts, in that order; those of ours that were not read."""
        unread: list[str] = []
        for prompt, fate in fates:
            if fate is Fate.BEGUN:
                if prompt in self._waiting:
                    self._waiting.remove(prompt)
                    self._begun.append(prompt)
                continue
            for prompts in (self._begun, self._waiting):
                if prompt in prompts:
                    prompts.remove(prompt)
                    unread += [prompt] if fate is Fate.UNREAD else []
                    break
        return unread

    def give_up(self) -> list[str]:
        """Expect nothing any more; what had not been read."""
        unread = [*self._begun, *self._waiting]
        self._begun.clear()
        self._waiting.clear()
        return unread
