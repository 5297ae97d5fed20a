"""slicer.parameterNodeWrapper on the host: typed values in the scene, checked, and bound to widgets."""

import enum
from pathlib import Path
from typing import Annotated

import pytest

pytestmark = pytest.mark.slow  # of the stand-in itself, which changes seldom


class Device(enum.Enum):
    AUTO = "auto"
    CPU = "cpu"


def _parameters(node=None):
    import slicer
    from slicer.parameterNodeWrapper import Choice, Default, Minimum, WithinRange, parameterNodeWrapper

    @parameterNodeWrapper
    class Parameters:
        volume: slicer.vtkMRMLScalarVolumeNode
        share: Annotated[float, WithinRange(0, 100)] = 25.0
        count: Annotated[int, Minimum(1), Default(3)]
        mirror: bool = False
        model: Annotated[str, Choice(["default", "fine"])] = "default"
        device: Device = Device.CPU
        folder: Path

    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    return Parameters(node)


def test_defaults_are_written_to_the_node(scene):
    parameters = _parameters()
    assert (parameters.volume, parameters.share, parameters.count) == (None, 25.0, 3)
    assert (parameters.mirror, parameters.model, parameters.device) == (False, "default", Device.CPU)
    assert parameters.parameterNode.GetParameter("share") == "25.0"
    assert parameters.default("count").value == 3


def test_values_are_kept_in_the_node(scene):
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    parameters = _parameters()
    parameters.volume, parameters.share, parameters.device = volume, 50, Device.AUTO
    again = _parameters(parameters.parameterNode)
    assert again.volume is volume and again.share == 50.0 and again.device is Device.AUTO
    assert parameters.parameterNode.GetNodeReference("volume") is volume
    scene.RemoveNode(volume)
    assert again.volume is None


@pytest.mark.parametrize(
    "name, value, error",
    [
        ("share", 101.0, ValueError),
        ("share", "much", TypeError),
        ("share", None, ValueError),
        ("count", 0, ValueError),
        ("count", 2.5, TypeError),
        ("mirror", "yes", TypeError),
        ("model", "huge", ValueError),
        ("volume", 5, TypeError),
    ],
)
def test_wrong_values_are_refused(scene, name, value, error):
    parameters = _parameters()
    before = parameters.getValue(name)
    with pytest.raises(error):
        setattr(parameters, name, value)
    assert parameters.getValue(name) == before


def test_a_change_made_on_the_node_is_seen_and_told_once(scene):
    import slicer
    import vtk

    parameters = _parameters()
    seen = []
    parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: seen.append(parameters.share))
    with slicer.util.NodeModify(parameters):
        parameters.share = 1.0
        parameters.share = 2.0
    assert seen == [2.0]
    parameters.parameterNode.SetParameter("share", "7.5")
    assert parameters.share == 7.5 and parameters.isCached("share")


def _panel():
    import qt
    import slicer

    panel = qt.QWidget()
    column = qt.QVBoxLayout(panel)
    widgets = {
        "share": qt.QDoubleSpinBox(),
        "count": qt.QSpinBox(),
        "mirror": qt.QCheckBox(),
        "model": qt.QComboBox(),
        "volume": slicer.qMRMLNodeComboBox(),
    }
    widgets["volume"].noneEnabled = True
    widgets["volume"].setMRMLScene(slicer.mrmlScene)
    for name, widget in widgets.items():
        widget.setProperty("SlicerParameterName", name)
        column.addWidget(widget)
    return panel, widgets


def test_widgets_show_and_change_parameters(scene):
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    parameters = _parameters()
    panel, widgets = _panel()
    tag = parameters.connectParametersToGui(widgets)
    assert widgets["share"].value == 25.0 and widgets["share"].maximum == 100
    assert widgets["count"].minimum == 1 and widgets["model"].count == 2
    widgets["share"].value = 30.0
    widgets["mirror"].checked = True
    widgets["model"].currentIndex = 1
    widgets["volume"].setCurrentNode(volume)
    assert (parameters.share, parameters.mirror, parameters.model) == (30.0, True, "fine")
    assert parameters.volume is volume
    parameters.count = 9
    assert widgets["count"].value == 9
    parameters.disconnectGui(tag)
    widgets["count"].value = 2
    assert parameters.count == 9


def test_connect_gui_returns_no_tag_as_in_slicer(scene):
    parameters = _parameters()
    panel, widgets = _panel()
    assert parameters.connectGui(panel) is None
    assert widgets["share"].value == 25.0


def test_a_widget_that_slicer_cannot_bind_is_refused(scene):
    import ctk
    import qt

    parameters = _parameters()
    with pytest.raises(RuntimeError, match="GUI connector"):
        parameters.connectParametersToGui({"mirror": ctk.ctkCollapsibleButton()})
    with pytest.raises(RuntimeError, match="GUI connector"):
        parameters.connectParametersToGui({"share": ctk.ctkDoubleSpinBox()})
    with pytest.raises(ValueError, match="Cannot find a param"):
        parameters.connectParametersToGui({"shares": qt.QDoubleSpinBox()})


def test_what_the_host_lacks_says_so(scene):
    import slicer

    with pytest.raises(NotImplementedError):
        slicer.parameterNodeWrapper.parameterPack  # noqa: B018
