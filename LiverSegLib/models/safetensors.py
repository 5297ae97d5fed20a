"""Tensors in the safetensors format, read and written with numpy alone.

The format is 8 bytes with the header's length (little-endian), the header (a JSON object: tensor name ->
dtype, shape, data_offsets; optionally ``__metadata__``, text to text) and the raw little-endian row-major
data. The safetensors package is absent from 3D Slicer, hence this reader; the tests hold it against that
package.

The reader takes the file for hostile: every number is checked before it is used, the tensors must tile the
data without gap or overlap, and the only error that it raises on purpose or by accident is
``ModelCorruptError``.
"""

import json
import os
import struct
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, NamedTuple, NoReturn, Optional, Tuple, Union

import numpy as np

from LiverSegLib.errors import DeviceError, ModelCorruptError, OutputError
from LiverSegLib.models.files import MAX_WEIGHTS_BYTES, Buffer, PathLike, read_within, write_whole
from LiverSegLib.sentences import Sentence

Source = Union[PathLike, Buffer]

MAX_HEADER_BYTES = 16 * 1024**2
"""Longest header accepted: room for 100,000 tensors; the reference implementation stops at 100 MB."""
MAX_DIMENSIONS = 32
"""Most axes of one tensor: what numpy 1.26 can hold."""

_LENGTH = struct.Struct("<Q")
_METADATA = "__metadata__"
_MAX_INTEGER = 2**63 - 1
_MAX_DIGITS = 19


class _Kind(NamedTuple):
    """How a dtype of the format is stored (little-endian numpy dtype) and what torch calls it."""

    stored: np.dtype
    torch_name: str


_KINDS: Dict[str, _Kind] = {
    "BOOL": _Kind(np.dtype("u1"), "bool"),
    "U8": _Kind(np.dtype("u1"), "uint8"),
    "I8": _Kind(np.dtype("i1"), "int8"),
    "I16": _Kind(np.dtype("<i2"), "int16"),
    "I32": _Kind(np.dtype("<i4"), "int32"),
    "I64": _Kind(np.dtype("<i8"), "int64"),
    "F16": _Kind(np.dtype("<f2"), "float16"),
    "BF16": _Kind(np.dtype("<u2"), "bfloat16"),
    "F32": _Kind(np.dtype("<f4"), "float32"),
    "F64": _Kind(np.dtype("<f8"), "float64"),
}
_WRITABLE = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64",
    "float16": "F16", "float32": "F32", "float64": "F64",
}  # fmt: skip


@dataclass(frozen=True)
class TensorView:
    """One tensor that has been checked but not yet converted.

    ``dtype`` is the format's name ("F32"), ``shape`` the size along each axis, ``data`` the raw bytes, not
    copied.
    """

    dtype: str
    shape: Tuple[int, ...]
    data: memoryview


@dataclass(frozen=True)
class TensorFile:
    """A checked file: its tensors in the order of their data, and its metadata."""

    tensors: Dict[str, TensorView]
    metadata: Dict[str, str]


def open_tensors(source: Source) -> TensorFile:
    """Check a file, or bytes that were read from one, and return views of its tensors.

    Raises:
        ModelCorruptError: the file is missing, truncated, damaged or hostile; the sentence says how.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _parse(memoryview(source).cast("B"))
    return _parse(memoryview(read_within(source, MAX_WEIGHTS_BYTES)))


def read_tensors(source: Source) -> Dict[str, np.ndarray]:
    """Return each tensor as a numpy array of its own (aligned, writable, native byte order).

    BF16, which numpy does not have, comes as float32 of exactly the same value.

    Raises:
        ModelCorruptError: as :func:`open_tensors`.
    """
    return {name: _to_numpy(name, view) for name, view in open_tensors(source).tensors.items()}


def load_state_dict(source: Source) -> Dict[str, Any]:
    """Return each tensor as a ``torch.Tensor`` on the CPU, of its own memory and its own dtype, BF16
    included.

    Goes past numpy, because torch 2.1 and 2.2 cannot take arrays of numpy 2.

    Raises:
        ModelCorruptError: as :func:`open_tensors`.
        DeviceError: PyTorch is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise DeviceError(Sentence("model.no-torch"), str(error)) from error
    state = {}
    for name, view in open_tensors(source).tensors.items():
        _check_booleans(name, view)
        dtype = getattr(torch, _KINDS[view.dtype].torch_name)
        if len(view.data):
            state[name] = torch.frombuffer(bytearray(view.data), dtype=dtype).reshape(view.shape)
        else:  # frombuffer refuses an empty buffer
            state[name] = torch.empty(view.shape, dtype=dtype)
    return state


def save_tensors(
    path: PathLike, tensors: Mapping[str, np.ndarray], metadata: Optional[Mapping[str, str]] = None
) -> None:
    """Write ``tensors`` to ``path`` in one step; equal input gives equal bytes.

    Args:
        path: the file, replaced if it exists.
        tensors: name -> array of bool, uint8, int8 to int64 or float16 to float64, of any shape and memory
        order. metadata: text to text, kept in the header.

    Raises:
        ValueError: a name, a dtype or the metadata cannot be stored.
        OutputError: the file cannot be written; what was there before is untouched.
    """
    header, chunks = _serialise(tensors, metadata)
    try:
        write_whole(path, _LENGTH.pack(len(header)), header, *chunks)
    except OSError as error:
        raise OutputError(
            f"The weights cannot be written to {os.path.basename(os.fspath(path))}: {error.strerror}.",
            str(error),
        ) from error


def _parse(buffer: memoryview) -> TensorFile:
    """Check the whole layout of a file's bytes."""
    header = _read_header(buffer)
    data = buffer[_LENGTH.size + _LENGTH.unpack_from(buffer)[0] :]
    metadata = _check_metadata(header.pop(_METADATA, {}))
    spans = [(*_check_entry(name, entry, len(data)), name) for name, entry in header.items()]
    spans.sort(key=lambda span: (span[2], span[3]))
    position, tensors = 0, {}
    for dtype, shape, begin, end, name in spans:
        if begin != position:
            trouble = "overlaps another" if begin < position else "leaves a gap before it"
            _refuse(f"the tensor {_quoted(name)} {trouble}")
        tensors[name] = TensorView(dtype, shape, data[begin:end])
        position = end
    if position != len(data):
        _refuse(f"{len(data) - position} bytes follow the last tensor")
    return TensorFile(tensors, metadata)


def _read_header(buffer: memoryview) -> Dict[str, Any]:
    if not len(buffer):
        _refuse("the file is empty")
    if len(buffer) < _LENGTH.size:
        _refuse("the file ends within its first eight bytes")
    (length,) = _LENGTH.unpack_from(buffer)
    if length > MAX_HEADER_BYTES:
        _refuse(f"its header claims {length} bytes, more than the {MAX_HEADER_BYTES} that are accepted")
    if length > len(buffer) - _LENGTH.size:
        _refuse("the file ends within its header")
    raw = bytes(buffer[_LENGTH.size : _LENGTH.size + length])
    if not raw.startswith(b"{"):
        _refuse("its header does not start with a brace")
    try:
        return json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique_keys,
            parse_int=_short_integer,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
    except UnicodeDecodeError as error:
        raise ModelCorruptError(
            "The model's weights are damaged: the header is not UTF-8.", str(error)
        ) from error
    except (ValueError, RecursionError) as error:
        raise ModelCorruptError(
            "The model's weights are damaged: the header is not JSON.", str(error)
        ) from error


def _unique_keys(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    """A JSON object whose keys differ; with a repeated key two readers could see two different files."""
    result: Dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            _refuse(f"the header names {_quoted(key)} twice")
        if not _is_text(key):
            _refuse(f"the header's key {_quoted(key)} is no valid text")
        result[key] = value
    return result


def _short_integer(digits: str) -> int:
    """Convert an integer only if it can be a size: a million digits would take Python 3.9 seconds."""
    if len(digits.lstrip("-")) > _MAX_DIGITS:
        _refuse("the header holds a number too large for any file")
    return int(digits)


def _no_number(text: str) -> NoReturn:
    _refuse(f"the header holds {_quoted(text)} where only whole numbers belong")


def _check_metadata(metadata: Any) -> Dict[str, str]:
    if not isinstance(metadata, dict) or not all(map(_is_text, metadata.values())):
        _refuse("the metadata must be text to text")
    return metadata


def _check_entry(name: str, entry: Any, data_length: int) -> Tuple[str, Tuple[int, ...], int, int]:
    """Return (dtype, shape, begin, end) of one tensor after checking them against each other and the file."""
    tensor = f"the tensor {_quoted(name)}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        _refuse(f"{tensor} needs exactly dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _KINDS:
        _refuse(f"{tensor} has the unknown dtype {_quoted(dtype)}")
    if not _are_sizes(shape) or len(shape) > MAX_DIMENSIONS:
        _refuse(f"{tensor} has an impossible shape")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        _refuse(f"{tensor} has impossible offsets")
    begin, end = offsets
    if end > data_length:
        _refuse(f"the file ends before the end of {tensor}")
    if _byte_count(tensor, dtype, shape) != end - begin:
        _refuse(f"{tensor} does not have the length that its shape and dtype ask for")
    return dtype, tuple(shape), begin, end


def _byte_count(tensor: str, dtype: str, shape: List[int]) -> int:
    """Bytes that ``shape`` takes; an axis of zero must not hide others that overflow."""
    extent = _KINDS[dtype].stored.itemsize
    for size in shape:
        extent *= max(size, 1)
        if extent > _MAX_INTEGER:
            _refuse(f"{tensor} has an impossible shape")
    return 0 if 0 in shape else extent


def _are_sizes(value: Any) -> bool:
    """A list of whole numbers 0..2^63-1 (bool is an int to Python, not to the format)."""
    return isinstance(value, list) and all(type(item) is int and 0 <= item <= _MAX_INTEGER for item in value)


def _is_text(value: Any) -> bool:
    """Text that UTF-8 can hold: JSON escapes can make lone surrogates."""
    if not isinstance(value, str):
        return False
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _check_booleans(name: str, view: TensorView) -> None:
    if view.dtype == "BOOL" and bytes(view.data).translate(None, b"\x00\x01"):
        _refuse(f"the tensor {_quoted(name)} holds truth values other than 0 and 1")


def _to_numpy(name: str, view: TensorView) -> np.ndarray:
    _check_booleans(name, view)
    stored = np.frombuffer(view.data, _KINDS[view.dtype].stored).reshape(view.shape)
    if view.dtype == "BF16":  # the upper half of a float32
        return (stored.astype(np.uint32) << np.uint32(16)).view(np.float32)
    if view.dtype == "BOOL":
        return stored.astype(np.bool_)
    return stored.astype(stored.dtype.newbyteorder("="))


def _serialise(
    tensors: Mapping[str, np.ndarray], metadata: Optional[Mapping[str, str]]
) -> Tuple[bytes, List[memoryview]]:
    """Return the padded header and the data of each tensor, the widest dtypes first so that all are
    aligned."""
    header: Dict[str, Any] = {}
    if metadata is not None:
        if not all(_is_text(item) for pair in metadata.items() for item in pair):
            raise ValueError("metadata must be text to text")
        header[_METADATA] = {key: metadata[key] for key in sorted(metadata)}
    arrays = {name: _storable(name, array) for name, array in tensors.items()}
    chunks: List[memoryview] = []
    position = 0
    for name in sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name)):
        array = arrays[name]
        end = position + array.nbytes
        header[name] = {
            "dtype": _WRITABLE[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [position, end],
        }
        chunks.append(memoryview(array.reshape(-1).view(np.uint8)))
        position = end
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER_BYTES:
        raise ValueError(
            f"the header would take {len(text)} bytes; at most {MAX_HEADER_BYTES} can be read back"
        )
    return text, chunks


def _storable(name: str, array: np.ndarray) -> np.ndarray:
    """Return ``array`` row-major and little-endian."""
    if not _is_text(name) or name == _METADATA:
        raise ValueError(f"a tensor cannot be called {name!r}")
    if not isinstance(array, (np.ndarray, np.generic)) or array.dtype.name not in _WRITABLE:
        kind = getattr(array, "dtype", None) or type(array).__name__
        raise ValueError(f"the tensor {name!r} is {kind}; available: numpy arrays of {sorted(_WRITABLE)}")
    return np.array(array, dtype=array.dtype.newbyteorder("<"), order="C", copy=True)


def _quoted(value: Any) -> str:
    """``value`` as it can be printed anywhere, cut to a length that a sentence can bear."""
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _refuse(reason: str) -> NoReturn:
    raise ModelCorruptError(Sentence("model.weights", reason=reason))
