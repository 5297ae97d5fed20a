"""The effects of one segment editor: its own copies, their buttons and options, the active one."""

from typing import Any, Callable, Dict, List, Optional

import slicer
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Qt

from . import effect_factory
from .effect_base import qSlicerSegmentEditorAbstractEffect
from .effect_paint import letter_icon
from .segment_editor_layout import EditorLayout

Effect = qSlicerSegmentEditorAbstractEffect

DEFAULT_ORDER = (
    "Threshold",
    "Paint",
    "Draw",
    "Erase",
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
"""The order of the buttons in Slicer 5.8."""

NO_EFFECT = "NULL"
"""Name of the button that ends the active effect."""


class Effects:
    """Args:
    layout: the editor's widgets.
    services: what effects are given (`effect_services.Services`).
    choose: gets the effect whose button was clicked, or None.
    """

    def __init__(self, layout: EditorLayout, services: Any, choose: Callable[[Optional[Effect]], None]):
        self._layout, self._services, self._choose = layout, services, choose
        self._own: List[Effect] = []
        self._buttons: Dict[str, QtWidgets.QToolButton] = {}
        self._shown: List[Optional[Effect]] = []
        self.order: List[str] = list(DEFAULT_ORDER)
        self.unordered_visible = True
        self.columns = 2
        self.active: Optional[Effect] = None
        self.last_active: Optional[Effect] = None
        self._geometry = ""

    def all(self) -> List[Effect]:
        """Copies of what was registered when the list was last brought up to date."""
        return list(self._own)

    def by_name(self, name: Optional[str]) -> Optional[Effect]:
        """None for an unknown name."""
        return next((effect for effect in self._own if name and effect.property("name") == name), None)

    def by_index(self, index: int) -> Optional[Effect]:
        """By place among the buttons that are shown; 0 is the one for no effect."""
        return self._shown[index] if 0 <= index < len(self._shown) else None

    def count(self) -> int:
        """Buttons that are shown, the one for no effect included."""
        return len(self._shown)

    def update_list(self, node: Any) -> None:
        """Copies effects that were registered meanwhile; arranges the buttons."""
        if NO_EFFECT not in self._buttons:
            self._add_button(NO_EFFECT, "None", None)
        for effect in effect_factory.factory().copyEffects(self._own):
            self._own.append(effect)
            effect.take_into_use(self._services)
            if node is not None:
                effect.setParameterSetNode(node)
                effect.setMRMLDefaults()
            self._add_button(effect.property("name"), effect.property("title"), effect)
            effect.setupOptionsFrame()
            effect.optionsFrame().setVisible(False)
            self._layout.options_frame.layout().addWidget(effect.optionsFrame())
        self._arrange()

    def _add_button(self, name: str, text: str, effect: Optional[Effect]) -> None:
        button = QtWidgets.QToolButton(self._layout.effects)
        button.setObjectName(name)
        button.setText(text)
        button.setToolTip(text if effect is not None else "No editing")
        button.setCheckable(True)
        button.setIcon(letter_icon("-") if effect is None else effect.icon())
        button.setSizePolicy(QtWidgets.QSizePolicy.Minimum, QtWidgets.QSizePolicy.Preferred)
        button.clicked.connect(lambda: self._on_clicked(effect))
        self._buttons[name] = button

    def _on_clicked(self, effect: Optional[Effect]) -> None:
        self._choose(effect)
        self.show_active()

    def _arrange(self) -> None:
        grid = self._layout.effects_grid
        for button in self._buttons.values():
            grid.removeWidget(button)
            button.hide()
        ordered = [effect for effect in map(self.by_name, self.order) if effect is not None]
        rest = [effect for effect in self._own if effect not in ordered]
        self._shown = [None, *ordered, *(rest if self.unordered_visible else [])]
        for index, effect in enumerate(self._shown):
            button = self._buttons[NO_EFFECT if effect is None else effect.property("name")]
            button.show()
            grid.addWidget(button, index // self.columns, index % self.columns)

    def set_button_style(self, style: int) -> None:
        """Icon, text or both, on every button."""
        buttons = (*self._buttons.values(), self._layout.undo, self._layout.redo)
        for button in buttons:
            button.setToolButtonStyle(Qt.ToolButtonStyle(style))

    def use_node(self, node: Any) -> None:
        """Gives every effect the segment editor's node."""
        was = node.StartModify()
        for effect in self._own:
            effect.setParameterSetNode(node)
            effect.setMRMLDefaults()
        node.EndModify(was)

    def enable(self, node: Any, locked: bool) -> None:
        """Buttons of effects that work on a segment need one."""
        possible = node.GetSourceVolumeNode() is not None and not locked
        self._layout.effects.setEnabled(possible)
        self._layout.options.setEnabled(possible)
        if not possible:
            return
        segmentation = node.GetSegmentationNode()
        any_segment = segmentation is not None and segmentation.GetSegmentation().GetNumberOfSegments() > 0
        chosen = bool(node.GetSelectedSegmentID())
        for effect in self._own:
            fits = any_segment and (chosen or not effect.property("perSegment"))
            button = self._buttons[effect.property("name")]
            button.setEnabled(not effect.property("requireSegments") or fits)

    def show_active(self) -> None:
        """Presses the active effect's button, releases the others."""
        name = NO_EFFECT if self.active is None else self.active.property("name")
        for title, button in self._buttons.items():
            blocker = QtCore.QSignalBlocker(button)
            button.setChecked(title == name)
            blocker.unblock()

    def show_options(self, masking: bool) -> None:
        """Shows options and help of the active effect, and the Masking section if it is wanted."""
        effect, layout = self.active, self._layout
        layout.options.setVisible(effect is not None)
        layout.options.setTitle(effect.property("title") if effect is not None else "")
        layout.help.setText(effect.helpText() if effect is not None else "")
        layout.masking.setVisible(effect is not None and masking)

    def tell_geometry(self, geometry: str) -> None:
        """Lets effects know when the reference geometry is another one."""
        if geometry != self._geometry:
            self._geometry = geometry
            for effect in self._own:
                effect.referenceGeometryChanged()

    def tell_source_volume(self) -> None:
        """Lets effects know that there is another source volume."""
        for effect in self._own:
            effect.sourceVolumeNodeChanged()
            effect.masterVolumeNodeChanged()

    def tell_layout(self) -> None:
        """Lets effects know that there are other views."""
        for effect in self._own:
            effect.layoutChanged()

    def tell_parameters(self) -> None:
        """A parameter was changed in the node."""
        for effect in self._own:
            effect.updateGUIFromMRML()

    def release(self) -> None:
        """The editor ends."""
        for effect in self._own:
            effect.cleanup()
        self._own, self.active, self.last_active = [], None, None


def binary_labelmap_is_source(segmentation_node: Any, ask: Callable[[str], bool]) -> bool:
    """Makes the binary labelmap the source representation if need be, and if the user (`ask`) agrees: only it
    can be edited.
    """
    if segmentation_node is None:
        return False
    segmentation = segmentation_node.GetSegmentation()
    labelmap = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    if segmentation.GetNumberOfSegments() == 0:
        segmentation.SetSourceRepresentationName(labelmap)
        return True
    if segmentation.GetSourceRepresentationName() == labelmap:
        return True
    if not ask("Change source representation to binary labelmap?"):
        return False
    surface = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    had_surface = segmentation.ContainsRepresentation(surface)
    if not segmentation.CreateRepresentation(labelmap):
        return False
    segmentation.SetSourceRepresentationName(labelmap)
    if had_surface:
        segmentation.CreateRepresentation(surface)
    return True
