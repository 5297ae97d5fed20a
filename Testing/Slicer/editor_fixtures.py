"""A segment editor with an effect in Python, beside four views of an oblique volume."""

import numpy as np
import pytest
from editor_samples import EFFECT, SHAPE, newEditor


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The file of the effect; its folder's name becomes the name of a module."""
    folder = tmp_path_factory.mktemp("one") / "ProbeEffects"
    folder.mkdir()
    path = folder / "SegmentEditorProbeEffect.py"
    path.write_text(EFFECT)
    return str(path)


@pytest.fixture
def registered(host, source):
    """The effect is registered; returns the Python object of the registered one."""
    import qSlicerSegmentationsEditorEffectsPythonQt as effects
    import slicer

    effect = effects.qSlicerSegmentEditorScriptedEffect(None)
    assert effect.setPythonSource(source)
    assert slicer.qSlicerSegmentEditorEffectFactory.instance().registerEffect(effect)
    yield effect.self()
    host.forgetEffect("Probe")


@pytest.fixture
def volume(scene):
    """A volume that is oblique to the patient's axes, with anisotropic voxels; its values are i + j + k."""
    import slicer
    import vtk

    k, j, i = np.indices(SHAPE)
    made = slicer.util.addVolumeFromArray((i + j + k).astype(np.int16), name="CT")
    turn = vtk.vtkTransform()
    turn.RotateZ(20)
    turn.RotateX(15)
    made.SetSpacing(3, 2, 5)
    made.SetOrigin(-50, -30, -40)
    made.SetIJKToRASDirections(
        *[turn.GetMatrix().GetElement(row, column) for row in range(3) for column in range(3)]
    )
    made.CreateDefaultDisplayNodes()
    return made


@pytest.fixture
def segmentation(scene, volume):
    """Two empty segments in the volume's geometry."""
    made = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "S")
    made.CreateDefaultDisplayNodes()
    made.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    for name in ("liver", "tumor"):
        made.GetSegmentation().AddEmptySegment(name, name)
    return made


@pytest.fixture
def editor(host, window, scene, registered, segmentation, volume):
    """An editor with the effect active, beside four views that show the volume."""
    import slicer

    made = newEditor(scene, segmentation, volume)
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    host.settle(0.05)
    made.setActiveEffectByName("Probe")
    yield made
    made.delete()
