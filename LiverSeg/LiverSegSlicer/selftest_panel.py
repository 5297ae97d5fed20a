"""What LiverSegTest does in the panel, step by step, and what must then be there."""

import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import qt
import slicer

from .fatty_liver.reading import readingOf
from .fatty_liver.rois import nameOf, roiNodes
from .panel import report_section
from .panel.run_bar import CLICK_GUARD_S
from .scene import parts
from .selftest_hand import MODULE, PanelHand

LIVER_ML = (1300.0, 1900.0)
"""Between these the bundled patient's liver must come out; by hand it has about 1600 ml."""
SPLEEN_ML = (600.0, 1100.0)
CANCEL_S = 1.5
"""A cancelled run ends within this time."""
READER = "LiverSegTest"
_DRAG_PIXELS = (12.0, 4.0)


class PanelSteps:
    """The steps; each takes over the panel and the scene that the one before left.

    Args:
        test: the ScriptedLoadableModuleTest that asserts.
        volumeNode: the bundled scan.
    """

    def __init__(self, test: Any, volumeNode: Any) -> None:
        self._test = test
        self._volumeNode = volumeNode
        self.hand = PanelHand(test)

    def opens(self) -> None:
        """The panel opens and takes the scan that is chosen in its selector."""
        self.hand.openModule()
        self.hand.ui.scanSelector.setCurrentNode(self._volumeNode)
        self.hand.settle()
        self._test.assertIs(self._panel().parameters.inputVolume, self._volumeNode)
        self._test.assertNotEqual(self.hand.text("scanFactsLabel"), "")
        self._test.assertFalse(self.hand.ui.resultsWidget.isVisible())
        self.hand.look("scan chosen")

    def asksForEngine(self) -> None:
        """Without an engine the panel says so, and its button does nothing."""
        self._test.assertTrue(self.hand.ui.installWidget.isVisible())
        self._test.assertFalse(self.hand.ui.segmentButton.isEnabled())
        self.hand.look("no engine")

    def segments(self) -> Any:
        """*Segment* brings a result; returns the segmentation node."""
        self.hand.press("segmentButton")
        self._waitForProgress()
        self.hand.look("running")
        self.hand.waitFor(lambda: not self.hand.isRunning(), "the result")
        segmentationNode = parts.resultFor(self._volumeNode)
        self._test.assertIsNotNone(segmentationNode, self.hand.text("messageLabel"))
        self._test.assertIs(self._panel().parameters.segmentation, segmentationNode)
        self.hand.look("segmented")
        return segmentationNode

    def showsNumbers(self, segmentationNode: Any) -> None:
        """Labels and tables say what was measured."""
        for name, (least, most) in (("liver", LIVER_ML), ("spleen", SPLEEN_ML)):
            self._test.assertGreater(self.hand.number(f"{name}ValueLabel"), least)
            self._test.assertLess(self.hand.number(f"{name}ValueLabel"), most)
        lesions = parts.summaryOf(segmentationNode)["measurements"]["lesions"]
        self._test.assertEqual(self.hand.ui.lesionsTable.rowCount, len(lesions))
        self._test.assertIs(self.hand.ui.segmentsTable.segmentationNode(), segmentationNode)

    def jumpsToLesion(self, segmentationNode: Any) -> None:
        """Choosing a row of the lesion table shows that lesion in the slices."""
        self.hand.chooseRow("lesionsTable", 0)
        lesion = parts.summaryOf(segmentationNode)["measurements"]["lesions"][0]
        middle = np.mean(lesion["longest_ends_lps_mm"], axis=0) * (-1, -1, 1)
        for sliceNode in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            matrix = sliceNode.GetSliceToRAS()
            origin, normal = (
                np.array([matrix.GetElement(row, column) for row in range(3)]) for column in (3, 2)
            )
            self._test.assertLess(abs(np.dot(middle - origin, normal)), 3.0, sliceNode.GetName())
        self.hand.look("lesion chosen")

    def cancels(self, segmentationNode: Any) -> None:
        """*Cancel* ends a run at once and leaves everything as it was."""
        started = time.monotonic()
        self.hand.press("segmentButton")
        self._waitForProgress()
        # before that the button takes a click for the second half of a double click
        self.hand.waitFor(lambda: time.monotonic() - started > 2 * CLICK_GUARD_S, "the button to be Cancel")
        began = time.monotonic()
        self.hand.press("segmentButton")
        self.hand.waitFor(lambda: not self.hand.isRunning(), "the end of the cancelled run")
        self._test.assertLess(time.monotonic() - began, CANCEL_S)
        self._test.assertEqual(parts.allResults(), [segmentationNode])
        self.hand.look("cancelled")

    def editsAndUpdates(self, segmentationNode: Any) -> None:
        """After an edit the panel says that the numbers are out of date, and soon shows the new ones."""
        before = self.hand.number("spleenValueLabel")
        spleen = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, "spleen", self._volumeNode)
        spleen[: int(np.median(np.nonzero(spleen)[0]))] = 0
        slicer.util.updateSegmentBinaryLabelmapFromArray(spleen, segmentationNode, "spleen", self._volumeNode)
        self.hand.waitFor(lambda: self.hand.ui.editedWidget.isVisible(), "the note that it was edited")
        self.hand.look("edited")
        self.hand.waitFor(lambda: not self.hand.ui.editedWidget.isVisible(), "new numbers")
        voxelMl = np.prod(self._volumeNode.GetSpacing()) / 1000
        after = self.hand.number("spleenValueLabel")
        self._test.assertAlmostEqual(after, np.count_nonzero(spleen) * voxelMl, delta=0.1)
        self._test.assertLess(after, before)

    def placesAndAccepts(self, segmentationNode: Any) -> None:
        """ROIs are placed, one is dragged, one rejected; the reading is accepted."""
        self.hand.press("fattyPlaceButton")
        ui = self.hand.ui
        self.hand.waitFor(lambda: ui.roisTable.rowCount > 6 and ui.roiResetButton.isEnabled(), "the ROIs")
        nodes = roiNodes(segmentationNode)
        self._test.assertEqual(ui.roisTable.rowCount, len(nodes))
        self._test.assertIsNone(self._assessment(segmentationNode)["grade"], "this scan has contrast agent")
        self._test.assertNotEqual(self.hand.text("fattyReasonsLabel"), "")
        self.hand.look("ROIs")
        self.hand.press("fattySettingsButton")
        self.hand.look("settings of ROIs")
        self.hand.press("fattySettingsButton")
        self._drags(segmentationNode)
        ui.roisTable.item(len(nodes) - 1, 0).setCheckState(qt.Qt.Unchecked)
        self.hand.settle()
        ui.fattyAnywayCheckBox.click()
        self.hand.settle()
        self._test.assertIsNotNone(self._assessment(segmentationNode)["grade"], "she asked for it")
        self.hand.look("graded anyway")
        ui.fattyReaderEdit.setText(READER)
        self.hand.press("fattyAcceptButton")
        accepted = readingOf(segmentationNode).accepted
        self._test.assertEqual((accepted["by"], accepted["how"]), (READER, "edited"))
        self._test.assertEqual(accepted["rejected"], [nameOf(nodes[-1])])
        self.hand.look("accepted")

    def _drags(self, segmentationNode: Any) -> None:
        self.hand.chooseRow("roisTable", 0)
        roiNode = roiNodes(segmentationNode)[0]
        before, row = np.array(roiNode.GetCenter()), readingOf(segmentationNode).rows[0]
        self.hand.drag(roiNode, _DRAG_PIXELS)
        self._test.assertGreater(np.linalg.norm(np.array(roiNode.GetCenter()) - before), 1.0)
        self.hand.waitFor(
            lambda: readingOf(segmentationNode).rows[0]["mean_hu"] != row["mean_hu"],
            "the mean of the new place",
        )
        self._test.assertFalse(readingOf(segmentationNode).rows[0]["automatic"])

    def writesReport(self, scanName: str) -> None:
        """*Write report* puts a folder into the chosen one; it is not opened in a browser here."""
        folderButton = self.hand.ui.reportFolderButton
        earlier = folderButton.directory
        with tempfile.TemporaryDirectory() as folder:
            folderButton.directory = folder
            with mock.patch.object(report_section, "openOnDesktop", return_value=True) as opened:
                self.hand.press("reportButton")
                self.hand.waitFor(lambda: not self.hand.isRunning(), "the report")
            self.hand.look("report")
            self._test.assertEqual(opened.call_count, 1, self.hand.text("messageLabel"))
            (report,) = Path(folder).glob("*/report.html")
            text = report.read_text(encoding="utf-8")
        folderButton.directory = earlier
        self._test.assertIn(scanName, text)
        self._test.assertIn("Fatty liver", text)

    def letsBeWhileAway(self, segmentationNode: Any) -> None:
        """Nothing of hers changes while another module is shown; coming back, the result is there again."""
        parameterNode = self._panel().parameters.parameterNode
        visible = segmentationNode.GetDisplayNode().GetVisibility()
        self.hand.leaveModule()
        changed = parameterNode.GetMTime()
        other = slicer.util.addVolumeFromArray(np.full((8, 9, 10), 40, np.int16), name="Another scan")
        other.AddDefaultStorageNode()
        self.hand.settle(0.5)
        self._test.assertEqual(parameterNode.GetMTime(), changed, "the panel is not shown")
        self._test.assertEqual(segmentationNode.GetDisplayNode().GetVisibility(), visible)
        self.hand.openModule()
        self.hand.ui.scanSelector.setCurrentNode(self._volumeNode)
        self.hand.settle()
        self._test.assertIs(self._panel().parameters.segmentation, segmentationNode)
        self._test.assertGreater(self.hand.number("liverValueLabel"), LIVER_ML[0])
        self.hand.look("back again")
        slicer.mrmlScene.RemoveNode(other)

    def reloads(self, volumeNode: Any, hasResult: bool) -> None:
        """*Reload* makes a new panel that shows the same."""
        before = self._panel()
        slicer.util.getModuleWidget(MODULE).onReload()
        self.hand.listen()
        self.hand.settle()
        self._test.assertIsNot(self._panel(), before)
        self._test.assertIs(self._panel().parameters.inputVolume, volumeNode)
        if hasResult:
            self._test.assertGreater(self.hand.number("liverValueLabel"), LIVER_ML[0])
        self.hand.ui.advancedSection.collapsed = False
        self.hand.look("advanced")
        self.hand.ui.advancedSection.collapsed = True

    def listsModels(self, engine: str) -> None:
        """*Advanced* names the engine, and lists the bundled model with its license; it cannot be removed."""
        ui = self.hand.ui
        ui.advancedSection.collapsed = False
        self.hand.settle()
        self._test.assertEqual(self.hand.text("engineStateLabel"), engine)
        names = [ui.modelsTable.item(row, 0).text() for row in range(ui.modelsTable.rowCount)]
        bundled = [row for row, name in enumerate(names) if name.startswith("default ")]
        self._test.assertEqual(len(bundled), 1, names)
        ui.modelsTable.selectRow(bundled[0])
        self.hand.settle()
        self._test.assertIn("CC BY-SA", self.hand.text("modelDetailLabel"))
        self._test.assertFalse(ui.modelsRemoveButton.isEnabled())
        self._test.assertGreaterEqual(ui.modelSelector.findData("default"), 0)
        self._test.assertEqual(ui.tumorModelSelector.itemData(0), "")
        self.hand.look("models")
        ui.advancedSection.collapsed = True

    def closes(self) -> None:
        """With an empty scene the panel is empty."""
        slicer.mrmlScene.Clear()
        self.hand.settle()
        self._test.assertIsNone(self.hand.ui.scanSelector.currentNode())
        self._test.assertFalse(self.hand.ui.resultsWidget.isVisible())
        self._test.assertFalse(self.hand.ui.segmentButton.isEnabled())
        self.hand.look("scene closed")

    # ---- help

    def _panel(self) -> Any:
        return slicer.util.getModuleWidget(MODULE).panel

    def _assessment(self, segmentationNode: Any) -> Any:
        return readingOf(segmentationNode).assessment

    def _waitForProgress(self) -> None:
        """Wait until a run is well under way."""
        self.hand.waitFor(
            lambda: self.hand.isRunning() or not self.hand.ui.segmentButton.isEnabled(), "a run"
        )
        self.hand.waitFor(
            lambda: not self.hand.isRunning() or self.hand.ui.runProgressBar.value > 20, "progress of the run"
        )
        self._test.assertTrue(self.hand.isRunning(), self.hand.text("messageLabel"))
