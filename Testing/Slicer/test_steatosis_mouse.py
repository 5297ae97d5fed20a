"""An ROI dragged by real mouse events in a slice view."""

import numpy as np
import pytest
from panel_hand import makeHand
from PySide6 import QtCore
from PySide6.QtTest import QTest
from steatosis_patients import addResult, chooseRow, placeByHand, roisOf, rowOf, unenhancedScan


@pytest.fixture
def reading(window, host, scene):
    """A panel beside four views, with ROIs placed and the slices at L1."""
    hand, end = makeHand(host)
    volumeNode = unenhancedScan()
    hand.settle()
    segmentationNode = addResult(volumeNode)
    hand.logic.showResult(volumeNode, segmentationNode)
    hand.settle()
    placeByHand(hand)
    chooseRow(hand, "L1")
    hand.settle(0.2)
    yield hand, segmentationNode
    end()


def drag(host, view, start, end, steps=6):
    """Move to a handle, press, drag and release; points in Qt's pixels of the view."""

    def moveTo(point):
        QTest.mouseMove(view, QtCore.QPoint(*(int(round(value)) for value in point)))
        host.settle(0.03)

    start, end = np.array(start, float), np.array(end, float)
    moveTo(start + (2, 2))
    moveTo(start)
    moveTo(start)
    QTest.mousePress(view, QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, QtCore.QPoint(*map(int, start)))
    for step in range(1, steps + 1):
        moveTo(start + (end - start) * step / steps)
    QTest.mouseRelease(view, QtCore.Qt.LeftButton, QtCore.Qt.NoModifier, QtCore.QPoint(*map(int, end)))
    host.settle(0.1)


def test_dragging_the_handle_in_a_slice_view_moves_the_box_and_its_numbers(reading):
    import slicer

    from SlicerHost.pythonqt import unwrap

    hand, segmentationNode = reading
    roiNode = roisOf(segmentationNode)["L1"]
    view = slicer.app.layoutManager().sliceWidget("Red").sliceView()
    canvas = unwrap(view)
    before, row = np.array(roiNode.GetCenter()), rowOf(hand, "L1")
    toXY = np.linalg.inv(
        [[view.mrmlSliceNode().GetXYToRAS().GetElement(r, c) for c in range(4)] for r in range(4)]
    )
    x, y = (toXY @ [*before, 1.0])[:2]
    ratio = canvas.devicePixelRatioF()
    start = (x / ratio, (canvas.pixel_size()[1] - 1 - y) / ratio)
    drag(hand.host, canvas, start, (start[0] + 40, start[1] + 10))
    moved = np.array(roiNode.GetCenter()) - before
    assert np.linalg.norm(moved[:2]) > 5 and abs(moved[2]) < 0.5
    assert rowOf(hand, "L1")[1:3] != row[1:3]
    assert rowOf(hand, "L1")[3] in ("Yours",) or "outside" in rowOf(hand, "L1")[3] or rowOf(hand, "L1")[3]
