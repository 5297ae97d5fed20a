"""Typical mistakes of a Slicer module: the host catches each, as an exception or as a problem of the test."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


def _widgets():
    import ctk
    import qt
    import slicer

    return {
        "qt": qt,
        "ctk": ctk,
        "slicer": slicer,
        "button": qt.QPushButton("Segment"),
        "spinBox": qt.QSpinBox(),
        "label": qt.QLabel(),
        "progressBar": qt.QProgressBar(),
        "comboBox": qt.QComboBox(),
        "timer": qt.QTimer(),
        "process": qt.QProcess(),
        "selector": slicer.qMRMLNodeComboBox(),
        "section": ctk.ctkCollapsibleButton(),
        "slider": ctk.ctkSliderWidget(),
        "table": slicer.qMRMLSegmentsTableView(),
        "segment": slicer.vtkSegment(),
    }


REFUSED = {
    "a property called as a method": ("button.text()", TypeError),
    "a property of a qMRML widget called as a method": ("selector.currentNodeID()", TypeError),
    "an unknown attribute read": ("button.caption", AttributeError),
    "an unknown attribute written": ("button.caption = 'x'", AttributeError),
    "a method assigned": ("label.setText = 'x'", AttributeError),
    "a float for an int property": ("spinBox.value = 2.5", AttributeError),
    "a float for an int slot": ("progressBar.setValue(45.0)", ValueError),
    "a number for a text property": ("button.text = 5", AttributeError),
    "a number for a text method": ("label.setText(5)", ValueError),
    "a node for a bool property": ("button.enabled = slicer.vtkMRMLTextNode()", AttributeError),
    "None for a bool property": ("button.enabled = None", AttributeError),
    "a text for a list property": ("selector.nodeTypes = 'vtkMRMLScalarVolumeNode'", AttributeError),
    "a read-only property written": ("table.segmentCount = 3", AttributeError),
    "a setter that CTK does not expose": ("section.setCollapsed(True)", AttributeError),
    "a getter that CTK does not expose": ("slider.getValue()", AttributeError),
    "a getter of PySide that is a property": ("comboBox.currentData()", TypeError),
    "a class of Qt 6 only": ("qt.QEnterEvent2", AttributeError),
    "a signal of Qt 6 only": ("qt.QCheckBox().checkStateChanged", AttributeError),
    "a wrong type for a node argument": ("selector.setMRMLScene(5)", ValueError),
    "surplus arguments for a slot": ("selector.currentNode(1)", ValueError),
    "the wrong kind of node": ("table.setSegmentationNode('vtkMRMLSegmentationNode1')", ValueError),
    "something not callable connected": ("button.connect('clicked()', 5)", ValueError),
    "a Python function for a menu": ("qt.QMenu().addAction('Report', lambda: None)", ValueError),
    "keyword arguments for a Qt method": ("label.setText(text='x')", TypeError),
    "a value of a class that PythonQt does not know": ("button.fontMetrics()", ValueError),
    "the same in another class": ("button.fontInfo()", ValueError),
    "a text written to a process": ("process.write('hello')", ValueError),
    "bytes() of a QByteArray": ("bytes(process.readAllStandardOutput())", TypeError),
    "a class newer than the release": ("slicer.vtkSlicerSegmentEditorLogic()", AttributeError),
    "a method newer than the release": ("segment.SetTerminology('x')", AttributeError),
    "snake_case of newer VTK": ("segment.label_value", AttributeError),
    "a module newer than the release": ("slicer.packaging", AttributeError),
    "a function newer than the release": ("slicer.util.executePythonModule", AttributeError),
    "an argument newer than the release": ("slicer.util.launchConsoleProcess([], blocking=False)", TypeError),
    "an unknown module": ("slicer.modules.liversegment", AttributeError),
    "an unknown keyword": ("slicer.util.loadVolume('a.nii', show=False)", TypeError),
    "a class that Qt is subclassed by": ("type('Mine', (qt.QWidget,), {})", TypeError),
}


@pytest.mark.parametrize("name", REFUSED)
def test_mistake_raises(host, name):
    code, error = REFUSED[name]
    with pytest.raises(error):
        exec(code, _widgets())


def test_a_subclass_of_a_qt_class_is_refused(host):
    import qt

    with pytest.raises(TypeError, match="do not derive"):

        class Mine(qt.QObject):
            pass


def test_what_the_host_lacks_says_so(host):
    import ctk

    with pytest.raises(NotImplementedError, match="ctkRangeWidget"):
        ctk.ctkRangeWidget()


NOTED = {
    "a signal that does not exist": "button.connect('pressedTwice()', print)",
    "a signal with wrong arguments": "button.connect('clicked(int)', print)",
    "a signal of qMRML with wrong arguments": "selector.connect('currentNodeChanged(QString)', print)",
    "an exception in a slot": "button.connect('clicked()', lambda: 1 / 0); button.click()",
    "an exception in a timer": "qt.QTimer.singleShot(0, lambda: 1 / 0); slicer.app.processEvents()",
    "an exception in an observer": "segment.AddObserver(33, lambda *_: 1 / 0); segment.Modified()",
    "a dialog that nobody expected": "slicer.util.confirmYesNoDisplay('Delete everything?')",
    "a file dialog that nobody expected": "qt.QFileDialog.getSaveFileName(None, 'Save as')",
}


@pytest.mark.parametrize("name", NOTED)
def test_mistake_is_noted_as_a_problem(host, name):
    exec(NOTED[name], _widgets())
    problems = host.takeProblems()
    assert len(problems) == 1, problems


def test_an_expected_dialog_that_never_opens_is_a_problem(host):
    host.answers.expect("Install PyTorch", 0)
    assert any("Install PyTorch" in problem for problem in host.takeProblems())


def test_a_surplus_argument_of_a_signal_is_dropped(host):
    import qt

    seen = []
    checkBox = qt.QCheckBox()
    checkBox.connect("toggled(bool)", lambda: seen.append("none"))
    checkBox.connect("toggled(bool)", lambda on: seen.append(on))
    checkBox.connect("toggled(bool)", lambda *all_: seen.append(all_))
    checkBox.checked = True
    assert seen == ["none", True, (True,)]


def test_disconnect_undoes_connect(host):
    import qt

    seen = []
    button = qt.QPushButton()

    def onClicked():
        seen.append(1)

    button.connect("clicked()", onClicked)
    assert button.disconnect("clicked()", onClicked)
    assert not button.disconnect("clicked()", onClicked)
    button.clicked.connect(onClicked)
    button.clicked.disconnect(onClicked)
    button.click()
    assert seen == []


def test_enumerations_are_integers_and_lists_are_tuples(host):
    import qt

    assert qt.Qt.AlignRight | qt.Qt.AlignTop == 34
    assert type(qt.QComboBox().sizeAdjustPolicy + 0) is int
    assert isinstance(qt.QWidget().children(), tuple)
    label = qt.QLabel()
    label.setAlignment(qt.Qt.AlignRight | qt.Qt.AlignTop)
    label.alignment = qt.Qt.AlignLeft
    assert label.alignment == qt.Qt.AlignLeft


def test_a_deleted_widget_is_false_and_cannot_be_used(host):
    import qt

    button = qt.QPushButton()
    button.delete()
    assert not button
    with pytest.raises(ValueError, match="destroyed"):
        button.text  # noqa: B018


NEWER = """
import sys
sys.path.insert(0, sys.argv[1])
from SlicerHost import boot
host = boot()
import slicer
assert (slicer.app.majorVersion, slicer.app.minorVersion) == (5, 12)
slicer.vtkSegment().SetTerminology
slicer.packaging.pip_install("torch")
slicer.util.pip_install("torch", constraints="c.txt")
functions = [call.function for call in host.pip.calls]
assert functions == ["slicer.packaging.pip_install", "slicer.util.pip_install"]
assert not host.takeProblems()
print("fine")
"""


def test_what_a_later_slicer_lost_is_refused_too(host):
    from SlicerHost import facts

    assert facts.kind("qMRMLThreeDView", "isRenderPaused") == "slot"
    assert not facts.exposes("qMRMLThreeDView", "isRenderPaused"), "gone in 5.12"
    assert facts.exposes("qMRMLThreeDView", "pauseRender")


def test_slicer_5_12_has_what_5_8_lacks():
    testing = Path(__file__).resolve().parents[1]
    environment = {**os.environ, "LIVERSEG_SLICER_RELEASE": "v5.12.3", "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", NEWER, str(testing)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.strip().endswith("fine"), done.stderr
