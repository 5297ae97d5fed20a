"""A network run over the tiles of an image; planes of blended scores come out as soon as they are complete.

Tiles run in the order of their first axis, so that only as many planes of scores are held as a tile is deep,
however long the scan.
"""

from dataclasses import dataclass
from typing import Callable, Dict, Iterator, Optional, Protocol, Sequence, Tuple

import numpy as np

from LiverSegLib.inference.foreign.plan import Plan

KEPT_BYTES = 1 << 28
"""The scores of a constant tile are kept for the next such tile if they take less memory than this."""
CONSTANT = 1e-4
"""A tile whose values differ by less than this, in units of the network's input, is constant: a spline rings
by as much a few voxels inside air."""

Check = Callable[[], None]


class TileNetwork(Protocol):
    """A network that is ready to run: its weights of one fold on a device."""

    @property
    def out_channels(self) -> int:
        """Channels of the scores."""

    def run(self, tile: np.ndarray, mirror_axes: Sequence[int], poll: Check) -> np.ndarray:
        """Scores (classes, a, b, c) of a tile (channels, a, b, c), float32, which the caller must not change.

        They are averaged over the tile's copies that are mirrored along ``mirror_axes``, of (a, b, c).
        ``poll`` is called at least twice a second and raises to cancel.
        """


@dataclass(frozen=True)
class TileImage:
    """What a network sees: the image and, with ``labels``, a channel for each label of an earlier stage.

    Attributes:
        image: (a, b, c) float32.
        labels: (a, b, c) of an earlier stage on the same grid, or None.
        values: the labels that have a channel, in their order.
        outside: the image's value beyond it.
    """

    image: np.ndarray
    labels: Optional[np.ndarray] = None
    values: Tuple[int, ...] = ()
    outside: float = 0.0

    def tile(self, plan: Plan, place: Sequence[slice]) -> np.ndarray:
        """A tile (channels, a, b, c) at a place in the padded image."""
        tile: np.ndarray = np.zeros((1 + len(self.values), *plan.size), np.float32)
        tile[0] = self.outside
        inside, source = [], []
        for part, before, length in zip(place, plan.before, self.image.shape):
            first, stop = max(0, part.start - before), min(length, part.stop - before)
            source.append(slice(first, stop))
            inside.append(slice(first + before - part.start, stop + before - part.start))
        target, where = tuple(inside), tuple(source)
        tile[0][target] = self.image[where]
        if self.labels is not None:
            part_labels = self.labels[where]
            for channel, value in enumerate(self.values, start=1):
                tile[channel][target] = part_labels == value
        return tile


def blended_planes(
    folds: Sequence[TileNetwork],
    seen: TileImage,
    plan: Plan,
    *,
    mirror_axes: Sequence[int] = (),
    done: Callable[[int], None],
    poll: Check,
) -> Iterator[np.ndarray]:
    """Scores of an image, plane by plane along its first axis.

    Args:
        folds: networks whose scores are averaged.
        seen: the image.
        plan: its tiles.
        mirror_axes: axes of the patch over whose mirrored copies the scores are averaged too.
        done: called with the number of tiles that are done, before each of them; may raise to cancel.
        poll: called at least twice a second; raises to cancel.

    Yields:
        (classes, b, c) float32 for each plane of the image, in order; the caller's own.
    """
    networks = [_Scores(fold, plan, mirror_axes, poll) for fold in folds]
    bands = [_Band(plan, fold.out_channels) for fold in folds]
    inside = range(plan.before[0], plan.before[0] + plan.shape[0])
    count = complete = 0
    for start in (*plan.starts[0], plan.padded[0]):
        for plane in range(complete, start):
            scores = [band.take(plane) for band in bands]
            if plane in inside:
                yield _mean(scores).astype(np.float32)
        complete = start
        for place in plan.places(start) if start < plan.padded[0] else ():
            tile = seen.tile(plan, place)
            for network, band in zip(networks, bands):
                done(count)
                band.add(network.of(tile), place)
            count += 1
    done(count)


def _mean(planes: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of planes of all folds, in their own precision."""
    if len(planes) == 1:
        return planes[0]
    total = planes[0]
    for plane in planes[1:]:
        total = total + plane
    return total / total.dtype.type(len(planes))


class _Band:
    """Sums of weighted scores over the planes that tiles may still add to, in a ring.

    nnU-Net sums in half precision. That shows at the image's edges, where a single tile counts with weights
    so small that products have few digits; so it is done here, too, and halves the memory.
    """

    def __init__(self, plan: Plan, classes: int) -> None:
        self._plan, self._depth = plan, plan.size[0]
        shape = (self._depth, classes, *plan.padded[1:])
        kind = np.float16 if plan.spread else np.float32
        self._scores = np.zeros(shape, kind)
        self._weights = np.zeros((self._depth, *plan.padded[1:]), kind)

    def add(self, scores: np.ndarray, place: Sequence[slice]) -> None:
        """Add a tile's scores (classes, a, b, c) at its place in the padded image."""
        a, b, c = place
        for index in range(self._depth):
            row = (a.start + index) % self._depth
            weight = self._plan.weight[index]
            part = self._scores[row, :, b, c]
            np.add(part, scores[:, index] * weight, out=part, casting="same_kind")
            total = self._weights[row, b, c]
            np.add(total, weight, out=total, casting="same_kind")

    def take(self, plane: int) -> np.ndarray:
        """Scores (classes, b, c) of a plane of the padded image that no further tile reaches, without
        padding; its row is freed."""
        row = plane % self._depth
        b, c = (slice(first, first + n) for first, n in zip(self._plan.before[1:], self._plan.shape[1:]))
        scores: np.ndarray = self._scores[row, :, b, c] / self._weights[row, b, c]
        self._scores[row] = 0
        self._weights[row] = 0
        return scores


class _Scores:
    """Scores of one tile of one fold; those of constant tiles are kept."""

    def __init__(self, network: TileNetwork, plan: Plan, mirror_axes: Sequence[int], poll: Check) -> None:
        self._network, self._poll = network, poll
        # Axes of a patch (b, c) are one less than those of a tile (1, b, c).
        self._axes = tuple(axis + plan.planar for axis in mirror_axes)
        self._kept: Dict[Tuple[float, ...], np.ndarray] = {}

    def of(self, tile: np.ndarray) -> np.ndarray:
        """Scores (classes, a, b, c) of a tile (channels, a, b, c)."""
        key = _constant(tile)
        for other, kept in self._kept.items():
            if key is not None and np.allclose(key, other, rtol=0, atol=CONSTANT):
                return kept
        scores = self._network.run(tile, self._axes, self._poll)
        if key is not None and scores.nbytes <= KEPT_BYTES:
            self._kept = {**dict(list(self._kept.items())[-1:]), key: scores}
        return scores


def _constant(tile: np.ndarray) -> Optional[Tuple[float, ...]]:
    """The values of the channels of a tile that are constant each; None if they are not."""
    values = []
    for channel in tile:
        low = float(channel.min())
        if float(channel.max()) - low > CONSTANT:
            return None
        values.append(low)
    return tuple(values)
