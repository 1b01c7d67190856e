"""What an engine says of the chat, for the window's tests."""

from typing import Any


def started(number: int, prompt: str = "hi") -> dict[str, Any]:
    return {"type": "chat", "event": "started", "id": number, "prompt": prompt, "seed": 1}


def token(number: int, text: str) -> dict[str, Any]:
    return {"type": "token", "id": number, "index": 0, "text": text, "activity": 0.125, "tokens_per_s": 321.0}


def done(number: int, reason: str = "end", prompt: str = "hi", read: bool = True) -> dict[str, Any]:
    message = {"type": "chat", "event": "done", "id": number, "reason": reason, "tokens": 2, "seconds": 0.01}
    return message | {"first_token_ms": 4.5, "seed": 1, "prompt": prompt, "read": read}


def path(*turns: dict[str, Any], age: int = 9) -> dict[str, Any]:
    return {"type": "chat", "event": "path", "turns": list(turns), "memory_age": age, "kept": age, "limit": 100}


def turn(role: str, first: int, *texts: str, **more: Any) -> dict[str, Any]:
    """A turn whose tokens are numbered from `first` on."""
    pieces = [[first + index, text, 0.1 + index / 100, 1000 + index, None] for index, text in enumerate(texts)]
    last = first + len(texts) - 1
    said = {"role": role, "text": "".join(texts), "done": True, "reason": "", "node": last, "pieces": pieces, "versions": [last]}
    return said | more


ASKED = turn("user", 1, "", "Who", " are", " you")
ANSWERED = turn("model", 5, "", "A", " tiny", " net")
