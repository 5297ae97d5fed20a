"""The panel: puts the sections together and shows in them what is there now."""

import ctk
import qt
import slicer

from .. import slots
from ..parameters import Preferences, segmentOptions
from .advanced_section import AdvancedSection
from .message_line import MessageLine
from .panel_state import PanelState, readMeasurements
from .report_section import ReportSection
from .results_section import ResultsSection
from .run_bar import RunBar
from .scan_section import ScanSection
from .scene_link import SceneLink
from .steatosis_section import SteatosisSection
from .torch_section import TorchSection


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
            onEdited=self._onEdited,
        )
        self._torch = TorchSection(ui, logic, message, self._draw)
        self._scan = ScanSection(ui)
        self._runBar = RunBar(ui, logic, self._link, message, preferences, self._draw)
        self._results = ResultsSection(ui, logic, self._runBar, message)
        self._steatosis = SteatosisSection(ui, logic.meters, preferences, self._link)
        self._report = ReportSection(ui, logic, preferences, self._runBar, message)
        self._advanced = AdvancedSection(ui, preferences, self._worker, message.showLog)
        self._worker.setIdleMinutes(preferences.idleMinutes)

    @property
    def parameters(self):
        """The scene's choices; None while the scene is closing, and while the panel is not shown."""
        return self._link.parameters

    def enter(self) -> None:
        """The panel has come into view: look around once, and follow the scene from now on."""
        if self._closed:
            return
        self._torch.look()
        self._link.open()
        if self._preferences.startWithPanel and not self._torch.reason() and not self._runBar.isRunning():
            options = segmentOptions(self.parameters)
            self._worker.start(options["model"], options["device"])

    def exit(self) -> None:
        """The panel is no longer shown: let the scene be. What runs goes on."""
        self._link.close()
        self._steatosis.pause()

    def close(self) -> None:
        """The panel is about to vanish: stop what it started and let go of the scene."""
        if self._closed:
            return
        self._closed = True
        slots.removeListener(self._onFailure)
        for part in (self._runBar, self._steatosis, self._torch, self._link):
            part.close()
        # Slicer only hides a panel that is reloaded: its selectors would follow the scene for ever.
        self._uiWidget.setMRMLScene(None)
        self._uiWidget.deleteLater()

    def _draw(self) -> None:
        """Show everything as it is now; nothing while the panel is not shown."""
        if self._closed or not self._link.isOpen():
            return
        parameters, segmentationNode = self.parameters, self._link.chosenResult()
        state = PanelState(
            parameters=parameters,
            volumeNode=parameters.inputVolume if parameters is not None else None,
            segmentationNode=segmentationNode,
            measurements=readMeasurements(segmentationNode),
            isRunning=self._runBar.isRunning(),
            torch=self._torch.state,
            notReady=self._torch.reason(),
        )
        for section in (
            self._scan,
            self._torch,
            self._runBar,
            self._advanced,
            self._report,
            self._results,
            self._steatosis,
        ):
            section.show(state)
        self._link.watchSegmentation(segmentationNode)

    def _onEdited(self) -> None:
        """The segmentation was edited: show whether its numbers are out of date, and measure the ROIs."""
        self._results.showEdited()
        self._steatosis.refresh()

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
