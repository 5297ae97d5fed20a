"""Copies, renamed boxes and what is left behind: what users do in the Data and Markups modules."""

import pytest
from steatosis_patients import move, roisOf, rowOf, waitForNumbers

pytestmark = pytest.mark.slow

pytest_plugins = ["steatosis_fixtures"]


@pytest.fixture
def copy(host, placed):
    """A clone of the result, as the Data module makes it."""
    import slicer

    hierarchyNode = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = slicer.vtkSlicerSubjectHierarchyModuleLogic.CloneSubjectHierarchyItem(
        hierarchyNode, hierarchyNode.GetItemByDataNode(placed)
    )
    return hierarchyNode.GetItemDataNode(item)


def foldersWith(attribute):
    """Number of subject-hierarchy folders with an attribute."""
    import slicer
    import vtk

    hierarchyNode = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    items = vtk.vtkIdList()
    hierarchyNode.GetItemChildren(hierarchyNode.GetSceneItemID(), items, True)
    every = [items.GetId(index) for index in range(items.GetNumberOfIds())]
    return sum(bool(hierarchyNode.GetItemAttribute(item, attribute)) for item in every)


def test_resetting_leaves_no_empty_folder_behind(hand, placed):
    for _ in range(3):
        hand.click("roiResetButton")
        waitForNumbers(hand)
    assert len(roisOf(placed)) == 10
    assert foldersWith("LiverSeg.RoiFolder") == 1


def test_boxes_of_the_same_name_keep_their_own_numbers(hand, placed):
    boxes = roisOf(placed)
    first, second = rowOf(hand, "L1")[1], rowOf(hand, "L2")[1]
    assert first != second
    boxes["L2"].SetName("L1")
    move(boxes["S1"], right=0.5)
    hand.settle()
    table = hand.widget("roisTable")
    shown = [(table.item(row, 0).text(), table.item(row, 1).text()) for row in range(2)]
    assert shown == [("L1", first), ("L1", second)]


def test_boxes_of_the_same_name_can_be_accepted_and_reported(hand, placed):
    import slicer

    from LiverSegSlicer.fatty_liver.assess import acceptedReading

    roisOf(placed)["L2"].SetName("L1")
    hand.settle()
    hand.widget("fattyReaderEdit").setText("Dr Example")
    hand.click("fattyAcceptButton")
    scan = slicer.util.getNode("Patient")
    assert acceptedReading(placed, scan)["accepted"]["by"] == "Dr Example"


def test_boxes_of_a_deleted_result_are_kept_as_they_are(hand, placed):
    import slicer

    boxes = list(roisOf(placed).values())
    assert all(box.GetDisplayVisibility() for box in boxes)
    slicer.mrmlScene.RemoveNode(placed)
    hand.settle()
    assert all(box.GetDisplayVisibility() for box in boxes), "nothing but a click hides them"
    assert all(box.GetScene() is not None for box in boxes)


def test_a_copy_of_a_result_is_left_to_the_user(hand, placed, copy):
    from LiverSegSlicer.scene import parts, views

    copy.SetDisplayVisibility(True)
    views.showOnlyResult(placed)
    assert copy.GetDisplayVisibility() and placed.GetDisplayVisibility()
    assert parts.resultFor(parts.volumeOf(placed)) is placed
    assert not parts.roisOf(copy) and parts.part(copy, parts.SUMMARY) is None


def test_a_copy_with_its_originals_references_writes_into_parts_of_its_own(hand, placed, copy):
    """Some releases of Slicer copy the references too."""
    from LiverSegSlicer.scene import parts, views

    for role in (parts.VOLUME, parts.SUMMARY, parts.STEATOSIS, parts.ROIS_TABLE, parts.LESION_MARKS):
        copy.SetNodeReferenceID(role, placed.GetNodeReferenceID(role))
    for box in roisOf(placed).values():
        copy.AddNodeReferenceID(parts.ROIS, box.GetID())
    assert not parts.isResult(copy) and parts.isResult(placed)
    assert not parts.roisOf(copy) and len(parts.roisOf(placed)) == 10
    views.showOnlyResult(None)
    assert copy.GetDisplayVisibility() and not placed.GetDisplayVisibility()
    views.showOnlyResult(placed)
    before = parts.part(placed, parts.STEATOSIS).GetText()
    hand.logic.assessSteatosis(parts.volumeOf(placed), copy, count=3)
    assert parts.part(placed, parts.STEATOSIS).GetText() == before
    assert len(parts.roisOf(placed)) == 10 and len(parts.roisOf(copy)) == 6
