"""Which scan the panel chooses by itself: the one that was loaded last."""

from typing import List, Optional, Set, Tuple

import slicer

from ..scene.highlight import isHighlight
from ..scene.parts import resultFor


class VolumeChoice:
    """Knows which volumes it has seen, so that a scan loaded since then can be told from the older ones."""

    def __init__(self) -> None:
        self._seen: Set[Tuple[str, str]] = set()

    def knows(self, volumeNode) -> bool:
        """Whether a volume has been seen already."""
        return _key(volumeNode) in self._seen

    def choose(self, current, preferResult: bool = False):
        """Return the volume to choose, or None to leave the choice as it is.

        Args:
            current: the volume chosen now, or None.
            preferResult: a scene was opened; a volume that has a result comes first.
        """
        volumeNodes = candidates()
        new = [node for node in volumeNodes if not self.knows(node)]
        self._seen = {_key(node) for node in volumeNodes}
        if preferResult and current is None:
            segmented = [node for node in volumeNodes if resultFor(node) is not None]
            if segmented:
                return segmented[-1]
        loaded = [node for node in new if _isLoaded(node)]
        if loaded:
            return loaded[-1]
        return volumeNodes[-1] if current is None and volumeNodes else None

    def accept(self) -> None:
        """Take all volumes of the scene as seen."""
        self._seen = {_key(node) for node in candidates()}


def _key(volumeNode) -> Tuple[str, str]:
    """Tells a volume from others, also of another scene, which may have the same ID."""
    return volumeNode.GetID() or "", volumeNode.GetAddressAsString("vtkMRMLNode")


def candidates() -> List:
    """The volumes of the scene that could be a scan, in the order in which they came."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [node for node in nodes if _couldBeScan(node)]


def _couldBeScan(node) -> bool:
    isScalar = node.GetClassName() == "vtkMRMLScalarVolumeNode"  # label maps and others are subclasses
    return isScalar and not node.GetHideFromEditors() and not isHighlight(node)


def _isLoaded(volumeNode) -> bool:
    """Whether the volume came from a file or from DICOM, unlike what another module computed."""
    storageNode: Optional[object] = volumeNode.GetStorageNode()
    return storageNode is not None or bool(volumeNode.GetAttribute("DICOM.instanceUIDs"))
