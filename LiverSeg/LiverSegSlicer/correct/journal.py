"""The recovery journal: edits outlive a crash of Slicer.

While a result is edited, its segments are written to a private folder of the user, in pieces between the
turns of the event loop: after some actions, and when the hand rests. A journal goes when the scene is saved
or closed, the result deleted, or Slicer ends normally; one that a crash left is offered for its scan.
"""

import contextlib
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple
from uuid import uuid4

import qt
import slicer
import vtk
from slicer.util import VTKObservationMixin

from LiverSegLib.errors import InputChangedError, LiverSegError, OutputError, write_failure
from LiverSegLib.locks import HeldFile

from ..scene import parts
from ..scene.volumes import volumeGrid
from ..slots import guarded, report
from ..work.run import Turns, doAtOnce
from .journal_files import (
    SUFFIX,
    Entry,
    leftOverEntries,
    makeSession,
    recoveryFolder,
    removeEntry,
    removeSession,
    writeJournal,
)
from .journal_scene import describe, packedSlabs, restoring, voxelChecksum

__all__ = ["Entry", "Journal", "journals", "matching", "remove", "restore", "restoring", "sharedJournal"]

ACTIONS = 3
"""So many edits are written at once, without waiting for a pause."""
PAUSE_MS = 2000
"""A pause after an edit in which it is written."""


class Journal(VTKObservationMixin):
    """Keeps the edits of this Slicer's results on the disk; one is made for the application.

    Args:
        onWarning: called with an error whose text is a sentence, once, when a journal cannot be written;
            again only after one could. Without it, open panels are told (``slots``).
        folder: of all journals; the user's if None.
        pauseMs: see ``PAUSE_MS``; as often it looks whether what it keeps was saved.
    """

    def __init__(
        self,
        onWarning: Callable[[LiverSegError], None] = report,
        folder: Optional[Path] = None,
        pauseMs: int = PAUSE_MS,
    ) -> None:
        VTKObservationMixin.__init__(self)
        self._onWarning = onWarning
        self._folder = folder
        self._session: Optional[Path] = None
        self._lock: Optional[HeldFile] = None
        self._paths: Dict[str, Path] = {}
        self._edits: Dict[str, int] = {}
        self._unwritten: Dict[str, int] = {}
        self._writing: Optional[str] = None
        self._checksums: Dict[str, Tuple[int, int]] = {}
        self._isWarned = self._isWatching = self._isConnected = False
        self._turns = Turns()
        self._timer = _timer(pauseMs, self._writeNext)
        self._timer.setSingleShot(True)
        self._savedTimer = _timer(pauseMs, self._forgetSaved)

    def note(self, segmentationNode: Optional["slicer.vtkMRMLSegmentationNode"]) -> None:
        """Take note of an edit; it is written soon. Nothing is kept of what is no result of LiverSeg."""
        if not parts.isResult(segmentationNode) or parts.volumeOf(segmentationNode) is None:
            return
        self._watchScene()
        key = segmentationNode.GetID()
        self._edits[key] = self._edits.get(key, 0) + 1
        self._unwritten[key] = self._unwritten.get(key, 0) + 1
        self._savedTimer.start()
        if self._writing == key:
            self._turns.stop()  # what it wrote is no longer what there is
            self._writing = None
        if self._unwritten[key] >= ACTIONS:
            self._writeNext()
        else:
            self._timer.start()

    def flush(self) -> None:
        """Write at once what has not been written."""
        self._timer.stop()
        while self._unwritten:
            before = dict(self._unwritten)
            self._writeNext()
            self._turns.finish()
            if self._unwritten == before:  # it cannot be written
                return

    def forget(self, segmentationNode: "slicer.vtkMRMLSegmentationNode") -> None:
        """Remove the journal of a result, whose edits are safe elsewhere or no longer wanted."""
        self._forget(segmentationNode.GetID())

    def close(self) -> None:
        """Remove all journals of this process and watch no longer; also called when Slicer ends normally."""
        self._forgetAll()
        self.removeObservers()
        self._isWatching = False
        if self._session is not None and self._lock is not None:
            self._lock.release()
            removeSession(self._session)
        self._session = self._lock = None

    # ---- writing

    def _writeNext(self) -> None:
        if self._turns.isRunning() or not self._unwritten:
            return
        key = next(iter(self._unwritten))
        segmentationNode = slicer.mrmlScene.GetNodeByID(key)
        if not parts.isResult(segmentationNode) or parts.volumeOf(segmentationNode) is None:
            self._forget(key)
            return
        self._writing = key
        self._turns.start(self._pieces(segmentationNode), self._onWritten)

    def _pieces(self, segmentationNode: Any) -> Iterator[None]:
        key = segmentationNode.GetID()
        checksum = yield from self._checksum(parts.requireVolume(segmentationNode))
        try:
            if self._session is None:
                self._session, self._lock = makeSession(self._folder or recoveryFolder())
            path = self._paths.get(key, self._session / (uuid4().hex + SUFFIX))
            entry, placed = describe(segmentationNode, path, self._edits.get(key, 0), checksum)
            yield
            yield from writeJournal(entry, packedSlabs(placed))
            self._paths[key] = path
        except OSError as error:
            raise write_failure(error, self._folder or recoveryFolder(), "write.journal") from error

    def _checksum(self, volumeNode: Any) -> Iterator[None]:
        key, time = volumeNode.GetID(), volumeNode.GetImageData().GetPointData().GetScalars().GetMTime()
        if self._checksums.get(key, (None, 0))[0] != time:
            self._checksums[key] = (time, (yield from voxelChecksum(volumeNode)))
        return self._checksums[key][1]

    def _onWritten(self, _result: Any, error: Optional[LiverSegError]) -> None:
        key, self._writing = self._writing, None
        if error is None:
            self._isWarned = False
        if not isinstance(error, InputChangedError) and key is not None:  # else it is written once more
            self._unwritten.pop(key, None)
        if isinstance(error, OutputError) and not self._isWarned:
            self._isWarned = True
            self._onWarning(error)
        if self._unwritten:
            self._timer.start()

    # ---- what ends a journal

    def _watchScene(self) -> None:
        if self._isWatching:
            return
        self._isWatching = True
        if not self._isConnected:
            self._isConnected = True
            slicer.app.connect("aboutToQuit()", guarded(self.close))
        scene = slicer.mrmlScene
        for event, function in (
            (scene.EndSaveEvent, self._forgetSaved),
            (scene.StartCloseEvent, self._forgetAll),
            (scene.NodeAboutToBeRemovedEvent, self._onNodeAboutToBeRemoved),
        ):
            self.addObserver(scene, event, guarded(function))

    def _forgetSaved(self, _caller: Any = None, _event: Any = None) -> None:
        """Forget the results that were saved, by whatever way: not every one is told by an event."""
        for key in {*self._paths, *self._edits}:
            segmentationNode = slicer.mrmlScene.GetNodeByID(key)
            if segmentationNode is not None and not segmentationNode.GetModifiedSinceRead():
                self._forget(key)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAboutToBeRemoved(self, _caller: Any, _event: Any, node: Any) -> None:
        if node is not None:
            self._forget(node.GetID())

    def _forgetAll(self, _caller: Any = None, _event: Any = None) -> None:
        for key in {*self._paths, *self._edits}:
            self._forget(key)
        self._checksums.clear()

    def _forget(self, key: str) -> None:
        if self._writing == key:
            self._turns.stop()
            self._writing = None
        self._edits.pop(key, None)
        self._unwritten.pop(key, None)
        path = self._paths.pop(key, None)
        if path is not None:
            with contextlib.suppress(OSError):
                path.unlink()
        if not self._unwritten:
            self._timer.stop()
        if not self._edits:
            self._savedTimer.stop()


_shared: List[Journal] = []


def sharedJournal() -> Journal:
    """Return the journal of this Slicer."""
    if not _shared:
        _shared.append(Journal())
    return _shared[0]


def _timer(milliseconds: int, slot: Callable[[], None]) -> Any:
    timer = qt.QTimer()
    timer.setInterval(milliseconds)
    timer.connect("timeout()", guarded(slot))
    return timer


def journals(folder: Optional[Path] = None) -> List[Entry]:
    """Return the journals that a crash left, the newest first; a damaged one says so in ``problem``.

    Never raises.
    """
    return leftOverEntries(folder or recoveryFolder())


def matching(volumeNode: Any, folder: Optional[Path] = None) -> Iterator[None]:
    """Look for the journals of a scan, in pieces (see ``work.run.Turns``): its voxels are summed up if any
    lies on its grid.

    Returns:
        A tuple of entries, the newest first.
    """
    grid = volumeGrid(volumeNode)
    found = [entry for entry in journals(folder) if entry.grid is not None and grid.coincides(entry.grid)]
    if not found:
        return ()
    checksum = yield from voxelChecksum(volumeNode)
    return tuple(entry for entry in found if entry.checksum == checksum)


def restore(entry: Entry, volumeNode: Any) -> "slicer.vtkMRMLSegmentationNode":
    """Make a new result of a journal beside what the scene holds, all at once; see ``restoring``.

    The journal stays until ``remove`` is called.

    Raises:
        InputError: it is damaged, or of another scan.
    """
    return doAtOnce(restoring(entry, volumeNode))


def remove(entry: Entry) -> bool:
    """Remove a journal; returns whether it is gone. Never raises."""
    return removeEntry(entry)
