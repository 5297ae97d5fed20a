"""How well two livers lie upon each other, and when that is doubtful."""

from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

from ..sentences import Sentence

ONE_PATIENT_DICE = 0.80
"""Livers that only turn and shift onto each other with less overlap are hardly of one patient.

Scans of one patient gave 0.92 and more, of different patients 0.75 and less (docs/followup.md)."""
CLEAR_DICE = 0.88
"""Below this, turned and shifted, the same is doubtful."""
GOOD_DICE = 0.92
"""Below this, bent, carried lesions may be off by more than a small lesion's size."""
SANE_CHANGE = (0.3, 3.0)
"""Tissue hardly shrinks or grows by more between two dates: beyond, the deformation is doubtful."""


@dataclass(frozen=True)
class Quality:
    """Figures of a registration.

    Attributes:
        rigid_dice, affine_dice, dice: overlap of both livers after each step, 0 to 1, where both scans see.
        texture: correlation of the vessels' pattern deep in the liver, -1 to 1; None if it is not known.
        least_change, most_change: 1st and 99th percentile of the local change of volume in the liver
            (determinant of the Jacobian).
        folded_percent: part of the liver in which the B-splines folded.
        bent: the B-splines are used; else they were no better than the affine step, which is.
    """

    rigid_dice: float
    affine_dice: float
    dice: float
    texture: Optional[float]
    least_change: float
    most_change: float
    folded_percent: float
    bent: bool

    @property
    def is_one_patient(self) -> bool:
        """Whether the livers can be of one patient."""
        return self.rigid_dice >= ONE_PATIENT_DICE

    def doubts(self, name: str) -> Tuple[str, ...]:
        """Return sentences on what makes the registration of a scan with the first one doubtful."""
        said = []
        if self.rigid_dice < CLEAR_DICE:
            said.append(Sentence("followup.shape-differs", name=name, dice=self.rigid_dice))
        if self.dice < GOOD_DICE:
            said.append(Sentence("followup.overlap-low", name=name, dice=self.dice))
        if self.least_change < SANE_CHANGE[0] or self.most_change > SANE_CHANGE[1]:
            said.append(Sentence("followup.deformation-strong", name=name))
        if not self.bent:
            said.append(Sentence("followup.not-bent", name=name))
        return tuple(said)

    @property
    def is_doubtful(self) -> bool:
        """Whether there is any doubt."""
        return bool(self.doubts(""))

    def to_dict(self) -> Dict[str, Any]:
        """Return plain numbers."""
        return {
            "liver_dice_rigid": self.rigid_dice,
            "liver_dice_affine": self.affine_dice,
            "liver_dice": self.dice,
            "texture_correlation": self.texture,
            "volume_change_1st_percentile": self.least_change,
            "volume_change_99th_percentile": self.most_change,
            "folded_percent": self.folded_percent,
            "b_splines": self.bent,
            "doubtful": self.is_doubtful,
        }
