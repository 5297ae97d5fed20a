"""Work on the ROIs of a result in turns of the event loop: measuring them, letting them come and go."""

from functools import partial
from typing import Any, Callable, List, Optional

from slicer.i18n import tr as _

from LiverSegLib.errors import InputChangedError, LiverSegError

from ..fatty_liver.meters import Meters
from ..fatty_liver.reading import SteatosisReading, readingOf
from ..fatty_liver.roi_exchange import RoiChange
from ..fatty_liver.rois import roiNodes
from ..work.run import Pieces, Turns

Action = Callable[[Any], None]
"""Something to do once there is a ``RoiMeter``, which it gets."""
Exchanged = Callable[[Optional[RoiChange], Optional[LiverSegError]], None]
"""Called once ROIs have come and gone: with what was changed, or with what went wrong."""


class RoiWork:
    """Does one thing after another.

    Args:
        meters: where the measuring of a scan is kept.
        onBusy: called when work begins, with what is done, and when it has ended, with an empty text.
        onError: called with what went wrong.

    Attributes:
        volumeNode, segmentationNode: the scan and its result; None without.
    """

    def __init__(
        self, meters: Meters, onBusy: Callable[[str], None], onError: Callable[[LiverSegError], None]
    ) -> None:
        self.volumeNode: Any = None
        self.segmentationNode: Any = None
        self._meters = meters
        self._onBusy = onBusy
        self._onError = onError
        self._pending: List[Action] = []
        self._preparing = Turns()
        self._placing = Turns()

    def setCase(self, volumeNode: Any, segmentationNode: Any) -> bool:
        """Work on this scan and result from now on; returns whether they are others than before."""
        isAnother = volumeNode is not self.volumeNode or segmentationNode is not self.segmentationNode
        if isAnother:
            self.stop()
            self.volumeNode, self.segmentationNode = volumeNode, segmentationNode
        if volumeNode is None:
            self._meters.forget()
        return isAnother

    def isThere(self) -> bool:
        """Whether scan and result are still in the scene."""
        nodes = (self.volumeNode, self.segmentationNode)
        return all(node is not None and node.GetScene() is not None for node in nodes)

    def rois(self) -> List[Any]:
        """The nodes of the ROIs."""
        return roiNodes(self.segmentationNode) if self.isThere() else []

    def reading(self) -> Optional[SteatosisReading]:
        """The reading that is kept of them."""
        return readingOf(self.segmentationNode) if self.isThere() else None

    def isBusy(self) -> bool:
        """Whether work goes on."""
        return self._preparing.isRunning() or self._placing.isRunning()

    def isPlacing(self) -> bool:
        """Whether ROIs come and go."""
        return self._placing.isRunning()

    def do(self, action: Action) -> None:
        """Do something that needs the meter: now, or once it is made and all ROIs are there."""
        if self._placing.isRunning():
            self._pending.append(action)
            return
        meter = self._meters.ready(self.volumeNode, self.segmentationNode)
        if meter is not None:
            self._try(action, meter)
            return
        if action not in self._pending:
            self._pending.append(action)
        if not self._preparing.isRunning():
            self._preparing.start(self._meters.make(self.volumeNode, self.segmentationNode), self._onMeter)
            self._onBusy(_("Looking at liver and spleen…"))

    def exchange(self, work: Pieces, done: Exchanged) -> None:
        """Let ROIs come and go, in pieces."""
        self._placing.start(work, partial(self._onExchanged, done))

    def stop(self) -> None:
        """Leave the scene alone."""
        self._placing.finish()  # half of the ROIs would be neither the old nor the new ones
        self._preparing.stop()
        self._pending = []

    def close(self) -> None:
        """Let go of the scene."""
        self.stop()
        self._meters.forget()
        self.volumeNode = self.segmentationNode = None

    def _onMeter(self, meter: Any, error: Optional[LiverSegError]) -> None:
        pending, self._pending = self._pending, []
        isOutOfDate = isinstance(error, InputChangedError) and self.isThere()  # edited meanwhile: once more
        self._onBusy("")
        if error is not None and not isOutOfDate:
            self._onError(error)
            return
        for action in pending:
            if isOutOfDate:
                self.do(action)
            else:
                self._try(action, meter)

    def _onExchanged(
        self, done: Exchanged, change: Optional[RoiChange], error: Optional[LiverSegError]
    ) -> None:
        pending, self._pending = self._pending, []
        done(change, error)
        for action in pending if self.rois() else ():
            self.do(action)

    def _try(self, action: Action, meter: Any) -> None:
        try:
            action(meter)
        except LiverSegError as error:
            self._onError(error)
