"""New numbers after an edit: measured in the background when the hand rests, given up for anything else."""

from typing import Any, Callable, Optional

from LiverSegLib.errors import CancelledError, InputChangedError, LiverSegError

from ..correct.corrector import Corrector
from ..scene.fingerprint import seemsEditedSinceMeasured


class MeasuringAfterEdits:
    """Args:
    logic: a LiverSegLogic.
    corrector: what computes corrections; they come first.
    isBusy: whether something runs that the user has started.
    onMeasured: called without arguments when it has ended.
    onFailed: called with the error when there will be none.
    """

    def __init__(
        self,
        logic: Any,
        corrector: Corrector,
        isBusy: Callable[[], bool],
        onMeasured: Callable[[], None],
        onFailed: Callable[[LiverSegError], None],
    ) -> None:
        self._logic = logic
        self._corrector = corrector
        self._isBusy = isBusy
        self._onMeasured = onMeasured
        self._onFailed = onFailed
        self._node: Any = None
        self._run: Any = None
        corrector.addListener(self.look)

    def edited(self, segmentationNode: Any) -> None:
        """The hand rests after an edit: measure this segmentation as soon as nothing else is computed."""
        self._node = segmentationNode
        self.look()

    def isMeasuring(self) -> bool:
        """Whether new numbers are on their way."""
        return self._run is not None

    def look(self) -> None:
        """Begin if there is something to measure and the worker is free."""
        node = self._node
        if node is None or self._run is not None or self._isBusy() or self._corrector.isBusy():
            return
        self._node = None
        if seemsEditedSinceMeasured(node):
            self._run = self._logic.measureInBackground(node, self._onEnded)

    def stop(self) -> None:
        """Measure no more; what is being measured is given up."""
        self._node, run, self._run = None, self._run, None
        if run is not None:
            run.cancel()

    def close(self) -> None:
        """The same for good."""
        self.stop()
        self._corrector.removeListener(self.look)

    def _onEnded(self, segmentationNode: Any, error: Optional[LiverSegError]) -> None:
        if self._run is None:
            return  # stopped
        self._run = None
        if error is None:
            self._onMeasured()
        elif not isinstance(error, (CancelledError, InputChangedError)):
            self._onMeasured()
            self._onFailed(error)
