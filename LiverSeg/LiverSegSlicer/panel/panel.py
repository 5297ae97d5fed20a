"""The panel: puts the sections together and shows in them what is there now."""

import ctk
import qt
import slicer

from LiverSegLib.images.modality import CT

from .. import slots
from ..acceptance import checkReview
from ..parameters import Preferences, segmentOptions
from ..scene.review import wasAccepted
from ..scene.volumes import modalityOf
from ..work.models import modelThatRuns
from .advanced_section import AdvancedSection
from .correct_section import CorrectSection
from .engine_section import EngineSection
from .export_section import ExportSection
from .followup_section import FollowUpSection
from .given_section import GivenSection
from .measuring import MeasuringAfterEdits
from .message_line import MessageLine
from .models_section import ModelsSection
from .panel_state import PanelState, readMeasurements
from .recovery_section import RecoverySection
from .report_section import ReportSection
from .results_section import ResultsSection
from .review_section import ReviewSection
from .run_bar import RunBar
from .scan_section import ScanSection
from .scene_link import SceneLink
from .server_section import ServerSection
from .shortcuts import ACCEPT, ADD, NEXT_LESION, PREVIOUS_LESION, REDO, REMOVE, UNDO, Shortcuts
from .steatosis_section import SteatosisSection


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
        self._preferences = preferences = Preferences()
        self._message = message = MessageLine(ui, self._worker.logText)
        slots.addListener(self._onFailure)
        self._link = SceneLink(
            uiWidget,
            ui,
            logic.getParameterNode,
            isBusy=lambda: self._runBar.isRunning(),
            onNewScan=self._onNewScan,
            onChanged=self._draw,
            onTouched=self._onTouched,
            onEdited=self._onEdited,
        )
        self._engine = EngineSection(ui, logic, message, self._draw)
        self._scan = ScanSection(ui)
        self._runBar = RunBar(ui, logic, self._link, message, preferences, self._draw)
        self._engine.useRunBar(self._runBar)
        self._measuring = MeasuringAfterEdits(
            logic, logic.corrector, self._runBar.isRunning, self._draw, message.fail
        )
        self._correct = CorrectSection(ui, message)
        self._results = ResultsSection(ui, logic, self._runBar, message, self._correct, self._measuring)
        self._steatosis = SteatosisSection(ui, logic.meters, preferences, self._link)
        self._recovery = RecoverySection(ui, message, self._onRestored)
        self._review = ReviewSection(ui, logic, preferences, self._runBar, message)
        self._given = GivenSection(ui, logic, self._runBar, message)
        self._report = ReportSection(ui, logic, preferences, self._runBar, message)
        self._export = ExportSection(ui, logic, preferences, self._runBar, message)
        self._followUp = FollowUpSection(ui, logic, preferences, self._runBar, message)
        self._models = ModelsSection(ui, logic, preferences, self._runBar, message)
        self._runBar.askFirst(self._models.agreed)
        self._advanced = AdvancedSection(ui, preferences, self._worker, message.showLog, self._draw)
        self._server = ServerSection(ui, logic, preferences, self._runBar, message, self._draw)
        self._runBar.useServer(self._server.server)
        self._worker.setIdleMinutes(preferences.idleMinutes)
        self._shortcuts = Shortcuts(
            {
                ADD: lambda: self._correct.setInclude(True),
                REMOVE: lambda: self._correct.setInclude(False),
                UNDO: self._correct.undo,
                REDO: self._correct.redo,
                NEXT_LESION: lambda: self._results.stepLesion(1),
                PREVIOUS_LESION: lambda: self._results.stepLesion(-1),
                ACCEPT: self._review.accept,
            }
        )

    @property
    def parameters(self):
        """The scene's choices; None while the scene is closing, and while the panel is not shown."""
        return self._link.parameters

    def enter(self) -> None:
        """The panel has come into view: look around once, and follow the scene from now on."""
        if self._closed:
            return
        self._engine.look()
        self._models.look()
        self._link.open()
        self._shortcuts.install()
        if self._preferences.startWithPanel and not self._engine.reason() and not self._runBar.isRunning():
            options = segmentOptions(self.parameters)
            here = self._server.server() is None
            self._worker.start(*((options["model"], options["device"], options["tumors"]) if here else ()))

    def exit(self) -> None:
        """The panel is no longer shown: let the scene be. What runs goes on."""
        self._shortcuts.remove()
        self._link.close()
        self._correct.pause()
        self._recovery.pause()
        self._steatosis.pause()

    def undo(self) -> None:
        """Take back the last edit of the segments, as the key does."""
        self._correct.undo()

    def close(self) -> None:
        """The panel is about to vanish: stop what it started and let go of the scene."""
        if self._closed:
            return
        self._closed = True
        slots.removeListener(self._onFailure)
        self._shortcuts.remove()
        parts = (
            self._measuring,
            self._given,
            self._correct,
            self._recovery,
            self._runBar,
            self._steatosis,
            self._engine,
        )
        for part in (*parts, self._link):
            part.close()
        # Slicer only hides a panel that is reloaded: its selectors would follow the scene for ever.
        self._uiWidget.setMRMLScene(None)
        self._uiWidget.deleteLater()

    def _draw(self) -> None:
        """Show everything as it is now; nothing while the panel is not shown."""
        if self._closed or not self._link.isOpen():
            return
        parameters, segmentationNode = self.parameters, self._link.chosenResult()
        checkReview(segmentationNode)  # it may have been changed while nobody watched
        volumeNode = parameters.inputVolume if parameters is not None else None
        measurements = readMeasurements(segmentationNode)
        ofScan = modalityOf(volumeNode, parameters.modality if parameters is not None else None)
        if parameters is not None:
            self._engine.lookAt(modelThatRuns(parameters.model, ofScan), parameters.tumorModel)
        state = PanelState(
            parameters=parameters,
            volumeNode=volumeNode,
            segmentationNode=segmentationNode,
            measurements=measurements,
            modality=ofScan if measurements is None else measurements.get("modality", CT),
            isRunning=self._runBar.isRunning(),
            engine=self._engine.state,
            notReady="" if self._server.server() is not None else self._engine.reason(),
        )
        for section in (
            self._scan,
            self._engine,
            self._runBar,
            self._given,
            self._advanced,
            self._server,
            self._models,
            self._report,
            self._export,
            self._followUp,
            self._correct,
            self._results,
            self._steatosis,
            self._review,
            self._recovery,
        ):
            section.show(state)
        self._link.watchSegmentation(segmentationNode)

    def _onTouched(self) -> None:
        """The segmentation is being edited: what was accepted is so no longer."""
        self._results.showTouched()
        if wasAccepted(self._link.watched()):
            self._link.drawSoon()

    def _onEdited(self) -> None:
        """The hand rests after an edit: show whether the numbers are out of date, measure anew, and measure
        the ROIs."""
        segmentationNode = self._link.chosenResult()
        self._measuring.edited(segmentationNode)
        self._recovery.edited(segmentationNode)
        self._results.showEdited()
        self._correct.compare()
        self._review.refresh()
        self._steatosis.refresh()
        self._followUp.refresh()

    def _onRestored(self, segmentationNode) -> None:
        """Edits came back as a result: show it, and measure it where that was not done."""
        if self.parameters is not None:
            self.parameters.segmentation = segmentationNode
        self._measuring.edited(segmentationNode)

    def _onNewScan(self) -> None:
        if not self._runBar.isRunning():
            self._message.clear()

    def _onFailure(self, error) -> None:
        """Something failed in a slot, of this panel or of what it uses."""
        self._message.fail(error)


def keepNarrow(uiWidget) -> None:
    """Let sections and labels of several lines become as narrow as the dock, whatever text they hold.

    A ctkCollapsibleButton takes its size hint for its least width, and the hint of a label that breaks its
    lines is some 540 pixels.
    """
    for section in uiWidget.findChildren(ctk.ctkCollapsibleButton):
        _setHorizontal(section, qt.QSizePolicy.Preferred)
    for label in uiWidget.findChildren(qt.QLabel):
        if label.wordWrap:
            _setHorizontal(label, qt.QSizePolicy.Ignored)


def _setHorizontal(widget, policy) -> None:
    changed = widget.sizePolicy
    changed.setHorizontalPolicy(policy)
    widget.setSizePolicy(changed)
