"""From a scan and a segmentation that somebody made to a result: measured like one that LiverSeg drew."""

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple, Union

import numpy as np

from LiverSegLib.errors import InputChangedError
from LiverSegLib.images import Scan, read_scan, unchanged
from LiverSegLib.images.modality import CT
from LiverSegLib.labels import LABELS
from LiverSegLib.measure import measure
from LiverSegLib.measure.facts import ClinicalFacts, header_facts
from LiverSegLib.provenance import input_of, made_now
from LiverSegLib.result import Result
from LiverSegLib.review import GIVEN, Review
from LiverSegLib.segmentations import GivenMask, read_mask
from LiverSegLib.sentences import Sentence

if TYPE_CHECKING:
    from LiverSegLib.images.read import Source

Path = Union[str, "os.PathLike[str]"]


def measure_segmentation(
    source: "Source",
    segmentation: Path,
    *,
    segments: Optional[Mapping[str, str]] = None,
    series: Optional[str] = None,
    modality: Optional[str] = None,
) -> Result:
    """Measure a segmentation that is there already; no network runs.

    Args:
        source: the scan: a file, a DICOM folder, or a SimpleITK image.
        segmentation: a NIfTI, NRRD or MetaImage file with LiverSeg's values (1 liver, 2 spleen, 3 liver
            tumor), a .seg.nrrd of 3D Slicer, a DICOM Segmentation or RT Structure Set.
        segments: segment name, number or value -> "liver", "spleen", "tumor" or "none", where the file does
            not say it.
        series: which series of a DICOM folder.
        modality: "CT" or "MR", of files that do not say it themselves.

    Returns:
        The result, with the mask on the scan's grid and no probability.

    Raises:
        InputError: scan or segmentation cannot be used, or do not belong together.
        UsageError: ``segments`` names what is not there.
        InputChangedError: the scan changed meanwhile.
    """
    scan = read_scan(source, series, modality=modality)
    given = read_mask(segmentation, scan, segments=segments)
    result = measured(scan, given, {"path": os.path.abspath(os.fspath(segmentation))})
    if not unchanged(scan):
        raise InputChangedError(Sentence("run.changed", name=scan.name))
    return result


def measured(scan: Scan, given: GivenMask, source: Mapping[str, str]) -> Result:
    """Measure a mask that somebody made, on the grid of its scan.

    Args:
        source: where the mask comes from, for the provenance: its "path" or "name", and "made" if it is
            known how, see ``review.Given``.

    Returns:
        The result, which says that LiverSeg did not draw the mask.
    """
    facts = _facts(scan, given)
    measurements = measure(given.labels, scan.image, **facts.for_measuring())
    warnings = tuple(dict.fromkeys((*scan.warnings, *given.warnings, *measurements.warnings)))
    return Result(
        name=scan.name,
        image=scan.image,
        labels=given.labels,
        probability=np.broadcast_to(np.uint8(0), scan.image.GetSize()[::-1]),
        measurements=measurements,
        provenance=_provenance(scan, source, given, facts, warnings),
        warnings=warnings,
        facts=facts,
        review=Review(GIVEN),
    )


def _facts(scan: Scan, given: GivenMask) -> ClinicalFacts:
    facts = replace(header_facts(scan.series), modality=scan.kind)
    there = {key for _, key in given.used}
    absent = tuple(info.key for info in LABELS.values() if info.key not in there)
    facts = replace(facts, not_segmented=absent if given.is_named else ())
    if scan.kind != CT:
        return facts
    from LiverSegLib.measure.phase import estimate_phase

    return replace(facts, phase=estimate_phase(scan.image, given.labels, contrast=facts.says_contrast))


def _provenance(
    scan: Scan, source: Mapping[str, str], given: GivenMask, facts: ClinicalFacts, warnings: Tuple[str, ...]
) -> Dict[str, Any]:
    return {
        **made_now(),
        "input": input_of(scan, facts),
        "labels": {
            **source,
            "kind": given.kind,
            "segments": dict(given.used),
            "left_out": list(given.left_out),
        },
        "phase": facts.to_dict()["phase"],
        "warnings": list(warnings),
    }
