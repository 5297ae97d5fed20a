"""Tensors of the safetensors format, as views of their bytes or as torch has them.

The format is 8 bytes with the header's length (little-endian), the header (a JSON object: tensor name ->
dtype, shape, data_offsets; optionally ``__metadata__``, text to text) and the raw little-endian row-major
data. The safetensors package is absent from 3D Slicer, hence this reader; the tests hold it against that
package. ``Model.read_weights`` compares a file's hash before it gets here; whoever made the file may still
mean harm, so every number is checked before it is used, and the tensors must tile the data.
"""

import json
import math
from dataclasses import dataclass
from typing import Any, Dict, List, NoReturn, Tuple, Union

from LiverSegLib.errors import DeviceError, ModelCorruptError
from LiverSegLib.models.files import MAX_WEIGHTS_BYTES, Buffer, PathLike, quoted, read_within
from LiverSegLib.sentences import Sentence

Source = Union[PathLike, Buffer]

MAX_HEADER_BYTES = 16 * 1024**2
"""Longest header accepted: room for 100,000 tensors; the reference implementation stops at 100 MB."""
MAX_DIMENSIONS = 32
"""Most axes of one tensor: what numpy 1.26 can hold."""
METADATA = "__metadata__"

DTYPES = {
    "U8": (1, "uint8"),
    "I8": (1, "int8"),
    "I16": (2, "int16"),
    "I32": (4, "int32"),
    "I64": (8, "int64"),
    "F16": (2, "float16"),
    "BF16": (2, "bfloat16"),
    "F32": (4, "float32"),
    "F64": (8, "float64"),
}
"""The format's name of a dtype -> bytes of one number, torch's name."""


@dataclass(frozen=True)
class TensorView:
    """One tensor, checked but not converted: the format's dtype, size along each axis, the raw bytes."""

    dtype: str
    shape: Tuple[int, ...]
    data: memoryview


def open_tensors(source: Source) -> Dict[str, TensorView]:
    """Views of the tensors in a file, or in the bytes of one, in the order of their data.

    Raises:
        ModelCorruptError: the file is missing, truncated or damaged; the sentence says how.
    """
    if not isinstance(source, (bytes, bytearray, memoryview)):
        source = read_within(source, MAX_WEIGHTS_BYTES)
    header, data = _split(memoryview(source).cast("B"))
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        _refuse("the metadata must be text to text")
    spans = sorted((*_span(name, entry, len(data)), name) for name, entry in header.items())
    position, tensors = 0, {}
    for begin, end, name in spans:
        if begin != position:
            trouble = "overlaps another" if begin < position else "leaves a gap before it"
            _refuse(f"the tensor {quoted(name)} {trouble}")
        tensors[name] = TensorView(header[name]["dtype"], tuple(header[name]["shape"]), data[begin:end])
        position = end
    if position != len(data):
        _refuse(f"{len(data) - position} bytes follow the last tensor")
    return tensors


def load_state_dict(source: Source) -> Dict[str, Any]:
    """Each tensor as a ``torch.Tensor`` on the CPU, of its own memory and dtype.

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
    for name, view in open_tensors(source).items():
        dtype = getattr(torch, DTYPES[view.dtype][1])
        flat = torch.frombuffer(bytearray(view.data), dtype=dtype) if len(view.data) else torch.empty(0)
        state[name] = flat.to(dtype).reshape(view.shape)  # frombuffer refuses an empty buffer
    return state


def _split(buffer: memoryview) -> Tuple[Dict[str, Any], memoryview]:
    """The header as JSON values, and the data."""
    if len(buffer) < 8:
        _refuse("the file ends within its first eight bytes" if len(buffer) else "the file is empty")
    end = 8 + int.from_bytes(buffer[:8], "little")
    if end - 8 > MAX_HEADER_BYTES:
        _refuse(f"its header claims {end - 8} bytes, more than the {MAX_HEADER_BYTES} that are accepted")
    if end > len(buffer):
        _refuse("the file ends within its header")
    if buffer[8:9] != b"{":
        _refuse("its header does not start with a brace")
    try:
        # Python 3.9 needs minutes for a number of a million digits; one of 20 is too large for a size already
        header = json.loads(
            bytes(buffer[8:end]).decode("utf-8"),
            object_pairs_hook=_unique_keys,
            parse_int=lambda digits: int(digits[:20]),
        )
    except UnicodeDecodeError as error:
        raise ModelCorruptError(Sentence("model.weights", reason="the header is not UTF-8")) from error
    except (ValueError, RecursionError) as error:
        raise ModelCorruptError(Sentence("model.weights", reason="the header is not JSON")) from error
    return header, buffer[end:]


def _span(name: str, entry: Any, data_length: int) -> Tuple[int, int]:
    """Where a tensor's data begin and end, after its entry was checked against itself and the file."""
    tensor = f"the tensor {quoted(name)}"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        _refuse(f"{tensor} needs exactly dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        _refuse(f"{tensor} has the unknown dtype {quoted(dtype)}")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        _refuse(f"{tensor} has impossible offsets")
    if offsets[1] > data_length:
        _refuse(f"the file ends before the end of {tensor}")
    if not _are_sizes(shape) or math.prod(max(size, 1) for size in shape) > MAX_WEIGHTS_BYTES:
        _refuse(f"{tensor} has an impossible shape")
    if math.prod(shape) * DTYPES[dtype][0] != offsets[1] - offsets[0]:
        _refuse(f"{tensor} does not have the length that its shape and dtype ask for")
    return offsets[0], offsets[1]


def _are_sizes(value: Any) -> bool:
    """A list of at most 32 whole numbers from 0 on; bool is an int to Python, not to the format."""
    few = isinstance(value, list) and len(value) <= MAX_DIMENSIONS
    return few and all(type(item) is int and item >= 0 for item in value)


def _unique_keys(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    """A JSON object whose keys differ; with a repeated key two readers could see two different files."""
    if any("\ud800" <= letter <= "\udfff" for key, _ in pairs for letter in key):
        _refuse("the header holds half a character, which is no valid text")
    result = dict(pairs)
    if len(result) < len(pairs):
        _refuse("the header names something twice")
    return result


def _refuse(reason: str) -> NoReturn:
    raise ModelCorruptError(Sentence("model.weights", reason=reason))
