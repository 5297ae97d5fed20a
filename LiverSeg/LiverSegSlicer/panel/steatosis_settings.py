"""The small part Settings of the section Fatty liver: contrast phase, cut-offs and tube voltage. Number and
size of the ROIs are bound to the parameter node.
"""

from typing import Callable, Dict, Mapping, Optional

import qt
from slicer.i18n import tr as _

from ..fatty_liver.reading import SteatosisReading
from ..parameters import LiverSegParameters
from ..slots import guarded
from .notes import WARNING, Note
from .scene_link import SceneLink

_PHASES = (None, "unenhanced", "arterial", "portal", "late")
"""What can be chosen, in the order of the list; the first goes by the estimate."""


class SteatosisSettings:
    """Args:
    ui: the panel's widgets.
    link: has the scene's choices, with which the next reading begins.
    choose: called with what the user changed, fields of the reading: ``cutOffs`` (in order, by the core's
        names), ``kvp`` (None: not known), ``chosenPhase`` (None: the estimated one).
    """

    def __init__(self, ui, link: SceneLink, choose: Callable[..., None]) -> None:
        self._ui = ui
        self._link = link
        self._choose = choose
        self._asksForPhase = False
        self._note = Note(ui, "fattySettings", _("What is wrong with the settings."))
        self._shown: Mapping[str, float] = {}
        self._boxes = {
            "normal_above": ui.fattyNormalSpinBox,
            "moderate_below": ui.fattyModerateSpinBox,
            "severe_below": ui.fattySevereSpinBox,
        }
        for box in self._boxes.values():
            box.connect("valueChanged(double)", guarded(self._onCutOff))
        ui.fattyVoltageSpinBox.connect("valueChanged(int)", guarded(self._onVoltage))
        for text in (_("As estimated"), *(phaseName(phase) for phase in _PHASES[1:])):
            ui.fattyPhaseComboBox.addItem(text)
        ui.fattyPhaseComboBox.connect("currentIndexChanged(int)", guarded(self._onPhase))
        ui.fattySettingsButton.connect("toggled(bool)", guarded(self._onToggled))

    def show(self, reading: Optional[SteatosisReading]) -> None:
        """Show what holds for the reading, or for the next one if there is none. Cut-offs that the user has
        typed but that are out of order stay as they are.
        """
        parameters = self._link.parameters
        if reading is not None:
            cutOffs = reading.cutOffs
        elif parameters is not None:
            cutOffs = cutOffsOf(parameters)
        else:
            return
        if not self._note.isShown() or dict(cutOffs) != dict(self._shown):
            self._note.show("")
            for key, box in self._boxes.items():
                _set(box, cutOffs[key])
        self._shown = dict(cutOffs)
        _set(self._ui.fattyVoltageSpinBox, int(round((reading.kvp if reading is not None else 0) or 0)))
        self._showPhase(reading)
        self._enable(reading)

    def _showPhase(self, reading: Optional[SteatosisReading]) -> None:
        """Show the contrast phase; where it is not known the settings unfold: the reader has to say it."""
        box = self._ui.fattyPhaseComboBox
        chosen = reading.chosenPhase if reading is not None else None
        estimated = phaseName(reading.phase if reading is not None else None)
        box.setItemText(0, _("As estimated: {phase}").format(phase=estimated))
        box.blockSignals(True)
        box.setCurrentIndex(_PHASES.index(chosen) if chosen in _PHASES else 0)
        box.blockSignals(False)
        asks = reading is not None and chosen is None and reading.phase in (None, "unknown")
        if asks and not self._asksForPhase:
            self._ui.fattySettingsButton.checked = True
        self._asksForPhase = asks

    def _enable(self, reading: Optional[SteatosisReading]) -> None:
        """An accepted reading is changed by nobody's wheel over a number."""
        ui, locked = self._ui, reading is not None and reading.accepted is not None
        tips = {
            ui.fattyPhaseComboBox: _(
                "Contrast phase of this scan. Choose it if the estimate is wrong or unknown."
            ),
            ui.fattyVoltageSpinBox: _(
                "Tube voltage of this scan, from its DICOM header if there is one; cut-offs hold for 120 kV."
            ),
            ui.fattyNormalSpinBox: _("A ratio above this counts as no fatty liver."),
            ui.fattyModerateSpinBox: _("A ratio below this counts as moderate fatty liver."),
            ui.fattySevereSpinBox: _("A ratio below this counts as severe fatty liver."),
        }
        for widget, tip in tips.items():
            needsReading = widget in (ui.fattyPhaseComboBox, ui.fattyVoltageSpinBox)
            widget.enabled = not locked and (reading is not None or not needsReading)
            if locked:
                tip = _("This reading is accepted. Press Edit again to change it.")
            elif not widget.enabled:
                tip = _("Place ROIs first: this is stored with the reading.")
            widget.toolTip = tip

    def _onCutOff(self, _value: float) -> None:
        cutOffs = {key: round(box.value, 4) for key, box in self._boxes.items()}
        if not 0 < cutOffs["severe_below"] < cutOffs["moderate_below"] < cutOffs["normal_above"]:
            self._note.show(
                _("The cut-offs must be above 0 and in order: severe, then moderate, then normal."), WARNING
            )
            return
        self._note.show("")
        self._shown = dict(cutOffs)
        parameters = self._link.parameters
        if parameters is not None:  # the next reading begins with them too
            parameters.normalAbove = cutOffs["normal_above"]
            parameters.moderateBelow = cutOffs["moderate_below"]
            parameters.severeBelow = cutOffs["severe_below"]
        self._choose(cutOffs=cutOffs)

    def _onVoltage(self, kv: int) -> None:
        self._choose(kvp=float(kv) if kv > 0 else None)

    def _onPhase(self, index: int) -> None:
        if 0 <= index < len(_PHASES):
            self._choose(chosenPhase=_PHASES[index])

    def _onToggled(self, on: bool) -> None:
        self._ui.fattySettingsWidget.setVisible(on)
        self._ui.fattySettingsButton.setArrowType(qt.Qt.DownArrow if on else qt.Qt.RightArrow)


def cutOffsOf(parameters: LiverSegParameters) -> Dict[str, float]:
    """The cut-offs that a new reading gets, by the core's names."""
    return {
        "normal_above": parameters.normalAbove,
        "moderate_below": parameters.moderateBelow,
        "severe_below": parameters.severeBelow,
    }


def phaseName(phase: Optional[str]) -> str:
    """Return a contrast phase in words."""
    names = {
        "unenhanced": _("unenhanced"),
        "arterial": _("arterial"),
        "portal": _("portal venous"),
        "late": _("delayed"),
    }
    return names.get(phase or "", _("unknown"))


def _set(box, value) -> None:
    """Show a value without telling anybody."""
    box.blockSignals(True)
    box.setValue(value)
    box.blockSignals(False)
