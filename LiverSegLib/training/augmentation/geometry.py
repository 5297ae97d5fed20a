"""Flips, rotation, scaling, shifts and elastic deformation: image and label on one grid, in mm.

The grids and the resampling are MONAI's. The matrix and the deformation are made here: MONAI rotates in
voxels, which shears images with thick slices, and smooths a random field of full size, which takes seconds.
"""

import itertools
from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from LiverSegLib.training.augmentation.options import AugmentationOptions

ANGLES_TRIED = 5
"""Angles of each rotation, from end to end, among which the largest crop is looked for."""


@dataclass(frozen=True)
class Move:
    """How a patch is cut from a larger crop.

    Attributes:
        matrix: float (axes, axes): offsets from the patch's middle to those in the crop, in voxels.
        shift: voxels by which the middle is moved, in the order of the axes.
        displacement: float32 (axes, *patch), voxels added to the place in the crop; None for none.
        flips: axes along which the patch is flipped at last.
    """

    matrix: np.ndarray
    shift: Tuple[int, ...]
    displacement: Optional[Tensor]
    flips: Tuple[int, ...]

    @property
    def resamples(self) -> bool:
        """Whether voxels are interpolated; else they are only cut out and flipped."""
        return self.displacement is not None or not np.array_equal(self.matrix, np.eye(len(self.matrix)))


def enlarged_size(
    options: AugmentationOptions, patch: Sequence[int], spacing: Sequence[float]
) -> Tuple[int, ...]:
    """Size of the crop in which every patch drawn lies, corners included.

    Args:
        options: of the recipe.
        patch: voxels (z, y, x) or (y, x).
        spacing: mm in the order of the axes.

    Returns:
        A size that differs from the patch by an even number of voxels, so that their middles are one.
    """
    half, step = np.asarray(patch, float) / 2, np.asarray(spacing, float)
    rotation, tilt = options.rotation.largest, options.tilt.largest if len(patch) == 3 else 0.0
    angles = [np.linspace(-limit, limit, ANGLES_TRIED if limit else 1) for limit in (rotation, tilt, tilt)]
    sizes = [np.abs(_matrix(turn, 1.0, step)) @ half for turn in itertools.product(*angles)]
    zoom = options.scaling.range[0] if options.scaling.probability else 1.0
    reach = np.max(sizes, axis=0) / min(zoom, 1.0)
    reach += options.crop.largest * 2 * half + options.elastic.largest / step
    extra = np.ceil(reach - half - 1e-6).astype(int)
    return tuple(int(n + 2 * max(more, 0)) for n, more in zip(patch, extra))


def draw_move(
    options: AugmentationOptions, patch: Sequence[int], spacing: Sequence[float], rng: np.random.Generator
) -> Move:
    """Draw how the next patch lies.

    Args:
        options: of the recipe.
        patch: voxels (z, y, x) or (y, x).
        spacing: mm in the order of the axes.
        rng: the source of all chance.
    """
    axes = len(patch)
    turns = [0.0, 0.0, 0.0]
    for place, how in enumerate((options.rotation, options.tilt, options.tilt)[: 3 if axes == 3 else 1]):
        if rng.random() < how.probability:
            turns[place] = rng.uniform(*how.range)
    zoom = 1.0
    if rng.random() < options.scaling.probability:
        zoom = float(np.exp(rng.uniform(*np.log(options.scaling.range))))
    shift = [0] * axes
    if rng.random() < options.crop.probability:
        shift = [int(np.trunc(rng.uniform(*options.crop.range) * n)) for n in patch]
    displacement = None
    if rng.random() < options.elastic.probability:
        displacement = _draw_displacement(options, patch, spacing, rng)
    chances = (options.flip_head_foot, options.flip_front_back, options.flip_left_right)[3 - axes :]
    flips = tuple(axis for axis, chance in enumerate(chances) if rng.random() < chance)
    return Move(_matrix(turns, zoom, np.asarray(spacing, float)), tuple(shift), displacement, flips)


def moved(image: Tensor, label: Tensor, move: Move, patch: Sequence[int]) -> Tuple[Tensor, Tensor]:
    """Cut the patch out of a crop.

    Args:
        image: float32 (channel, *crop).
        label: uint8 (1, *crop).
        move: how the patch lies.
        patch: its size.

    Returns:
        Image, interpolated linearly, and label, that of the nearest voxel, both of the patch's size. What
        lies beyond the crop continues its edge.
    """
    if move.resamples:
        grid = _grid(move, patch)
        image = _resampled(image, grid, "bilinear")
        label = _resampled(label.float(), grid, "nearest").round().to(torch.uint8)
    else:
        image, label = cut_middle(image, patch, move.shift), cut_middle(label, patch, move.shift)
    if move.flips:
        axes = [axis + 1 for axis in move.flips]
        image, label = image.flip(axes), label.flip(axes)
    return image.contiguous(), label.contiguous()


def _matrix(turns: Sequence[float], zoom: float, step: np.ndarray) -> np.ndarray:
    """Offsets in the patch to offsets in the crop, both in voxels.

    Args:
        turns: degrees about z, y and x.
        zoom: magnification.
        step: mm in the order of the axes.
    """
    axes = len(step)
    matrix = np.eye(axes)
    planes: List[Tuple[int, int]] = [(1, 2), (0, 2), (0, 1)] if axes == 3 else [(0, 1)]
    for (i, j), degrees in zip(planes, turns):
        if degrees:
            c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
            turn = np.eye(axes)
            turn[i, i], turn[i, j], turn[j, i], turn[j, j] = c, -s, s, c
            matrix = matrix @ turn
    return matrix * step[None] / step[:, None] / zoom


def _draw_displacement(
    options: AugmentationOptions, patch: Sequence[int], spacing: Sequence[float], rng: np.random.Generator
) -> Tensor:
    """Smooth displacement in voxels, float32 (axes, *patch)."""
    how, step = options.elastic, np.asarray(spacing, float)
    amount = rng.uniform(*how.range)
    cells = [max(2, int(np.ceil(n * s / how.cell_mm)) + 1) for n, s in zip(patch, step)]
    points = rng.uniform(-1, 1, (len(patch), *cells)) * amount / step.reshape(-1, *[1] * len(patch))
    mode = "trilinear" if len(patch) == 3 else "bilinear"
    coarse = torch.from_numpy(points.astype(np.float32))[None]
    return functional.interpolate(coarse, size=tuple(patch), mode=mode, align_corners=True)[0]


def _grid(move: Move, patch: Sequence[int]) -> Tensor:
    """Places in the crop, in voxels from its middle: float32 (axes + 1, *patch)."""
    from monai.transforms import AffineGrid

    axes = len(patch)
    affine = np.eye(axes + 1)
    affine[:axes, :axes] = move.matrix
    affine[:axes, axes] = move.shift
    grid, _ = AffineGrid(affine=affine)(spatial_size=tuple(patch))
    places = torch.as_tensor(grid).clone()
    if move.displacement is not None:
        places[:axes] += move.displacement
    return places


def _resampled(image: Tensor, grid: Tensor, mode: str) -> Tensor:
    from monai.transforms import Resample

    found = Resample(mode=mode, padding_mode="border")(image, grid=grid)
    return found.as_tensor() if hasattr(found, "as_tensor") else found


def cut_middle(image: Tensor, patch: Sequence[int], shift: Optional[Sequence[int]] = None) -> Tensor:
    """The patch in the middle of (channel, *crop), moved by whole voxels as far as the crop reaches."""
    for axis, (n, by) in enumerate(zip(patch, shift or [0] * len(patch)), start=1):
        room = int(image.shape[axis]) - n
        image = image.narrow(axis, min(max(room // 2 + by, 0), room), n)
    return image
