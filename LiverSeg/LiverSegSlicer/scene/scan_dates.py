"""Of when and of whom a scan is: its date, from DICOM or as the user typed it, and which scans are of one
patient."""

import re
from datetime import date
from typing import Any, Sequence, Tuple

import slicer

from LiverSegLib.errors import UsageError
from LiverSegLib.sentences import Sentence

from .dicom_header import headerValue
from .volumes import dateOf

DATE = "LiverSeg.Date"
"""Attribute of a scan: its date as the user typed it, which goes before that of DICOM."""

_PATIENT_ID = "0010,0020"
_ISO = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)")


def scanDate(volumeNode: "slicer.vtkMRMLVolumeNode") -> str:
    """Return the date of a scan as YYYY-MM-DD: as typed, else that of DICOM; empty if it is not known."""
    return volumeNode.GetAttribute(DATE) or dateOf(volumeNode)


def typeDate(volumeNode: "slicer.vtkMRMLVolumeNode", text: str) -> None:
    """Keep with a scan the date that the user typed; an empty text brings that of DICOM back.

    Raises:
        UsageError: it is no date; nothing is changed.
    """
    typed = isoDate(text) if text.strip() else ""
    if typed in ("", dateOf(volumeNode)):
        volumeNode.RemoveAttribute(DATE)
    else:
        volumeNode.SetAttribute(DATE, typed)


def isoDate(text: str) -> str:
    """Return a date, "2026-11-30" or "20261130", as YYYY-MM-DD.

    Raises:
        UsageError: it is none.
    """
    found = _ISO.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError(text)
        return date(*(int(part) for part in found.groups())).isoformat()
    except ValueError as error:
        raise UsageError(Sentence("followup.date", date=text), str(error)) from error


def patientNumbers(volumeNodes: Sequence["slicer.vtkMRMLVolumeNode"]) -> Tuple[str, ...]:
    """Return for each scan a text that differs between patients and names none; empty if the patient is not
    known.
    """
    known = [_patientOf(node) for node in volumeNodes]
    numbers = {patient: str(number) for number, patient in enumerate(dict.fromkeys(filter(None, known)), 1)}
    return tuple(numbers.get(patient, "") for patient in known)


def _patientOf(volumeNode: "slicer.vtkMRMLVolumeNode") -> str:
    """Return the patient ID that the database, or the subject hierarchy without it, knows of a scan."""
    constants = slicer.vtkMRMLSubjectHierarchyConstants
    hierarchyNode: Any = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    found = headerValue(volumeNode, _PATIENT_ID).strip()
    if found or hierarchyNode is None:
        return found
    own = hierarchyNode.GetItemByDataNode(volumeNode)
    item = hierarchyNode.GetItemAncestorAtLevel(own, constants.GetDICOMLevelPatient()) if own else 0
    name = constants.GetDICOMPatientIDAttributeName()
    return (hierarchyNode.GetItemAttribute(item, name) or "").strip() if item else ""
