"""Whom one talks to: Egret's own language model on the runtime that was asked for, or a network of others, which runs on the host.

The weights decide. Egret's own are safetensors; what torch wrote is others' (models/foreign/opening.py). To the chat both are a network and
a vocabulary.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import app
from app.engine.chat import Chat
from app.engine.models import Models
from app.protocol import Message
from models.chip.runtime import Runtime
from pipeline.errors import USAGE, UserError

OnMessage = Callable[[Message], None]
OnCrash = Callable[[BaseException], None]


@dataclass(frozen=True, slots=True)
class Partner:
    """A language model that is ready to talk."""

    identity: dict[str, str]
    """``name`` and ``hash`` of its weights."""
    chat: Callable[[OnMessage, OnCrash], Chat]
    """Makes a chat with it (arguments as those of `Chat`). UserError where its vocabulary cannot be used."""
    backend: Callable[[], str]
    """Where the next step is made."""
    close: Callable[[], None]


def choose(weights: Path | None, vocabulary: Path | None, backend: str) -> Partner:
    """The network at `weights`, the bundled one without a name, with the vocabulary at `vocabulary` where the weights bring none.

    UserError for weights that cannot be used, for a backend that others' networks do not run on, and a vocabulary that is not asked for.
    """
    if opens_as_foreign(weights, vocabulary, backend) and weights is not None:
        return foreign(weights, vocabulary)
    models = Models(language=weights)
    return own(models, models.runtime(backend, recognises=False))


def opens_as_foreign(weights: Path | None, vocabulary: Path | None, backend: str) -> bool:
    """Whether `weights` are a network of others. UserError where the other options do not go with what they are."""
    if weights is None and vocabulary is None:
        return False
    from models.foreign import opening  # what it needs is loaded only where a file is named

    is_foreign = weights is not None and opening.is_foreign(weights)
    if is_foreign and backend not in ("auto", "host"):
        raise UserError(f"The networks of others run on the host only: leave out --runtime {backend}.", USAGE)
    if vocabulary is not None and not is_foreign:
        raise UserError("Egret's own weights name their vocabulary themselves: leave out --vocabulary.", USAGE)
    return is_foreign


def on_runtime(runtime: Runtime, models: Models, on_message: OnMessage, on_crash: OnCrash, pace_s: float = 0.0) -> Chat:
    """A chat with the language model of `models` where `runtime` runs it. UserError where its tokenizer cannot be used."""
    return Chat(
        runtime.language,
        models.tokenizer(),
        on_message,
        on_crash,
        pace_s=pace_s,
        energy=runtime.token_uj,
        about={"version": app.__version__, "model": models.language_id},
    )


def own(models: Models, runtime: Runtime) -> Partner:
    """The language network of `models` on `runtime`, which is closed with the partner."""

    def chat(on_message: OnMessage, on_crash: OnCrash) -> Chat:
        return on_runtime(runtime, models, on_message, on_crash)

    return Partner(models.language_id, chat, lambda: runtime.backend, runtime.close)


def foreign(weights: Path, vocabulary: Path | None) -> Partner:
    """A network of others."""
    from models.foreign import opening

    opened = opening.load(weights, vocabulary)

    def chat(on_message: OnMessage, on_crash: OnCrash) -> Chat:
        about: Message = {"version": app.__version__, "model": opened.identity}
        return Chat(opened.network, opened.vocabulary, on_message, on_crash, about=about)

    return Partner(opened.identity, chat, lambda: "host", lambda: None)
