"""Contrast phase of an abdominal CT, estimated from the attenuation of liver, spleen, aorta and kidneys.

Published attenuation that the rules rest on (HU):

* Unenhanced: liver 58.8 with SD 10.8 in 3,357 adults ("Hepatic steatosis (fatty liver disease) in
  asymptomatic adults identified by unenhanced low-dose CT"); liver minus spleen 1 to 18 where biopsy found
  no fat ("Biopsy-proven nonsteatotic liver in adults: estimation of reference range ...").
* Enhancement over the unenhanced value in 171 patients ("MDCT of the liver and hypervascular hepatocellular
  carcinomas: optimizing scan delays ..."). Arterial (10 to 15 s after the aorta rose by 50): aorta 300 to
  336, spleen 97 to 108, liver 15 to 25. Portal venous (45 to 55 s): liver 59 to 63, aorta 117 to 125,
  spleen 73 to 82.

The borders between phases below are ours, set between those values; the delayed phase, in which blood and
liver approach each other, was set without a published figure and passes smoothly into the portal venous
one. Fatty livers are darker in every phase, so the spleen, which stores no fat, decides whether there is
contrast at all.
"""

from dataclasses import dataclass, replace
from typing import Optional

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..images.grid import bounding_box
from ..labels import LIVER, SPLEEN
from ..sentences import Sentence, in_commas
from .aorta import find_aorta, slabs_of
from .facts import PhaseEstimate
from .kidneys import find_kidneys
from .volumes import find_structure

UNENHANCED_SPLEEN_HU = 65.0
"""A spleen below this holds no contrast medium worth the name (unenhanced: 40 to 60)."""

UNENHANCED_BLOOD_HU = 65.0
"""Blood in the aorta above this holds contrast medium: without it has 30 to 60 HU, by its haemoglobin.
Minutes after an injection it may be all that still tells."""

UNENHANCED_KIDNEYS_HU = 85.0
"""Kidneys brighter than this are passing contrast medium: about half way from the 30 to 40 of unenhanced ones
to the 120 and more of the first minutes."""

UNENHANCED_LIVER_HU = 75.0
"""Livers brighter than this are enhanced, or full of iron or amiodarone."""

LEAST_CONFIDENCE = 0.6
"""Below this nobody is told that a scan is unenhanced: the phase is unknown, and fat is not graded."""

ARTERIAL_AORTA_HU = 190.0
"""An aorta brighter than this is in the first passage of the contrast medium."""

ARTERIAL_EXCESS_HU = 110.0
"""In the arterial phase the aorta is brighter than the liver by more than this; in the portal venous phase
rarely.
"""

ARTERIAL_LIVER_HU = 85.0
"""A liver brighter than this has its portal blood already."""

LATE_EXCESS_HU = 15.0
"""In the delayed phase the aorta is brighter than the liver by less than this."""

_MINIMUM_ORGAN_VOXELS = 200
_EROSION_MM = 4.0
ENOUGH_MM = 1.6
"""Voxels up to this far apart are enough; finer scans are thinned, which only saves time."""


@dataclass(frozen=True)
class Attenuations:
    """Median HU of what tells the phase; None for what is not seen or cannot be measured.

    Attributes:
        liver, spleen: without their outermost 4 mm.
        aorta: of an aorta brighter than what surrounds it; an unenhanced one is None.
        kidneys: upper quartile of the darker one.
        searched: the place of the aorta was in view: no bright vessel there speaks against contrast medium.
    """

    liver: Optional[float] = None
    spleen: Optional[float] = None
    aorta: Optional[float] = None
    kidneys: Optional[float] = None
    searched: bool = False


def estimate_phase(
    image: sitk.Image, labels: sitk.Image, *, contrast: Optional[bool] = None
) -> PhaseEstimate:
    """Estimate the contrast phase.

    Args:
        image: CT in HU, any orientation.
        labels: uint8 on the same grid, 1 liver, 2 spleen, 3 liver tumour.
        contrast: what the DICOM header says of contrast medium in the veins; None if it says nothing.

    Raises:
        ValueError: The grids differ in size.
    """
    measured = attenuations(image, labels)
    return replace(decide(measured, contrast=contrast), aorta_hu=measured.aorta)


def attenuations(image: sitk.Image, labels: sitk.Image) -> Attenuations:
    """Measure what tells the phase; see :func:`estimate_phase` for arguments and errors."""
    if image.GetSize() != labels.GetSize():
        raise ValueError(f"image {image.GetSize()} and labels {labels.GetSize()} differ in size")
    image, labels = _thinned(image), _thinned(labels)
    liver, spleen = organ_hu(image, labels, LIVER), organ_hu(image, labels, SPLEEN)
    if liver is None:
        return Attenuations(spleen=spleen)
    slabs = slabs_of(image, labels)
    searched, aorta = find_aorta(slabs)
    return Attenuations(liver, spleen, aorta, find_kidneys(slabs, labels), searched)


def _thinned(image: sitk.Image) -> sitk.Image:
    """Leave out voxels that lie closer together than a mean attenuation and the width of an aorta need."""
    steps = [max(1, int(ENOUGH_MM / spacing)) for spacing in image.GetSpacing()]
    return image if max(steps) == 1 else image[:: steps[0], :: steps[1], :: steps[2]]


def decide(hu: Attenuations, *, contrast: Optional[bool] = None) -> PhaseEstimate:
    """Name the phase.

    To take an enhanced scan for an unenhanced one is the worst error, since fat would be graded on it: every
    sign of contrast medium counts, and "unenhanced" needs LEAST_CONFIDENCE.

    Args:
        hu: what was measured.
        contrast: what the DICOM header says of contrast medium in the veins; None if it says nothing.
    """
    if hu.liver is None:
        return PhaseEstimate("unknown", 0.0, Sentence("phase.too-little-liver"))
    estimate, measured = _by_attenuation(hu), _measured(hu)
    if estimate.phase != "unenhanced":
        return estimate
    if contrast:
        reason = Sentence("phase.header-against-it", measured=measured)
        return PhaseEstimate("unknown", estimate.confidence, reason)
    if estimate.confidence < LEAST_CONFIDENCE and contrast is None:
        reason = Sentence("phase.uncertain", measured=measured)
        return PhaseEstimate("unknown", estimate.confidence, reason)
    return estimate


def _by_attenuation(hu: Attenuations) -> PhaseEstimate:
    measured, liver, spleen, aorta = _measured(hu), hu.liver, hu.spleen, hu.aorta
    assert liver is not None
    if not _shows_contrast(hu):
        if hu.kidneys is not None and hu.kidneys > UNENHANCED_KIDNEYS_HU:  # what is left of an injection?
            return PhaseEstimate("unknown", 0.5, Sentence("phase.only-kidneys", measured=measured))
        return _unenhanced(hu, measured)
    if aorta is None:
        if spleen is None:
            return PhaseEstimate("portal", 0.4, Sentence("phase.liver-alone", measured=measured))
        return _without_aorta(liver, spleen, measured)
    if aorta >= ARTERIAL_AORTA_HU and aorta - liver >= ARTERIAL_EXCESS_HU and liver < ARTERIAL_LIVER_HU:
        margin = min(aorta - ARTERIAL_AORTA_HU, 2 * (ARTERIAL_LIVER_HU - liver))
        reason = Sentence("phase.bright-arteries", measured=measured)
        return PhaseEstimate("arterial", _certainty(margin, 40), reason)
    margin = aorta - liver - LATE_EXCESS_HU
    if margin < 0:
        return PhaseEstimate("late", _certainty(-margin, 20), Sentence("phase.alike", measured=measured))
    # Late and portal venous shade into each other below an excess of 40 HU.
    return PhaseEstimate("portal", _certainty(margin, 40), Sentence("phase.enhanced", measured=measured))


def organ_hu(image: sitk.Image, labels: sitk.Image, label: int) -> Optional[float]:
    """Median HU of an organ without its outermost 4 mm (partial volume, capsule); ``None`` if too little is
    left.
    """
    mask_view = sitk.GetArrayViewFromImage(labels)
    organ = find_structure(mask_view, bounding_box(mask_view), (label,))
    if organ is None:
        return None
    spacing = image.GetSpacing()[::-1]
    inner = organ.mask
    for axis, distance in enumerate(spacing):
        # Slices thicker than the margin are not eroded: the whole organ would vanish.
        steps = int(round(_EROSION_MM / distance))
        if steps:
            shape = [1, 1, 1]
            shape[axis] = 3
            inner = ndimage.binary_erosion(inner, np.ones(shape), iterations=steps)
    values = sitk.GetArrayViewFromImage(image)[organ.box][inner]
    return float(np.median(values)) if values.size >= _MINIMUM_ORGAN_VOXELS else None


def _shows_contrast(hu: Attenuations) -> bool:
    """Whether anything measured has more HU than it can have without contrast medium.

    A bright liver beside a dark spleen and no bright vessel is iron or amiodarone.
    """
    if hu.aorta is not None and hu.aorta > UNENHANCED_BLOOD_HU:
        return True
    if hu.spleen is not None:
        if hu.spleen > UNENHANCED_SPLEEN_HU:
            return True
        if hu.spleen < UNENHANCED_SPLEEN_HU - 10:
            return False
    return hu.liver is not None and hu.liver > UNENHANCED_LIVER_HU


def _unenhanced(hu: Attenuations, measured: str) -> PhaseEstimate:
    """Without a sign of contrast medium: as sure as the nearest thing is far from showing it."""
    if hu.spleen is None and hu.aorta is None and not hu.searched:
        return PhaseEstimate("unknown", 0.0, Sentence("phase.nothing-to-compare", measured=measured))
    margins = [UNENHANCED_SPLEEN_HU - hu.spleen] if hu.spleen is not None else []
    margins += [UNENHANCED_BLOOD_HU - hu.aorta] if hu.aorta is not None else []
    if not margins:
        return PhaseEstimate("unenhanced", 0.6, Sentence("phase.no-bright-aorta", measured=measured))
    reason = Sentence("phase.no-contrast", measured=measured)
    return PhaseEstimate("unenhanced", _certainty(min(margins), 15), reason)


def _without_aorta(liver: float, spleen: float, measured: str) -> PhaseEstimate:
    if spleen - liver >= 40 and liver < 70:
        return PhaseEstimate("arterial", 0.5, Sentence("phase.spleen-first", measured=measured))
    return PhaseEstimate("portal", 0.5, Sentence("phase.both-enhanced", measured=measured))


def _certainty(margin: float, full: float) -> float:
    """0.5 at the border between two phases, rising to 0.95 at ``full`` HU away from it."""
    return round(float(np.clip(0.5 + 0.45 * margin / full, 0.5, 0.95)), 2)


def _measured(hu: Attenuations) -> str:
    """Every attenuation that was measured, in words."""
    values = {name: getattr(hu, name) for name in ("liver", "spleen", "aorta", "kidneys")}
    return in_commas([Sentence(f"phase.{name}", hu=hu) for name, hu in values.items() if hu is not None])
