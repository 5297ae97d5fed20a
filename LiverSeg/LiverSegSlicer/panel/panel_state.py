"""What the panel shows now, as one value: made anew after every change and given to each section."""

from dataclasses import dataclass
from typing import Any, Dict, Optional

from slicer.i18n import tr as _

from LiverSegLib.images.modality import CT

from ..parameters import LiverSegParameters
from ..scene.parts import summaryOf
from ..work.engines import EngineState

Measurements = Dict[str, Any]
"""The "measurements" of a summary, as ``LiverSegLib.measure.Measurements.to_dict`` writes them. Importing
that class would load SciPy into Slicer's process."""

_FORMAT = "liverseg-measurements-1"


@dataclass(frozen=True)
class PanelState:
    """Taken from the scene, its parameter node and what runs.

    Attributes:
        parameters: the scene's choices; None while the scene is closing.
        volumeNode: the chosen scan; None without.
        segmentationNode: the result of it that is shown; None without.
        measurements: what was measured of that result; None without a result or its summary.
        isRunning: whether something runs.
        engine: what there is to compute with.
        notReady: why this computer cannot segment now; empty if it can.
        modality: "CT" or "MR", of the result, else of the scan.
    """

    parameters: Optional[LiverSegParameters]
    volumeNode: Any
    segmentationNode: Any
    measurements: Optional[Measurements]
    isRunning: bool
    engine: EngineState
    notReady: str
    modality: str = CT

    def reasonToWait(self) -> str:
        """Why nothing can be started now; empty if something can."""
        return _("Something else is running; wait for it or cancel it.") if self.isRunning else ""


def readMeasurements(segmentationNode: Any) -> Optional[Measurements]:
    """What was measured of a result; None if there is none, or someone has overwritten its summary."""
    summary = summaryOf(segmentationNode)
    measurements = summary["measurements"] if summary is not None else None
    isOurs = isinstance(measurements, dict) and measurements.get("format") == _FORMAT
    return measurements if isOurs else None
