"""A segmentation that another program holds in memory, as a mask on the grid of a scan."""

from dataclasses import dataclass
from typing import Callable, Dict, FrozenSet, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ..errors import InputError
from ..images.grid import Grid
from ..sentences import Sentence
from . import rtstruct
from .belonging import Reference
from .contours import Contour
from .given import GivenMask, mask_of
from .naming import Segment, labels_of
from .placing import pasted, resampled

_NOBODY: FrozenSet[str] = frozenset()
_LOST_BY_ROUNDING = 0.05
"""A segment that another grid makes smaller by no more than this part lies within the scan."""


@dataclass(frozen=True, eq=False)
class HeldSegment:
    """A segment as somebody holds it.

    Attributes:
        name: of the segment, for people.
        structure: what it is: "liver", "spleen", "tumor" or "none", see ``naming.WORDS``.
        voxels: bool (z, y, x) on ``grid``; None if it has none.
        grid: where the voxels lie, LPS mm.
        contours: closed contours, LPS mm, where it was drawn so.
    """

    name: str
    structure: str
    voxels: Optional[np.ndarray] = None
    grid: Optional[Grid] = None
    contours: Tuple[Contour, ...] = ()


def mask_of_held(
    held: Sequence[HeldSegment], grid: Grid, name: str, kind: str, check: Callable[[], None] = lambda: None
) -> GivenMask:
    """Return segments as a mask of LiverSeg on the grid of a scan.

    Voxels that are voxels of the scan stay as they are; others are resampled, linear, half and more. Contours
    become the voxels whose centres they hold, as those of an RT structure set.

    Args:
        grid: of the scan.
        name: of the segmentation, for sentences.
        kind: what it is, for the provenance.
        check: called often; may raise to cancel.

    Raises:
        InputError: no segment is the liver, or it has nothing, nothing within the scan, or oblique contours.
        UsageError: a structure is unknown.
    """
    segments = tuple(Segment(number, item.name) for number, item in enumerate(held, 1))
    told = {str(number): item.structure for number, item in enumerate(held, 1)}
    by_number = [Segment(segment.number, "") for segment in segments]  # names may be there twice
    labels, rest = labels_of(by_number, told, name)
    warnings: List[str] = []
    masks = _drawn(held, labels, segments, grid, name, warnings, check)
    _add_voxels(held, labels, grid, name, masks, warnings, check)
    left = [segments[segment.number - 1] for segment in rest]
    return mask_of(masks, grid, kind, segments, labels, left, warnings, name)


def _drawn(
    held: Sequence[HeldSegment],
    labels: Dict[int, int],
    segments: Sequence[Segment],
    grid: Grid,
    name: str,
    warnings: List[str],
    check: Callable[[], None],
) -> Dict[int, np.ndarray]:
    """Label -> bool (z, y, x) of what was drawn as contours, without a voxel where nothing was."""
    contours = {number: item.contours for number, item in enumerate(held, 1)}
    structures = rtstruct.StructureSet(name, tuple(segments), contours, Reference(_NOBODY, _NOBODY))
    masks, outside, said = rtstruct.onto(structures, labels, grid, check)
    warnings += said
    if outside:
        warnings.append(Sentence("segmentation.planes-outside", name=name, count=outside))
    return masks


def _add_voxels(
    held: Sequence[HeldSegment],
    labels: Mapping[int, int],
    grid: Grid,
    name: str,
    masks: Dict[int, np.ndarray],
    warnings: List[str],
    check: Callable[[], None],
) -> None:
    """Add what segments have as voxels to the masks, and say what was resampled or lies outside."""
    total = inside = 0.0
    anything = any(mask.any() for mask in masks.values())
    for number, label in labels.items():
        check()
        item = held[number - 1]
        anything = anything or bool(item.contours)
        if item.voxels is None or item.grid is None or not item.voxels.any():
            continue
        placed = _placed(item.voxels, item.grid, grid)
        is_resampled = placed is None
        if placed is None:
            placed = resampled(item.voxels, item.grid, grid)
            warnings.append(Sentence("segmentation.resampled", name=name))
        ml = float(np.count_nonzero(item.voxels)) * item.grid.voxel_ml
        found = float(np.count_nonzero(placed)) * grid.voxel_ml
        total += ml
        inside += ml if is_resampled and found > (1 - _LOST_BY_ROUNDING) * ml else min(ml, found)
        masks[label] = masks[label] | placed
    if not total and not anything:
        raise InputError(Sentence("segmentation.empty", name=name))
    percent = round(100 * (total - inside) / total) if total else 0
    if inside and total - inside > 0.001 * total:
        warnings.append(Sentence("segmentation.outside", name=name, percent=max(1, percent)))
    warnings[:] = dict.fromkeys(warnings)


def _placed(voxels: np.ndarray, own: Grid, grid: Grid) -> Optional[np.ndarray]:
    """The voxels on the grid, bool (z, y, x), as they are; None if they lie between its voxels."""
    if own == grid:
        return voxels
    found = pasted(voxels.view(np.uint8), own, grid)
    return None if found is None else found.view(bool)
