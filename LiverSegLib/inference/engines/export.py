"""ONNX graphs of a model's networks, for engines other than PyTorch.

A graph's weights are those of the safetensors file, bit by bit, and lie there: the graph says where. Those in
float16 get an operator that widens them when the graph is loaded. Making graphs needs PyTorch and the
package onnx.
"""

import dataclasses
import hashlib
import importlib.util
import io
import shutil
import warnings
from pathlib import Path
from typing import Any, List, Optional, Set, Tuple

import numpy as np

from LiverSegLib.errors import DeviceError, ModelError, OutputError
from LiverSegLib.inference.devices import Device, require_torch
from LiverSegLib.inference.engines.graph import check_onnx
from LiverSegLib.inference.engines.messages import GRAPH, TENSOR, field, fields, tensor_parts
from LiverSegLib.inference.engines.shared_weights import without_weights
from LiverSegLib.inference.engines.torch import TorchEngine, load_torch
from LiverSegLib.models import Fold, Graph, Manifest, Model, Stage, files, open_tensors
from LiverSegLib.models.manifest import MANIFEST_NAME
from LiverSegLib.models.stage import stage_files
from LiverSegLib.network_sizes import in_channels, size_multiple
from LiverSegLib.sentences import Sentence

OPSET = 17
"""Version of ONNX's operators: what OpenVINO 2023 and ONNX Runtime 1.12 know already."""
INPUT, OUTPUT = "tiles", "logits"
FLOAT, HALF = 1, 10
"""ONNX's numbers for float32 and float16."""
NARROW = "_float16"
"""Added to the name of a weight for its float16 form."""


def export_model(model: Model, folder: Optional[Path] = None) -> Manifest:
    """Give a model a graph for each of its networks.

    Args:
        model: from the store.
        folder: where a copy of the model with the graphs goes; the model's own folder if not given.

    Returns:
        The manifest that names the graphs, as written.

    Raises:
        DeviceError: PyTorch or the package onnx is missing.
        ModelError: weights are damaged, or a network has operators that ONNX cannot express.
        OutputError: the folder cannot be written to.
    """
    manifest = model.manifest
    if manifest is None:
        raise ModelError(Sentence("model.no-description", name=model.name))
    target = model.path if folder is None else folder.absolute()
    if target.exists() and target != model.path and any(target.iterdir()):
        raise OutputError(f"The folder {target} is not empty; please choose another.")
    graphs = {
        (stage.name, number): export_graph(model, stage, number)
        for stage in manifest.stages
        for number in range(len(stage.folds))
    }
    written = dataclasses.replace(
        manifest,
        stages=tuple(
            _with_graphs(stage, [graphs[stage.name, number] for number in range(len(stage.folds))])
            for stage in manifest.stages
        ),
    )
    try:
        _publish(model, target, written, graphs)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"The model cannot be written to {target}: {reason}.", str(error)) from error
    return written


def export_graph(model: Model, stage: Stage, fold: int = 0) -> bytes:
    """The ONNX file of one network: input (tiles, channels, z, y, x), or without z, of any number and size.

    Its weights are those of the network's safetensors file, which it names.

    Raises:
        DeviceError: PyTorch or the package onnx is missing.
        ModelError: weights are damaged, or a network has operators that ONNX cannot express.
    """
    if importlib.util.find_spec("onnx") is None:  # PyTorch's writer wants it
        raise DeviceError(Sentence("engine.needs-onnx"))
    engine = load_torch(model, stage, fold, Device("cpu", "", "float32", 1))
    weights = model.read_weights(stage.name, fold)
    half = {name for name, view in open_tensors(weights).items() if view.dtype == "F16"}
    data = with_narrow_weights(_traced(engine, stage, model.name), half)
    check_onnx(data, model.name)
    return without_weights(data, stage.folds[fold].weights, weights)


def _traced(engine: TorchEngine, stage: Stage, name: str) -> bytes:
    """The network as PyTorch's tracer writes it: weights in float32."""
    torch = require_torch()
    axes = {0: "count", **{axis + 2: label for axis, label in enumerate("zyx"[-len(stage.patch) :])}}
    edges = list(stage.patch)  # the graph of some networks holds for the size it was traced at alone
    if size_multiple(stage.network.name, stage.network.arguments) is not None:
        edges = [min(2 * multiple, edge) for multiple, edge in zip(engine.size_multiple, stage.patch)]
    tiles = torch.zeros((1, in_channels(stage.network.arguments), *edges))
    file = io.BytesIO()
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sizes that the tracer takes for constants: the tests try others
            torch.onnx.export(
                engine.network, (tiles,), file, dynamo=False, opset_version=OPSET, input_names=[INPUT],
                output_names=[OUTPUT], dynamic_axes={INPUT: axes, OUTPUT: axes},
            )  # fmt: skip
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        raise ModelError(Sentence("model.no-onnx", name=name), str(error)) from error
    return file.getvalue()


def with_narrow_weights(onnx: bytes, names: Set[str]) -> bytes:
    """Store weights of an ONNX file in float16, each with an operator that widens it; those of ``names`` that
    float16 holds exactly.
    """
    parts = []
    for number, value in fields(memoryview(onnx)):
        parts.append(field(number, _narrow_graph(value, names) if number == GRAPH else value))
    return b"".join(parts)


def _narrow_graph(graph: Any, names: Set[str]) -> bytes:
    parts, widening = [], []
    for number, value in fields(graph):
        if number == TENSOR:
            tensor: Any = value
            name, kind, shape, raw = tensor_parts(tensor)
            wide = np.frombuffer(raw, "<f4") if kind == FLOAT else np.zeros(0, np.float32)
            narrow = wide.astype("<f2")
            if name in names and wide.size and np.array_equal(narrow.astype(np.float32), wide):
                tensor = _tensor(name + NARROW, shape, narrow.tobytes())
                widening.append(field(1, _cast(name + NARROW, name)))
            value = tensor
        parts.append(field(number, value))
    return b"".join(widening + parts)  # operators stand in the order in which they run


def _tensor(name: str, shape: Tuple[int, ...], raw: bytes) -> bytes:
    """A float16 TensorProto."""
    sizes = b"".join(field(1, size) for size in shape)
    return sizes + field(2, HALF) + field(8, name.encode()) + field(9, raw)


def _cast(source: str, target: str) -> bytes:
    """A NodeProto that widens a tensor to float32."""
    to = field(1, b"to") + field(3, FLOAT) + field(20, 2)  # attribute "to", a whole number
    ends = field(1, source.encode()) + field(2, target.encode())
    return ends + field(3, target.encode() + b"_widened") + field(4, b"Cast") + field(5, to)


def _with_graphs(stage: Stage, graphs: List[bytes]) -> Stage:
    """The stage's description with the graphs of its folds."""
    named = [_with_graph(fold, data) for fold, data in zip(stage.folds, graphs)]
    return dataclasses.replace(stage, graph=named[0].graph, more_folds=tuple(named[1:]))


def _with_graph(fold: Fold, data: bytes) -> Fold:
    graph = Graph(Path(fold.weights).stem + ".onnx", hashlib.sha256(data).hexdigest())
    return dataclasses.replace(fold, graph=graph)


def _publish(model: Model, target: Path, manifest: Manifest, graphs: Any) -> None:
    """Write the model anew beside ``target``, then in its place: whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    incoming = files.make_incoming(target.parent)
    try:
        for stage in manifest.stages:
            for number, fold in enumerate(stage.folds):
                shutil.copyfile(model.path / fold.weights, incoming / fold.weights)
                if fold.graph is not None:
                    files.write_synced(incoming / fold.graph.file, graphs[stage.name, number])
        for path in model.path.iterdir():  # a licence, say
            known = {MANIFEST_NAME, *(name for stage in manifest.stages for name in stage_files(stage))}
            if path.is_file() and not path.is_symlink() and path.name not in known:
                shutil.copyfile(path, incoming / path.name)
        files.write_synced(incoming / MANIFEST_NAME, manifest.to_json().encode("utf-8"))
        files.publish_folder(incoming, target)
    finally:
        files.delete_folder(incoming)
