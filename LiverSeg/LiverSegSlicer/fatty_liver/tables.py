"""The numbers of a fatty-liver reading as plain nodes: a table of the ROIs, and the plots."""

from typing import Any, Mapping, Sequence

import slicer
from slicer.i18n import tr as _

from LiverSegLib.labels import LABELS

from ..scene import parts
from ..scene.parts import fileParts, scanName
from ..scene.tables import Column, fillTable
from ..sentences import sentences
from .plots import refreshPlots

_ORGAN_NAMES = {info.key: info.name for info in LABELS.values()}


def writeNumbers(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", assessment: Any, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Write the table of the ROIs, made where it is missing, and renew the plots if there are any.

    Args:
        assessment: the core's ``Assessment``.
        rows: of ``fatty_liver``, one for each ROI.
    """
    isNew = parts.part(segmentationNode, parts.ROIS_TABLE) is None
    name = _("{volume} fatty liver ROI values").format(volume=scanName(segmentationNode))
    fillRoisTable(parts.makePart(segmentationNode, parts.ROIS_TABLE, "vtkMRMLTableNode", name), rows)
    refreshPlots(segmentationNode, assessment)
    if isNew:
        fileParts(segmentationNode)


def fillRoisTable(tableNode: "slicer.vtkMRMLTableNode", rows: Sequence[Mapping[str, Any]]) -> None:
    """Write one row per ROI; centre in RAS mm, as in Slicer's views. What was not measured is NaN."""
    columns = (
        Column("roi", _("ROI"), "", None, lambda row: row["name"]),
        Column("organ", _("Organ"), "", None, lambda row: _ORGAN_NAMES[row["organ"]]),
        Column("accepted", _("Accepted"), "", 0, lambda row: row["accepted"]),
        Column("automatic", _("Automatic"), "", 0, lambda row: row["automatic"]),
        Column("mean_hu", _("Mean (HU)"), "HU", 1, lambda row: row["mean_hu"]),
        Column("sd_hu", _("SD (HU)"), "HU", 1, lambda row: row["sd_hu"]),
        Column("centre_r_mm", _("Center R (mm)"), "mm", 1, lambda row: _centre(row, 0, -1)),
        Column("centre_a_mm", _("Center A (mm)"), "mm", 1, lambda row: _centre(row, 1, -1)),
        Column("centre_s_mm", _("Center S (mm)"), "mm", 1, lambda row: _centre(row, 2, 1)),
        Column("remarks", _("Remarks"), "", None, lambda row: " ".join(sentences(row["flags"]))),
    )
    fillTable(tableNode, columns, rows)


def _centre(row: Mapping[str, Any], axis: int, sign: int) -> Any:
    return sign * row["centre_lps_mm"][axis] if "centre_lps_mm" in row else None
