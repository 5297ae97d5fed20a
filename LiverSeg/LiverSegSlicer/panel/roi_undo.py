"""The offer to take back the last change of the ROIs: a line in the section Fatty liver with a button."""

from typing import Callable, Optional

from slicer.i18n import tr as _

from ..fatty_liver.roi_exchange import RoiChange
from ..slots import guarded


class RoiUndo:
    """Args:
    ui: the panel's widgets.
    onUndo: called with the change that the user wants to be taken back.
    """

    def __init__(self, ui, onUndo: Callable[[RoiChange], None]) -> None:
        self._ui = ui
        self._onUndo = onUndo
        self._change: Optional[RoiChange] = None
        ui.roiUndoButton.connect("clicked(bool)", guarded(self._onClicked))
        self.forget()

    def offer(self, text: str, change: RoiChange) -> None:
        """Say what was done, and offer to take it back; nothing is offered where nothing was removed."""
        if not change.removed:
            self.forget()
            return
        self._show(text, change, _("Undo"))

    def offerRedo(self, change: RoiChange) -> None:
        """Say that a change was taken back, and offer to do it again after all."""
        self._show(_("The ROIs are as they were before."), change, _("Redo"))

    def enable(self, enabled: bool) -> None:
        """Whether the button can be pressed."""
        self._ui.roiUndoButton.enabled = enabled

    def forget(self) -> None:
        """Offer nothing any more."""
        self._change = None
        self._ui.roiUndoWidget.setVisible(False)

    def _show(self, text: str, change: RoiChange, buttonText: str) -> None:
        self._change = change
        self._ui.roiUndoLabel.setText(text)
        self._ui.roiUndoButton.setText(buttonText)
        self._ui.roiUndoWidget.setVisible(True)

    def _onClicked(self) -> None:
        change = self._change
        if change is not None:
            self.forget()
            self._onUndo(change)
