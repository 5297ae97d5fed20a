"""Engines: libraries that run a network over a batch of tiles. Each has a file: load, run, describe.

    device = choose_device()
    engine = load_engine(model, model.manifest.stage("segment"), 0, device)
    logits = engine.run(tiles)

An engine knows nothing of scans, of tiles' places or of labels: those are for ``tiles``, ``resample`` and
``label``. PyTorch, OpenVINO and ONNX Runtime are imported when a network is loaded, not before.
"""

from LiverSegLib.errors import UsageError
from LiverSegLib.inference.devices import ENGINES, Device, require_torch
from LiverSegLib.inference.engines.interface import POLL_MS, Engine, Poll
from LiverSegLib.models import Model, Stage
from LiverSegLib.sentences import Sentence

__all__ = ["POLL_MS", "Engine", "Poll", "describe_engine", "has_graph", "load_engine"]


def load_engine(model: Model, stage: Stage, fold: int, device: Device) -> Engine:
    """Load a network of a model.

    Args:
        model: from the store.
        stage: one of its stages.
        fold: which of the stage's trained networks, 0 for the first.
        device: from :func:`LiverSegLib.inference.devices.choose_devices`; it names the engine.

    Raises:
        DeviceError: the engine is not installed or does not load, or the model has no graph for it.
        ModelError: weights or graph are damaged or do not fit.
        Exception: what the library raises while it prepares the network.
    """
    if device.engine == "torch":
        from LiverSegLib.inference.engines.torch import load_torch

        return load_torch(model, stage, fold, device)
    from LiverSegLib.inference.engines.graph import read_graph

    graph = read_graph(model, stage, fold)
    if device.engine == "openvino":
        from LiverSegLib.inference.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(graph, device)
    from LiverSegLib.inference.engines.onnxruntime import OnnxRuntimeEngine

    return OnnxRuntimeEngine(graph, device)


def has_graph(stage: Stage) -> bool:
    """Whether engines other than PyTorch can run a stage: each of its folds has an ONNX graph."""
    return all(fold.graph is not None for fold in stage.folds)


def describe_engine(name: str) -> str:
    """Version of an engine, which is imported for it.

    Raises:
        DeviceError: it is not installed or does not load; the details say why.
        UsageError: there is no such engine.
    """
    if name == "torch":
        return str(require_torch().__version__)
    if name == "openvino":
        from LiverSegLib.inference.engines.openvino import require_openvino, version

        return version(require_openvino())
    if name == "onnxruntime":
        from LiverSegLib.inference.engines.onnxruntime import require_onnxruntime

        return str(require_onnxruntime().__version__)
    raise UsageError(Sentence("engine.unknown", wanted=name, engines=", ".join(ENGINES)))
