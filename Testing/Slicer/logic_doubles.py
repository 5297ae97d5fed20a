"""What the tests of the logic share: a small CT in the scene, a worker whose segmenter does what a test asks,
and what they wait for.

The worker is the real one with ``FakeSegmenter`` of Testing/Core/doubles.py; some are no workers at all.
"""

import os
import sys
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "LiverSeg"), str(REPOSITORY / "Testing" / "Core")]

STARTING = "Starting the worker"
HANDING_OVER = "Handing the scan over"
SEGMENTING = "Segmenting"
PUTTING = "Putting the result into the scene"


def command(**plan: Any) -> List[str]:
    """The command line of a worker that misbehaves as ``plan`` says (see Testing/Core/doubles.py)."""
    import doubles

    import LiverSegSlicer  # noqa: F401  (makes the core importable, which doubles needs)

    return doubles.command("worker", plan)


def script(code: str) -> List[str]:
    """A program that is no worker."""
    return [sys.executable, "-c", code]


def addVolume(name: str = "CT") -> Any:
    """The CT of doubles.py as a volume node, with its oblique direction."""
    import doubles
    import numpy as np
    import SimpleITK as sitk
    import slicer
    import vtk

    image = doubles.scan()
    volumeNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(volumeNode, sitk.GetArrayFromImage(image))
    lpsToRas = np.diag([-1.0, -1.0, 1.0])
    matrix = np.eye(4)
    steps = np.reshape(image.GetDirection(), (3, 3)) * np.asarray(image.GetSpacing())
    matrix[:3, :3] = lpsToRas @ steps
    matrix[:3, 3] = lpsToRas @ np.asarray(image.GetOrigin())
    ijkToRas = vtk.vtkMatrix4x4()
    ijkToRas.DeepCopy(matrix.ravel().tolist())
    volumeNode.SetIJKToRASMatrix(ijkToRas)
    return volumeNode


class Ending:
    """Counts how often a run's ``completed`` is called, and with what."""

    def __init__(self) -> None:
        self.calls: List[Tuple[Any, Optional[Exception]]] = []

    def __call__(self, result: Any, error: Optional[Exception]) -> None:
        self.calls.append((result, error))

    def happened(self) -> bool:
        return bool(self.calls)

    def only(self) -> Tuple[Any, Optional[Exception]]:
        """The one call."""
        assert len(self.calls) == 1, self.calls
        return self.calls[0]


class Told:
    """Keeps the progress of a run, and does something once when a text comes."""

    def __init__(self, at: Optional[str] = None, do: Callable[[], None] = lambda: None) -> None:
        self.fractions: List[float] = []
        self.texts: List[str] = []
        self._at = at
        self._do = do

    def __call__(self, fraction: float, text: str) -> None:
        self.fractions.append(fraction)
        self.texts.append(text)
        if text == self._at:
            self._at = None
            self._do()

    def heard(self, text: str) -> Callable[[], bool]:
        return lambda: text in self.texts


def nodeCounts() -> Dict[str, int]:
    """Class -> how many nodes the scene has, of those that a result is made of; hidden segmentations, such as
    the automatic one, are counted apart.
    """
    import slicer

    classes = ("Segmentation", "Table", "Text", "MarkupsFiducial", "ScalarVolume", "Folder")
    names = [f"vtkMRML{name}Node" for name in classes]
    counts = {name: slicer.mrmlScene.GetNumberOfNodesByClass(name) for name in names}
    segmentations = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
    counts["hidden"] = sum(bool(node.GetHideFromEditors()) for node in segmentations)
    counts["vtkMRMLSegmentationNode"] -= counts["hidden"]
    return counts


def leftFiles(worker):
    """What is in the private folder of a worker beside its owner's file and the scan that it keeps."""
    kept = {worker.keptScan.folder.name} if worker.keptScan is not None else set()
    return set(os.listdir(worker.start().folder)) - {"owner"} - kept
