"""SpikeGPT for training: the network of models/foreign/spikegpt.py in torch, with the same names for its weights.

`state_dict()` is therefore laid out as the published checkpoints are, and what is saved with `torch.save` is opened by
`models.foreign.opening` like any other. The embedding is a plain one (the published inference code runs its large network with such), the
weights begin as in any network with normalised inputs, and the channels' decays begin spread over time scales from one to 150 tokens.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.spiking import NEVER, Gate, WeightedMean

State = dict[str, Tensor]
"""Parts as in `models.foreign.spikegpt.start`, each [L, B, D]."""
PARTS = ("att.last", "att.numerator", "att.denominator", "att.exponent", "att.membrane", "ffn.last", "ffn.membrane")


class _Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.time_decay = nn.Parameter(torch.linspace(-5, 3, width))
        self.time_first = nn.Parameter(torch.full((width,), math.log(0.3)))
        self.time_mix_k, self.time_mix_v, self.time_mix_r = (nn.Parameter(_ramp(width)) for _ in range(3))
        self.key, self.value, self.receptance, self.output = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, a: Tensor, state: list[Tensor]) -> Tensor:
        """The gate's drive [T, B, D] from a [T, B, D]; `state` is (last, numerator, denominator, exponent), replaced in place."""
        before = _shifted(a, state[0])
        k, v, r = (
            layer(torch.lerp(before, a, mix))
            for layer, mix in ((self.key, self.time_mix_k), (self.value, self.time_mix_v), (self.receptance, self.time_mix_r))
        )
        mean = WeightedMean.apply(k.float(), v.float(), -torch.exp(self.time_decay), self.time_first, *state[1:])
        drive: Tensor = self.output(torch.sigmoid(r) * mean)
        return drive


class _FeedForward(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.time_mix_k, self.time_mix_r = (nn.Parameter(_ramp(width)) for _ in range(2))
        self.key = nn.Linear(width, 4 * width, bias=False)
        self.receptance = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(4 * width, width, bias=False)

    def forward(self, f: Tensor, last: Tensor) -> Tensor:
        """The gate's drive [T, B, D] from f [T, B, D]; `last` is replaced in place."""
        before = _shifted(f, last)
        k, r = self.key(torch.lerp(before, f, self.time_mix_k)), self.receptance(torch.lerp(before, f, self.time_mix_r))
        drive: Tensor = torch.sigmoid(r) * self.value(torch.relu(k).square())
        return drive


class _Block(nn.Module):
    def __init__(self, width: int, first: bool) -> None:
        super().__init__()
        if first:
            self.ln0 = nn.LayerNorm(width)
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.att, self.ffn = _Attention(width), _FeedForward(width)

    def forward(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, list[Tensor]]:
        """x after both gates, and their spikes. `state` holds this block's parts [B, D], replaced in place."""
        first = Gate.apply(self.att(self.ln1(x), [state[name] for name in PARTS[:4]]).float(), state["att.membrane"])
        x = x + first
        second = Gate.apply(self.ffn(self.ln2(x), state["ffn.last"]).float(), state["ffn.membrane"])
        return x + second, [first, second]


class SpikeGPT(nn.Module):
    """`vocabulary` tokens, `blocks` blocks of `width` channels; `dropout` after every block, as published, and before the read-out."""

    def __init__(self, vocabulary: int, width: int, blocks: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.emb = nn.Embedding(vocabulary, width)
        self.blocks = nn.ModuleList(_Block(width, index == 0) for index in range(blocks))
        self.ln_out = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("bias", torch.zeros(vocabulary), persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.in_features**-0.5)

    def start(self, batch: int) -> State:
        """The state of a model that has read nothing, on the device of its weights."""
        shape, device = (len(self.blocks), batch, self.emb.embedding_dim), self.emb.weight.device
        return {name: torch.full(shape, float(NEVER) if name == "att.exponent" else 0.0, device=device) for name in PARTS}

    def read(self, tokens: Tensor, state: State) -> tuple[Tensor, list[Tensor], State]:
        """tokens int64 [T, B] -> what goes into the read-out [T, B, D], the spikes of all gates, two a block, and the state afterwards."""
        after = {name: part.clone() for name, part in state.items()}
        x = self.blocks[0].ln0(self.emb(tokens))
        spikes: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            x, fired = block(x, {name: part[index] for name, part in after.items()})
            x = self.dropout(x)
            spikes += fired
        return self.dropout(self.ln_out(x)), spikes, after

    def forward(self, tokens: Tensor, state: State) -> Tensor:
        """tokens int64 [T, B] -> logits [T, B, V] of the next token."""
        return functional.linear(self.read(tokens, state)[0], self.head.weight)


def _ramp(width: int) -> Tensor:
    """How much of a channel comes from the token itself at first: from nothing to nearly all."""
    return (torch.arange(width) / width).view(1, 1, width)


def _shifted(x: Tensor, last: Tensor) -> Tensor:
    """x [T, B, D] of the token before; `last` [B, D] is that of the first, and is replaced by x of the last."""
    before = torch.cat((last[None], x[:-1]))
    last.copy_(x[-1].detach())
    return before
