"""Slicer's own effects: Paint and Erase with a round brush, the others by name only."""

from typing import Any, Callable, List, Optional, Tuple

import numpy as np
import vtk
from PySide6 import QtCore, QtGui, QtWidgets
from vtk.util.numpy_support import vtk_to_numpy

from . import effect_geometry as geometry
from .effect_base import ModificationMode, qSlicerSegmentEditorAbstractEffect
from .recorder import recorder
from .registry import slicer_class
from .view_widgets import qMRMLSliceWidget

UNUSABLE = (
    "Threshold",
    "Draw",
    "Level tracing",
    "Grow from seeds",
    "Fill between slices",
    "Margin",
    "Hollow",
    "Smoothing",
    "Scissors",
    "Islands",
    "Logical operators",
    "Mask volume",
)
"""Effects of Slicer that can be chosen here, not used."""

ICON_PIXELS = 21
"""Width and height of an effect's icon."""

RELATIVE_DIAMETER = 3.0
"""Percent of the view's height: Slicer's brush at the beginning."""


def letter_icon(text: str) -> QtGui.QIcon:
    """A picture of the size of Slicer's, so that buttons are as wide as there."""
    picture = QtGui.QPixmap(ICON_PIXELS, ICON_PIXELS)
    picture.fill(QtCore.Qt.GlobalColor.transparent)
    painter = QtGui.QPainter(picture)
    painter.drawText(picture.rect(), int(QtCore.Qt.AlignmentFlag.AlignCenter), text[:2])
    painter.end()
    return QtGui.QIcon(picture)


class NamedEffect(qSlicerSegmentEditorAbstractEffect):
    """An effect that is real in Slicer and only a name here; it says so when a view is clicked."""

    slicerName = "qSlicerSegmentEditorScriptedEffect"

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def icon(self) -> QtGui.QIcon:
        return letter_icon(self._name)

    def clone(self) -> "NamedEffect":
        return NamedEffect(self._name)

    def self(self) -> Any:  # the name that Slicer gave it
        raise NotImplementedError(f"the effect {self._name} is real in Slicer, the host has only its name")

    def processInteractionEvents(self, interactor: Any, event: int, view_widget: Any) -> bool:
        if event == vtk.vtkCommand.LeftButtonPressEvent:
            recorder.violation(f"the effect {self._name} is real in Slicer, the host has only its name")
        return False


@slicer_class
class qSlicerSegmentEditorAbstractLabelEffect(qSlicerSegmentEditorAbstractEffect):
    """Effects that write labelmaps."""


@slicer_class
class qSlicerSegmentEditorPaintEffect(qSlicerSegmentEditorAbstractLabelEffect):
    """Press, drag, release in a slice view: a stroke, one undo state, written when the button comes up."""

    mode = ModificationMode.Add

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._name = "Paint"
        self._stroke: List[np.ndarray] = []
        self._painting = False

    def icon(self) -> QtGui.QIcon:
        return letter_icon(self._name)

    def helpText(self) -> str:
        return "Press and drag in a slice view to paint with a round brush."

    def setMRMLDefaults(self) -> None:
        self.setCommonParameterDefault("BrushDiameterIsRelative", 1)
        self.setCommonParameterDefault("BrushRelativeDiameter", RELATIVE_DIAMETER)
        self.setCommonParameterDefault("BrushAbsoluteDiameter", 5.0)
        self.setCommonParameterDefault("BrushSphere", 0)

    def setupOptionsFrame(self) -> None:
        sphere = QtWidgets.QCheckBox()
        sphere.setObjectName("BrushSphereCheckbox")
        sphere.toggled.connect(lambda on: self.setCommonParameter("BrushSphere", int(on)))
        self.addLabeledOptionsWidget("Sphere brush:", sphere)
        self._sphere = sphere

    def updateGUIFromMRML(self) -> None:
        if self.parameterSetNode() is not None:
            self._sphere.setChecked(self.integerParameter("BrushSphere") != 0)

    def processInteractionEvents(self, interactor: Any, event: int, view_widget: Any) -> bool:
        if not isinstance(view_widget, qMRMLSliceWidget):
            return False
        command = vtk.vtkCommand
        if event == command.LeftButtonPressEvent:
            return self._begin(interactor, view_widget)
        if event == command.MouseMoveEvent and self._painting:
            self._add_point(interactor, view_widget)
            return True
        if event == command.LeftButtonReleaseEvent and self._painting:
            self._painting = False
            self._apply(view_widget)
            return True
        return False

    def _begin(self, interactor: Any, view_widget: Any) -> bool:
        if interactor.GetControlKey() or interactor.GetShiftKey() or interactor.GetAltKey():
            return False
        if self.confirmCurrentSegmentVisible() != self.ConfirmedWithoutDialog:
            return False
        self._painting, self._stroke = True, []
        self._add_point(interactor, view_widget)
        return True

    def _add_point(self, interactor: Any, view_widget: Any) -> None:
        position = (*interactor.GetEventPosition(), 0)
        self._stroke.append(np.array(geometry.xyz_to_ras(position, view_widget.mrmlSliceNode())))

    def _radius(self, view_widget: Any) -> float:
        """Of the brush, in mm."""
        if not self.integerParameter("BrushDiameterIsRelative"):
            return self.doubleParameter("BrushAbsoluteDiameter") / 2
        height = view_widget.mrmlSliceNode().GetFieldOfView()[1]
        return height * self.doubleParameter("BrushRelativeDiameter") / 200

    def _apply(self, view_widget: Any) -> None:
        labelmap = self.defaultModifierLabelmap()
        if labelmap is None or self.parameterSetNode() is None:
            return
        self.saveStateForUndo()
        radius = self._radius(view_widget)
        node, logic = view_widget.mrmlSliceNode(), view_widget.sliceLogic()
        half = None
        if not self.integerParameter("BrushSphere"):
            half = geometry.slice_spacing(node, logic) / 2
        normal = np.array([node.GetSliceToRAS().GetElement(row, 2) for row in range(3)])
        transform = self.parameterSetNode().GetSegmentationNode().GetParentTransformNode()
        for point in self._stroke:
            stamp(labelmap, point, radius, normal, half, transform)
        labelmap.Modified()
        self.modifySelectedSegmentByLabelmap(labelmap, self.mode)


@slicer_class
class qSlicerSegmentEditorEraseEffect(qSlicerSegmentEditorPaintEffect):
    """Paint that takes away."""

    mode = ModificationMode.Remove

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._name = "Erase"

    def helpText(self) -> str:
        return "Press and drag in a slice view to erase with a round brush."


def _matrix(matrix: Any) -> np.ndarray:
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def stamp(
    labelmap: Any,
    point: np.ndarray,
    radius: float,
    normal: np.ndarray,
    half: Optional[float],
    transform: Any = None,
) -> None:
    """Sets the voxels of a labelmap to 1 whose centre lies in a ball, and in a disk of it where `half` says
    how far (mm) from the plane through the point.

    Args:
        labelmap: vtkOrientedImageData, changed.
        point: RAS mm (3,).
        radius: mm.
        normal: of the plane, unit length, RAS (3,).
        half: half the thickness of the disk in mm; None for the whole ball.
        transform: the transform node over the segmentation.
    """
    to_world = vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(to_world)
    ijk_to_ras = _matrix(to_world)
    if transform is not None:
        above = vtk.vtkMatrix4x4()
        transform.GetMatrixTransformToWorld(above)
        ijk_to_ras = _matrix(above) @ ijk_to_ras
    extent = np.array(labelmap.GetExtent()).reshape(3, 2)
    center = np.linalg.solve(ijk_to_ras, (*point, 1.0))[:3]
    reach = radius * np.linalg.norm(np.linalg.inv(ijk_to_ras[:3, :3]), axis=1) + 1
    low = np.maximum(np.floor(center - reach), extent[:, 0]).astype(int)
    high = np.minimum(np.ceil(center + reach), extent[:, 1]).astype(int)
    if (low > high).any():
        return
    grids = np.meshgrid(*[np.arange(a, b + 1) for a, b in zip(low, high)], indexing="ij")
    places = np.stack(grids, -1) @ ijk_to_ras[:3, :3].T + ijk_to_ras[:3, 3] - point
    inside = np.linalg.norm(places, axis=-1) <= radius
    if half is not None:
        inside &= np.abs(places @ normal) <= half
    voxels = vtk_to_numpy(labelmap.GetPointData().GetScalars())
    voxels = voxels.reshape(*reversed(labelmap.GetDimensions()))
    box: Tuple[slice, ...] = tuple(
        slice(a - start, b - start + 1) for a, b, start in zip(low, high, extent[:, 0])
    )
    voxels[box[::-1]][inside.transpose(2, 1, 0)] = 1


def _named(name: str) -> Callable[[], NamedEffect]:
    return lambda: NamedEffect(name)


BUILT_IN: Tuple[Callable[[], qSlicerSegmentEditorAbstractEffect], ...] = (
    qSlicerSegmentEditorPaintEffect,
    qSlicerSegmentEditorEraseEffect,
    *[_named(name) for name in UNUSABLE],
)
"""What makes each of Slicer's own effects."""
