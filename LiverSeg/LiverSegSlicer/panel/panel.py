"""The panel: puts the sections together and passes what the user asks for to the logic."""

from pathlib import Path
from typing import Any, Dict, Optional

import slicer
from slicer.i18n import tr as _

from LiverSegLib.errors import LiverSegError

from .. import slots
from ..parameters import LiverSegParameters, Preferences, segmentOptions
from ..reruns import isReplaceable
from ..scene import highlight, views
from ..scene.fingerprint import seemsEditedSinceMeasured
from ..scene.highlight import isHighlighted
from ..scene.parts import resultFor, summaryOf
from ..scene.rejected_lesions import rejectLesion, restoreLesion
from ..slots import guarded
from .activity import Activity
from .advanced_section import AdvancedSection
from .arrangement import Arrangement
from .lesion_table import LesionActions
from .message_line import MessageLine
from .report_section import ReportSection, caseFolder, openReport
from .result_choice import ResultChoice
from .results_section import ResultsSection, readMeasurements
from .run_bar import SegmentSection
from .scan_section import ScanSection
from .scene_link import SceneBinding
from .steatosis_section import SteatosisSection
from .torch_section import InstallSection
from .volume_choice import candidates
from .width import keepNarrow


class Panel:
    """The module's panel.

    Everything shown is derived from the scene, the parameter node and what runs; ``_draw`` shows all of it
    anew, so no section keeps a state of the scene. It does so only between ``enter`` and ``exit``.

    Args:
        uiWidget: the widget made from LiverSeg.ui.
        logic: a LiverSegLogic.
    """

    def __init__(self, uiWidget, logic) -> None:
        self.logic = logic
        self._uiWidget = uiWidget
        self._closed = False
        self.ui = ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        keepNarrow(uiWidget)
        self._worker = logic.worker
        self._preferences = Preferences()
        self._message = MessageLine(ui, self._worker.logText)
        slots.addListener(self._onFailure)
        self._install = InstallSection(ui, logic, self._message, self._draw)
        self._scan = ScanSection(ui)
        self._segment = SegmentSection(ui, self._onSegment, self._onCancel)
        self._results = ResultsSection(
            ui,
            self._onMeasure,
            LesionActions(self._onLesion, self._onRejectedChosen, self._onReject, self._onRestore),
            self._onHighlight,
        )
        self._resultChoice = ResultChoice(ui, self._onResultChosen)
        self._steatosis = SteatosisSection(ui, logic.meters, self._preferences, lambda: self.parameters)
        self._report = ReportSection(ui, self._preferences, self._onReport)
        self._advanced = AdvancedSection(ui, self._preferences, self._worker, self._message.showLog)
        self._arrangement = Arrangement(self._preferences)
        self._activity = Activity(self._segment, self._message, self._draw)
        self._binding = SceneBinding(
            uiWidget,
            self.logic.getParameterNode,
            isBusy=self._activity.isRunning,
            onScanArrived=self._onScanArrived,
            onChanged=self._draw,
            onEdited=self._drawEdited,
        )
        self._choosing = False
        # before the binding, so that the parameter still has the scan from before
        ui.scanSelector.connect("currentNodeChanged(vtkMRMLNode*)", guarded(self._onSelectorChanged))
        ui.scanSelector.connect("nodeActivated(vtkMRMLNode*)", guarded(self._onScanChosen))
        self._worker.setIdleMinutes(self._preferences.idleMinutes)

    @property
    def parameters(self) -> Optional[LiverSegParameters]:
        """The scene's choices; None while the scene is closing, and while the panel is not shown."""
        return self._binding.parameters

    def enter(self) -> None:
        """The panel has come into view: look around once, and follow the scene from now on."""
        if self._closed:
            return
        self._install.look()
        self._binding.open()
        if self._preferences.startWithPanel and not self._install.reason() and not self._activity.isRunning():
            options: Dict[str, Any] = segmentOptions(self.parameters)
            self._worker.start(options["model"], options["device"])

    def exit(self) -> None:
        """The panel is no longer shown: let the scene be. What runs goes on."""
        self._binding.close()
        self._steatosis.pause()

    def close(self) -> None:
        """The panel is about to vanish: stop what it started and let go of the scene."""
        if self._closed:
            return
        self._closed = True
        slots.removeListener(self._onFailure)
        self._activity.close()
        self._segment.close()
        self._steatosis.close()
        self._install.close()
        self._binding.close()
        # Slicer only hides a panel that is reloaded: its selectors would follow the scene for ever.
        self._uiWidget.setMRMLScene(None)
        self._uiWidget.deleteLater()

    def _onFailure(self, error) -> None:
        """Something failed in a slot, of this panel or of what it uses."""
        self._message.fail(error)

    # ---- drawing

    def _draw(self) -> None:
        """Show everything as it is now; nothing while the panel is not shown."""
        if self._closed or not self._binding.isOpen():
            return
        parameters = self.parameters
        volumeNode = parameters.inputVolume if parameters is not None else None
        segmentationNode = self._resultChoice.find(parameters)
        measurements = readMeasurements(summaryOf(segmentationNode))
        running = self._activity.isRunning()
        phase, measured = (measurements["phase"] if measurements else None), measurements is not None
        self._scan.show(volumeNode, phase, bool(candidates()), measured)
        self._install.show()
        if not running:
            self._segment.showIdle(self._reasonNotToSegment(volumeNode))
        if parameters is not None:
            self._advanced.show(parameters)
        self._advanced.showTorch(self._install.state.text, self._install.state.usable)
        self._report.show(self._reasonNotToReport(measurements, running))
        if measurements is None:
            self._results.showNothing(self._reasonForNoResults(volumeNode, segmentationNode, running))
        else:
            self._results.show(segmentationNode, measurements)
            self._results.showHighlighted(isHighlighted())
        self._steatosis.show(volumeNode, segmentationNode, self._reasonNotToAssess(measurements))
        self._binding.watchSegmentation(segmentationNode)
        self._showEdited(segmentationNode)

    def _drawEdited(self) -> None:
        """The segmentation was edited: show whether its numbers are out of date, and measure the ROIs."""
        self._showEdited(self.parameters.segmentation if self.parameters is not None else None)
        self._steatosis.refresh()

    def _showEdited(self, segmentationNode) -> None:
        edited = segmentationNode is not None and seemsEditedSinceMeasured(segmentationNode)
        self._results.showEdited(edited, self._activity.isRunning())

    def _reasonNotToSegment(self, volumeNode) -> str:
        if self._install.reason():
            return self._install.reason()
        return "" if volumeNode is not None else _("Choose a scan first.")

    def _reasonNotToReport(self, measurements, running: bool) -> str:
        if measurements is None:
            return _("Segment the scan first: the report tells of its result.")
        return _("Something else is running; wait for it or cancel it.") if running else ""

    def _reasonNotToAssess(self, measurements) -> str:
        if measurements is None:
            return _("Segment the scan first: liver fat is judged by the attenuation of liver and spleen.")
        return ""

    def _reasonForNoResults(self, volumeNode, segmentationNode, running: bool) -> str:
        if running or volumeNode is None or self._install.reason():
            return _("Volumes and lesions appear here once a scan is segmented.")
        if segmentationNode is not None:
            return _("The measurements of this result were removed from the scene: segment the scan again.")
        return _("Not segmented yet. Press Segment: volumes and lesions appear here.")

    # ---- what the user asks for

    def _onSegment(self) -> None:
        parameters = self.parameters
        volumeNode = parameters.inputVolume if parameters is not None else None
        if volumeNode is None:
            return
        volumeID, name = volumeNode.GetID(), volumeNode.GetName()
        self._arrangement.begin(volumeNode)
        earlier = resultFor(volumeNode)

        def launch(progress, completed):
            return self.logic.segmentAsync(
                volumeNode, progress=progress, completed=completed, **segmentOptions(parameters)
            )

        self._activity.start(
            _("Starting…"),
            launch,
            lambda segmentationNode: self._onSegmented(segmentationNode, volumeID, name, earlier),
        )

    def _onSegmented(self, segmentationNode, volumeID: str, name: str, earlier) -> None:
        took = _durationText(self._segment.elapsedSeconds())
        chosen = self.parameters.inputVolume if self.parameters is not None else None
        if not self._binding.isOpen():
            self._message.tell(_("{name} was segmented in {duration}.").format(name=name, duration=took))
            return
        if chosen is None or chosen.GetID() != volumeID:
            text = _("{name} is segmented: choose it under Scan to see the result.")
            self._message.tell(text.format(name=name))
            return
        self.parameters.segmentation = segmentationNode
        self._arrangement.show(chosen, segmentationNode)
        self._message.tell(_segmentedText(segmentationNode, earlier).format(duration=took))

    def _onCancel(self) -> None:
        self._activity.cancel()

    def _onMeasure(self) -> None:
        self._measure(_("The numbers are now those of the segmentation as it is."))

    def _measure(self, ended: str) -> None:
        """Measure the segmentation as it is now; ``ended`` is told once that is done."""
        segmentationNode = self.parameters.segmentation

        def launch(progress, completed):
            return self.logic.measureAsync(segmentationNode, completed=completed, progress=progress)

        self._activity.start(_("Measuring…"), launch, lambda _node: self._message.tell(ended))

    def _onReport(self, folder: str) -> None:
        segmentationNode, name = self.parameters.segmentation, self.parameters.inputVolume.GetName()

        def launch(progress, completed):
            return self.logic.writeReport(
                segmentationNode, caseFolder(folder, name), completed=completed, progress=progress
            )

        self._activity.start(_("Writing the report…"), launch, self._onReported)

    def _onReported(self, report: Path) -> None:
        if openReport(report):
            self._message.tell(_("The report is in {folder}.").format(folder=report.parent))
        else:
            text = _("The report is in {folder}, but no program opened it.")
            self._message.warn(text.format(folder=report.parent))

    def _onLesion(self, number: int) -> None:
        self.logic.jumpToLesion(self.parameters.segmentation, number)

    def _onReject(self, number: int, delete: bool) -> None:
        segmentationNode = self.parameters.segmentation
        deleted = _("Lesion {number} was deleted: it is liver now. Undo delete brings it back.")
        rejected = _("Lesion {number} was rejected: it is liver now. Its tick brings it back.")
        self._changeLesions(
            lambda: rejectLesion(segmentationNode, number, delete=delete),
            (deleted if delete else rejected).format(number=number),
        )

    def _onRestore(self, index: int) -> None:
        segmentationNode = self.parameters.segmentation
        self._changeLesions(
            lambda: restoreLesion(segmentationNode, index), _("The lesion is a tumor again and counts.")
        )

    def _onRejectedChosen(self, index: int) -> None:
        self.logic.jumpToRejectedLesion(self.parameters.segmentation, index)

    def _changeLesions(self, change, ended: str) -> None:
        """Change which lesions count, measure anew, and tell what was done."""
        try:
            change()
        except LiverSegError as error:
            self._message.fail(error)
            self._draw()
            return
        self._measure(ended)

    def _onHighlight(self, on: bool) -> None:
        parameters = self.parameters
        try:
            if on:
                highlight.showHighlight(parameters.inputVolume, parameters.segmentation)
            else:
                highlight.hideHighlight(parameters.segmentation)
        finally:
            self._results.showHighlighted(isHighlighted())

    def _onSelectorChanged(self, volumeNode) -> None:
        """Tell a choice of the user, which the parameter follows, from one that follows the parameter."""
        parameters = self.parameters
        self._choosing = parameters is not None and parameters.inputVolume is not volumeNode

    def _onScanChosen(self, volumeNode) -> None:
        """The user picked a scan: show it, with its result if it has one, in the views as they are.

        Slicer's selector calls this "activated" also when it only follows the parameter, as when a scene is
        opened; then the views stay as they are.
        """
        choosing, self._choosing = self._choosing, False
        if volumeNode is None or not choosing:
            return
        if not self._activity.isRunning():
            self._message.clear()
        self._show(volumeNode, resultFor(volumeNode))

    def _onScanArrived(self) -> None:
        self._message.clear()

    def _onResultChosen(self) -> None:
        self._show(self.parameters.inputVolume, self.parameters.segmentation)

    def _show(self, volumeNode, segmentationNode) -> None:
        """Show what the user has chosen in the views as they are."""
        views.showInViews(volumeNode, segmentationNode)
        if segmentationNode is not None:
            highlight.hideHighlight(segmentationNode)


def _segmentedText(segmentationNode, earlier) -> str:
    """What to tell of a run, with what became of the ``earlier`` result, None if there was none."""
    if earlier is None or earlier.GetScene() is None:
        return _("Segmented in {duration}.")
    if segmentationNode is earlier:
        return _("Segmented in {duration}. It replaces the earlier result, which nobody had changed.")
    if isReplaceable(earlier):
        return _("Segmented in {duration}. The earlier result is kept beside it.")
    return _("Segmented in {duration}. The earlier result, edited or accepted, is kept beside it.")


def _durationText(seconds: int) -> str:
    if seconds < 60:
        return _("{seconds} s").format(seconds=seconds)
    return _("{minutes} min {seconds} s").format(minutes=seconds // 60, seconds=seconds % 60)
