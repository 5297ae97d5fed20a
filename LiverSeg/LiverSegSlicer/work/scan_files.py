"""The voxels of the scan that was worked on last, in the worker's private folder for as long as it lives:
written once and used by every request on that scan.
"""

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Optional, Tuple
from uuid import uuid4

import slicer

from LiverSegLib.errors import write_failure
from LiverSegLib.worker import scratch

from .child_process import ChildProcess
from .files import writeArray
from .input_watch import volumeState
from .run import Run, Steps


@dataclass(eq=False)
class KeptScan:
    """The voxels of a scan in a file.

    Attributes:
        child: the process in whose private folder they are.
        state: which voxels, and where they lie.
        folder: holds the file, and what belongs to this scan.
        case: name by which the worker knows the case to correct, and what was handed over for it; None if
            none is open.
        probability: the result (its time, see ``parts.TIME``) that the file with the probability is of.
    """

    child: ChildProcess
    state: Tuple[Any, ...]
    folder: Path
    case: Optional[Tuple[str, Tuple[Any, ...]]] = None
    probability: Optional[str] = None
    _labels: Optional[Path] = None

    @property
    def voxels(self) -> Path:
        """The file, .npy, (z, y, x), HU."""
        return self.folder / "voxels.npy"

    @property
    def probabilityFile(self) -> Path:
        """Where the probability of a result is kept, .npy, uint8 (z, y, x)."""
        return self.folder / "probability.npy"

    def opened(self, name: str, handedOver: Tuple[Any, ...], labels: Path) -> None:
        """A case is open; the labels of the one before are no longer needed."""
        old, self._labels = self._labels, labels
        self.case = (name, handedOver)
        if old is not None:
            try:
                old.unlink()
            except OSError:  # Windows, while the worker has not let go of it; the folder goes in the end
                pass

    def probabilityOf(self, result: Optional[str]) -> Optional[Path]:
        """Return the file with the probability of a result; None if there is none."""
        isThere = result is not None and self.probability == result and self.probabilityFile.exists()
        return self.probabilityFile if isThere else None


@contextmanager
def folderFor(run: Run) -> Iterator[Path]:
    """A folder for what this run hands over, in the private folder of the worker, which is started if need
    be; removed after the block.

    Raises:
        OutputError: it cannot be made.
    """
    folder = _newFolder(run)
    try:
        yield folder
    finally:
        scratch.remove_tree(folder)


def keepScan(run: Run, volumeNode: Any, *, anew: bool = False) -> Steps:
    """Write the voxels of a scan for the worker, unless they are there; the result is a ``KeptScan``.

    Args:
        anew: write them in any case: a script may have changed them without telling VTK.

    Raises:
        OutputError: The disk is full or cannot be written to.
    """
    kept = run.worker.keptScan
    # without the array itself, which must not be kept alive: VTK gives out each modification time once
    child, state = run.worker.start(), volumeState(volumeNode)[1:]
    if not anew and isinstance(kept, KeptScan) and kept.child is child and kept.state == state:
        run.child = child
        return kept
    run.worker.keptScan = None
    if isinstance(kept, KeptScan):
        scratch.remove_tree(kept.folder)
    folder = _newFolder(run)
    try:
        fresh = KeptScan(run.child, state, folder)
        yield from writeArray(fresh.voxels, slicer.util.arrayFromVolume(volumeNode))
    except BaseException:
        scratch.remove_tree(folder)
        raise
    run.worker.keptScan = fresh
    return fresh


def _newFolder(run: Run) -> Path:
    child = run.child = run.worker.start()
    folder = child.folder / uuid4().hex[:12]
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        if child.error is not None:
            raise child.error from error
        raise write_failure(error, folder.parent.parent, "write.scan-over") from error
    return folder
