"""The language model: token embedding, EGRU layers, and a read-out tied to the embedding.

    x = embedding[token] ;  y = EGRU stack(x) ;  logits = y_last @ embedding.T + bias

The last layer is as wide as the embedding. Its outputs are sparse, so on an event-driven machine the read-out too costs only what fires.

**Dropout** (`Dropouts`), in training only, is that of Merity et al., "Regularizing and optimizing LSTM language models" (ICLR 2018): whole
words are left out of the embedding for a sequence (Gal and Ghahramani, NIPS 2016), and features of the embedding, of each layer's outputs
and of the read-out's inputs, the same ones at every step of a sequence. Dropconnect is an option of the layers (models/egru.py).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models import checkpoint, sequence
from models.egru import LockedDropout, Options, Stack, State
from models.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Dropouts:
    """Probabilities, each for a whole sequence, that something is left out."""

    words: float = 0.0
    """A token's row of the embedding, as an input."""
    inputs: float = 0.0
    """A feature of the embedding."""
    between: float = 0.0
    """A unit's outputs, for the layer above."""
    outputs: float = 0.0
    """A unit's outputs, for the read-out."""

    def times(self, factor: float) -> "Dropouts":
        """All of them times `factor`."""
        return Dropouts(self.words * factor, self.inputs * factor, self.between * factor, self.outputs * factor)


class LanguageModel(nn.Module):
    """`vocabulary` ids, `embedding` wide; `hidden` are the layers' sizes, the last of them equal to `embedding`."""

    def __init__(
        self, vocabulary: int, embedding: int, hidden: list[int], options: Options | None = None, dropouts: Dropouts | None = None
    ) -> None:
        super().__init__()
        if hidden[-1] != embedding:
            raise ValueError("a tied read-out needs a last layer as wide as the embedding")
        dropouts = dropouts or Dropouts()
        self.hidden = list(hidden)
        self.embedding = nn.Parameter(torch.empty(vocabulary, embedding))
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self.stack = Stack(embedding, hidden, options, dropouts.between)
        for layer in self.stack.layers:
            layer.product = sequence.Packed()
        self.words = nn.Dropout(dropouts.words)
        self.inputs, self.outputs = LockedDropout(dropouts.inputs), LockedDropout(dropouts.outputs)
        nn.init.normal_(self.embedding, std=embedding**-0.5)

    def start(self, batch: int) -> list[State]:
        """The state of a model that has read nothing."""
        return self.stack.start(batch)

    def read(self, tokens: Tensor, states: list[State] | None = None) -> tuple[Tensor, list[Tensor], list[Tensor], list[State]]:
        """tokens int64 [T, B] -> inputs of the read-out [T, B, E], outputs and firing rates of the layers, states after the last step."""
        rows = self.embedding * self.words(self.embedding.new_ones(len(self.embedding), 1)) if self.training else self.embedding
        outputs, rates, states = self.stack(self.inputs(rows.index_select(0, tokens.flatten()).view(*tokens.shape, -1)), states)
        return self.outputs(outputs[-1]), outputs, rates, states

    def forward(self, tokens: Tensor, states: list[State] | None = None) -> tuple[Tensor, list[Tensor], list[Tensor], list[State]]:
        """As `read`, but the first of what it returns are the logits [T, B, V] of the next token."""
        top, outputs, rates, states = self.read(tokens, states)
        return top @ self.embedding.t() + self.bias, outputs, rates, states

    @torch.no_grad()
    def write(
        self, tokenizer: Tokenizer, prompt: list[int], limit: int = 60, temperature: float = 0.7, top_k: int = 20, seed: int = 0
    ) -> list[int]:
        """Tokens that the model writes after `prompt` until it ends its turn or has written `limit`; for samples during training."""
        generator = torch.Generator().manual_seed(seed)
        written: list[int] = []
        was_training = self.training
        self.eval()
        logits, _, _, states = self(torch.tensor(prompt)[:, None])
        while len(written) < limit:
            values, ids = (logits[-1, 0] / temperature).topk(top_k)
            token = int(ids[torch.multinomial(values.softmax(0), 1, generator=generator)])
            if tokenizer.ends_turn(token):
                break
            written.append(token)
            logits, _, _, states = self(torch.tensor([[token]]), states)
        self.train(was_training)
        return written


def save(model: LanguageModel, path: Path, tokenizer: str, about: dict[str, Any]) -> None:
    """Write the model as float16; `about` (made, licence, attribution) goes into its metadata, `tokenizer` names the file beside it."""
    tensors = {name.removeprefix("stack."): value.detach().half().cpu().numpy() for name, value in model.named_parameters()}
    for name in tensors:
        if name.endswith(".theta"):
            tensors[name] = np.clip(tensors[name], 0, 1)
    vocabulary, embedding = model.embedding.shape
    config = {"vocabulary": vocabulary, "embedding": embedding, "hidden": model.hidden, "tokenizer": tokenizer}
    checkpoint.save(path, tensors, {"kind": "language", "config": config} | about)


def load(path: Path) -> LanguageModel:
    """The torch model of the weights at `path`, ready for evaluation. Raises UserError as `checkpoint.load` does."""
    tensors, metadata = checkpoint.load(path, "language")
    config = metadata["config"]
    model = LanguageModel(config["vocabulary"], config["embedding"], config["hidden"])
    ends = ("embedding", "bias")
    model.load_state_dict({name if name in ends else f"stack.{name}": torch.from_numpy(value) for name, value in tensors.items()})
    return model.eval()
