"""What LiverSegTest does with a segmentation that LiverSeg did not make, and what must then be there."""

from typing import Any

import numpy as np
import slicer
import vtk

from .scene import parts, review, segments
from .selftest_hand import PanelHand

NAME = "Befund"
_LIVER, _SPLEEN, _TUMOR, _OTHER = "Leber", "Milz", "Herd", "Haut"


class GivenSteps:
    """The steps; what they add to the scene they take away again.

    Args:
        test: the ScriptedLoadableModuleTest that asserts.
        hand: the hand on the panel.
        volumeNode: the bundled scan, chosen in the panel.
    """

    def __init__(self, test: Any, hand: PanelHand, volumeNode: Any) -> None:
        self._test = test
        self._hand = hand
        self._volumeNode = volumeNode
        self._labels = _blocks(volumeNode)

    def measures(self) -> None:
        """Label maps are proposed as structures, one is chosen in the table, and all become a result."""
        before = parts.allResults()
        node = self._drawn()
        resultNode = self._measured(node, {_LIVER: "Liver", _SPLEEN: "Spleen", _TUMOR: "Leave out"})
        self._test.assertNotIn(resultNode, before)
        self._test.assertTrue(np.array_equal(segments.labelsOf(resultNode, self._volumeNode), self._labels))
        voxelMl = np.prod(self._volumeNode.GetSpacing()) / 1000
        liverMl = np.count_nonzero(np.isin(self._labels, (1, 3))) * voxelMl
        self._test.assertAlmostEqual(self._hand.number("liverValueLabel"), liverMl, delta=0.1)
        self._test.assertEqual(self._hand.ui.lesionsTable.rowCount, 1)
        self._test.assertIn(NAME, self._hand.text("resultModelLabel"))
        self._test.assertEqual(review.reviewOf(resultNode).state, review.GIVEN)
        labels = parts.summaryOf(resultNode)["provenance"]["labels"]
        self._test.assertEqual((labels["name"], labels["made"]), (NAME, "manual"))
        self._test.assertEqual(node.GetSegmentation().GetNumberOfSegments(), 4, "hers stays as it is")
        self._hand.look("given segmentation measured")
        self._remove(resultNode, node)
        self._test.assertEqual(parts.allResults(), before)

    def measuresContours(self) -> None:
        """Contours, as SlicerRT loads a structure set, become the voxels that they hold."""
        low, high = 6, 40
        node = self._contours(low, high)
        resultNode = self._measured(node, {_LIVER: "Liver"})
        expected = np.zeros_like(self._labels)
        expected[3:9, low : high + 1, low : high + 1] = 1
        self._test.assertTrue(np.array_equal(segments.labelsOf(resultNode, self._volumeNode), expected))
        self._remove(resultNode, node)

    def _measured(self, node: Any, proposed: Any) -> Any:
        """Open the table, look at what is proposed, make the rest of it right, and measure; the result."""
        ui = self._hand.ui
        self._hand.waitFor(lambda: ui.givenButton.isEnabled(), "the segmentation to be offered")
        self._hand.press("givenButton")
        self._test.assertTrue(ui.givenWidget.isVisible())
        selector = ui.givenSelector
        self._test.assertEqual(selector.itemData(selector.currentIndex), node.GetID())
        self._test.assertGreaterEqual(ui.givenTable.columnWidth(1), self._boxes()[_LIVER].sizeHint.width())
        self._hand.look("given segmentation")
        boxes = self._boxes()
        for name, text in proposed.items():
            self._test.assertEqual(boxes[name].currentText, text, name)
        self._choose(boxes[_LIVER], "Leave out")
        self._test.assertFalse(ui.givenMeasureButton.isEnabled())
        self._test.assertNotEqual(self._hand.text("givenLabel"), "")
        self._hand.look("given segmentation without a liver")
        self._choose(boxes[_LIVER], "Liver")
        if _TUMOR in boxes:
            self._choose(boxes[_TUMOR], "Liver tumor")
        ui.givenMadeSelector.setCurrentIndex(ui.givenMadeSelector.findData("manual"))
        self._hand.press("givenMeasureButton")
        self._hand.waitFor(lambda: not self._hand.isRunning(), "the given segmentation to be measured")
        resultNode = parts.resultFor(self._volumeNode)
        self._test.assertIsNotNone(resultNode, self._hand.text("messageLabel"))
        self._test.assertEqual(resultNode.GetAttribute(parts.GIVEN), NAME, self._hand.text("messageLabel"))
        return resultNode

    def _boxes(self) -> Any:
        """Name of each segment in the table -> its combo box."""
        table = self._hand.ui.givenTable
        return {table.item(row, 0).text(): table.cellWidget(row, 1) for row in range(table.rowCount)}

    def _choose(self, box: Any, text: str) -> None:
        """Choose what a segment is."""
        box.setCurrentIndex(box.findText(text))
        self._hand.settle()

    def _drawn(self) -> Any:
        """A segmentation of label maps, as the Segment Editor leaves it."""
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", NAME)
        node.CreateDefaultDisplayNodes()
        node.SetReferenceImageGeometryParameterFromVolumeNode(self._volumeNode)
        masks = {
            _OTHER: self._labels == 0,
            _LIVER: np.isin(self._labels, (1, 3)),
            _SPLEEN: self._labels == 2,
            _TUMOR: self._labels == 3,
        }
        for name, mask in masks.items():
            segmentID = node.GetSegmentation().AddEmptySegment("", name)
            slicer.util.updateSegmentBinaryLabelmapFromArray(
                mask.astype(np.uint8), node, segmentID, self._volumeNode
            )
        return node

    def _contours(self, low: int, high: int) -> Any:
        """A segmentation of closed lines around voxels ``low`` to ``high`` of rows and columns."""
        matrix = vtk.vtkMatrix4x4()
        self._volumeNode.GetIJKToRASMatrix(matrix)
        points, lines = vtk.vtkPoints(), vtk.vtkCellArray()
        edges = (low - 0.5, high + 0.5)
        for plane in range(3, 9):
            corners = [(edges[i], edges[j]) for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))]
            numbers = [points.InsertNextPoint(*matrix.MultiplyPoint((*at, plane, 1))[:3]) for at in corners]
            lines.InsertNextCell(len(numbers) + 1)
            for number in (*numbers, numbers[0]):
                lines.InsertCellPoint(number)
        polyData = vtk.vtkPolyData()
        polyData.SetPoints(points)
        polyData.SetLines(lines)
        segment = slicer.vtkSegment()
        segment.SetName(_LIVER)
        segment.AddRepresentation("Planar contour", polyData)
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", NAME)
        node.GetSegmentation().SetSourceRepresentationName("Planar contour")
        node.GetSegmentation().AddSegment(segment)
        return node

    def _remove(self, resultNode: Any, node: Any) -> None:
        for part in (*parts.partNodes(resultNode), resultNode, node):
            slicer.mrmlScene.RemoveNode(part)
        self._hand.settle()


def _blocks(volumeNode: Any) -> np.ndarray:
    """Blocks for liver, spleen and tumor on the grid of a volume, uint8 (z, y, x)."""
    labels = np.zeros(slicer.util.arrayFromVolume(volumeNode).shape, np.uint8)
    depth, height, width = labels.shape
    middle = slice(depth // 3, 2 * depth // 3)
    labels[middle, height // 3 : 2 * height // 3, width // 6 : width // 2] = 1
    labels[middle, height // 3 : height // 2, 2 * width // 3 : 5 * width // 6] = 2
    labels[depth // 2 : depth // 2 + 3, height // 2 : height // 2 + 12, width // 4 : width // 4 + 12] = 3
    return labels
