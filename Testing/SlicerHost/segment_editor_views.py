"""The views that a segment editor listens to: their events go to its active effect."""

from typing import Any, Callable, Dict, List, Tuple

import shiboken6
import slicer
import vtk
from PySide6 import QtCore, QtGui

from .pythonqt import unwrap
from .recorder import recorder
from .view_widgets import qMRMLSliceWidget, qMRMLThreeDWidget

BUTTON_EVENTS = [
    f"{button}Button{what}Event"
    for button in ("Left", "Right", "Middle")
    for what in ("Press", "Release", "DoubleClick")
]
EVENTS = [
    *BUTTON_EVENTS,
    "MouseMoveEvent",
    "MouseWheelForwardEvent",
    "MouseWheelBackwardEvent",
    "MouseWheelLeftEvent",
    "MouseWheelRightEvent",
    "KeyPressEvent",
    "KeyReleaseEvent",
    "EnterEvent",
    "LeaveEvent",
]
"""What an effect hears of a view; of a 3D view, no double clicks."""

BEFORE_OTHERS = 1.0
"""Priority of the editor's observers: before the view's own interactor style."""


def shown_views(displayable: Callable[[Any], bool]) -> List[Any]:
    """The view widgets of the layout in which the edited segmentation may be shown."""
    layout = slicer.app.layoutManager()
    if layout is None:
        return []
    manager = unwrap(layout)
    widgets = manager._of(qMRMLSliceWidget) + manager._of(qMRMLThreeDWidget)
    return [widget for widget in widgets if displayable(widget.mrmlAbstractViewNode())]


class ViewObservations:
    """Observers of the views.

    Args:
        owner: the editor; once it is deleted, its observers are silent.
        on_interaction: gets (interactor, event id, view widget); True keeps the event from everybody else.
        on_view_node: gets (view node, event id, view widget).
    """

    def __init__(
        self,
        owner: QtCore.QObject,
        on_interaction: Callable[[Any, int, Any], bool],
        on_view_node: Callable[[Any, int, Any], None],
    ) -> None:
        self._owner = owner
        self._on_interaction, self._on_view_node = on_interaction, on_view_node
        self._tags: List[Tuple[Any, int]] = []
        self.view_ids: Dict[str, Tuple[str, ...]] = {}
        self.active = False

    def set_up(self, displayable: Callable[[Any], bool], segmentation: Any) -> None:
        """Listens to the views of the layout as it is now."""
        self.remove()
        if slicer.app.layoutManager() is None:
            return
        for widget in shown_views(displayable):
            self._observe(widget)
        self.view_ids = view_ids(segmentation)
        self.active = True

    def _observe(self, widget: Any) -> None:
        interactor = widget.viewWidget().interactor()
        for name in EVENTS:
            if isinstance(widget, qMRMLSliceWidget) or "DoubleClick" not in name:
                self._add_interaction(interactor, name, widget)
        node = widget.mrmlAbstractViewNode()

        def on_node(caller: Any, event: str) -> None:
            if shiboken6.isValid(self._owner):
                self._guard(self._on_view_node, caller, vtk.vtkCommand.ModifiedEvent, widget)

        self._tags.append((node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, on_node, BEFORE_OTHERS)))

    def _add_interaction(self, interactor: Any, name: str, widget: Any) -> None:
        event = getattr(vtk.vtkCommand, name)
        tag: List[int] = []

        def on_event(caller: Any, _: str) -> None:
            if not shiboken6.isValid(self._owner):
                return
            if self._guard(self._on_interaction, caller, event, widget):
                caller.GetCommand(tag[0]).SetAbortFlag(1)

        tag.append(interactor.AddObserver(event, on_event, BEFORE_OTHERS))
        self._tags.append((interactor, tag[0]))

    def _guard(self, function: Callable, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception:
            recorder.exception("THE SEGMENT EDITOR'S VIEWS")
            return None

    def remove(self) -> None:
        """Listens no longer."""
        for source, tag in self._tags:
            source.RemoveObserver(tag)
        self._tags, self.view_ids, self.active = [], {}, False


def view_ids(segmentation: Any) -> Dict[str, Tuple[str, ...]]:
    """Display node -> the views that it is limited to."""
    if segmentation is None:
        return {}
    displays = [
        segmentation.GetNthDisplayNode(index) for index in range(segmentation.GetNumberOfDisplayNodes())
    ]
    return {display.GetID(): tuple(display.GetViewNodeIDs()) for display in displays if display is not None}


def set_cursors(effect: Any, displayable: Callable[[Any], bool]) -> None:
    """Shows the effect's cursor in the views, the usual one without an effect."""
    for widget in shown_views(displayable):
        where = "Slice" if isinstance(widget, qMRMLSliceWidget) else "ThreeD"
        own = effect is not None and effect.property(f"showEffectCursorIn{where}View")
        cursor = effect.createCursor(widget) if own else QtGui.QCursor()
        widget.viewWidget().setDefaultViewCursor(cursor)
        widget.viewWidget().setViewCursor(cursor)


def shown_slices(displayable: Callable[[Any], bool]) -> List[Any]:
    """The slice widgets among them."""
    return [widget for widget in shown_views(displayable) if isinstance(widget, qMRMLSliceWidget)]


def show_volume(volume: Any, displayable: Callable[[Any], bool], force: bool, fit: bool) -> None:
    """Shows a volume in the background of the slice views that do not show it yet; of all, if `force`d."""
    if volume is None:
        return
    for widget in shown_slices(displayable):
        composite = widget.sliceLogic().GetSliceCompositeNode()
        shown = (composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID())
        if force or volume.GetID() not in shown:
            composite.SetBackgroundVolumeID(volume.GetID())
            composite.SetForegroundVolumeID(None)
            composite.SetLabelVolumeID(None)
        if fit:
            widget.sliceLogic().FitSliceToBackground(True)


def hide_labels(displayable: Callable[[Any], bool]) -> None:
    """No label volume in the slice views."""
    for widget in shown_slices(displayable):
        widget.sliceLogic().GetSliceCompositeNode().SetLabelVolumeID(None)


def turn_off_lightboxes(displayable: Callable[[Any], bool]) -> bool:
    """One slice a view; whether any view had more."""
    found = False
    for widget in shown_slices(displayable):
        node = widget.mrmlSliceNode()
        if (node.GetLayoutGridRows(), node.GetLayoutGridColumns()) != (1, 1):
            node.SetLayoutGrid(1, 1)
            found = True
    return found


def rotate_to(matrix: Any, displayable: Callable[[Any], bool]) -> None:
    """Turns the slice views to the axes of a matrix."""
    for widget in shown_slices(displayable):
        widget.mrmlSliceNode().RotateToAxes(matrix)
