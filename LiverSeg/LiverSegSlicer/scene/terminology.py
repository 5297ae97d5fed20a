"""SNOMED CT codes of the segments, written as Slicer keeps them in a segment's tags."""

from typing import Optional

import slicer

from LiverSegLib.labels import LABELS, LIVER, TUMOUR, Code, LabelInfo

SEGMENT_CONTEXT = "Segmentation category and type - DICOM master list"
"""Slicer's list of terms that holds all of ours; its own shorter list knows no neoplasm."""
REGION_CONTEXT = "Anatomic codes - DICOM master list"
"""Slicer's list of places in the body."""


def terminologyEntry(label: LabelInfo) -> str:
    """Return the terminology of a label in the text form that Slicer stores.

    The form is Slicer's own: context ~ category ~ type ~ type modifier ~ region context ~ region ~ region
    modifier, each code as scheme^value^meaning. A tumour's region is the liver.
    """
    region = LABELS[LIVER].type if label.value == TUMOUR else None
    parts = (
        SEGMENT_CONTEXT,
        _code(label.category),
        _code(label.type),
        _code(None),
        REGION_CONTEXT,
        _code(region),
        _code(None),
    )
    return "~".join(parts)


def setTerminology(segment: "slicer.vtkSegment", label: LabelInfo) -> None:
    """Tag a segment with the terminology of its label (vtkSegment.SetTerminology is absent in 5.8)."""
    segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), terminologyEntry(label))


def _code(code: Optional[Code]) -> str:
    return "^^" if code is None else f"{code.scheme}^{code.value}^{code.meaning}"
