"""Where the tiles of a network's image lie, and how much each of their voxels counts.

Padding, steps and weights are those of nnU-Net (Isensee et al. 2021) and of MONAI's sliding-window inferer,
whose models were validated with them.
"""

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Iterator, List, Sequence, Tuple

import numpy as np
from scipy import ndimage

SIGMA = 0.125
"""Standard deviation of the blending weight, in tile lengths."""
WEIGHT_AT_CENTRE = 10.0
"""nnU-Net keeps weights in half precision, which this scales to: what underflows counts as the smallest."""
MONAI_LOWEST = 1e-3
"""MONAI's weights are nowhere below this; they are 1 at the centre."""

Triple = Tuple[int, int, int]


@dataclass(frozen=True)
class Plan:
    """The tiles of an image.

    Attributes:
        size: of a tile (a, b, c); a is 1 for networks of two dimensions.
        starts: for each axis the first voxels of the tiles, in the padded image.
        before: voxels of padding before the image (a, b, c).
        padded: shape of the image with padding.
        shape: of the image.
        blend: "gaussian" or "constant".
        planar: the network sees one plane (b, c) at a time.
        spread: tiles are spread evenly and weighted as nnU-Net does; if not, as MONAI does.
    """

    size: Triple
    starts: Tuple[Tuple[int, ...], ...]
    before: Triple
    padded: Triple
    shape: Triple
    blend: str
    planar: bool
    spread: bool

    @property
    def count(self) -> int:
        """Number of tiles."""
        return int(np.prod([len(starts) for starts in self.starts]))

    def places(self, first: int) -> Iterator[Tuple[slice, ...]]:
        """Tiles that begin at ``first`` along a, as places in the padded image."""
        for b, c in itertools.product(*self.starts[1:]):
            yield tuple(slice(s, s + n) for s, n in zip((first, b, c), self.size))

    @cached_property
    def weight(self) -> np.ndarray:
        """Weight of a tile's voxels (a, b, c), float32, nowhere 0."""
        if self.blend == "constant":
            return np.ones(self.size, np.float32)
        return gaussian_weight(self.size) if self.spread else centred_weight(self.size)


def plan_tiles(
    shape: Sequence[int],
    patch: Sequence[int],
    step: float,
    blend: str = "gaussian",
    *,
    spread: bool = True,
) -> Plan:
    """Cover an image (a, b, c) with tiles of the size of a patch (a, b, c), or (b, c) for each plane.

    A smaller image is padded on both sides, one voxel more behind it where the number is odd.

    Args:
        step: distance of tiles as a share of their size, at most.
        blend: "gaussian" or "constant".
        spread: as nnU-Net does; if not, tiles keep their distance but for the last (MONAI).
    """
    size = _triple((1, *patch) if len(patch) == 2 else tuple(patch))
    padded = tuple(max(n, edge) for n, edge in zip(shape, size))
    before = tuple((n - m) // 2 for n, m in zip(padded, shape))
    along = spread_steps if spread else fixed_steps
    starts = tuple(tuple(along(n, edge, step)) for n, edge in zip(padded, size))
    return Plan(
        size, starts, _triple(before), _triple(padded), _triple(shape), blend, len(patch) == 2, spread
    )


def spread_steps(length: int, tile: int, step: float) -> List[int]:
    """First voxels of evenly spread tiles along an axis, which is at least as long as a tile."""
    count = int(np.ceil((length - tile) / (tile * step))) + 1
    distance = (length - tile) / max(1, count - 1)
    return [int(np.round(distance * index)) for index in range(count)]


def fixed_steps(length: int, tile: int, step: float) -> List[int]:
    """First voxels of tiles at a fixed distance, the last of which is moved back to the end of the axis."""
    distance = tile if length == tile else max(1, int(tile * step))
    count = int(np.ceil((length - tile) / distance)) + 1
    return [min(index * distance, length - tile) for index in range(count)]


def centred_weight(size: Sequence[int]) -> np.ndarray:
    """Gaussian weight of a tile's voxels, float32, 1 at most and nowhere below MONAI_LOWEST."""
    weight = np.ones((), np.float32)
    for length in size:
        places = np.arange(length, dtype=np.float32) - (length - 1) / 2
        weight = weight[..., None] * np.exp(-(places**2) / (2 * (SIGMA * length) ** 2)).astype(np.float32)
    return np.maximum(weight, max(float(weight.min()), MONAI_LOWEST))


def gaussian_weight(size: Sequence[int]) -> np.ndarray:
    """Gaussian weight of a tile's voxels, float32, of values that half precision has; nowhere 0.

    The centre of an even edge is the voxel after its middle.
    """
    weight = np.ones(())
    for length in size:
        impulse = np.zeros(length)
        impulse[length // 2] = 1
        along = ndimage.gaussian_filter1d(impulse, length * SIGMA, mode="constant") if length > 1 else impulse
        weight = weight[..., None] * along
    half = (weight / (weight.max() / WEIGHT_AT_CENTRE)).astype(np.float16)
    half[half == 0] = half[half > 0].min()
    return half.astype(np.float32)


def _triple(values: Sequence[int]) -> Triple:
    a, b, c = (int(value) for value in values)
    return a, b, c
