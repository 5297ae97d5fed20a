"""What the attenuation of the liver alone, and its difference to the spleen, say about liver fat.

The verdict is that of the ratio. The liver's HU, and the fat fraction that is computed from the same HU, are
a second opinion.

Sources, for scans without contrast medium at 120 kVp:

* Liver below 40 HU stood for more than 30 % fat, moderate to severe, in 6,814 adults of a population (Zeb I
  et al., Academic Radiology 2012;19(7)) and, as up to 40 HU, in 3,357 screened ones (Boyce CJ et al.,
  "Hepatic steatosis (fatty liver disease) in asymptomatic adults identified by unenhanced low-dose CT").
* Liver up to 48 HU: none of 276 livers with less than 30 % fat at biopsy, and 54 % of 39 with more (Pickhardt
  PJ et al., Eur Radiol 2012;22:1075-1082): specific, not sensitive.
* Liver minus spleen in 42 living donors with biopsy ("Macrovesicular hepatic steatosis in living related
  liver donors: correlation between CT and histologic findings", doi:10.1148/radiol.2301021176): above 5 HU up
  to 5 % fat, from -10 to 5 HU 6 to 30 %, below -10 HU more than 30 %.
* Fat fraction: CT and MRI of 221 patients were related linearly, with much scatter (r2 = 0.554; an abstract
  whose authors and journal we could not see). The two numbers of the line are at second hand; they agree
  with every pair of values in print that we could read: 65 HU 0.5 %, 23 HU 25 %, -3 HU 40 % (Starekova J et
  al., Radiology 2021;301:250-262, figure 2), 55 HU 6.4 % (Graffy PM et al., Radiology 2019;293:334-342).

Source for the portal venous phase, a screening and no grade: Pickhardt PJ, Blake GM, Moeller A, Garrett JW,
Summers RM, "Post-contrast CT liver attenuation alone is superior to the liver-spleen difference for
identifying moderate hepatic steatosis" (read as its abstract and as abstract 4710 of the ARRS annual meeting
2024; we could not see the doi). 1,676 adults (mean age 68) had an unenhanced, a portal venous and a delayed
scan in one visit; moderate steatosis was an unenhanced liver below 40 HU, about 15 % fat by MR, which 12.9 %
had.
"""

from typing import List, Optional, Tuple

from ..sentences import Sentence
from .conditions import PLAUSIBLE_LIVER_HU, VALID_KVP, Conditions, is_valid_kvp

LOW_LIVER_HU = 40.0
"""Livers below this hold moderate to severe fat."""
SPECIFIC_LIVER_HU = 48.0
"""Livers up to this hold moderate to severe fat with high specificity."""
NORMAL_DIFFERENCE_HU = 5.0
"""Liver minus spleen above this: hardly any fat."""
FATTY_DIFFERENCE_HU = -10.0
"""Liver minus spleen below this: more than 30 % fat."""
FAT_SLOPE, FAT_OFFSET = -0.58, 38.2
"""Fat fraction in percent = offset + slope * HU."""
SPECIFIC_PORTAL_HU = 80.0
"""Portal venous livers below this: sensitivity 85.6 %, specificity 89.6 % for moderate steatosis."""
SENSITIVE_PORTAL_HU = 90.0
"""Portal venous livers below this: sensitivity 94.9 %, specificity 74.7 %."""
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


def liver_text(liver_hu: float) -> str:
    """Return what the mean attenuation of an unenhanced liver says."""
    if liver_hu < LOW_LIVER_HU:
        return Sentence("fat.liver-low", hu=LOW_LIVER_HU)
    if liver_hu <= SPECIFIC_LIVER_HU:
        return Sentence("fat.liver-specific", hu=SPECIFIC_LIVER_HU)
    return Sentence("fat.liver-high", hu=SPECIFIC_LIVER_HU)


def difference_text(difference_hu: float) -> str:
    """Return what liver minus spleen, unenhanced, says."""
    if difference_hu > NORMAL_DIFFERENCE_HU:
        return Sentence("fat.difference-normal", hu=NORMAL_DIFFERENCE_HU)
    if difference_hu >= FATTY_DIFFERENCE_HU:
        return Sentence("fat.difference-mild", low=FATTY_DIFFERENCE_HU, high=NORMAL_DIFFERENCE_HU)
    return Sentence("fat.difference-low", hu=-FATTY_DIFFERENCE_HU)


def fat_fraction_percent(liver_hu: float) -> float:
    """Return the approximate MR proton density fat fraction of an unenhanced liver, 0 to 100 %."""
    return min(100.0, max(0.0, FAT_OFFSET + FAT_SLOPE * liver_hu))


def fat_fraction_doubts(liver_hu: float, conditions: Conditions) -> Tuple[str, ...]:
    """Return sentences on why the fat fraction does not hold for a scan."""
    doubts: List[str] = []
    if conditions.phase != "unenhanced":
        doubts.append(Sentence("fat.fraction-unenhanced-only"))
    if conditions.kvp is None:
        doubts.append(Sentence("fat.fraction-kvp-unknown", kvp=VALID_KVP))
    elif not is_valid_kvp(conditions.kvp):
        doubts.append(Sentence("fat.fraction-kvp-other", valid=VALID_KVP, kvp=conditions.kvp))
    if liver_hu > PLAUSIBLE_LIVER_HU:
        doubts.append(Sentence("fat.fraction-liver-bright"))
    return tuple(doubts)


def screening_text(phase: Optional[str], liver_hu: Optional[float]) -> Optional[Sentence]:
    """Return what the mean attenuation (HU) of the liver says as a screening.

    Returns:
        One sentence with its source; None in any other phase than the portal venous one, or without a liver.
    """
    if phase != "portal" or liver_hu is None:
        return None
    if liver_hu < SPECIFIC_PORTAL_HU:
        return Sentence("fat.screening-below-80", hu=float(liver_hu))
    if liver_hu < SENSITIVE_PORTAL_HU:
        return Sentence("fat.screening-below-90", hu=float(liver_hu))
    return Sentence("fat.screening-above", hu=float(liver_hu))


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
