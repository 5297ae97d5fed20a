"""A reading of fatty liver as the scene keeps it: a text node in JSON that the segmentation references.

It holds choices (cut-offs, tube voltage, grading anyway), how ROIs were placed, the last assessment as
``LiverSegLib.steatosis.assess.Assessment.to_dict`` writes it, and who accepted it. The boxes themselves are
markups (``rois``).
"""

import getpass
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np
import slicer
from slicer.i18n import tr as _

from ..scene import parts

FORMAT = "liverseg-slicer-steatosis-1"
DEFAULT_CUT_OFFS = {"normal_above": 1.0, "moderate_below": 0.7, "severe_below": 0.5}
"""The core's ``CutOffs()``, whose file costs an import of SciPy."""
SAME = 0.02
"""HU, mm or kV by which numbers of one reading may differ after they were in a file."""


@dataclass(frozen=True)
class SteatosisReading:
    """Attributes:
    settings: how the automatic ROIs were placed (``PlacementSettings.to_dict``); empty for the usual way.
    cutOffs: borders between grades (``CutOffs.to_dict``).
    kvp: tube voltage in kV; None if it is not known.
    contrastAgent: what the DICOM header names.
    phase, phaseReason: contrast phase of the scan, as estimated or from its header.
    chosenPhase: the contrast phase that the reader says it is; None to go by ``phase``.
    gradeAnyway: the user chose to have a grade in spite of reasons not to.
    warnings: sentences from placing.
    placed: how many ROIs were placed automatically.
    assessment: the last one; None before the first.
    rows: what the table of ROIs shows, with those that do not count.
    accepted: "by", "at" (ISO time), "how" ("automatic" or "edited"), "rois", "rejected"; None if nobody has
        accepted it as it is now.
    reopened: an earlier acceptance that a change has undone, or that was opened for editing ("unchanged").
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    cutOffs: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_CUT_OFFS))
    kvp: Optional[float] = None
    contrastAgent: Optional[str] = None
    phase: Optional[str] = None
    phaseReason: str = ""
    chosenPhase: Optional[str] = None
    gradeAnyway: bool = False
    warnings: Tuple[str, ...] = ()
    placed: int = 0
    assessment: Optional[Dict[str, Any]] = None
    rows: Tuple[Dict[str, Any], ...] = ()
    accepted: Optional[Dict[str, Any]] = None
    reopened: Optional[Dict[str, Any]] = None

    def withAssessment(
        self, assessment: Dict[str, Any], rows: Tuple[Dict[str, Any], ...]
    ) -> "SteatosisReading":
        """Return the reading with a new assessment; one that differs from what was accepted reopens it."""
        before, accepted, reopened = self.assessment, self.accepted, self.reopened
        if before is None or not _same(_essence(before, self.rows), _essence(assessment, rows)):
            if accepted is not None:
                accepted, reopened = None, accepted
            elif reopened is not None and before is not None:  # it no longer counts as unchanged
                reopened = {key: value for key, value in reopened.items() if key != "unchanged"}
        return replace(self, assessment=assessment, rows=rows, accepted=accepted, reopened=reopened)

    def withAcceptance(self, by: str) -> "SteatosisReading":
        """Return the reading as accepted by somebody now."""
        counted = [row["name"] for row in self.rows if row["accepted"]]
        rejected = [row["name"] for row in self.rows if not row["accepted"]]
        automatic = all(row["automatic"] and row["accepted"] for row in self.rows)
        acceptance = {
            "by": by,
            "at": datetime.now().astimezone().isoformat(timespec="seconds"),
            "how": "automatic" if automatic and len(self.rows) == self.placed else "edited",
            "rois": counted,
            "rejected": rejected,
        }
        return replace(self, accepted=acceptance, reopened=None)

    def opened(self) -> "SteatosisReading":
        """Return the reading, which somebody accepted, as opened for editing; nothing is changed yet."""
        return replace(self, accepted=None, reopened={**(self.accepted or {}), "unchanged": True})


def loginName() -> str:
    """Return the name under which the user is logged in to this computer; empty if it has none."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # no such entry in the system's list of users
        return ""


def readingOf(
    segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"],
) -> Optional[SteatosisReading]:
    """Return the reading of a result; None if it has none, or somebody overwrote its text."""
    data = None if segmentationNode is None else parts.readText(segmentationNode, parts.STEATOSIS)
    if data is None or data.pop("format", None) != FORMAT:
        return None
    try:
        return SteatosisReading(**{**data, "rows": tuple(data["rows"]), "warnings": tuple(data["warnings"])})
    except (KeyError, TypeError):
        return None


def keepReading(
    segmentationNode: "slicer.vtkMRMLSegmentationNode", reading: SteatosisReading
) -> SteatosisReading:
    """Write the reading of a result into the scene, and return it."""
    parts.writeText(
        segmentationNode,
        parts.STEATOSIS,
        _("{volume} fatty liver reading"),
        {"format": FORMAT, **asdict(reading)},
        lambda _node: parts.fileParts(segmentationNode),
    )
    return reading


def _essence(
    assessment: Mapping[str, Any], rows: Tuple[Mapping[str, Any], ...]
) -> Tuple[List[str], List[float]]:
    """Return the words and the numbers that make one reading another; sentences are left out: they may be
    put better by the next version.
    """
    conditions = assessment["conditions"]
    words = [str(assessment[key]) for key in ("grade", "graded_anyway")] + [str(conditions["phase"])]
    words += [f"{row['name']} {row['organ']} {row['accepted']}" for row in rows]
    numbers = [conditions["kvp"], assessment["ratio"], *assessment["cut_offs"].values()]
    for roi in assessment["rois"]:
        words.append(roi["name"])
        numbers += [*roi["centre_lps_mm"], *roi["size_mm"], roi["mean_hu"], roi["sd_hu"], roi["inside"]]
    numbers += [organ["median_hu"] for organ in assessment["whole_organ"]]
    return words, [-1e9 if value is None else float(value) for value in numbers]


def _same(one: Tuple[List[str], List[float]], other: Tuple[List[str], List[float]]) -> bool:
    return (
        one[0] == other[0]
        and len(one[1]) == len(other[1])
        and np.allclose(one[1], other[1], rtol=0, atol=SAME)
    )
