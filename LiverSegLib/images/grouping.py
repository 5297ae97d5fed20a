"""Which DICOM slices form one stack, and in which order."""

from typing import Dict, List, Optional, Tuple

import numpy as np

from .dicom import Slice

_ORIENTATION_TOLERANCE = 0.01
"""Direction cosines that differ by less belong to one stack (0.6 degrees)."""

SAME_POSITION_MM = 0.01
"""Slices closer than this lie at one position."""

GAP_TOLERANCE = 0.1
"""Distances between slices may differ by this share of their median (positions are often stored rounded)."""

SPLITTING = ("acquisition", "temporal", "image_type", "kernel", "time")
"""What may tell the stacks of one series apart, in the order in which it is tried."""


def stacks(slices: Tuple[Slice, ...]) -> List[List[Slice]]:
    """Group slices into stacks: one series, size, spacing and orientation each, sorted along the normal.

    A series that passes the same positions several times (two phases, two kernels in one series), or parts of
    the body twice at other positions, is split by acquisition number, temporal position, image type, kernel
    or acquisition time, whichever gives stacks without repetition. Stacks that an enhanced image names stay
    apart. Identical instances stored twice count once.
    """
    groups: Dict[tuple, List[List[Slice]]] = {}
    for item in _without_copies(slices):
        key = (
            item.uid,
            item.modality,
            item.class_uid,
            item.size,
            _rounded(item.spacing),
            "LOCALIZER" in item.image_type,
            item.stack,
        )
        alike = groups.setdefault(key, [])
        for group in alike:
            if _same_orientation(group[0], item):
                group.append(item)
                break
        else:
            alike.append([item])
    result = []
    for alike in groups.values():
        for group in alike:
            result += _split(group)
    return [in_order(group) for group in result]


def copies(slices: Tuple[Slice, ...]) -> int:
    """How many slices are second copies of an instance that is there already."""
    return len(slices) - len(_without_copies(slices))


def normal(item: Slice) -> Optional[np.ndarray]:
    """Unit normal of the slice plane (3,), LPS; ``None`` without a usable orientation."""
    if item.orientation is None:
        return None
    cross = np.cross(item.orientation[:3], item.orientation[3:])
    length = np.linalg.norm(cross)
    return cross / length if length > 0.5 else None


def in_order(slices: List[Slice]) -> List[Slice]:
    """Slices sorted by their place along the normal, or by instance number where the header has no
    position.
    """
    places = places_mm(slices)
    if places is None:
        return sorted(slices, key=lambda item: (item.instance or 0, item.path, item.frame or 0))
    # Equal positions fall back to path and frame, so that the order never depends on the file system.
    order = sorted(
        range(len(slices)), key=lambda i: (round(float(places[i]), 3), slices[i].path, slices[i].frame or 0)
    )
    return [slices[i] for i in order]


def places_mm(slices: List[Slice]) -> Optional[np.ndarray]:
    """Distance of each slice along the common normal (n,), mm; ``None`` if a header lacks position or
    orientation.
    """
    axis = normal(slices[0])
    if axis is None or any(item.position is None for item in slices):
        return None
    return np.array([item.position for item in slices]) @ axis


def _rounded(spacing: Optional[Tuple[float, float]]) -> Optional[Tuple[float, ...]]:
    return None if spacing is None else tuple(round(value, 3) for value in spacing)


def _same_orientation(one: Slice, other: Slice) -> bool:
    if one.orientation is None or other.orientation is None:
        return one.orientation is other.orientation
    return max(abs(a - b) for a, b in zip(one.orientation, other.orientation)) < _ORIENTATION_TOLERANCE


def _without_copies(slices: Tuple[Slice, ...]) -> List[Slice]:
    kept: Dict[tuple, Slice] = {}
    for item in slices:
        identity = (item.instance_uid, item.frame) if item.instance_uid else (item.path, item.frame)
        kept.setdefault((item.uid,) + identity, item)
    return list(kept.values())


def repeats(slices: List[Slice]) -> int:
    """How many slices lie where another slice of the stack lies already."""
    places = places_mm(slices)
    if places is None or len(slices) < 2:
        return 0
    return int(np.count_nonzero(np.diff(np.sort(places)) < SAME_POSITION_MM))


def odd_gaps(places: np.ndarray) -> np.ndarray:
    """The indices of the distances between neighbours, of sorted places in mm (n,), that are not usual."""
    gaps = np.diff(places)
    usual = float(np.median(gaps))
    return np.flatnonzero(np.abs(gaps - usual) > max(GAP_TOLERANCE * usual, SAME_POSITION_MM))


def _split(slices: List[Slice]) -> List[List[Slice]]:
    has_repeats = repeats(slices) > 0
    if not has_repeats and not _is_uneven(slices):
        return [slices]
    for attribute in SPLITTING:
        parts: Dict[object, List[Slice]] = {}
        for item in slices:
            parts.setdefault(getattr(item, attribute), []).append(item)
        # Parts of one slice each are no stacks, only a different time for every slice.
        if len(parts) < 2 or len(slices) < 3 * len(parts) or any(repeats(part) for part in parts.values()):
            continue
        if has_repeats or _are_regular_and_overlap(list(parts.values())):
            return list(parts.values())
    return [slices]


def _is_uneven(slices: List[Slice]) -> bool:
    places = places_mm(slices)
    return places is not None and len(slices) > 2 and odd_gaps(np.sort(places)).size > 0


def _are_regular_and_overlap(parts: List[List[Slice]]) -> bool:
    """Whether each part is a stack, and some lie beside others: two scans of a region, not one with a gap."""
    if any(_is_uneven(part) for part in parts):
        return False
    axis = normal(parts[0][0])
    ends = sorted(
        (float(places.min()), float(places.max()))
        for places in (np.array([item.position for item in part]) @ axis for part in parts)
    )
    return any(low < high for (_, high), (low, _) in zip(ends, ends[1:]))
