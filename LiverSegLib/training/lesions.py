"""Lesions painted into livers: four patients' tumours are too few to learn what tumours can look like.

That networks trained on painted tumours find real ones, and the warped ellipsoids and the coarser noise
that make them look real, are from Hu et al. 2023, Label-Free Liver Tumor Segmentation (arXiv:2303.14869).
Core, rim, pale vessels, brighter lesions and the numbers are our own.
"""

from typing import Optional, Sequence, Tuple, Union

import numpy as np
import torch
from torch.nn import functional

from LiverSegLib.labels import LIVER, TUMOUR

RADIUS_MM = (3.0, 32.0)
"""Mean radii drawn, evenly on a logarithmic scale: small lesions are common."""
DARKER_HU = (10.0, 75.0)
BRIGHTER_HU = (12.0, 50.0)
BRIGHTER_SHARE = 0.15
NECROSIS_SHARE = 0.35
"""Share of lesions above NECROSIS_FROM_MM with a darker core."""
NECROSIS_FROM_MM = 8.0
RIM_SHARE = 0.3
SMALLEST_VOXELS = 10
"""A lesion that covers less after all has no label a network could learn, and is not painted."""
WARP_CELL_MM = 12.0
"""Size of the dents and bulges of a lesion's surface."""

Spacing = Union[float, Sequence[float]]
"""mm: one number, or (z, y, x)."""


def steps_mm(spacing: Spacing) -> Tuple[float, ...]:
    """Spacing (z, y, x) in mm."""
    return (spacing,) * 3 if isinstance(spacing, (int, float)) else tuple(spacing)


def relative_steps(spacing: Spacing) -> np.ndarray:
    """Spacing (z, y, x) as multiples of that along x."""
    return np.asarray(steps_mm(spacing), float) / steps_mm(spacing)[2]


def paint_lesions(hu: torch.Tensor, label: torch.Tensor, spacing: Spacing, rng: np.random.Generator) -> int:
    """Paint one to four lesions into the liver of a patch, in place; returns how many were painted.

    Args:
        hu: float32 (z, y, x) in HU.
        label: uint8 (z, y, x); painted lesions become TUMOUR there.
        spacing: in mm.
        rng: the source of all chance.
    """
    step, relative = steps_mm(spacing)[2], relative_steps(spacing)
    painted = 0
    for _ in range(int(rng.choice([1, 2, 3, 4], p=[0.5, 0.25, 0.15, 0.1]))):
        radius = float(np.exp(rng.uniform(*np.log(RADIUS_MM)))) / step
        inside = (label == LIVER).flatten().nonzero()[:, 0]
        if not len(inside):
            break
        centre = np.unravel_index(int(inside[rng.integers(len(inside))]), tuple(label.shape))
        painted += _paint_one(hu, label, np.asarray(centre, float), radius, step, relative, rng)
    return painted


def _paint_one(
    hu: torch.Tensor,
    label: torch.Tensor,
    centre: np.ndarray,
    radius: float,
    spacing: float,
    relative: np.ndarray,
    rng: np.random.Generator,
) -> bool:
    """Paint one lesion about ``centre`` (z, y, x), in place; False if none came out.

    ``radius`` counts voxels along x, whose spacing is ``spacing`` mm; ``relative`` is that of each axis, as a
    multiple of it.
    """
    low = np.maximum(np.floor(centre - 1.9 * radius / relative - 2), 0).astype(int)
    high = np.minimum(np.ceil(centre + 1.9 * radius / relative + 3), label.shape).astype(int)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high))
    image, values = hu[box], label[box]
    liver = values == LIVER
    level = _level(image, liver)
    if level is None:
        return False
    depth = _depth(tuple(values.shape), centre - low, radius, spacing, relative, rng)
    edge = max(0.35, float(rng.uniform(0.5, 3.0)) / spacing / radius)  # softness, in radii
    blend = torch.sigmoid(depth * 4 / edge) * liver
    mask = liver & (depth > 0)
    if int(mask.sum()) < SMALLEST_VOXELS:
        return False
    offset = _offset(depth, radius * spacing, spacing, relative, rng)
    # Vessels under the lesion become paler, and added noise replaces what that takes from the liver's own.
    kept = float(rng.uniform(0.25, 0.8))
    noise = _random_like(image, rng) * (float((image[liver] - level).std()) * (1 - kept**2) ** 0.5 * 0.6)
    image.lerp_(level + (image - level) * kept + noise + offset, blend)
    values[mask] = TUMOUR
    return True


def _level(image: torch.Tensor, liver: torch.Tensor) -> Optional[float]:
    """Median HU of the liver there; None where there is too little of it."""
    return float(image[liver].median()) if int(liver.sum()) >= SMALLEST_VOXELS else None


def _depth(
    shape: Tuple[int, ...],
    centre: np.ndarray,
    radius: float,
    spacing: float,
    relative: np.ndarray,
    rng: np.random.Generator,
) -> torch.Tensor:
    """How deep in a warped ellipsoid each voxel (z, y, x) lies, in radii: 0 at its surface."""
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    matrix = turn @ np.diag(np.exp(-rng.normal(0, 0.22, 3))) / radius
    axes = [
        (torch.arange(n, dtype=torch.float32) - float(c)) * float(r)
        for n, c, r in zip(shape, centre, relative)
    ]
    z, y, x = axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None]
    squares = torch.zeros(shape)
    for r in matrix.T:
        squares += (z * float(r[0]) + y * float(r[1]) + x * float(r[2])) ** 2
    dents = smooth_noise(shape, WARP_CELL_MM / spacing / relative, rng)
    return 1 - squares.sqrt() + dents * float(rng.uniform(0.02, 0.22))


def _offset(
    depth: torch.Tensor, radius_mm: float, spacing: float, relative: np.ndarray, rng: np.random.Generator
) -> torch.Tensor:
    """What a lesion adds to the liver's HU, given the depth in it."""
    brighter = rng.random() < BRIGHTER_SHARE
    base = float(rng.uniform(*BRIGHTER_HU) if brighter else -rng.uniform(*DARKER_HU))
    texture = smooth_noise(tuple(depth.shape), float(rng.uniform(3, 12)) / spacing / relative, rng)
    offset = base + texture * float(rng.uniform(0, 14))
    if radius_mm > NECROSIS_FROM_MM and rng.random() < NECROSIS_SHARE:
        core = torch.sigmoid((depth - float(rng.uniform(0.25, 0.7))) * 14)
        offset -= core * float(rng.uniform(8, 45))
    if rng.random() < RIM_SHARE:
        width = float(rng.uniform(0.08, 0.2))
        rim = torch.exp(-(((depth - width) / width) ** 2))
        offset += rim * float(rng.normal(10, 20))
    return offset


def smooth_noise(shape: Tuple[int, ...], cells: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
    """Smooth noise (z, y, x) of about unit SD whose features measure ``cells`` voxels (z, y, x)."""
    coarse = tuple(max(2, int(np.ceil(n / max(1.0, cell))) + 1) for n, cell in zip(shape, cells))
    values = torch.from_numpy(rng.normal(size=coarse).astype(np.float32))
    return (
        functional.interpolate(values[None, None], size=shape, mode="trilinear", align_corners=True)[0, 0]
        * 1.4
    )


def _random_like(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Unit Gaussian noise of the image's shape, softened in plane as reconstruction kernels do."""
    noise = torch.from_numpy(rng.normal(size=tuple(image.shape)).astype(np.float32))
    return torch.lerp(noise, functional.avg_pool2d(noise[None], 3, 1, 1)[0] * 3, float(rng.uniform(0, 0.7)))
