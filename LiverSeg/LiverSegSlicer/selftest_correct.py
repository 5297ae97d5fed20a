"""What LiverSegTest does to correct and accept: clicks in a slice view, undo, a new lesion, *Accept*."""

from typing import Any, Tuple

import numpy as np
import slicer

from LiverSegLib.labels import LIVER, TUMOUR

from .correct.corrector import sharedCorrector
from .scene import parts, segments
from .scene.review import ACCEPTED, AUTOMATIC, EDITED, reviewOf
from .scene.volumes import ijkToRas, volumeGrid
from .selftest_hand import PanelHand

_NUMBERS_S = 60.0
"""New numbers are there within this time after an edit, on any machine."""


class CorrectSteps:
    """The steps; each leaves the segments as they were before it.

    Args:
        test: the ScriptedLoadableModuleTest that asserts.
        hand: on the panel.
        volumeNode: the bundled scan. segmentationNode: its result.
    """

    def __init__(self, test: Any, hand: PanelHand, volumeNode: Any, segmentationNode: Any) -> None:
        self._test = test
        self._hand = hand
        self._volumeNode = volumeNode
        self._node = segmentationNode

    def canClick(self) -> bool:
        """Whether there are views to click in."""
        return slicer.app.layoutManager() is not None

    def clicksAndUndoes(self) -> None:
        """A click with Ctrl takes a part of a tumor away, which becomes liver; undo brings it back, bit by
        bit."""
        self._hand.ui.correctSection.collapsed = False
        self._hand.settle()
        self._hand.look("correct")
        self._hand.press("correctTumorButton")
        before = self._labels()
        self._click(self._inLesion(before), control=True)
        after = self._labels()
        gone = before != after
        self._test.assertGreater(np.count_nonzero(gone), 0, "nothing was removed")
        self._test.assertEqual(set(np.unique(before[gone])), {TUMOUR})
        self._test.assertEqual(set(np.unique(after[gone])), {LIVER})
        self._hand.waitFor(
            lambda: self._hand.ui.editedWidget.isVisible(), "the note that numbers are out of date", 5.0
        )
        self._hand.look("clicked")
        self._undo()
        self._test.assertTrue(np.array_equal(self._labels(), before), "undo is exact")

    def addsLesion(self) -> None:
        """One click adds a lesion, whose row comes into the table by itself; undo takes it away."""
        before, rows = self._labels(), self._hand.ui.lesionsTable.rowCount
        self._hand.press("lesionAddButton")
        self._click(self._deepInLiver(before))
        added = np.count_nonzero(self._labels() == TUMOUR) - np.count_nonzero(before == TUMOUR)
        self._test.assertGreater(added, 0, "no lesion was added")
        self._waitForNumbers()
        self._test.assertEqual(self._hand.ui.lesionsTable.rowCount, rows + 1)
        self._test.assertEqual(reviewOf(self._node).state, EDITED)
        self._hand.look("lesion added")
        self._undo()
        self._waitForNumbers()
        self._test.assertTrue(np.array_equal(self._labels(), before))
        self._test.assertEqual(self._hand.ui.lesionsTable.rowCount, rows)
        self._hand.ui.correctSection.collapsed = True

    def acceptsAndReopens(self, reader: str) -> None:
        """*Accept* stores who and when; an edit by a script opens it again; so does *Edit again*."""
        self._test.assertEqual(reviewOf(self._node).state, AUTOMATIC)
        self._hand.ui.reviewReaderEdit.setText(reader)
        self._hand.press("reviewAcceptButton")
        review = reviewOf(self._node)
        self._test.assertEqual((review.state, review.by), (ACCEPTED, reader))
        self._test.assertIn(reader, self._hand.text("reviewLabel"))
        self._hand.look("result accepted")
        self._hand.press("reviewEditButton")
        self._test.assertEqual(reviewOf(self._node).state, AUTOMATIC)
        self._test.assertIn(reader, self._hand.text("reviewLabel"), "who had accepted it is still said")

    # ---- help

    def _labels(self) -> np.ndarray:
        return segments.labelsOf(self._node, self._volumeNode)

    def _click(self, place: Tuple[int, ...], control: bool = False) -> None:
        """Click on a voxel (z, y, x) in the red view and wait until the correction is done."""
        ras = (ijkToRas(self._volumeNode) @ [*place[::-1], 1.0])[:3]
        self._hand.clickAt(ras, control)
        self._hand.waitFor(lambda: not sharedCorrector().isBusy(), "the correction")
        self._hand.settle()

    def _undo(self) -> None:
        slicer.util.getModuleWidget("LiverSeg").panel.undo()
        self._hand.settle()

    def _waitForNumbers(self) -> None:
        self._hand.settle(0.5)
        self._hand.waitFor(lambda: not self._hand.ui.editedWidget.isVisible(), "new numbers", _NUMBERS_S)

    def _inLesion(self, labels: np.ndarray) -> Tuple[int, ...]:
        """A voxel deep in the largest lesion."""
        lesion = parts.summaryOf(self._node)["measurements"]["lesions"][0]
        grid = volumeGrid(self._volumeNode)
        middle = np.rint(grid.indices(np.array(lesion["centre_lps_mm"])))[::-1]
        places = np.argwhere(labels == TUMOUR)
        nearest = places[np.argmin(np.linalg.norm((places - middle) * grid.spacing[::-1], axis=1))]
        return tuple(int(index) for index in nearest)

    def _deepInLiver(self, labels: np.ndarray) -> Tuple[int, ...]:
        """The voxel of the liver that lies furthest from everything else."""
        from scipy import ndimage

        depth = ndimage.distance_transform_edt(
            np.pad(labels == LIVER, 1), sampling=self._volumeNode.GetSpacing()[::-1]
        )
        return tuple(int(index) - 1 for index in np.unravel_index(np.argmax(depth), depth.shape))
