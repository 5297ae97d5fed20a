"""Fatty liver in the scene: place ROIs, add one, assess what lies there now; for scripts all in one call.

Nearly everything here takes the ``RoiMeter`` of the scan and its segments (``meters``); the numbers and
sentences are the core's (``LiverSegLib.steatosis.assess``).
"""

from dataclasses import replace
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import InputError, LiverSegError, NotCTError, UsageError
from LiverSegLib.images.modality import CT
from LiverSegLib.images.phase_words import contrast_in_header
from LiverSegLib.measure.facts import ClinicalFacts
from LiverSegLib.sentences import Sentence
from LiverSegLib.steatosis.roi import COUNT_RANGE, ORGANS, PlacementSettings, Roi

from ..scene import parts
from ..scene.dicom_header import contrastAgentOf, descriptionOf, tubeVoltageOf
from ..scene.volumes import modalityOf, volumeGrid
from ..work.run import doAtOnce
from .meters import Meters
from .plots import writeNumbers
from .reading import SteatosisReading, keepReading, loginName, readingOf
from .roi_exchange import RoiChange, exchange
from .rois import SAME_MM, Box, isAccepted, lockRois, makeRoi, nameOf, organOf, readRoi, roiNodes

Row = Dict[str, Any]
"""An ROI as the table shows it: "name", "organ", "accepted", "automatic", "mean_hu", "sd_hu", "flags"
(sentences), "measured" (False if it could not be)."""
CutOffsLike = Union[Mapping[str, float], Tuple[float, float, float], Any]


def newReading(
    volumeNode: "slicer.vtkMRMLScalarVolumeNode",
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    meter: Any,
) -> SteatosisReading:
    """Return a reading with what is known of the scan and no ROIs yet; to estimate the contrast phase,
    where it is not known, takes a second or two.
    """
    summary = parts.summaryOf(segmentationNode) or {}
    facts = ClinicalFacts.from_dict(summary.get("facts"))
    phase = summary.get("measurements", {}).get("phase")
    reason = facts.phase.reason if facts.phase is not None else ""
    kvp, agent = tubeVoltageOf(volumeNode), contrastAgentOf(volumeNode)
    if phase is None:  # LiverSeg has not segmented this scan
        from LiverSegLib.measure.phase import estimate_phase

        grid = volumeGrid(volumeNode)
        contrast = contrast_in_header(agent, descriptionOf(volumeNode))
        estimate = estimate_phase(grid.image(meter.voxels), grid.image(meter.labels), contrast=contrast)
        phase, reason = estimate.phase, estimate.reason
    return SteatosisReading(
        kvp=facts.kvp if kvp is None else kvp,
        contrastAgent=facts.contrast_agent if agent is None else agent,
        phase=phase,
        phaseReason=reason,
    )


def placeRois(
    volumeNode: "slicer.vtkMRMLScalarVolumeNode",
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    meter: Any,
    reading: SteatosisReading,
    settings: PlacementSettings,
    *,
    keepEdited: bool = True,
) -> Iterator[None]:
    """Place ROIs in the place of the automatic ones, in pieces; the reading is kept in the scene.

    Args:
        reading: the present reading of the result.
        settings: how.
        keepEdited: boxes that somebody made, moved or resized stay; else all are replaced.

    Returns:
        The ``RoiChange``, with which it can be taken back.
    """
    from LiverSegLib.steatosis.placement import place

    kept = _editedRois(volumeNode, segmentationNode) if keepEdited else {}
    most = max((_count(kept, organ) for organ in ORGANS), default=0)
    # Some of the new ROIs will overlap those that stay: place so many more.
    placement = place(meter, replace(settings, count=min(COUNT_RANGE[1], settings.count + most)))
    yield
    replaced = [node for node in roiNodes(segmentationNode) if node.GetID() not in kept]
    rois: List[Roi] = [roi for roi in kept.values() if roi is not None]
    names = {nameOf(node) for node in roiNodes(segmentationNode) if node.GetID() in kept}
    adding: List[Box] = []
    for organ, letter in ORGANS.items():
        wanted = max(0, settings.count - _count(kept, organ))
        free = [roi for roi in placement.of(organ) if not any(roi.overlaps(other) for other in rois)]
        for roi in free[:wanted]:
            name = _freeName(letter, names)
            names.add(name)
            adding.append(makeRoi(segmentationNode, volumeNode, replace(roi, name=name)))
    change = yield from exchange(segmentationNode, replaced, adding)
    placed, warnings = len(adding), tuple(placement.warnings)
    keepReading(
        segmentationNode, replace(reading, settings=settings.to_dict(), warnings=warnings, placed=placed)
    )
    return change


def addRoiAt(
    volumeNode: "slicer.vtkMRMLScalarVolumeNode",
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    organ: str,
    centre: Tuple[float, float, float],
    sideMm: float,
) -> "slicer.vtkMRMLMarkupsROINode":
    """Add an ROI of the user's, wherever that is.

    Args:
        organ: key of the organ that it measures.
        centre: LPS mm in the volume's own space.
        sideMm: of the cube; along thicker slices it is one slice.
    """
    names = {nameOf(node) for node in roiNodes(segmentationNode)}
    side = max(sideMm, 0.0)
    grid = volumeGrid(volumeNode)
    size = (side, side, side)
    if grid.slice_spacing > side:
        from LiverSegLib.steatosis.candidates import cube_size

        size = cube_size(grid, side)
    roi = Roi(_freeName(ORGANS[organ], names), organ, centre, size, automatic=False)
    change: RoiChange = doAtOnce(exchange(segmentationNode, [], [makeRoi(segmentationNode, volumeNode, roi)]))
    return change.added[0]


def acceptReading(segmentationNode: "slicer.vtkMRMLSegmentationNode", by: str) -> SteatosisReading:
    """Keep the reading of a result as accepted by somebody now, and lock its boxes."""
    reading = keepReading(segmentationNode, readingOf(segmentationNode).withAcceptance(by))
    lockRois(roiNodes(segmentationNode), True)
    return reading


def openAgain(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> SteatosisReading:
    """Open an accepted reading for editing, and unlock its boxes."""
    reading = keepReading(segmentationNode, readingOf(segmentationNode).opened())
    lockRois(roiNodes(segmentationNode), False)
    return reading


def assess(
    volumeNode: "slicer.vtkMRMLScalarVolumeNode",
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    meter: Any,
) -> Tuple[Any, SteatosisReading]:
    """Measure the boxes as they lie now and judge; tables, plots and the reading in the scene follow.

    Returns:
        The ``Assessment`` and the reading, reopened if it no longer is what was accepted.

    Raises:
        UsageError: the cut-offs are out of order.
    """
    from LiverSegLib.steatosis.assess import Conditions, CutOffs, thick_slices
    from LiverSegLib.steatosis.assess import assess as judge

    reading = readingOf(segmentationNode) or newReading(volumeNode, segmentationNode, meter)
    rows, readings, refused = _measure(volumeNode, segmentationNode, meter)
    settings = PlacementSettings(**reading.settings)
    statistics = {key: found for key in ORGANS for found in [meter.statistics(key)] if found is not None}
    assessment = judge(
        *([pair for pair in readings if pair[0].organ == organ] for organ in ORGANS),
        conditions=Conditions.of(
            statistics,
            phase=reading.phase,
            phase_reason=reading.phaseReason,
            chosen_phase=reading.chosenPhase,
            contrast_agent=reading.contrastAgent,
            kvp=reading.kvp,
        ),
        cut_offs=CutOffs.from_dict(reading.cutOffs),
        whole_organ=statistics,
        grade_anyway=reading.gradeAnyway,
        settings=settings,
        warnings=(*reading.warnings, *thick_slices(meter.grid.slice_spacing, settings.side_mm), *refused),
        seed=settings.seed,
    )
    reading = keepReading(segmentationNode, reading.withAssessment(assessment.to_dict(), tuple(rows)))
    writeNumbers(segmentationNode, assessment, rows)
    lockRois(roiNodes(segmentationNode), reading.accepted is not None)
    return assessment, reading


def assessSteatosis(
    meters: Meters,
    volumeNode: Any,
    segmentationNode: Any,
    *,
    count: Optional[int] = None,
    sideMm: Optional[float] = None,
    marginMm: Optional[float] = None,
    lesionMarginMm: Optional[float] = None,
    seed: Optional[int] = None,
    cutOffs: Optional[CutOffsLike] = None,
    kvp: Optional[float] = None,
    gradeAnyway: Optional[bool] = None,
) -> Any:
    """Assess fatty liver; see ``Logic.assessSteatosis``."""
    if volumeNode is None or segmentationNode is None:
        raise InputError(_("A scan and its segmentation are needed to judge liver fat."))
    _refuseMr(volumeNode, segmentationNode)
    wanted = _given(
        count=count, side_mm=sideMm, margin_mm=marginMm, lesion_margin_mm=lesionMarginMm, seed=seed
    )
    earlier = readingOf(segmentationNode)
    settings = PlacementSettings(**{**(earlier.settings if earlier else {}), **wanted})
    borders = None if cutOffs is None else _cutOffs(cutOffs)
    meter = doAtOnce(meters.make(volumeNode, segmentationNode))
    if parts.volumeOf(segmentationNode) is None:
        segmentationNode.SetNodeReferenceID(parts.VOLUME, volumeNode.GetID())
    reading = earlier or newReading(volumeNode, segmentationNode, meter)
    reading = replace(reading, **_given(cutOffs=borders, kvp=kvp, gradeAnyway=gradeAnyway))
    if wanted or not roiNodes(segmentationNode):
        doAtOnce(placeRois(volumeNode, segmentationNode, meter, reading, settings))
    else:
        keepReading(segmentationNode, reading)
    return assess(volumeNode, segmentationNode, meter)[0]


def acceptSteatosis(segmentationNode: Any, by: str = "") -> Dict[str, Any]:
    """Accept the reading of a result; see ``Logic.acceptSteatosis``."""
    reading = readingOf(segmentationNode)
    if reading is None or reading.assessment is None:
        raise UsageError(_("There is no reading of fatty liver to accept: assess it first."))
    name = by.strip() or loginName()
    if not name:
        raise UsageError(_("Say who accepts the reading."))
    return dict(acceptReading(segmentationNode, name).accepted or {})


def acceptedReading(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", volumeNode: "slicer.vtkMRMLScalarVolumeNode"
) -> Optional[Dict[str, Any]]:
    """Return the accepted assessment of a result for its report, with who accepted it; None if there is none,
    or a box was changed since.
    """
    reading = readingOf(segmentationNode)
    if reading is None or reading.accepted is None or reading.assessment is None:
        return None
    nodes = roiNodes(segmentationNode)
    # by place, as they were measured: names may be given twice
    if len(nodes) != len(reading.rows) or any(
        nameOf(node) != row["name"] or not _isAsMeasured(node, row, volumeNode)
        for node, row in zip(nodes, reading.rows)
    ):
        return None
    return {**reading.assessment, "accepted": dict(reading.accepted)}


def _refuseMr(volumeNode: Any, segmentationNode: Any) -> None:
    """Raise NotCTError for an MR, which has no attenuation."""
    modality = parts.modalityOfResult(segmentationNode) or modalityOf(volumeNode)
    if modality != CT:
        raise NotCTError(Sentence("fat.not-ct", modality=modality))


def _given(**values: Any) -> Dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _cutOffs(given: CutOffsLike) -> Dict[str, float]:
    """Return cut-offs by the core's names, from a ``CutOffs``, a dict or (normal, moderate, severe)."""
    from LiverSegLib.steatosis.assess import CutOffs

    if isinstance(given, CutOffs):
        return given.to_dict()
    return (CutOffs(**given) if isinstance(given, Mapping) else CutOffs(*given)).to_dict()


def _isAsMeasured(
    roiNode: "slicer.vtkMRMLMarkupsROINode", row: Row, volumeNode: "slicer.vtkMRMLScalarVolumeNode"
) -> bool:
    if isAccepted(roiNode) != row["accepted"] or organOf(roiNode) != row["organ"]:
        return False
    try:
        roi = readRoi(roiNode, volumeNode)
    except LiverSegError:  # turned: then it was so when it was measured, or it has been changed
        return not row["measured"]
    place = (*row.get("centre_lps_mm", ()), *row.get("size_mm", ()))
    return len(place) == 6 and np.allclose((*roi.centre, *roi.size), place, rtol=0, atol=SAME_MM)


def _measure(
    volumeNode: "slicer.vtkMRMLScalarVolumeNode",
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
    meter: Any,
) -> Tuple[List[Row], List[Tuple[Roi, Any]], List[str]]:
    """Return a row for every box, those that count with their values, and sentences on those that cannot."""
    rows: List[Row] = []
    readings: List[Tuple[Roi, Any]] = []
    refused: List[str] = []
    for roiNode in roiNodes(segmentationNode):
        accepted = isAccepted(roiNode)
        row: Row = {"name": nameOf(roiNode), "organ": organOf(roiNode)}
        row.update(accepted=accepted, automatic=False, mean_hu=None, sd_hu=None, flags=[], measured=False)
        rows.append(row)
        try:
            roi = readRoi(roiNode, volumeNode)
        except LiverSegError as error:
            row["flags"] = [error.sentence]
            refused += [error.sentence] if accepted else []
            continue
        values = meter.measure(roi)
        row.update(automatic=roi.automatic, mean_hu=values.mean_hu, sd_hu=values.sd_hu)
        row.update(flags=list(values.flags), measured=values.mean_hu is not None)
        row["centre_lps_mm"], row["size_mm"] = list(roi.centre), list(roi.size)
        if accepted:
            readings.append((roi, values))
    return rows, readings, refused


def _editedRois(
    volumeNode: "slicer.vtkMRMLScalarVolumeNode", segmentationNode: "slicer.vtkMRMLSegmentationNode"
) -> Dict[str, Optional[Roi]]:
    """Return the boxes that are no longer as they were placed, by node ID; None for one that is turned."""
    found: Dict[str, Optional[Roi]] = {}
    for roiNode in roiNodes(segmentationNode):
        try:
            roi = readRoi(roiNode, volumeNode)
        except LiverSegError:
            found[roiNode.GetID()] = None
            continue
        if not roi.automatic:
            found[roiNode.GetID()] = roi
    return found


def _count(rois: Dict[str, Optional[Roi]], organ: str) -> int:
    return sum(roi is not None and roi.organ == organ for roi in rois.values())


def _freeName(letter: str, taken: Sequence[str]) -> str:
    number = 1
    while f"{letter}{number}" in taken:
        number += 1
    return f"{letter}{number}"
