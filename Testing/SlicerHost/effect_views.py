"""What an effect does with views: cursor, actors, pixels to voxels."""

from typing import Any

from PySide6 import QtCore, QtGui
from PySide6.QtCore import Qt

from . import effect_geometry as geometry
from .recorder import recorder
from .view_widgets import qMRMLSliceWidget, qMRMLThreeDWidget


def _view_of(view_widget: Any) -> Any:
    if isinstance(view_widget, (qMRMLSliceWidget, qMRMLThreeDWidget)):
        return view_widget.viewWidget()
    raise ValueError(f"an effect was given {view_widget!r}: neither a slice widget nor a 3D widget")


class EffectViews:
    """The part of an effect that deals with views. The class it is mixed into has these attributes."""

    _name: str
    _editor: Any
    _saved_cursor: QtGui.QCursor

    def icon(self) -> QtGui.QIcon:
        return QtGui.QIcon()

    def createCursor(self, view_widget: Any) -> QtGui.QCursor:
        icon = self.icon()
        if icon.isNull():
            return QtGui.QCursor(Qt.CrossCursor)
        if not icon.availableSizes():
            recorder.violation(f"{self._name}: its icon has no size: Slicer's createCursor crashes")
            return QtGui.QCursor(Qt.CrossCursor)
        return QtGui.QCursor(icon.pixmap(icon.availableSizes()[0]))

    def cursorOff(self, view_widget: Any) -> None:
        self._saved_cursor = QtGui.QCursor(view_widget.cursor())
        _view_of(view_widget).setDefaultViewCursor(QtGui.QCursor(Qt.BlankCursor))

    def cursorOn(self, view_widget: Any) -> None:
        _view_of(view_widget).setDefaultViewCursor(self._saved_cursor)

    def renderWindow(self, view_widget: Any) -> Any:
        return _view_of(view_widget).renderWindow()

    def renderer(self, view_widget: Any) -> Any:
        return _view_of(view_widget).renderer()

    def viewNode(self, view_widget: Any) -> Any:
        _view_of(view_widget)
        return view_widget.mrmlAbstractViewNode()

    def addActor2D(self, view_widget: Any, actor: Any) -> None:
        self.renderer(view_widget).AddViewProp(actor)
        self.scheduleRender(view_widget)

    def removeActor2D(self, view_widget: Any, actor: Any) -> None:
        self.renderer(view_widget).RemoveViewProp(actor)
        self.scheduleRender(view_widget)

    addActor3D, removeActor3D = addActor2D, removeActor2D

    def forceRender(self, view_widget: Any) -> None:
        _view_of(view_widget).forceRender()

    def scheduleRender(self, view_widget: Any) -> None:
        _view_of(view_widget).schedule_render()

    def sliceSpacing(self, slice_widget: Any) -> float:
        return geometry.slice_spacing(slice_widget.mrmlSliceNode(), slice_widget.sliceLogic())

    def segmentationDisplayableInView(self, view_node: Any) -> bool:
        return self._editor is not None and self._editor.displayable(view_node)

    def rasToXy(self, ras: QtGui.QVector3D, slice_widget: Any) -> QtCore.QPoint:
        return QtCore.QPoint(*geometry.ras_to_xy(ras.toTuple(), slice_widget.mrmlSliceNode()))

    def xyzToRas(self, xyz: QtGui.QVector3D, slice_widget: Any) -> QtGui.QVector3D:
        return QtGui.QVector3D(*geometry.xyz_to_ras(xyz.toTuple(), slice_widget.mrmlSliceNode()))

    def xyToRas(self, xy: QtCore.QPoint, slice_widget: Any) -> QtGui.QVector3D:
        return self.xyzToRas(QtGui.QVector3D(xy.x(), xy.y(), 0), slice_widget)

    def xyzToIjk(self, xyz: Any, slice_widget: Any, image: Any, transform: Any = None) -> QtGui.QVector3D:
        if slice_widget is None or image is None:
            return QtGui.QVector3D(0, 0, 0)
        ras = geometry.xyz_to_ras(xyz.toTuple(), slice_widget.mrmlSliceNode())
        return QtGui.QVector3D(*geometry.ras_to_ijk(ras, image, transform))

    def xyToIjk(self, xy: Any, slice_widget: Any, image: Any, transform: Any = None) -> QtGui.QVector3D:
        return self.xyzToIjk(QtGui.QVector3D(xy.x(), xy.y(), 0), slice_widget, image, transform)
