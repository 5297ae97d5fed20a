"""Section Scan: which volume, what it is, what is doubtful about it."""

from typing import Optional

from slicer.i18n import tr as _

from .notes import Note
from .volumes import describeVolume


class ScanSection:
    """The selector's two lines of text. The selector itself is bound to the parameter node."""

    def __init__(self, ui) -> None:
        self._factsLabel = ui.scanFactsLabel
        self._doubts = Note(ui, "scanDoubts")

    def show(self, volumeNode, phase: Optional[str], anyVolume: bool) -> None:
        """Describe the volume.

        Args:
            volumeNode: the chosen volume, or None.
            phase: its contrast phase, which is known once it is segmented; or None.
            anyVolume: whether the scene holds any volume that could be chosen.
        """
        if volumeNode is None:
            nothingLoaded = _("No scan is loaded: drag an abdominal CT into the Slicer window.")
            text = _("Choose a scan above.") if anyVolume else nothingLoaded
            self._factsLabel.setText(text)
            self._doubts.warn(())
            return
        facts = describeVolume(volumeNode)
        words = _phaseWords(phase)
        self._factsLabel.setText(f"{facts.text}\n{words}" if words else facts.text)
        self._doubts.warn(facts.doubts)


def _phaseWords(phase: Optional[str]) -> str:
    return {
        "unenhanced": _("Without contrast medium, as far as the image tells"),
        "arterial": _("Arterial phase, as far as the image tells"),
        "portal": _("Portal venous phase, as far as the image tells"),
        "late": _("Late phase, as far as the image tells"),
    }.get(phase or "", "")
