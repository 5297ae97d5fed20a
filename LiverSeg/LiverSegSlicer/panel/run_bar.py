"""The button Segment, which is Cancel while something runs, with the progress below it."""

import time
from functools import partial
from typing import Any, Callable, Dict, Optional, Set

import qt
from slicer.i18n import tr as _

from LiverSegLib.errors import CancelledError, ServerError
from LiverSegLib.images.modality import MR
from LiverSegLib.inference.devices import ENGINES
from LiverSegLib.worker.server_messages import ServerAddress

from .. import slots
from ..parameters import Preferences, segmentOptions
from ..reruns import isReplaceable
from ..scene import views
from ..scene.parts import resultFor, summaryOf
from ..scene.volumes import modalityOf
from ..sentences import sentence
from ..slots import guarded
from ..work.models import modelThatRuns
from .message_line import MessageLine
from .panel_state import PanelState
from .scene_link import SceneLink

CLICK_GUARD_S = 0.5
"""So long after a start the button ignores clicks: the second half of a double click must not cancel."""

_TICK_MS = 250


class RunBar:
    """Segments the chosen scan; runs what this and other sections start, one at a time, and shows it.

    Args:
        ui: the panel's widgets.
        logic: a LiverSegLogic.
        link: knows which scan is chosen.
        message: shows how a run ended.
        preferences: say whether the views are arranged after the first run on a scan.
        onChanged: called without arguments after something has started or ended.
    """

    def __init__(
        self,
        ui,
        logic,
        link: SceneLink,
        message: MessageLine,
        preferences: Preferences,
        onChanged: Callable[[], None],
    ) -> None:
        self._ui = ui
        self._logic = logic
        self._link = link
        self._message = message
        self._preferences = preferences
        self._onChanged = onChanged
        self._mayUse: Callable[[Dict[str, Any]], bool] = lambda options: True
        self._server: Callable[[], Optional[ServerAddress]] = lambda: None
        self._serverFailed: Optional[Callable[[], None]] = None
        self._arranged: Set[str] = set()
        self._run: Any = None
        self._ticket: Optional[object] = None
        self._started = 0.0
        self._clock = qt.QTimer()
        self._clock.setInterval(_TICK_MS)
        self._clock.connect("timeout()", guarded(self._showTime))
        ui.segmentButton.connect("clicked(bool)", guarded(self._onClicked))

    def isRunning(self) -> bool:
        """Whether something has been started and has not ended."""
        return self._ticket is not None

    def show(self, state: PanelState) -> None:
        """Show whether the chosen scan can be segmented."""
        if not self.isRunning():
            noScan = "" if state.volumeNode is not None else _("Choose a scan first.")
            self._showIdle(state.notReady or noScan)

    def start(
        self,
        stage: str,
        done: Callable[[Any], None],
        launch: Callable[..., Any],
        *arguments: Any,
        **options: Any,
    ) -> None:
        """Start something; nothing happens if something runs already.

        Args:
            stage: the first words shown.
            done: called with the result after success.
            launch: called with ``arguments`` and ``options``, ``progress`` and ``completed``; returns an
                object with ``cancel()``. It may raise anything and may call ``completed(result, error)``
                before it returns.
        """
        if self.isRunning():
            return
        ticket = self._ticket = object()

        def progress(fraction: float, text: str) -> None:
            if self._ticket is ticket:
                self._showProgress(fraction, text)

        def completed(result: Any, error: Optional[BaseException]) -> None:
            if self._ticket is ticket:
                self._end(result, error, done)

        try:
            self._message.clear()
            self._showStarted(stage)
            self._onChanged()
            run = launch(*arguments, progress=progress, completed=completed, **options)
        except Exception as error:  # noqa: BLE001 (shown, whatever it is)
            completed(None, error)
            return
        if self._ticket is ticket:
            self._run = run

    def isPanelShown(self) -> bool:
        """Whether the user sees the panel: while another module is shown, views are not to change."""
        return self._link.isOpen()

    def askFirst(self, mayUse: Callable[[Dict[str, Any]], bool]) -> None:
        """Segment only if this says so of the options of the run."""
        self._mayUse = mayUse

    def useServer(self, server: Callable[[], Optional[ServerAddress]]) -> None:
        """Segment where this says: on a server, or here if it returns None."""
        self._server = server

    def changed(self) -> None:
        """Have the panel drawn anew after something that took no run."""
        self._onChanged()

    def close(self) -> None:
        """Let go of what runs: cancel it and ignore what it still says."""
        self._clock.stop()
        run, self._run, self._ticket = self._run, None, None
        if run is not None:
            run.cancel()

    def _onClicked(self) -> None:
        if not self.isRunning():
            self._segment()
        elif self._run is not None and time.monotonic() - self._started > CLICK_GUARD_S:
            self._ui.segmentButton.enabled = False
            self._ui.segmentButton.toolTip = _("The work is being stopped.")
            self._ui.runStageLabel.setText(_("Stopping…"))
            self._run.cancel()

    def _end(self, result: Any, error: Optional[BaseException], done: Callable[[Any], None]) -> None:
        self._run = None
        try:
            if error is None:
                done(result)
            elif isinstance(error, CancelledError):
                self._message.note(sentence(error.sentence))
            else:
                offer = self._serverFailed if isinstance(error, ServerError) else None
                self._message.fail(slots.explained(error), offer)
        except Exception as failure:  # noqa: BLE001 (shown, whatever it is)
            self._message.fail(slots.explained(failure))
        finally:
            self._ticket = self._serverFailed = None
            self._showIdle("")
            self._onChanged()

    # ---- segmenting

    def _segment(self, here: bool = False) -> None:
        """Segment the chosen scan; ``here``: on this computer even if a server was chosen."""
        parameters = self._link.parameters
        if parameters is None or parameters.inputVolume is None:
            return
        volumeNode, options = parameters.inputVolume, segmentOptions(parameters)
        server = None if here else self._server()
        isHere = server is None
        if not isHere:
            options["server"] = server
        if modalityOf(volumeNode, parameters.modality) == MR:
            options["modality"] = MR
            if isHere:  # a server knows itself which of its models is for MR
                options["model"] = modelThatRuns(options["model"], MR)
        if not self._mayUse(options):
            return
        done = partial(self._onSegmented, volumeNode.GetID(), volumeNode.GetName(), resultFor(volumeNode))
        self._serverFailed = None if isHere else partial(self._segment, here=True)
        self.start(_("Starting…"), done, self._logic.segmentAsync, volumeNode, **options)

    def _onSegmented(self, volumeID: str, name: str, earlier, segmentationNode) -> None:
        """Show the result, in views that are arranged for it if it is the first on its scan.

        Args:
            volumeID, name: of the scan.
            earlier: its result before the run, None if there was none.
        """
        took = _durationText(self._seconds()) + _engineText(segmentationNode)
        parameters = self._link.parameters
        volumeNode = parameters.inputVolume if parameters is not None else None
        if not self._link.isOpen():
            self._message.tell(_("{name} was segmented in {duration}.").format(name=name, duration=took))
            return
        if parameters is None or volumeNode is None or volumeNode.GetID() != volumeID:
            text = _("{name} is segmented: choose it under Scan to see the result.")
            self._message.tell(text.format(name=name))
            return
        parameters.segmentation = segmentationNode
        scan = volumeNode.GetAddressAsString("vtkMRMLNode")
        if earlier is None and scan not in self._arranged and self._preferences.arrangeViews:
            self._arranged.add(scan)
            views.showResult(volumeNode, segmentationNode)
        else:
            views.showInViews(volumeNode, segmentationNode)
        self._message.tell(_segmentedText(segmentationNode, earlier).format(duration=took))

    # ---- drawing

    def _showIdle(self, reason: str) -> None:
        """Show the button Segment, disabled if ``reason`` says why nothing can be started now."""
        self._clock.stop()
        self._ui.runWidget.setVisible(False)
        button = self._ui.segmentButton
        button.setText(_("Segment"))
        button.enabled = not reason
        button.toolTip = reason or _("Finds liver, spleen and liver tumors in the chosen scan.")

    def _showStarted(self, stage: str) -> None:
        self._started = time.monotonic()
        button = self._ui.segmentButton
        button.setText(_("Cancel"))
        button.enabled = True
        button.toolTip = _("Stops what is running; the scene stays as it is.")
        self._ui.runWidget.setVisible(True)
        self._showProgress(0.0, stage)
        self._clock.start()

    def _showProgress(self, fraction: float, text: str) -> None:
        self._ui.runProgressBar.setValue(int(round(100 * min(1.0, max(0.0, fraction)))))
        if text:
            self._ui.runStageLabel.setText(text)
        self._showTime()

    def _showTime(self) -> None:
        seconds = self._seconds()
        self._ui.runTimeLabel.setText(f"{seconds // 60}:{seconds % 60:02d}")

    def _seconds(self) -> int:
        return int(time.monotonic() - self._started)


def _segmentedText(segmentationNode, earlier) -> str:
    """What to tell of a run, with what became of the ``earlier`` result, None if there was none."""
    if earlier is None or earlier.GetScene() is None:
        return _("Segmented in {duration}.")
    if segmentationNode is earlier:
        return _("Segmented in {duration}. It replaces the earlier result, which nobody had changed.")
    if isReplaceable(earlier):
        return _("Segmented in {duration}. The earlier result is kept beside it.")
    return _("Segmented in {duration}. The earlier result, edited or accepted, is kept beside it.")


def _engineText(segmentationNode) -> str:
    """With what a result was computed, in brackets, if its provenance says so."""
    provenance = (summaryOf(segmentationNode) or {}).get("provenance")
    engine = provenance.get("engine") if isinstance(provenance, dict) else None
    if not isinstance(engine, dict) or engine.get("name") not in ENGINES:
        return ""
    version = ".".join(str(engine.get("version", "")).split("-")[0].split("+")[0].split(".")[:2])
    return f" ({ENGINES[engine['name']]} {version})".replace(" )", ")")


def _durationText(seconds: int) -> str:
    if seconds < 60:
        return _("{seconds} s").format(seconds=seconds)
    return _("{minutes} min {seconds} s").format(minutes=seconds // 60, seconds=seconds % 60)
