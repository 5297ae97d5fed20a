"""What every engine offers."""

from typing import Callable, Optional, Protocol, Tuple

from LiverSegLib.inference.arrays import Array, Arrays
from LiverSegLib.inference.devices import Device

Poll = Callable[[], None]
"""Called at least twice a second while a network runs; raises to cancel."""
POLL_MS = 50
"""Time (ms) between two looks of an engine that computes in threads of its own."""


class Engine(Protocol):
    """A network, loaded and ready to run.

    Attributes:
        device: what computes, where and how precisely.
        version: of the library.
        out_channels: channels of the logits.
        size_multiple: what the edges of a tile must be multiples of, per spatial axis: three, or two for
            networks that see one slice.
        arrays: makes the arrays that :meth:`run` takes: numpy's, or PyTorch's on a graphics card.
    """

    device: Device
    version: str
    out_channels: int
    size_multiple: Tuple[int, ...]
    arrays: Arrays

    def run(self, tiles: Array, poll: Optional[Poll] = None) -> Array:
        """Logits (tiles, classes, z, y, x) float32 of tiles (tiles, channels, z, y, x) float32; without z for
        networks of two dimensions.

        Args:
            tiles: an array of ``arrays``.
            poll: raises to cancel; what it raises is raised here within a second.

        Returns:
            An array that is the caller's own.

        Raises:
            Exception: what the library raises; it has no common type.
        """

    def tiles_at_once(self) -> int:
        """How many tiles, each as large as the last, are best run side by side."""

    def free_memory(self) -> None:
        """Give back memory that the library keeps for the next tile."""
