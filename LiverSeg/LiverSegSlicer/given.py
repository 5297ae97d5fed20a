"""The steps of measuring a segmentation that others made; and what of it the logic offers."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional

from slicer.i18n import tr as _

from LiverSegLib.errors import UsageError
from LiverSegLib.images.modality import MR, known_modality, said_modality
from LiverSegLib.review import WAYS
from LiverSegLib.worker import given_messages

from .jobs import readResult, sceneAtRest, stageWords, watching
from .reruns import replaceableResult
from .scene import given, parts, results, volumes
from .scene.dicom_header import headerFacts
from .work.files import writeArray
from .work.run import Ask, Completed, Progress, Run, Steps
from .work.scan_files import folderFor, keepScan


@dataclass(frozen=True)
class GivenOptions:
    """How to measure a segmentation that others made.

    Attributes:
        roles: segment ID or name -> "liver", "spleen", "tumor" or "none", where codes and names do not say
            it.
        made: "manual", "automatic" or "semiautomatic", how it was made; None for what its DICOM header said.
        modality: "CT" or "MR", of volumes of which DICOM does not say it; they are CT if None.
        replaceUntouched: put the result in the place of an earlier one of this segmentation that nobody has
            edited or accepted.
    """

    roles: Optional[Mapping[str, str]] = None
    made: Optional[str] = None
    modality: Optional[str] = None
    replaceUntouched: bool = True


class MeasuresGiven:
    """The part of ``Logic`` that measures segmentations that LiverSeg did not make."""

    _wait: Callable[[Callable[[Run], Steps], Optional[Progress]], Any]
    _start: Callable[[Callable[[Run], Steps], Optional[Progress], Optional[Completed]], Run]

    def measureSegmentation(
        self,
        segmentationNode: Any,
        volumeNode: Any,
        roles: Optional[Mapping[str, str]] = None,
        progress: Optional[Progress] = None,
        **options: Any,
    ) -> Any:
        """Measure a segmentation that LiverSeg did not make, as a new result beside it; no model runs, and
        the segmentation stays as it is.

        Args:
            segmentationNode: any vtkMRMLSegmentationNode, of label maps, contours or surfaces.
            volumeNode: the scan, CT in HU or MR.
            roles, **options: The attributes of ``GivenOptions``.

        Returns:
            The vtkMRMLSegmentationNode of the result, with segments "liver", "spleen" and "tumour".

        Raises:
            LiverSegError: With a sentence; the scene is as it was.
        """
        wanted = GivenOptions(roles, **options)
        return self._wait(partial(givenSteps, segmentationNode, volumeNode, wanted), progress)

    def measureSegmentationAsync(
        self,
        segmentationNode: Any,
        volumeNode: Any,
        roles: Optional[Mapping[str, str]] = None,
        progress: Optional[Progress] = None,
        completed: Optional[Completed] = None,
        **options: Any,
    ) -> Run:
        """The same in the background; ``completed(segmentationNode, error)`` is called once."""
        wanted = GivenOptions(roles, **options)
        return self._start(partial(givenSteps, segmentationNode, volumeNode, wanted), progress, completed)


def givenSteps(segmentationNode: Any, volumeNode: Any, options: GivenOptions, run: Run) -> Steps:
    """Measure a segmentation that others made; the result is the node of a new result.

    Raises:
        InputError, UsageError: scan or segmentation cannot be used, or do not belong together.
    """
    volumes.checkVolume(volumeNode)
    structures = _checked(segmentationNode, options)
    known_modality(volumes.headerModality(volumeNode), said_modality(options.modality))
    modality = volumes.modalityOf(volumeNode, options.modality)
    with watching(run, volumeNode, segmentationNode) as watch, folderFor(run) as folder:
        run.tell(0.0, _("Handing the scan over"))
        scan = yield from keepScan(run, volumeNode, anew=True)
        run.tell(0.15, _("Handing the segmentation over"))
        segments = yield from _handOver(segmentationNode, volumeNode, structures, folder)
        request = given_messages.TakeSegmentation(
            folder.name,
            voxels=str(scan.voxels),
            grid=volumes.volumeGrid(volumeNode),
            segments=segments,
            source=segmentationNode.GetName() or _("Segmentation"),
            kind=given.KIND,
            made=given.wayMade(segmentationNode) if options.made is None else options.made,
            drawn_on=given.drawnOn(segmentationNode, volumeNode),
            name=volumeNode.GetName() or None,
            modality=modality if modality == MR else None,
            **headerFacts(volumeNode),
        )
        watch.check()
        reply = yield Ask(request, begin=0.25, end=0.95, words=_words)
        run.tell(0.95, _("Putting the result into the scene"))
        result = yield from readResult(reply, scan, volumeNode.GetImageData().GetDimensions()[::-1])
        yield from sceneAtRest()
        watch.check()
        watch.stop()
        earlier = replaceableResult(volumeNode, segmentationNode) if options.replaceUntouched else None
        resultNode = results.applyResult(volumeNode, result, replace=earlier)
        resultNode.SetNodeReferenceID(parts.GIVEN, segmentationNode.GetID())
        return resultNode


def _checked(segmentationNode: Any, options: GivenOptions) -> Dict[str, str]:
    """Segment ID -> structure, of a segmentation that can be taken."""
    if not given.isGiven(segmentationNode):
        raise UsageError(_("Choose a segmentation with segments that LiverSeg has not made itself."))
    if options.made and options.made not in WAYS:
        text = _("A segmentation is made in one of these ways: {known}.")
        raise UsageError(text.format(known=", ".join(WAYS)))
    given.checkTransform(segmentationNode)
    return given.structuresOf(segmentationNode, options.roles)


def _handOver(segmentationNode: Any, volumeNode: Any, structures: Mapping[str, str], folder: Path) -> Steps:
    """Write the shapes of the segments that are taken; returns what names them for the worker. A label map
    that several segments share is written once."""
    handed = []
    files: Dict[int, str] = {}
    for number, segment in enumerate(given.segmentsOf(segmentationNode)):
        structure = structures[segment.segmentID]
        fields: Dict[str, Any] = {}
        if structure != given.NONE:
            shape = given.shapeOf(segmentationNode, segment.segmentID, volumeNode)
            fields = yield from _written(shape, folder / f"segment-{number}", files)
        handed.append(given_messages.GivenSegment(segment.name, structure, **fields))
    return tuple(handed)


def _written(shape: given.Shape, place: Path, files: Dict[int, str]) -> Steps:
    """Write the arrays of a shape beside ``place``; returns the fields that name them.

    Args:
        files: label maps that were written already, by their place in memory.
    """
    fields: Dict[str, Any] = {}
    if shape.labels is not None:
        address = shape.labels.ctypes.data
        if address not in files:
            files[address] = yield from _file(place, "labels", shape.labels)
        fields = {"labels": files[address], "grid": shape.grid, "value": shape.value}
    for name in ("points", "contours", "triangles"):
        array = getattr(shape, name)
        if array is not None:
            fields[name] = yield from _file(place, name, array)
    yield None
    return fields


def _file(place: Path, name: str, array: Any) -> Steps:
    """Write an array beside ``place``; returns the path of its file."""
    path = place.with_name(f"{place.name}-{name}.npy")
    yield from writeArray(path, array)
    return str(path)


def _words(stage: str, text: str) -> str:
    """What to tell people of a stage of the worker's."""
    return _("Taking the segmentation over") if stage == "take" else stageWords(stage, text)
