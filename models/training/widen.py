"""A trained gesture network with more channels in its local first layer: it answers as before and can learn what the narrow one could not.

New channels are copies of old ones, and whatever listened to a channel listens to it and its copies in unequal shares that sum to one, so
that they part company as soon as they learn (Chen, Goodfellow, Shlens: "Net2Net: Accelerating Learning via Knowledge Transfer", ICLR 2016,
section 2.2).
"""

from dataclasses import replace

import torch
from torch import Tensor

from models.gesture import GestureNetwork

EVEN = 0.3
"""Each copy's share of a channel's weight before sharing out is drawn from [EVEN, 1]."""


@torch.no_grad()
def widened(network: GestureNetwork, channels: int, generator: torch.Generator) -> GestureNetwork:
    """`network` with `channels` channels in its first layer, at least as many as it has. ValueError if its first layer is not local."""
    narrow = network.geometry
    if narrow is None or channels < narrow.channels:
        raise ValueError("only a local first layer can be widened, and only to more channels")
    copied, share = _copies(narrow.channels, channels, generator)
    geometry = replace(narrow, channels=channels)
    out = GestureNetwork([geometry.units, *network.hidden[1:]], network.readout.out_features, leak=network.leak, geometry=geometry)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    for name in ("wx", "wh", "b", "d"):
        key = f"stack.layers.0.{name}"
        state[key] = state[key].unflatten(0, (3, narrow.channels))[:, copied].flatten(0, 1)
    state["stack.layers.0.wh"] = state["stack.layers.0.wh"][:, copied] * share[:, None, None]
    state["stack.layers.0.theta"] = state["stack.layers.0.theta"][copied]
    above = "stack.layers.1.wx" if len(network.hidden) > 1 else "readout.weight"
    weights = state[above] if above.startswith("stack") else state[above].T
    wide = (weights.unflatten(0, (narrow.channels, -1))[copied] * share[:, None, None]).flatten(0, 1)
    state[above] = wide if above.startswith("stack") else wide.T
    out.load_state_dict(state)
    return out


def _copies(old: int, new: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """(which old channel each new one copies [new], its share of that channel's outgoing weights [new])."""
    rounds = -(-(new - old) // old)
    extra = torch.cat([torch.randperm(old, generator=generator) for _ in range(rounds)])[: new - old] if rounds else torch.empty(0).long()
    copied = torch.cat([torch.arange(old), extra])
    weight = EVEN + (1 - EVEN) * torch.rand(new, generator=generator)
    return copied, weight / torch.zeros(old).index_add_(0, copied, weight)[copied]
