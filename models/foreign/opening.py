"""Opens a checkpoint that others published: which network it is, whether it is whole, and the vocabulary that goes with it.

Names and shapes of all tensors are compared with the layout before a number is read, and what they claim is limited. A checkpoint holds no
vocabulary: EvNN's is made from the corpus that it was trained on, SpikeGPT's is a file of its own, looked for beside the weights.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models import checkpoint
from models.foreign import evnn, spikegpt, vocabulary
from models.foreign.archive import Archive, is_archive
from models.foreign.kernels import Floats
from models.foreign.network import PIECE, Network
from models.foreign.vocabulary import Vocabulary
from pipeline.errors import USAGE, UserError

MAX_NUMBERS = 1 << 30
"""Of all tensors, 4 GiB as float32: five times the largest published checkpoint, and far more than a processor steps in useful time."""
PUBLISHED = ("20B_tokenizer.json", "vocab_book.json")
"""Names under which SpikeGPT's vocabularies are published. Egret's training writes them as NAME.tokenizer.json beside NAME.pth."""
SAMPLE = (
    "the old man walked down to the river in the morning, as he had done every day for many years. the water was cold and clear, and "
    "there was no wind. he sat on a stone and looked at the other side, where a few small houses stood under the trees. after a while a "
    "woman came out of one of them and began to sing."
)
"""An ordinary text, on which it is measured whether a network's scores are numbers, and which embedding a SpikeGPT was trained with."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A network of others, ready to step, and what its tokens mean."""

    network: Network
    vocabulary: Vocabulary
    identity: dict[str, str]
    """``name`` and ``hash`` of the file, for outputs."""


def is_foreign(path: Path) -> bool:
    """True where `path` is a file that torch wrote, to be opened here; Egret's own weights are not."""
    return is_archive(path)


def load(weights: Path, source: Path | None = None) -> Foreign:
    """The network in `weights` with the vocabulary at `source`; without one, a file that lies beside the weights is taken.

    UserError with one sentence where the file is missing, damaged, of another layout, asks for code to be run or claims absurd sizes, where
    its numbers or the scores that it makes of an ordinary text are not finite, and where the vocabulary is missing or of another size.
    """
    if not weights.is_file():
        raise UserError(f"There is no checkpoint at {weights}; name an existing file.")
    try:
        with Archive(weights) as archive:
            found = {name: tensor.shape for name, tensor in archive.tensors.items()}
            layout = _layout(found)
            words = _vocabulary(weights, source, layout)

            def read(name: str) -> Floats:
                values = archive.read(name)
                if not np.isfinite(values).all():
                    raise ValueError(f"{name} holds impossible numbers")
                return values

            network = _network(layout, read, words)
    except (OSError, ValueError) as error:
        again = "take a state_dict of EvNN's language model or of SpikeGPT, as they are published"
        raise UserError(f"The checkpoint {weights} cannot be used: {error}; {again}.") from None
    network.warm()
    return Foreign(network, words, {"name": weights.name, "hash": checkpoint.digest(weights)})


def _layout(found: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """What `found` must be and is. ValueError with the first difference."""
    if evnn.belongs(found):
        wanted = evnn.layout(found)
        found = {name: shape for name, shape in found.items() if not evnn.is_training_only(name)}
    elif spikegpt.belongs(found):
        wanted = spikegpt.layout(found)
    else:
        raise ValueError(f"its tensors are of neither network (the first is called {next(iter(found))[:60]!r})")
    for name, shape in wanted.items():
        if name not in found:
            raise ValueError(f"the tensor {name} is missing")
        if found[name] != shape:
            raise ValueError(f"{name} has the shape {list(found[name])} where {list(shape)} is needed")
    if stranger := next((name for name in found if name not in wanted), None):
        raise ValueError(f"there is a tensor {stranger[:60]} that does not belong to such a network")
    if (numbers := sum(map(math.prod, wanted.values()))) > MAX_NUMBERS:
        raise ValueError(f"it claims {numbers:,} numbers, and Egret takes up to {MAX_NUMBERS:,}")
    return wanted


def _vocabulary(weights: Path, source: Path | None, layout: Mapping[str, tuple[int, ...]]) -> Vocabulary:
    """The vocabulary of a network of this layout."""
    words_needed = evnn.belongs(layout)
    if source is None and not words_needed:
        beside = weights.with_suffix(".tokenizer.json"), *map(weights.with_name, PUBLISHED)
        source = next((path for path in beside if path.is_file()), None)
    if source is None:
        what = "the folder of the corpus that it was trained on" if words_needed else "its file, such as 20B_tokenizer.json"
        raise UserError(f"The checkpoint {weights} holds no vocabulary: name {what} with --vocabulary.", USAGE)
    try:
        words = vocabulary.read(source)
    except (OSError, ValueError) as error:
        raise UserError(f"The vocabulary {source} cannot be used: {error}.") from None
    size = layout["embeddings.weight" if words_needed else "emb.weight"][0]
    if len(words) != size:
        raise UserError(
            f"The checkpoint {weights} has {size:,} tokens and the vocabulary {source} {len(words):,}: name the one it goes with."
        )
    return words


def _network(layout: Mapping[str, tuple[int, ...]], read: Callable[[str], Floats], words: Vocabulary) -> Network:
    try:
        sample = words.encode(SAMPLE)
    except ValueError:  # an alphabet without these letters
        sample = []
    if evnn.belongs(layout):
        of_words = evnn.EvNN(layout, read)
        _check(_loss_on(of_words, sample))
        return of_words
    network = spikegpt.SpikeGPT(layout, read)
    if len(sample) < 2:  # which embedding it is cannot be measured
        _check(_loss_on(network, sample))
        return network
    losses = {}
    for binary in (False, True):
        network.binary = binary
        losses[binary] = _loss_on(network, sample)
    network.binary = losses[True] < losses[False]
    _check(losses[network.binary])
    chosen, other = ("binary", "plain") if network.binary else ("plain", "binary")
    network.about += f", {chosen} embedding (loss {losses[network.binary]:.2f}, {other} {losses[not network.binary]:.2f})"
    return network


def _loss_on(network: Network, sample: list[int]) -> float:
    """The loss on `sample`, inf where scores are not finite. Without a sample the first tokens are read instead, for a loss of 0."""
    network.reset()
    tokens = sample[:-1] or list(range(min(network.vocabulary, PIECE)))
    with np.errstate(over="ignore", invalid="ignore"):
        logits = network.read(tokens)
    if not np.isfinite(logits).all():
        return math.inf
    return loss(logits, sample[1:]) if sample[1:] else 0.0


def _check(measured: float) -> None:
    """ValueError where the loss that was measured is not finite."""
    if not math.isfinite(measured):
        raise ValueError("its numbers are so large that the scores it makes of a text are not finite")


def loss(logits: Floats, following: list[int]) -> float:
    """Mean negative log-likelihood (nats) of the tokens `following` [T] under logits [T, V]."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(wide).sum(axis=1)) - wide[np.arange(len(following)), following]))
