"""Where the liver's attenuation alone says something else of its fat than the ratio, and why that may be.

The verdict is that of the ratio. The liver's HU, and the fat fraction that is computed from the same HU, are
a second opinion.
"""

from typing import Optional

from ..sentences import Sentence
from .attenuation import LOW_LIVER_HU, SPECIFIC_LIVER_HU, fat_fraction_percent
from .conditions import Conditions, is_valid_kvp

FAT_OF_GRADE = {"normal": (0.0, 5.0), "mild": (5.0, 15.0), "moderate": (15.0, 100.0), "severe": (15.0, 100.0)}
"""Grade -> fat fraction in percent that goes with it. 5 % by MR is where fatty liver begins; 15 % goes with
40 HU, the limit of moderate fat."""
FAT_SCATTER_PERCENT = 5.0
"""The fat fraction counts as another one only if it is farther than this outside the grade's range: single
livers lie that far from the line (r2 = 0.554). Ours."""
DARK_SPLEEN_HU, BRIGHT_SPLEEN_HU = 45.0, 55.0
"""Most unenhanced spleens lie between these; outside them the ratio is pulled up or down. Ours."""
NOISY_HU = 20.0
"""SD of a voxel by noise above which noise may explain a disagreement; half of what forbids a grade.
Ours."""


def disagreement_text(
    grade: Optional[str],
    liver_hu: Optional[float],
    spleen_hu: Optional[float],
    conditions: Conditions,
) -> Optional[Sentence]:
    """Return one sentence if the liver alone says more or less fat than the grade by the ratio, and why.

    Args:
        grade: by the ratio; None if it was not graded.
        liver_hu, spleen_hu: means of the ROIs.
        conditions: how the scan was made.

    Returns:
        None where both agree, where there is no verdict to disagree with, and for scans that are not
        known to be unenhanced: there the liver alone says nothing.
    """
    if grade is None or liver_hu is None or spleen_hu is None or conditions.phase != "unenhanced":
        return None
    side = _side(grade, liver_hu)
    if side is None:
        return None
    values = {"liver": float(liver_hu), "fat": float(fat_fraction_percent(liver_hu))}
    if side == "more" and spleen_hu < DARK_SPLEEN_HU:
        return Sentence("fat.more-dark-spleen", spleen=float(spleen_hu), **values)
    if side == "less" and spleen_hu > BRIGHT_SPLEEN_HU:
        return Sentence("fat.less-bright-spleen", spleen=float(spleen_hu), **values)
    if conditions.kvp is not None and not is_valid_kvp(conditions.kvp):
        return Sentence(f"fat.{side}-kvp", kvp=float(conditions.kvp), **values)
    noise = max(conditions.liver_noise_hu or 0.0, conditions.spleen_noise_hu or 0.0)
    if noise > NOISY_HU:
        return Sentence(f"fat.{side}-noise", noise=float(noise), **values)
    why = "kvp-unknown" if conditions.kvp is None else "unexplained"
    return Sentence(f"fat.{side}-{why}", **values)


def _side(grade: str, liver_hu: float) -> Optional[str]:
    """Tell whether the liver alone says "more" or "less" fat than the grade; None if it agrees."""
    fat, (low, high) = fat_fraction_percent(liver_hu), FAT_OF_GRADE[grade]
    more_by_hu = (grade == "normal" and liver_hu <= SPECIFIC_LIVER_HU) or (
        grade == "mild" and liver_hu < LOW_LIVER_HU
    )
    less_by_hu = grade in ("moderate", "severe") and liver_hu > SPECIFIC_LIVER_HU
    if more_by_hu or fat >= high + FAT_SCATTER_PERCENT:
        return "more"
    if less_by_hu or (grade != "normal" and fat <= low - FAT_SCATTER_PERCENT):
        return "less"
    return None
