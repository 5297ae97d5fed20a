"""LiverSegTest: what must hold in the running Slicer, on the bundled scan, without a network.

Run by Slicer's "Reload and Test", by ctest, by LiverSeg's CI inside a downloaded Slicer, and on the project's
test host. It drives the module's own panel, with or without Slicer's main window. Without an engine what
segments is skipped, and said to be; ``LIVERSEG_TEST_NEEDS_ENGINE=1`` makes that a failure.
``LIVERSEG_TEST_PICTURES`` names a folder for a picture of every state.
"""

import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Any, List

import numpy as np
import slicer
import vtk

from LiverSegLib.errors import DeviceError, InputError

from .fatty_liver.reading import readingOf
from .fatty_liver.rois import nameOf, roiNodes
from .sample_data import NODE_NAME, sampleFile
from .scene import fingerprint, parts, segments
from .scene.followup import comparisonOf
from .scene.highlight import isHighlight
from .selftest_correct import CorrectSteps
from .selftest_followup import FollowUpSteps
from .selftest_given import GivenSteps
from .selftest_panel import READER, PanelSteps

_CODES = {"liver": "10200004", "spleen": "78961009", "tumour": "108369006"}
"""Segment ID -> SNOMED CT code that its terminology must hold."""
NEEDS_ENGINE = (
    "segmenting, cancelling, reading numbers and tables, jumping to a lesion, highlighting, editing and"
    " updating numbers, correcting by clicks, accepting and reopening, ROIs for fatty liver, the report,"
    " comparing two dates, leaving and coming back with a result, coming back from a saved scene, keeping"
    " edits, measuring a given segmentation"
)
"""What is skipped without an engine."""


class SelfTest:
    """The steps, in order; each takes over the scene that the one before left.

    Args:
        test: the ScriptedLoadableModuleTest that asserts and tells.
        logic: a LiverSegLogic.
    """

    def __init__(self, test: Any, logic: Any) -> None:
        self._test = test
        self._logic = logic
        self._volumeNode: Any = None

    def run(self) -> None:
        """Run all steps that this Slicer can."""
        began = time.monotonic()
        self._volumeNode = slicer.util.loadVolume(str(sampleFile()), {"name": NODE_NAME})
        self._tell("The bundled scan is loaded.")
        self._refusesWhatIsNoScan()
        panel = PanelSteps(self._test, self._volumeNode)
        panel.opens()
        panel.listsModels(self._logic.engineState().text)
        self._tell("The models on this computer are listed.")
        usable = self._logic.engineState().isUsable
        if usable:
            self._withEngine(panel)
        else:
            self._withoutEngine(panel)
        panel.reloads(self._volumeNode, hasResult=usable)
        self._tell("Reload brings the panel back.")
        panel.closes()
        seconds = time.monotonic() - began
        self._tell(f"LiverSeg works: {seconds:.0f} s, widest panel {panel.hand.widest} pixels.")

    def _withEngine(self, panel: PanelSteps) -> None:
        segmentationNode = panel.segments()
        self._isComplete(segmentationNode)
        panel.showsNumbers(segmentationNode)
        self._tellsNumbers(segmentationNode)
        panel.jumpsToLesion(segmentationNode)
        self._tell("The panel shows numbers, and a lesion in the views.")
        self._highlights(segmentationNode)
        panel.cancels(segmentationNode)
        self._tell("A run can be cancelled.")
        self._corrects(CorrectSteps(self._test, panel.hand, self._volumeNode, segmentationNode))
        panel.editsAndUpdates(segmentationNode)
        self._tell("An edited segmentation is measured anew.")
        panel.placesAndAccepts(segmentationNode)
        self._tell("ROIs for fatty liver are placed, dragged and accepted.")
        panel.writesReport(NODE_NAME)
        self._tell("The report is written.")
        self._compares(FollowUpSteps(self._test, self._logic, panel.hand, segmentationNode))
        panel.letsBeWhileAway(segmentationNode)
        self._tell("Nothing changes while another module is shown.")
        self._comesBackFromFile()
        self._keepsWhatWasEdited(parts.resultFor(self._volumeNode))
        self._measuresGiven(panel)

    # ---- steps

    def _refusesWhatIsNoScan(self) -> None:
        labelNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
        self._test.assertRaises(InputError, self._logic.segment, labelNode)
        slicer.mrmlScene.RemoveNode(labelNode)
        self._test.assertEqual(parts.allResults(), [])

    def _corrects(self, steps: CorrectSteps) -> None:
        if steps.canClick():
            steps.clicksAndUndoes()
            self._tell("A click corrects, and undo is exact.")
            steps.addsLesion()
            self._tell("A lesion is added by one click, and the numbers follow.")
        else:
            self._tell("SKIPPED, since there are no views: correcting by clicks.")
        steps.acceptsAndReopens(READER)
        self._tell("The result is accepted and opened again.")

    def _compares(self, steps: FollowUpSteps) -> None:
        steps.needsTwoDates()
        tableNode = steps.compares()
        steps.showsLesion()
        steps.writesPage(tableNode)
        self._tell("Two dates are compared, and the follow-up page is written.")
        if slicer.app.layoutManager() is not None:  # without views there is no tool for clicks in them
            steps.keepsTool()
            self._tell("Beside another result the tool that corrects stays chosen.")

    def _measuresGiven(self, panel: PanelSteps) -> None:
        panel.hand.ui.scanSelector.setCurrentNode(self._volumeNode)
        panel.hand.settle()
        steps = GivenSteps(self._test, panel.hand, self._volumeNode)
        steps.measures()
        steps.measuresContours()
        self._tell("A segmentation that LiverSeg did not make is measured as a result of its own.")

    def _withoutEngine(self, panel: PanelSteps) -> None:
        self._test.assertNotEqual(self._logic.engineState().request, "")
        self._test.assertRaises(DeviceError, self._logic.segment, self._volumeNode)
        self._test.assertEqual(parts.allResults(), [])
        panel.asksForEngine()
        if os.environ.get("LIVERSEG_TEST_NEEDS_ENGINE") == "1":
            self._test.fail("An engine is missing, and LIVERSEG_TEST_NEEDS_ENGINE=1 asks for it.")
        text = f"SKIPPED, since this Slicer has no engine ({self._logic.engineState().text}): {NEEDS_ENGINE}."
        logging.warning(text)
        self._tell(text)

    def _isComplete(self, segmentationNode: Any) -> None:
        segmentation = segmentationNode.GetSegmentation()
        tag = slicer.vtkSegment.GetTerminologyEntryTagName()
        for segmentID, code in _CODES.items():
            segment = segmentation.GetSegment(segmentID)
            self._test.assertIsNotNone(segment, segmentID)
            self._test.assertIn(code, _tagOf(segment, tag))
        self._test.assertTrue(segmentation.ContainsRepresentation("Closed surface"))
        labels = segments.labelsOf(segmentationNode, self._volumeNode)
        self._test.assertEqual(labels.shape, slicer.util.arrayFromVolume(self._volumeNode).shape)
        self._test.assertEqual(set(np.unique(labels)), {0, 1, 2, 3})
        self._tell("The scan is segmented.")

    def _tellsNumbers(self, segmentationNode: Any) -> None:
        organs = {organ["key"]: organ for organ in self._measurements(segmentationNode)["organs"]}
        labels = segments.labelsOf(segmentationNode, self._volumeNode)
        voxelMl = np.prod(self._volumeNode.GetSpacing()) / 1000
        liverMl = np.count_nonzero((labels == 1) | (labels == 3)) * voxelMl
        self._test.assertAlmostEqual(organs["liver"]["volume_ml"], liverMl, delta=0.01)
        for role in (parts.VOLUMES_TABLE, parts.LESIONS_TABLE):
            tableNode = parts.part(segmentationNode, role)
            self._test.assertGreater(tableNode.GetNumberOfRows(), 0, role)
        self._tell("Volumes and lesions are measured.")

    def _highlights(self, segmentationNode: Any) -> None:
        highlightNode = self._logic.makeHighlight(self._volumeNode, segmentationNode)
        self._test.assertTrue(isHighlight(highlightNode))
        greys = slicer.util.arrayFromVolume(highlightNode)
        labels = segments.labelsOf(segmentationNode, self._volumeNode)
        self._test.assertTrue(np.array_equal(greys == greys.max(), labels == 3))
        self._test.assertTrue(np.array_equal(greys == 0, (labels == 0) | (labels == 2)))
        self._tell("The highlight view shows liver and tumors.")

    def _comesBackFromFile(self) -> None:
        segmentationNode = parts.resultFor(self._volumeNode)
        name = segmentationNode.GetName()
        summary = parts.summaryOf(segmentationNode)
        labels = segments.labelsOf(segmentationNode, self._volumeNode)
        reading, names = readingOf(segmentationNode), [nameOf(node) for node in roiNodes(segmentationNode)]
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "scene.mrb")
            self._test.assertTrue(slicer.util.saveScene(path))
            slicer.mrmlScene.Clear()
            self._test.assertEqual(parts.allResults(), [])
            slicer.util.loadScene(path)
        self._volumeNode = slicer.util.getNode(NODE_NAME)
        back = parts.resultFor(self._volumeNode)
        self._test.assertEqual(back.GetName(), name)
        self._test.assertEqual(parts.summaryOf(back), summary)
        self._test.assertTrue(np.array_equal(segments.labelsOf(back, self._volumeNode), labels))
        self._test.assertFalse(fingerprint.editedSinceMeasured(back))
        comparison = comparisonOf(back)
        self._test.assertIsNotNone(comparison, "the comparison comes back, too")
        self._test.assertFalse(comparison.isOutOfDate)
        again = readingOf(back)
        self._test.assertEqual((again.accepted, again.settings), (reading.accepted, reading.settings))
        self._test.assertAlmostEqual(again.assessment["ratio"], reading.assessment["ratio"], places=3)
        self._test.assertEqual([nameOf(node) for node in roiNodes(back)], names)
        self._logic.assessSteatosis(self._volumeNode, back)
        self._test.assertEqual(readingOf(back).accepted["by"], READER)
        self._tell("Everything comes back from a saved scene.")

    def _keepsWhatWasEdited(self, segmentationNode: Any) -> None:
        before = segments.labelsOf(segmentationNode, self._volumeNode)
        told: List[float] = []
        again = self._logic.segment(
            self._volumeNode,
            progress=lambda fraction, text: told.append(fraction),
            replaceUntouched=True,
        )
        self._test.assertEqual(told, sorted(told), "progress never goes back")
        self._test.assertGreater(len(told), 5)
        self._test.assertIsNot(again, segmentationNode)
        after = segments.labelsOf(segmentationNode, self._volumeNode)
        self._test.assertTrue(np.array_equal(before, after), "an edited segmentation is never overwritten")
        self._tell("An edited segmentation is kept.")

    # ---- help

    def _measurements(self, segmentationNode: Any) -> Any:
        summary = parts.summaryOf(segmentationNode)
        self._test.assertIsNotNone(summary)
        return summary["measurements"]

    def _tell(self, text: str) -> None:
        self._test.delayDisplay(text)


def _tagOf(segment: Any, name: str) -> str:
    """The value of a segment's tag, empty if it has none."""
    value = vtk.reference("")
    return str(value) if segment.GetTag(name, value) else ""
