"""When the attenuation of the liver does not tell its fat: contrast medium, tube voltage, truncated organs,
noise.

Sources of the limits:

* 120 kVp: with 100 kVp the ratio of livers without fat reached from 0.89 to 1.77 ("Unenhanced computed
  tomography for non-invasive diagnosis of hepatic steatosis with low tube potential protocol"); the cut-offs
  and the relation of HU to fat were found at 120 kVp.
* 75 HU: 1.2 % of 3,357 screened adults and 83 % of patients with haemochromatosis had brighter livers
  (Lawrence E et al., "Defining an optimal CT liver attenuation threshold to screen for hereditary
  hemochromatosis", ARRS 2017, 2465); amiodarone makes livers of 80 to 140 HU (Jones WP et al., Invest
  Radiol 1985;20:911-915).
* The plausible range of the spleen and the limit of noise are ours, set wide of what unenhanced scans have
  (docs/fatty-liver.md).
"""

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..errors import UsageError
from ..images.phase_words import names_contrast_agent
from ..measure.borders import border_word
from ..sentences import Sentence, in_commas, key_of
from .roi import LIVER_KEY, SPLEEN_KEY, OrganStatistics

VALID_KVP = 120.0
"""The cut-offs and the relation to fat fraction were found at this tube voltage; attenuation of fat depends
on it."""
_KVP_TOLERANCE = 0.5
HIGH_NOISE_HU = 40.0
"""SD of a voxel by noise above which values are not trusted: detectors run out of photons, and means shift
too."""
PLAUSIBLE_LIVER_HU = 75.0
"""A brighter unenhanced liver holds iron, amiodarone, glycogen or contrast medium, which hide fat."""
PLAUSIBLE_SPLEEN_HU = (30.0, 70.0)
"""Mean of an unenhanced spleen; outside this range it is no yardstick for the liver."""

PHASES = ("unenhanced", "arterial", "portal", "late")
"""The contrast phases that a reader can choose."""

_ENHANCED = ("arterial", "portal", "late")


@dataclass(frozen=True)
class Conditions:
    """Under what conditions a scan was made, as far as it is known.

    Attributes:
        phase: "unenhanced", "arterial", "portal", "late", "unknown", or None if nobody has estimated it.
        phase_reason: the sentence that goes with the estimate.
        phase_by_reader: the reader chose ``phase`` in place of the estimate.
        estimated_phase: the estimate that her choice replaced; None without a choice or an estimate.
        contrast_agent: what the DICOM header names as contrast agent; None if it names none or is not known.
        kvp: tube voltage in kV, None if not known.
        liver_touches, spleen_touches: words for the borders of the scan that an organ reaches.
        liver_noise_hu, spleen_noise_hu: SD that noise gives a voxel, None if not known.
    """

    phase: Optional[str] = None
    phase_reason: str = ""
    contrast_agent: Optional[str] = None
    kvp: Optional[float] = None
    liver_touches: Tuple[str, ...] = ()
    spleen_touches: Tuple[str, ...] = ()
    liver_noise_hu: Optional[float] = None
    spleen_noise_hu: Optional[float] = None
    phase_by_reader: bool = False
    estimated_phase: Optional[str] = None

    @classmethod
    def of(
        cls,
        statistics: Mapping[str, OrganStatistics],
        *,
        phase: Optional[str] = None,
        phase_reason: str = "",
        contrast_agent: Optional[str] = None,
        kvp: Optional[float] = None,
        chosen_phase: Optional[str] = None,
    ) -> "Conditions":
        """Return the conditions of a scan whose organs have these statistics (by key).

        ``chosen_phase`` is the reader's, one of PHASES; it counts in place of the estimated ``phase``.

        Raises:
            UsageError: there is no such phase.
        """
        if chosen_phase is not None and chosen_phase not in PHASES:
            raise UsageError(Sentence("fat.no-such-phase", phase=str(chosen_phase), phases=", ".join(PHASES)))
        liver, spleen = statistics.get(LIVER_KEY), statistics.get(SPLEEN_KEY)
        return cls(
            phase=chosen_phase or phase,
            phase_reason=phase_reason,
            phase_by_reader=chosen_phase is not None,
            estimated_phase=phase if chosen_phase else None,
            contrast_agent=contrast_agent,
            kvp=kvp,
            liver_touches=liver.touches if liver else (),
            spleen_touches=spleen.touches if spleen else (),
            liver_noise_hu=liver.noise_hu if liver else None,
            spleen_noise_hu=spleen.noise_hu if spleen else None,
        )

    @property
    def chosen_text(self) -> Optional[Sentence]:
        """A sentence on the phase that the reader chose; None if she chose none."""
        return Sentence(f"fat.phase-by-reader-{self.phase}") if self.phase_by_reader else None

    def to_dict(self) -> Dict[str, Any]:
        """Return plain data with units in the keys."""
        plain = dict(self.__dict__)
        plain["liver_touches"], plain["spleen_touches"] = list(self.liver_touches), list(self.spleen_touches)
        return plain

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Conditions":
        """Return the conditions that :meth:`to_dict` wrote."""
        touches = {key: tuple(data[key]) for key in ("liver_touches", "spleen_touches")}
        return cls(**{**data, **touches})


def reasons_not_to_grade(
    conditions: Conditions, liver_mean: Optional[float], spleen_mean: Optional[float]
) -> Tuple[str, ...]:
    """Return sentences, the weightiest first, on why a ratio of these means (HU) should not be graded."""
    reasons: List[str] = []
    reasons += _contrast(conditions)
    if liver_mean is None:
        reasons.append(Sentence("fat.no-liver-roi"))
    if spleen_mean is None:
        reasons.append(Sentence("fat.no-spleen"))
    elif not PLAUSIBLE_SPLEEN_HU[0] <= spleen_mean <= PLAUSIBLE_SPLEEN_HU[1]:
        low, high = PLAUSIBLE_SPLEEN_HU
        reasons.append(Sentence("fat.spleen-implausible", hu=spleen_mean, low=low, high=high))
    if liver_mean is not None and liver_mean > PLAUSIBLE_LIVER_HU:
        reasons.append(Sentence("fat.liver-bright", hu=liver_mean, limit=PLAUSIBLE_LIVER_HU))
    if conditions.kvp is not None and not is_valid_kvp(conditions.kvp):
        reasons.append(Sentence("fat.kvp-other", kvp=conditions.kvp, valid=VALID_KVP))
    for organ, touches in ((LIVER_KEY, conditions.liver_touches), (SPLEEN_KEY, conditions.spleen_touches)):
        if touches:
            word = Sentence(f"organ.{organ}")
            reasons.append(Sentence("fat.organ-cut-off", organ=word, places=_borders(touches)))
    for organ, noise in ((LIVER_KEY, conditions.liver_noise_hu), (SPLEEN_KEY, conditions.spleen_noise_hu)):
        if noise is not None and noise > HIGH_NOISE_HU:
            word = Sentence(f"organ.{organ}")
            reasons.append(Sentence("fat.noise", organ=word, hu=noise, limit=HIGH_NOISE_HU))
    return tuple(reasons)


def is_valid_kvp(kvp: float) -> bool:
    """Tell whether the cut-offs hold for a tube voltage in kV."""
    return abs(kvp - VALID_KVP) <= _KVP_TOLERANCE


def _contrast(conditions: Conditions) -> List[str]:
    reasons: List[str] = []
    if conditions.phase_by_reader and conditions.phase != "unenhanced":
        reasons.append(Sentence(f"fat.enhanced-by-reader-{conditions.phase}"))
    elif conditions.phase in _ENHANCED:
        holds = Sentence(f"fat.{conditions.phase}")
        because = {"sentence": holds, "reason": conditions.phase_reason}
        reasons.append(Sentence("fat.because", **because) if conditions.phase_reason else holds)
    elif conditions.phase != "unenhanced":
        reasons.append(Sentence("fat.phase-unknown"))
    if names_contrast_agent(conditions.contrast_agent):
        reasons.append(Sentence("fat.agent", agent=(conditions.contrast_agent or "").strip()))
    return reasons


def _borders(touches: Tuple[str, ...]) -> str:
    words = [border_word(word) for word in touches]
    return in_commas(
        [
            word if key_of(word) == "border.field-of-view" else Sentence("place.bare-border", border=word)
            for word in words
        ]
    )
