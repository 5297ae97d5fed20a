"""What a model of another program finds beyond liver, spleen and tumors, as further segments of a result.

They share a label map of their own. Corrections and measuring leave them alone; their volumes are those of
the run and stand in the summary.
"""

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from LiverSegLib.images.grid import bounding_box
from LiverSegLib.labels import Code
from LiverSegLib.structures import Structure
from LiverSegLib.worker.messages import STRUCTURE

from .segments import LABELMAP, REGION_CONTEXT, SEGMENT_CONTEXT, SURFACE, closedSurface, imageOf

PREFIX = STRUCTURE
"""Begins the ID of such a segment, so that it is known in every scene, edited or saved."""

MOST_IN_3D = 10
"""So many are shown in 3D at first; more would hide each other, and the liver."""

OPACITY_3D = 0.6
OPACITY_FILL = 0.08

_ANATOMY = Code("SCT", "123037004", "Anatomical Structure")
_SIDES = {"left": Code("SCT", "7771000", "Left"), "right": Code("SCT", "24028007", "Right")}

_CODES = {
    "portal_vein_and_splenic_vein": ("32764006", "Portal vein"),
    "portal_vein": ("32764006", "Portal vein"),
    "splenic_vein": ("35819009", "Splenic vein"),
    "hepatic_vein": ("8993003", "Hepatic vein"),
    "inferior_vena_cava": ("64131007", "Inferior vena cava"),
    "aorta": ("15825003", "Aorta"),
    "gallbladder": ("28231008", "Gallbladder"),
    "pancreas": ("15776009", "Pancreas"),
    "stomach": ("69695003", "Stomach"),
    "duodenum": ("38848004", "Duodenum"),
    "small_bowel": ("30315005", "Small Intestine"),
    "colon": ("71854001", "Colon"),
    "esophagus": ("32849002", "Esophagus"),
    "urinary_bladder": ("89837001", "Urinary Bladder"),
    "heart": ("80891009", "Heart"),
    "kidney": ("64033007", "Kidney"),
    "adrenal_gland": ("23451007", "Adrenal gland"),
    "lung": ("39607008", "Lung"),
}
"""Name of a structure without its side -> SNOMED CT code and meaning."""


def segmentID(key: str) -> str:
    """Return the ID of the segment of a structure."""
    return PREFIX + key


def isStructure(segmentID: str) -> bool:
    """Whether a segment is such a structure."""
    return segmentID.startswith(PREFIX)


def structureRows(summary: Optional[Mapping[str, Any]]) -> Tuple[Dict[str, Any], ...]:
    """Return the structures that a summary names, with "name", "volume_ml", "liver_percent", "truncated"."""
    rows = (summary or {}).get("structures")
    return tuple(row for row in rows if isinstance(row, dict)) if isinstance(rows, (list, tuple)) else ()


def tableOf(summary: Mapping[str, Any]) -> Tuple[Structure, ...]:
    """Return the table of the values in a mask of structures."""
    return tuple(Structure.from_dict(row) for row in structureRows(summary))


def addStructures(
    segmentation: "slicer.vtkSegmentation",
    labels: np.ndarray,
    table: Sequence[Structure],
    volumeNode: "slicer.vtkMRMLVolumeNode",
    surfaces: Mapping[str, Tuple[np.ndarray, np.ndarray]],
    withSurfaces: bool,
) -> None:
    """Add the structures that have voxels to a segmentation that holds the segments of the run.

    Args:
        labels: uint8 or uint16 (z, y, x) of the volume, values of ``table``.
        surfaces: segment ID -> points float32 (n, 3) LPS mm and triangles int32 (m, 3).
        withSurfaces: the other segments have surfaces: then each of these gets one, be it empty, as Slicer
            would else make one for each, which takes seconds.
    """
    box = bounding_box(labels)
    if box is None:
        return
    inner = labels[box]
    found = set(np.unique(inner).tolist())
    image = imageOf(inner, [part.start for part in box[::-1]], volumeNode)
    for structure in table:
        if structure.value not in found:
            continue
        key = segmentID(structure.key)
        segment = slicer.vtkSegment()
        segment.SetName(structure.name)
        segment.SetColor(*(value / 255 for value in structure.colour))
        segment.SetLabelValue(structure.value)
        entry = terminologyOf(structure.key)
        if entry:
            segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), entry)
        segment.AddRepresentation(LABELMAP, image)
        if withSurfaces:
            surface = closedSurface(*surfaces[key]) if key in surfaces else vtk.vtkPolyData()
            segment.AddRepresentation(SURFACE, surface)
        segmentation.AddSegment(segment, key)


def styleStructures(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> None:
    """Give the structures their opacities, and show the first of them alone in 3D where they are many."""
    displayNode = segmentationNode.GetDisplayNode()
    for number, key in enumerate(structureIDs(segmentationNode)):
        displayNode.SetSegmentOpacity3D(key, OPACITY_3D)
        displayNode.SetSegmentOpacity2DFill(key, OPACITY_FILL)
        displayNode.SetSegmentOpacity2DOutline(key, 1.0)
        displayNode.SetSegmentVisibility3D(key, number < MOST_IN_3D)


def structureIDs(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> List[str]:
    """Return the IDs of the structures of a segmentation."""
    return [key for key in segmentationNode.GetSegmentation().GetSegmentIDs() if isStructure(key)]


def structureValues(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", summary: Mapping[str, Any]
) -> Dict[str, int]:
    """Return segment ID -> value of each structure that is there and in the summary's table."""
    there = set(structureIDs(segmentationNode))
    values = {segmentID(structure.key): structure.value for structure in tableOf(summary)}
    return {key: value for key, value in values.items() if key in there}


def terminologyOf(key: str) -> str:
    """Return the terminology of a structure in the text form that Slicer stores; empty if none is known."""
    words = key.lower().split("_")
    side = next((word for word in (words[0], words[-1]) if word in _SIDES), None)
    name = "_".join(word for word in words if word != side)
    if name not in _CODES:
        return ""
    value, meaning = _CODES[name]
    modifier = "^^" if side is None else _text(_SIDES[side])
    kind = (SEGMENT_CONTEXT, _text(_ANATOMY), _text(Code("SCT", value, meaning)), modifier)
    return "~".join((*kind, REGION_CONTEXT, "^^", "^^"))


def volumeRows(summary: Mapping[str, Any]) -> Tuple[Dict[str, Any], ...]:
    """Return a row of the table of volumes for each structure that was found."""
    rows = []
    for row in structureRows(summary):
        if row.get("voxels"):
            warnings = [_("It reaches the border of the scan.")] if row.get("truncated") else []
            share = row.get("liver_percent")
            rows.append(
                {"name": row["name"], "volume_ml": row["volume_ml"], "share": share, "warnings": warnings}
            )
    return tuple(rows)


def _text(code: Code) -> str:
    return f"{code.scheme}^{code.value}^{code.meaning}"
