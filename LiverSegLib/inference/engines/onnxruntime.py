"""ONNX Runtime as an engine, on the CPU. Its telemetry stays off."""

import os
import queue
import threading
from typing import Any, Optional, Tuple

import numpy as np

from LiverSegLib.errors import DeviceError
from LiverSegLib.inference.arrays import HOST, Array
from LiverSegLib.inference.devices import Device
from LiverSegLib.inference.engines.graph import NetworkGraph
from LiverSegLib.inference.engines.interface import POLL_MS, Poll
from LiverSegLib.sentences import Sentence

TELEMETRY_OFF = ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED")
"""Variables of the environment that turn telemetry off, by the names of different versions. Since 1.29 ONNX
Runtime reports itself while it is imported, on Linux and macOS too, before any of its functions can be
called."""
SAY_ERRORS_ONLY = 3
"""ONNX Runtime's level of its own log."""


def require_onnxruntime() -> Any:
    """Return the ``onnxruntime`` module, its telemetry disabled.

    Raises:
        DeviceError: ONNX Runtime is not installed or does not load.
    """
    os.environ.update(dict.fromkeys(TELEMETRY_OFF, "1"))
    try:
        import onnxruntime

        onnxruntime.disable_telemetry_events()
    except (ImportError, OSError, RuntimeError, AttributeError) as error:  # as with an old MSVC runtime
        raise DeviceError(Sentence("engine.broken", engine="ONNX Runtime"), str(error)) from error
    return onnxruntime


class OnnxRuntimeEngine:
    """A graph that ONNX Runtime runs; see :class:`~LiverSegLib.inference.engines.Engine`."""

    def __init__(self, graph: NetworkGraph, device: Device) -> None:
        self._library = require_onnxruntime()
        self.device, self.arrays = device, HOST
        self.version = str(self._library.__version__)
        self.out_channels, self.size_multiple = graph.out_channels, graph.size_multiple
        options = self._library.SessionOptions()
        options.intra_op_num_threads = device.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = SAY_ERRORS_ONLY
        options.enable_mem_pattern = False  # tiles of another size than the last would make it plan anew
        self._session = self._library.InferenceSession(
            bytes(graph.onnx), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name

    def run(self, tiles: Array, poll: Optional[Poll] = None) -> Array:
        """Logits of a batch of tiles; see :meth:`Engine.run`.

        The session runs in a thread of its own; told to stop, it does between two layers.
        """
        tiles = np.ascontiguousarray(tiles, np.float32)
        options = self._library.RunOptions()
        if poll is None:
            return self._infer(tiles, options)
        done: "queue.SimpleQueue[Tuple[Optional[np.ndarray], Optional[BaseException]]]" = queue.SimpleQueue()

        def work() -> None:
            try:
                done.put((self._infer(tiles, options), None))
            except BaseException as error:  # noqa: BLE001 (raised again below)
                done.put((None, error))

        thread = threading.Thread(target=work, name="onnxruntime", daemon=True)
        thread.start()
        try:
            while True:
                try:
                    logits, error = done.get(timeout=POLL_MS / 1000)
                    break
                except queue.Empty:
                    poll()
        except BaseException:
            options.terminate = True
            thread.join()
            raise
        if error is not None:
            raise error
        return logits

    def _infer(self, tiles: np.ndarray, options: Any) -> np.ndarray:
        return self._session.run(None, {self._input: tiles}, options)[0]

    def tiles_at_once(self) -> int:
        """One: its threads have enough to do with one tile."""
        return 1

    def free_memory(self) -> None:
        """Nothing to do on the CPU."""
