"""Random patches of packed scans, varied as hospitals vary: phase, fat, slice thickness, kernel, noise, field
of view.

Everything is drawn from one ``numpy.random.Generator``, so a training run repeats from its seed, also after a
resume.
"""

from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import numpy as np
import torch
from torch.nn import functional

from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.training.lesions import paint_lesions
from LiverSegLib.training.pack import LEVELS, WINDOW, PackedCase

HU_PER_LEVEL = (WINDOW[1] - WINDOW[0]) / LEVELS
ELSEWHERE_TRIES = 30
POSITIONS_KEPT = 4000
"""Voxels remembered per case and label, to centre patches on."""
ANYWHERE, ABOVE = 0, -1
"""Other places to centre patches on, beside the labels."""
ABOVE_MM = (-20.0, 45.0)
"""How far over the liver's top slice such a patch is centred."""


@dataclass(frozen=True)
class Augmentation:
    """Where patches lie and how strongly they vary; the defaults trained the bundled segmenter.

    ``centres`` are the chances that a patch is centred on a tumour, the liver, the spleen, anywhere, or above
    the liver, where the heart must be told from it.
    """

    centres: Tuple[float, float, float, float, float] = (0.4, 0.2, 0.12, 0.12, 0.16)
    elsewhere: float = 0.0
    """Chance of a patch without liver or spleen, turned and scaled beyond recognition: what other scans may
    hold.
    """
    skull: float = 0.35
    """Share of those in which a head is painted: to a coarse eye a brain is as smooth as a liver."""
    rotation_z_degrees: float = 15.0
    rotation_xy_degrees: float = 7.0
    scale: Tuple[float, float] = (0.82, 1.22)
    mirror_x: float = 0.35
    thick_slices: float = 0.45
    unenhanced: float = 0.3
    arterial: float = 0.15
    fatty: float = 0.2
    organ_shift: float = 0.5
    lesions: float = 0.0
    """Chance that lesions are painted into the liver: for networks that tell tumours apart."""
    bright_contents: float = 0.15
    contrast: float = 0.5
    kernel: float = 0.35
    noise: float = 0.5
    field_of_view: float = 0.15


def label_positions(case: PackedCase, rng: np.random.Generator) -> dict:
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
    positions: dict,
    *,
    patch: Sequence[int],
    spacing: float,
    rng: np.random.Generator,
    augmentation: Optional[Augmentation],
) -> Tuple[torch.Tensor, torch.Tensor]:
    """Return one patch as (image, label): float32 (1, 1, z, y, x) in -1..1 and uint8 (z, y, x).

    Args:
        case: the packed scan.
        positions: ``label_positions`` of it.
        patch: size in voxels (z, y, x).
        spacing: isotropic spacing of the patch in mm.
        rng: the source of all chance.
        augmentation: ``None`` for a plain crop.
    """
    plain = augmentation is None
    how = augmentation or Augmentation()
    curve = None if plain else _tone_curve(how, rng)
    drawn = _elsewhere(case, patch, spacing, how, curve, rng)
    if drawn is None:
        centre = _centre(case, positions, patch, spacing, how, rng)
        drawn = _warp(case, centre, np.eye(3) if plain else _random_matrix(how, rng), patch, spacing, curve)
    levels, label = drawn
    hu = levels * HU_PER_LEVEL + WINDOW[0]
    if not plain:
        label = _cut_field_of_view(hu, label, how, rng)
        _shift_organs(hu, label, how, rng)
        if rng.random() < how.lesions and LIVER in case.annotated:
            paint_lesions(hu, label, spacing, rng)
        hu = _thicken_slices(hu, spacing, how, rng)
        hu = _change_kernel(hu, how, rng)
        _change_contrast(hu, how, rng)
        _add_noise(hu, how, rng)
    low, high = WINDOW
    image = hu.clamp_(low, high).sub_((low + high) / 2).div_((high - low) / 2)
    return image[None, None], label


def _centre(case, positions, patch, spacing, how, rng) -> np.ndarray:
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


def _elsewhere(case, patch, spacing, how, curve, rng) -> Optional[Tuple[torch.Tensor, torch.Tensor]]:
    """A patch of some other part of the body, strongly turned and scaled; None if none was drawn or found."""
    if rng.random() >= how.elsewhere or not {LIVER, SPLEEN} <= set(case.annotated):
        return None
    for _ in range(ELSEWHERE_TRIES):
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        mild = _random_matrix(how, rng)
        matrix = (mild if rng.random() < 0.5 else turn) * np.exp(rng.uniform(np.log(0.3), np.log(1.2)))
        levels, label = _warp(case, rng.uniform(0, 1, 3) * case.label.shape, matrix, patch, spacing, curve)
        if not label.any() and float(levels.mean()) > 5:
            if rng.random() < how.skull:
                _paint_skull(levels, spacing, rng)
            return levels, label
    return None


def _paint_skull(levels, spacing, rng) -> None:
    """A head in place of what is there: a ball of soft tissue as even as a liver, but in a shell of bone; in
    place.
    """
    radii = np.array([70.0, 95.0, 75.0]) * rng.uniform(0.8, 1.15, 3) / spacing  # z, y, x
    axes = [torch.arange(n, dtype=torch.float32) for n in levels.shape]
    centre = rng.uniform(0.3, 0.7, 3) * levels.shape
    z, y, x = (((a - float(c)) / float(r)) ** 2 for a, c, r in zip(axes, centre, radii))
    distance = (z[:, None, None] + y[None, :, None] + x[None, None]).sqrt()
    neck = (axes[0] < float(centre[0]))[:, None, None] & (distance > 0.9)  # what is below the skull stays
    for reach, hu in (
        (9.9, -1000),
        (1.07, rng.uniform(0, 60)),
        (1.0, rng.uniform(300, 900)),
        (0.9, rng.uniform(15, 75)),
    ):
        level = (np.clip(hu, *WINDOW) - WINDOW[0]) / HU_PER_LEVEL
        levels.masked_fill_((distance < reach) & ~neck, float(level))


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


def _tone_curve(how: Augmentation, rng: np.random.Generator) -> Optional[np.ndarray]:
    """A lookup table over grey levels that takes contrast out of enhanced tissue: a simulated unenhanced
    scan.
    """
    if rng.random() >= how.unenhanced:
        return None
    knee, slope = rng.uniform(45, 65), rng.uniform(0.1, 0.55)
    hu = np.arange(256) * HU_PER_LEVEL + WINDOW[0]
    bent = np.interp(hu, [-160, knee, knee + 130, 240], [-160, knee, knee + 130 * slope, 240])
    return ((bent - WINDOW[0]) / HU_PER_LEVEL).astype(np.float32)


def _warp(case, centre, matrix, patch, spacing, curve) -> Tuple[torch.Tensor, torch.Tensor]:
    """Cut the transformed patch out of the case: grey levels float32 and label uint8, both (z, y, x)."""
    step = np.asarray(case.spacing, float)  # x, y, z
    half_mm = np.asarray(patch[::-1]) * spacing / 2
    reach = np.abs(matrix) @ half_mm / step
    middle = centre[::-1]
    end = np.asarray(case.label.shape[::-1])
    # Also a patch that lies beyond the scan altogether, and shows nothing, needs a voxel to be cut from.
    low = np.clip(np.floor(middle - reach - 1).astype(int), 0, end - 1)
    high = np.clip(np.ceil(middle + reach + 2).astype(int), low + 1, end)
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
    return image, label.to(torch.uint8)


def _cut_field_of_view(hu, label, how, rng) -> torch.Tensor:
    """Blacken what lies beyond a plane or a circle, as narrow fields of view and short scans do."""
    if rng.random() >= how.field_of_view:
        return label
    label = label.clone()
    if rng.random() < 0.4:
        yy, xx = (torch.linspace(-1, 1, n) for n in hu.shape[1:])
        centre = rng.uniform(-0.3, 0.3, 2)
        radius = rng.uniform(0.7, 1.1)
        outside = (yy[:, None] - centre[0]) ** 2 + (xx[None] - centre[1]) ** 2 > radius**2
        hu[:, outside] = WINDOW[0]
        label[:, outside] = 0
        return label
    axis = int(rng.integers(3))
    cut = int(hu.shape[axis] * rng.uniform(0.05, 0.35))
    start = 0 if rng.random() < 0.5 else hu.shape[axis] - cut
    hu.narrow(axis, start, cut).fill_(WINDOW[0])
    label.narrow(axis, start, cut).fill_(0)
    return label


def _soft_mask(mask: torch.Tensor) -> torch.Tensor:
    """Binary (z, y, x) -> float mask with an edge one voxel soft."""
    return functional.avg_pool3d(mask[None, None].float(), 3, 1, 1)[0, 0]


def _shift_organs(hu, label, how, rng) -> None:
    """Change the organs' own attenuation in place: fatty liver, arterial spleen, other tumours."""
    liver, spleen, tumour = 0.0, 0.0, 0.0
    if rng.random() < how.organ_shift:
        liver, spleen, tumour = rng.normal(0, 12), rng.normal(0, 14), rng.normal(0, 12)
    chance = rng.random()
    if chance < how.fatty:
        liver += rng.uniform(-80, -15)
    elif chance < how.fatty + how.arterial:
        liver += rng.uniform(-35, 0)
        spleen += rng.uniform(0, 60)
    whole_liver = (label == LIVER) | (label == TUMOUR)
    for shift, mask in ((liver, whole_liver), (spleen, label == SPLEEN), (tumour, label == TUMOUR)):
        if abs(shift) > 1:
            hu.add_(_soft_mask(mask), alpha=float(shift))
    if rng.random() < how.bright_contents:
        _brighten_contents(hu, label, rng)


def _brighten_contents(hu, label, rng) -> None:
    """Oral contrast: one to three bright ellipsoids in soft tissue outside the organs, in place."""
    axes = [torch.arange(n, dtype=torch.float32) for n in hu.shape]
    for _ in range(int(rng.integers(1, 4))):
        centre = rng.uniform(0.1, 0.9, 3) * hu.shape
        radius = rng.uniform(8, 28, 3)
        z, y, x = (((a - float(c)) / float(r)) ** 2 for a, c, r in zip(axes, centre, radius))
        blob = (z[:, None, None] + y[None, :, None] + x[None, None]) < 1
        blob &= (label == 0) & (hu > -20) & (hu < 120)
        hu.add_(_soft_mask(blob), alpha=float(rng.uniform(60, 250)))


def _thicken_slices(hu, spacing, how, rng) -> torch.Tensor:
    """Average to slices of 2 to 10 mm at a random phase, interpolated back linearly, as thick scans are."""
    if rng.random() >= how.thick_slices:
        return hu
    count = hu.shape[0]
    thickness = rng.uniform(2.0, 10.0) / spacing
    distance = thickness * rng.uniform(0.8, 1.0)
    centres = np.arange(rng.uniform(-1, 0) * distance, count + distance, distance)
    offset = np.abs(np.arange(count)[None] - centres[:, None])
    average = np.clip(thickness / 2 + 0.5 - offset, 0, 1)
    keep = average.sum(1) > 1e-6
    average, centres = average[keep] / average[keep].sum(1, keepdims=True), centres[keep]
    back = np.clip(1 - np.abs(np.arange(count)[:, None] - centres[None]) / distance, 0, None)
    back /= back.sum(1, keepdims=True) + 1e-9
    matrix = torch.from_numpy((back @ average).astype(np.float32))
    return (matrix @ hu.reshape(count, -1)).reshape(hu.shape)


def _change_kernel(hu, how, rng) -> torch.Tensor:
    """Blend with an in-plane blurred copy: smoother, or sharper where the blend is negative."""
    if rng.random() >= how.kernel:
        return hu
    blurred = functional.avg_pool2d(hu[None], 3, 1, 1, count_include_pad=False)[0]
    return torch.lerp(hu, blurred, float(rng.uniform(-0.7, 1.0)))


def _change_contrast(hu, how, rng) -> None:
    """Scale about soft tissue and shift, in place."""
    if rng.random() < how.contrast:
        scale, shift = float(rng.uniform(0.85, 1.2)), float(rng.normal(0, 8))
        hu.sub_(40).mul_(scale).add_(40 + shift)


def _add_noise(hu, how, rng) -> None:
    """Gaussian noise, half of the time correlated in plane as soft kernels leave it, in place."""
    if rng.random() >= how.noise:
        return
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    noise = torch.randn(hu.shape, generator=generator)
    sigma = float(rng.uniform(2, 25))
    if rng.random() < 0.5:
        noise = functional.avg_pool2d(noise[None], 3, 1, 1)[0] * 2
    hu.add_(noise, alpha=sigma)
