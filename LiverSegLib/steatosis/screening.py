"""What the attenuation of the liver alone says of fat in the portal venous phase: a screening, no grade.

Source: Pickhardt PJ, Blake GM, Moeller A, Garrett JW, Summers RM, "Post-contrast CT liver attenuation alone
is superior to the liver-spleen difference for identifying moderate hepatic steatosis" (read as its abstract
and as abstract 4710 of the ARRS annual meeting 2024; we could not see the doi). 1,676 adults (mean age 68)
had an unenhanced, a portal venous and a delayed scan in one visit; moderate steatosis was an unenhanced liver
below 40 HU, about 15 % fat by MR, which 12.9 % had.
"""

from typing import Optional

from ..sentences import Sentence

SPECIFIC_PORTAL_HU = 80.0
"""Portal venous livers below this: sensitivity 85.6 %, specificity 89.6 % for moderate steatosis."""
SENSITIVE_PORTAL_HU = 90.0
"""Portal venous livers below this: sensitivity 94.9 %, specificity 74.7 %."""


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
