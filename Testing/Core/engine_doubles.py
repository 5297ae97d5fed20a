"""A made-up engine whose network is a function of numpy arrays, for tests of what surrounds engines."""

from typing import Callable, List, Optional, Sequence, Tuple

import numpy as np

from LiverSegLib.inference.arrays import HOST
from LiverSegLib.inference.devices import Device
from LiverSegLib.inference.tiles import TileRunner

CPU = Device("cpu", "CPU", "float32", 1)
MPS = Device("mps", "Apple GPU", "float32", 1)


def image_and_square(tiles: np.ndarray) -> np.ndarray:
    """Two channels that depend on single voxels only, so that tiling must not change the result."""
    return np.concatenate([tiles, tiles**2], 1)


class FakeEngine:
    """Computes with numpy wherever it pretends to be; remembers the shapes it was called with."""

    version = "0"
    arrays = HOST

    def __init__(
        self,
        compute: Callable[[np.ndarray], np.ndarray] = image_and_square,
        device: Device = CPU,
        multiple: Tuple[int, ...] = (4, 4, 4),
        out_channels: int = 2,
        at_once: int = 1,
    ) -> None:
        self.compute, self.device, self.size_multiple = compute, device, multiple
        self.out_channels, self.at_once = out_channels, at_once
        self.calls: List[Tuple[int, ...]] = []
        self.freed = 0

    def run(self, tiles: np.ndarray, poll: Optional[Callable[[], None]] = None) -> np.ndarray:
        """Logits, of the caller's own."""
        if poll is not None:
            poll()
        self.calls.append(tiles.shape)
        return np.array(self.compute(tiles), np.float32)

    def tiles_at_once(self) -> int:
        """As told."""
        return self.at_once

    def free_memory(self) -> None:
        """Counts."""
        self.freed += 1


def running(engine: FakeEngine) -> TileRunner:
    """A runner that has nothing but one engine."""
    return TileRunner(lambda device: engine, [engine.device])


def runner_of(engines: Sequence[FakeEngine]) -> TileRunner:
    """A runner that has several engines, the best first."""
    by_device = {engine.device: engine for engine in engines}
    return TileRunner(by_device.__getitem__, [engine.device for engine in engines])


def failing(error: BaseException) -> Callable[[np.ndarray], np.ndarray]:
    """A network that raises."""

    def compute(tiles: np.ndarray) -> np.ndarray:
        raise error

    return compute
