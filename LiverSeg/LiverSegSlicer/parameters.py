"""What the panel remembers: with the scene in a parameter node, for every scene in Slicer's settings."""

import os
from typing import Annotated, Any, Callable, List, Optional, Tuple

import qt
import slicer
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from .slots import guarded


@parameterNodeWrapper
class _Parameters:
    """The panel's choices for one scene.

    Attributes:
        inputVolume: the scan to segment.
        segmentation: the result that the panel shows; it belongs to ``inputVolume``.
        model: name of a model, as the core's store knows it; it draws the organs.
        tumorModel: name of the model that draws the tumors; empty if that is ``model`` too.
        structures: keys of what else is wanted of the model, divided by commas; "usual" for those that belong
            to the liver.
        device: "auto", "cpu", "cuda", "mps".
        modality: "auto", "CT" or "MR", of scans of which DICOM does not say it.
        minimumLesionMl: smallest lesion that is kept, in ml; 0 leaves it to the model and the contrast phase.
        mirror: average over mirror images.
        replaceUntouched: a new run replaces a result that nobody has edited or accepted.
        roiCount: ROIs placed in liver and in spleen, for fatty liver. roiSideMm: their side in mm.
        normalAbove, moderateBelow, severeBelow: cut-offs of the liver/spleen ratio that a new reading gets.
    """

    inputVolume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    model: str = "default"
    tumorModel: str = ""
    structures: str = "usual"
    device: str = "auto"
    modality: str = "auto"
    minimumLesionMl: Annotated[float, WithinRange(0.0, 50.0)] = 0.0
    mirror: bool = False
    replaceUntouched: bool = True
    roiCount: Annotated[int, WithinRange(1, 30)] = 5
    roiSideMm: Annotated[float, WithinRange(10.0, 20.0)] = 10.0
    normalAbove: Annotated[float, WithinRange(0.0, 5.0)] = 1.0
    moderateBelow: Annotated[float, WithinRange(0.0, 5.0)] = 0.7
    severeBelow: Annotated[float, WithinRange(0.0, 5.0)] = 0.5


class LiverSegParameters(_Parameters):
    """The panel's choices for one scene, with the attributes above; the panel can let go of them."""

    def AddObserver(self, event: int, callback: Callable[..., None], priority: float = 0.0) -> int:
        """Observe the parameter node until ``letGo``; Slicer's ``connectParametersToGui`` calls this too, and
        never takes away what it adds.
        """
        tags: List[int] = self.__dict__.setdefault("_tags", [])
        tags.append(self.parameterNode.AddObserver(event, guarded(callback), priority))
        return tags[-1]

    def letGo(self, guiTag: Any) -> None:
        """Take away all observers, and the widgets that were connected with ``guiTag``."""
        self.disconnectGui(guiTag)
        tags: List[int] = self.__dict__.pop("_tags", [])
        for tag in tags:
            self.parameterNode.RemoveObserver(tag)


def segmentOptions(parameters: LiverSegParameters) -> dict:
    """The parameters as keyword arguments of ``segment`` and ``segmentAsync``."""
    smallest: Optional[float] = parameters.minimumLesionMl if parameters.minimumLesionMl > 0 else None
    return {
        "model": parameters.model,
        "tumors": parameters.tumorModel or None,
        "structures": wantedStructures(parameters.structures),
        "device": parameters.device,
        "mirror": parameters.mirror,
        "minimumLesionMl": smallest,
        "replaceUntouched": parameters.replaceUntouched,
    }


USUAL = "usual"
"""Stands for the structures that belong to the liver, whatever the model calls them."""


def wantedStructures(text: str) -> Optional[Tuple[str, ...]]:
    """Return the keys that the parameter ``structures`` names; None for the usual ones."""
    return None if text == USUAL else tuple(key for key in text.split(",") if key)


def _setting(default: Callable[[Any], Any]) -> property:
    """An attribute that Slicer's settings keep; ``default`` returns what holds until somebody chooses."""
    key = f"LiverSeg/{default.__name__[:1].upper()}{default.__name__[1:]}"

    def chosen(preferences: Any) -> Any:
        usual = default(preferences)
        convert = slicer.util.toBool if isinstance(usual, bool) else type(usual)
        value = slicer.util.settingsValue(key, usual, converter=convert)
        return usual if value == "" else value

    def choose(preferences: Any, value: Any) -> None:
        qt.QSettings().setValue(key, type(default(preferences))(value))

    return property(chosen, choose, doc=default.__doc__)


_HASH_DIGITS = 32
"""So much of a hash tells models apart, and keeps the setting short."""


class Preferences:
    """Choices that belong to this computer, not to a scene."""

    @_setting
    def startWithPanel(self) -> bool:
        """Whether the computing process starts when the panel opens."""
        return False

    @_setting
    def idleMinutes(self) -> int:
        """After how many minutes without work the computing process ends; 0: never."""
        return 10

    @_setting
    def arrangeViews(self) -> bool:
        """Whether the views are arranged after the first run on a scan."""
        return True

    @_setting
    def computeOnServer(self) -> bool:
        """Whether a server computes in this computer's place, to which scans are sent then."""
        return False

    @_setting
    def serverAddress(self) -> str:
        """Where the server is, https://NAME:PORT; empty if nobody has said."""
        return ""

    @_setting
    def serverToken(self) -> str:
        """What lets in to the server."""
        return ""

    @_setting
    def serverAuthority(self) -> str:
        """File (PEM) of the authority that signed the server's certificate; empty for those that this
        computer knows."""
        return ""

    @_setting
    def agreedLicences(self) -> str:
        """The models (first part of their hash) whose licence was agreed to, divided by spaces."""
        return ""

    def hasAgreed(self, sha256: str) -> bool:
        """Whether the licence of a model was agreed to."""
        return sha256[:_HASH_DIGITS] in self.agreedLicences.split()

    def agree(self, sha256: str) -> None:
        """Remember that the licence of a model was agreed to."""
        if not self.hasAgreed(sha256):
            self.agreedLicences = " ".join([*self.agreedLicences.split(), sha256[:_HASH_DIGITS]])

    @_setting
    def reader(self) -> str:
        """Who accepted a reading last; empty if nobody has."""
        return ""

    @_setting
    def exportToDatabase(self) -> bool:
        """Whether DICOM objects go into Slicer's DICOM database, too."""
        return True

    @_setting
    def reportFolder(self) -> str:
        """Where reports go: the folder chosen last, or LiverSeg in the documents; it need not exist."""
        documents = qt.QStandardPaths.writableLocation(qt.QStandardPaths.DocumentsLocation)
        return os.path.join(documents or os.path.expanduser("~"), "LiverSeg")
