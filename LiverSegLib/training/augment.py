"""What hospitals vary in a scan's attenuation: phase, fat, slice thickness, kernel, noise, field of view.

Everything is drawn from one ``numpy.random.Generator``: the order of the draws is part of a training run.
"""

from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import numpy as np
import torch
from torch.nn import functional

from LiverSegLib.labels import LIVER, SPLEEN, TUMOUR
from LiverSegLib.training.lesions import Spacing, paint_lesions, relative_steps, smooth_noise, steps_mm
from LiverSegLib.training.pack import LEVELS, WINDOW

HU_PER_LEVEL = (WINDOW[1] - WINDOW[0]) / LEVELS
FEWEST_LIVER_VOXELS = 200
"""With less liver in a patch its vessels are not told from its border."""
FAINTEST_VESSEL_HU = 6.0
"""What differs less from the liver is noise."""
VESSELS_DARKER_HU = (6.0, 25.0)
"""How much darker than the liver the middle of a vessel gets where nothing holds contrast medium."""
UNFILLED_DARKER_HU = (10.0, 50.0)
"""The same where the liver has it already."""
BANDS_MM = (8.0, 30.0)
"""From one bright band of an arterial spleen to the next."""
BENDS_MM = 15.0
"""Over how much of its length a band bends."""
BANDS_HU = (10.0, 50.0)
"""By how much bands are brighter or darker than the spleen."""
SPLEEN_BRIGHTER_HU = (-10.0, 60.0)
"""By how much an arterial spleen is brighter than it was."""


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
    dark_vessels: float = 0.0
    """Share of the simulated unenhanced patches in which the liver's vessels get darker than the liver, as
    they are without contrast medium. The curve alone leaves them brighter.
    """
    unfilled_veins: float = 0.0
    """The same of all other patches: in the late arterial phase the hepatic veins hold no contrast medium
    yet, and are taken for lesions.
    """
    arterial: float = 0.15
    mottled_spleen: float = 0.0
    """Chance of a spleen in bands of different brightness, as it is in the arterial phase."""
    fatty: float = 0.2
    organ_shift: float = 0.5
    lesions: float = 0.0
    """Chance that lesions are painted into the liver: for networks that tell tumours apart."""
    bright_contents: float = 0.15
    contrast: float = 0.5
    kernel: float = 0.35
    noise: float = 0.5
    field_of_view: float = 0.15


def vary_attenuation(
    hu: torch.Tensor,
    label: torch.Tensor,
    spacing: Spacing,
    how: Augmentation,
    rng: np.random.Generator,
    *,
    annotated: bool,
    unenhanced: bool,
    outside: float = WINDOW[0],
) -> Tuple[torch.Tensor, torch.Tensor]:
    """Return a patch as another scanner, phase or liver might have given it; ``hu`` is used up.

    Args:
        hu: float32 (z, y, x) in HU.
        label: uint8 (z, y, x).
        spacing: in mm.
        how: how often and how strongly.
        rng: the source of all chance.
        annotated: whether the liver is, so that its vessels may vary and lesions be painted into it.
        unenhanced: whether contrast was taken out of the patch by :func:`tone_points`.
        outside: HU of what lies beyond the field of view.
    """
    dark = how.dark_vessels if unenhanced else how.unfilled_veins
    if dark and rng.random() < dark and annotated:
        darken_vessels(hu, label, VESSELS_DARKER_HU if unenhanced else UNFILLED_DARKER_HU, rng)
    label = _cut_field_of_view(hu, label, how, rng, outside)
    _shift_organs(hu, label, how, rng, relative_steps(spacing))
    if how.mottled_spleen and rng.random() < how.mottled_spleen:
        mottle_spleen(hu, label, np.asarray(steps_mm(spacing), float), rng)
    if rng.random() < how.lesions and annotated:
        paint_lesions(hu, label, spacing, rng)
    hu = _thicken_slices(hu, steps_mm(spacing)[0], how, rng)
    hu = _change_kernel(hu, how, rng)
    _change_contrast(hu, how, rng)
    _add_noise(hu, how, rng)
    return hu, label


def tone_curve(how: Augmentation, rng: np.random.Generator) -> Optional[np.ndarray]:
    """A lookup table over grey levels that takes contrast out of enhanced tissue: a simulated unenhanced
    scan.
    """
    points = tone_points(how, rng)
    if points is None:
        return None
    bent = np.interp(np.arange(256) * HU_PER_LEVEL + WINDOW[0], *points)
    return ((bent - WINDOW[0]) / HU_PER_LEVEL).astype(np.float32)


def tone_points(
    how: Augmentation, rng: np.random.Generator
) -> Optional[Tuple[Sequence[float], Sequence[float]]]:
    """HU before and after that curve, to interpolate between; None where no curve is drawn."""
    if rng.random() >= how.unenhanced:
        return None
    knee, slope = rng.uniform(45, 65), rng.uniform(0.1, 0.55)
    return [-160, knee, knee + 130, 240], [-160, knee, knee + 130 * slope, 240]


def darken_vessels(
    hu: torch.Tensor, label: torch.Tensor, darker: Tuple[float, float], rng: np.random.Generator
) -> None:
    """Make what is brighter than the rest of the liver darker than it, in place, as blood is without
    contrast medium (about 40 HU in a liver of 55 to 65).

    Args:
        hu: float32 (z, y, x) in HU.
        label: uint8 (z, y, x).
        darker: how much at least and at most, in HU.
        rng: the source of all chance.
    """
    liver = label == LIVER
    if int(liver.sum()) < FEWEST_LIVER_VOXELS:
        return
    # Noise alone must not look like vessels, nor must a patch's border.
    smooth = functional.avg_pool3d(hu[None, None], 3, 1, 1, count_include_pad=False)[0, 0]
    excess = smooth - smooth[liver].median()
    largest = max(float(torch.quantile(excess[liver][::7], 0.99)), FAINTEST_VESSEL_HU)
    share = (excess / largest).sub_(0.25).div_(0.75).clamp_(0, 1) * liver
    hu -= share * (excess + rng.uniform(*darker))


def _cut_field_of_view(
    hu: torch.Tensor, label: torch.Tensor, how: Augmentation, rng: np.random.Generator, fill: float
) -> torch.Tensor:
    """Fill what lies beyond a plane or a circle, as narrow fields of view and short scans do."""
    if rng.random() >= how.field_of_view:
        return label
    label = label.clone()
    if rng.random() < 0.4:
        yy, xx = (torch.linspace(-1, 1, n) for n in hu.shape[1:])
        centre = rng.uniform(-0.3, 0.3, 2)
        radius = rng.uniform(0.7, 1.1)
        outside = (yy[:, None] - centre[0]) ** 2 + (xx[None] - centre[1]) ** 2 > radius**2
        hu[:, outside] = fill
        label[:, outside] = 0
        return label
    axis = int(rng.integers(3))
    cut = int(hu.shape[axis] * rng.uniform(0.05, 0.35))
    start = 0 if rng.random() < 0.5 else hu.shape[axis] - cut
    hu.narrow(axis, start, cut).fill_(fill)
    label.narrow(axis, start, cut).fill_(0)
    return label


def _soft_mask(mask: torch.Tensor) -> torch.Tensor:
    """Binary (z, y, x) -> float mask with an edge one voxel soft."""
    return functional.avg_pool3d(mask[None, None].float(), 3, 1, 1)[0, 0]


def _shift_organs(
    hu: torch.Tensor, label: torch.Tensor, how: Augmentation, rng: np.random.Generator, relative: np.ndarray
) -> None:
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
        _brighten_contents(hu, label, rng, relative)


def mottle_spleen(hu: torch.Tensor, label: torch.Tensor, steps: np.ndarray, rng: np.random.Generator) -> None:
    """Brighten the spleen in wavy bands, in place: in the arterial phase contrast medium does not reach all
    of its pulp at once.

    Args:
        hu: float32 (z, y, x) in HU.
        label: uint8 (z, y, x).
        steps: spacing in mm (z, y, x).
        rng: the source of all chance.
    """
    spleen = label == SPLEEN
    if not bool(spleen.any()):
        return
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    wave = 2 * np.pi / rng.uniform(*BANDS_MM) * direction * steps
    z, y, x = (torch.arange(n, dtype=torch.float32) * float(k) for n, k in zip(hu.shape, wave))
    bends = smooth_noise(tuple(hu.shape), BENDS_MM / steps, rng) * 1.5
    bands = (z[:, None, None] + y[None, :, None] + x[None, None] + bends).sin_()
    mask = _soft_mask(spleen)
    hu += mask * (float(rng.uniform(*SPLEEN_BRIGHTER_HU)) + float(rng.uniform(*BANDS_HU)) * bands)


def _brighten_contents(
    hu: torch.Tensor, label: torch.Tensor, rng: np.random.Generator, relative: np.ndarray
) -> None:
    """Oral contrast: one to three bright ellipsoids in soft tissue outside the organs, in place."""
    axes = [torch.arange(n, dtype=torch.float32) for n in hu.shape]
    for _ in range(int(rng.integers(1, 4))):
        centre = rng.uniform(0.1, 0.9, 3) * hu.shape
        radius = rng.uniform(8, 28, 3) / relative
        z, y, x = (((a - float(c)) / float(r)) ** 2 for a, c, r in zip(axes, centre, radius))
        blob = (z[:, None, None] + y[None, :, None] + x[None, None]) < 1
        blob &= (label == 0) & (hu > -20) & (hu < 120)
        hu.add_(_soft_mask(blob), alpha=float(rng.uniform(60, 250)))


def _thicken_slices(
    hu: torch.Tensor, spacing: float, how: Augmentation, rng: np.random.Generator
) -> torch.Tensor:
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


def _change_kernel(hu: torch.Tensor, how: Augmentation, rng: np.random.Generator) -> torch.Tensor:
    """Blend with an in-plane blurred copy: smoother, or sharper where the blend is negative."""
    if rng.random() >= how.kernel:
        return hu
    blurred = functional.avg_pool2d(hu[None], 3, 1, 1, count_include_pad=False)[0]
    return torch.lerp(hu, blurred, float(rng.uniform(-0.7, 1.0)))


def _change_contrast(hu: torch.Tensor, how: Augmentation, rng: np.random.Generator) -> None:
    """Scale about soft tissue and shift, in place."""
    if rng.random() < how.contrast:
        scale, shift = float(rng.uniform(0.85, 1.2)), float(rng.normal(0, 8))
        hu.sub_(40).mul_(scale).add_(40 + shift)


def _add_noise(hu: torch.Tensor, how: Augmentation, rng: np.random.Generator) -> None:
    """Gaussian noise, half of the time correlated in plane as soft kernels leave it, in place."""
    if rng.random() >= how.noise:
        return
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    noise = torch.randn(hu.shape, generator=generator)
    sigma = float(rng.uniform(2, 25))
    if rng.random() < 0.5:
        noise = functional.avg_pool2d(noise[None], 3, 1, 1)[0] * 2
    hu.add_(noise, alpha=sigma)
