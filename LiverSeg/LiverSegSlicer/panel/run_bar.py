"""The button Segment, which is Cancel while something runs, with the progress below it."""

import time
from typing import Callable

import qt
from slicer.i18n import tr as _

from ..slots import guarded

CLICK_GUARD_S = 0.5
"""So long after a start the button ignores clicks: the second half of a double click must not cancel."""

_TICK_MS = 250


class SegmentSection:
    """Shows either what could be started or what is running.

    Args:
        ui: the panel's widgets.
        onSegment, onCancel: called without arguments when the user asks for it.
    """

    def __init__(self, ui, onSegment: Callable[[], None], onCancel: Callable[[], None]) -> None:
        self._ui = ui
        self._onSegment = onSegment
        self._onCancel = onCancel
        self._started = 0.0
        self._running = False
        self._clock = qt.QTimer()
        self._clock.setInterval(_TICK_MS)
        self._clock.connect("timeout()", guarded(self._showTime))
        ui.segmentButton.connect("clicked(bool)", guarded(self._onClicked))

    def showIdle(self, reason: str) -> None:
        """Show the button Segment, disabled if ``reason`` says why nothing can be started now."""
        self._running = False
        self._clock.stop()
        self._ui.runWidget.setVisible(False)
        button = self._ui.segmentButton
        button.setText(_("Segment"))
        button.enabled = not reason
        button.toolTip = reason or _("Finds liver, spleen and liver tumors in the chosen scan.")

    def showRunning(self, stage: str) -> None:
        """Show that something has just started; ``stage`` are the first words under the button."""
        self._running = True
        self._started = time.monotonic()
        button = self._ui.segmentButton
        button.setText(_("Cancel"))
        button.enabled = True
        button.toolTip = _("Stops what is running; the scene stays as it is.")
        self._ui.runProgressBar.setValue(0)
        self._ui.runStageLabel.setText(stage)
        self._ui.runWidget.setVisible(True)
        self._showTime()
        self._clock.start()

    def showProgress(self, fraction: float, text: str) -> None:
        """Show how far it is: ``fraction`` from 0 to 1, ``text`` for people."""
        if not self._running:
            return
        self._ui.runProgressBar.setValue(int(round(100 * min(1.0, max(0.0, fraction)))))
        if text:
            self._ui.runStageLabel.setText(text)
        self._showTime()

    def showCancelling(self) -> None:
        """Show that the user has cancelled and the work has not ended yet."""
        self._ui.segmentButton.enabled = False
        self._ui.segmentButton.toolTip = _("The work is being stopped.")
        self._ui.runStageLabel.setText(_("Stopping…"))

    def elapsedSeconds(self) -> int:
        """Time since the start."""
        return int(time.monotonic() - self._started)

    def close(self) -> None:
        """Stop the clock."""
        self._clock.stop()

    def _showTime(self) -> None:
        seconds = self.elapsedSeconds()
        self._ui.runTimeLabel.setText(f"{seconds // 60}:{seconds % 60:02d}")

    def _onClicked(self) -> None:
        if not self._running:
            self._onSegment()
        elif time.monotonic() - self._started > CLICK_GUARD_S:
            self._onCancel()
