"""The lint catches each kind of mistake in the module's Python files, and lets right code pass."""

import textwrap

import pytest

from lint.command import check
from lint.facts import Facts

PANEL = """\
<ui version="4.0"><class>Panel</class>
<widget class="qMRMLWidget" name="Panel">
 <widget class="QPushButton" name="segmentButton"/>
 <widget class="QProgressBar" name="progressBar"/>
 <widget class="qMRMLNodeComboBox" name="volumeSelector"/>
 <widget class="ctkCollapsibleButton" name="resultsButton"/>
 <widget class="QSpinBox" name="idleSpinBox"/>
</widget></ui>
"""

HEAD = """\
import ctk
import numpy as np
import qt
import slicer
import vtk
from slicer.i18n import tr as _
"""


@pytest.fixture(scope="module")
def facts():
    return Facts()


@pytest.fixture
def codes(tmp_path, facts):
    """Lints the text of a file, with PANEL beside it; returns the codes found and keeps the messages."""

    def run(text, head=HEAD, core=None):
        (tmp_path / "panel.ui").write_text(PANEL, encoding="utf-8")
        (tmp_path / "other.py").write_text("from os import path as there\nmade = 1\n")
        (tmp_path / "file.py").write_text(head + textwrap.dedent(text), encoding="utf-8")
        found = check([tmp_path], facts, core)
        run.messages = "\n".join(map(str, found))
        return [finding.code for finding in found]

    return run


def in_method(*lines):
    """The lines as the body of a method."""
    body = "\n".join(f"        {line}" for line in lines)
    return f"class Section:\n    def act(self, segmentationNode, volumeNode):\n{body}\n"


MISTAKES = {
    # names
    "a class that Qt does not have": ("name", in_method("qt.QPushButon()")),
    "a widget that CTK does not have": ("name", in_method("ctk.ctkColapsibleButton()")),
    "a node class that Slicer does not have": ("name", in_method("slicer.vtkMRMLLesionNode()")),
    "a VTK class that VTK does not have": ("name", in_method("vtk.vtkLiverFilter()")),
    "a node class imported from slicer": ("name", "from slicer import vtkMRMLLesionNode\n"),
    "a function that slicer.util does not have": ("name", in_method("slicer.util.loadCT('x')")),
    "a function imported from slicer.util": ("name", "from slicer.util import loadCT\n"),
    "a part of Slicer that only 5.12 has": ("name", in_method("import slicer.packaging")),
    "an attribute of slicer": ("name", in_method("slicer.scene.Clear()")),
    "a file of ours that is not there": ("name", "from .nowhere import x\n"),
    "a name that a file of ours does not have": ("name", "from .other import missing\n"),
    "a method of a view": (
        "member",
        in_method("view = slicer.app.layoutManager().threeDWidget(0).threeDView()", "view.resetCameras()"),
    ),
    "a value that PythonQt refuses": ("member", in_method("self.ui.segmentButton.fontMetrics().height()")),
    "the same of an object of unknown class": ("member", in_method("volumeNode.GetID().fontInfo()")),
    # keywords
    "a keyword of slicer.util": ("keyword", in_method("slicer.util.loadVolume('x', label=True)")),
    # members
    "a method newer than 5.8 (terminology)": (
        "member",
        in_method("segment = slicer.vtkSegment()", "segment.SetTerminology('x')"),
    ),
    "the same on an object of unknown class": ("member", in_method("self.find().SetTerminology('x')")),
    "a method of another class": ("member", in_method("segmentationNode.GetImageData()")),
    "an event that no longer exists": (
        "member",
        in_method("self.observe(slicer.vtkSegmentation.MasterRepresentationModified)"),
    ),
    "a method that ctk does not show": ("member", in_method("self.ui.resultsButton.setCollapsed(True)")),
    "a misspelt method": ("member", in_method("self.ui.segmentButton.setTooltip(_('Segment'))")),
    "a method of a widget made here": (
        "member",
        in_method("label = qt.QLabel()", "label.setTxt(_('Liver'))"),
    ),
    "a method of a node made here": (
        "member",
        in_method("node = slicer.mrmlScene.AddNewNodeByClass('vtkMRMLTableNode')", "node.AddRow([1])"),
    ),
    "a method of self's timer": (
        "member",
        "class A:\n    def __init__(self):\n        self.timer = qt.QTimer()\n"
        "    def go(self):\n        self.timer.setTimeout(5)\n",
    ),
    "a method of an annotated argument": (
        "member",
        "def f(process: qt.QProcess):\n    process.launch('x')\n",
    ),
    "a method of what a function returns": (
        "member",
        "def make() -> 'qt.QProcess':\n    return qt.QProcess()\n"
        "class A:\n    def __init__(self):\n        self.p = make()\n"
        "    def end(self):\n        p, self.p = self.p, None\n        p.terminateNow()\n",
    ),
    # properties
    "a property called": ("property", in_method("self.ui.volumeSelector.currentNodeID()")),
    "a property of a plain widget called": ("property", in_method("name = self.ui.segmentButton.text()")),
    "a method assigned": ("property", in_method("self.ui.segmentButton.click = 1")),
    "an attribute that does not exist, assigned": ("property", in_method("self.ui.segmentButton.colour = 1")),
    "a float for an int property": ("property", in_method("self.ui.progressBar.value = 0.5")),
    "a property that cannot be written": ("property", in_method("self.ui.segmentButton.width = 5")),
    "a method not called": (
        "property",
        in_method("if self.ui.volumeSelector.currentNode is None:", "    pass"),
    ),
    "a method of a node not called": ("property", in_method("if volumeNode.GetName == 'x':", "    pass")),
    # signals
    "a signal with the wrong types": (
        "signal",
        in_method("self.ui.segmentButton.connect('clicked(int)', f)"),
    ),
    "a signal without types": ("signal", in_method("self.ui.segmentButton.connect('clicked', f)")),
    "a signal of another class": ("signal", in_method("self.ui.segmentButton.connect('timeout()', f)")),
    "a signal of ctk, misspelt": (
        "signal",
        in_method("self.ui.resultsButton.connect('contentCollapsed(bool)', f)"),
    ),
    "a signal that only Qt 6 has": (
        "signal",
        in_method("box = qt.QCheckBox()", "box.connect('checkStateChanged(Qt::CheckState)', f)"),
    ),
    "a signal that no class has": ("signal", in_method("self.button.connect('clickedTwice(bool)', f)")),
    "a signal of the application": ("signal", in_method("slicer.app.connect('aboutToExit()', f)")),
    # widgets
    "a widget that no .ui file has": ("ui", in_method("self.ui.cancelButton.enabled = True")),
    # loading
    "torch": ("import", "import torch\n"),
    "torch in a function": ("import", "def f():\n    import torch\n"),
    "the network": ("import", "def f():\n    from urllib.request import urlopen\n"),
    "a package that Slicer may lack": ("import", "import pandas\n"),
    "a module of Slicer that may be disabled": ("import", "import SampleData\n"),
    "a room of the core that loads torch": ("import", "from LiverSegLib.networks import residual_unet\n"),
    "a call": ("effect", "print('loaded')\n"),
    "a change of the path": ("effect", "import sys\nsys.path.append('x')\n"),
    "a change of the environment": ("effect", "import os\nos.environ['A'] = '1'\n"),
    "an object of Slicer": ("effect", "NODE = slicer.mrmlScene.GetFirstNodeByName('x')\n"),
    "a widget": ("effect", "TIMER = qt.QTimer()\n"),
    "a loop": ("effect", "for _i in range(3):\n    pass\n"),
    "a call in a class": ("effect", "class A:\n    widget = qt.QWidget()\n"),
    "a call in a try": (
        "effect",
        "try:\n    slicer.util.selectModule('Data')\nexcept RuntimeError:\n    pass\n",
    ),
    # Python 3.9
    "match": ("python39", "def f(x):\n    match x:\n        case 1:\n            pass\n"),
    "a union in an annotation": ("python39", "def f(x: int | None):\n    pass\n"),
    "a union in a return annotation": ("python39", "def f() -> 'str' | None:\n    pass\n"),
    "a union in a class": ("python39", "class A:\n    x: int | None = None\n"),
    "a union in isinstance": ("python39", "def f(x):\n    return isinstance(x, int | str)\n"),
    "a union inside Optional": ("python39", "from typing import Optional\nX = Optional[int | str]\n"),
    "zip strict": ("python39", "def f(a, b):\n    return zip(a, b, strict=True)\n"),
    "slots": (
        "python39",
        "from dataclasses import dataclass\n@dataclass(slots=True)\nclass A:\n    x: int\n",
    ),
    "a newer function": ("python39", "from itertools import pairwise\n"),
    "a newer name of a module": ("python39", "import enum\nclass A(enum.StrEnum):\n    B = 'b'\n"),
    "except*": ("python39", "def f():\n    try:\n        pass\n    except* ValueError:\n        pass\n"),
    # texts
    "a text set": ("untranslated", in_method("self.ui.segmentButton.setText('Segment')")),
    "a text assigned": ("untranslated", in_method("self.ui.segmentButton.text = 'Segment'")),
    "a tooltip with values": ("untranslated", in_method("self.ui.segmentButton.toolTip = f'{a} slices'")),
    "a formatted text": ("untranslated", in_method("self.label.setText('{} ml'.format(v) + 'liver')")),
    "an item": ("untranslated", in_method("self.box.addItem('Automatic')")),
    "headers": ("untranslated", in_method("self.table.setHorizontalHeaderLabels([_('ml'), 'Place'])")),
    "a text made with the widget": ("untranslated", in_method("self.label = qt.QLabel('Volume')")),
    "a question": ("untranslated", in_method("slicer.util.confirmOkCancelDisplay('Install?')")),
    "the help": (
        "untranslated",
        "class A:\n    def __init__(self, parent):\n        parent.helpText = 'Segments.'\n",
    ),
    "an error": (
        "untranslated",
        "from LiverSegLib.errors import InputError\ndef f():\n    raise InputError('The volume is empty.')\n",
    ),
    "a sentence kept for later": ("untranslated", "def f():\n    return 'Choose a scan above.'\n"),
    "a message of ours": ("untranslated", in_method("self.message.tell('Measured')")),
    "a translated f-string": ("untranslated", in_method("self.label.setText(_(f'{a} slices'))")),
    # manners
    "a thread": ("thread", "def f():\n    import threading\n"),
    "a pool": ("thread", "from concurrent.futures import ThreadPoolExecutor\n"),
    "a thread of Qt": ("thread", in_method("qt.QThreadPool()")),
    "a subclass of a Qt class": ("subclass", "class Button(qt.QPushButton):\n    pass\n"),
    "a subclass of Slicer's widget": ("subclass", "class A(slicer.qMRMLWidget):\n    pass\n"),
    "a modal dialog": ("dialog", in_method("self.dialog.exec_()")),
    "a message box": ("dialog", in_method("qt.QMessageBox.warning(None, _('a'), _('b'))")),
    "a pop-up": ("dialog", in_method("slicer.util.errorDisplay(_('The run failed.'))")),
    "a wait": ("blocking", "import time\ndef f():\n    time.sleep(1)\n"),
    "a process waited for": ("blocking", "from subprocess import run\ndef f():\n    run(['x'])\n"),
    "a process of Qt waited for": ("blocking", "def f(p: qt.QProcess):\n    p.waitForFinished(1000)\n"),
    "events processed": ("reentry", in_method("slicer.app.processEvents()")),
    "a long file": ("length", "#\n" * 400),
    # comments
    "an allowance without reason": ("allow", in_method("slicer.app.processEvents()  # lint: allow reentry")),
    "an allowance of nothing": ("allow", in_method("x = 1  # lint: allow reentry so it must be")),
}


@pytest.mark.parametrize("code, text", MISTAKES.values(), ids=list(MISTAKES))
def test_catches(codes, code, text):
    assert codes(text) == [code], codes.messages


RIGHT = {
    "what the panel does all day": in_method(
        "self.ui.segmentButton.enabled = True",
        "self.ui.segmentButton.setEnabled(self.ui.segmentButton.isEnabled())",
        "self.ui.segmentButton.text = _('Cancel')",
        "self.ui.segmentButton.connect('clicked(bool)', self.onSegment)",
        "self.ui.segmentButton.clicked.connect(self.onSegment)",
        "self.ui.volumeSelector.connect('currentNodeChanged(vtkMRMLNode*)', self.onVolume)",
        "self.ui.volumeSelector.setCurrentNode(volumeNode)",
        "node = self.ui.volumeSelector.currentNode()",
        "identity = self.ui.volumeSelector.currentNodeID",
        "self.ui.resultsButton.collapsed = False",
        "self.ui.progressBar.value = int(50.5)",
        "self.ui.progressBar.setFormat('%p %')",
        "self.ui.idleSpinBox.connect('valueChanged(int)', self.onIdle)",
        "slicer.app.connect('aboutToQuit()', self.onQuit)",
        "slicer.app.layoutManager()",
        "style = qt.QFrame.NoFrame | qt.Qt.AlignRight",
        "qt.QTimer.singleShot(0, self.onTimer)",
    ),
    "what the scene code does": in_method(
        "segment = slicer.vtkSegment()",
        "segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), 'x')",
        "segmentationNode.GetSegmentation().AddSegment(segment, 'liver')",
        "segmentationNode.GetDisplayNode().SetSegmentOpacity3D('liver', 0.4)",
        "segmentationNode.AddObserver(vtk.vtkCommand.ModifiedEvent, self.onModified)",
        "matrix = vtk.vtkMatrix4x4()",
        "volumeNode.GetIJKToRASMatrix(matrix)",
        "matrix.SetElement(0, 0, np.float32(1))",
        "shNode = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)",
        "shNode.CreateFolderItem(shNode.GetSceneItemID(), 'x')",
        "self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onClosed)",
        "slicer.util.setSliceViewerLayers(background=volumeNode, fit=True)",
    ),
    "SimpleITK and other modules": (
        "import SimpleITK as sitk\nfrom pathlib import Path\n"
        "def f(path: Path):\n    image = sitk.ReadImage(str(path))\n"
        "    return sitk.GetArrayViewFromImage(image)\n"
    ),
    "a child process": (
        "class Child:\n    def __init__(self):\n        self._process = qt.QProcess()\n"
        "        self._process.connect('finished(int,QProcess::ExitStatus)', self._onEnd)\n"
        "        self._process.connect('errorOccurred(QProcess::ProcessError)', self._onError)\n"
        "        self._process.connect('readyReadStandardOutput()', self._onOutput)\n"
        "    def send(self, line):\n        self._process.write(line)\n"
        "        return self._process.readAllStandardOutput().data()\n"
        "    def stop(self):\n        self._process.kill()\n"
        "        return self._process.state() == qt.QProcess.NotRunning\n"
    ),
    "what a release lacks, asked for": (
        "def a(requirement):\n    try:\n        from slicer.packaging import pip_ensure\n"
        "    except ImportError:\n        return slicer.util.pip_install(requirement)\n"
        "    return pip_ensure([requirement])\n"
        "def b(segment):\n    if hasattr(segment, 'SetTerminology'):\n        segment.SetTerminology('x')\n"
    ),
    "constants, data classes and a logger": (
        "import logging\nimport re\nfrom dataclasses import dataclass, field\nfrom pathlib import Path\n"
        "from typing import Dict, NamedTuple, Optional\n"
        "LOGGER = logging.getLogger(__name__)\nPATTERN = re.compile('x')\n"
        "HERE = Path(__file__).resolve().parent\nTO_RAS = np.diag([-1.0, -1.0, 1.0])\n"
        "NAMES = {value: str(value) for value in (1, 2)}\nTITLE = _('Liver')\n"
        "class Row(NamedTuple):\n    name: str\n    volume: Optional[float] = None\n"
        "@dataclass(frozen=True)\nclass Options:\n    device: str = 'auto'\n"
        "    names: Dict[str, str] = field(default_factory=dict)\n"
        "if __name__ == '__main__':\n    print(Row('a'))\n"
    ),
    "a light room of the core": (
        "from LiverSegLib.worker import protocol\nfrom LiverSegLib.labels import LABELS\n"
    ),
    "a name of our own": "from . import other\nfrom .other import there, made\n",
    "a heavy package where it is used": "def f():\n    import SampleData\n    import pydicom\n",
    "types for the reader only": (
        "from __future__ import annotations\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import pandas\ndef f(x: int | None) -> pandas.DataFrame:\n    pass\n"
    ),
    "texts that are none": in_method(
        "self.ui.segmentButton.setText('')",
        "self.label.text = '–'",
        "self.label.setText(f'{a:.1f}')",
        "self.label.setText(_('{} slices').format(3))",
        "self.label.setText(self.sentence)",
        "self.box.addItem(name)",
        "self.worker.log.add('The worker has ended.')",
        "raise ValueError('The caller must give a scan.')",
    ),
    "an error translated": (
        "from LiverSegLib.errors import InputError\n"
        "def f():\n    raise InputError(_('The volume is empty.'))\n"
    ),
    "what a comment allows": in_method(
        "slicer.app.processEvents()  # lint: allow reentry the button is disabled meanwhile",
        "# lint: allow dialog the user must agree before anything is installed",
        "self.dialog.exec_()",
    ),
}


@pytest.mark.parametrize("text", RIGHT.values(), ids=list(RIGHT))
def test_lets_pass(codes, text):
    future = "from __future__" in text
    head = "" if future else HEAD
    assert codes(text, head=head) == [], codes.messages


def test_a_release_is_named_where_only_one_lacks_it(codes):
    codes(in_method("import slicer.packaging"))
    assert "slicer.packaging is not in Slicer 5.8.1 and 5.10.0" in codes.messages


def test_a_finding_names_file_line_and_code(codes):
    codes("\n\nimport torch\n", head="")
    assert codes.messages.endswith(
        "file.py:3: import: torch must not be imported: it belongs in the child process"
    )


def test_no_python_at_all_is_a_finding(codes):
    assert codes("def f(:\n", head="") == ["python39"]


def test_a_room_of_the_core_is_heavy_by_what_it_loads(codes, tmp_path):
    core = tmp_path / "core" / "LiverSegLib"
    (core / "deep").mkdir(parents=True)
    (core / "__init__.py").write_text("")
    (core / "light.py").write_text("import numpy\ndef f():\n    import torch\n")
    (core / "deep" / "__init__.py").write_text("from ..middle import x\n")
    (core / "middle.py").write_text("from . import bottom\nx = 1\n")
    (core / "bottom.py").write_text("import torch\n")
    text = "from LiverSegLib import light\nfrom LiverSegLib.deep import x\n"
    (tmp_path / "file.py").write_text(text)
    found = check([tmp_path / "file.py"], core=core)
    assert [(f.line, f.code) for f in found] == [(2, "import")]
    assert "loads torch" in found[0].message
