"""The messages of corrections, and what comes of them; see ``messages``."""

from dataclasses import dataclass
from typing import ClassVar, Optional, Tuple

from ..images.grid import Grid

Point = Tuple[float, float, float]
"""LPS mm."""


@dataclass(frozen=True)
class StrokeLine:
    """A line drawn to correct: points LPS mm, mm around them, whether they belong to the target."""

    points: Tuple[Point, ...]
    radius_mm: float = 0.0
    include: bool = True


@dataclass(frozen=True)
class OpenCase:
    """Keep a scan for corrections; that of the ``open-case`` before is let go. Answered by ``case-opened`` or
    ``error``.

    ``voxels``, ``grid`` as in ``measure``, ``modality`` "CT" or "MR". ``labels``: uint8 .npy, the automatic
    segmentation, or one from elsewhere: voxels that differ from it later count as edited. ``probability``: as
    in ``result``, of these labels. The files must stay, unchanged, as long as the case is open.
    """

    type: ClassVar[str] = "open-case"
    id: str
    voxels: str
    grid: Grid
    labels: Optional[str] = None
    probability: Optional[str] = None
    modality: str = "CT"


@dataclass(frozen=True)
class Refine:
    """Correct the labels in a box of an open case; the fields are those of ``correct.Correction``.

    ``case``: the id of the ``open-case``. ``box``: (z0, z1, y0, y1, x0, x1) of the scan's array, ends
    excluded. ``labels``: uint8 .npy of the box, the labels now; read at once (written
    fastest by ``scratch.save_array``). ``earlier``: the clicks and
    strokes of earlier corrections, oldest first. Answered by ``refine-result`` or ``error``, with code
    "case-not-open" if the worker does not have the case (any more).
    """

    type: ClassVar[str] = "refine"
    id: str
    case: str
    action: str
    target: str
    box: Tuple[int, ...]
    labels: str
    include: Tuple[Point, ...] = ()
    exclude: Tuple[Point, ...] = ()
    strokes: Tuple[StrokeLine, ...] = ()
    size: Optional[float] = None
    earlier: Tuple[StrokeLine, ...] = ()


@dataclass(frozen=True)
class CaseOpened:
    """A case is open; ``id`` is its name from now on."""

    type: ClassVar[str] = "case-opened"
    id: str


@dataclass(frozen=True)
class RefineResult:
    """Labels are corrected. ``box``: (z0, z1, y0, y1, x0, x1) of the scan's array that holds every changed
    voxel; ``labels``: uint8 .npy of that box, all labels as they are now, in ``folder``, a subfolder of the
    private one that the reader may remove. If nothing changed, ``box`` is empty and there is no folder.

    ``voxels_added``, ``voxels_removed``: of the target. ``seconds``: for the computation.
    """

    type: ClassVar[str] = "refine-result"
    id: str
    folder: Optional[str]
    labels: Optional[str]
    box: Tuple[int, ...]
    voxels_added: int
    voxels_removed: int
    seconds: float
