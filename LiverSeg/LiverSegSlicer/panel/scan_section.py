"""Section Scan: what the chosen volume is, what is doubtful about it."""

from typing import Optional

from slicer.i18n import tr as _

from ..scene.volumes import dateOf, describeVolume, seriesOf, sliceThicknessOf
from .notes import Note
from .panel_state import PanelState
from .scene_link import scansInScene


class ScanSection:
    """The selector's two lines of text. The selector itself is bound to the parameter node."""

    def __init__(self, ui) -> None:
        self._factsLabel = ui.scanFactsLabel
        self._doubts = Note(ui, "scanDoubts", _("What may make the result of this scan less reliable."))

    def show(self, state: PanelState) -> None:
        """Describe the chosen volume; its contrast phase is known once it is segmented."""
        volumeNode, measurements = state.volumeNode, state.measurements
        if volumeNode is None:
            nothingLoaded = _("No scan is loaded: drag an abdominal CT into the Slicer window.")
            self._factsLabel.setText(_("Choose a scan above.") if scansInScene() else nothingLoaded)
            self._doubts.warn(())
            return
        facts = describeVolume(volumeNode, state.modality)
        phase = measurements["phase"] if measurements is not None else None
        self._factsLabel.setText(_line(volumeNode, phase) if facts.size[0] else facts.text)
        self._factsLabel.toolTip = facts.text
        elsewhere = facts.saidOfNumbers if measurements is not None else ()
        self._doubts.warn([text for text in facts.doubts if text not in elsewhere])


def _line(volumeNode, phase: Optional[str]) -> str:
    """Series, date, phase and slice thickness, as far as they are known."""
    slices = _("{thickness:.3g} mm slices").format(thickness=sliceThicknessOf(volumeNode))
    phases = {
        "unenhanced": _("Unenhanced (estimated)"),
        "arterial": _("Arterial phase (estimated)"),
        "portal": _("Portal venous phase (estimated)"),
        "late": _("Delayed phase (estimated)"),
    }
    parts = (seriesOf(volumeNode), dateOf(volumeNode), phases.get(phase or ""), slices)
    return " · ".join(part for part in parts if part)
