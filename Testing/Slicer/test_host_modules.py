"""A scripted module on the host: loading, panel from a .ui file, switching, reloading, saving, unloading."""

import os
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow  # of the stand-in itself, which changes seldom

MODULE = """
import slicer
import vtk
from slicer.ScriptedLoadableModule import *
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

log = []


class Probe(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("Probe")
        parent.categories = ["Testing"]
        slicer.app.connect("startupCompleted()", lambda: log.append("startup"))


class ProbeWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/Probe.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = ProbeLogic()
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, lambda *_: log.append("closing"))
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, lambda *_: log.append("closed"))
        log.append("setup")

    def enter(self):
        log.append("enter")

    def exit(self):
        log.append("exit")

    def cleanup(self):
        self.removeObservers()
        log.append("cleanup")


class ProbeLogic(ScriptedLoadableModuleLogic):
    pass


class ProbeTest(ScriptedLoadableModuleTest):
    def runTest(self):
        self.delayDisplay("running")
        log.append("tested")
"""
PANEL = """<ui version="4.0"><class>Probe</class>
<widget class="qMRMLWidget" name="Probe"><layout class="QVBoxLayout" name="column">
<item><widget class="qMRMLNodeComboBox" name="inputSelector">
<property name="nodeTypes"><stringlist notr="true"><string>vtkMRMLScalarVolumeNode</string></stringlist>
</property>
{extra}</widget></item>
<item><widget class="ctkCollapsibleButton" name="section">
<property name="text"><string>Results</string></property>
<layout class="QVBoxLayout" name="inner"><item><widget class="QPushButton" name="button"/></item></layout>
</widget></item>
</layout></widget>
<customwidgets>
<customwidget><class>qMRMLWidget</class><extends>QWidget</extends><header>qMRMLWidget.h</header></customwidget>
<customwidget><class>qMRMLNodeComboBox</class><extends>QWidget</extends><header>qMRMLNodeComboBox.h</header></customwidget>
<customwidget><class>ctkCollapsibleButton</class><extends>QWidget</extends><header>x.h</header></customwidget>
</customwidgets>
<connections><connection><sender>Probe</sender><signal>{signal}</signal><receiver>{receiver}</receiver>
<slot>{slot}</slot></connection></connections></ui>"""
WORKING = {
    "extra": "",
    "signal": "mrmlSceneChanged(vtkMRMLScene*)",
    "receiver": "inputSelector",
    "slot": "setMRMLScene(vtkMRMLScene*)",
}


def _write(folder: Path, **changes) -> Path:
    (folder / "Resources" / "UI").mkdir(parents=True, exist_ok=True)
    (folder / "Resources" / "UI" / "Probe.ui").write_text(PANEL.format(**{**WORKING, **changes}))
    (folder / "Probe.py").write_text(MODULE)
    return folder / "Probe.py"


@pytest.fixture
def probe(host, tmp_path):
    """slicer.modules.probe, unloaded after the test."""
    yield host.loadModule(_write(tmp_path))
    host.unloadModule("Probe")


def _log():
    import sys

    return sys.modules["Probe"].log


def test_a_module_is_set_up_entered_left_and_cleaned_up(host, window, tmp_path):
    import slicer

    module = host.loadModule(_write(tmp_path))
    assert (
        module.title == "Probe"
        and module.path == str(tmp_path / "Probe.py")
        and module.categories == ("Testing",)
    )
    widget = host.showModule("Probe")
    assert widget is slicer.modules.ProbeWidget is module.widgetRepresentation().self()
    log = _log()
    slicer.util.mainWindow().moduleSelector().selectModule("Volumes")
    host.showModule("Probe")
    host.clear()
    host.unloadModule("Probe")
    assert log == ["startup", "setup", "enter", "exit", "enter", "closing", "closed", "exit", "cleanup"]
    assert not hasattr(slicer.modules, "probe")


def test_the_panel_follows_the_scene(host, probe, scene):
    widget = probe.widgetRepresentation().self()
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "CT")
    assert widget.ui.inputSelector.currentNode() is volume
    volume.SetName("CT 2")
    assert widget.ui.inputSelector.nodeCount() == 1
    scene.RemoveNode(volume)
    assert widget.ui.inputSelector.currentNode() is None


def test_reloading_makes_a_new_panel(host, window, probe):
    import slicer

    before = host.showModule("Probe")
    slicer.util.reloadScriptedModule("Probe")
    assert slicer.modules.ProbeWidget is not before
    assert _log() == ["setup"], "as in Slicer, enter() is not called again"
    assert slicer.modules.ProbeWidget.parent.isEntered


def test_the_modules_own_test_runs(host, probe):
    import slicer

    slicer.selfTests["Probe"]()
    assert "tested" in _log()


@pytest.mark.parametrize(
    "changes",
    [
        {"signal": "sceneChanged(vtkMRMLScene*)"},
        {"slot": "setScene(vtkMRMLScene*)"},
        {"receiver": "inputSelectors"},
        {"slot": "setCurrentNode(vtkMRMLNode*)"},
        {"extra": '<property name="noneAllowed"><bool>true</bool></property>'},
    ],
    ids=["signal", "slot", "receiver", "arguments", "property"],
)
def test_a_broken_ui_file_is_a_problem(host, tmp_path, changes):
    import slicer

    _write(tmp_path, **changes)
    assert slicer.util.loadUI(str(tmp_path / "Resources" / "UI" / "Probe.ui"))
    problems = host.takeProblems()
    assert len(problems) == 1 and "Probe.ui" in problems[0]


def test_an_exception_in_setup_is_a_problem(host, tmp_path):
    path = _write(tmp_path)
    path.write_text(MODULE.replace("self.logic = ProbeLogic()", "self.logic = ProbeLogics()"))
    module = host.loadModule(path)
    module.widgetRepresentation()
    host.unloadModule("Probe")
    problems = host.takeProblems()
    assert len(problems) == 1 and "ProbeLogics" in problems[0]


def _file(node, name):
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), name)
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), folder)


def _folder_of(node):
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    return hierarchy.GetItemName(hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)))


def test_a_saved_scene_comes_back_with_all_of_it(host, scene, tmp_path):
    import slicer

    volume = slicer.util.addVolumeFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5), name="CT")
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", "Volumes")
    slicer.util.updateTableFromArray(table, np.array([[1.0, 2.0]]), ["liver", "spleen"])
    text = scene.AddNewNodeByClass("vtkMRMLTextNode", "Summary")
    text.SetText("{}")
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Organs")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    mask = (slicer.util.arrayFromVolume(volume) > 30).astype(np.uint8)
    segment = segmentation.GetSegmentation().AddEmptySegment("liver", "Liver")
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation, segment, volume)
    segmentation.AddNodeReferenceID("LiverSeg.Summary", text.GetID())
    _file(table, "CT LiverSeg")
    assert slicer.util.saveScene(str(tmp_path / "case.mrb"))
    host.clear()
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    slicer.util.loadScene(str(tmp_path / "case.mrb"))
    segmentation = slicer.util.getNode("Organs")
    assert np.array_equal(slicer.util.arrayFromVolume(slicer.util.getNode("CT")) > 30, mask)
    again = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, "liver", slicer.util.getNode("CT"))
    assert np.array_equal(again, mask)
    assert segmentation.GetNodeReference("LiverSeg.Summary").GetText() == "{}"
    assert _folder_of(slicer.util.getNode("Volumes")) == "CT LiverSeg"


def test_a_hierarchy_held_while_the_scene_closes_is_a_problem(host, scene):
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    host.clear()
    problems = host.takeProblems()
    assert len(problems) == 1 and "is held" in problems[0]
    assert hierarchy.GetScene() is None
    del hierarchy
    host.clear()
    assert host.takeProblems() == []


def test_a_sequence_browser_shows_its_frames(host, scene):
    import slicer

    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode")
    for index in range(2):
        volume = slicer.util.addVolumeFromArray(np.full((2, 3, 4), index * 10, np.int16))
        sequence.SetDataNodeAtValue(volume, str(index))
        scene.RemoveNode(volume)
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    proxy = browser.GetProxyNode(sequence)
    browser.SetSelectedItemNumber(1)
    assert isinstance(proxy, slicer.vtkMRMLScalarVolumeNode)
    assert slicer.util.arrayFromVolume(proxy).max() == 10


def test_samples_can_be_registered_and_loaded(host, scene, tmp_path):
    import SampleData
    import slicer

    path = tmp_path / "small.nrrd"
    slicer.util.saveNode(slicer.util.addVolumeFromArray(np.zeros((2, 3, 4), np.int16)), str(path))
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="Probe", sampleName="Small", uris=path.as_uri(), fileNames="small.nrrd", nodeNames="Small"
    )
    assert SampleData.SampleDataLogic().downloadSample("Small").GetName() == "Small"


def test_nothing_is_installed(host):
    import subprocess

    import slicer

    slicer.util.pip_install("torch")
    host.pip.fail("no connection")
    with pytest.raises(subprocess.CalledProcessError):
        slicer.util.pip_install("torch")
    assert [call.requirements for call in host.pip.calls] == ["torch", "torch"]


def test_texts_can_be_translated(host):
    from slicer.i18n import tr as _

    host.translations["Liver"] = "Leber"
    assert _("Liver") == "Leber" and _("Spleen") == "Spleen"


def test_there_is_no_main_window_unless_a_test_wants_one(host):
    import slicer

    assert slicer.util.mainWindow() is None and slicer.app.layoutManager() is None
    assert os.path.isdir(slicer.app.temporaryPath)


QUITTING = """
import sys
sys.path.insert(0, sys.argv[1])
from SlicerHost import boot
host = boot()
import slicer
slicer.app.connect("aboutToQuit()", lambda: print("about to quit", flush=True))
module = host.loadModule(sys.argv[2])
host.openWindow()
host.showModule("Probe")
log = sys.modules["Probe"].log
host.shutDown()
print(log, host.takeProblems(), flush=True)
"""


def test_quitting_tells_everyone_and_cleans_up(tmp_path):
    import subprocess
    import sys

    testing = str(Path(__file__).resolve().parents[1])
    command = [sys.executable, "-c", QUITTING, testing, str(_write(tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "about to quit",
        "['startup', 'setup', 'enter', 'exit', 'cleanup'] []",
    ]


def test_the_segment_editor_undoes_what_code_changed(host, scene):
    import slicer

    volume = slicer.util.addVolumeFromArray(np.zeros((4, 5, 6), np.int16))
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segment = segmentation.GetSegmentation().AddEmptySegment("liver", "Liver")
    editor = slicer.qMRMLSegmentEditorWidget()
    editor.setSegmentationNode(segmentation)
    assert editor.segmentationNode() is None  # as in Slicer: nothing without scene and editor node
    editor.setMRMLScene(scene)
    editor.setMRMLSegmentEditorNode(scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    editor.setSegmentationNode(segmentation)
    editor.setSourceVolumeNode(volume)
    assert editor.currentSegmentID() == "liver"
    editor.saveStateForUndo()
    mask = np.ones((4, 5, 6), np.uint8)
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation, segment, volume)
    editor.undo()
    assert not slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment, volume).any()
    editor.redo()
    assert slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment, volume).all()


def test_the_table_of_segments_follows_and_changes_the_segmentation(host, scene):
    import slicer

    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    segmentation.CreateDefaultDisplayNodes()
    table = slicer.qMRMLSegmentsTableView()
    table.setMRMLScene(scene)
    table.setSegmentationNode(segmentation)
    for name in ("liver", "spleen"):
        segmentation.GetSegmentation().AddEmptySegment(name, name.capitalize())
    assert table.segmentCount == 2
    seen = []
    table.connect("selectionChanged(QItemSelection,QItemSelection)", lambda *_: seen.append(1))
    table.setSelectedSegmentIDs(["spleen"])
    assert table.selectedSegmentIDs() == ("spleen",) and seen
    segmentation.GetDisplayNode().SetSegmentVisibility("liver", False)
    segmentation.GetSegmentation().RemoveSegment("spleen")
    assert table.segmentCount == 1 and table.selectedSegmentIDs() == ()
