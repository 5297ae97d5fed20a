"""What is known of a scan beyond its voxels: contrast phase, tube voltage, contrast agent, lesions left out.

Provenance, report and JSON are written from these facts; nothing is read back from provenance.
Importing this loads neither scipy nor SimpleITK.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple

from ..images.modality import CT, MR
from ..images.phase_words import contrast_in_header

if TYPE_CHECKING:
    from ..images import SeriesInfo


@dataclass(frozen=True)
class PhaseEstimate:
    """``phase`` is "unenhanced", "arterial", "portal", "late" or "unknown"; ``confidence`` 0 to 1; ``reason``
    a sentence; ``aorta_hu`` the attenuation of the aorta where it was found.
    """

    phase: str
    confidence: float
    reason: str
    aorta_hu: Optional[float] = None


@dataclass(frozen=True)
class ClinicalFacts:
    """Facts of one scan; what is not known is None.

    Attributes:
        phase: the contrast phase, as it was estimated.
        kvp: tube voltage in kV, by the DICOM header.
        contrast_agent: as the DICOM header names it.
        series: description of the DICOM series.
        left_out: sentences on lesions that were left out of the mask.
        modality: "CT" or "MR"; without HU, MR has neither attenuation nor contrast phase nor liver fat.
        not_segmented: keys of the organs that the model does not know: "spleen", "tumour".
    """

    phase: Optional[PhaseEstimate] = None
    kvp: Optional[float] = None
    contrast_agent: Optional[str] = None
    series: Optional[str] = None
    left_out: Tuple[str, ...] = ()
    modality: str = CT
    not_segmented: Tuple[str, ...] = ()

    @property
    def says_contrast(self) -> Optional[bool]:
        """What the header says of contrast medium in the veins; None if nothing."""
        return contrast_in_header(self.contrast_agent, self.series)

    def for_measuring(self) -> Dict[str, Any]:
        """Return what of them ``measure.measure`` takes, as its arguments."""
        phase = self.phase
        return {
            "phase": None if phase is None else phase.phase,
            "aorta_hu": None if phase is None else phase.aorta_hu,
            "left_out": self.left_out,
            "modality": self.modality,
            "not_segmented": self.not_segmented,
        }

    def to_dict(self) -> Dict[str, Any]:
        """Return the facts for JSON; ``modality`` only of MR, ``not_segmented`` only if there is any.

        >>> ClinicalFacts(kvp=120.0).to_dict()["kvp"]
        120.0
        """
        phase: Optional[Dict[str, Any]] = None
        if self.phase is not None:
            phase = {**vars(self.phase), "confidence": round(self.phase.confidence, 3)}
        facts = {**vars(self), "phase": phase, "left_out": list(self.left_out)}
        del facts["modality"], facts["not_segmented"]
        if self.modality != CT:
            facts["modality"] = self.modality
        if self.not_segmented:
            facts["not_segmented"] = list(self.not_segmented)
        return facts

    @classmethod
    def from_dict(cls, facts: Optional[Mapping[str, Any]]) -> "ClinicalFacts":
        """Return the facts that ``to_dict`` wrote; none if there are none, or somebody overwrote them."""
        if not isinstance(facts, Mapping):
            return cls()
        try:
            return cls(
                phase=None if facts.get("phase") is None else _phase(facts["phase"]),
                kvp=_number(facts.get("kvp")),
                contrast_agent=facts.get("contrast_agent"),
                series=facts.get("series"),
                left_out=tuple(facts.get("left_out") or ()),
                modality=MR if facts.get("modality") == MR else CT,
                not_segmented=tuple(facts.get("not_segmented") or ()),
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            return cls()


NOTHING_KNOWN = ClinicalFacts()
"""Of a scan of which nobody has said anything."""


def header_facts(series: "Optional[SeriesInfo]") -> ClinicalFacts:
    """Return what a DICOM header says of a scan; nothing without one."""
    if series is None:
        return NOTHING_KNOWN
    return ClinicalFacts(None, series.kvp, series.contrast or None, series.description)


def _phase(facts: Mapping[str, Any]) -> PhaseEstimate:
    aorta_hu = _number(facts.get("aorta_hu"))
    return PhaseEstimate(str(facts["phase"]), float(facts["confidence"]), facts["reason"], aorta_hu)


def _number(value: Any) -> Optional[float]:
    """Raises ValueError for what is no number."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"no number: {value!r}")
    return float(value)
