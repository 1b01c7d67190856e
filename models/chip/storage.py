"""A program on disk: one safetensors file, checked before anybody runs a number of it.

The file holds the integers as they are and a metadata entry ``egret`` whose value is JSON: the metadata of the checkpoint that the program
was made from (models.checkpoint), its kind as ``gesture program`` or ``language program``, the version of this format, and `density`.

    layers.{l}.wx, .wh int8, or of a pruned matrix
    layers.{l}.wx.where uint8 (a bit a weight, row by row: 1 where it is not zero) and layers.{l}.wx.kept int8 (those, in order)
                              layers.{l}.mx, .mh, .b, .d, .theta int32      as `models.chip.program.Layer`
    readout.w int8   readout.m, readout.b int32   leak: in the metadata
    embedding.rows int8   embedding.scale int16                             language only; readout.w is embedding.rows turned over
                                                                            and readout.m follows from embedding.scale: not stored
"""

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from models import checkpoint
from models.checkpoint import ENTRY
from models.chip.program import Embedding, Layer, Program, Readout, tied
from pipeline.errors import UserError

VERSION = 2
MAX_BYTES = 256 << 20
"""Larger files are refused unread: the chip itself has 19 MB."""
MOST_WEIGHTS = 8 * (19 << 20)
"""Of all layers, zeros counted: with a bit for each the chip would be full. More are neither written nor read."""
_LAYER = ("wx", "wh", "mx", "mh", "b", "d", "theta")
_MATRICES = ("wx", "wh")
_FORMATS = {"U8": np.uint8, "I8": np.int8, "I16": np.int16, "I32": np.int32}


def save(path: str | Path, program: Program) -> None:
    """Write `program` to `path` in one stroke. UserError where the place is not writable, or the program too large to be read again."""
    if (weights := _weights([program.inputs, *program.hidden])) > MOST_WEIGHTS:
        raise UserError(f"The program cannot be written: its layers have {weights:,} weights, and a file holds {MOST_WEIGHTS:,} at most.")
    tensors: dict[str, npt.NDArray[Any]] = {}
    for index, layer in enumerate(program.layers):
        for name in _LAYER:
            part = f"layers.{index}.{name}", getattr(layer, name)
            tensors |= _stored(*part) if name in _MATRICES else dict([part])
    tensors["readout.b"] = program.readout.b
    if program.embedding is None:
        tensors |= {"readout.w": program.readout.w, "readout.m": program.readout.m}
    else:
        tensors |= {"embedding.rows": program.embedding.rows, "embedding.scale": program.embedding.scale}
    about = program.metadata | {"kind": f"{program.kind} program", "version": VERSION, "leak": program.readout.leak}
    checkpoint.write(path, tensors, about, "program")


def load(path: str | Path, kind: str) -> Program:
    """The program of this kind at `path`. UserError, one sentence, for anything that is none or could overflow."""
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no program at {path}; make one with `egret compile`.")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"it is larger than {MAX_BYTES >> 20} MB")
        with safe_open(path, framework="numpy") as file:
            about = _about(file.metadata(), kind)
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (no dict, though it has keys)
            for name, part in slices.items():
                if part.get_dtype() not in _FORMATS:
                    raise ValueError(f"{name} is stored as {part.get_dtype()}")
            tensors = {name: file.get_tensor(name) for name in slices}
        return _program(tensors, about, kind)
    except (SafetensorError, OSError, ValueError, RecursionError, MemoryError) as error:
        raise UserError(f"The program {path} cannot be used: {error}; make it anew with `egret compile`.") from error


def is_program(path: str | Path) -> bool:
    """True where `path` is a program by its header, whatever state it is in; False for checkpoints and everything else."""
    return kind_of(path) is not None


def kind_of(path: str | Path) -> str | None:
    """The kind of the program at `path` by its header ("gesture" or "language" for ours); None for checkpoints and everything else."""
    if not Path(path).is_file():  # a pipe would be waited for
        return None
    try:
        with safe_open(Path(path), framework="numpy") as file:
            kind = str(json.loads((file.metadata() or {}).get(ENTRY, "{}")).get("kind", ""))
    except (SafetensorError, OSError, ValueError, AttributeError, RecursionError):
        return None
    return kind.removesuffix(" program") if kind.endswith(" program") else None


def _about(entries: dict[str, str] | None, kind: str) -> dict[str, Any]:
    about = json.loads((entries or {}).get(ENTRY, "{}"))
    if not isinstance(about, dict) or about.get("kind") != f"{kind} program":
        found = about.get("kind", "something else") if isinstance(about, dict) else "something else"
        raise ValueError(f"it holds {found!r} where a {kind} program is needed")
    if about.get("version") != VERSION:
        raise ValueError(f"it is of version {about.get('version')}, and this Egret reads version {VERSION}")
    leak = about.get("leak")
    if not isinstance(leak, int) or isinstance(leak, bool):
        raise ValueError("its leak is no whole number")
    checkpoint.shapes(about | {"kind": kind})  # what the application reads of the metadata is there and possible
    if (weights := _weights(_sizes(about["config"], kind))) > MOST_WEIGHTS:
        raise ValueError(f"its layers have {weights:,} weights, those that are gone counted: more than the chip has bits")
    return about


def _sizes(config: dict[str, Any], kind: str) -> list[int]:
    """How many inputs there are, and how many units a layer."""
    return [config["embedding"] if kind == "language" else config["inputs"], *config["hidden"]]


def _weights(sizes: list[int]) -> int:
    """Weights of the layers of so many inputs and units, zeros counted."""
    return sum(3 * units * (into + units) for into, units in pairwise(sizes))


def _stored(name: str, matrix: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """The tensors that `matrix` is on disk: itself, or where it is not zero and what is there, if that is less."""
    kept = matrix[matrix != 0]
    if matrix.size // 8 + kept.size >= matrix.size:
        return {name: matrix}
    return {f"{name}.where": np.packbits(matrix != 0), f"{name}.kept": kept}


def _matrix(name: str, shape: tuple[int, int], take: Callable[[str], npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """What `_stored` took apart, of this `shape`. ValueError where it is not."""
    where, kept = take(f"{name}.where"), take(f"{name}.kept")
    size = math.prod(shape)
    if where.shape != (-(-size // 8),) or where.dtype != np.uint8:
        raise ValueError(f"{name}.where does not say of each of {size:,} weights whether it is there")
    there = np.unpackbits(where, count=size).view(np.bool_)
    if kept.shape != (np.count_nonzero(there),) or kept.dtype != np.int8:
        raise ValueError(f"{name}.kept does not hold the {np.count_nonzero(there):,} weights that are there")
    matrix = np.zeros(size, np.int8)
    matrix[there] = kept
    return matrix.reshape(shape)


def _program(tensors: dict[str, npt.NDArray[Any]], about: dict[str, Any], kind: str) -> Program:
    """The program of these tensors; ValueError where one is missing, too many, or not as `Program` wants it."""
    rest = dict(tensors)

    def take(name: str) -> npt.NDArray[Any]:
        if name not in rest:
            raise ValueError(f"the tensor {name} is missing")
        return rest.pop(name)

    layers: list[Layer] = []
    config = about["config"]
    for index, (into, units) in enumerate(pairwise(_sizes(config, kind))):
        parts = {}
        for name in (f"layers.{index}.{part}" for part in _LAYER):
            rows = units if name.endswith(".wh") else into
            parts[name] = _matrix(name, (rows, 3 * units), take) if f"{name}.where" in rest else take(name)
        layers.append(Layer(*parts.values()))
    embedding = None
    leak = about.pop("leak")
    if kind == "language":
        embedding = Embedding(take("embedding.rows"), take("embedding.scale"))
        if embedding.rows.ndim != 2 or embedding.scale.shape != embedding.rows.shape[:1]:
            raise ValueError("the embedding's scales do not fit its rows")
        readout = tied(embedding, take("readout.b"))
    else:
        readout = Readout(take("readout.w"), take("readout.m"), take("readout.b"), leak)
    if rest:
        raise ValueError(f"there is a tensor {min(rest)} that does not belong to such a network")
    program = Program(kind, embedding, tuple(layers), readout, about | {"kind": kind})
    found = [list(program.hidden), program.inputs, program.readout.b.size]
    said = [config["hidden"], *((config["embedding"], config["vocabulary"]) if embedding else (config["inputs"], len(about["labels"])))]
    if found != said:
        raise ValueError(f"its layers, inputs and outputs are {found}, and its config says {said}")
    return program
