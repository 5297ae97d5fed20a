"""Section Scan: which volume, what it is, what is doubtful about it."""

from typing import Optional

from slicer.i18n import tr as _

from ..scene.volumes import dateOf, describeVolume, seriesOf, sliceThicknessOf
from .notes import Note


class ScanSection:
    """The selector's two lines of text. The selector itself is bound to the parameter node."""

    def __init__(self, ui) -> None:
        self._factsLabel = ui.scanFactsLabel
        self._doubts = Note(ui, "scanDoubts", _("What may make the result of this scan less reliable."))

    def show(self, volumeNode, phase: Optional[str], anyVolume: bool, measured: bool = False) -> None:
        """Describe the volume.

        Args:
            volumeNode: the chosen volume, or None.
            phase: its contrast phase, which is known once it is segmented; or None.
            anyVolume: whether the scene holds any volume that could be chosen.
            measured: whether its numbers stand further down, with what makes them doubtful.
        """
        if volumeNode is None:
            nothingLoaded = _("No scan is loaded: drag an abdominal CT into the Slicer window.")
            text = _("Choose a scan above.") if anyVolume else nothingLoaded
            self._factsLabel.setText(text)
            self._doubts.warn(())
            return
        facts = describeVolume(volumeNode)
        self._factsLabel.setText(_line(volumeNode, phase) if facts.size[0] else facts.text)
        self._factsLabel.toolTip = facts.text
        elsewhere = facts.saidOfNumbers if measured else ()
        self._doubts.warn([text for text in facts.doubts if text not in elsewhere])


def _line(volumeNode, phase: Optional[str]) -> str:
    """Series, date, phase and slice thickness, as far as they are known."""
    slices = _("{thickness:.3g} mm slices").format(thickness=sliceThicknessOf(volumeNode))
    parts = (seriesOf(volumeNode), dateOf(volumeNode), _phaseWords(phase), slices)
    return " · ".join(part for part in parts if part)


def _phaseWords(phase: Optional[str]) -> str:
    return {
        "unenhanced": _("Unenhanced (estimated)"),
        "arterial": _("Arterial phase (estimated)"),
        "portal": _("Portal venous phase (estimated)"),
        "late": _("Late phase (estimated)"),
    }.get(phase or "", "")
