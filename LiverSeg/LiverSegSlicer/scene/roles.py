"""Which part a segment plays in a correction: liver, spleen, tumor, or a neighbor that does not give way."""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional

import slicer
import vtk
from slicer.i18n import tr as _

from LiverSegLib.errors import UsageError
from LiverSegLib.labels import LABELS, LIVER, SPLEEN, TUMOUR

from .structures import isStructure

TARGETS = {LIVER: "liver", SPLEEN: "spleen", TUMOUR: "tumor"}
"""Label -> the core's name of the target."""

_WORDS = {
    TUMOUR: ("tumor", "tumour", "lesion", "metasta", "neoplasm", "mass", "hcc", "cyst"),
    SPLEEN: ("spleen", "splenic"),
    LIVER: ("liver", "hepat"),
}
"""What the name of a segment that is not ours tells; the first hit counts ("liver tumor" is a tumor)."""

_TYPE_FIELD = 2
"""Where the type stands in Slicer's text of a terminology; the parts are divided by ~."""


@dataclass(frozen=True)
class Roles:
    """The segments of one segmentation as the core's labels.

    Attributes:
        segmentID: the segment that is corrected.
        target: "liver", "spleen" or "tumor": how the core corrects it. A segment of another organ is
            corrected as a spleen, which has no part and no home.
        value: label of the segment.
        values: label of each segment by its ID; where segments overlap, the one named last counts.
    """

    segmentID: str
    target: str
    value: int
    values: Dict[str, int]


def rolesFor(segmentationNode: "slicer.vtkMRMLSegmentationNode", segmentID: str) -> Roles:
    """Return the roles when a segment of any segmentation is corrected.

    Liver, spleen and liver tumor are known by our IDs, else by terminology and name. Every other segment
    is a neighbor: it never gives way. What a model of another program finds besides takes no part: it may
    lie in the liver.
    """
    segmentation = segmentationNode.GetSegmentation()
    names = [name for name in segmentation.GetSegmentIDs() if name == segmentID or not isStructure(name)]
    known = {name: _labelOf(segmentation, name) for name in names}
    value = known.get(segmentID) or SPLEEN
    if value == TUMOUR and LIVER not in known.values():
        value = SPLEEN  # nothing says where the liver is
    neighbor = LIVER if value == SPLEEN else SPLEEN
    values: Dict[str, int] = {}
    for name in sorted(known, key=lambda name: (name == segmentID, known[name] or 0)):
        label = known[name]
        isAnotherOfItsKind = name != segmentID and label == value
        values[name] = neighbor if label is None or isAnotherOfItsKind else label
    values[segmentID] = value
    return Roles(segmentID, TARGETS[value], value, values)


def tumorSegmentID(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> Optional[str]:
    """Return the ID of the first segment that holds tumor; None if there is none."""
    segmentation = segmentationNode.GetSegmentation()
    found: List[str] = [
        name for name in segmentation.GetSegmentIDs() if _labelOf(segmentation, name) == TUMOUR
    ]
    return found[0] if found else None


def segmentNamed(segmentationNode: "slicer.vtkMRMLSegmentationNode", target: str) -> str:
    """Return the ID of the segment that a script means: by its ID or name, or as "liver", "spleen", "tumor".

    Raises:
        UsageError: there is none.
    """
    segmentation = segmentationNode.GetSegmentation()
    if segmentation.GetSegment(target) is not None:
        return target
    label = next((label for label, name in TARGETS.items() if name == target), None)
    for segmentID in segmentation.GetSegmentIDs():
        isMeant = label is not None and _labelOf(segmentation, segmentID) == label
        if isMeant or segmentation.GetSegment(segmentID).GetName() == target:
            return segmentID
    text = _("The segmentation has no segment {name}. It has: {names}.")
    raise UsageError(text.format(name=target, names=", ".join(segmentation.GetSegmentIDs())))


def _labelOf(segmentation: Any, segmentID: str) -> Optional[int]:
    """Return the label that a segment stands for; None if it is something else."""
    if isStructure(segmentID):
        return None
    for info in LABELS.values():
        if info.key == segmentID:
            return info.value
    segment = segmentation.GetSegment(segmentID)
    entry = _terminologyOf(segment).split("~")
    code = entry[_TYPE_FIELD].split("^") if len(entry) > _TYPE_FIELD else []
    for info in LABELS.values():
        if len(code) > 1 and (code[0], code[1]) == (info.type.scheme, info.type.value):
            return info.value
    text = " ".join([segment.GetName(), *code[2:]]).lower()
    return next((label for label, words in _WORDS.items() if any(word in text for word in words)), None)


def _terminologyOf(segment: Any) -> str:
    text = vtk.reference("")
    found = segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), text)
    return str(text) if found else ""
