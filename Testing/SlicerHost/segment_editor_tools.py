"""The segment editor's effects and views, as its methods offer them."""

from typing import Any, List, Optional

import vtk
from PySide6.QtCore import Property

from . import segment_editor_views as views
from .effect_base import qSlicerSegmentEditorAbstractEffect
from .registry import stored_property
from .segment_editor_keys import Shortcuts
from .segment_editor_nodes import EditorNodes

Effect = qSlicerSegmentEditorAbstractEffect


class EditorTools(EditorNodes):
    """The part of the segment editor that chooses effects and hands them what happens in the views."""

    _views: views.ViewObservations
    _shortcuts: Shortcuts
    _segmentation: Any = None
    _locked = False
    _masking_visible = True
    _button_style = 0

    autoShowSourceVolumeNode = stored_property(bool, True)
    autoShowMasterVolumeNode = autoShowSourceVolumeNode

    def activeEffect(self) -> Optional[Effect]:
        return self._effects.active

    def setActiveEffect(self, effect: Optional[Effect]) -> None:
        if self._parameter_node() is not None:
            self._node.SetActiveEffectName(effect.property("name") if effect is not None else "")

    def setActiveEffectByName(self, name: str) -> None:
        self.setActiveEffect(self._effects.by_name(name))

    def effectByName(self, name: str) -> Optional[Effect]:
        return self._effects.by_name(name)

    def availableEffectNames(self) -> List[str]:
        return [effect.property("name") for effect in self._effects.all()]

    def effectCount(self) -> int:
        return self._effects.count()

    def effectByIndex(self, index: int) -> Optional[Effect]:
        return self._effects.by_index(index)

    def updateEffectList(self) -> None:
        self._effects.update_list(self._parameter_node())

    def effectNameOrder(self) -> List[str]:
        return list(self._effects.order)

    def setEffectNameOrder(self, names: List[str]) -> None:
        if list(names) != self._effects.order:
            self._effects.order = list(names)
            self.updateEffectList()

    def _set_unordered_visible(self, visible: bool) -> None:
        if visible != self._effects.unordered_visible:
            self._effects.unordered_visible = visible
            self.updateEffectList()

    unorderedEffectsVisible = Property(
        bool, lambda self: self._effects.unordered_visible, _set_unordered_visible
    )

    def setEffectColumnCount(self, count: int) -> None:
        self._effects.columns = count
        self.updateEffectList()

    effectColumnCount = Property(int, lambda self: self._effects.columns, setEffectColumnCount)

    def setEffectButtonStyle(self, style: int) -> None:
        self._button_style = int(style)
        self._effects.set_button_style(self._button_style)

    effectButtonStyle = Property(int, lambda self: self._button_style, setEffectButtonStyle)

    def setMaskingSectionVisible(self, visible: bool) -> None:
        self._masking_visible = visible
        self._layout.masking.setVisible(visible and self._effects.active is not None)

    maskingSectionVisible = Property(bool, lambda self: self._masking_visible, setMaskingSectionVisible)

    def setReadOnly(self, read_only: bool) -> None:
        self._locked = read_only
        if read_only:
            self.setActiveEffect(None)
        self.updateWidgetFromMRML()

    readOnly = Property(bool, lambda self: self._locked, setReadOnly)

    def toggleSourceVolumeIntensityMaskEnabled(self) -> None:
        node = self._parameter_node()
        if node is not None:
            node.SetSourceVolumeIntensityMask(not node.GetSourceVolumeIntensityMask())

    def _on_geometry(self, geometry: str) -> None:
        self._effects.tell_geometry(geometry)

    # views

    def setupViewObservations(self) -> None:
        node = self._parameter_node()
        segmentation = node.GetSegmentationNode() if node is not None else None
        self._views.set_up(self._logic.IsSegmentationDisplayableInView, segmentation)

    def removeViewObservations(self) -> None:
        self._views.remove()

    def _on_interaction(self, interactor: Any, event: int, view_widget: Any) -> bool:
        if self._effects.active is None or not self._hears_views():
            return False
        return self._effects.active.processInteractionEvents(interactor, event, view_widget)

    def _on_view_node(self, node: Any, event: int, view_widget: Any) -> None:
        if self._effects.active is not None and self._hears_views():
            self._effects.active.processViewNodeEvents(node, event, view_widget)

    def _hears_views(self) -> bool:
        return self._scene is not None and not self._scene.IsClosing() and self._parameter_node() is not None

    def _on_layout_changed(self, *_: Any) -> None:
        if not self._views.active:
            return
        self.setupViewObservations()
        if self.property("autoShowSourceVolumeNode"):
            self.showSourceVolumeInSliceViewers()
        self._effects.tell_layout()

    def _on_display_modified(self) -> None:
        if self._views.active and views.view_ids(self._segmentation) != self._views.view_ids:
            self._on_layout_changed()

    def showSourceVolumeInSliceViewers(self, forceShowInBackground: bool = False, fit: bool = False) -> None:
        views.show_volume(
            self.sourceVolumeNode(), self._logic.IsSegmentationDisplayableInView, forceShowInBackground, fit
        )

    showMasterVolumeInSliceViewers = showSourceVolumeInSliceViewers

    def hideLabelLayer(self) -> None:
        views.hide_labels(self._logic.IsSegmentationDisplayableInView)

    def turnOffLightboxes(self) -> bool:
        return views.turn_off_lightboxes(self._logic.IsSegmentationDisplayableInView)

    def rotateSliceViewsToSegmentation(self) -> None:
        matrix = vtk.vtkMatrix4x4()
        if self._logic.GetSegmentationIJKToRAS(matrix):
            views.rotate_to(matrix, self._logic.IsSegmentationDisplayableInView)

    def installKeyboardShortcuts(self, parent: Any = None) -> None:
        self._shortcuts.install(parent)

    def uninstallKeyboardShortcuts(self) -> None:
        self._shortcuts.uninstall()
