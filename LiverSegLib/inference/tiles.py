"""A network run over overlapping tiles, blended with Gaussian weights (nnU-Net, Isensee et al. 2021)."""

import copy
import itertools
from dataclasses import dataclass
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from torch.nn import functional

from LiverSegLib.errors import LiverSegError, is_out_of_memory
from LiverSegLib.inference.device_check import DEVICE_TOLERANCE, difference, first_line, middle_tile
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
    """Where the tiles of an image begin and how large they are, in voxels (z, y, x).

    Attributes:
        starts: first voxel of each tile.
        size: of every tile.
        padded: size of the image with padding.
    """

    starts: Tuple[Tuple[int, int, int], ...]
    size: Tuple[int, int, int]
    padded: Tuple[int, int, int]

    def places(self, first: int, stop: int) -> List[Tuple[slice, ...]]:
        """Where some of the tiles lie in the padded image."""
        return [tuple(slice(s, s + n) for s, n in zip(start, self.size)) for start in self.starts[first:stop]]


def plan_tiles(
    shape: Sequence[int], patch: Sequence[int], multiple: int, overlap: float = OVERLAP
) -> TilePlan:
    """Cover an image with tiles, spread evenly.

    A tile is the model's patch, or the image where that is smaller (rounded up to the network's
    ``multiple``).
    """
    axes = [_along_an_axis(n, min(p, -(-n // multiple) * multiple), overlap) for n, p in zip(shape, patch)]
    z, y, x = axes
    starts = tuple(itertools.product(z.starts, y.starts, x.starts))
    return TilePlan(starts, (z.tile, y.tile, x.tile), (z.padded, y.padded, x.padded))


class _Axis(NamedTuple):
    """Tiles along one axis, in voxels."""

    starts: List[int]
    tile: int
    padded: int


def _along_an_axis(length: int, tile: int, overlap: float) -> _Axis:
    padded = max(length, tile)
    count = 1 if padded == tile else int(np.ceil((padded - tile) / (tile * (1 - overlap)))) + 1
    starts = [int(round(i * (padded - tile) / max(1, count - 1))) for i in range(count)]
    return _Axis(starts, tile, padded)


def blending_weight(size: Sequence[int]) -> torch.Tensor:
    """Gaussian weight (z, y, x), 1 at the middle, nowhere below LOWEST_WEIGHT."""
    weight = torch.ones(())
    for length in size:
        x = torch.arange(length, dtype=torch.float32) - (length - 1) / 2
        weight = weight[..., None] * torch.exp(-(x**2) / (2 * (SIGMA * length) ** 2))
    return weight.clamp_(min=LOWEST_WEIGHT)


class TileRunner:
    """A network on a device, ready to be run over images; remembers what it had to fall back to.

    A graphics card is tried on one tile before its first use (see :mod:`device_check`); one that fails or
    computes otherwise than the CPU is not used at all. Lack of memory is another matter: that fallback lasts
    until :meth:`new_scan`.

    Args:
        network: ``torch.nn.Module`` with ``size_multiple``; put on the device in channels-last memory.
        device: where and how precisely.
    """

    def __init__(self, network: Any, device: Device) -> None:
        self.fallbacks: List[str] = []
        self.size_multiple = int(network.size_multiple)
        self._network = network.eval()
        self._wanted, self._checked, self._ran = device, device.kind == "cpu", False
        self._poll: Optional[Callable[[], None]] = None
        # A device that broke does not give the weights back: keep them here too.
        self._spare = self._network if self._checked else copy.deepcopy(self._network)
        for network in {id(one): one for one in (self._network, self._spare)}.values():
            for layer in network.modules():
                if not list(layer.children()):
                    layer.register_forward_pre_hook(self._between_layers)
        try:
            self._place(device)
        except Exception as error:  # what a device raises has no common type
            if device.kind == "cpu" or is_out_of_memory(error):
                raise
            self._give_up_device(error)

    @property
    def device(self) -> Device:
        """Where it computes now; the CPU after a fallback from a graphics card."""
        return self._device

    def new_scan(self) -> None:
        """Forget the fallbacks of the scan before, and try the device again that memory ran out on."""
        if self._ran:
            self.fallbacks.clear()
        if self._device != self._wanted:
            try:
                self._place(self._wanted)
            except Exception as error:  # what a device raises has no common type
                self._give_up_device(error)

    def run(
        self,
        image: torch.Tensor,
        plan: TilePlan,
        *,
        background: float = -1.0,
        mirror_axes: Sequence[int] = (),
        skip_empty: bool = True,
        progress: Optional[Progress] = None,
        poll: Optional[Callable[[], None]] = None,
    ) -> torch.Tensor:
        """Return blended logits (classes, z, y, x) float32 on the CPU or GPU for an image (z, y, x).

        Args:
            image: float32, normalised.
            plan: of :func:`plan_tiles` for this image's shape.
            background: the image's value of air, for padding and for recognising empty tiles.
            mirror_axes: axes of (z, y, x) over whose mirrored tiles the logits are averaged too.
            skip_empty: do not compute tiles that hold nothing but air.
            progress: called with the share done before each batch; may raise to cancel.
            poll: called before each layer on the CPU; raises a LiverSegError to cancel.

        Raises:
            Exception: whatever the device raises when memory runs out even on the CPU with one tile at a
                time.
        """
        self._ran, self._poll = True, poll
        flips = [f for k in range(1, len(mirror_axes) + 1) for f in itertools.combinations(mirror_axes, k)]
        tiles = _Tiles(image, plan, background, tuple(flips), skip_empty)
        try:
            return self._run_somewhere(tiles, _Highest(progress))
        finally:
            self._poll = None

    def _run_somewhere(self, tiles: "_Tiles", reached: "_Highest") -> torch.Tensor:
        """Run on the device, and with less or elsewhere where that fails."""
        limit = MAX_BATCH
        while True:
            try:
                if not self._checked and self._device.kind != "cpu":
                    self._check_device(tiles.image, tiles.plan)
                return self._run(tiles, limit, reached)
            except LiverSegError:  # the user cancelled
                raise
            except Exception as error:  # what a device raises has no common type
                if self._device.kind == "cpu" or reached.raised is error:
                    raise
                limit = self._fall_back(limit, error)

    def _fall_back(self, limit: int, error: Exception) -> int:
        """Give up something: first tiles side by side where memory ran out, else the device. Returns the new
        limit.
        """
        if not is_out_of_memory(error):
            self._give_up_device(error)
            return MAX_BATCH
        if self._device.kind == "cuda":
            torch.cuda.empty_cache()
        if limit > 1:
            self.fallbacks.append(Sentence("device.one-tile", device=self._device.name))
            return 1
        self.fallbacks.append(Sentence("device.to-cpu", device=self._device.name))
        self._place(self._cpu())
        return MAX_BATCH

    def _check_device(self, image: torch.Tensor, plan: TilePlan) -> None:
        """Compare one tile of the device with the CPU's; use the CPU from now on where they differ."""
        tile = middle_tile(image.cpu(), plan.size)
        with torch.inference_mode():
            here = self._infer(tile.to(self._device.kind)).float().cpu()
            there = self._spare(tile).float()
        self._checked = True
        if difference(here, there) > DEVICE_TOLERANCE:
            self.fallbacks.append(Sentence("device.differs", device=self._device.name))
            self._use_spare()

    def _give_up_device(self, error: Exception) -> None:
        """Compute on the CPU from now on: the device failed, and not for lack of memory."""
        self.fallbacks.append(Sentence("device.failed", device=self._wanted.name, reason=first_line(error)))
        self._use_spare()

    def _use_spare(self) -> None:
        """Compute on the CPU for good, with the weights that were kept there."""
        self._network, self._checked = self._spare, True
        self._wanted = self._cpu()
        self._place(self._wanted)

    def _cpu(self) -> Device:
        return choose_device("cpu", threads=self._device.threads)

    def _between_layers(self, *_: Any) -> None:
        """Runs before every layer, as a tile on a slow CPU may take longer than the second that cancelling
        may take."""
        if self._poll is not None and self._device.kind == "cpu":
            self._poll()

    def _place(self, device: Device) -> None:
        self._device = device
        self._network.to(device.kind).to(memory_format=torch.channels_last_3d)

    def _run(self, tiles: "_Tiles", limit: int, reached: "_Highest") -> torch.Tensor:
        """Blend all tiles, at most ``limit`` of them side by side."""
        where, plan = self._device.kind, tiles.plan
        padded = tiles.padded(where)
        weight = blending_weight(plan.size).to(where)
        total = torch.zeros(plan.padded, device=where)
        sums = torch.zeros((int(self._network.out_channels), *plan.padded), device=where)
        done, planned = 0, 1
        with torch.inference_mode():
            while done < len(plan.starts):
                reached(done / len(plan.starts))
                places = plan.places(done, done + planned)
                if where == "cuda" and done == 0:
                    torch.cuda.reset_peak_memory_stats()
                    before = torch.cuda.memory_allocated()
                batch = torch.stack([padded[place] for place in places])[:, None]
                for place, logits in zip(places, self._forward(batch, tiles)):
                    sums[(slice(None), *place)].addcmul_(logits.float(), weight)
                    total[place] += weight
                done += len(places)
                if where == "cuda" and done == 1:
                    planned = min(limit, self._batch_for_memory(before))
            z, y, x = tiles.image.shape
            return sums.div_(total)[:, :z, :y, :x]

    def _forward(self, batch: torch.Tensor, tiles: "_Tiles") -> torch.Tensor:
        """Logits (tiles, classes, z, y, x) of a batch (tiles, 1, z, y, x), mirrored copies averaged."""
        if tiles.skip_empty and float(batch.amax()) <= tiles.background + 1e-3:
            return self._all_background(batch)
        logits = self._infer(batch)
        for axes in tiles.flips:
            dims = [axis + 2 for axis in axes]
            logits = logits + self._infer(batch.flip(dims)).flip(dims)
        return logits / (len(tiles.flips) + 1) if tiles.flips else logits

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

    def _batch_for_memory(self, before: int) -> int:
        """Tiles that fit into the free GPU memory, from what the first one took beyond ``before`` (bytes)."""
        peak = torch.cuda.max_memory_allocated() - before
        free, _ = torch.cuda.mem_get_info()
        unused = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()  # kept by PyTorch for tiles
        return int(max(1, min(MAX_BATCH, MEMORY_SHARE * (free + unused) // max(1, peak))))


@dataclass(frozen=True)
class _Tiles:
    """What :meth:`TileRunner.run` was asked for; ``flips`` are the sets of axes to mirror over."""

    image: torch.Tensor
    plan: TilePlan
    background: float
    flips: Tuple[Tuple[int, ...], ...]
    skip_empty: bool

    def padded(self, where: str) -> torch.Tensor:
        """The image on a kind of device, filled up with air to the plan's size."""
        image = self.image.to(where)
        pads = [a for n, p in zip(image.shape[::-1], self.plan.padded[::-1]) for a in (0, p - n)]
        return functional.pad(image, pads, value=self.background) if any(pads) else image


class _Highest:
    """Progress that never runs backwards, as a fallback begins the tiles anew; remembers what it raised."""

    def __init__(self, progress: Optional[Progress]) -> None:
        self._progress, self._share = progress, 0.0
        self.raised: Optional[BaseException] = None

    def __call__(self, share: float) -> None:
        """Report the share that is done, or the largest so far."""
        self._share = max(self._share, share)
        if self._progress is None:
            return
        try:
            self._progress(self._share)
        except Exception as error:
            self.raised = error
            raise
