"""The gesture network: EGRU layers on pooled event counts, and a leaky read-out.

    x = log(1 + counts), flattened [polarity, y, x] ;  y = EGRU stack(x) ;  o = leak o' + (1 - leak) y_last ;  logits = o w + b

The first layer may be local (models.local): the same weights at every place of the view. On the chip and in the runtimes it is a layer like
any other, with few connections.

A step is a frame (`pipeline.frames`), and every step gives an answer. The leaky sum makes it an answer about the last
window_us / (1 - leak) rather than about one frame. Its value o is part of the state.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models import checkpoint, local
from models.egru import LockedDropout, Options, Stack, State
from pipeline.frames import GRID, WINDOW_US

INPUTS = 2 * GRID * GRID
LEAK = 0.9
"""0.1 of every frame enters the read-out: a time constant of 237 ms at 25 ms a frame."""

Memory = tuple[list[State], Tensor]
"""The network's state: (h, y) of every layer, and the read-out's o [batch, H_last]."""


def features(counts: Tensor, half: bool = False) -> Tensor:
    """Counts [T, B, 2, 32, 32] of any integer type -> what the first layer sees, [T, B, 2048] of float32, or of bfloat16 if `half`."""
    return counts.flatten(2).to(torch.bfloat16 if half else torch.float32).log1p()


class GestureNetwork(nn.Module):
    """`hidden` are the layers' sizes, `classes` how many answers there are; with a `geometry` the first layer is local."""

    def __init__(
        self,
        hidden: list[int],
        classes: int,
        options: Options | None = None,
        dropout: float = 0.0,
        leak: float = LEAK,
        geometry: local.Local | None = None,
        inputs: int = INPUTS,
    ) -> None:
        super().__init__()
        self.hidden, self.leak, self.geometry, self.inputs = list(hidden), leak, geometry, inputs
        self.stack = Stack(inputs, hidden, options, dropout, geometry)
        self.readout = nn.Linear(hidden[-1], classes)
        self.before_readout = LockedDropout(dropout)

    def start(self, batch: int) -> Memory:
        """The state of a network that has seen nothing."""
        return self.stack.start(batch), self.readout.weight.new_zeros(batch, self.hidden[-1])

    def forward(self, x: Tensor, memory: Memory | None = None) -> tuple[Tensor, list[Tensor], list[Tensor], Memory]:
        """Features [T, B, 2048] -> logits [T, B, classes], outputs and firing rates of the layers, the state after the last step."""
        states, o = memory if memory is not None else self.start(x.shape[1])
        outputs, rates, states = self.stack(x, states)
        held = []
        for y in outputs[-1].to(o.dtype):
            o = torch.lerp(y, o, self.leak)
            held.append(o)
        return self.readout(self.before_readout(torch.stack(held))), outputs, rates, (states, o)


def save(model: GestureNetwork, path: Path, labels: list[str], temperature: float, threshold: float, about: dict[str, Any]) -> None:
    """Write the model as float16. Confidences are softmax(logits / temperature); below `threshold` there is no gesture."""
    tensors = {name.removeprefix("stack."): value.detach().half().cpu().numpy() for name, value in model.named_parameters()}
    tensors["readout.w"] = tensors.pop("readout.weight").T
    tensors["readout.b"] = tensors.pop("readout.bias")
    for name in tensors:
        if name.endswith(".theta"):
            tensors[name] = np.clip(tensors[name], 0, 1)
    config = {"inputs": model.inputs, "hidden": model.hidden, "window_us": WINDOW_US, "leak": model.leak}
    if model.geometry is not None:
        config["local"] = asdict(model.geometry)
    config |= {"temperature": temperature, "threshold": threshold}
    checkpoint.save(path, tensors, {"kind": "gesture", "config": config, "labels": labels} | about)


def load(path: Path) -> tuple[GestureNetwork, checkpoint.Metadata]:
    """The torch model of the weights at `path`, ready for evaluation, and its metadata. Raises UserError as `checkpoint.load` does."""
    tensors, metadata = checkpoint.load(path, "gesture", written_out=False)
    config = metadata["config"]
    geometry = local.Local(**config["local"]) if "local" in config else None
    model = GestureNetwork(config["hidden"], len(metadata["labels"]), leak=config["leak"], geometry=geometry, inputs=config["inputs"])
    state = {f"stack.{name}": torch.from_numpy(value) for name, value in tensors.items() if name.startswith("layers.")}
    state["readout.weight"] = torch.from_numpy(tensors["readout.w"].T.copy())
    state["readout.bias"] = torch.from_numpy(tensors["readout.b"])
    model.load_state_dict(state)
    return model.eval(), metadata
