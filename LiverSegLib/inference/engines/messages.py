"""Messages of ONNX files, which are protocol buffers: read and written without that package.

Only what weights need: the numbers of fields are those of onnx.proto.
"""

import struct
from typing import Any, Dict, Iterator, List, Tuple, Union

Value = Union[int, memoryview]
Field = Tuple[int, Value]
"""Number of a field in its message, and its value: a whole number or bytes."""

GRAPH = 7
"""The field of a model that holds its graph."""
TENSOR = 5
"""The field of a graph that holds a tensor."""


def fields(message: memoryview) -> Iterator[Field]:
    """The fields of a protocol-buffer message, in their order.

    Raises:
        ValueError: it is not well formed.
        IndexError: it ends too early.
    """
    place, end = 0, len(message)
    while place < end:
        key, place = _varint(message, place)
        kind = key & 7
        if kind == 0:
            value, place = _varint(message, place)
            yield key >> 3, value
            continue
        if kind == 2:
            length, place = _varint(message, place)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise ValueError("it is damaged")
        if length > end - place:
            raise ValueError("it is cut off")
        yield key >> 3, message[place : place + length]
        place += length


def _varint(message: memoryview, place: int) -> Tuple[int, int]:
    """A number of 7 bits a byte, and where it ends."""
    number = shift = 0
    while True:
        byte = message[place]
        place += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, place
        shift += 7
        if shift > 63:
            raise ValueError("it is damaged")


def initializers(onnx: Union[bytes, bytearray]) -> Dict[str, Tuple[int, Tuple[int, ...], memoryview]]:
    """The tensors that a graph holds: name -> (ONNX's type number, shape, raw bytes)."""
    found = {}
    for number, graph in fields(memoryview(onnx)):
        if number != GRAPH or isinstance(graph, int):
            continue
        for part, tensor in fields(graph):
            if part == TENSOR and not isinstance(tensor, int):
                name, kind, shape, raw = tensor_parts(tensor)
                found[name] = (kind, shape, raw)
    return found


def tensor_parts(tensor: memoryview) -> Tuple[str, int, Tuple[int, ...], memoryview]:
    """Name, type number, shape and raw bytes of a TensorProto that has them so."""
    name, kind, raw = "", 0, memoryview(b"")
    shape: List[int] = []
    for number, value in fields(tensor):
        if number == 1:  # packed, or one number a field
            shape += [value] if isinstance(value, int) else _numbers(value)
        elif number == 2 and isinstance(value, int):
            kind = value
        elif number == 8 and not isinstance(value, int):
            name = bytes(value).decode("utf-8")
        elif number == 9 and not isinstance(value, int):
            raw = value
    return name, kind, tuple(shape), raw


def _numbers(packed: memoryview) -> List[int]:
    found, place = [], 0
    while place < len(packed):
        number, place = _varint(packed, place)
        found.append(number)
    return found


def field(number: int, value: Any) -> bytes:
    """A field of a message as bytes: a whole number, or bytes and how many."""
    if isinstance(value, int):
        return _as_varint(number << 3) + _as_varint(value)
    return _as_varint(number << 3 | 2) + _as_varint(len(value)) + bytes(value)


def _as_varint(number: int) -> bytes:
    found = []
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return struct.pack(f"{len(found) + 1}B", *found, number)
