"""Made-up unenhanced scans for tests of fatty liver, and what a hand does with ROIs in them."""

import numpy as np
from panel_doubles import summaryOfLabels

from LiverSegSlicer.scene import results
from LiverSegSlicer.scene.volumes import volumeGrid

SHAPE = (36, 90, 110)
SPACING = (2.5, 2.5, 3.0)
LIVER_HU, SPLEEN_HU, NOISE_HU = 40, 50, 8


def labelArray(spleen=True):
    """Liver with a tumour, and spleen, uint8 (z, y, x)."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[6:30, 20:70, 12:60] = 1
    labels[15:20, 40:48, 30:38] = 3
    if spleen:
        labels[8:28, 45:75, 76:98] = 2
    return labels


def unenhancedScan(name="Patient", liver=LIVER_HU, seed=0):
    """A volume node with noise, that looks as if it came from a file."""
    import slicer

    labels = labelArray()
    voxels = np.full(SHAPE, 10, float)
    for value, hu in ((1, liver), (2, SPLEEN_HU), (3, 25)):
        voxels[labels == value] = hu
    voxels += np.random.default_rng(seed).normal(0, NOISE_HU, SHAPE)
    voxels[:, :4] = -1000
    volumeNode = slicer.util.addVolumeFromArray(np.round(voxels).astype(np.int16), name=name)
    volumeNode.SetSpacing(*SPACING)
    volumeNode.SetOrigin(-130, -100, -50)
    volumeNode.AddDefaultStorageNode()
    return volumeNode


def addResult(volumeNode, phase="unenhanced", spleen=True):
    """What a run would have brought of it."""
    labels = labelArray(spleen)
    summary = summaryOfLabels(volumeNode, labels, phase)
    found = results.RunResult(volumeNode.GetName(), labels, volumeGrid(volumeNode), summary)
    return results.applyResult(volumeNode, found)


def roisOf(segmentationNode):
    """The boxes by their short names, as the table has them."""
    from LiverSegSlicer.fatty_liver.rois import nameOf, roiNodes

    return {nameOf(node): node for node in roiNodes(segmentationNode)}


def move(roiNode, right=0.0, anterior=0.0, superior=0.0):
    """Move a box by mm."""
    centre = np.array(roiNode.GetCenter()) + (right, anterior, superior)
    roiNode.SetCenter(*centre)


def placeByHand(hand):
    """Press Place ROIs and wait until there are numbers."""
    hand.click("fattyPlaceButton")
    waitForNumbers(hand)


def waitForNumbers(hand):
    """Wait until liver and spleen were looked at and the ROIs measured."""
    work = hand.panel._steatosis._work
    hand.host.waitFor(lambda: not work.isBusy() and hand.seen("fattyWidget"))
    hand.settle(0.05)


def rowOf(hand, name):
    """Ticked, mean, SD, remark as the table shows them."""
    table = hand.widget("roisTable")
    for row in range(table.rowCount()):
        if table.item(row, 0).text() == name:
            ticked = table.item(row, 0).checkState().value == 2
            return (ticked, *(table.item(row, column).text() for column in (1, 2, 3)))
    return None


def names(hand):
    """The names in the table."""
    table = hand.widget("roisTable")
    return [table.item(row, 0).text() for row in range(table.rowCount())]


def chooseRow(hand, name, column=1):
    """Click on the row of an ROI."""
    hand.clickRow("roisTable", names(hand).index(name), column)
