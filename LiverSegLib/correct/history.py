"""What was changed, small enough to keep: the labels of the changed box before and after, compressed."""

import zlib
from dataclasses import dataclass
from typing import List, Optional, Tuple

import numpy as np

from ..images.grid import Box


@dataclass(frozen=True, eq=False)
class Change:
    """A change of the labels.

    Attributes:
        box: the box (z, y, x) of the scan's array that holds every changed voxel; empty if there is none.
        labels_in_box: uint8 (z, y, x), the labels in the box now.
        voxels_added: how many voxels the target gained.
        voxels_removed: how many it lost.
        seconds: how long it took.
    """

    box: Box
    labels_in_box: np.ndarray
    voxels_added: int
    voxels_removed: int
    seconds: float

    @property
    def is_empty(self) -> bool:
        """Whether no voxel changed."""
        return self.labels_in_box.size == 0


@dataclass(frozen=True)
class Packed:
    """An array of uint8 or bool, compressed."""

    shape: Tuple[int, ...]
    is_bool: bool
    data: bytes

    @classmethod
    def of(cls, array: np.ndarray) -> "Packed":
        """Compress an array."""
        is_bool = array.dtype == np.bool_
        raw = np.packbits(array) if is_bool else np.ascontiguousarray(array)
        return cls(array.shape, is_bool, zlib.compress(raw.tobytes(), 1))

    def array(self) -> np.ndarray:
        """Return the array."""
        raw = np.frombuffer(zlib.decompress(self.data), np.uint8)
        if not self.is_bool:
            return raw.reshape(self.shape)
        count = int(np.prod(self.shape))
        return np.unpackbits(raw, count=count).astype(bool).reshape(self.shape)


@dataclass(frozen=True)
class Entry:
    """One action of the reader.

    Attributes:
        action: "refine", "add_lesion", "remove_lesion", "split_lesion" or "merge_lesions".
        target: name of the target.
        box: the box (z, y, x) of everything below.
        before: labels in the box before.
        after: labels in the box after.
        told: the voxels under strokes.
        voxels_added: how many voxels the target gained.
        voxels_removed: how many it lost.
        point: LPS mm of the click that added a lesion.
    """

    action: str
    target: str
    box: Box
    before: Packed
    after: Packed
    told: Packed
    voxels_added: int
    voxels_removed: int
    point: Optional[Tuple[float, ...]] = None

    @property
    def bytes(self) -> int:
        """Size of the compressed arrays."""
        return sum(len(packed.data) for packed in (self.before, self.after, self.told))


class History:
    """Entries done and entries undone."""

    def __init__(self) -> None:
        self.done: List[Entry] = []
        self.undone: List[Entry] = []

    def add(self, entry: Entry) -> None:
        """Keep an entry; what was undone before can no longer be done again."""
        self.done.append(entry)
        self.undone.clear()

    def touched(self, box: Box) -> List[Tuple[np.ndarray, np.ndarray]]:
        """Return for each entry that meets a box which of the box's voxels were told and which changed, bool
        (z, y, x), oldest first."""
        found = []
        for entry in self.done:
            overlap = _overlap(entry.box, box)
            if overlap is None:
                continue
            there, here = overlap
            told, changed = (np.zeros([part.stop - part.start for part in box], bool) for _ in range(2))
            told[here] = entry.told.array()[there]
            changed[here] = (entry.before.array() != entry.after.array())[there]
            found.append((told, changed))
        return found


def _overlap(first: Box, second: Box) -> Optional[Tuple[Box, Box]]:
    """Return where two boxes meet, relative to each; None if they do not."""
    starts = [max(a.start, b.start) for a, b in zip(first, second)]
    stops = [min(a.stop, b.stop) for a, b in zip(first, second)]
    if any(start >= stop for start, stop in zip(starts, stops)):
        return None
    relative = []
    for box in (first, second):
        z, y, x = (slice(a - part.start, b - part.start) for a, b, part in zip(starts, stops, box))
        relative.append((z, y, x))
    return relative[0], relative[1]
