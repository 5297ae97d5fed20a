"""What a run yields, and the judgement of liver fat in it."""

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Tuple

import numpy as np
import SimpleITK as sitk

from LiverSegLib.errors import NotCTError, reason_of
from LiverSegLib.images.modality import CT
from LiverSegLib.images.scan import DicomFiles
from LiverSegLib.measure import Measurements
from LiverSegLib.measure.facts import NOTHING_KNOWN, ClinicalFacts
from LiverSegLib.measure.structures import StructureVolume
from LiverSegLib.review import Review
from LiverSegLib.sentences import Sentence
from LiverSegLib.structures import Structures

if TYPE_CHECKING:
    from LiverSegLib.steatosis.assessment import Assessment, CutOffs
    from LiverSegLib.steatosis.placement import PlacementSettings

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """What a run yields.

    ``image`` is the scan, ``labels`` its mask (uint8, values of ``LiverSegLib.labels``) on the very same
    grid. ``probability`` is uint8 (z, y, x): 255 times the network's probability of each voxel's label, 0
    outside the organs' box. ``provenance`` and ``measurements.to_dict()`` can be written as JSON.
    ``warnings`` are sentences for the user, ``facts`` what is known of the scan beyond its voxels.
    ``review`` says whether the labels are as they were computed, edited, or accepted by a reader; None where
    nobody has said. ``structures`` is what a model of another program finds beyond the labels, or of which
    the liver consists, and ``structure_volumes`` how large each is; None and empty if there is nothing.
    ``source`` are the DICOM files that the scan was read from; None if it did not come from DICOM.
    """

    name: str
    image: sitk.Image
    labels: sitk.Image
    probability: np.ndarray
    measurements: Measurements
    provenance: Dict[str, Any]
    warnings: Tuple[str, ...]
    facts: ClinicalFacts = NOTHING_KNOWN
    review: Optional[Review] = None
    structures: Optional[Structures] = None
    structure_volumes: Tuple[StructureVolume, ...] = ()
    source: Optional[DicomFiles] = None


def assess_steatosis(
    result: Result,
    *,
    settings: "Optional[PlacementSettings]" = None,
    cut_offs: "Optional[CutOffs]" = None,
    grade_anyway: bool = False,
    kvp: Optional[float] = None,
    phase: Optional[str] = None,
) -> "Assessment":
    """Judge liver fat in a segmented scan by the attenuation of ROIs in liver and spleen.

    Contrast phase, contrast agent and tube voltage are those of the result's facts.

    Args:
        result: what ``segment`` returned.
        settings: how many ROIs, how large, how far from borders.
        cut_offs: between the grades of the liver/spleen ratio.
        grade_anyway: grade in spite of reasons not to; the assessment says so.
        kvp: tube voltage in kV, in place of what the DICOM header says.
        phase: "unenhanced", "arterial", "portal" or "late", as the reader chooses in place of the estimate;
            the assessment says so.

    Raises:
        UsageError: there is no such phase.
        NotCTError: the scan is an MR, or voxels of an organ have no finite value.
    """
    from LiverSegLib.steatosis.assess import assess_scan

    if result.facts.modality != CT:
        raise NotCTError(Sentence("fat.not-ct", modality=result.facts.modality))
    facts, estimate = result.facts, result.facts.phase
    return assess_scan(
        result.image,
        result.labels,
        phase=None if estimate is None else estimate.phase,
        phase_reason="" if estimate is None else estimate.reason,
        chosen_phase=phase,
        kvp=facts.kvp if kvp is None else kvp,
        contrast=facts.contrast_agent,
        settings=settings,
        cut_offs=cut_offs,
        grade_anyway=grade_anyway,
    )


def with_assessment(
    result: Result, assess: "Callable[[Result], Assessment]" = assess_steatosis
) -> "Tuple[Result, Optional[Assessment]]":
    """Return a result and its fatty-liver assessment, None of an MR; if that fails, the result with a warning
    and None: masks and volumes do not need it.

    Args:
        result: what ``segment`` returned.
        assess: judges liver fat.
    """
    if result.measurements.note is not None:
        return result, None
    try:
        return result, assess(result)
    except Exception as error:  # noqa: BLE001 (whatever it is, it must not cost the segmentation)
        warning = Sentence("fat.not-assessed", reason=reason_of(error))
        _log.warning(warning, exc_info=error)
        return replace(result, warnings=(*result.warnings, warning)), None
