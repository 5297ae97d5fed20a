"""The lint reads .ui files: widgets, properties and connections that a release of Slicer does not know."""

import pytest

from lint.command import check, main
from lint.facts import Facts

FRAME = """\
<ui version="4.0">
 <class>Panel</class>
 <widget class="qMRMLWidget" name="Panel">
  <layout class="QVBoxLayout" name="layout">
{}
  </layout>
 </widget>
 <connections>
{}
 </connections>
</ui>
"""
CONNECTION = (
    "  <connection><sender>{}</sender><signal>{}</signal><receiver>{}</receiver><slot>{}</slot></connection>"
)


DYNAMIC = ' stdset="0"'


def widget(class_name, name, **properties):
    """A widget with properties, each given as the XML inside it; ``SlicerParameterName`` is dynamic."""
    inside = "".join(
        f'<property name="{key}"{DYNAMIC if key[0].isupper() else ""}>{value}</property>'
        for key, value in properties.items()
    )
    return f'<item><widget class="{class_name}" name="{name}">{inside}</widget></item>'


@pytest.fixture
def lint(tmp_path):
    """Lints a panel made of widgets and connections; returns (code, message) pairs."""

    def run(widgets, connections=(), python=""):
        (tmp_path / "panel.ui").write_text(FRAME.format("\n".join(widgets), "\n".join(connections)))
        (tmp_path / "parameters.py").write_text(python)
        return [(finding.code, finding.message) for finding in check([tmp_path], lint_facts)]

    return run


lint_facts = Facts()

SELECTOR = widget("qMRMLNodeComboBox", "volumeSelector", noneEnabled="<bool>true</bool>")
SCENE = CONNECTION.format(
    "Panel", "mrmlSceneChanged(vtkMRMLScene*)", "volumeSelector", "setMRMLScene(vtkMRMLScene*)"
)


def test_a_right_panel_passes(lint):
    widgets = [
        SELECTOR,
        widget(
            "ctkCollapsibleButton", "section", collapsed="<bool>true</bool>", text="<string>More</string>"
        ),
        widget("QPushButton", "button", toolTip="<string>Go</string>", enabled="<bool>false</bool>"),
        widget("qMRMLSegmentsTableView", "segments", opacityColumnVisible="<bool>true</bool>"),
        widget("Line", "line", orientation="<enum>Qt::Horizontal</enum>"),
        widget("QTableWidget", "lesions", columnCount="<number>4</number>"),
        widget("QDoubleSpinBox", "limit", SlicerParameterName="<string>minimumMl</string>"),
    ]
    connections = [SCENE, CONNECTION.format("button", "clicked()", "section", "toggle()")]
    python = "@parameterNodeWrapper\nclass P:\n    minimumMl: float = 0\n"
    assert lint(widgets, connections, python) == []


@pytest.mark.parametrize(
    "widgets, connections, code, words",
    [
        ([widget("ctkMagicButton", "a")], [], "ui", "ctkMagicButton is no widget class"),
        (
            [widget("QPushButton", "a", colour="<string>red</string>")],
            [],
            "ui",
            "QPushButton has no property colour",
        ),
        ([widget("ctkCollapsibleButton", "a", collapse="<bool>1</bool>")], [], "ui", "no property collapse"),
        (
            [widget("qMRMLSubjectHierarchyTreeView", "a", addNodeMenuActionVisible="<bool>0</bool>")],
            [],
            "ui",
            "Slicer 5.8.1",
        ),
        ([SELECTOR, widget("QLabel", "volumeSelector")], [], "ui", "two widgets are named volumeSelector"),
        (
            [widget("QSpinBox", "a", SlicerParameterName="<string>minutes</string>")],
            [],
            "ui",
            "the parameter node has no field 'minutes'",
        ),
        ([SELECTOR], [SCENE.replace("SceneChanged", "SceneLoaded")], "signal", "no signal mrmlSceneLoaded"),
        ([SELECTOR], [SCENE.replace("setMRMLScene", "setScene")], "signal", "no slot setScene"),
        (
            [SELECTOR],
            [SCENE.replace("volumeSelector", "selector")],
            "ui",
            "names selector, which is no widget",
        ),
        (
            [SELECTOR, widget("QPushButton", "b")],
            [CONNECTION.format("b", "clicked(bool)", "volumeSelector", "setMRMLScene(vtkMRMLScene*)")],
            "signal",
            "does not give what",
        ),
    ],
)
def test_catches(lint, widgets, connections, code, words):
    found = lint(widgets, connections, "@parameterNodeWrapper\nclass P:\n    minimumMl: float = 0\n")
    assert [c for c, _message in found] == [code], found
    assert words in found[0][1]


def test_what_is_no_xml_is_a_finding(tmp_path):
    (tmp_path / "panel.ui").write_text("<ui>\n<widget></ui>")
    assert [(f.line, f.code) for f in check([tmp_path], lint_facts)] == [(2, "ui")]


def test_command_prints_findings_and_fails(tmp_path, capsys):
    (tmp_path / "file.py").write_text("import torch\n")
    assert main([str(tmp_path)]) == 1
    output = capsys.readouterr().out
    assert "file.py:1: import:" in output
    assert "1 findings in files: 1 .py, 0 .ui" in output


def test_command_passes_right_files(tmp_path):
    (tmp_path / "file.py").write_text("import slicer\n")
    assert main([str(tmp_path)]) == 0


def test_command_refuses_a_path_that_is_not_there(tmp_path, capsys):
    assert main([str(tmp_path / "nowhere")]) == 2
    assert "There is no" in capsys.readouterr().err


def test_the_module_has_no_findings():
    assert list(map(str, check_module())) == []


def check_module():
    """The findings in the module itself."""
    from lint.command import MODULE_PATHS

    return check([path for path in MODULE_PATHS if path.exists()], lint_facts)
