"""What Slicer's DICOM database knows of a volume: tube voltage, contrast agent, series."""

import os
from typing import Any, Dict, List, Optional

import slicer

_KVP = "0018,0060"
_CONTRAST_AGENT = "0018,0010"
_SERIES_DESCRIPTION = "0008,103E"
_SOP_CLASS = "0008,0016"
_ENHANCED = ("1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
"""Enhanced CT and Legacy Converted Enhanced CT."""


def headerValue(volumeNode: "slicer.vtkMRMLVolumeNode", tag: str) -> str:
    """Return a value from the header of the scan's first slice; empty if there is no such header.

    Args:
        tag: as Slicer's database has it, such as "0018,0060".
    """
    instances = _instances(volumeNode)
    return _instanceValue(instances[0], tag) if instances else ""


def tubeVoltageOf(volumeNode: "slicer.vtkMRMLVolumeNode") -> Optional[float]:
    """Return the tube voltage in kV; None if it is not known, or changes within the series."""
    header = _enhancedHeader(volumeNode)
    if header is not None:
        return header.kvp
    instances = _instances(volumeNode)
    looked = sorted({0, len(instances) // 2, len(instances) - 1}) if instances else []
    found = {positive(_instanceValue(instances[place], _KVP)) for place in looked}
    return found.pop() if len(found) == 1 else None


def contrastAgentOf(volumeNode: "slicer.vtkMRMLVolumeNode") -> Optional[str]:
    """Return the contrast agent that the header names; None if it names none or is not known."""
    header = _enhancedHeader(volumeNode)
    agent = header.contrast if header is not None else headerValue(volumeNode, _CONTRAST_AGENT).strip()
    return agent or None


def descriptionOf(volumeNode: "slicer.vtkMRMLVolumeNode") -> Optional[str]:
    """Return the description of the scan's DICOM series; None if it has none or is not known."""
    return headerValue(volumeNode, _SERIES_DESCRIPTION).strip() or None


def headerFacts(volumeNode: "slicer.vtkMRMLVolumeNode") -> Dict[str, Any]:
    """Return what the DICOM header says of tube voltage, contrast agent and series, as fields of a request
    to segment."""
    return {
        "kvp": tubeVoltageOf(volumeNode),
        "contrast_agent": contrastAgentOf(volumeNode),
        "description": descriptionOf(volumeNode),
    }


def positive(text: str) -> Optional[float]:
    """Return a number above 0 of a header; None for anything else."""
    try:
        value = float(text)
    except ValueError:  # empty, or not a number
        return None
    return value if value > 0 else None


def _instances(volumeNode: "slicer.vtkMRMLVolumeNode") -> List[str]:
    """Return the UIDs of the scan's DICOM images; empty if it has none."""
    return (volumeNode.GetAttribute("DICOM.instanceUIDs") or "").split()


def _instanceValue(instance: str, tag: str) -> str:
    database = _database()
    return "" if database is None else database.instanceValue(instance, tag) or ""


def _database() -> Any:
    """Slicer's DICOM database; None without one, as a Slicer can be built without DICOM."""
    database = getattr(slicer, "dicomDatabase", None)
    return database if database is not None and database.isOpen else None


def _enhancedHeader(volumeNode: "slicer.vtkMRMLVolumeNode") -> Any:
    """Return the header of the first frame of an enhanced image, which keeps in sequences what the database
    does not look into; None of other images, or if its file is gone.
    """
    instances = _instances(volumeNode)
    if not instances or _instanceValue(instances[0], _SOP_CLASS) not in _ENHANCED:
        return None
    from LiverSegLib.images.dicom import read_headers  # loads pydicom, for which the window would wait

    path = _database().fileForInstance(instances[0])
    slices = read_headers([path]).slices if path and os.path.isfile(path) else ()
    return slices[0] if slices else None
