"""PyTorch's checkpoints: the tensors and plain values in a .pth file, read without PyTorch and without
running it.

Since version 1.6 PyTorch writes a zip archive: a pickle that describes everything (see :mod:`plain_pickle`)
and a member for each storage of numbers, uncompressed. Tensors are read one by one when they are asked for,
so that what nobody needs, such as the optimizer's state, never enters memory.
"""

import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Dict, Mapping, NoReturn, Optional, Tuple, Type

import numpy as np

from LiverSegLib.errors import ModelCorruptError
from LiverSegLib.models.files import MAX_WEIGHTS_BYTES, PathLike, quoted
from LiverSegLib.models.importers.plain_pickle import MAX_BYTES, Inert, read_pickle
from LiverSegLib.sentences import Sentence

MAX_MEMBERS = 100_000
MAX_AXES = 8

DTYPES = {
    "FloatStorage": "float32", "HalfStorage": "float16", "DoubleStorage": "float64",
    "BFloat16Storage": "bfloat16", "LongStorage": "int64",
    "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "uint8",
}  # fmt: skip
"""PyTorch's class of storage -> its numbers."""


@dataclass(frozen=True)
class Storage:
    """A row of numbers in the archive: their type, the member's name, how many."""

    dtype: str
    key: str
    count: int


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in the archive, not yet read; offset and strides are counted in numbers of its storage."""

    storage: Storage
    offset: int
    shape: Tuple[int, ...]
    strides: Tuple[int, ...]


class Checkpoint:
    """An open .pth file; to be used in a ``with`` statement.

    Args:
        path: the file.
        table: the names that it may hold, as :func:`read_pickle` takes them.

    Attributes:
        values: what the file holds: plain values, with a :class:`StoredTensor` for each tensor.

    Raises:
        ModelCorruptError: it is no checkpoint, damaged, or would run code; the sentence says which.
    """

    def __init__(self, path: PathLike, table: "Optional[Mapping[str, Any]]" = None) -> None:
        self.name, self._table = Path(path).name, TABLE if table is None else table
        try:
            self._archive = zipfile.ZipFile(path)
        except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
            raise ModelCorruptError(Sentence("add.no-checkpoint", name=self.name), str(error)) from error
        try:
            self._members = self._checked_members()
            self.values = self._read_values()
        except BaseException:
            self._archive.close()
            raise

    def __enter__(self) -> "Checkpoint":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._archive.close()

    def read_tensor(self, tensor: StoredTensor) -> np.ndarray:
        """The tensor's numbers, of its own shape; bfloat16 as float32 of the same value.

        Raises:
            ModelCorruptError: it reaches beyond its storage, or the storage is not what the file says.
        """
        storage = tensor.storage
        stored = "<u2" if storage.dtype == "bfloat16" else np.dtype(storage.dtype).newbyteorder("<").str
        numbers = np.frombuffer(self._read(f"data/{storage.key}", MAX_WEIGHTS_BYTES), stored)
        last = tensor.offset + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides))
        count = math.prod(tensor.shape)
        if numbers.size < storage.count or count > numbers.size or (count and last >= numbers.size):
            self._damaged(f"a tensor of shape {tensor.shape} in {numbers.size} numbers")
        step = numbers.dtype.itemsize
        view = np.lib.stride_tricks.as_strided(
            numbers[tensor.offset :], tensor.shape, tuple(stride * step for stride in tensor.strides)
        )
        if storage.dtype == "bfloat16":
            return (view.astype(np.uint32) << np.uint32(16)).view(np.float32)
        return np.array(view, order="C").astype(np.dtype(storage.dtype), copy=False)

    def _checked_members(self) -> Dict[str, zipfile.ZipInfo]:
        """Member by its name within the archive's one folder."""
        entries = self._archive.infolist()
        if len(entries) > MAX_MEMBERS:
            self._damaged(f"{len(entries)} members")
        members = {entry.filename.partition("/")[2]: entry for entry in entries}
        if "data.pkl" not in members:
            raise ModelCorruptError(Sentence("add.no-checkpoint", name=self.name), "no data.pkl")
        if "byteorder" in members and self._archive.read(members["byteorder"])[:6] != b"little":
            self._damaged("its numbers are big-endian")
        return members

    def _read_values(self) -> Mapping[str, Any]:
        values = read_pickle(self._read("data.pkl", MAX_BYTES), self._table, _storage, self.name)
        if not isinstance(values, dict):
            self._damaged("it holds no dict")
        return values

    def _read(self, name: str, limit: int) -> bytes:
        entry = self._members.get(name)
        if entry is None:
            self._damaged(f"no member {quoted(name)}")
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            self._damaged(f"{quoted(name)} is compressed or encrypted")  # PyTorch never does; a bomb would
        if entry.file_size > limit:
            self._damaged(f"{quoted(name)} is {entry.file_size} bytes long")
        try:
            return self._archive.read(entry)
        except (OSError, ValueError, zipfile.BadZipFile, EOFError, NotImplementedError) as error:
            self._damaged(str(error))

    def _damaged(self, why: str) -> NoReturn:
        raise ModelCorruptError(Sentence("add.checkpoint-damaged", name=self.name), why)


def _storage(identifier: Any) -> Storage:
    """The storage of a persistent identifier: ("storage", class, key, device, count)."""
    _, kind, key, _, count = identifier
    if not isinstance(key, str) or len(key) > 20 or type(count) is not int or count < 0:
        raise ValueError("an impossible storage")
    return Storage(DTYPES[kind.name.rpartition(".")[2]], key, count)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> StoredTensor:
    if not isinstance(storage, Storage) or not len(shape) == len(strides) <= MAX_AXES:
        raise ValueError("an impossible tensor")
    if not all(type(number) is int and 0 <= number < 2**40 for number in (offset, *shape, *strides)):
        raise ValueError("an impossible shape")
    return StoredTensor(storage, offset, tuple(shape), tuple(strides))


def _scalar(kind: Any, data: Any = b"") -> Any:
    """A number of numpy, of the type that :func:`_dtype` returned."""
    return np.frombuffer(data, kind)[0].item() if isinstance(kind, np.dtype) and data else None


def _dtype(name: Any, *rest: Any) -> Any:
    """A type of numbers, little-endian; any other is nothing that we need."""
    return (
        np.dtype("<" + name) if name in ("f2", "f4", "f8", "i4", "i8", "u1", "b1") else Inert("numpy.dtype")
    )


def _encode(text: Any, encoding: Any) -> bytes:
    """How pickles of the older protocols write bytes; longer ones than a number are nothing that we need."""
    return text.encode("latin1") if isinstance(text, str) and len(text) <= 16 else b""


def _inert(name: str) -> Any:
    return lambda *arguments: Inert(name)


TABLE: Mapping[str, Any] = {
    "collections.OrderedDict": lambda *items: {},  # its items follow, as those of a dict
    "collections.defaultdict": lambda *kind: {},
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda tensor, *rest: tensor,
    **{f"torch.{name}": _inert(name) for name in DTYPES},
    "torch.Size": lambda sizes=(): sizes,
    "torch.device": _inert("torch.device"),
    "_codecs.encode": _encode,
    "numpy.dtype": _dtype,
    **{f"builtins.{name}": _inert(name) for name in ("int", "list", "dict", "set")},
    "numpy.ndarray": _inert("numpy.ndarray"),
    **{f"numpy.{core}.multiarray.scalar": _scalar for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray._reconstruct": _inert("numpy.ndarray") for core in ("core", "_core")},
    **{f"pathlib.{name}": _inert(name) for name in ("PosixPath", "PurePosixPath", "WindowsPath")},
    **{f"torch.{name}": _inert(name) for name in ("float32", "float16", "bfloat16", "float64", "int64")},
}  # fmt: skip
"""What nnU-Net's checkpoints name, beside the weights: counters, curves and arguments of the training. None
of these
is the object itself: each makes a plain value, or nothing."""
