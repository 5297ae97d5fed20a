"""What all effects of the segment editor share: parameters, options, volumes, the change of a segment."""

import enum
from typing import Any, List, Optional, Sequence

import slicer
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Qt

from .effect_parameters import Parameters
from .effect_views import EffectViews
from .modal import answers
from .recorder import recorder
from .registry import replace_function, slicer_class, stored_property


class ModificationMode(enum.IntEnum):
    """How a labelmap changes a segment."""

    Set = 0
    Add = 1
    Remove = 2
    RemoveAll = 3


class ConfirmationResult(enum.IntEnum):
    """Whether the user wants a hidden segment changed."""

    NotConfirmed = 0
    ConfirmedWithoutDialog = 1
    ConfirmedWithDialog = 2


CONFIRM_SETTING = "Segmentations/ConfirmEditHiddenSegment"
"""Setting of the answer that is not to be asked again."""


@slicer_class
class qSlicerSegmentEditorAbstractEffect(Parameters, EffectViews, QtCore.QObject):
    """An effect. An editor takes a copy of each registered one into use with `take_into_use`."""

    ModificationModeSet = ModificationMode.Set
    ModificationModeAdd = ModificationMode.Add
    ModificationModeRemove = ModificationMode.Remove
    ModificationModeRemoveAll = ModificationMode.RemoveAll
    NotConfirmed = ConfirmationResult.NotConfirmed
    ConfirmedWithoutDialog = ConfirmationResult.ConfirmedWithoutDialog
    ConfirmedWithDialog = ConfirmationResult.ConfirmedWithDialog

    fixed_in_constructor = True
    """Effects in C++ refuse another name; scripted ones get theirs from Python."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._name, self._title, self._per_segment = "", "", True
        self._editor: Any = None
        self._node: Any = None
        self._active = False
        self._confirmed: Any = None
        self._frame = QtWidgets.QFrame()
        layout = QtWidgets.QFormLayout(self._frame)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        self._saved_cursor = QtGui.QCursor(Qt.ArrowCursor)

    def _set(self, attribute: str, value: Any) -> None:
        if self.fixed_in_constructor:
            recorder.violation(f"{self._name}: Slicer refuses to change name or perSegment of this effect")
        else:
            setattr(self, attribute, value)

    name = Property(str, lambda self: self._name, lambda self, value: self._set("_name", value))
    title = Property(
        str,
        lambda self: self._title or self._name,
        lambda self, value: setattr(self, "_title", value),
    )
    perSegment = Property(
        bool, lambda self: self._per_segment, lambda self, value: self._set("_per_segment", value)
    )
    requireSegments = stored_property(bool, True)
    showEffectCursorInSliceView = stored_property(bool, True)
    showEffectCursorInThreeDView = stored_property(bool, False)

    def take_into_use(self, editor: Any) -> None:
        """Lets an editor (`effect_services.Services`) answer the effect's requests."""
        self._editor = editor

    # what an effect is made of; subclasses override

    def helpText(self) -> str:
        return ""

    def clone(self) -> "qSlicerSegmentEditorAbstractEffect":
        return type(self)()

    def setupOptionsFrame(self) -> None: ...

    def activate(self) -> None:
        self._frame.setVisible(True)
        self._active = True
        self.updateGUIFromMRML()

    def deactivate(self) -> None:
        self._frame.setVisible(False)
        self._active = False

    def active(self) -> bool:
        return self._active

    def processInteractionEvents(self, interactor: Any, event: int, view_widget: Any) -> bool:
        return False

    def processViewNodeEvents(self, node: Any, event: int, view_widget: Any) -> None: ...

    def setMRMLDefaults(self) -> None: ...

    def updateGUIFromMRML(self) -> None: ...

    def updateMRMLFromGUI(self) -> None: ...

    def referenceGeometryChanged(self) -> None: ...

    def sourceVolumeNodeChanged(self) -> None: ...

    def masterVolumeNodeChanged(self) -> None: ...

    def layoutChanged(self) -> None: ...

    def interactionNodeModified(self, node: Any) -> None:
        """An effect ends when the user begins to place markups."""
        if node is not None and node.GetCurrentInteractionMode() != node.ViewTransform:
            self.selectEffect("")

    def cleanup(self) -> None: ...

    # options

    def optionsFrame(self) -> QtWidgets.QFrame:
        return self._frame

    def optionsLayout(self) -> QtWidgets.QFormLayout:
        return self._frame.layout()

    def addOptionsWidget(self, added: Any) -> None:
        self._adopt(added)
        self.optionsLayout().addRow(added)

    def addLabeledOptionsWidget(self, label: str, added: Any) -> QtWidgets.QLabel:
        self._adopt(added)
        shown = QtWidgets.QLabel(label)
        self.optionsLayout().addRow(shown, added)
        return shown

    def _adopt(self, added: Any) -> None:
        if isinstance(added, QtWidgets.QWidget):
            added.setParent(self._frame)
            added.setSizePolicy(QtWidgets.QSizePolicy.Preferred, QtWidgets.QSizePolicy.MinimumExpanding)

    # volumes, undo and the segment

    def _updated(self, volume: str) -> Any:
        if self._editor is None or not self._editor.update_volume(volume):
            return None
        return self._editor.volume(volume)

    def modifierLabelmap(self) -> Any:
        return None if self._editor is None else self._editor.volume("ModifierLabelmap")

    def defaultModifierLabelmap(self) -> Any:
        return self._updated("ModifierLabelmap")

    def maskLabelmap(self) -> Any:
        return self._updated("MaskLabelmap")

    def selectedSegmentLabelmap(self) -> Any:
        return self._updated("SelectedSegmentLabelmap")

    def referenceGeometryImage(self) -> Any:
        return self._updated("ReferenceGeometryImage")

    def sourceVolumeImageData(self) -> Any:
        return self._updated("AlignedSourceVolume")

    masterVolumeImageData = sourceVolumeImageData

    def saveStateForUndo(self) -> None:
        if self._editor is not None:
            self._editor.save_state()

    def selectEffect(self, name: str) -> None:
        if self._editor is not None:
            self._editor.select_effect(name)

    def modifySelectedSegmentByLabelmap(self, labelmap: Any, mode: int, *rest: Any) -> None:
        node = self.parameterSetNode()
        if node is None:
            recorder.violation(f"{self._name}: no segment editor node; Slicer crashes here")
            return
        segment = node.GetSelectedSegmentID() or ""
        self.modifySegmentByLabelmap(node.GetSegmentationNode(), segment, labelmap, mode, *rest)

    def modifySegmentByLabelmap(self, node: Any, segment: str, labelmap: Any, mode: int, *rest: Any) -> None:
        extent, bypass = _extent_and_bypass(rest)
        if not isinstance(mode, int):
            raise ValueError(f"modifySegmentByLabelmap: the mode is a number, not {mode!r}")
        refused = None
        if self.parameterSetNode() is None:
            refused = "no segment editor node"
        elif node is None:
            refused = "no segmentation"
        elif node.GetSegmentation().GetSegment(segment) is None:
            refused = f"no segment {segment!r}"
        elif labelmap is None:
            refused = "no labelmap" if self._per_segment else ""
        elif self._editor is None:
            refused = "no editor uses it"
        if refused is None:
            refused = self._editor.modify(
                node, segment, labelmap, int(mode), extent, self._per_segment, bypass
            )
        if refused:
            recorder.violation(f"{self._name}: modifySegmentByLabelmap does nothing in Slicer: {refused}")
        if refused is not None:
            self.defaultModifierLabelmap()

    def applyImageMask(self, image: Any, mask: Any, value: float, inverted: bool = False) -> None:
        slicer.vtkOrientedImageDataResample.ApplyImageMask(image, mask, value, inverted)

    # the user's word

    def confirmCurrentSegmentVisible(self) -> ConfirmationResult:
        node = self.parameterSetNode()
        segmentation = node.GetSegmentationNode() if node is not None else None
        identifier = node.GetSelectedSegmentID() if segmentation is not None else None
        if not identifier:
            return ConfirmationResult.ConfirmedWithoutDialog
        segment = segmentation.GetSegmentation().GetSegment(identifier)
        display = segmentation.GetDisplayNode()
        shown = display and display.GetVisibility() and display.GetSegmentVisibility(identifier)
        if shown or self._confirmed is segment:
            return ConfirmationResult.ConfirmedWithoutDialog
        return self._ask_about_hidden(segmentation, identifier, segment)

    def _ask_about_hidden(self, segmentation: Any, identifier: str, segment: Any) -> ConfirmationResult:
        button = QtWidgets.QMessageBox.StandardButton
        saved = QtCore.QSettings().value(CONFIRM_SETTING)
        said = "Operate on invisible segment?\nThe currently selected segment is hidden."
        answer = button(int(saved if saved is not None else answers.answer(said, button.Cancel.value)))
        if answer == button.Cancel:
            return ConfirmationResult.NotConfirmed
        if answer == button.Yes:
            segmentation.GetDisplayNode().SetVisibility(True)
            segmentation.GetDisplayNode().SetSegmentVisibility(identifier, True)
        else:
            self._confirmed = segment
        asked = saved is None
        return ConfirmationResult.ConfirmedWithDialog if asked else ConfirmationResult.ConfirmedWithoutDialog


def _extent_and_bypass(rest: Sequence[Any]) -> Any:
    """What follows mode in the overloads of modifySegmentByLabelmap: (extent or None, bypassMasking)."""
    extent: Optional[List[int]] = None
    rest = list(rest)
    if rest and isinstance(rest[0], (list, tuple)):
        extent = [int(value) for value in rest.pop(0)]
        if len(extent) != 6:
            raise ValueError(f"modifySegmentByLabelmap: an extent has 6 numbers, not {len(extent)}")
    if any(not isinstance(value, bool) for value in rest) or len(rest) > 1:
        raise ValueError(f"Could not find matching overload of modifySegmentByLabelmap for {rest}")
    return extent, bool(rest and rest[0])


replace_function(
    "qSlicerSegmentEditorAbstractEffect",
    "applyImageMask",
    lambda *arguments: slicer.vtkOrientedImageDataResample.ApplyImageMask(*arguments),
)
