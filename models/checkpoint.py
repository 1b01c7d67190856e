"""Weights on disk: one safetensors file per network, checked before anybody uses a number of it.

The file holds the tensors and a single metadata entry, ``egret``, whose value is JSON:

    {"kind": "gesture" | "language", "version": 1, "config": {...}, "labels": [...],
     "made": {"command", "seed", "date", "steps", "figures": {...}}, "licence": "...", "attribution": "..."}

`config` alone decides which tensors there must be and of which shape (`shapes`), so a file that passes `load` can be run without any
further check. Numbers are float16 or float32 on disk and always float32 in memory: float16 halves the file, and every backend starts from
exactly the same float32 value. Nothing here needs torch, because the live application does not.

Tensors, for layer l of H units with I inputs (gate order z, r, g; DESIGN.md section 4):

    layers.{l}.wx [I, 3H]   layers.{l}.wh [H, 3H]   layers.{l}.b [3H]   layers.{l}.d [3H]   layers.{l}.theta [H]
                                            (of a local first layer: kernels, models.local)
    gesture    readout.w [H_last, classes]   readout.b [classes]
    language   embedding [V, E] (tied: also the read-out)   bias [V]
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.local import Local
from pipeline.errors import UserError

VERSION = 1
KINDS = ("gesture", "language")
ENTRY = "egret"
MAX_UNITS = 1 << 16
"""Sizes above this in a header are refused: no network for the chip comes near, and a stranger's file must not choose our memory."""

Tensors = dict[str, npt.NDArray[np.float32]]
Metadata = dict[str, Any]


def shapes(metadata: Metadata) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor that a file with this metadata must hold, no more and no less.

    Raises ValueError with the reason where `config` or `labels` is incomplete, of a wrong type or out of range.
    """
    config = metadata.get("config")
    if not isinstance(config, dict):
        raise ValueError("it has no config")
    hidden = config.get("hidden")
    if not isinstance(hidden, list) or not hidden:
        raise ValueError("config.hidden is not a list of layer sizes")
    sizes = [_size(value, "hidden") for value in hidden]
    if metadata.get("kind") == "gesture":
        classes = _check_gesture(metadata, config)
        inputs = _size(config.get("inputs"), "inputs")
        ends: dict[str, tuple[int, ...]] = {"readout.w": (sizes[-1], classes), "readout.b": (classes,)}
    else:
        inputs = _size(config.get("embedding"), "embedding")
        vocabulary = _size(config.get("vocabulary"), "vocabulary")
        if sizes[-1] != inputs:
            raise ValueError(f"the last layer has {sizes[-1]} units but the tied embedding needs {inputs}")
        if not isinstance(config.get("tokenizer"), str):
            raise ValueError("config.tokenizer does not name the tokenizer file")
        ends = {"embedding": (vocabulary, inputs), "bias": (vocabulary,)}
    layers: dict[str, tuple[int, ...]] = {}
    for index, (into, units) in enumerate(zip([inputs, *sizes], sizes, strict=False)):
        layers[f"layers.{index}.wx"] = (into, 3 * units)
        layers[f"layers.{index}.wh"] = (units, 3 * units)
        layers[f"layers.{index}.b"] = (3 * units,)
        layers[f"layers.{index}.d"] = (3 * units,)
        layers[f"layers.{index}.theta"] = (units,)
    if (geometry := local_of(config)) is not None:
        if geometry.units != sizes[0] or geometry.inputs != inputs:
            raise ValueError(f"config.local has {geometry.units} units and {geometry.inputs} inputs, config {sizes[0]} and {inputs}")
        layers |= {f"layers.0.{name}": shape for name, shape in geometry.shapes().items()}
    return layers | ends


def local_of(config: dict[str, Any]) -> Local | None:
    """The geometry of the first layer if it is local. ValueError where it is incomplete or of impossible size."""
    entry = config.get("local")
    if entry is None:
        return None
    if not isinstance(entry, dict) or set(entry) != {"channels", "grid", "block", "reach"}:
        raise ValueError("config.local does not name channels, grid, block and reach")
    return Local(**{name: _size(value, f"local.{name}") for name, value in entry.items()})


def _size(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_UNITS:
        raise ValueError(f"config.{name} is not a size between 1 and {MAX_UNITS}")
    return value


def _check_gesture(metadata: Metadata, config: dict[str, Any]) -> int:
    labels = metadata.get("labels")
    if not isinstance(labels, list) or len(labels) < 2 or not all(isinstance(label, str) for label in labels):
        raise ValueError("labels is not a list of two or more class names")
    for name, low, high in (("window_us", 1, 10**7), ("leak", 0, 1), ("temperature", 1e-3, 1e3), ("threshold", 0, 1)):
        value = config.get(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"config.{name} is not a number between {low:g} and {high:g}")
    return len(labels)


def save(path: str | Path, tensors: dict[str, npt.NDArray[Any]], metadata: Metadata) -> None:
    """Write `tensors` (float16 or float32, stored as they are) and `metadata` to `path`, in one stroke.

    The file appears complete or not at all: it is written beside its place and renamed. `kind` must be in the metadata; `version` is added.
    Raises ValueError where tensors and metadata do not belong together (the caller's mistake), UserError where the place is not writable.
    """
    metadata = {"version": VERSION} | metadata
    _compare(shapes(metadata), {name: tuple(value.shape) for name, value in tensors.items()})
    for name, value in tensors.items():
        if value.dtype not in (np.float16, np.float32) or not np.isfinite(value).all():
            raise ValueError(f"{name} is not finite float16 or float32")
    write(path, tensors, metadata, "weights")


def write(path: str | Path, tensors: dict[str, npt.NDArray[Any]], about: dict[str, Any], what: str, entry: str = ENTRY) -> None:
    """Write a safetensors file with `about` as the JSON of its metadata's `entry`, in one stroke: complete or not at all.

    UserError, which calls it `what`, where the place is not writable.
    """
    path = Path(path)
    scratch = path.with_name(path.name + ".part")
    try:
        contiguous = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
        save_file(contiguous, scratch, {entry: json.dumps(about, ensure_ascii=False)})
        scratch.chmod(0o644)  # the library makes it private
        scratch.replace(path)
    except (OSError, SafetensorError) as error:
        scratch.unlink(missing_ok=True)
        raise UserError(f"The {what} could not be written to {path} ({error}); choose a folder that exists and has room.") from error


def load(path: str | Path, kind: str | None = None, *, written_out: bool = True) -> tuple[Tensors, Metadata]:
    """Tensors (float32) and metadata of the weights at `path`; with `kind`, only of a network of that kind.

    A local first layer is written out as an ordinary one (models.local), unless `written_out` is False.

    Raises UserError with one sentence for a missing file, a file of another format, a broken header, metadata that does not fit, a wrong
    kind, wrong shapes, other number formats and numbers that are not finite. Shapes are compared before any number is read.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There are no weights at {path}; name an existing .safetensors file.")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = _metadata(file.metadata())
            if kind is not None and metadata["kind"] != kind:
                raise ValueError(f"it holds a {metadata['kind']} network where a {kind} network is needed")
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (no dict, though it has keys)
            _compare(shapes(metadata), {name: tuple(part.get_shape()) for name, part in slices.items()})
            for name, part in slices.items():
                if part.get_dtype() not in ("F16", "F32"):
                    raise ValueError(f"{name} is stored as {part.get_dtype()}, not as float16 or float32")
            tensors = {name: file.get_tensor(name).astype(np.float32) for name in slices}
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise UserError(f"The weights {path} cannot be used: {error}; take a file written by `egret train`.") from error
    for name, value in tensors.items():
        if not np.isfinite(value).all() or (name.endswith(".theta") and value.min() < 0):
            raise UserError(f"The weights {path} cannot be used: {name} holds impossible numbers; take a file written by `egret train`.")
    geometry = local_of(metadata["config"]) if written_out else None
    if geometry is not None:
        kernels = {name: tensors.pop(f"layers.0.{name}") for name in geometry.shapes()}
        tensors |= {f"layers.0.{name}": value for name, value in geometry.written_out(kernels).items()}
    return tensors, metadata


def digest(path: str | Path) -> str:
    """The first 12 hexadecimal digits of the file's SHA-256: the name of exactly these weights in every output."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:12]
    except OSError as error:
        raise UserError(f"The weights {path} cannot be read ({error.strerror}).") from error


def _metadata(entries: dict[str, str] | None) -> Metadata:
    text = (entries or {}).get(ENTRY)
    if text is None:
        raise ValueError("it was not written by Egret (no metadata of ours)")
    metadata = json.loads(text)
    if not isinstance(metadata, dict) or metadata.get("kind") not in KINDS:
        raise ValueError(f"its kind is not one of {', '.join(KINDS)}")
    if metadata.get("version") != VERSION:
        raise ValueError(f"it is of version {metadata.get('version')}, and this Egret reads version {VERSION}")
    return metadata


def _compare(wanted: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]]) -> None:
    for name in wanted.keys() - found.keys():
        raise ValueError(f"the tensor {name} is missing")
    for name in found.keys() - wanted.keys():
        raise ValueError(f"there is a tensor {name} that does not belong to such a network")
    for name, shape in wanted.items():
        if found[name] != shape:
            raise ValueError(f"{name} has the shape {list(found[name])} where {list(shape)} is needed")
