"""The message that hands over a segmentation that others made; a ``result`` answers it."""

from dataclasses import dataclass
from typing import ClassVar, Optional, Tuple

from ..images.grid import Grid


@dataclass(frozen=True)
class GivenSegment:
    """A segment as its owner holds it, in files of the private folder; points are LPS mm of the scan.

    ``name``: for people. ``structure``: what it is, "liver", "spleen", "tumor" or "none". One of:
    ``labels``, integers (z, y, x) on ``grid``, in which ``value`` is the segment; ``points``, float (n, 3),
    with ``contours``, int (m,): how many of them each closed contour takes, in turn; ``points`` with
    ``triangles``, int (m, 3), of a closed surface. None of them: it is empty.
    """

    name: str
    structure: str
    labels: Optional[str] = None
    grid: Optional[Grid] = None
    value: int = 1
    points: Optional[str] = None
    contours: Optional[str] = None
    triangles: Optional[str] = None


@dataclass(frozen=True)
class TakeSegmentation:
    """Measure a segmentation that others made on a scan: ``voxels`` and ``grid`` as in ``measure``.

    ``source``: name of the segmentation, and ``kind`` what it is, for sentences and provenance. ``made``:
    how, see ``review.WAYS``; empty if nobody said. ``drawn_on``: name of the scan that it was drawn on, if
    that is another. The other fields as in ``segment``. Answered as any work, by ``result`` in the end.
    """

    type: ClassVar[str] = "take-segmentation"
    id: str
    voxels: str
    grid: Grid
    segments: Tuple[GivenSegment, ...]
    source: str
    kind: str
    made: str = ""
    drawn_on: str = ""
    name: Optional[str] = None
    modality: Optional[str] = None
    kvp: Optional[float] = None
    contrast_agent: Optional[str] = None
    description: Optional[str] = None
    surfaces: bool = True
    probability: ClassVar[bool] = False
