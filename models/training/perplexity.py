"""Perplexity of a language model in training, on texts that were kept back.

The exact figure of what runs in the end, the int8 program with its state carried from the first token to the last, is that of
`egret evaluate language` (app/evaluation/language.py).
"""

import math

import numpy as np
import torch

from models.language import LanguageModel
from models.training.corpus import Tokens
from models.training.likelihood import mean_loss

STREAMS = 32
PIECE = 128
"""Steps that are computed at once; of no influence on the result."""


@torch.no_grad()
def perplexity(
    model: LanguageModel, texts: list[Tokens], words: int, limit: int | None = None, mixed: bool = False, streams: int = STREAMS
) -> dict[str, float]:
    """Perplexity of `texts`, one long row in `streams` parallel parts, and the activity of the layers.

    `perplexity_token` is exp(mean NLL) over all tokens but the first, markers included. `perplexity_word` is exp(total NLL / words), with
    the NLL of markers and without their number: comparable between tokenizers. With more than one stream, or a `limit` of tokens a stream,
    the total is that of the mean: every stream begins with a state of zeros and its first token is not scored. With one stream it is exact.
    """
    row = torch.from_numpy(np.concatenate(texts).astype(np.int64))
    length, device = len(row) // streams, model.embedding.device
    text = row[: length * streams].reshape(streams, length).t().to(device)
    training = model.training
    model.eval()
    states, total, count, active = model.start(streams), 0.0, 0, torch.zeros(len(model.hidden), device=device)
    for place in range(0, min(length, limit or length) - 1, PIECE):
        part = text[place : place + PIECE + 1]
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
            top, outputs, _, states = model.read(part[:-1], states)
        total += float(mean_loss(top, model.embedding, model.bias, part[1:])) * part[1:].numel()
        count += part[1:].numel()
        active += torch.stack([(y > 0).float().mean() for y in outputs]) * part[1:].numel()
    model.train(training)
    mean = total / count
    by_layer = {f"activity_{index}": value for index, value in enumerate((active / count).tolist())}
    return {"perplexity_token": math.exp(mean), "perplexity_word": math.exp(mean * (len(row) - 1) / words)} | by_layer
