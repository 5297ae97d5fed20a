"""Slicer's DICOM database: the files that a scan was loaded from, and objects that are stored beside them."""

import os
from pathlib import Path
from typing import Any, Sequence, Tuple

import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import InputError, OutputError

INSTANCES = "DICOM.instanceUIDs"
"""Attribute of a volume that Slicer loaded from DICOM: its instances, with blanks between them."""


def whyNoSource(volumeNode: "slicer.vtkMRMLVolumeNode") -> str:
    """Why there are no DICOM files of a scan, told quickly; empty if there seem to be."""
    instances = _instances(volumeNode)
    if not instances:
        return _("This scan was not loaded from DICOM, so its patient and study are not known.")
    if not isOpen():
        return _(
            "Slicer's DICOM database is not open, so the files of this scan cannot be found: open the module "
            "DICOM once."
        )
    if not _file(instances[0]):
        return _("The DICOM files of this scan are no longer in Slicer's DICOM database.")
    return ""


def sourceFiles(volumeNode: "slicer.vtkMRMLVolumeNode") -> Tuple[str, ...]:
    """Return the DICOM files of a scan, each once.

    Raises:
        InputError: there are none, or one is gone.
    """
    reason = whyNoSource(volumeNode)
    if reason:
        raise InputError(reason)
    files = [_file(instance) for instance in _instances(volumeNode)]
    if not all(files):
        raise InputError(_("Some DICOM files of this scan are no longer in Slicer's DICOM database."))
    return tuple(dict.fromkeys(files))


def isOpen() -> bool:
    """Whether there is a DICOM database that can be asked and added to."""
    database = _database()
    return database is not None and bool(database.isOpen)


def store(files: Sequence[Path]) -> None:
    """Copy DICOM files into the database, where they stand in their patient's study.

    Raises:
        OutputError: the database did not take one.
    """
    database = _database()
    if database is None or not isOpen():
        raise OutputError(_("Slicer's DICOM database is not open."))
    for path in files:
        database.insert(str(path))


def nameSeries(segmentationNode: "slicer.vtkMRMLSegmentationNode", seriesUid: str) -> None:
    """Say in the subject hierarchy which DICOM series holds a segmentation, so that Slicer knows it again."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(segmentationNode)
    if item:
        name = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMUIDName()
        hierarchy.SetItemUID(item, name, seriesUid)


def _database() -> Any:
    return getattr(slicer, "dicomDatabase", None)  # a Slicer can be built without DICOM


def _instances(volumeNode: "slicer.vtkMRMLVolumeNode") -> Sequence[str]:
    return (volumeNode.GetAttribute(INSTANCES) or "").split() if volumeNode is not None else ()


def _file(instance: str) -> str:
    """The file of an instance; empty if the database has none, or it is not there any more."""
    path = str(_database().fileForInstance(instance) or "")
    return path if path and os.path.isfile(path) else ""
