"""Slice and 3D views on Slicer's real displayable managers."""

from typing import Any, List

import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets

from .registry import slicer_class, stored_property
from .vtk_canvas import VtkCanvas

# taken before the release gate closes: displayable managers are not for modules
SLICE_MANAGERS = (
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLScalarBarDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLTransformsDisplayableManager2D",
    "vtkMRMLLinearTransformsDisplayableManager",
    "vtkMRMLColorLegendDisplayableManager",
)
THREE_D_MANAGERS = (
    "vtkMRMLVolumeRenderingDisplayableManager",
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLThreeDReformatDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager3D",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLTransformsDisplayableManager3D",
    "vtkMRMLLinearTransformsDisplayableManager",
    "vtkMRMLColorLegendDisplayableManager",
)
AXES = ("Right", "Left", "Posterior", "Anterior", "Inferior", "Superior")
"""Directions to look from, in the order of vtkMRMLCameraNode::Direction."""


class _View(VtkCanvas):
    """What slice and 3D views share: a renderer whose displayable managers follow a view node."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._renderer = vtk.vtkRenderer()
        self.render_window.AddRenderer(self._renderer)
        self._managers = slicer.vtkMRMLDisplayableManagerGroup()
        self._managers.SetRenderer(self._renderer)
        self._managers.AddObserver("UpdateEvent", lambda caller, event: self.schedule_render())
        self._corner = vtk.vtkCornerAnnotation()

    def _start_managers(self, factory: Any, names: Any) -> None:
        factory.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        for name in names:
            if hasattr(slicer, name) and not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self._managers.Initialize(factory, self._renderer)

    def interactorObserver(self) -> Any:
        return self._style

    interactorStyle = interactorObserver

    def forceRender(self) -> None:
        self.force_render()

    def scheduleRender(self) -> None:
        self.schedule_render()

    def renderWindow(self) -> Any:
        return self.render_window

    def interactor(self) -> Any:
        return self.vtk_interactor

    def setViewCursor(self, cursor: QtGui.QCursor) -> None:
        self.setCursor(cursor)

    def setDefaultViewCursor(self, cursor: QtGui.QCursor) -> None:
        self.setCursor(cursor)

    def unsetViewCursor(self) -> None:
        self.unsetCursor()

    def renderer(self) -> Any:
        return self._renderer

    def release(self) -> None:
        """Lets the displayable managers go before VTK tears down."""
        self._managers.SetMRMLDisplayableNode(None)


@slicer_class
class qMRMLSliceView(_View):
    """A slice view."""

    def __init__(self, logic: Any, parent: Any = None) -> None:
        super().__init__(parent)
        self._style = slicer.vtkMRMLSliceViewInteractorStyle()
        self._start_managers(slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance(), SLICE_MANAGERS)
        # as CTK's slice views have it; else the handles of markups are drawn far from where they are
        self._renderer.GetActiveCamera().ParallelProjectionOn()
        self._logic = logic
        self._style.SetSliceLogic(logic)
        self._style.SetDisplayableManagers(self._managers)
        self.vtk_interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self._style.SetInteractor(self.vtk_interactor)
        self._show_image_of_logic()
        self._managers.SetMRMLDisplayableNode(logic.GetSliceNode())
        logic.AddObserver("ModifiedEvent", lambda caller, event: self._follow_logic())
        self.resized.connect(self._fit_node)
        self._follow_logic()

    def _show_image_of_logic(self) -> None:
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._actor = vtk.vtkActor2D()
        self._actor.SetMapper(self._mapper)
        self._actor.GetProperty().SetDisplayLocationToBackground()
        self._renderer.AddViewProp(self._actor)

    def _follow_logic(self) -> None:
        connection = self._logic.GetImageDataConnection()
        self._mapper.SetInputConnection(connection)
        self._actor.SetVisibility(1 if connection else 0)
        self.schedule_render()

    def _fit_node(self) -> None:
        self._logic.ResizeSliceNode(*self.pixel_size())

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def sliceViewInteractorStyle(self) -> Any:
        return self._style

    def convertRASToXYZ(self, position: List[float]) -> List[float]:
        inverse = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self.mrmlSliceNode().GetXYToRAS(), inverse)
        return list(inverse.MultiplyPoint((*position, 1.0))[:3])


@slicer_class
class qMRMLThreeDView(_View):
    """A 3D view."""

    useDepthPeeling = stored_property(bool, True)
    renderEnabled = stored_property(bool, True)

    def __init__(self, node: Any, parent: Any = None) -> None:
        super().__init__(parent)
        self._node = node
        self._renderer.SetUseDepthPeeling(True)
        self._renderer.SetUseDepthPeelingForVolumes(True)
        self._renderer.GradientBackgroundOn()
        self._start_managers(
            slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance(), THREE_D_MANAGERS
        )
        self._style = slicer.vtkMRMLThreeDViewInteractorStyle()
        self._style.SetDisplayableManagers(self._managers)
        self._style.SetInteractor(self.vtk_interactor)
        self.vtk_interactor.SetInteractorStyle(vtk.vtkInteractorStyle3D())
        self._logic = slicer.vtkMRMLViewLogic()
        self._logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        slicer.app.applicationLogic().GetViewLogics().AddItem(self._logic)
        self._logic.SetMRMLScene(slicer.mrmlScene)
        self._logic.AddViewNode(node.GetLayoutName())
        self._managers.SetMRMLDisplayableNode(node)

    def mrmlViewNode(self) -> Any:
        return self._node

    def logic(self) -> Any:
        return self._logic

    def cameraNode(self) -> Any:
        return self._camera_manager().GetCameraNode()

    def _camera_manager(self) -> Any:
        return self._managers.GetDisplayableManagerByClassName("vtkMRMLCameraDisplayableManager")

    def _bounds(self) -> List[float]:
        """Bounds of what is shown, without the cube and the labels around it."""
        node = self._node
        decorations = node.GetBoxVisible(), node.GetAxisLabelsVisible()
        node.SetBoxVisible(False)
        node.SetAxisLabelsVisible(False)
        bounds = [0.0] * 6
        self._renderer.ComputeVisiblePropBounds(bounds)
        node.SetBoxVisible(decorations[0])
        node.SetAxisLabelsVisible(decorations[1])
        return bounds if bounds[0] <= bounds[1] else [-100.0, 100.0] * 3

    def resetFocalPoint(self) -> None:
        self.mrmlViewNode().InvokeEvent(slicer.vtkMRMLViewNode.ResetFocalPointRequestedEvent)
        bounds = self._bounds()
        center = [(bounds[axis] + bounds[axis + 1]) / 2 for axis in (0, 2, 4)]
        camera = self._renderer.GetActiveCamera()
        moved = [center[axis] - camera.GetFocalPoint()[axis] for axis in range(3)]
        camera.SetPosition(*[camera.GetPosition()[axis] + moved[axis] for axis in range(3)])
        camera.SetFocalPoint(*center)
        self._renderer.ResetCameraClippingRange()
        self.schedule_render()

    def resetCamera(self, rotation: bool = True, translation: bool = True, distance: bool = True) -> None:
        if rotation:
            self.cameraNode().RotateTo(slicer.vtkMRMLCameraNode.Anterior)
        if translation:
            self.resetFocalPoint()
        if distance:
            self._renderer.ResetCamera(self._bounds())
        self.schedule_render()

    def rotateToViewAxis(self, axis: Any) -> None:
        name = axis.capitalize() if isinstance(axis, str) else AXES[axis]
        self.cameraNode().RotateTo(getattr(slicer.vtkMRMLCameraNode, name))
        self.schedule_render()


class _Bar(QtWidgets.QWidget):
    """The coloured bar over a view, with its letter."""

    def __init__(self, label: str, color: str) -> None:
        super().__init__()
        self.setAttribute(QtCore.Qt.WA_StyledBackground)
        self.setStyleSheet(f"background: {color}; color: black")
        self.row = QtWidgets.QHBoxLayout(self)
        self.row.setContentsMargins(2, 1, 2, 1)
        self.row.addWidget(QtWidgets.QLabel(f" <b>{label}</b> "))


@slicer_class
class qMRMLSliceControllerWidget(_Bar):
    """The bar of a slice view: letter, slider, position."""

    STEPS = 10
    """Steps of the slider a millimetre."""

    def __init__(self, logic: Any, label: str, color: str) -> None:
        super().__init__(label, color)
        self._logic = logic
        self._slider = QtWidgets.QSlider(QtCore.Qt.Horizontal)
        self._text = QtWidgets.QLabel()
        self._text.setMinimumWidth(72)
        self.row.addWidget(self._slider, 1)
        self.row.addWidget(self._text)
        self._slider.setRange(-3000 * self.STEPS, 3000 * self.STEPS)
        self._slider.valueChanged.connect(lambda position: self._logic.SetSliceOffset(position / self.STEPS))
        logic.GetSliceNode().AddObserver("ModifiedEvent", lambda caller, event: self._follow())
        self._follow()

    def _follow(self) -> None:
        bounds = [0.0] * 6
        self._logic.GetBackgroundSliceBounds(bounds)
        blocker = QtCore.QSignalBlocker(self._slider)
        if bounds[4] < bounds[5]:
            self._slider.setRange(round(bounds[4] * self.STEPS), round(bounds[5] * self.STEPS))
        offset = self._logic.GetSliceOffset()
        self._slider.setValue(round(offset * self.STEPS))
        blocker.unblock()
        self._text.setText(f"{offset:.1f} mm")

    def sliceLogic(self) -> Any:
        return self._logic

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def fitSliceToBackground(self) -> None:
        self._logic.FitSliceToBackground()


@slicer_class
class qMRMLThreeDViewControllerWidget(_Bar):
    """The bar of a 3D view."""

    def __init__(self, view: qMRMLThreeDView, label: str) -> None:
        super().__init__(label, "#7480c0")
        self._view = view
        self.row.addStretch(1)

    def resetFocalPoint(self) -> None:
        self._view.resetFocalPoint()
