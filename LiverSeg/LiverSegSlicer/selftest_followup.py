"""What LiverSegTest does to compare two dates: the bundled patient, and the same with larger tumors."""

import tempfile
import time
from pathlib import Path
from typing import Any, List
from unittest import mock

import numpy as np
import slicer
import vtk

from .correct.effect import NAME
from .panel import followup_section
from .panel.run_bar import CLICK_GUARD_S
from .panel.segment_editor import TAG
from .scene import parts, segments
from .scene.followup import comparisonOf
from .scene.results import RunResult, applyResult
from .scene.volumes import volumeGrid

FIRST, SECOND = "2026-03-01", "2026-06-01"
SECOND_NAME = "LiverSegTest second date"
SHIFT = (0, 4, -6)
"""The second scan lies so many voxels (z, y, x) off."""
CANCEL_S = 1.5
"""A cancelled comparison ends within this time."""
_DATE = 1
_OTHERS = ("resultsSection", "fattySection", "reportSection")
"""Sections that are closed meanwhile, so that pictures show this one."""


class FollowUpSteps:
    """The steps; each takes over the panel and the scene that the one before left.

    Args:
        test: the ScriptedLoadableModuleTest that asserts.
        logic: a LiverSegLogic.
        hand: the hand on the panel.
        segmentationNode: the result that the panel shows.
    """

    def __init__(self, test: Any, logic: Any, hand: Any, segmentationNode: Any) -> None:
        self._test = test
        self._logic = logic
        self.hand = hand
        self._node = segmentationNode

    def needsTwoDates(self) -> None:
        """With one result there is nothing to compare, and the button says so."""
        for name in _OTHERS:
            getattr(self.hand.ui, name).collapsed = True
        self.hand.ui.followupSection.collapsed = False
        self.hand.settle()
        self._test.assertFalse(self.hand.ui.followupCompareButton.isEnabled())
        self._test.assertIn("another date", self.hand.ui.followupCompareButton.toolTip)
        self._test.assertEqual(self.hand.ui.followupScansTable.rowCount, 1)

    def compares(self) -> Any:
        """*Compare* is cancelled at once, then brings table, response and lesions; returns the table."""
        ui, secondNode = self.hand.ui, addSecondDate(self._logic, self._node)
        self.hand.settle()
        self._test.assertEqual(ui.followupScansTable.rowCount, 2)
        self._test.assertIn("A date is missing", self.hand.text("followupOrderLabel"))
        for row, date in enumerate((FIRST, SECOND)):
            ui.followupScansTable.item(row, _DATE).setText(date)
            self.hand.settle()
        self._test.assertEqual(self.hand.text("followupOrderLabel"), "")
        self.hand.look("before the comparison")
        self._cancels()
        self.hand.press("followupCompareButton")
        self.hand.waitFor(lambda: not self.hand.isRunning(), "the comparison")
        comparison = comparisonOf(self._node)
        self._test.assertIsNotNone(comparison, self.hand.text("messageLabel"))
        self._test.assertEqual(comparison.results, (self._node, secondNode))
        self._test.assertFalse(comparison.isOutOfDate)
        self._readsResult(comparison)
        return comparison.tableNode

    def showsLesion(self) -> None:
        """Choosing a row brings the slices to that lesion, in the scan that the panel shows."""
        self.hand.chooseRow("followupLesionsTable", 0)
        at = comparisonOf(self._node).numbers["lesions"][0]["dates"][0]
        middle = np.array(at["place_lps_mm"]) * (-1, -1, 1)
        for sliceNode in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            matrix = sliceNode.GetSliceToRAS()
            origin, normal = (
                np.array([matrix.GetElement(row, column) for row in range(3)]) for column in (3, 2)
            )
            self._test.assertLess(abs(np.dot(middle - origin, normal)), 3.0, sliceNode.GetName())
        self._test.assertIn(SECOND, self.hand.text("followupLesionLabel"))
        self.hand.chooseRow("followupDatesTable", 0)
        self._test.assertIn(FIRST, self.hand.text("followupLesionsLabel"))
        self.hand.chooseRow("followupDatesTable", 1)
        self.hand.look("compared")

    def writesPage(self, tableNode: Any) -> None:
        """*Write page* makes a folder in the chosen one; the comparison, which nobody edited, is refilled."""
        folderButton = self.hand.ui.reportFolderButton
        earlier = folderButton.directory
        with tempfile.TemporaryDirectory() as folder:
            folderButton.directory = folder
            with mock.patch.object(followup_section, "openOnDesktop", return_value=True) as opened:
                self.hand.press("followupPageButton")
                self.hand.waitFor(lambda: not self.hand.isRunning(), "the follow-up page")
            self._test.assertEqual(opened.call_count, 1, self.hand.text("messageLabel"))
            (page,) = Path(folder).glob("*/followup.html")
            text = page.read_text(encoding="utf-8")
        folderButton.directory = earlier
        self._test.assertIn(SECOND_NAME, text)
        self._test.assertIs(comparisonOf(self._node).tableNode, tableNode)
        self.hand.look("follow-up page")
        self.hand.ui.followupSection.collapsed = True
        for name in _OTHERS:
            getattr(self.hand.ui, name).collapsed = False

    def keepsTool(self) -> None:
        """Beside the other date's result clicks correct the structure that was chosen, and back again."""
        ui, shown = self.hand.ui, self.hand.ui.scanSelector.currentNode()
        ui.correctSection.collapsed = False
        self.hand.settle()
        self.hand.press("correctTumorButton")
        dates = [parts.volumeOf(node) for node in comparisonOf(self._node).results]
        for volumeNode in (*(node for node in dates if node is not shown), shown):
            ui.scanSelector.setCurrentNode(volumeNode)
            self.hand.settle(0.5)
            self._test.assertTrue(ui.correctTumorButton.isChecked(), volumeNode.GetName())
            self._test.assertFalse(ui.correctLiverButton.isChecked(), volumeNode.GetName())
            editorNode = slicer.mrmlScene.GetSingletonNode(TAG, "vtkMRMLSegmentEditorNode")
            self._test.assertIs(parts.volumeOf(editorNode.GetSegmentationNode()), volumeNode)
            self._test.assertEqual(editorNode.GetActiveEffectName(), NAME)
            self.hand.look("correcting another date")
        ui.correctSection.collapsed = True

    # ---- help

    def _cancels(self) -> None:
        started = time.monotonic()
        self.hand.press("followupCompareButton")
        self.hand.waitFor(lambda: self.hand.ui.runProgressBar.value > 20, "the registration")
        self.hand.waitFor(lambda: time.monotonic() - started > 2 * CLICK_GUARD_S, "the button to be Cancel")
        began = time.monotonic()
        self.hand.press("segmentButton")
        self.hand.waitFor(lambda: not self.hand.isRunning(), "the end of the cancelled comparison")
        self._test.assertLess(time.monotonic() - began, CANCEL_S)
        self._test.assertIsNone(comparisonOf(self._node))

    def _readsResult(self, comparison: Any) -> None:
        """What stands in the panel and in the table is what was found."""
        ui, lesions = self.hand.ui, comparison.numbers["lesions"]
        dates = [ui.followupDatesTable.item(row, 0).text() for row in range(ui.followupDatesTable.rowCount)]
        self._test.assertEqual(dates, [FIRST, SECOND])
        category = comparison.numbers["responses"][0]["category"]
        self._test.assertEqual(ui.followupDatesTable.item(1, 4).text(), category)
        self._test.assertIn("sum of diameters", self.hand.text("followupRuleLabel"))
        self._test.assertEqual(ui.followupLesionsTable.rowCount, len(lesions))
        change = lesions[0]["dates"][1]["volume_change_percent"]
        self._test.assertGreater(change, 5.0, "the tumors of the second date are larger")
        tableNode = comparison.tableNode
        self._test.assertEqual(tableNode.GetNumberOfRows(), len(lesions))
        values = slicer.util.arrayFromTableColumn(tableNode, "volume_change_percent_2")
        self._test.assertAlmostEqual(values[0], change, delta=0.1)


def addSecondDate(logic: Any, segmentationNode: Any) -> Any:
    """Put a second date of the same patient into the scene: shifted, each tumor a layer of voxels larger.

    Args:
        logic: measures it.
        segmentationNode: the result of the first date.

    Returns:
        The result of the second date.
    """
    first = parts.volumeOf(segmentationNode)
    labels = segments.labelsOf(segmentationNode, first)
    voxels = slicer.util.arrayFromVolume(first)
    grown = _grown(labels == 3) & (labels == 1)
    level = int(np.median(voxels[labels == 3]))
    voxels, labels = np.where(grown, level, voxels).astype(voxels.dtype), np.where(grown, 3, labels)
    moved: List[np.ndarray] = [np.roll(array, SHIFT, axis=(0, 1, 2)) for array in (voxels, labels)]
    ijkToRas = vtk.vtkMatrix4x4()
    first.GetIJKToRASMatrix(ijkToRas)
    second = slicer.util.addVolumeFromArray(moved[0], name=SECOND_NAME)
    second.SetIJKToRASMatrix(ijkToRas)
    summary = {**(parts.summaryOf(segmentationNode) or {}), "name": SECOND_NAME}
    found = RunResult(SECOND_NAME, moved[1].astype(np.uint8), volumeGrid(second), summary)
    return logic.measure(applyResult(second, found))


def _grown(mask: np.ndarray) -> np.ndarray:
    """A mask with the voxels that touch it within a slice."""
    grown = mask.copy()
    for axis in (1, 2):
        for step in (-1, 1):
            grown |= np.roll(mask, step, axis=axis)
    return grown
