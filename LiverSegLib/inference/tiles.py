"""A network run over overlapping tiles, blended with Gaussian weights (nnU-Net, Isensee et al. 2021)."""

import itertools
from dataclasses import dataclass
from typing import Any, Callable, List, Optional, Sequence, Tuple

import numpy as np
import torch
from torch.nn import functional

from LiverSegLib.failures import is_out_of_memory
from LiverSegLib.inference.devices import Device, choose_device
from LiverSegLib.sentences import Sentence

OVERLAP = 0.4
"""Share of a tile that its neighbour covers again."""
SIGMA = 0.125
"""Standard deviation of the blending weight, in tile lengths."""
LOWEST_WEIGHT = 1e-3
MEMORY_SHARE = 0.7
"""Share of the free GPU memory that a batch of tiles may take."""
MAX_BATCH = 8

Progress = Callable[[float], None]


@dataclass(frozen=True)
class TilePlan:
    """Where the tiles begin, (z, y, x) each, and how large they are; ``padded`` is the image's size with
    padding.
    """

    starts: Tuple[Tuple[int, int, int], ...]
    size: Tuple[int, int, int]
    padded: Tuple[int, int, int]


def plan_tiles(
    shape: Sequence[int], patch: Sequence[int], multiple: int, overlap: float = OVERLAP
) -> TilePlan:
    """Cover an image with tiles, spread evenly.

    A tile is the model's patch, or the image where that is smaller (rounded up to the network's
    ``multiple``).
    """
    size = tuple(min(p, -(-n // multiple) * multiple) for n, p in zip(shape, patch))
    padded = tuple(max(n, t) for n, t in zip(shape, size))
    starts = []
    for n, t in zip(padded, size):
        count = 1 if n == t else int(np.ceil((n - t) / (t * (1 - overlap)))) + 1
        starts.append([int(round(i * (n - t) / max(1, count - 1))) for i in range(count)])
    return TilePlan(tuple(itertools.product(*starts)), size, padded)  # type: ignore[arg-type]


def blending_weight(size: Sequence[int]) -> torch.Tensor:
    """Gaussian weight (z, y, x), 1 at the middle, nowhere below LOWEST_WEIGHT."""
    weight = torch.ones(())
    for length in size:
        x = torch.arange(length, dtype=torch.float32) - (length - 1) / 2
        weight = weight[..., None] * torch.exp(-(x**2) / (2 * (SIGMA * length) ** 2))
    return weight.clamp_(min=LOWEST_WEIGHT)


class TileRunner:
    """A network on a device, ready to be run over images; remembers what it had to retreat to.

    Args:
        network: ``torch.nn.Module`` with ``size_multiple``; put on the device in channels-last memory.
        device: where and how precisely.
    """

    def __init__(self, network: Any, device: Device) -> None:
        self.retreats: List[str] = []
        self.size_multiple = int(network.size_multiple)
        self._network = network.eval()
        self._place(device)

    @property
    def device(self) -> Device:
        """Where it computes now; the CPU after a retreat from a GPU without enough memory."""
        return self._device

    def run(
        self,
        image: torch.Tensor,
        plan: TilePlan,
        *,
        background: float = -1.0,
        mirror_axes: Sequence[int] = (),
        skip_empty: bool = True,
        progress: Optional[Progress] = None,
    ) -> torch.Tensor:
        """Return blended logits (classes, z, y, x) float32 on the CPU or GPU for an image (z, y, x).

        Args:
            image: float32, normalised.
            plan: of :func:`plan_tiles` for this image's shape.
            background: the image's value of air, for padding and for recognising empty tiles.
            mirror_axes: axes of (z, y, x) over whose mirrored tiles the logits are averaged too.
            skip_empty: do not compute tiles that hold nothing but air.
            progress: called with the share done before each batch; may raise to cancel.

        Raises:
            Exception: whatever the device raises when memory runs out even on the CPU with one tile at a
                time.
        """
        limit = MAX_BATCH
        while True:
            try:
                return self._run(image, plan, limit, background, tuple(mirror_axes), skip_empty, progress)
            except Exception as error:  # memory runs out in many dialects
                if not is_out_of_memory(error) or self._device.kind == "cpu":
                    raise
            limit = self._retreat(limit)

    def _retreat(self, limit: int) -> int:
        """Give up something after memory ran out: first tiles side by side, then the GPU. Returns the new
        limit.
        """
        if self._device.kind == "cuda":
            torch.cuda.empty_cache()
        if limit > 1:
            self.retreats.append(Sentence("device.one-tile", device=self._device.name))
            return 1
        self.retreats.append(Sentence("device.to-cpu", device=self._device.name))
        self._place(choose_device("cpu", threads=self._device.threads))
        return MAX_BATCH

    def _place(self, device: Device) -> None:
        self._device = device
        self._network.to(device.kind).to(memory_format=torch.channels_last_3d)

    def _run(self, image, plan, limit, background, mirror_axes, skip_empty, progress) -> torch.Tensor:
        where = self._device.kind
        image = image.to(where)
        pads = [amount for n, p in zip(image.shape[::-1], plan.padded[::-1]) for amount in (0, p - n)]
        padded = functional.pad(image, pads, value=background) if any(pads) else image
        weight = blending_weight(plan.size).to(where)
        total, sums = torch.zeros(plan.padded, device=where), None
        starts, done, planned = list(plan.starts), 0, 1
        with torch.inference_mode():
            while done < len(starts):
                if progress:
                    progress(done / len(starts))
                chunk = starts[done : done + planned]
                logits = self._forward(padded, chunk, plan.size, background, mirror_axes, skip_empty)
                for start, tile in zip(chunk, logits):
                    place = tuple(slice(s, s + n) for s, n in zip(start, plan.size))
                    if sums is None:
                        sums = torch.zeros((tile.shape[0], *plan.padded), device=where)
                    sums[(slice(None), *place)].addcmul_(tile.float(), weight)
                    total[place] += weight
                done += len(chunk)
                if where == "cuda" and done == 1:
                    planned = min(limit, self._batch_for_memory())
            assert sums is not None
            z, y, x = image.shape
            return sums.div_(total)[:, :z, :y, :x]

    def _forward(self, padded, chunk, size, background, mirror_axes, skip_empty) -> torch.Tensor:
        tiles = torch.stack([padded[tuple(slice(s, s + n) for s, n in zip(start, size))] for start in chunk])[
            :, None
        ]
        if skip_empty and float(tiles.amax()) <= background + 1e-3:
            return self._all_background(tiles)
        logits = self._infer(tiles)
        flips = [f for k in range(1, len(mirror_axes) + 1) for f in itertools.combinations(mirror_axes, k)]
        for axes in flips:
            dims = [axis + 2 for axis in axes]
            logits = logits + self._infer(tiles.flip(dims)).flip(dims)
        return logits / (len(flips) + 1) if flips else logits

    def _infer(self, tiles: torch.Tensor) -> torch.Tensor:
        tiles = tiles.contiguous(memory_format=torch.channels_last_3d)
        if self._device.precision == "float32":  # older PyTorch knows no autocast on Apple GPUs
            return self._network(tiles)
        with torch.autocast(self._device.kind, getattr(torch, self._device.precision)):
            return self._network(tiles)

    def _all_background(self, tiles: torch.Tensor) -> torch.Tensor:
        """Logits that say background with certainty, without asking the network."""
        logits = torch.full(
            (tiles.shape[0], int(self._network.out_channels), *tiles.shape[2:]), -10.0, device=tiles.device
        )
        logits[:, 0] = 10.0
        return logits

    def _batch_for_memory(self) -> int:
        """Tiles that fit into the free GPU memory, from what the first one took."""
        peak = max(1, torch.cuda.max_memory_allocated())
        free, _ = torch.cuda.mem_get_info()
        return int(max(1, min(MAX_BATCH, MEMORY_SHARE * free // peak)))
