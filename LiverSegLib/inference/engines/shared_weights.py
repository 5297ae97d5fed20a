"""Weights that an ONNX file does not repeat: they lie in the safetensors file of the same network.

ONNX's external data: a tensor names a file, where its bytes begin there, and how many they are. Ours name the
network's own weights and nothing else. An engine never follows such a name: :func:`with_weights` puts the
bytes, of a file whose checksum has been compared, into the graph that the engine gets.
"""

from typing import Any, Callable, Dict, Tuple, Union

from LiverSegLib.inference.engines.messages import GRAPH, TENSOR, field, fields, tensor_parts
from LiverSegLib.models import open_tensors

Bytes = Union[bytes, bytearray]

RAW, EXTERNAL, PLACE = 9, 13, 14
"""Fields of a tensor: its bytes; what is known of another file; whether its bytes lie there (1)."""
LEAST_BYTES = 64
"""Shorter tensors stay in the graph: to name their place would take as much."""


def without_weights(onnx: bytes, file: str, weights: Bytes) -> bytes:
    """An ONNX file whose tensors point into a safetensors file, as far as their bytes lie there.

    Args:
        onnx: the file with all its weights.
        file: name of the safetensors file, which lies beside it.
        weights: that file's content.

    Raises:
        ModelCorruptError: ``weights`` are no safetensors file.
    """
    places: Dict[bytes, int] = {}
    tensors = open_tensors(weights)
    position = len(weights) - sum(len(view.data) for view in tensors.values())
    for view in tensors.values():  # in the order of their data, which they fill
        places.setdefault(bytes(view.data), position)
        position += len(view.data)

    def pointing(tensor: memoryview) -> bytes:
        raw = bytes(tensor_parts(tensor)[3])
        if len(raw) < LEAST_BYTES or raw not in places:
            return bytes(tensor)
        known = {"location": file, "offset": str(places[raw]), "length": str(len(raw))}
        pairs = (field(1, key.encode()) + field(2, text.encode()) for key, text in known.items())
        return _without(tensor, RAW) + b"".join(field(EXTERNAL, pair) for pair in pairs) + field(PLACE, 1)

    return _each_tensor(onnx, pointing)


def with_weights(onnx: Bytes, file: str, read: Callable[[], Bytes]) -> bytes:
    """An ONNX file that has all its weights, in place of one that points into a safetensors file.

    Tensors that point elsewhere stay as they are, and ``graph.check_onnx`` refuses them.

    Args:
        onnx: from :func:`without_weights`, or any other ONNX file.
        file: name of the safetensors file.
        read: gives that file's content, checked; called if a tensor points into it.

    Raises:
        ValueError, IndexError, TypeError: ``onnx`` is not well formed, or points to what is not in the file.
    """
    content: Any = None

    def whole(tensor: memoryview) -> bytes:
        nonlocal content
        known = _known(tensor)
        if known.get("location") != file:
            return bytes(tensor)
        begin, length = int(known.get("offset", "0")), int(known["length"])
        if content is None:
            content = read()
        if begin < 0 or length < 0 or begin + length > len(content):
            raise ValueError("its weights are not in their file")
        return _without(tensor, RAW, EXTERNAL, PLACE) + field(RAW, content[begin : begin + length])

    return _each_tensor(onnx, whole)


def _each_tensor(onnx: Bytes, change: Callable[[memoryview], bytes]) -> bytes:
    """The file with what ``change`` makes of each tensor that its graph holds."""
    parts = []
    for number, graph in fields(memoryview(onnx)):
        if number != GRAPH or isinstance(graph, int):
            parts.append(field(number, graph))
            continue
        inner = [
            field(part, change(value) if part == TENSOR and not isinstance(value, int) else value)
            for part, value in fields(graph)
        ]
        parts.append(field(number, b"".join(inner)))
    return b"".join(parts)


def _known(tensor: memoryview) -> Dict[str, str]:
    """What a tensor says of the file with its bytes: key -> text; empty if they lie in the tensor."""
    found = dict(_pair(value) for number, value in fields(tensor) if number == EXTERNAL)
    if found and "length" not in found:
        raise ValueError("its weights have no length")
    return found


def _pair(entry: Any) -> Tuple[str, str]:
    texts = {number: bytes(value).decode("utf-8") for number, value in fields(entry)}
    return texts.get(1, ""), texts.get(2, "")


def _without(message: memoryview, *dropped: int) -> bytes:
    """A message without some of its fields."""
    return b"".join(field(number, value) for number, value in fields(message) if number not in dropped)
