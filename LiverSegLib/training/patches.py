"""Random patches of packed scans: where they lie, how they are turned, and what varies in them.

Everything is drawn from one ``numpy.random.Generator``, so a training run repeats from its seed, also after a
resume.
"""

from typing import Dict, Optional, Sequence, Tuple

import numpy as np
import torch
from torch.nn import functional

from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.training.augment import (
    HU_PER_LEVEL,
    Augmentation,
    tone_curve,
    vary_attenuation,
)
from LiverSegLib.training.pack import WINDOW, PackedCase

ELSEWHERE_TRIES = 30
POSITIONS_KEPT = 4000
"""Voxels remembered per case and label, to centre patches on."""
ANYWHERE, ABOVE = 0, -1
"""Other places to centre patches on, beside the labels."""
ABOVE_MM = (-20.0, 45.0)
"""How far over the liver's top slice such a patch is centred."""

Patch = Tuple[torch.Tensor, torch.Tensor]
"""Grey levels or HU, float32, and labels, uint8, both (z, y, x)."""
SoftPatch = Tuple[torch.Tensor, torch.Tensor, Optional[torch.Tensor]]
"""A patch, and other networks' probability of a tumour, float32 (z, y, x); None where the case has none."""


def label_positions(case: PackedCase, rng: np.random.Generator) -> Dict[int, np.ndarray]:
    """Label value -> int array (n, 3) of some of its voxels (z, y, x), for labels that are there."""
    positions = {}
    for value in (LIVER, SPLEEN, TUMOUR):
        hits = np.flatnonzero(case.label == value)
        if hits.size:
            chosen = rng.choice(hits, min(hits.size, POSITIONS_KEPT), replace=False)
            positions[value] = np.stack(np.unravel_index(chosen, case.label.shape), axis=1)
    return positions


def sample_patch(
    case: PackedCase,
    positions: Dict[int, np.ndarray],
    *,
    patch: Sequence[int],
    spacing: float,
    rng: np.random.Generator,
    augmentation: Optional[Augmentation],
) -> Patch:
    """Return one patch as (image, label): float32 (1, 1, z, y, x) in -1..1 and uint8 (z, y, x).

    Args:
        case: the packed scan.
        positions: ``label_positions`` of it.
        patch: size in voxels (z, y, x).
        spacing: isotropic spacing of the patch in mm.
        rng: the source of all chance.
        augmentation: ``None`` for a plain crop.
    """
    return sample_soft_patch(
        case, positions, patch=patch, spacing=spacing, rng=rng, augmentation=augmentation
    )[:2]


def sample_soft_patch(
    case: PackedCase,
    positions: Dict[int, np.ndarray],
    *,
    patch: Sequence[int],
    spacing: float,
    rng: np.random.Generator,
    augmentation: Optional[Augmentation],
) -> SoftPatch:
    """As :func:`sample_patch`, with what other networks say of tumours in the patch; of painted lesions it is
    1.
    """
    plain = augmentation is None
    how = augmentation or Augmentation()
    curve = None if plain else tone_curve(how, rng)
    drawn = _elsewhere(case, patch, spacing, how, curve, rng)
    if drawn is None:
        centre = _centre(case, positions, patch, spacing, how, rng)
        drawn = _warp(case, centre, np.eye(3) if plain else _random_matrix(how, rng), patch, spacing, curve)
    levels, label, soft = drawn
    hu = levels * HU_PER_LEVEL + WINDOW[0]
    before = label.clone()
    if not plain:
        hu, label = vary_attenuation(
            hu, label, spacing, how, rng, annotated=LIVER in case.annotated, unenhanced=curve is not None
        )
    if soft is not None:
        soft = soft.masked_fill((label == TUMOUR) & (before != TUMOUR), 1.0)
    low, high = WINDOW
    image = hu.clamp_(low, high).sub_((low + high) / 2).div_((high - low) / 2)
    return image[None, None], label, soft


def _centre(
    case: PackedCase,
    positions: Dict[int, np.ndarray],
    patch: Sequence[int],
    spacing: float,
    how: Augmentation,
    rng: np.random.Generator,
) -> np.ndarray:
    """Patch centre in the case's voxels (z, y, x): on a tumour, the liver, the spleen, anywhere, or above."""
    shape = np.asarray(case.label.shape, float)
    step = np.asarray(case.spacing[::-1])
    wanted = rng.choice([TUMOUR, LIVER, SPLEEN, ANYWHERE, ABOVE], p=how.centres)
    label = LIVER if wanted == ABOVE or (wanted == TUMOUR and TUMOUR not in positions) else wanted
    if label not in positions:
        return rng.uniform(0, 1, 3) * shape
    centre = positions[label][rng.integers(len(positions[label]))].astype(float)
    if wanted == ABOVE:
        centre[0] = positions[LIVER][:, 0].max() + rng.uniform(*ABOVE_MM) / step[0]
    half = np.asarray(patch) * spacing / step / 2
    centre += rng.uniform(-0.5, 0.5, 3) * half
    inside = np.clip(centre, np.minimum(half, shape / 2), np.maximum(shape - half, shape / 2))
    return (
        centre if rng.random() < 0.25 else inside
    )  # a quarter hang over the edge, as scans cut off there do


def _elsewhere(
    case: PackedCase,
    patch: Sequence[int],
    spacing: float,
    how: Augmentation,
    curve: Optional[np.ndarray],
    rng: np.random.Generator,
) -> Optional[SoftPatch]:
    """A patch of some other part of the body, strongly turned and scaled; None if none was drawn or found."""
    if rng.random() >= how.elsewhere or not {LIVER, SPLEEN} <= set(case.annotated):
        return None
    for _ in range(ELSEWHERE_TRIES):
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        mild = _random_matrix(how, rng)
        matrix = (mild if rng.random() < 0.5 else turn) * np.exp(rng.uniform(np.log(0.3), np.log(1.2)))
        centre = rng.uniform(0, 1, 3) * case.label.shape
        levels, label, soft = _warp(case, centre, matrix, patch, spacing, curve)
        if not label.any() and float(levels.mean()) > 5:
            if rng.random() < how.skull:
                _paint_skull(levels, spacing, rng)
            return levels, label, soft
    return None


def _paint_skull(levels: torch.Tensor, spacing: float, rng: np.random.Generator) -> None:
    """Paint a head, in place: a ball of soft tissue as homogeneous as a liver, with bone around it."""
    radii = np.array([70.0, 95.0, 75.0]) * rng.uniform(0.8, 1.15, 3) / spacing  # z, y, x
    axes = [torch.arange(n, dtype=torch.float32) for n in levels.shape]
    centre = rng.uniform(0.3, 0.7, 3) * levels.shape
    z, y, x = (((a - float(c)) / float(r)) ** 2 for a, c, r in zip(axes, centre, radii))
    distance = (z[:, None, None] + y[None, :, None] + x[None, None]).sqrt()
    neck = (axes[0] < float(centre[0]))[:, None, None] & (distance > 0.9)  # what is below the skull stays
    for radius, hu in (
        (9.9, -1000),
        (1.07, rng.uniform(0, 60)),
        (1.0, rng.uniform(300, 900)),
        (0.9, rng.uniform(15, 75)),
    ):
        level = (np.clip(hu, *WINDOW) - WINDOW[0]) / HU_PER_LEVEL
        levels.masked_fill_((distance < radius) & ~neck, float(level))


def _random_matrix(how: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Random rotation, scaling and mirroring in mm, axes (x, y, z)."""
    matrix = np.eye(3)
    for axis, limit in enumerate((how.rotation_xy_degrees, how.rotation_xy_degrees, how.rotation_z_degrees)):
        if rng.random() < 0.6:
            angle = np.deg2rad(rng.uniform(-limit, limit))
            c, s = np.cos(angle), np.sin(angle)
            i, j = [a for a in range(3) if a != axis]
            turn = np.eye(3)
            turn[i, i], turn[i, j], turn[j, i], turn[j, j] = c, -s, s, c
            matrix = matrix @ turn
    overall = np.exp(rng.uniform(np.log(how.scale[0]), np.log(how.scale[1])))
    matrix = matrix @ np.diag(overall * np.exp(rng.uniform(-0.08, 0.08, 3)))
    if rng.random() < how.mirror_x:
        matrix = matrix @ np.diag([-1.0, 1.0, 1.0])
    return matrix


def _warp(
    case: PackedCase,
    centre: np.ndarray,
    matrix: np.ndarray,
    patch: Sequence[int],
    spacing: float,
    curve: Optional[np.ndarray],
) -> SoftPatch:
    """Cut the transformed patch out of the case: grey levels float32, label uint8, probability float32, all
    (z, y, x).
    """
    step = np.asarray(case.spacing, float)  # x, y, z
    half_mm = np.asarray(patch[::-1]) * spacing / 2
    half_box = np.abs(matrix) @ half_mm / step
    middle = centre[::-1]
    end = np.asarray(case.label.shape[::-1])
    # Also a patch that lies beyond the scan altogether, and shows nothing, needs a voxel to be cut from.
    low = np.clip(np.floor(middle - half_box - 1).astype(int), 0, end - 1)
    high = np.clip(np.ceil(middle + half_box + 2).astype(int), low + 1, end)
    box = tuple(slice(a, b) for a, b in zip(low[::-1], high[::-1]))
    levels = case.image[box].astype(np.float32) if curve is None else curve[case.image[box]]
    size = high - low
    # grid_sample's coordinates run from -1 to 1 over the box's outer faces (align_corners False).
    theta = np.zeros((3, 4), np.float32)
    theta[:, :3] = (matrix * half_mm[None]) / step[:, None] * 2 / size[:, None]
    theta[:, 3] = (middle + 0.5 - low) * 2 / size - 1
    grid = functional.affine_grid(torch.from_numpy(theta)[None], [1, 1, *patch], align_corners=False)
    image = functional.grid_sample(torch.from_numpy(levels)[None, None], grid, align_corners=False)[0, 0]
    values = torch.from_numpy(case.label[box].astype(np.float32))[None, None]
    label = functional.grid_sample(values, grid, mode="nearest", align_corners=False)[0, 0]
    soft = None
    if case.soft is not None:
        shares = torch.from_numpy(case.soft[box].astype(np.float32) / 255)[None, None]
        soft = functional.grid_sample(shares, grid, align_corners=False)[0, 0].clamp_(0, 1)
    return image, label.to(torch.uint8), soft
