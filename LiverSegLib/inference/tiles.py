"""A network run over overlapping tiles and blended; what it falls back to where an engine or device fails."""

import itertools
from dataclasses import dataclass
from typing import Callable, List, Optional, Sequence, Tuple

from LiverSegLib.errors import DeviceError, LiverSegError, is_out_of_memory
from LiverSegLib.inference.arrays import Array, Arrays, on_host
from LiverSegLib.inference.device_check import DEVICE_TOLERANCE, difference, first_line, middle_tile
from LiverSegLib.inference.devices import ENGINES, Device
from LiverSegLib.inference.engines import Engine, Poll
from LiverSegLib.inference.tile_plan import TilePlan, blending_weight
from LiverSegLib.sentences import Sentence

MAX_BATCH = 8
"""Most tiles side by side."""
SLAB = 16
"""Planes whose weights are summed at a time."""

Progress = Callable[[float], None]
Load = Callable[[Device], Engine]
"""Loads the network on a device; raises where its engine cannot."""


class TileRunner:
    """A network, ready to be run over images; remembers what it had to fall back to.

    The first device that loads computes. Anything but the CPU in float32 is tried on one tile before its
    first use (see :mod:`device_check`). A device or engine that fails, or computes otherwise, gives way to
    the next for good. Lack of memory is another matter: that fallback lasts until :meth:`new_scan`.

    Args:
        load: loads the network, as ``functools.partial(load_engine, model, stage, fold)`` does.
        devices: the best first, as :func:`devices.choose_devices` returns them.

    Raises:
        ModelError: the network's files are damaged.
        Exception: what the last device raised, where none loads.
    """

    def __init__(self, load: Load, devices: Sequence[Device]) -> None:
        self.fallbacks: List[str] = []
        self._load, self._devices = load, list(devices)
        self._checked = self._ran = False
        self._engine = self._first_that_loads()

    @property
    def engine(self) -> Engine:
        """What computes now."""
        return self._engine

    @property
    def device(self) -> Device:
        """Where it computes now; another than at first after a fallback."""
        return self._engine.device

    @property
    def size_multiple(self) -> Tuple[int, ...]:
        """What the edges of a tile must be multiples of, per axis."""
        return self._engine.size_multiple

    def new_scan(self) -> None:
        """Forget the fallbacks of the scan before, and try the device again that memory ran out on."""
        if self._ran:
            self.fallbacks.clear()
        if self._engine.device != self._devices[0]:
            self._engine = self._first_that_loads()

    def run(
        self,
        image: Array,
        plan: TilePlan,
        *,
        background: float = -1.0,
        mirror_axes: Sequence[int] = (),
        skip_empty: bool = True,
        weight: Optional[Array] = None,
        progress: Optional[Progress] = None,
        poll: Optional[Poll] = None,
    ) -> Array:
        """Return blended logits (classes, z, y, x) float32, of numpy or on the GPU, for an image.

        Args:
            image: float32, normalised: (z, y, x), or (channels, z, y, x).
            plan: where the tiles lie in the image.
            background: the image's value of air, for padding and for recognising empty tiles.
            mirror_axes: axes of (z, y, x) over whose mirrored tiles the logits are averaged too.
            skip_empty: do not compute tiles that hold nothing but air.
            weight: of a tile's voxels (z, y, x) in the blend; :func:`blending_weight` if not given.
            progress: called with the share done before each batch; may raise to cancel.
            poll: called often while a network computes on the CPU; raises a LiverSegError to cancel.

        Raises:
            Exception: what the last engine that was left raised, or any when memory runs out even on the CPU
                with one tile at a time.
        """
        self._ran = True
        flips = [f for k in range(1, len(mirror_axes) + 1) for f in itertools.combinations(mirror_axes, k)]
        image = image if image.ndim == 4 else image[None]
        weight = blending_weight(plan.size) if weight is None else weight
        tiles = _Tiles(image, plan, weight, background, tuple(flips), skip_empty, poll)
        try:
            return self._run_somewhere(tiles, _Highest(progress))
        finally:
            self._engine.free_memory()

    # ---- which device

    def _first_that_loads(self) -> Engine:
        """Load the network on the first device that can; those that cannot are given up."""
        while True:
            try:
                return self._load(self._devices[0])
            except Exception as error:  # what a library raises has no common type
                damaged = isinstance(error, LiverSegError) and not isinstance(error, DeviceError)
                if damaged or is_out_of_memory(error) or not self._give_up(error):
                    raise

    def _run_somewhere(self, tiles: "_Tiles", reached: "_Highest") -> Array:
        """Run on the device, and with less or elsewhere where that fails."""
        limit = MAX_BATCH
        while True:
            try:
                if not self._checked and not self.device.is_reference:
                    self._check_device(tiles)
                return self._run(tiles, limit, reached)
            except LiverSegError:  # the user cancelled
                raise
            except Exception as error:  # what a library raises has no common type
                if reached.raised is error:
                    raise
                if is_out_of_memory(error):
                    limit = self._less_memory(limit, error)
                elif self._give_up(error):
                    self._engine, limit = self._first_that_loads(), MAX_BATCH
                else:
                    raise

    def _less_memory(self, limit: int, error: Exception) -> int:
        """Give up tiles side by side, then the graphics card for this scan. Returns the new limit."""
        name = self.device.name
        if self.device.kind == "cpu":
            raise error
        self._engine.free_memory()
        if limit > 1:
            self.fallbacks.append(Sentence("device.one-tile", device=name))
            return 1
        reference = self._reference()
        if reference is None:
            raise error
        self.fallbacks.append(Sentence("device.to-cpu", device=name))
        self._engine = reference
        return MAX_BATCH

    def _check_device(self, tiles: "_Tiles") -> None:
        """Compare one tile with the CPU's in float32, and go on with that where they differ."""
        tile = middle_tile(on_host(tiles.image), tiles.plan.size)
        here = on_host(self._infer(self._engine.arrays.put(tile), tiles.poll))
        reference = self._reference()
        self._checked = True
        if reference is None:
            return
        there, given_up, self._engine = None, self._engine, reference
        try:
            there = on_host(self._infer(tile, tiles.poll))
        finally:
            self._engine = given_up
        if difference(here, there) <= DEVICE_TOLERANCE:
            return
        device = self.device
        if device.kind != "cpu":
            self.fallbacks.append(Sentence("device.differs", device=device.name))
        else:
            engine = ENGINES[device.engine]
            self.fallbacks.append(Sentence("engine.differs", engine=engine, precision=device.precision))
        self._devices.remove(device)
        self._engine = self._first_that_loads()

    def _reference(self) -> Optional[Engine]:
        """The network on the CPU in float32, with the first engine that loads; None if there is none."""
        for device in self._devices:
            if device.is_reference:
                try:
                    return self._load(device)
                except Exception as error:  # what a library raises has no common type
                    if is_out_of_memory(error):
                        raise
        return None

    def _give_up(self, error: Exception) -> bool:
        """Leave the first device out for good, as it failed, and not for lack of memory; on the CPU also the
        other precisions of its engine. Returns whether another is left.
        """
        failed = self._devices[0]
        others = [
            device for device in self._devices[1:] if failed.kind != "cpu" or device.engine != failed.engine
        ]
        if not others:
            return False
        reason = first_line(error)
        if isinstance(error, DeviceError) and error.details:
            reason = error.details.strip().splitlines()[0].rstrip(".")[:200]
        if failed.kind != "cpu":
            self.fallbacks.append(Sentence("device.failed", device=failed.name, reason=reason))
        else:
            names = {"engine": ENGINES[failed.engine], "instead": ENGINES[others[0].engine]}
            self.fallbacks.append(Sentence("engine.failed", reason=reason, **names))
        self._devices, self._checked = others, False
        return True

    # ---- on the device

    def _run(self, tiles: "_Tiles", limit: int, reached: "_Highest") -> Array:
        """Blend all tiles, at most ``limit`` of them side by side."""
        engine, plan = self._engine, tiles.plan
        arrays = engine.arrays
        padded = tiles.padded(arrays)
        z, y, x = tiles.image.shape[1:]
        if plan.size == plan.padded:  # one tile has nothing to blend with
            reached(0.0)
            return self._forward(padded[None], tiles)[0][:, :z, :y, :x]
        weight = arrays.put(tiles.weight)
        sums = arrays.zeros((engine.out_channels, *plan.padded))
        done, planned = 0, 1
        while done < len(plan.starts):
            reached(done / len(plan.starts))
            places = plan.places(done, done + planned)
            batch = arrays.library.stack([padded[(slice(None), *place)] for place in places])
            for place, logits in zip(places, self._forward(batch, tiles)):
                logits *= weight
                sums[(slice(None), *place)] += logits
            done += len(places)
            planned = min(limit, MAX_BATCH, engine.tiles_at_once())
        _divide_by_weights(sums, plan, weight, arrays)
        return sums[:, :z, :y, :x]

    def _forward(self, batch: Array, tiles: "_Tiles") -> Array:
        """Logits (tiles, classes, z, y, x) of tiles (tiles, channels, z, y, x), mirrored copies averaged."""
        if tiles.skip_empty and float(batch.max()) <= tiles.background + 1e-3:
            return self._all_background(batch)
        logits = self._infer(batch, tiles.poll)
        flip = self._engine.arrays.library.flip
        for axes in tiles.flips:
            dims = [axis + 2 for axis in axes]
            logits += flip(self._infer(flip(batch, dims), tiles.poll), dims)
        if tiles.flips:
            logits /= len(tiles.flips) + 1
        return logits

    def _infer(self, batch: Array, poll: Optional[Poll]) -> Array:
        """Run the engine; one of two dimensions gets the tiles' only slice."""
        if len(self._engine.size_multiple) == 2:
            return self._engine.run(batch[:, :, 0], poll)[:, :, None]
        return self._engine.run(batch, poll)

    def _all_background(self, tiles: Array) -> Array:
        """Logits that say background with certainty, without asking the network."""
        engine = self._engine
        shape = (tiles.shape[0], engine.out_channels, *tiles.shape[2:])
        logits = engine.arrays.full(shape, -10.0)
        logits[:, 0] = 10.0
        return logits


def _divide_by_weights(sums: Array, plan: TilePlan, weight: Array, arrays: Arrays) -> None:
    """Divide sums of weighted logits (classes, z, y, x) by those of the weights, in place; slab by slab, as
    those of the whole image would take as much memory as another class.
    """
    for first in range(0, plan.padded[0], SLAB):
        stop = min(first + SLAB, plan.padded[0])
        total = arrays.zeros((stop - first, *plan.padded[1:]))
        for z, y, x in plan.places(0, len(plan.starts)):
            low, high = max(first, z.start), min(stop, z.stop)
            if low < high:
                total[low - first : high - first, y, x] += weight[low - z.start : high - z.start]
        sums[:, first:stop] /= total


@dataclass(frozen=True)
class _Tiles:
    """What :meth:`TileRunner.run` was asked for; the image is (channels, z, y, x), ``flips`` are the sets of
    axes to mirror over.
    """

    image: Array
    plan: TilePlan
    weight: Array
    background: float
    flips: Tuple[Tuple[int, ...], ...]
    skip_empty: bool
    poll: Optional[Poll]

    def padded(self, arrays: Arrays) -> Array:
        """The image where the network is, filled up with air to the plan's size."""
        image, size = arrays.put(self.image), self.plan.padded
        if tuple(image.shape[1:]) == tuple(size):
            return image
        padded = arrays.full((image.shape[0], *size), self.background)
        padded[(slice(None), *(slice(0, int(n)) for n in image.shape[1:]))] = image
        return padded


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
