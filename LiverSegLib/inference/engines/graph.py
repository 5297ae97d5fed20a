"""A network as an ONNX file, checked before an engine sees it.

An ONNX file can name other files that hold its weights, and operators of other libraries. Ours do neither,
and a file that does is refused: no path in it is ever followed. The file is a tree of protocol-buffer
messages; the few of them that may hold tensors or operators are walked here, so that no package is needed.
"""

from dataclasses import dataclass
from typing import Dict, Iterator, List, Tuple, Union

from LiverSegLib.errors import DeviceError, ModelCorruptError
from LiverSegLib.models import Model, Stage
from LiverSegLib.network_sizes import size_multiple
from LiverSegLib.sentences import Sentence

MAX_DEPTH = 8
"""Graphs within graphs that are accepted; networks have none."""
DOMAINS = (b"", b"ai.onnx")
"""Whose operators are accepted: the standard's."""

Value = Union[int, memoryview]
Field = Tuple[int, Value]
"""Number of a field in its message, and its value: a whole number or bytes."""

TENSOR, NODE = "tensor", "node"
PARTS: Dict[str, Dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: NODE, 5: TENSOR, 15: "sparse"},
    "function": {7: NODE, 11: "attribute"},
    NODE: {5: "attribute"},
    "attribute": {5: TENSOR, 6: "graph", 10: TENSOR, 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: TENSOR, 2: TENSOR},
    TENSOR: {},
}
"""Message -> field -> the message in it, as far as tensors and operators go (onnx.proto)."""


@dataclass(frozen=True)
class NetworkGraph:
    """A checked ONNX file of a network: one input (tiles, channels, z, y, x), or without z, and one output.

    Attributes:
        onnx: the file's bytes.
        out_channels: channels of the output.
        size_multiple: what the edges of a tile must be multiples of, per spatial axis.
    """

    onnx: bytes
    out_channels: int
    size_multiple: Tuple[int, ...]


def read_graph(model: Model, stage: Stage, fold: int) -> NetworkGraph:
    """Read and check the graph of a stage.

    Where the manifest's network is unknown here, tiles are whole patches.

    Raises:
        DeviceError: the model has none.
        ModelCorruptError: it is damaged, or asks for other files or unknown operators.
    """
    data = model.read_graph(stage.name, fold)
    if data is None:
        raise DeviceError(Sentence("engine.no-graph", engine="ONNX", name=model.name))
    check_onnx(data, model.name)
    multiple = size_multiple(stage.network.name, stage.network.arguments) or tuple(stage.patch)
    return NetworkGraph(bytes(data), len(stage.output.channels), multiple)


def check_onnx(data: Union[bytes, bytearray], name: str) -> None:
    """Refuse an ONNX file that names other files or asks for operators of other libraries.

    Raises:
        ModelCorruptError: it does, or it is no ONNX file.
    """
    try:
        _check("model", memoryview(data), MAX_DEPTH * 4)
    except (ValueError, IndexError, TypeError, KeyError) as error:
        raise ModelCorruptError(Sentence("model.graph", name=name, reason=str(error)), str(error)) from error


def _check(message: str, data: memoryview, depth: int) -> None:
    if depth < 0:
        raise ValueError("graphs within graphs")
    for number, value in fields(data):
        if message == TENSOR and number in (13, 14) and value != 0:
            raise ValueError("its weights lie in another file")
        if message == NODE and number == 7 and bytes(value) not in DOMAINS:
            raise ValueError("it asks for an unknown operator")
        part = PARTS[message].get(number)
        if part == "training":
            raise ValueError("it holds a training")
        if part is not None:
            if isinstance(value, int):
                raise ValueError("it is damaged")
            _check(part, value, depth - 1)


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
        if number != 7 or isinstance(graph, int):
            continue
        for part, tensor in fields(graph):
            if part == 5 and not isinstance(tensor, int):
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
