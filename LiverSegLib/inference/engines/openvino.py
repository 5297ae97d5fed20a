"""OpenVINO as an engine, on the CPU. Its telemetry stays off."""

import contextlib
import sys
from typing import Any, Iterator, Optional, Tuple

import numpy as np

from LiverSegLib.errors import DeviceError
from LiverSegLib.inference.arrays import HOST, Array
from LiverSegLib.inference.devices import Device
from LiverSegLib.inference.engines.graph import NetworkGraph
from LiverSegLib.inference.engines.interface import POLL_MS, Poll
from LiverSegLib.sentences import Sentence

PRECISION_HINTS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
"""Our name of a precision -> OpenVINO's. It is always said, as OpenVINO would choose bfloat16 by itself."""
CONVERTER = "openvino.tools.ovc"
"""The part of OpenVINO that converts models: loading it reports the fact to its makers, and OpenVINO goes
without where it cannot be imported. We only read ONNX, which the core of OpenVINO does."""


def require_openvino() -> Any:
    """Return the ``openvino`` module, loaded without the part that reports its use.

    Raises:
        DeviceError: OpenVINO is not installed or does not load.
    """
    try:
        with _without(CONVERTER):
            import openvino
    except (ImportError, OSError, RuntimeError, AttributeError) as error:  # as with an old MSVC runtime
        raise DeviceError(Sentence("engine.broken", engine="OpenVINO"), str(error)) from error
    return openvino


@contextlib.contextmanager
def _without(module: str) -> Iterator[None]:
    """Let the import of a module fail inside the block, as if it were not installed."""
    if module in sys.modules:  # somebody else has it already
        yield
        return
    modules: Any = sys.modules
    modules[module] = None
    try:
        yield
    finally:
        sys.modules.pop(module, None)


def version(openvino: Any) -> str:
    """The version of OpenVINO's module, without the number of its build."""
    return str(openvino.__version__).split("-")[0]


class OpenVinoEngine:
    """A graph that OpenVINO runs; see :class:`~LiverSegLib.inference.engines.Engine`."""

    def __init__(self, graph: NetworkGraph, device: Device) -> None:
        openvino = require_openvino()
        self.device, self.arrays = device, HOST
        self.version = version(openvino)
        self.out_channels, self.size_multiple = graph.out_channels, graph.size_multiple
        self._openvino, self._core, self._onnx = openvino, openvino.Core(), graph.onnx
        self._core.read_model(graph.onnx, b"")  # says now whether it can
        self._options = {
            "INFERENCE_PRECISION_HINT": PRECISION_HINTS[device.precision],
            "INFERENCE_NUM_THREADS": device.threads,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
        }
        self._shape: Tuple[int, ...] = ()
        self._compiled: Any = None
        self._request: Any = None

    def _compiled_for(self, shape: Tuple[int, ...]) -> Any:
        """The network compiled for tiles of one shape, which takes less memory than for any shape."""
        if shape != self._shape:
            self._request = self._compiled = None  # the memory of the one before
            network = self._core.read_model(self._onnx, b"")
            network.reshape(list(shape))
            self._compiled, self._shape = self._core.compile_model(network, "CPU", self._options), shape
            self._request = self._compiled.create_infer_request()
        return self._request

    def run(self, tiles: Array, poll: Optional[Poll] = None) -> Array:
        """Logits of a batch of tiles; see :meth:`Engine.run`."""
        tiles = np.ascontiguousarray(tiles, np.float32)
        logits = np.empty((tiles.shape[0], self.out_channels, *tiles.shape[2:]), np.float32)
        request, tensor = self._compiled_for(tiles.shape), self._openvino.Tensor
        request.set_input_tensor(tensor(tiles, shared_memory=True))
        request.set_output_tensor(tensor(logits, shared_memory=True))
        request.start_async()
        try:
            while not request.wait_for(POLL_MS):
                if poll is not None:
                    poll()
            request.wait()  # raises what went wrong
        except BaseException:
            request.cancel()
            with contextlib.suppress(RuntimeError):  # "cancelled": the arrays must live until then
                request.wait()
            raise
        return logits

    def tiles_at_once(self) -> int:
        """One: its threads have enough to do with one tile."""
        return 1

    def free_memory(self) -> None:
        """Give the memory between the network's layers back; the next tile takes it again."""
        release = getattr(self._compiled, "release_memory", None)  # from OpenVINO 2025.0 on
        if release is not None:
            release()
