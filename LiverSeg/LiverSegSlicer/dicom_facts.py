"""What the DICOM header of a loaded scan says about how it was made, from Slicer's DICOM database."""

from typing import Optional

import slicer

_KVP = "0018,0060"
_CONTRAST_AGENT = "0018,0010"


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


def _value(volumeNode: "slicer.vtkMRMLVolumeNode", tag: str) -> str:
    """Return a value from the header of the scan's first slice; empty if there is no such header."""
    database = getattr(slicer, "dicomDatabase", None)  # a Slicer can be built without DICOM
    instances = (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split()
    if database is None or not instances or not database.isOpen:
        return ""
    return database.instanceValue(instances[0], tag) or ""
