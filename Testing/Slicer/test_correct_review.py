"""A corrected result is accepted, reopened by any change, saved and opened again; scripts correct too."""

import numpy as np
import pytest
from correct_fixtures import MISSED, labels, wait
from correct_hand import clickAt, worldOf
from panel_doubles import madeUpLabels

pytest_plugins = ["correct_fixtures"]


@pytest.fixture
def hand(correcting):
    """A panel with a result that misses a lesion."""
    return correcting


def measured(hand):
    """End the measuring in the background."""
    hand.host.waitFor(lambda: hand.logic.background, 5)
    hand.logic.background.pop().finish()
    hand.settle()


def acceptAs(hand, name):
    """Accept the result in the panel."""
    edit = hand.widget("reviewReaderEdit")
    edit.setText(name)
    hand.click("reviewAcceptButton")
    hand.settle()


def corrected(hand):
    """Add the missed lesion by a click, and measure."""
    clickAt(hand.host, "Red", worldOf(hand.volumeNode, MISSED))
    wait(hand)
    hand.settle(0.4)
    measured(hand)


def test_numbers_are_stale_at_once_and_follow(hand):
    assert not hand.seen("editedWidget")
    assert hand.widget("lesionsTable").rowCount() == 1
    clickAt(hand.host, "Red", worldOf(hand.volumeNode, MISSED))
    hand.host.waitFor(lambda: hand.seen("editedWidget"), 5)
    wait(hand)
    hand.settle(0.4)
    assert "measuring" in hand.text("editedLabel")
    measured(hand)
    assert not hand.seen("editedWidget")
    assert hand.widget("lesionsTable").rowCount() == 2


def test_accepting_an_edited_result_and_a_later_change_reopens_it(hand):
    assert "Automatic" in hand.text("reviewLabel")
    corrected(hand)
    assert "Edited" in hand.text("reviewLabel")
    acceptAs(hand, "Dr. Maria Weiß")
    assert "Accepted by Dr. Maria Weiß" in hand.text("reviewLabel")
    assert not hand.seen("correctWidget") and "accepted" in hand.text("correctEmptyLabel")
    assert not hand.enabled("lesionAddButton") and "accepted" in hand.tip("lesionAddButton")
    before = labels(hand)
    clickAt(hand.host, "Red", worldOf(hand.volumeNode, (8, 20, 11)))
    wait(hand)
    assert (labels(hand) == before).all(), "clicks in the views do nothing to what is accepted"
    eraseByScript(hand)
    assert "Changed after Dr. Maria Weiß accepted" in hand.text("reviewLabel")
    assert hand.seen("correctWidget")


def eraseByScript(hand):
    """Another module takes some voxels away."""
    from LiverSegSlicer.scene.edits import NodeWriter
    from LiverSegSlicer.scene.segments import imageOf

    image = imageOf(np.ones((2, 2, 2), bool), (14, 22, 8), hand.volumeNode)
    NodeWriter(hand.node).remove("tumour", image)
    hand.settle(0.5)


def test_edit_again_opens_it(hand):
    acceptAs(hand, "Dr. Roe")
    hand.click("reviewEditButton")
    assert "Opened for editing. Dr. Roe" in hand.text("reviewLabel")
    assert hand.seen("correctWidget")


def test_a_name_is_needed(hand):
    hand.widget("reviewReaderEdit").setText("  ")
    hand.settle()
    assert not hand.enabled("reviewAcceptButton") and "who" in hand.tip("reviewAcceptButton")


def test_the_changes_stand_beside_the_automatic_result_and_are_reverted_by_structure(hand):
    before = labels(hand)
    corrected(hand)
    table = hand.widget("correctTable")
    texts = [[table.item(row, column).text() for column in range(3)] for row in range(3)]
    assert texts[2][0] == "Liver tumors" and texts[2][1].startswith("+") and 0 < float(texts[2][2]) < 1
    assert texts[1][1:] == ["none", "1"]
    hand.clickRow("correctTable", 1)
    assert not hand.enabled("correctRevertButton")
    hand.clickRow("correctTable", 2)
    hand.click("correctRevertButton")
    hand.settle(0.5)
    assert (labels(hand) == before).all()
    hand.panel._correct.undo()
    hand.settle()
    assert not (labels(hand) == before).all()
    hand.click("correctOutlineButton")
    from LiverSegSlicer.scene.automatic import isOutlineShown

    assert isOutlineShown(hand.node)
    hand.click("correctOutlineButton")
    assert not isOutlineShown(hand.node)


def test_a_saved_scene_comes_back_with_review_and_automatic_result(hand, tmp_path):

    from LiverSegSlicer.scene.automatic import automaticOf
    from LiverSegSlicer.scene.parts import allResults, volumeOf

    corrected(hand)
    acceptAs(hand, "Dr. Roe")
    now = labels(hand)
    hand.saveAndOpen(tmp_path)
    (node,) = allResults()
    hand.node, hand.volumeNode = node, volumeOf(node)
    assert "Accepted by Dr. Roe" in hand.text("reviewLabel")
    assert (labels(hand) == now).all()
    assert automaticOf(node) is not None
    hand.click("reviewEditButton")
    hand.settle(0.3)
    assert float(hand.widget("correctTable").item(2, 2).text()) < 1


class TestElsewhere:
    def test_a_script_corrects_and_accepts(self, hand):
        from LiverSegLib.errors import UsageError
        from LiverSegSlicer.scene.review import reviewOf

        before = labels(hand)
        done = hand.logic.refine(hand.node, "tumor", include=[worldOf(hand.volumeNode, MISSED)])
        assert done.added == (labels(hand) == 3).sum() - (before == 3).sum() > 20
        with pytest.raises(UsageError, match="no segment kidney"):
            hand.logic.refine(hand.node, "kidney", include=[worldOf(hand.volumeNode, MISSED)])
        with pytest.raises(UsageError, match="outside"):
            hand.logic.refine(hand.node, "tumor", include=[(900, 900, 900)])
        hand.logic.measure = lambda node: hand.logic._measured(node)
        hand.logic.accept(hand.node, "Dr. Roe")
        assert (reviewOf(hand.node).state, reviewOf(hand.node).by) == ("accepted", "Dr. Roe")

    def test_the_effect_corrects_any_segmentation_in_slicers_own_editor(self, hand, scene):
        import slicer

        foreign = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Mine")
        foreign.CreateDefaultDisplayNodes()
        foreign.SetReferenceImageGeometryParameterFromVolumeNode(hand.volumeNode)
        mask = np.zeros((24, 60, 60), np.uint8)
        mask[6:14, 30:44, 40:45] = 1  # half of the spleen
        identifier = foreign.GetSegmentation().AddEmptySegment("", "My spleen")
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, foreign, identifier, hand.volumeNode)
        hand.panel.exit()
        editor = slicer.qMRMLSegmentEditorWidget()
        editor.setMRMLScene(scene)
        editor.setMRMLSegmentEditorNode(scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
        editor.setSegmentationNode(foreign)
        editor.setSourceVolumeNode(hand.volumeNode)
        editor.setActiveEffectByName("LiverSeg smart correct")
        clickAt(hand.host, "Red", worldOf(hand.volumeNode, (10, 37, 47)))
        wait(hand)
        after = slicer.util.arrayFromSegmentBinaryLabelmap(foreign, identifier, hand.volumeNode)
        spleen = madeUpLabels() == 2
        assert after[10, 37, 47] == 1 and after.sum() > mask.sum()
        assert (after[mask == 1] == 1).all() and (spleen[after == 1]).all(), "nothing but spleen is added"
        editor.undo()
        after = slicer.util.arrayFromSegmentBinaryLabelmap(foreign, identifier, hand.volumeNode)
        assert (after == mask).all()
        editor.delete()
        hand.panel.enter()


def test_another_color_makes_no_number_out_of_date(hand):
    hand.node.GetSegmentation().GetSegment("liver").SetColor(0.2, 0.4, 0.6)
    assert not hand.seen("editedWidget")
    hand.settle(0.5)
    assert not hand.seen("editedWidget") and not hand.logic.background


def test_what_was_undone_to_the_last_voxel_is_kept_in_no_journal(hand):
    from LiverSegSlicer.correct.journal import sharedJournal

    noted, forgotten = [], []
    journal = sharedJournal()
    journal.note, journal.forget = noted.append, forgotten.append
    try:
        clickAt(hand.host, "Red", worldOf(hand.volumeNode, MISSED))
        wait(hand)
        hand.settle(0.5)
        assert noted == [hand.node]
        hand.panel.undo()
        hand.settle(0.5)
        assert forgotten == [hand.node]
    finally:
        del journal.note, journal.forget
