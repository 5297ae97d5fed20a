"""Contrast phase of an abdominal CT, estimated from the attenuation of liver, spleen and aorta.

Published attenuation that the rules rest on (HU):

* Unenhanced: liver 58.8 with SD 10.8 in 3,357 adults ("Hepatic steatosis (fatty liver disease) in
  asymptomatic adults identified by unenhanced low-dose CT"); liver minus spleen 1 to 18 where biopsy found
  no fat ("Biopsy-proven nonsteatotic liver in adults: estimation of reference range ...").
* Enhancement over the unenhanced value in 171 patients ("MDCT of the liver and hypervascular hepatocellular
  carcinomas: optimizing scan delays ..."). Arterial (10 to 15 s after the aorta rose by 50): aorta 300 to
  336, spleen 97 to 108, liver 15 to 25. Portal venous (45 to 55 s): liver 59 to 63, aorta 117 to 125,
  spleen 73 to 82.

The borders between phases below are ours, set between those values; the late phase, in which blood and liver
approach each other, was set without a published figure and passes smoothly into the portal venous one.

Fatty livers are darker in every phase, so the spleen, which stores no fat, decides whether
there is contrast at all.
"""

from dataclasses import dataclass, replace
from typing import List, Optional, Tuple, Union

import numpy as np
import SimpleITK as sitk
from scipy import ndimage, signal

from .labels import LIVER, SPLEEN

UNENHANCED_SPLEEN_HU = 65.0
"""A spleen below this holds no contrast medium worth the name (unenhanced: 40 to 60)."""

UNENHANCED_BLOOD_HU = 75.0
"""Blood in the aorta below this holds none either (anaemic to normal: 30 to 55, noise and partial volume on
top).
"""

UNENHANCED_LIVER_HU = 75.0
"""Livers brighter than this are enhanced, or full of iron or amiodarone."""

ARTERIAL_AORTA_HU = 190.0
"""An aorta brighter than this is in the first passage of the contrast medium."""

ARTERIAL_EXCESS_HU = 110.0
"""In the arterial phase the aorta is brighter than the liver by more than this; in the portal venous phase
rarely.
"""

ARTERIAL_LIVER_HU = 85.0
"""A liver brighter than this has its portal blood already."""

LATE_EXCESS_HU = 15.0
"""In the late phase the aorta is brighter than the liver by less than this."""

_MINIMUM_ORGAN_VOXELS = 200
_EROSION_MM = 4.0
_SLAB_MM = 5.0
_PIXEL_MM = 2.0
_MINIMUM_TRACK_MM = 50.0
_AORTA_RADIUS_MM = 6.0
_RING_MM = (14.0, 19.0)
_VESSEL_SCORE = 0.2
"""Mean likeness of a path to a bright vessel. On 40 development cases (validation cases among them)
enhanced scans reached 0.28 to 1.1 and unenhanced ones stayed below 0.
"""
_STEADY_SHARE = 0.7
_HYPOTHESES_HU = tuple(range(80, 481, 20))
ENOUGH_MM = 1.6
"""Voxels up to this far apart are enough; finer scans are thinned, which only saves time."""


@dataclass(frozen=True)
class PhaseEstimate:
    """``phase`` is "unenhanced", "arterial", "portal", "late" or "unknown"; ``confidence`` 0 to 1; ``reason``
    a sentence; ``aorta_hu`` the attenuation of the aorta where it was found.
    """

    phase: str
    confidence: float
    reason: str
    aorta_hu: Optional[float] = None


def estimate_phase(image: sitk.Image, labels: sitk.Image) -> PhaseEstimate:
    """Estimate the contrast phase.

    Args:
        image: CT in HU, any orientation.
        labels: uint8 on the same grid, 1 liver, 2 spleen, 3 liver tumour.

    Raises:
        ValueError: The grids differ in size.
    """
    if image.GetSize() != labels.GetSize():
        raise ValueError(f"image {image.GetSize()} and labels {labels.GetSize()} differ in size")
    image, labels = _thinned(image), _thinned(labels)
    liver, spleen = organ_hu(image, labels, LIVER), organ_hu(image, labels, SPLEEN)
    if liver is None:
        return PhaseEstimate("unknown", 0.0, "Too little liver is in view to estimate the contrast phase.")
    searched, aorta = find_aorta(image, labels)
    return replace(decide(liver, spleen, aorta, searched), aorta_hu=aorta)


def _thinned(image: sitk.Image) -> sitk.Image:
    """Leave out voxels that lie closer together than a mean attenuation and the width of an aorta need."""
    steps = [max(1, int(ENOUGH_MM / spacing)) for spacing in image.GetSpacing()]
    return image if max(steps) == 1 else image[:: steps[0], :: steps[1], :: steps[2]]


def decide(
    liver: float, spleen: Optional[float], aorta: Optional[float], searched: bool = False
) -> PhaseEstimate:
    """Name the phase from median attenuations in HU; ``None`` for what could not be measured.

    ``searched`` tells that the place of the aorta was in view: no bright vessel there speaks against contrast
    medium.
    """
    words = _words(liver, spleen, aorta)
    if spleen is None and aorta is None:
        if liver <= UNENHANCED_LIVER_HU and searched:
            return PhaseEstimate("unenhanced", 0.6, f"{words}, no bright aorta: probably no contrast medium.")
        if liver <= UNENHANCED_LIVER_HU:
            return PhaseEstimate(
                "unknown", 0.0, f"{words}; without spleen or aorta contrast cannot be told from its absence."
            )
        return PhaseEstimate("portal", 0.4, f"{words}: an enhanced liver, most often portal venous.")
    if _no_contrast(liver, spleen, aorta):
        blood = spleen if spleen is not None else aorta
        return PhaseEstimate(
            "unenhanced", _certainty(UNENHANCED_SPLEEN_HU - blood, 15), f"{words}: no contrast medium."
        )
    if aorta is None:
        return _without_aorta(liver, spleen, words)
    if aorta >= ARTERIAL_AORTA_HU and aorta - liver >= ARTERIAL_EXCESS_HU and liver < ARTERIAL_LIVER_HU:
        margin = min(aorta - ARTERIAL_AORTA_HU, 2 * (ARTERIAL_LIVER_HU - liver))
        return PhaseEstimate(
            "arterial", _certainty(margin, 40), f"{words}: bright arteries, liver hardly enhanced."
        )
    if aorta - liver < LATE_EXCESS_HU:
        return PhaseEstimate(
            "late", _certainty(LATE_EXCESS_HU - (aorta - liver), 20), f"{words}: liver and blood are alike."
        )
    # Late and portal venous shade into each other below an excess of 40 HU.
    return PhaseEstimate(
        "portal", _certainty(aorta - liver - LATE_EXCESS_HU, 40), f"{words}: liver and blood are enhanced."
    )


def organ_hu(image: sitk.Image, labels: sitk.Image, label: int) -> Optional[float]:
    """Median HU of an organ without its outermost 4 mm (partial volume, capsule); ``None`` if too little is
    left.
    """
    mask_view = sitk.GetArrayViewFromImage(labels)
    box = _bounding_box(mask_view, label)
    if box is None:
        return None
    mask = mask_view[box] == label
    spacing = image.GetSpacing()[::-1]
    inner = mask
    for axis, distance in enumerate(spacing):
        # Slices thicker than the margin are not eroded: the whole organ would vanish.
        steps = int(round(_EROSION_MM / distance))
        if steps:
            shape = [1, 1, 1]
            shape[axis] = 3
            inner = ndimage.binary_erosion(inner, np.ones(shape), iterations=steps)
    values = sitk.GetArrayViewFromImage(image)[box][inner]
    return float(np.median(values)) if values.size >= _MINIMUM_ORGAN_VOXELS else None


def find_aorta(image: sitk.Image, labels: sitk.Image) -> Tuple[bool, Optional[float]]:
    """HU of the enhanced aorta at the height of the liver.

    A tube is sought in front of the spine: 12 mm wide, brighter than what surrounds it, of one attenuation
    from slice to slice and moving by little. Vertebrae fail it, because discs interrupt them. An unenhanced
    aorta is not looked for: nothing sets it off.

    Returns:
        Whether its place was in view, and the HU; ``None`` if there is no such vessel.
    """
    volume, spacing = _slabs(image, labels)
    if volume is None or volume.shape[0] * spacing[0] < _MINIMUM_TRACK_MM:
        return False, None
    spine = _spine(volume, spacing)
    if spine is None:
        return False, None
    features = [_tube_features(plane, spine, spacing[1]) for plane in volume]
    score, values = _track(features, _best_hypothesis(features))
    middle = float(np.median(values))
    steady = float(np.mean(np.abs(np.array(values) - middle) < max(25.0, 0.2 * middle)))
    found = score > _VESSEL_SCORE and steady >= _STEADY_SHARE and middle >= UNENHANCED_BLOOD_HU
    return True, middle if found else None


def _no_contrast(liver: float, spleen: Optional[float], aorta: Optional[float]) -> bool:
    if liver > UNENHANCED_LIVER_HU and not (spleen is not None and spleen < UNENHANCED_SPLEEN_HU - 10):
        return False
    if spleen is None:
        return aorta is not None and aorta < UNENHANCED_BLOOD_HU
    # Early arterial: the spleen is still dark while the aorta is bright.
    return spleen <= UNENHANCED_SPLEEN_HU and not (aorta is not None and aorta > ARTERIAL_AORTA_HU)


def _without_aorta(liver: float, spleen: float, words: str) -> PhaseEstimate:
    if spleen - liver >= 40 and liver < 70:
        return PhaseEstimate("arterial", 0.5, f"{words}: the spleen is enhanced, the liver hardly.")
    return PhaseEstimate("portal", 0.5, f"{words}: both are enhanced.")


def _certainty(margin: float, full: float) -> float:
    """0.5 at the border between two phases, rising to 0.95 at ``full`` HU away from it."""
    return round(float(np.clip(0.5 + 0.45 * margin / full, 0.5, 0.95)), 2)


def _words(liver: float, spleen: Optional[float], aorta: Optional[float]) -> str:
    parts = [f"liver {liver:.0f} HU"]
    parts += [f"spleen {spleen:.0f} HU"] if spleen is not None else []
    parts += [f"aorta {aorta:.0f} HU"] if aorta is not None else []
    return (", ".join(parts)).capitalize().replace("hu", "HU")


def _bounding_box(mask: np.ndarray, label: int) -> Optional[Tuple[slice, slice, slice]]:
    """Box around a label, (z, y, x) slices, without a boolean copy of the whole volume."""
    rows = [index for index in range(mask.shape[0]) if (mask[index] == label).any()]
    if not rows:
        return None
    flat = np.zeros(mask.shape[1:], bool)
    for index in rows:
        flat |= mask[index] == label
    ys, xs = np.flatnonzero(flat.any(1)), np.flatnonzero(flat.any(0))
    return slice(rows[0], rows[-1] + 1), slice(ys[0], ys[-1] + 1), slice(xs[0], xs[-1] + 1)


def _slabs(image: sitk.Image, labels: sitk.Image) -> Tuple[Optional[np.ndarray], Tuple[float, float]]:
    """The image at the height of the liver, x to the left and y to the back, in 5 mm slabs of 2 mm pixels.

    Returns:
        float32 (z, y, x), HU clipped to -200..600, and (slab, pixel) in mm. ``None`` without a liver.
    """
    box = _bounding_box(sitk.GetArrayViewFromImage(labels), LIVER)
    if box is None:
        return None, (0.0, 0.0)
    # Only rows along the body axis may be cropped; it is the image axis that points most along z.
    direction = np.reshape(image.GetDirection(), (3, 3))
    axis = int(np.argmax(np.abs(direction[2])))
    region = [slice(0, n) for n in image.GetSize()]
    region[axis] = box[2 - axis]
    part = sitk.DICOMOrient(image[region[0], region[1], region[2]], "LPS")
    size, spacing = np.array(part.GetSize()), np.array(part.GetSpacing())
    # Whole factors keep it a plain block mean, which also calms noise.
    factors = np.maximum(1, np.rint(np.array([_PIXEL_MM, _PIXEL_MM, _SLAB_MM]) / spacing)).astype(int)
    factors = np.minimum(factors, size)
    small = sitk.BinShrink(sitk.Clamp(part, sitk.sitkFloat32, -200, 600), [int(f) for f in factors])
    steps = small.GetSpacing()
    if abs(steps[0] - steps[1]) > 0.2 * steps[0] or steps[2] > 12:
        return None, (0.0, 0.0)
    return sitk.GetArrayFromImage(small), (float(steps[2]), float(steps[0]))


def _spine(volume: np.ndarray, spacing: Tuple[float, float]) -> Optional[Tuple[float, float]]:
    """Middle of the spine (y, x), pixels: where bone is dense near the midline at the back, half-way through
    the slabs.
    """
    body = ndimage.binary_opening(volume.mean(0) > -100, iterations=max(1, round(6 / spacing[1])))
    parts, count = ndimage.label(body)
    if not count:
        return None
    ys, xs = np.nonzero(parts == 1 + np.argmax(np.bincount(parts.ravel())[1:]))
    y, x = np.mgrid[: volume.shape[1], : volume.shape[2]]
    behind = (ys.max() - y) * spacing[1]
    region = (np.abs(x - (xs.min() + xs.max()) / 2) * spacing[1] < 45) & (behind > 15) & (behind < 130)
    bone = (volume > 180).astype(np.float32) * region
    density = ndimage.gaussian_filter(bone, (25 / spacing[0], 12 / spacing[1], 12 / spacing[1]))
    if density.max() < 0.02:
        return None
    # One place for all slabs: an arterial aorta is as bright as bone and draws some of them forward.
    y, x = np.median([np.unravel_index(np.argmax(plane), plane.shape) for plane in density], axis=0)
    return float(y), float(x)


def _tube_features(
    plane: np.ndarray, spine: Tuple[float, float], pixel: float
) -> Tuple[np.ndarray, np.ndarray]:
    """For places in front of the spine: mean HU in a disc, and how much it looks like a vessel cut across.

    Returns:
        Two arrays (y, x) of one fixed place and shape: from 90 mm before to 15 mm behind the middle of the
        spine (which curves), from 35 mm right to 45 mm left of it.
    """
    reach = int(round(_RING_MM[1] / pixel)) + 1
    y0, x0 = int(round(spine[0] - 90 / pixel)), int(round(spine[1] - 35 / pixel))
    height, width = int(round(105 / pixel)), int(round(80 / pixel))
    padded = np.pad(plane, reach + max(height, width), constant_values=-200.0)
    shift = max(height, width)
    y0, x0 = (
        int(np.clip(v + shift, 0, n - h - 2 * reach))
        for v, n, h in zip((y0, x0), padded.shape, (height, width))
    )
    area = padded[y0 : y0 + height + 2 * reach, x0 : x0 + width + 2 * reach]
    disc, ring = _kernels(pixel, reach)
    mean = signal.fftconvolve(area, disc, "valid")
    spread = np.sqrt(np.maximum(0, signal.fftconvolve(area * area, disc, "valid") - mean * mean))
    contrast = mean - signal.fftconvolve(area, ring, "valid")
    return mean, np.clip(contrast / 60, -1, 1.5) - spread / 25


def _kernels(pixel: float, reach: int) -> Tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1] * pixel
    radius = np.hypot(y, x)
    disc = (radius <= _AORTA_RADIUS_MM).astype(np.float32)
    ring = ((radius >= _RING_MM[0]) & (radius <= _RING_MM[1])).astype(np.float32)
    return disc / disc.sum(), ring / ring.sum()


def _fit(mean: np.ndarray, likeness: np.ndarray, hypothesis: Union[float, np.ndarray]) -> np.ndarray:
    """Likeness to a vessel of about ``hypothesis`` HU: arterial blood differs along the aorta, the brighter
    the more.
    """
    off = np.abs(mean - hypothesis) / np.maximum(25.0, 0.15 * hypothesis)
    return likeness - np.minimum(off, 3)


def _best_hypothesis(features: List[Tuple[np.ndarray, np.ndarray]]) -> float:
    """The HU for which the best path through the slabs fits best, all tried at once; the path itself is not
    kept.
    """
    hypotheses = np.array(_HYPOTHESES_HU, float)[:, np.newaxis, np.newaxis]
    total = np.zeros((len(hypotheses),) + features[0][0].shape)
    for mean, likeness in features:
        reachable = ndimage.maximum_filter(total, (1, 5, 5), mode="constant", cval=-np.inf)
        total = reachable + _fit(mean, likeness, hypotheses)
    return float(_HYPOTHESES_HU[int(total.max((1, 2)).argmax())])


def _track(features: List[Tuple[np.ndarray, np.ndarray]], hypothesis: float) -> Tuple[float, List[float]]:
    """Best path through the slabs for a vessel of about ``hypothesis`` HU, by dynamic programming, at most 2
    pixels aside a slab.

    Returns:
        Mean score per slab (up to 1.5), and the HU along the path.
    """
    total, origins = None, []
    for mean, likeness in features:
        here = _fit(mean, likeness, hypothesis)
        if total is not None:
            windows = np.lib.stride_tricks.sliding_window_view(
                np.pad(total, 2, constant_values=-np.inf), (5, 5)
            )
            flat = windows.reshape(total.shape + (25,))
            origins.append(flat.argmax(-1))
            here = here + flat.max(-1)
        total = here
    y, x = np.unravel_index(int(np.argmax(total)), total.shape)
    score = float(total[y, x]) / len(features)
    values = [float(features[-1][0][y, x])]
    for (mean, _), origin in zip(features[-2::-1], origins[::-1]):
        step = int(origin[y, x])
        y, x = y + step // 5 - 2, x + step % 5 - 2
        values.append(float(mean[y, x]))
    return score, values
