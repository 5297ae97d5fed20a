"""The module is a guest: it acts while it is shown and on a click, and the views are the user's."""

import functools
import sys

import pytest
import slicer
from panel_doubles import FakeLogic, madeUpResult, madeUpScan

from LiverSegLib.errors import WorkerError
from LiverSegSlicer.scene import parts
from LiverSegSlicer.scene.results import applyResult

pytest_plugins = ["panel_fixtures"]

RED_ONLY = slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
FOUR_UP = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


def sceneState():
    """Visibility, references and attributes of every node: what a guest leaves alone."""
    state = {}
    for index in range(slicer.mrmlScene.GetNumberOfNodes()):
        node = slicer.mrmlScene.GetNthNode(index)
        names = [node.GetNthNodeReferenceRole(n) for n in range(node.GetNumberOfNodeReferenceRoles())]
        roles = {role: node.GetNodeReferenceID(role) for role in names}
        attributes = {name: node.GetAttribute(name) for name in node.GetAttributeNames()}
        visible = node.GetDisplayVisibility() if node.IsA("vtkMRMLDisplayableNode") else None
        state[node.GetID()] = (visible, roles, attributes)
    return state


def views():
    """Layout, slices and cameras."""
    layoutManager = slicer.app.layoutManager()
    slices = []
    for name in layoutManager.sliceViewNames():
        sliceNode = layoutManager.sliceWidget(name).mrmlSliceNode()
        slices.append(
            (name, sliceNode.GetSliceOffset(), sliceNode.GetFieldOfView(), sliceNode.GetXYZOrigin())
        )
    cameraNode = layoutManager.threeDWidget(0).threeDView().cameraNode()
    return layoutManager.layout, slices, cameraNode.GetPosition(), cameraNode.GetFocalPoint()


def makeTheViewsHerOwn(volumeNode):
    """Another layout, window, zoom, position and camera than LiverSeg would choose."""
    layoutManager = slicer.app.layoutManager()
    layoutManager.setLayout(RED_ONLY)
    volumeNode.CreateDefaultDisplayNodes()
    volumeNode.GetDisplayNode().SetAutoWindowLevel(False)
    volumeNode.GetDisplayNode().SetWindowLevel(1500, -400)
    for name in layoutManager.sliceViewNames():
        sliceNode = layoutManager.sliceWidget(name).mrmlSliceNode()
        sliceNode.SetFieldOfView(80, 60, 1)
        sliceNode.JumpSliceByCentering(11, 12, 13)
    layoutManager.threeDWidget(0).threeDView().cameraNode().SetPosition(500, 400, 300)


def isHerOwn(volumeNode, before):
    displayNode = volumeNode.GetDisplayNode()
    return views() == before and (displayNode.GetWindow(), displayNode.GetLevel()) == (1500, -400)


# ---- only while shown


@pytest.fixture
def hidden(hand, scan):
    """The panel with a result, after the user has gone to another module."""
    segmentationNode = hand.segment()
    hand.panel.exit()
    return segmentationNode


def test_nodes_that_come_and_go_while_it_is_not_shown_change_nothing(hand, scan, hidden):
    other = madeUpScan("Other patient")
    laterResult = applyResult(other, madeUpResult(other))
    before = sceneState()
    third = madeUpScan("Third patient")
    hand.settle(0.1)
    slicer.mrmlScene.RemoveNode(third)
    hand.settle(0.1)
    assert sceneState() == before
    marks = list(slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode"))
    seen = [node.GetDisplayVisibility() for node in marks]
    slicer.mrmlScene.RemoveNode(laterResult)
    slicer.mrmlScene.RemoveNode(hidden)
    hand.settle(0.1)
    assert [node.GetDisplayVisibility() for node in marks] == seen


def test_a_scan_loaded_while_it_is_not_shown_is_chosen_on_entering_and_not_before(hand, scan, hidden):
    parameterNode = slicer.mrmlScene.GetSingletonNode("LiverSeg", "vtkMRMLScriptedModuleNode")
    other = madeUpScan("Other patient")
    hand.settle(0.1)
    assert parameterNode.GetNodeReference("inputVolume") is scan
    hand.panel.enter()
    hand.settle()
    assert hand.panel.parameters.inputVolume is other
    assert hidden.GetDisplayVisibility()


def test_in_a_scene_that_is_new_while_it_is_not_shown_nothing_is_chosen(hand, scan, hidden):
    slicer.mrmlScene.Clear(False)
    later = madeUpScan("Later")
    hand.settle(0.1)
    parameterNode = slicer.mrmlScene.GetSingletonNode("LiverSeg", "vtkMRMLScriptedModuleNode")
    assert parameterNode is None or parameterNode.GetNodeReference("inputVolume") is None
    hand.panel.enter()
    hand.settle()
    assert hand.panel.parameters.inputVolume is later


def test_a_scene_opened_while_it_is_not_shown_brings_its_own_choice(hand, scan, tmp_path):
    hand.segment()
    madeUpScan("Follow-up")
    hand.settle()
    hand.chooseScan(scan)
    path = str(tmp_path / "case.mrb")
    assert slicer.util.saveScene(path)
    hand.panel.exit()
    slicer.mrmlScene.Clear(False)
    slicer.util.loadScene(path)
    hand.settle(0.1)
    hand.panel.enter()
    hand.settle()
    assert hand.panel.parameters.inputVolume.GetName() == "Patient"
    assert hand.text("liverValueLabel") == "768.0 ml"


def test_edits_made_elsewhere_are_seen_on_entering(hand, scan, hidden):
    before = sceneState()
    hidden.GetSegmentation().RemoveSegment("tumour")
    hand.settle(0.6)
    assert not hand.seen("editedWidget")
    assert sceneState() == before
    hand.panel.enter()
    hand.settle()
    assert hand.seen("editedWidget")


def test_a_run_that_ends_while_it_is_not_shown_puts_its_result_into_the_scene_and_touches_no_view(
    window, hand, scan
):
    makeTheViewsHerOwn(scan)
    hand.click("segmentButton")
    hand.panel.exit()
    before = views()
    hand.logic.run.finish()
    hand.settle(0.1)
    (segmentationNode,) = parts.allResults()
    assert isHerOwn(scan, before)
    hand.panel.enter()
    hand.settle()
    assert hand.panel.parameters.segmentation is segmentationNode
    assert hand.text("segmentButton") == "Segment"
    assert hand.text("messageLabel").startswith("Patient was segmented in ")
    assert isHerOwn(scan, before)


def test_no_observer_is_left_on_the_scene_or_the_parameter_node_after_leaving(hand, scan):
    parameterNode = hand.panel.parameters.parameterNode
    for _ in range(3):
        hand.panel.exit()
        hand.panel.enter()
    written = []
    bound = hand.panel.parameters
    assert len(bound.__dict__["_tags"]) == 2, "one for the widgets, one to draw anew"
    hand.panel.exit()
    assert "_tags" not in bound.__dict__
    parameterNode.AddObserver("ModifiedEvent", lambda caller, event: written.append(1))
    parameterNode.Modified()
    hand.settle()
    assert written == [1]


# ---- only on a click


def test_a_scan_that_arrives_hides_no_result(hand, scan):
    segmentationNode = hand.segment()
    madeUpScan("Other patient")
    hand.settle(0.1)
    assert hand.panel.parameters.inputVolume.GetName() == "Other patient"
    assert segmentationNode.GetDisplayVisibility()


def test_deleting_a_result_hides_nothing_that_stands_on_it(hand, scan):
    from LiverSegSlicer.scene.parts import LESION_MARKS

    segmentationNode = hand.segment()
    marksNode = segmentationNode.GetNodeReference(LESION_MARKS)
    slicer.mrmlScene.RemoveNode(segmentationNode)
    hand.settle(0.1)
    assert marksNode.GetDisplayVisibility()


def test_choosing_a_scan_shows_its_result_and_hides_the_others(window, hand, scan):
    first = hand.segment()
    other = madeUpScan("Other patient")
    hand.settle()
    hand.chooseScan(other)
    second = hand.segment()
    assert not first.GetDisplayVisibility() and second.GetDisplayVisibility()
    hand.chooseScan(scan)
    assert first.GetDisplayVisibility() and not second.GetDisplayVisibility()
    composite = slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
    assert composite.GetBackgroundVolumeID() == scan.GetID()


# ---- the views are the user's


def test_the_first_run_on_a_scan_arranges_the_views_and_a_rerun_does_not(window, hand, scan):
    slicer.app.layoutManager().setLayout(RED_ONLY)
    hand.segment()
    assert slicer.app.layoutManager().layout == FOUR_UP
    assert scan.GetDisplayNode().GetWindow() == 400
    makeTheViewsHerOwn(scan)
    before = views()
    again = hand.segment()
    assert isHerOwn(scan, before)
    slicer.mrmlScene.RemoveNode(again)
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        slicer.mrmlScene.RemoveNode(node)
    hand.settle()
    hand.segment()
    assert isHerOwn(scan, before), "a run after the results were deleted is a rerun too"


def test_choosing_a_scan_or_a_result_leaves_the_views_as_they_are(window, hand, scan):
    hand.segment()
    other = madeUpScan("Other patient", loaded=False)
    applyResult(other, madeUpResult(other))
    applyResult(other, madeUpResult(other))
    hand.settle()
    makeTheViewsHerOwn(scan)
    before = views()
    hand.chooseScan(other)
    hand.widget("resultSelector").setCurrentIndex(1)
    hand.widget("resultSelector").activated.emit(1)
    hand.settle()
    hand.chooseScan(scan)
    assert isHerOwn(scan, before)


def test_the_views_are_not_arranged_where_the_user_does_not_want_it(window, hand, scan):
    from LiverSegSlicer.parameters import Preferences

    assert Preferences().arrangeViews
    hand.open("advancedSection")
    hand.click("arrangeViewsCheckBox")
    assert not Preferences().arrangeViews
    makeTheViewsHerOwn(scan)
    before = views()
    segmentationNode = hand.segment()
    assert isHerOwn(scan, before)
    assert segmentationNode.GetDisplayVisibility()


# ---- reload


@pytest.fixture
def shown(window, host, ownModules):
    """LiverSeg's own widget, shown in the main window."""
    host.showModule("LiverSeg")
    yield slicer.modules.LiverSegWidget
    host.closePanels()


def test_after_a_reload_the_shown_panel_works_although_slicer_does_not_call_enter(shown, host, ownModules):
    shown.onReload()
    host.settle(0.1)
    panel = slicer.modules.LiverSegWidget.panel
    assert panel is not None and panel is not shown.panel
    volumeNode = madeUpScan("Later")
    host.settle(0.1)
    assert panel.parameters.inputVolume is volumeNode
    slicer.modules.LiverSegWidget.exit()
    assert panel.parameters is None


def test_a_panel_that_is_reloaded_while_another_module_is_shown_stays_quiet(shown, host, ownModules):
    host.mainWindow.closeModule()
    slicer.modules.LiverSegWidget.onReload()
    host.settle(0.1)
    assert slicer.modules.LiverSegWidget.panel.parameters is None


def test_reload_reads_the_core_anew_and_stops_the_worker(shown, host, ownModules):
    import LiverSegLib
    from LiverSegSlicer.work.worker_process import sharedWorker

    worker, stopped = sharedWorker(), []
    worker.stop = lambda: stopped.append(True)
    shown.onReload()
    host.settle(0.1)
    assert stopped
    assert sys.modules["LiverSegLib"] is not LiverSegLib
    from LiverSegSlicer.work.worker_process import sharedWorker as anew

    assert anew() is not worker


# ---- no exception is invisible


def test_whatever_any_slot_of_the_panel_raises_is_said_in_the_message_line(host, scene, monkeypatch):
    from panel_hand import makeHand

    from LiverSegSlicer import slots

    original, made, armed = slots.guarded, [], []

    def sabotaged(function):
        @functools.wraps(function)
        def slot(*arguments):
            if armed:
                raise ZeroDivisionError(function.__qualname__)
            return function(*arguments)

        made.append((function.__qualname__, original(slot)))
        return made[-1][1]

    for name, module in list(sys.modules.items()):
        if name.startswith("LiverSegSlicer.") and getattr(module, "guarded", None) is original:
            monkeypatch.setattr(module, "guarded", sabotaged)
    hand, end = makeHand(host)
    slotsOfThePanel = list(made)
    try:
        for name, slot in slotsOfThePanel:
            hand.panel._message.clear()
            armed.append(True)
            slot()
            armed.clear()
            assert "ZeroDivisionError" in hand.text("messageLabel"), name
            hand.click("messageDetailsButton")
            assert name in hand.widget("messageText").toPlainText()
    finally:
        armed.clear()
        end()
    assert len(slotsOfThePanel) > 50
    assert len(host.takeProblems()) == len(slotsOfThePanel)


def broken(*_arguments, **_options):
    raise ZeroDivisionError("made to fail")


def test_an_exception_at_the_start_of_a_run_leaves_the_button_as_it_was(hand, scan, monkeypatch):
    monkeypatch.setattr(hand.logic, "segmentAsync", broken)
    hand.click("segmentButton")
    hand.settle()
    assert "ZeroDivisionError" in hand.text("messageLabel")
    hand.click("messageDetailsButton")
    assert "made to fail" in hand.widget("messageText").toPlainText()
    assert hand.text("segmentButton") == "Segment" and hand.enabled("segmentButton")
    assert not hand.seen("runWidget")
    assert hand.host.takeProblems(), "it is logged"


@pytest.mark.parametrize("error", [None, WorkerError("The computing process ended.")])
def test_an_exception_at_the_end_of_a_run_leaves_no_busy_state(hand, scan, monkeypatch, error):
    hand.click("segmentButton")
    name = "tell" if error is None else "fail"
    original = getattr(hand.panel._message, name)
    calls = []

    def failOnce(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise ZeroDivisionError("made to fail")
        return original(*arguments)

    monkeypatch.setattr(hand.panel._message, name, failOnce)
    hand.logic.run.finish(error)
    hand.settle()
    assert hand.text("segmentButton") == "Segment"
    assert not hand.seen("runWidget")
    assert not hand.panel._runBar.isRunning()
    assert "ZeroDivisionError" in hand.text("messageLabel")
    assert hand.host.takeProblems()


def test_an_exception_while_the_panel_follows_the_scene_is_shown(hand, scan, monkeypatch):
    monkeypatch.setattr(hand.panel._scan, "show", broken)
    madeUpScan("Other patient")
    hand.settle()
    assert "ZeroDivisionError" in hand.text("messageLabel")
    assert hand.host.takeProblems()


def test_two_panels_hear_of_an_error_and_a_closed_one_does_not(hand, scan):
    from panel_hand import makeHand

    from LiverSegSlicer import slots

    second, end = makeHand(hand.host, FakeLogic())
    slots.report(WorkerError("Something failed."))
    assert hand.text("messageLabel") == second.text("messageLabel") == "Something failed."
    end()
    slots.report(WorkerError("Something else failed."))
    assert hand.text("messageLabel") == "Something else failed."
