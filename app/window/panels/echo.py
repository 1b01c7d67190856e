"""A control whose truth is the engine's: what was asked for counts until the engine has had the time to say so.

A status message may be on its way when a box is pressed; believing it would have the box flip back and forth.
"""

PATIENCE = 3
"""Messages of the engine that may say otherwise before they are believed."""


class Echo:
    """What was asked for last, and whether to believe what the engine says."""

    def __init__(self) -> None:
        self._asked: object = None
        self._left = 0

    def ask(self, value: object) -> None:
        """The engine was asked for `value`."""
        self._asked, self._left = value, PATIENCE

    def believes(self, said: object) -> bool:
        """Whether `said` is the engine's answer rather than older than what was asked."""
        if said == self._asked or self._left == 0:
            self._left = 0
            return True
        self._left -= 1
        return False
