"""A comparison of several dates in the scene: a table by lesion over time, and a text with all the numbers.

The table is the head and references the text. Results are known by the time of their runs, which holds after
saving, reloading and importing a scene, and ends when a run replaces the result.
"""

import time
import zlib
from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Sequence, Tuple

import slicer
from slicer.i18n import tr as _

from . import parts
from .fingerprint import seemsEditedSinceMeasured
from .folders import fileTogether
from .lesion_marks import hideDiameters, lesionPlace, showOnly
from .scan_dates import scanDate
from .tables import Column, fillTable
from .views import isShown, jumpSlices, jumpToLesion

FORMAT = "liverseg-followup-1"
"""What the core calls the numbers of a comparison."""
TABLE = "LiverSeg.FollowUp"
"""Attribute of the table: checksum of its cells as they were written."""
DATA = "LiverSeg.FollowUpData"
"""Reference role of the text with all the numbers."""
FOLDER = "LiverSeg.FollowUpFolder"
"""Attribute of the folder in which comparisons are filed."""

MEASURED, ABSENT, NOT_IN_VIEW, NOT_LOOKED = "measured", "absent", "not in view", "not looked for"
"""The core's words for what a lesion is at a date."""

Numbers = Mapping[str, Any]
"""What the core's ``FollowUp.to_dict`` says."""


@dataclass(frozen=True)
class Comparison:
    """Attributes:
    tableNode: the table by lesion over time.
    numbers: what was found, by date.
    results: the segmentation of each date; None where it is gone or was replaced.
    isOutOfDate: whether a result or a date changed since.
    """

    tableNode: Any
    numbers: Numbers
    results: Tuple[Any, ...]
    isOutOfDate: bool


def stateOf(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> str:
    """Return what tells whether a result was measured anew since."""
    return str(zlib.crc32((segmentationNode.GetAttribute(parts.MEASURED) or "").encode("utf-8")))


def keyOf(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> str:
    """Return what tells a result from others, also in a saved scene; a run that replaces it changes it."""
    return segmentationNode.GetAttribute(parts.TIME) or segmentationNode.GetID()


def applyComparison(
    numbers: Numbers, results: Sequence["slicer.vtkMRMLSegmentationNode"], states: Sequence[str]
) -> "slicer.vtkMRMLTableNode":
    """Put a comparison into the scene.

    An earlier one of the same results is refilled unless somebody edited its table; else a new one is made.

    Args:
        numbers: what was found.
        results: the segmentation of each date.
        states: ``stateOf`` each when its numbers were taken.

    Returns:
        The table.
    """
    slicer.mrmlScene.SaveStateForUndo()
    keys = [keyOf(node) for node in results]
    tableNode = _replaceable(keys)
    isNew = tableNode is None
    if tableNode is None:
        dates = numbers["dates"]
        name = _("Follow-up {first} to {last}").format(first=titleOf(dates[0]), last=titleOf(dates[-1]))
        name = slicer.mrmlScene.GenerateUniqueName(name)
        tableNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", name)
    try:
        fillTable(tableNode, _columns(numbers), numbers["lesions"])
        told = {
            **numbers,
            "results": keys,
            "states": list(states),
            "scan_dates": [_dateOf(node) for node in results],
            "time": time.time_ns() // 1000,
        }
        parts.writeText(tableNode, DATA, _("{volume} numbers"), told)
        tableNode.SetAttribute(TABLE, _checksum(tableNode))
    except Exception:
        if isNew:
            for node in filter(None, (parts.part(tableNode, DATA), tableNode)):
                slicer.mrmlScene.RemoveNode(node)
        raise
    scans = [node for node in map(parts.volumeOf, results) if node is not None]
    fileTogether(scans, [tableNode, parts.part(tableNode, DATA)], _("LiverSeg follow-up"), FOLDER)
    return tableNode


def comparisonOf(
    segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"],
) -> Optional[Comparison]:
    """Return the latest comparison that a result takes part in, None without one."""
    if segmentationNode is None:
        return None
    key = keyOf(segmentationNode)
    for tableNode, numbers in reversed(_comparisons()):
        if key in numbers["results"]:
            byKey = {keyOf(node): node for node in parts.allResults()}
            results = tuple(byKey.get(name) for name in numbers["results"])
            then = numbers["states"], numbers["scan_dates"]
            return Comparison(tableNode, numbers, results, not all(map(_isAsCompared, results, *then)))
    return None


def titleOf(date: Mapping[str, Any]) -> str:
    """Return the date of an entry of "dates", or the scan's name where it is not known."""
    return str(date["date"] or date["name"])


def stateText(at: Mapping[str, Any]) -> str:
    """Say what a lesion is at a date where it is not simply there, and what became of it since the last."""
    words = {
        "new": _("new"),
        "gone": _("gone"),
        "split": _("split"),
        "merged": _("merged"),
        "reappeared": _("back"),
        ABSENT: _("not there"),
        NOT_IN_VIEW: _("outside"),
        NOT_LOOKED: _("not looked for"),
    }
    found = at["events"] or ([] if at["status"] == MEASURED else [at["status"]])
    return ", ".join(words.get(word, word) for word in found)


def showLesion(
    comparison: Comparison,
    lesion: Mapping[str, Any],
    segmentationNode: "slicer.vtkMRMLSegmentationNode",
) -> None:
    """Move slices to a lesion: where it was measured, or to its place where it is not there.

    Args:
        comparison: of which it is.
        lesion: an entry of "lesions".
        segmentationNode: the result that the panel shows. Slices that show scans of other dates follow, each
            to the place in its own scan.
    """
    others = [node for node in comparison.results if node is not segmentationNode]
    for node in (*others, segmentationNode):
        if node is None or node not in comparison.results:
            continue
        at = lesion["dates"][comparison.results.index(node)]
        volumeNode = parts.volumeOf(node)
        isCurrent = node is segmentationNode
        place = lesionPlace(node, {"longest_ends_lps_mm": [at["place_lps_mm"]] * 2})
        if isCurrent and at["lesions"] and not comparison.isOutOfDate:
            jumpToLesion(node, at["lesions"][0])  # the largest of its parts
        elif isCurrent:
            _hideMarks(node)
            jumpSlices(place, volumeNode)
        elif isShown(volumeNode):
            jumpSlices(place, volumeNode)


def _hideMarks(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> None:
    marksNode = parts.part(segmentationNode, parts.LESION_MARKS)
    if marksNode is not None:
        showOnly(marksNode, None)
    hideDiameters(segmentationNode)


def _isAsCompared(
    segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"], state: str, date: str
) -> bool:
    """Whether a result and the date of its scan are what they were when they were compared."""
    if segmentationNode is None or stateOf(segmentationNode) != state:
        return False
    return _dateOf(segmentationNode) == date and not seemsEditedSinceMeasured(segmentationNode)


def _dateOf(segmentationNode: "slicer.vtkMRMLSegmentationNode") -> str:
    """Return the date of a result's scan; empty if it is not known, or the scan is gone."""
    volumeNode = parts.volumeOf(segmentationNode)
    return scanDate(volumeNode) if volumeNode is not None else ""


def _comparisons() -> List[Tuple["slicer.vtkMRMLTableNode", Numbers]]:
    """The tables of comparisons with what these found, the latest at the end."""
    nodes = slicer.util.getNodesByClass("vtkMRMLTableNode")
    read = [(node, _numbersOf(node)) for node in nodes if node.GetAttribute(TABLE) is not None]
    found = [(node, numbers) for node, numbers in read if numbers is not None]
    return sorted(found, key=lambda entry: entry[1]["time"])


def _numbersOf(tableNode: "slicer.vtkMRMLTableNode") -> Optional[Numbers]:
    """What a comparison found; None if its text is gone, or somebody overwrote it."""
    numbers = parts.readText(tableNode, DATA)
    needed = {"results", "states", "scan_dates", "time", "dates", "lesions", "responses", "warnings"}
    if numbers is None or numbers.get("format") != FORMAT or not needed <= set(numbers):
        return None
    return numbers


def _replaceable(keys: Sequence[str]) -> Optional["slicer.vtkMRMLTableNode"]:
    """Return the latest table of a comparison of the same results that nobody edited; None without one."""
    for tableNode, numbers in reversed(_comparisons()):
        isSame = sorted(numbers["results"]) == sorted(keys)
        if isSame and tableNode.GetAttribute(TABLE) == _checksum(tableNode):
            return tableNode
    return None


def _checksum(tableNode: "slicer.vtkMRMLTableNode") -> str:
    """Checksum of all titles and cells."""
    table = tableNode.GetTable()
    columns = range(table.GetNumberOfColumns())
    cells = [
        table.GetValue(row, column).ToString() for column in columns for row in range(table.GetNumberOfRows())
    ]
    titles = [table.GetColumnName(column) or "" for column in columns]
    return str(zlib.crc32("\0".join((*titles, *cells)).encode("utf-8")))


def _columns(numbers: Numbers) -> Tuple[Column, ...]:
    """The table's columns: the lesion, then five for each date."""
    columns = [
        Column("lesion", _("Lesion"), "", 0, lambda row: row["number"]),
        Column("target", _("Target"), "", None, lambda row: _("yes") if _isTarget(row) else ""),
    ]
    for index, date in enumerate(numbers["dates"]):
        columns += _columnsOf(index, titleOf(date))
    return tuple(columns)


def _columnsOf(index: int, title: str) -> Sequence[Column]:
    """The columns of a date; changes are since the lesion was first seen."""

    def value(key: str) -> Any:
        return lambda row: row["dates"][index][key]

    number = index + 1
    columns = [
        Column(f"volume_ml_{number}", _("{date}: volume (ml)"), "ml", 2, value("volume_ml")),
        Column(
            f"longest_diameter_mm_{number}",
            _("{date}: longest diameter (mm)"),
            "mm",
            1,
            value("longest_diameter_mm"),
        ),
        Column(
            f"volume_change_percent_{number}",
            _("{date}: change of volume (%)"),
            "%",
            1,
            value("volume_change_percent"),
        ),
        Column(
            f"diameter_change_percent_{number}",
            _("{date}: change of diameter (%)"),
            "%",
            1,
            value("diameter_change_percent"),
        ),
        Column(f"state_{number}", _("{date}: state"), "", None, lambda row: stateText(row["dates"][index])),
    ]
    return [column._replace(title=column.title.format(date=title)) for column in columns]


def _isTarget(lesion: Mapping[str, Any]) -> bool:
    return bool(lesion["targets_at_first_date"])
