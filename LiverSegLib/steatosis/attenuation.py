"""What the attenuation of the liver alone, and its difference to the spleen, say about liver fat.

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
"""

from typing import List, Tuple

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
