"""Models in Advanced: which draws the organs and which the tumors, what else is wanted, what there is on this
computer, adding and removing. A model's licence is shown and agreed to before it is used first.
"""

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import qt
import slicer
from slicer.i18n import tr as _

from ..parameters import USUAL, LiverSegParameters, Preferences, wantedStructures
from ..slots import guarded
from ..work.installing import size
from ..work.models import ModelFacts, allModels, usualStructures
from .message_line import MessageLine
from .notes import PLAIN, WARNING, Note
from .panel_state import PanelState
from .row_table import RowTable
from .run_bar import RunBar
from .structures_list import StructuresList

MOST_ROWS = 5
"""The table grows up to so many rows and scrolls beyond."""

DEFAULT = "default"

_ROOM, _SEGMENTS = 4, 1
"""Pixels that a row is higher than its text, and the column that takes the width left over."""


class ModelsSection:
    """Args:
    ui: the panel's widgets.
    logic: has ``addModelAsync`` and ``removeModelAsync``.
    preferences: remember which licences were agreed to.
    runBar: runs the adding and removing.
    message: tells how these ended.
    """

    def __init__(self, ui, logic, preferences: Preferences, runBar: RunBar, message: MessageLine) -> None:
        self._ui = ui
        self._logic = logic
        self._preferences = preferences
        self._runBar = runBar
        self._message = message
        self._parameters: Optional[LiverSegParameters] = None
        self._busy = ""
        self._models: Optional[Tuple[ModelFacts, ...]] = None
        self._rows: Sequence[ModelFacts] = ()
        self._detail = Note(ui, "modelDetail", _("The chosen model."))
        self._table = RowTable(ui.modelsTable, _SEGMENTS, _ROOM, MOST_ROWS, self._onRow, lambda row, on: None)
        self._structures = StructuresList(ui, self._onStructures)
        ui.modelSelector.connect("currentIndexChanged(int)", guarded(self._onModel))
        ui.tumorModelSelector.connect("currentIndexChanged(int)", guarded(self._onTumorModel))
        ui.modelsFileButton.connect("clicked(bool)", guarded(self._onAddFile))
        ui.modelsAddFolderButton.connect("clicked(bool)", guarded(self._onAddFolder))
        ui.modelsRemoveButton.connect("clicked(bool)", guarded(self._onRemove))
        ui.advancedSection.connect("contentsCollapsed(bool)", guarded(self._onCollapsed))

    def look(self) -> None:
        """Read anew which models there are, when they are shown next."""
        self._models = None

    def show(self, state: PanelState) -> None:
        """Show the models while the section is open: they are read from files."""
        if state.parameters is not None:
            self._parameters = state.parameters
        self._busy = state.reasonToWait()
        self._showAll()

    def agreed(self, options: Dict[str, Any]) -> bool:
        """Whether the models of a run may be used: asks once for each whose licence nobody agreed to yet."""
        names = [options["model"], *filter(None, [options["tumors"]])]
        for model in self._known():
            mustAsk = model.name in names and not model.isBundled and bool(model.sha256)
            if mustAsk and not self._preferences.hasAgreed(model.sha256):
                if not slicer.util.confirmOkCancelDisplay(
                    _licenceText(model), windowTitle=_("License of {name}").format(name=model.name)
                ):
                    return False
                self._preferences.agree(model.sha256)
        return True

    # ---- what is shown

    def _known(self) -> Tuple[ModelFacts, ...]:
        if self._models is None:
            self._models = allModels()
        return self._models

    def _onCollapsed(self, collapsed: bool) -> None:
        if not collapsed:
            self.look()
            self._showAll()

    def _showAll(self) -> None:
        if self._ui.advancedSection.collapsed or self._parameters is None:
            return
        models = self._known()
        usable = [model for model in models if not model.problem]
        organs = [(model.name, model.title) for model in usable if model.hasLiver]
        choose(self._ui.modelSelector, organs, self._parameters.model)
        tumors = [(model.name, model.title) for model in usable if model.hasTumors]
        others = [item for item in tumors if item[0] != self._parameters.model]
        choose(
            self._ui.tumorModelSelector,
            [("", _("From the same model")), *others],
            self._parameters.tumorModel,
        )
        chosen = next((model for model in usable if model.name == self._parameters.model), None)
        wanted = wantedStructures(self._parameters.structures)
        usual = usualStructures(self._parameters.model, models)
        self._structures.show(chosen.structures if chosen else (), usual if wanted is None else wanted)
        self._fillTable(models)
        for button, tip in (
            (self._ui.modelsFileButton, _("Adds a trained model of nnU-Net, TotalSegmentator or MONAI from a "
                                          "zip archive. Nothing is downloaded.")),
            (self._ui.modelsAddFolderButton, _("The same from the folder of a trained model.")),
        ):  # fmt: skip
            button.enabled = not self._busy
            button.toolTip = self._busy or tip

    def _fillTable(self, models: Sequence[ModelFacts]) -> None:
        before = self._chosenModel()
        if list(models) != list(self._rows):
            self._rows = models
            with self._table.filling(len(models)):
                for row, model in enumerate(models):
                    texts = [model.title, model.segments() or "–", f"{model.sizeMb:.0f}"]
                    warned = 0 if model.problem else None
                    self._table.setRow(row, texts, model.description, left=(0, _SEGMENTS), warned=warned)
                    if before is not None and model.name == before.name:
                        self._ui.modelsTable.selectRow(row)
        self._showDetail()

    def _chosenModel(self) -> Optional[ModelFacts]:
        row = self._table.chosen()
        return self._rows[row] if row is not None and row < len(self._rows) else None

    def _onRow(self, _row: Optional[int]) -> None:
        self._showDetail()

    def _showDetail(self) -> None:
        model, button = self._chosenModel(), self._ui.modelsRemoveButton
        if model is None:
            self._detail.show("")
        else:
            self._detail.show(_detailText(model), WARNING if model.problem else PLAIN)
        reason = self._busy
        if model is None:
            reason = _("Choose a model in the table first.")
        elif model.isBundled:
            reason = _("This model came with LiverSeg and stays.")
        button.enabled = not reason
        button.toolTip = reason or _("Deletes {name} from this computer, after asking.").format(
            name=model.name if model is not None else ""
        )

    # ---- what the user does

    def _onModel(self, index: int) -> None:
        if self._parameters is None or index < 0:
            return
        self._parameters.model = self._ui.modelSelector.itemData(index)
        self._parameters.structures = USUAL
        if self._parameters.tumorModel == self._parameters.model:
            self._parameters.tumorModel = ""
        self._runBar.changed()

    def _onTumorModel(self, index: int) -> None:
        if self._parameters is not None and index >= 0:
            self._parameters.tumorModel = self._ui.tumorModelSelector.itemData(index)
            self._runBar.changed()

    def _onStructures(self, keys: Sequence[str]) -> None:
        if self._parameters is not None:
            isUsual = set(keys) == set(usualStructures(self._parameters.model, self._known()))
            self._parameters.structures = USUAL if isUsual else ",".join(keys)

    def _onAddFile(self) -> None:
        title, filters = _("Add a model"), _("Zip archives (*.zip)")
        self._add(qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), title, "", filters))

    def _onAddFolder(self) -> None:
        self._add(qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Add a model")))

    def _add(self, path: str) -> None:
        if path:
            self._runBar.start(_("Adding the model"), self._onAdded, self._logic.addModelAsync, path)

    def _onAdded(self, name: str) -> None:
        self.look()
        text = _("The model {name} was added: choose it above. Its license is shown before it is used first.")
        self._message.tell(text.format(name=name))

    def _onRemove(self) -> None:
        model = self._chosenModel()
        if model is None or model.isBundled:
            return
        text = _("Delete the model {name} ({size}) from this computer? Results that it made stay.")
        question = text.format(name=model.name, size=size(model.sizeMb))
        if slicer.util.confirmOkCancelDisplay(question, windowTitle=_("Remove model")):
            done: Callable[[str], None] = self._onRemoved
            self._runBar.start(_("Removing the model"), done, self._logic.removeModelAsync, model.name)

    def _onRemoved(self, name: str) -> None:
        self.look()
        if self._parameters is not None:
            if self._parameters.model == name:
                self._parameters.model, self._parameters.structures = DEFAULT, USUAL
            if self._parameters.tumorModel == name:
                self._parameters.tumorModel = ""
        self._message.tell(_("The model {name} was removed.").format(name=name))


def choose(selector, choices: Sequence[Tuple[str, str]], value: str) -> None:
    """Offer (value, text) pairs and choose ``value``, which is added where it is not among them."""
    if value not in dict(choices):
        choices = [*choices, (value, _("{name} (not on this computer)").format(name=value))]
    selector.blockSignals(True)
    selector.clear()
    for known, text in choices:
        selector.addItem(text, known)
    selector.setCurrentIndex(selector.findData(value))
    selector.blockSignals(False)


def _detailText(model: ModelFacts) -> str:
    if model.problem:
        return model.problem
    lines: List[str] = [_("Segments: {names}.").format(names=model.segments() or _("nothing that is known"))]
    lines.append(_("License: {licence}.").format(licence=model.licence.rstrip(".")))
    lines.append(model.accuracy or _("How accurate it is was not measured."))
    return "\n".join(lines)


def _licenceText(model: ModelFacts) -> str:
    """What is to be agreed to before a model is used first."""
    parts = [
        _("The model {name} is used for the first time.").format(name=model.title),
        _("License: {licence}").format(licence=model.licence),
        _("To cite: {citation}").format(citation=model.citation) if model.citation else "",
        model.limitations,
        _("Press OK if you agree to its license."),
    ]
    return "\n\n".join(part for part in parts if part)
