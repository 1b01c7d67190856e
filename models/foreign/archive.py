"""Checkpoints that torch wrote (`torch.save` of a state_dict), read without torch and without running anything that they hold.

Such a file is a ZIP archive, whose members are not compressed:

    NAME/data.pkl     a pickle: names, and for each a tensor (which storage, first element, shape, strides)
    NAME/data/KEY     the numbers of storage KEY, one after the other
    NAME/byteorder    "little" or "big" (absent in older files: little)

A pickle is a program, and an ordinary reader calls whatever it names; a file from a stranger can so run anything. A state_dict needs two
dozen of the opcodes and three names, so `_Machine` knows these alone and makes nothing but dictionaries, tuples, numbers, strings and
descriptions of tensors. Whatever else a file asks for is refused by its name. torch's own reader with `weights_only=True` does the same,
but takes seconds to import and is not there where Egret only runs.

**Memory.** Nothing is allocated on the word of the file: members that are compressed are refused, all members together may not claim more
than the file has, a tensor must lie within its storage and may not repeat an element, and the pickle, which grows by what it is read, is
limited to `MAX_PICKLE_BYTES`. The caller compares the shapes with those that it needs before it reads a number.
"""

import math
import pickletools
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

MAX_PICKLE_BYTES = 1 << 24
"""A hundred times what the largest published model of a thousand tensors needs."""
MAX_DIMENSIONS = 8
MAX_SIZE = 1 << 40
"""Of one dimension; keeps products of sizes small."""
SIGNATURE = b"PK\x03\x04"
LEGACY = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
"""How a file begins that torch wrote before its version 1.6: its magic number, 0x1950a86a20f9469cfc6c, pickled. The first byte alone
would not do: it is also that of a safetensors file whose header has, say, 128 bytes."""
_DAMAGED = (LookupError, TypeError, ValueError, AttributeError, OverflowError)
"""What a pickle that no torch has written may cause."""


class Storage(NamedTuple):
    """Numbers of one kind, one after the other."""

    kind: str
    """torch's name of the class, such as ``FloatStorage``."""
    key: str
    numbers: int


class Tensor(NamedTuple):
    """Which numbers of a storage make a tensor; `offset` and `strides` count numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Name(NamedTuple):
    """What a pickle calls by name."""

    module: str
    name: str


def is_archive(path: Path) -> bool:
    """True for a file that torch wrote, old or new, or for any other ZIP archive: none of them is one of Egret's own.

    What is no ordinary file is none; a pipe is not even opened, which would wait for somebody to write.
    """
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(LEGACY)).startswith((SIGNATURE, LEGACY))
    except OSError:
        return False


class Archive:
    """An open checkpoint: `tensors` by name, and their numbers where asked for. Use as a context manager.

    ValueError with the reason, here and in `read`, for a file that is damaged or no plain state_dict; OSError where it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            if file.read(len(LEGACY)) == LEGACY:
                raise ValueError("torch wrote it before its version 1.6; load and save it once with a torch of today")
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError) as error:
            raise ValueError(f"it is no ZIP archive as torch writes them, or damaged ({error})") from None
        try:
            self._members = self._checked(path.stat().st_size)
            self.tensors = state_dict(self._contents(self._only("/data.pkl")))
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def read(self, name: str) -> Floats:
        """The tensor `name` as float32, contiguous."""
        tensor = self.tensors[name]
        kind = tensor.storage.kind
        if kind not in _KINDS:
            raise ValueError(f"{name} is stored as {kind}, not as floating-point numbers")
        dtype, widen = _KINDS[kind]
        member = self._members.get(f"{self._root}/data/{tensor.storage.key}")
        if member is None or member.file_size < tensor.storage.numbers * dtype.itemsize:
            raise ValueError(f"the numbers of {name} are missing or fewer than there should be")
        _check_extent(name, tensor)
        stored = np.frombuffer(self._contents(member), dtype, tensor.storage.numbers)
        strides = tuple(step * dtype.itemsize for step in tensor.strides)
        chosen = np.lib.stride_tricks.as_strided(stored[tensor.offset :], tensor.shape, strides, writeable=False)
        return widen(np.ascontiguousarray(chosen))

    def _checked(self, size: int) -> dict[str, zipfile.ZipInfo]:
        """The members by name, none of them larger than the file has room for."""
        members = self._zip.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1 for member in members):
            raise ValueError("its parts are compressed or encrypted, as torch never writes them")
        if sum(member.file_size for member in members) > size:
            raise ValueError("it claims to hold more than the file has")
        return {member.filename: member for member in members}

    def _only(self, ending: str) -> zipfile.ZipInfo:
        found = [member for name, member in self._members.items() if name.endswith(ending) and name.count("/") == 1]
        if len(found) != 1:
            raise ValueError("it is a ZIP archive, but none that torch wrote")
        if found[0].file_size > MAX_PICKLE_BYTES:
            raise ValueError("its list of tensors is far too long")
        self._root = found[0].filename.removesuffix(ending)
        order = self._members.get(f"{self._root}/byteorder")
        if order is not None and order.file_size < 16 and self._contents(order) != b"little":
            raise ValueError("its numbers have the order of bytes of another kind of computer; save it again on this one")
        return found[0]

    def _contents(self, member: zipfile.ZipInfo) -> bytes:
        try:
            return self._zip.read(member)
        except (zipfile.BadZipFile, EOFError, struct.error, RuntimeError, ValueError) as error:
            raise ValueError(f"a part of it is damaged ({error})") from None


def _check_extent(name: str, tensor: Tensor) -> None:
    """ValueError where `tensor` reaches beyond its storage or is larger than it (elements repeated)."""
    extent = tensor.offset + sum(step * (size - 1) for step, size in zip(tensor.strides, tensor.shape, strict=True)) + 1
    if math.prod(tensor.shape) > tensor.storage.numbers or (0 not in tensor.shape and extent > tensor.storage.numbers):
        raise ValueError(f"{name} lies outside of its numbers")


def state_dict(pickled: bytes) -> dict[str, Tensor]:
    """The tensors of a pickled state_dict, by name. ValueError where it is none, is damaged, or asks for anything to be run."""
    try:
        found = _Machine().run(pickled)
    except _Refused as refused:
        raise ValueError(str(refused)) from None
    except _DAMAGED:
        raise ValueError("its list of tensors is damaged") from None
    if not isinstance(found, dict) or not found:
        raise ValueError("it holds no state_dict")
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ValueError(f"its entry {str(name)[:60]!r} is no tensor; save the model's state_dict alone")
    return found


class _Refused(Exception):
    """A pickle asks for something that no weights need."""


_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_FRESH: dict[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_LITERALS = frozenset(("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE"))
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Machine:
    """Runs the opcodes that a state_dict is pickled with: a stack, marks in it, and a memo."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._actions: dict[str, Callable[[], None]] = {
            "MARK": lambda: self._marks.append(len(self._stack)),
            "TUPLE": lambda: self._stack.append(tuple(self._since_mark())),
            "APPEND": lambda: self._extend([self._stack.pop()]),
            "APPENDS": lambda: self._extend(self._since_mark()),
            "SETITEM": lambda: self._update([self._stack.pop(-2), self._stack.pop()]),
            "SETITEMS": lambda: self._update(self._since_mark()),
            "REDUCE": self._call,
            "BINPERSID": lambda: self._stack.append(_storage(self._stack.pop())),
            "BUILD": self._ignore_attributes,
        }

    def run(self, pickled: bytes) -> Any:
        """What the pickle describes."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python's, of escapes in a damaged pickle's strings
            return self._carry_out(pickled)

    def _carry_out(self, pickled: bytes) -> Any:
        argument: Any
        for opcode, argument, _ in pickletools.genops(pickled):
            name = opcode.name
            if name == "STOP":
                return self._stack.pop()
            if name in self._actions:
                self._actions[name]()
            elif name in _LITERALS:
                self._stack.append(argument)
            elif name in ("BINGET", "LONG_BINGET"):
                self._stack.append(self._memo[argument])
            elif name in ("BINPUT", "LONG_BINPUT"):
                self._memo[argument] = self._stack[-1]
            elif name in _CONSTANTS:
                self._stack.append(_CONSTANTS[name])
            elif name in _FRESH:
                self._stack.append(_FRESH[name]())
            elif name in _TUPLES:
                self._stack[-_TUPLES[name] :] = [tuple(self._stack[-_TUPLES[name] :])]
            elif name == "GLOBAL":
                self._stack.append(_Name(*argument.split(" ", 1)))
            elif name != "PROTO":
                raise _Refused(f"it holds something else than weights (the pickle's operation {name})")
        raise ValueError("the pickle does not end")

    def _since_mark(self) -> list[Any]:
        start = self._marks.pop()
        taken = self._stack[start:]
        del self._stack[start:]
        return taken

    def _extend(self, values: list[Any]) -> None:
        self._of(list).extend(values)

    def _update(self, pairs: list[Any]) -> None:
        target = self._of(dict)
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(key, (str, int)):
                raise TypeError("a key of another kind")
            target[key] = value

    def _ignore_attributes(self) -> None:
        self._stack.pop()
        self._of(dict)

    def _of(self, kind: type) -> Any:
        """The topmost value, which must be of `kind`."""
        if not isinstance(self._stack[-1], kind):
            raise TypeError("another kind of value")
        return self._stack[-1]

    def _call(self) -> None:
        arguments, called = self._stack.pop(), self._stack.pop()
        if not isinstance(called, _Name):
            raise TypeError("a call of something without a name")
        if called not in _CALLS:
            raise _Refused(f"it wants {called.module}.{called.name} to be run, which no weights need")
        self._stack.append(_CALLS[called](*arguments))


def _ordered_dict() -> dict[Any, Any]:
    return {}


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
    """As `torch._utils._rebuild_tensor_v2`; the rest says whether a gradient is wanted."""
    sizes = (*shape, *strides, offset)
    whole = all(type(size) is int and 0 <= size < MAX_SIZE for size in sizes)
    if not isinstance(storage, Storage) or not whole or len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS:
        raise TypeError("no tensor")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


def _parameter(tensor: Any, *_: Any) -> Any:
    """As `torch._utils._rebuild_parameter`."""
    return tensor


_CALLS: dict[_Name, Callable[..., Any]] = {
    _Name("collections", "OrderedDict"): _ordered_dict,
    _Name("torch._utils", "_rebuild_tensor_v2"): _tensor,
    _Name("torch._utils", "_rebuild_parameter"): _parameter,
}


def _storage(identity: Any) -> Storage:
    """The storage that ("storage", class, key, device, numbers) names."""
    tag, kind, key, _, numbers = identity
    if tag != "storage" or not isinstance(kind, _Name) or kind.module != "torch" or not isinstance(key, str):
        raise TypeError("no storage")
    if type(numbers) is not int or not 0 <= numbers < MAX_SIZE:
        raise ValueError("no number of numbers")
    return Storage(kind.name, key, numbers)


def _from_bfloat16(bits: npt.NDArray[Any]) -> Floats:
    """float32 from the upper halves of its bits."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def _to_float32(values: npt.NDArray[Any]) -> Floats:
    with np.errstate(over="ignore"):  # what becomes infinite is found by whoever looks for numbers that are not finite
        return values.astype(np.float32)


_KINDS: dict[str, tuple[np.dtype[Any], Callable[[npt.NDArray[Any]], Floats]]] = {
    "FloatStorage": (np.dtype("<f4"), _to_float32),
    "DoubleStorage": (np.dtype("<f8"), _to_float32),
    "HalfStorage": (np.dtype("<f2"), _to_float32),
    "BFloat16Storage": (np.dtype("<u2"), _from_bfloat16),
}
