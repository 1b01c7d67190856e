"""A double of py-spinnaker2 with exactly the names and signatures that public programs use, and the emulated chip behind them.

Whatever else is asked of it raises `NotPublic`. Names and call signatures are facts about the package, as gathered from programs that
import it; what stands here was written for these tests, and it proves conformance to public use, not to the chip. DOUBLE_FAULT makes it
go wrong: hang, raise, wrong, short, unknown (it does not know Egret's program), routing (another format of routing words), crash.
"""

from typing import Any


class NotPublic(AttributeError):
    """A name that no public program uses."""


class Strict:
    """An object with the attributes that its class sets, and no others."""

    def __getattr__(self, name: str) -> Any:
        raise NotPublic(f"{type(self).__name__}.{name} is not among the names that public programs use")
