"""The small part Settings of the section Fatty liver: cut-offs and tube voltage. Number and size of the ROIs
are bound to the parameter node.
"""

from typing import Callable, Dict, Mapping, Optional

import qt
from slicer.i18n import tr as _

from .notes import WARNING, Note
from .slots import guarded


class SteatosisSettings:
    """Args:
    ui: the panel's widgets.
    onCutOffs: called with cut-offs in order, by the core's names, when the user changed one.
    onVoltage: called with kV, or None for not known, when the user changed it.
    """

    def __init__(
        self,
        ui,
        onCutOffs: Callable[[Dict[str, float]], None],
        onVoltage: Callable[[Optional[float]], None],
    ) -> None:
        self._ui = ui
        self._onCutOffs = onCutOffs
        self._onVoltage = onVoltage
        self._note = Note(ui, "fattySettings")
        self._shown: Mapping[str, float] = {}
        self._boxes = {
            "normal_above": ui.fattyNormalSpinBox,
            "moderate_below": ui.fattyModerateSpinBox,
            "severe_below": ui.fattySevereSpinBox,
        }
        for box in self._boxes.values():
            box.connect("valueChanged(double)", guarded(self._onCutOff))
        ui.fattyVoltageSpinBox.connect("valueChanged(int)", guarded(self._onVoltageChanged))
        ui.fattySettingsButton.connect("toggled(bool)", guarded(self._onToggled))

    def show(self, cutOffs: Mapping[str, float], kvp: Optional[float], hasReading: bool) -> None:
        """Show what holds for the present reading, or for the next one; cut-offs that the user has typed but
        that are out of order stay as they are.
        """
        if not self._isOutOfOrder() or dict(cutOffs) != dict(self._shown):
            self._note.show("")
            for key, box in self._boxes.items():
                _set(box, cutOffs[key])
        self._shown = dict(cutOffs)
        _set(self._ui.fattyVoltageSpinBox, int(round(kvp or 0)))
        self._ui.fattyVoltageSpinBox.enabled = hasReading
        self._ui.fattyVoltageSpinBox.toolTip = (
            _("Tube voltage of this scan, from its DICOM header if there is one; cut-offs hold for 120 kV.")
            if hasReading
            else _("Place ROIs first: the tube voltage is stored with the reading.")
        )

    def _isOutOfOrder(self) -> bool:
        return bool(self._ui.fattySettingsLabel.text)

    def _onCutOff(self, _value: float) -> None:
        cutOffs = {key: round(box.value, 4) for key, box in self._boxes.items()}
        if not 0 < cutOffs["severe_below"] < cutOffs["moderate_below"] < cutOffs["normal_above"]:
            self._note.show(
                _("The cut-offs must be above 0 and in order: severe, then moderate, then normal."), WARNING
            )
            return
        self._note.show("")
        self._shown = dict(cutOffs)
        self._onCutOffs(cutOffs)

    def _onVoltageChanged(self, kv: int) -> None:
        self._onVoltage(float(kv) if kv > 0 else None)

    def _onToggled(self, on: bool) -> None:
        self._ui.fattySettingsWidget.setVisible(on)
        self._ui.fattySettingsButton.setArrowType(qt.Qt.DownArrow if on else qt.Qt.RightArrow)


def _set(box, value) -> None:
    """Show a value without telling anybody."""
    box.blockSignals(True)
    box.setValue(value)
    box.blockSignals(False)
