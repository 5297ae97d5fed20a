"""LiverSegTest: what must hold in the running Slicer, on the bundled scan, without a network.

Run by Slicer's "Reload and Test", by ctest, by LiverSeg's CI inside a downloaded Slicer, and on the project's
test host. Without PyTorch the parts that segment are skipped, which is said; the variable
``LIVERSEG_TEST_NEEDS_TORCH=1`` makes that a failure.
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, List

import numpy as np
import slicer
import vtk

from LiverSegLib.errors import CancelledError, DeviceError, InputError

from . import parts, results
from .highlight import isHighlight
from .roi_nodes import nameOf, roiNodes, setAccepted
from .sample_data import NODE_NAME, sampleFile
from .steatosis_reading import readingOf

LIVER_ML = (1300.0, 1900.0)
"""Between these the bundled patient's liver must come out; by hand it has about 1600 ml."""
SPLEEN_ML = (600.0, 1100.0)
CANCEL_S = 1.0
"""A cancelled run ends within this time."""
_CODES = {"liver": "10200004", "spleen": "78961009", "tumour": "108369006"}
"""Segment ID -> SNOMED CT code that its terminology must hold."""
_RUN_LIMIT_S = 900.0
_READER = "LiverSegTest"


def run(test: Any, logic: Any) -> None:
    """Run everything.

    Args:
        test: the ScriptedLoadableModuleTest that asserts and tells.
        logic: a LiverSegLogic.
    """
    SelfTest(test, logic).run()


class SelfTest:
    """The steps, in order; each takes over the scene that the one before left."""

    def __init__(self, test: Any, logic: Any) -> None:
        self._test = test
        self._logic = logic
        self._volumeNode: Any = None

    def run(self) -> None:
        """Run all steps that this Slicer can."""
        self._volumeNode = slicer.util.loadVolume(str(sampleFile()), {"name": NODE_NAME})
        self._tell("The bundled scan is loaded.")
        self._refusesWhatIsNoScan()
        if not self._logic.torchState().usable:
            self._withoutTorch()
            return
        segmentationNode = self._segments()
        self._tellsNumbers(segmentationNode)
        self._jumpsToLesion(segmentationNode)
        self._highlights(segmentationNode)
        self._cancels(segmentationNode)
        self._keepsWhatWasEdited(segmentationNode)
        self._assessesFattyLiver(results.resultFor(self._volumeNode))
        self._writesReport(results.resultFor(self._volumeNode))
        self._comesBackFromFile()
        self._tell("LiverSeg works.")

    # ---- steps

    def _refusesWhatIsNoScan(self) -> None:
        labelNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
        self._test.assertRaises(InputError, self._logic.segment, labelNode)
        slicer.mrmlScene.RemoveNode(labelNode)
        self._test.assertEqual(parts.allResults(), [])

    def _withoutTorch(self) -> None:
        self._test.assertNotEqual(self._logic.torchState().request, "")
        self._test.assertRaises(DeviceError, self._logic.segment, self._volumeNode)
        self._test.assertEqual(parts.allResults(), [])
        if os.environ.get("LIVERSEG_TEST_NEEDS_TORCH") == "1":
            self._test.fail("PyTorch is missing, and LIVERSEG_TEST_NEEDS_TORCH=1 asks for it.")
        self._tell("PyTorch is not installed: what needs it was skipped, the rest works.")

    def _segments(self) -> Any:
        told: List[float] = []
        segmentationNode = self._logic.segment(
            self._volumeNode, progress=lambda fraction, text: told.append(fraction)
        )
        self._test.assertEqual(told, sorted(told), "progress never goes back")
        self._test.assertGreater(len(told), 5)
        segmentation = segmentationNode.GetSegmentation()
        tag = slicer.vtkSegment.GetTerminologyEntryTagName()
        for segmentID, code in _CODES.items():
            segment = segmentation.GetSegment(segmentID)
            self._test.assertIsNotNone(segment, segmentID)
            self._test.assertIn(code, _tagOf(segment, tag))
        self._test.assertTrue(segmentation.ContainsRepresentation("Closed surface"))
        labels = results.labelsOf(segmentationNode, self._volumeNode)
        self._test.assertEqual(labels.shape, slicer.util.arrayFromVolume(self._volumeNode).shape)
        self._test.assertEqual(set(np.unique(labels)), {0, 1, 2, 3})
        self._test.assertIs(results.resultFor(self._volumeNode), segmentationNode)
        self._logic.showResult(self._volumeNode, segmentationNode)
        self._tell("The scan is segmented.")
        return segmentationNode

    def _tellsNumbers(self, segmentationNode: Any) -> None:
        organs = {organ["key"]: organ for organ in self._measurements(segmentationNode)["organs"]}
        for key, (least, most) in (("liver", LIVER_ML), ("spleen", SPLEEN_ML)):
            self._test.assertGreater(organs[key]["volume_ml"], least)
            self._test.assertLess(organs[key]["volume_ml"], most)
        labels = results.labelsOf(segmentationNode, self._volumeNode)
        voxelMl = np.prod(self._volumeNode.GetSpacing()) / 1000
        liverMl = np.count_nonzero((labels == 1) | (labels == 3)) * voxelMl
        self._test.assertAlmostEqual(organs["liver"]["volume_ml"], liverMl, delta=0.01)
        for role in (parts.VOLUMES_TABLE, parts.LESIONS_TABLE):
            tableNode = parts.part(segmentationNode, role)
            self._test.assertGreater(tableNode.GetNumberOfRows(), 0, role)
        self._tell("Volumes and lesions are measured.")

    def _jumpsToLesion(self, segmentationNode: Any) -> None:
        lesion = self._measurements(segmentationNode)["lesions"][0]
        self._logic.jumpToLesion(segmentationNode, lesion["number"])
        # lint: allow reentry the test has no slots
        slicer.app.processEvents()
        middle = np.mean(lesion["longest_ends_lps_mm"], axis=0) * (-1, -1, 1)
        for sliceNode in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            matrix = sliceNode.GetSliceToRAS()
            origin, normal = (
                np.array([matrix.GetElement(row, column) for row in range(3)]) for column in (3, 2)
            )
            self._test.assertLess(abs(np.dot(middle - origin, normal)), 3.0, sliceNode.GetName())
        self._tell("The views jump to a lesion.")

    def _highlights(self, segmentationNode: Any) -> None:
        highlightNode = self._logic.makeHighlight(self._volumeNode, segmentationNode)
        self._test.assertTrue(isHighlight(highlightNode))
        greys = slicer.util.arrayFromVolume(highlightNode)
        labels = results.labelsOf(segmentationNode, self._volumeNode)
        self._test.assertTrue(np.array_equal(greys == greys.max(), labels == 3))
        self._test.assertTrue(np.array_equal(greys == 0, (labels == 0) | (labels == 2)))
        self._tell("The highlight view shows liver and tumours.")

    def _cancels(self, segmentationNode: Any) -> None:
        ended: List[Any] = []
        seen: List[float] = []
        running = self._logic.segmentAsync(
            self._volumeNode,
            progress=lambda fraction, text: seen.append(fraction),
            completed=lambda node, error: ended.append((node, error)),
        )
        self._waitFor(lambda: ended or (seen and seen[-1] > 0.2))
        self._test.assertEqual(ended, [], "the run must still be going on when it is cancelled")
        running.cancel()
        began = time.monotonic()
        self._waitFor(lambda: ended)
        self._test.assertLess(time.monotonic() - began, CANCEL_S + 0.5)
        self._test.assertFalse(running.isRunning())
        self._test.assertIsNone(ended[0][0])
        self._test.assertIsInstance(ended[0][1], CancelledError)
        self._test.assertEqual(parts.allResults(), [segmentationNode])
        self._tell("A run can be cancelled.")

    def _keepsWhatWasEdited(self, segmentationNode: Any) -> None:
        spleen = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, "spleen", self._volumeNode)
        spleen[: int(np.median(np.nonzero(spleen)[0]))] = 0
        slicer.util.updateSegmentBinaryLabelmapFromArray(spleen, segmentationNode, "spleen", self._volumeNode)
        self._test.assertTrue(results.editedSinceMeasured(segmentationNode))
        before = results.labelsOf(segmentationNode, self._volumeNode)
        again = self._logic.segment(self._volumeNode, replaceUntouched=True)
        self._test.assertIsNot(again, segmentationNode)
        after = results.labelsOf(segmentationNode, self._volumeNode)
        self._test.assertTrue(np.array_equal(before, after), "an edited segmentation is never overwritten")
        self._tell("An edited segmentation is kept.")

    def _assessesFattyLiver(self, segmentationNode: Any) -> None:
        """Place, edit, accept; the bundled scan is enhanced and must not be graded by itself."""
        assessment = self._logic.assessSteatosis(self._volumeNode, segmentationNode)
        self._test.assertIsNone(assessment.grade)
        self._test.assertTrue(any("contrast" in text for text in assessment.reasons_not_to_grade))
        nodes = roiNodes(segmentationNode)
        self._test.assertEqual([nameOf(node) for node in nodes], [roi.name for roi, _v in assessment.rois])
        self._test.assertGreater(len(nodes), 6)
        self._test.assertFalse(assessment.edited)
        centre = [0.0, 0.0, 0.0]
        nodes[0].GetCenter(centre)
        nodes[0].SetCenter(centre[0] + 3.0, *centre[1:])
        setAccepted(nodes[-1], False)
        again = self._logic.assessSteatosis(self._volumeNode, segmentationNode, gradeAnyway=True)
        self._test.assertTrue(again.edited and again.graded_anyway)
        self._test.assertIsNotNone(again.grade)
        self._test.assertEqual(len(again.rois), len(nodes) - 1)
        acceptance = self._logic.acceptSteatosis(segmentationNode, _READER)
        self._test.assertEqual(acceptance["how"], "edited")
        self._test.assertEqual(acceptance["rejected"], [nodes[-1].GetName()])
        self._tell("ROIs for fatty liver are placed, edited and accepted.")

    def _writesReport(self, segmentationNode: Any) -> None:
        with tempfile.TemporaryDirectory() as folder:
            report = self._logic.report(segmentationNode, Path(folder) / "case")
            text = report.read_text(encoding="utf-8")
        self._test.assertIn(NODE_NAME, text)
        self._test.assertIn("Fatty liver", text)
        self._tell("The report is written.")

    def _comesBackFromFile(self) -> None:
        segmentationNode = results.resultFor(self._volumeNode)
        name = segmentationNode.GetName()
        summary = results.summaryOf(segmentationNode)
        labels = results.labelsOf(segmentationNode, self._volumeNode)
        reading, names = readingOf(segmentationNode), [nameOf(node) for node in roiNodes(segmentationNode)]
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "scene.mrb")
            self._test.assertTrue(slicer.util.saveScene(path))
            slicer.mrmlScene.Clear()
            self._test.assertEqual(parts.allResults(), [])
            slicer.util.loadScene(path)
        self._volumeNode = slicer.util.getNode(NODE_NAME)
        back = results.resultFor(self._volumeNode)
        self._test.assertEqual(back.GetName(), name)
        self._test.assertEqual(results.summaryOf(back), summary)
        self._test.assertTrue(np.array_equal(results.labelsOf(back, self._volumeNode), labels))
        self._test.assertFalse(results.editedSinceMeasured(back))
        again = readingOf(back)
        self._test.assertEqual((again.accepted, again.settings), (reading.accepted, reading.settings))
        self._test.assertAlmostEqual(again.assessment["ratio"], reading.assessment["ratio"], places=3)
        self._test.assertEqual([nameOf(node) for node in roiNodes(back)], names)
        self._logic.assessSteatosis(self._volumeNode, back)
        self._test.assertEqual(readingOf(back).accepted["by"], _READER)
        self._tell("Everything comes back from a saved scene.")

    # ---- help

    def _measurements(self, segmentationNode: Any) -> Any:
        summary = results.summaryOf(segmentationNode)
        self._test.assertIsNotNone(summary)
        return summary["measurements"]

    def _tell(self, text: str) -> None:
        self._test.delayDisplay(text)

    def _waitFor(self, condition: Callable[[], Any]) -> None:
        end = time.monotonic() + _RUN_LIMIT_S
        while not condition():
            self._test.assertLess(time.monotonic(), end, "nothing happened for too long")
            # lint: allow reentry nothing else of this test runs in slots but the callbacks it waits for
            slicer.app.processEvents()
            time.sleep(0.01)  # lint: allow blocking gives the worker the processor between looks


def _tagOf(segment: Any, name: str) -> str:
    """The value of a segment's tag, empty if it has none."""
    value = vtk.reference("")
    return str(value) if segment.GetTag(name, value) else ""
