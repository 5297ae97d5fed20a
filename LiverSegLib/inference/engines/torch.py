"""PyTorch as an engine: on the CPU, on NVIDIA's and AMD's graphics cards ("cuda"), on Apple's ("mps")."""

import contextlib
from typing import Any, Iterator, Optional, Tuple

import numpy as np

from LiverSegLib.errors import ModelCorruptError
from LiverSegLib.inference.arrays import Array, Arrays
from LiverSegLib.inference.devices import Device, require_torch
from LiverSegLib.inference.engines.interface import Poll
from LiverSegLib.models import Model, Stage
from LiverSegLib.sentences import Sentence

MEMORY_SHARE = 0.7
"""Share of the free GPU memory that tiles side by side may take."""


def load_torch(model: Model, stage: Stage, fold: int, device: Device) -> "TorchEngine":
    """Build a stage's network with its weights.

    Raises:
        DeviceError: PyTorch is missing.
        ModelError: the weights are damaged or do not fit.
    """
    require_torch()
    from LiverSegLib.networks import build_network

    network = build_network(stage.network.name, stage.network.arguments)
    weights = model.state_dict(stage.name, fold)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        text = Sentence("model.does-not-fit", weights=stage.folds[fold].weights, name=model.name)
        raise ModelCorruptError(text, str(error)) from error
    return TorchEngine(network.float(), device, len(stage.patch))


class TorchEngine:
    """A ``torch.nn.Module`` as an :class:`~LiverSegLib.inference.engines.Engine`.

    Args:
        network: with ``size_multiple``, a number or one per axis, and ``out_channels``.
        device: where and how precisely.
        axes: spatial axes of its input, 3 or 2.
    """

    def __init__(self, network: Any, device: Device, axes: int = 3) -> None:
        self._torch = require_torch()
        self.device = device
        self.version = str(self._torch.__version__)
        self.out_channels = int(network.out_channels)
        self.size_multiple = _per_axis(network.size_multiple, axes)
        self.arrays = Arrays(device.kind)
        self._format = self._torch.channels_last_3d if axes == 3 else self._torch.channels_last
        self.network = network.eval().to(device.kind)
        for weights in self.network.parameters():
            if weights.dim() == axes + 2:  # a network for volumes may have one for slices in it
                weights.data = weights.data.contiguous(memory_format=self._format)
        self._poll: Optional[Poll] = None
        self._tile_bytes = 0
        if device.kind == "cpu":
            for layer in self.network.modules():
                if not list(layer.children()):
                    layer.register_forward_pre_hook(self._between_layers)

    def run(self, tiles: Array, poll: Optional[Poll] = None) -> Array:
        """Logits of a batch of tiles; see :meth:`Engine.run`."""
        torch = self._torch
        on_cpu = self.device.kind == "cpu"
        batch = torch.from_numpy(np.ascontiguousarray(tiles)) if on_cpu else tiles
        self._poll = poll
        try:
            with torch.no_grad(), self._measured(len(batch)):
                if not on_cpu:
                    return self._infer(batch).float()
                with bounded_threads(torch, self.device.threads):
                    return self._infer(batch).float().contiguous().numpy()
        finally:
            self._poll = None

    def tiles_at_once(self) -> int:
        """How many tiles the free GPU memory takes, from what the first one needed; 1 elsewhere."""
        if not self._tile_bytes:
            return 1
        cuda = self._torch.cuda
        free, _ = cuda.mem_get_info()
        unused = cuda.memory_reserved() - cuda.memory_allocated()  # kept by PyTorch for tiles
        return int(max(1, MEMORY_SHARE * (free + unused) // self._tile_bytes))

    def free_memory(self) -> None:
        """Give PyTorch's unused GPU memory back."""
        if self.device.kind == "cuda":
            self._torch.cuda.empty_cache()

    def _infer(self, batch: Any) -> Any:
        batch = batch.contiguous(memory_format=self._format)
        if self.device.precision == "float32":  # older PyTorch knows no autocast on Apple GPUs
            return self.network(batch)
        with self._torch.autocast(self.device.kind, getattr(self._torch, self.device.precision)):
            return self.network(batch)

    def _between_layers(self, *_: Any) -> None:
        """Runs before every layer, as a tile on a slow CPU may take longer than the second that cancelling
        may take."""
        if self._poll is not None:
            self._poll()

    @contextlib.contextmanager
    def _measured(self, count: int) -> Iterator[None]:
        """Remember what memory a single tile takes on a CUDA device."""
        if self.device.kind != "cuda" or count != 1:
            yield
            return
        cuda = self._torch.cuda
        cuda.reset_peak_memory_stats()
        before = cuda.memory_allocated()
        yield
        self._tile_bytes = max(1, cuda.max_memory_allocated() - before)


@contextlib.contextmanager
def bounded_threads(torch: Any, threads: int) -> Iterator[None]:
    """Let PyTorch use so many threads inside the block, and as many as before after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _per_axis(multiple: Any, axes: int) -> Tuple[int, ...]:
    return (int(multiple),) * axes if isinstance(multiple, int) else tuple(int(edge) for edge in multiple)
