"""A network as an ONNX file, checked before an engine sees it.

An ONNX file can name other files that hold its weights, and operators of other libraries. Ours name the
safetensors file of the same network and no other, and a file that does more is refused: no path in it is ever
followed. The few messages that may hold tensors or operators are walked here, so that no package is needed.
"""

from dataclasses import dataclass
from typing import Dict, Tuple, Union

from LiverSegLib.errors import DeviceError, ModelCorruptError
from LiverSegLib.inference.engines.messages import fields
from LiverSegLib.inference.engines.shared_weights import with_weights
from LiverSegLib.models import Model, Stage
from LiverSegLib.network_sizes import size_multiple
from LiverSegLib.sentences import Sentence

MAX_DEPTH = 8
"""Graphs within graphs that are accepted; networks have none."""
DOMAINS = (b"", b"ai.onnx")
"""Whose operators are accepted: the standard's."""

DAMAGED = (ValueError, IndexError, TypeError, KeyError)
"""What reading a file that is not well formed raises."""

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
        onnx: the file's bytes, with all its weights.
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
    weights = stage.folds[fold].weights
    try:
        onnx = with_weights(data, weights, lambda: model.read_weights(stage.name, fold))
    except DAMAGED as error:
        raise _unusable(model.name, error) from error
    check_onnx(onnx, model.name)
    multiple = size_multiple(stage.network.name, stage.network.arguments) or tuple(stage.patch)
    return NetworkGraph(onnx, len(stage.output.channels), multiple)


def check_onnx(data: Union[bytes, bytearray], name: str) -> None:
    """Refuse an ONNX file that names other files or asks for operators of other libraries.

    Raises:
        ModelCorruptError: it does, or it is no ONNX file.
    """
    try:
        _check("model", memoryview(data), MAX_DEPTH * 4)
    except DAMAGED as error:
        raise _unusable(name, error) from error


def _unusable(name: str, error: Exception) -> ModelCorruptError:
    return ModelCorruptError(Sentence("model.graph", name=name, reason=str(error)), str(error))


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
