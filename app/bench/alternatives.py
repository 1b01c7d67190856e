"""The same networks in what people use instead: numpy, PyTorch and onnxruntime, one step at batch 1, for `egret bench runtime`.

Every stepper here computes, in float32 or with weights that were quantised to int8 on the fly, what the float network says that the program
was made from: DESIGN.md section 4, one step from (h, y) and the read-out's average. All of them multiply every weight, zeros included; a
local first layer (models.local) is written out as the dense layer it stands for, but for `convolutions`, where PyTorch is given the
kernels, which is the least work that a dense framework can do for it. Each takes one thread, as Egret's host does, and starts from what
the engine has: counts of a window, or a token.

    numpy               float32, BLAS
    torch               float32, eager, `nn.Linear` under inference_mode
    torch, convolutions the first layer as two `conv2d`; only where it is local
    torch, int8         `quantize_dynamic`: int8 weights, activations quantised at every product
    onnxruntime         the step as an ONNX graph with the state going in and out
    onnxruntime, int8   the same graph after onnxruntime's own `quantize_dynamic`

What is not installed is left out, and `absent` says so.
"""

import importlib.util
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from models.checkpoint import Metadata, Tensors
from models.chip.program import COUNTS
from models.local import Local

Floats = npt.NDArray[np.float32]
OPSET = 17
_FEATURES = np.log1p(np.arange(COUNTS, dtype=np.float32))


class Stepper(Protocol):
    """A network that is stepped."""

    def step(self, given: Any) -> Floats:
        """Logits after counts [2, 32, 32] or a token."""


class Weights:
    """A network in float32, as tensors of `models.checkpoint` written out, with its state: what every stepper here is made from."""

    def __init__(self, tensors: Tensors, metadata: Metadata) -> None:
        self.kind: str = metadata["kind"]
        depth = len(metadata["config"]["hidden"])
        self.layers = [tuple(tensors[f"layers.{index}.{name}"] for name in ("wx", "wh", "b", "d", "theta")) for index in range(depth)]
        self.embedding = tensors.get("embedding")
        self.readout, self.bias = (
            (tensors["embedding"].T, tensors["bias"]) if self.kind == "language" else (tensors["readout.w"], tensors["readout.b"])
        )
        self.leak = np.float32(metadata["config"]["leak"] if self.kind == "gesture" else 0)
        """Of the average over the read-out's products; 0: there is none."""

    def inputs(self, given: Any) -> Floats:
        """[1, I]: what the first layer sees of counts or of a token."""
        if self.embedding is not None:
            return self.embedding[None, given]
        return _FEATURES[np.minimum(given.reshape(1, -1), COUNTS - 1)]

    def start(self) -> list[Floats]:
        """The state of a network that has seen nothing: h and y [1, H] of every layer, and the read-out's average [1, M]."""
        sizes = [size for layer in self.layers for size in (layer[-1].size, layer[-1].size)]
        return [np.zeros((1, size), np.float32) for size in (*sizes, self.bias.size)]


def ways(weights: Weights, local: tuple[Local, Tensors] | None = None) -> dict[str, Callable[[], Stepper]]:
    """How to make every stepper that can be had here, by name. `local`: geometry of a local first layer, and tensors with its kernels."""
    found: dict[str, Callable[[], Stepper]] = {"numpy": lambda: Numpy(weights)}
    if there("torch"):
        found["torch"] = lambda: Torch(weights)
        if local is not None:
            found["torch, convolutions"] = lambda: Torch(weights, local=local)
        found["torch, int8"] = lambda: Torch(weights, int8=True)
    if there("onnx") and there("onnxruntime"):
        found["onnxruntime"] = lambda: Onnx(weights)
        found["onnxruntime, int8"] = lambda: Onnx(weights, int8=True)
    return found


def absent() -> str:
    """What is not compared with because it is not installed, as a sentence; empty where nothing is missing."""
    sentences = []
    if not there("torch"):
        sentences.append("torch is not installed: `sh app/environment.sh train` brings it.")
    if missing := [name for name in ("onnx", "onnxruntime") if not there(name)]:
        sentences.append(f"{' and '.join(missing)} not installed: `sh app/environment.sh compare` brings what is missing.")
    return " ".join(sentences)


def there(package: str) -> bool:
    """Whether `package` can be imported."""
    return importlib.util.find_spec(package) is not None


class Numpy:
    """In numpy."""

    def __init__(self, weights: Weights) -> None:
        self._weights, self.state = weights, weights.start()

    def step(self, given: Any) -> Floats:
        """Logits after counts or a token."""
        weights, x = self._weights, self._weights.inputs(given)
        for index, (wx, wh, b, d, theta) in enumerate(weights.layers):
            h, y = self.state[2 * index : 2 * index + 2]
            a_z, a_r, a_g = np.split(x @ wx + b, 3, 1)
            q_z, q_r, q_g = np.split(y @ wh + d, 3, 1)
            z, r = (1 + np.tanh((a_z + q_z) / 2)) / 2, (1 + np.tanh((a_r + q_r) / 2)) / 2  # a sigmoid that cannot overflow
            c = z * h + (1 - z) * np.tanh(a_g + r * q_g)
            fires = c > theta
            x = np.where(fires, c, np.float32(0))
            self.state[2 * index : 2 * index + 2] = c - np.where(fires, theta, np.float32(0)), x
        o = weights.leak * self.state[-1] + (1 - weights.leak) * (x @ weights.readout)
        self.state[-1] = o
        return np.asarray(o + weights.bias)[0]


class Torch:
    """In PyTorch, eager."""

    def __init__(self, weights: Weights, *, int8: bool = False, local: tuple[Local, Tensors] | None = None) -> None:
        import torch

        torch.set_num_threads(1)
        self._torch, self._weights = torch, weights
        modules = [_linear(part) for wx, wh, b, d, _ in weights.layers for part in ((wx, b), (wh, d))]
        linear = torch.nn.ModuleList([*modules, _linear((weights.readout, weights.bias))])
        if int8:
            with _quiet():
                linear = torch.ao.quantization.quantize_dynamic(linear, {torch.nn.Linear}, dtype=torch.qint8)
        self._products: list[Callable[[Any], Any]] = list(linear)
        if local is not None:
            self._products[:2] = _convolutions(*local)
        self._theta = [torch.from_numpy(layer[-1]) for layer in weights.layers]
        self._bias = torch.from_numpy(weights.bias)
        self.state = weights.start()

    def step(self, given: Any) -> Floats:
        """Logits after counts or a token."""
        torch, leak = self._torch, float(self._weights.leak)
        with torch.inference_mode():
            state = [torch.from_numpy(part) for part in self.state]
            x = torch.from_numpy(self._weights.inputs(given))
            for index, theta in enumerate(self._theta):
                a_z, a_r, a_g = self._products[2 * index](x).chunk(3, 1)
                q_z, q_r, q_g = self._products[2 * index + 1](state[2 * index + 1]).chunk(3, 1)
                z, r = torch.sigmoid(a_z + q_z), torch.sigmoid(a_r + q_r)
                c = torch.lerp(torch.tanh(a_g + r * q_g), state[2 * index], z)
                fires = c > theta
                x = c * fires
                state[2 * index : 2 * index + 2] = c - theta * fires, x
            logits = self._products[-1](x)
            if leak:  # the linear module has added the bias already
                logits = torch.lerp(logits - self._bias, state[-1], leak)
                state[-1], logits = logits, logits + self._bias
            self.state = [part.numpy() for part in state]
            return np.asarray(logits.numpy()[0])


def _linear(part: tuple[Floats, Floats]) -> Any:
    """A module that computes x w + b for (w [I, O], b [O])."""
    import torch

    matrix, bias = part
    module = torch.nn.Linear(*matrix.shape)
    module.weight = torch.nn.Parameter(torch.from_numpy(np.ascontiguousarray(matrix.T)))
    module.bias = torch.nn.Parameter(torch.from_numpy(bias))
    return module


def _convolutions(local: Local, tensors: Tensors) -> list[Callable[[Any], Any]]:
    """The two products of a local first layer, [1, I] and [1, H] -> [1, 3H], by its kernels."""
    import torch

    grid, block = local.grid, local.block
    wx, wh = (torch.from_numpy(tensors[f"layers.0.{name}"]) for name in ("wx", "wh"))
    b, d = (torch.from_numpy(tensors[f"layers.0.{name}"]) for name in ("b", "d"))

    def below(x: Any) -> Any:
        cells = x.view(2, grid, block, grid, block).permute(0, 2, 4, 1, 3).reshape(1, -1, grid, grid)
        return torch.conv2d(cells, wx, b, padding=local.reach).flatten(1)

    def own(y: Any) -> Any:
        return torch.conv2d(y.view(1, -1, grid, grid), wh, d, padding=local.reach).flatten(1)

    return [below, own]


class Onnx:
    """In onnxruntime."""

    def __init__(self, weights: Weights, *, int8: bool = False) -> None:
        import onnxruntime

        self._weights, self.state = weights, weights.start()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        with tempfile.TemporaryDirectory(prefix="egret-") as folder:
            path = Path(folder) / "step.onnx"
            path.write_bytes(graph(weights).SerializeToString())
            if int8:
                path = _quantised(path)
            self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._names = [part.name for part in self._session.get_inputs()]

    def step(self, given: Any) -> Floats:
        """Logits after counts or a token."""
        logits, *self.state = self._session.run(None, dict(zip(self._names, [self._weights.inputs(given), *self.state], strict=True)))
        return np.asarray(logits[0])


def _quantised(path: Path) -> Path:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    out = path.with_name("int8.onnx")
    with _quiet():
        quantize_dynamic(path, out, weight_type=QuantType.QInt8, per_channel=True)
    return out


class _Nodes:
    """Nodes and constants of an ONNX graph as they are added, in order."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.one, self.zero = self.constant("one", np.ones(1)), self.constant("zero", np.zeros(1))

    def constant(self, name: str, values: Any) -> str:
        """Float32 `values` by this name."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    def node(self, kind: str, *inputs: str, out: str) -> str:
        """`out` as the operator `kind` makes it."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, list(inputs), [out]))
        return out

    def gates(self, x: str, matrix: Floats, bias: Floats, out: str) -> list[str]:
        """The parts z, r and g of x times `matrix` plus `bias`."""
        from onnx import helper

        self.node("MatMul", x, self.constant(f"{out}_w", matrix), out=f"{out}_x")
        self.node("Add", f"{out}_x", self.constant(f"{out}_b", bias), out=out)
        parts = [f"{out}_{gate}" for gate in "zrg"]
        self.nodes.append(helper.make_node("Split", [out], parts, axis=1))
        return parts

    def mixed(self, share: str, old: str, new: str, out: str) -> str:
        """Share * old + (1 - share) * new."""
        rest = self.node("Sub", self.one, share, out=f"{out}_rest")
        return self.node("Add", self.node("Mul", share, old, out=f"{out}_old"), self.node("Mul", rest, new, out=f"{out}_new"), out=out)

    def layer(self, index: int, x: str, h: str, y: str, parameters: tuple[Floats, ...]) -> tuple[str, str]:
        """An EGRU layer (models/egru.py): h and y after a step with the inputs x."""
        wx, wh, b, d, theta = parameters
        az, ar, ag = self.gates(x, wx, b, f"a{index}")
        qz, qr, qg = self.gates(y, wh, d, f"q{index}")
        z = self.node("Sigmoid", self.node("Add", az, qz, out=f"s{index}_z"), out=f"z{index}")
        r = self.node("Sigmoid", self.node("Add", ar, qr, out=f"s{index}_r"), out=f"r{index}")
        heard = self.node("Mul", r, qg, out=f"heard{index}")
        g = self.node("Tanh", self.node("Add", ag, heard, out=f"s{index}_g"), out=f"g{index}")
        c, limit = self.mixed(z, h, g, f"c{index}"), self.constant(f"theta{index}", theta)
        fires = self.node("Greater", c, limit, out=f"fires{index}")
        after = self.node("Where", fires, c, self.zero, out=f"{y}_next")
        return self.node("Sub", c, self.node("Where", fires, limit, self.zero, out=f"reset{index}"), out=f"{h}_next"), after


def graph(weights: Weights) -> Any:
    """An ONNX model of one step: x and the state of `Weights.start` in, logits and the next state out."""
    from onnx import TensorProto, checker, helper

    made, x, names, outputs = _Nodes(), "x", ["x"], ["logits"]
    for index, parameters in enumerate(weights.layers):
        h, y = f"h{index}", f"y{index}"
        after, x = made.layer(index, x, h, y, parameters)
        names, outputs = [*names, h, y], [*outputs, after, x]
    made.node("MatMul", x, made.constant("readout", weights.readout), out="p")
    outputs.append(made.mixed(made.constant("leak", np.array([weights.leak])), "o", "p", "o_next"))
    made.node("Add", "o_next", made.constant("bias", weights.bias), out="logits")
    sizes = [part.shape[1] for part in weights.start()]

    def described(names: list[str], sizes: list[int]) -> list[Any]:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size]) for name, size in zip(names, sizes, strict=True)]

    inputs = described([*names, "o"], [weights.layers[0][0].shape[0], *sizes])
    step = helper.make_graph(made.nodes, "step", inputs, described(outputs, [weights.bias.size, *sizes]), made.constants)
    model = helper.make_model(step, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    checker.check_model(model)
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Neither warnings nor log lines of tools that have something to say about themselves."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
