"""What the DICOM header of a loaded scan says about how it was made, from Slicer's DICOM database."""

from typing import Optional

import slicer

_KVP = "0018,0060"
_CONTRAST_AGENT = "0018,0010"
_SERIES_DESCRIPTION = "0008,103E"
_DATES = ("0008,0022", "0008,0021", "0008,0020")
"""Of acquisition, series and study."""
_SLICE_THICKNESS = "0018,0050"


def tubeVoltageOf(volumeNode: "slicer.vtkMRMLVolumeNode") -> Optional[float]:
    """Return the tube voltage in kV; None if it is not known."""
    try:
        kvp = float(_value(volumeNode, _KVP))
    except ValueError:  # empty, or not a number
        return None
    return kvp if kvp > 0 else None


def contrastAgentOf(volumeNode: "slicer.vtkMRMLVolumeNode") -> Optional[str]:
    """Return the contrast agent that the header names; None if it names none or is not known."""
    return _value(volumeNode, _CONTRAST_AGENT).strip() or None


def seriesOf(volumeNode: "slicer.vtkMRMLVolumeNode") -> str:
    """Return the description of the series; the node's name if it is not known."""
    return _value(volumeNode, _SERIES_DESCRIPTION).strip() or volumeNode.GetName() or ""


def dateOf(volumeNode: "slicer.vtkMRMLVolumeNode") -> str:
    """Return the date of the scan as YYYY-MM-DD; empty if it is not known."""
    found = (_value(volumeNode, tag).strip() for tag in _DATES)
    digits = next(
        (text for text in (*found, _studyDate(volumeNode)) if len(text) == 8 and text.isdigit()), ""
    )
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if digits else ""


def sliceThicknessOf(volumeNode: "slicer.vtkMRMLVolumeNode") -> float:
    """Return the slice thickness in mm: the header's, else the distance between slices."""
    try:
        thickness = float(_value(volumeNode, _SLICE_THICKNESS))
    except ValueError:  # empty, or not a number
        thickness = 0.0
    return thickness if thickness > 0 else float(volumeNode.GetSpacing()[2])


def _studyDate(volumeNode: "slicer.vtkMRMLVolumeNode") -> str:
    """Return the date that the subject hierarchy keeps of the scan's study, also without the database."""
    hierarchyNode = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    if hierarchyNode is None:
        return ""
    constants = slicer.vtkMRMLSubjectHierarchyConstants
    study = constants.GetDICOMLevelStudy()
    item = hierarchyNode.GetItemAncestorAtLevel(hierarchyNode.GetItemByDataNode(volumeNode), study)
    return hierarchyNode.GetItemAttribute(item, constants.GetDICOMStudyDateAttributeName()) if item else ""


def _value(volumeNode: "slicer.vtkMRMLVolumeNode", tag: str) -> str:
    """Return a value from the header of the scan's first slice; empty if there is no such header."""
    database = getattr(slicer, "dicomDatabase", None)  # a Slicer can be built without DICOM
    instances = (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split()
    if database is None or not instances or not database.isOpen:
        return ""
    return database.instanceValue(instances[0], tag) or ""
