"""What LiverSeg can do in Slicer, for the panel, the Python console and scripts alike.

    logic = LiverSegLogic()
    segmentationNode = logic.segment(volumeNode)

A blocking method raises a ``LiverSegError``; the one that takes ``completed`` returns a :class:`Run` and
calls ``completed(result, error)`` once. The text of an error is one sentence for the user, ``details`` is for
developers.
"""

import os
from functools import partial
from pathlib import Path
from typing import Any, Dict, Optional, Sequence, Tuple, Union

from LiverSegLib.worker.correct_messages import StrokeLine

from . import acceptance
from .comparing import Compared, CompareOptions, compareSteps
from .correct.corrector import Corrector, sharedCorrector
from .correct.steps import Asked, Corrected, caseOf
from .explaining import Why, explainSteps
from .exporting import ExportedDicom, ExportOptions, exportSteps
from .fatty_liver import assess as steatosis
from .fatty_liver.meters import Meters
from .given import MeasuresGiven
from .jobs import SegmentOptions, measureSteps, reportSteps, segmentSteps
from .logic_setup import SetupLogic
from .scene import highlight, views
from .scene.edits import NodeWriter
from .scene.fingerprint import editedSinceMeasured
from .scene.parts import requireVolume
from .scene.roles import segmentNamed
from .scene.volumes import scanPoint
from .work.run import Completed, Progress, Run
from .work.worker_process import WorkerProcess


class Logic(SetupLogic, MeasuresGiven):
    """LiverSeg without a panel.

    Args:
        worker: The worker to use; the one that all of this Slicer shares if None.
    """

    def __init__(self, worker: Optional[WorkerProcess] = None) -> None:
        SetupLogic.__init__(self, worker)
        self.meters = Meters()
        self.corrector = sharedCorrector() if worker is None else Corrector(lambda: worker)

    def segment(self, volumeNode: Any, progress: Optional[Progress] = None, **options: Any) -> Any:
        """Segment a CT or MR volume and put the result into the scene.

        Args:
            volumeNode: vtkMRMLScalarVolumeNode, CT in HU; if DICOM does not say that it is MR, ``modality``
                must.
            progress: Called with the fraction done (0 to 1) and a text.
            **options: The attributes of ``SegmentOptions``.

        Returns:
            The vtkMRMLSegmentationNode.

        Raises:
            LiverSegError: With a sentence; the scene is as it was.
        """
        steps = partial(segmentSteps, volumeNode, SegmentOptions(**options))
        return self._wait(steps, progress)

    def segmentAsync(
        self,
        volumeNode: Any,
        progress: Optional[Progress] = None,
        completed: Optional[Completed] = None,
        **options: Any,
    ) -> Run:
        """The same in the background: returns at once; ``completed(segmentationNode, error)`` is called
        once."""
        steps = partial(segmentSteps, volumeNode, SegmentOptions(**options))
        return self._start(steps, progress, completed)

    def measure(self, segmentationNode: Any, progress: Optional[Progress] = None) -> Any:
        """Measure a result of LiverSeg anew after it was edited: tables, lesion marks and summary follow.

        Returns:
            The segmentation node.

        Raises:
            LiverSegError: With a sentence; the numbers are as they were.
        """
        return self._wait(partial(measureSteps, segmentationNode), progress)

    def measureAsync(
        self,
        segmentationNode: Any,
        completed: Optional[Completed] = None,
        progress: Optional[Progress] = None,
    ) -> Run:
        """The same in the background; ``completed(segmentationNode, error)`` is called once."""
        return self._start(partial(measureSteps, segmentationNode), progress, completed)

    def measureInBackground(self, segmentationNode: Any, completed: Completed) -> Run:
        """The same without precedence: any other run cancels it, and nothing waits for it."""
        steps = partial(measureSteps, segmentationNode)
        return Run(self.worker, steps, completed=completed, givesWay=True).start()

    def explainLesion(
        self,
        segmentationNode: Any,
        number: int,
        progress: Optional[Progress] = None,
        device: str = "auto",
    ) -> Why:
        """Explain why the model drew lesion ``number`` of a result: ``node`` is a heat map on a part of the
        scan's grid, which no view shows yet. Needs PyTorch; ``device`` is "auto", "cpu", "cuda" or "mps".

        Raises:
            LiverSegError: With a sentence; the scene is as it was.
        """
        return self._wait(partial(explainSteps, segmentationNode, number, device), progress)

    def explainLesionAsync(
        self,
        segmentationNode: Any,
        number: int,
        completed: Optional[Completed] = None,
        progress: Optional[Progress] = None,
        device: str = "auto",
    ) -> Run:
        """The same in the background; ``completed(why, error)`` is called once."""
        return self._start(partial(explainSteps, segmentationNode, number, device), progress, completed)

    def refine(
        self,
        segmentationNode: Any,
        target: str,
        include: Sequence[Sequence[float]] = (),
        exclude: Sequence[Sequence[float]] = (),
        strokes: Sequence[Tuple[Sequence[Sequence[float]], float, bool]] = (),
        volumeNode: Any = None,
    ) -> Corrected:
        """Correct a segment near clicks and strokes, and wait for it. There is no undo without an editor.

        Args:
            segmentationNode: any segmentation.
            target: "liver", "spleen" or "tumor", or the ID or name of a segment.
            include: points (r, a, s) in world mm, on voxels that belong to the segment and lack.
            exclude: points on voxels of the segment that do not belong to it.
            strokes: lines: their points, radius in mm, and whether they belong to the segment.
            volumeNode: the scan; that of the result if None.

        Returns:
            ``Corrected``: ``added`` and ``removed`` voxels, ``voxelMl``.

        Raises:
            LiverSegError: With a sentence; the segmentation is as it was.
        """
        volumeNode = volumeNode if volumeNode is not None else requireVolume(segmentationNode)
        case = caseOf(segmentationNode, segmentNamed(segmentationNode, target), volumeNode)

        def lps(points: Sequence[Sequence[float]]) -> Tuple[Tuple[float, float, float], ...]:
            return tuple(scanPoint(volumeNode, point) for point in points)

        lines = tuple(StrokeLine(lps(points), float(radius), bool(on)) for points, radius, on in strokes)
        asked = Asked(include=lps(include), exclude=lps(exclude), strokes=lines)
        return self.corrector.correct(case, asked, NodeWriter(segmentationNode))

    def accept(self, segmentationNode: Any, by: str) -> None:
        """Accept a result as reviewed by ``by`` now: its segments, ROIs and numbers; an edited one is
        measured first. Any later change opens it again.

        Raises:
            LiverSegError: With a sentence; nothing is accepted.
        """
        if editedSinceMeasured(segmentationNode):
            self.measure(segmentationNode)
        acceptance.accept(segmentationNode, by)

    def writeReport(
        self,
        segmentationNode: Any,
        folder: Union[str, "os.PathLike[str]"],
        completed: Optional[Completed] = None,
        progress: Optional[Progress] = None,
        *,
        labelFormat: str = "nii.gz",
        highlight: bool = False,
    ) -> Run:
        """Write report.html and the other files of the case into ``folder`` in the background, all of them or
        none; ``completed(path of report.html, error)`` is called once. An edited segmentation is measured
        first."""
        steps = partial(reportSteps, segmentationNode, Path(folder), labelFormat, highlight)
        return self._start(steps, progress, completed)

    def report(
        self,
        segmentationNode: Any,
        folder: Union[str, "os.PathLike[str]"],
        progress: Optional[Progress] = None,
        *,
        labelFormat: str = "nii.gz",
        highlight: bool = False,
    ) -> Path:
        """The same, blocking; returns the path of report.html.

        Raises:
            LiverSegError: With a sentence; the folder is as it was.
        """
        steps = partial(reportSteps, segmentationNode, Path(folder), labelFormat, highlight)
        return self._wait(steps, progress)

    def exportDicom(self, segmentationNode: Any, folder: "os.PathLike[str]", **options: Any) -> ExportedDicom:
        """Write a result of a DICOM scan as DICOM objects into ``folder``, both or none, and wait for it;
        ``ExportOptions`` has the options. Raises LiverSegError with a sentence."""
        return self._wait(
            partial(exportSteps, segmentationNode, Path(folder), ExportOptions(**options)), None
        )

    def exportDicomAsync(
        self,
        segmentationNode: Any,
        folder: "os.PathLike[str]",
        progress: Optional[Progress] = None,
        completed: Optional[Completed] = None,
        **options: Any,
    ) -> Run:
        """The same in the background; ``completed(ExportedDicom, error)`` is called once."""
        steps = partial(exportSteps, segmentationNode, Path(folder), ExportOptions(**options))
        return self._start(steps, progress, completed)

    def compare(
        self,
        segmentationNodes: Sequence[Any],
        dates: Optional[Sequence[Optional[str]]] = None,
        progress: Optional[Progress] = None,
        *,
        anyway: bool = False,
        folder: Optional[Union[str, "os.PathLike[str]"]] = None,
    ) -> Compared:
        """Compare results of two or more dates of one patient, and wait for it: livers registered, lesions
        matched, response by RECIST 1.1. An edited result is measured first.

        Args:
            segmentationNodes: results of LiverSeg, each of a scan of its own.
            dates: of each, "2026-11-30" or None; those of DICOM, or typed in the panel, if None.
            progress: Called with the fraction done (0 to 1) and a text.
            anyway: compare livers that do not fit onto each other, too.
            folder: where the page and the other files go, all or none; nothing is written if None.

        Returns:
            ``Compared``: ``tableNode``, a row for each lesion, and ``page``.

        Raises:
            LiverSegError: With a sentence; scene and folder are as they were.
        """
        options = CompareOptions(dates, anyway, None if folder is None else Path(folder))
        return self._wait(partial(compareSteps, tuple(segmentationNodes), options), progress)

    def compareAsync(
        self,
        segmentationNodes: Sequence[Any],
        dates: Optional[Sequence[Optional[str]]] = None,
        progress: Optional[Progress] = None,
        completed: Optional[Completed] = None,
        *,
        anyway: bool = False,
        folder: Optional[Union[str, "os.PathLike[str]"]] = None,
    ) -> Run:
        """The same in the background; ``completed(Compared, error)`` is called once."""
        options = CompareOptions(dates, anyway, None if folder is None else Path(folder))
        steps = partial(compareSteps, tuple(segmentationNodes), options)
        return self._start(steps, progress, completed)

    def assessSteatosis(self, volumeNode: Any, segmentationNode: Any, **settings: Any) -> Any:
        """Judge liver fat by ROIs in liver and spleen, which become boxes in the scene.

        ROIs that are there already are measured as they lie. With any setting for placing, the automatic ones
        among them are placed anew; those that somebody made, moved or resized stay.

        Args:
            volumeNode: the scan, without contrast medium. segmentationNode: has segments with the IDs "liver"
                and "spleen".
            **settings: for placing ``count`` (of each organ), ``sideMm``, ``marginMm``, ``lesionMarginMm``,
                ``seed``; ``cutOffs`` (normal above, moderate below, severe below), ``kvp``, and
                ``gradeAnyway`` to grade in spite of reasons not to, which the result repeats.

        Returns:
            ``LiverSegLib.steatosis.assess.Assessment``.

        Raises:
            LiverSegError: With a sentence; no liver, cut-offs out of order, a setting out of its range.
        """
        return steatosis.assessSteatosis(self.meters, volumeNode, segmentationNode, **settings)

    def acceptSteatosis(self, segmentationNode: Any, by: str = "") -> Dict[str, Any]:
        """Store the fatty-liver reading as accepted by ``by``, or the one who is logged in; later changes of
        its ROIs or settings open it again. Returns who, when, how and which ROIs."""
        return steatosis.acceptSteatosis(segmentationNode, by)

    def showResult(self, volumeNode: Any, segmentationNode: Any) -> None:
        """Four-up layout, abdomen window, views centred on the liver; nothing without a main window."""
        views.showResult(volumeNode, segmentationNode)

    def jumpToLesion(self, segmentationNode: Any, number: int) -> None:
        """Show lesion ``number`` in all slice views."""
        views.jumpToLesion(segmentationNode, number)

    def makeHighlight(self, volumeNode: Any, segmentationNode: Any) -> Any:
        """Make, or make anew, the highlight volume: liver grey, tumours white, the rest black; returns its
        node."""
        return highlight.makeHighlight(volumeNode, segmentationNode)
