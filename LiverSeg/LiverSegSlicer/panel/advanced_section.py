"""Section Advanced: device, the computing process, where files live; ``models_section`` has the models."""

import os
from typing import Callable, List, Optional, Tuple

from slicer.i18n import tr as _

from ..parameters import LiverSegParameters, Preferences
from ..slots import guarded
from .models_section import choose
from .notes import PLAIN, WARNING, Note
from .panel_state import PanelState
from .report_section import openOnDesktop
from .server_section import SERVER


class AdvancedSection:
    """Args:
    ui: the panel's widgets.
    preferences: what belongs to this computer.
    worker: the computing process, told when its idle time changes.
    onShowLog: called without arguments.
    onChanged: called without arguments when the panel must be drawn anew.
    """

    def __init__(
        self,
        ui,
        preferences: Preferences,
        worker,
        onShowLog: Callable[[], None],
        onChanged: Callable[[], None],
    ) -> None:
        self._onChanged = onChanged
        self._ui = ui
        self._preferences = preferences
        self._worker = worker
        self._parameters: Optional[LiverSegParameters] = None
        self._engineNote = Note(ui, "engineState", _("The library that LiverSeg computes with."))
        ui.startWithPanelCheckBox.checked = preferences.startWithPanel
        ui.idleSpinBox.setValue(preferences.idleMinutes)
        ui.arrangeViewsCheckBox.checked = preferences.arrangeViews
        ui.arrangeViewsCheckBox.connect("toggled(bool)", guarded(self._onArrangeViews))
        ui.startWithPanelCheckBox.connect("toggled(bool)", guarded(self._onStartWithPanel))
        ui.idleSpinBox.connect("valueChanged(int)", guarded(self._onIdle))
        ui.advancedSection.connect("contentsCollapsed(bool)", guarded(self._onCollapsed))
        ui.deviceSelector.connect("currentIndexChanged(int)", guarded(self._onDevice))
        ui.modalitySelector.connect("currentIndexChanged(int)", guarded(self._onModality))
        ui.modelsFolderButton.connect("clicked(bool)", guarded(self._onModelsFolder))
        ui.logButton.connect("clicked(bool)", guarded(onShowLog))

    def show(self, state: PanelState) -> None:
        """Show the scene's choices, of which most are bound to the parameter node, and what there is
        to compute with."""
        if state.parameters is not None:
            self._parameters = state.parameters
            self._onCollapsed(self._ui.advancedSection.collapsed)
        self._engineNote.show(state.engine.text, PLAIN if state.engine.isUsable else WARNING)

    def _onCollapsed(self, collapsed: bool) -> None:
        """Show what is not bound to the parameter node, while the section is open."""
        if collapsed or self._parameters is None:
            return
        choose(self._ui.deviceSelector, _devices(), self._computesOn())
        choose(self._ui.modalitySelector, _modalities(), self._parameters.modality)
        self._ui.modelsFolderButton.toolTip = _("Opens {folder}, where models that you install live.").format(
            folder=_modelsFolder()
        )

    def _onDevice(self, index: int) -> None:
        if self._parameters and index >= 0:
            chosen = self._ui.deviceSelector.itemData(index)
            self._preferences.computeOnServer = chosen == SERVER
            if chosen != SERVER:
                self._parameters.device = chosen
            self._onChanged()

    def _computesOn(self) -> str:
        """The chosen device, or that a server was chosen."""
        return (
            SERVER if self._preferences.computeOnServer or not self._parameters else self._parameters.device
        )

    def _onModality(self, index: int) -> None:
        if self._parameters and index >= 0:
            self._parameters.modality = self._ui.modalitySelector.itemData(index)
            self._onChanged()

    def _onStartWithPanel(self, on: bool) -> None:
        self._preferences.startWithPanel = on

    def _onArrangeViews(self, on: bool) -> None:
        self._preferences.arrangeViews = on

    def _onIdle(self, minutes: int) -> None:
        self._preferences.idleMinutes = minutes
        self._worker.setIdleMinutes(minutes)

    def _onModelsFolder(self) -> None:
        folder = _modelsFolder()
        os.makedirs(folder, exist_ok=True)
        openOnDesktop(folder)


def _modelsFolder() -> str:
    from LiverSegLib.models import user_models_folder

    return str(user_models_folder())


def _modalities() -> List[Tuple[str, str]]:
    return [("auto", _("Automatic")), ("CT", _("CT")), ("MR", _("MR"))]


def _devices() -> List[Tuple[str, str]]:
    return [
        ("auto", _("Automatic")),
        ("cpu", _("Processor (CPU)")),
        ("cuda", _("Graphics card (CUDA)")),
        ("mps", _("Graphics of a Mac (MPS)")),
        (SERVER, _("A LiverSeg server")),
    ]
