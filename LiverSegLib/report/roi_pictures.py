"""The ROIs of a fatty-liver assessment drawn on axial slices: as few slices as show every one of them."""

import itertools
from typing import Dict, List, NamedTuple, Sequence, Set, Tuple

import numpy as np
from PIL import Image

from ..images.grid import bounding_box
from ..labels import LIVER, SPLEEN
from ..steatosis.assessment import MeasuredRoi
from ..steatosis.roi import LIVER_KEY, SPLEEN_KEY, Roi
from .drawing import Mark
from .frame import Box, box_around
from .pictures import slice_picture
from .planes import PLANES, PatientView

ROI_WINDOW = (50.0, 250.0)
"""Level and width in HU: narrower than the usual abdominal window, to compare liver and spleen by eye."""

ROI_PICTURE_WIDTH = 620
MOST_SLICES = 12
"""At most so many slices are shown, those with the most ROIs first."""

ORGANS_MARGIN_MM = 15.0
"""Room around liver and spleen in the pictures."""

SHEET_COLUMNS = 3
SHEET_GAP = 12
"""Columns of the sheet of all pictures, and pixels between them."""

PLANE = "axial"
_LABELS = {LIVER_KEY: LIVER, SPLEEN_KEY: SPLEEN}


class RoiPicture(NamedTuple):
    """One slice with the ROIs that it cuts, and their names. ``slice_index`` counts towards superior."""

    picture: Image.Image
    slice_index: int
    names: Tuple[str, ...]


def roi_pictures(view: PatientView, readings: Sequence[MeasuredRoi]) -> List[RoiPicture]:
    """Draw the slices through the ROIs, from superior to inferior.

    A dashed ROI is suspicious. Organs are outlined as everywhere in the report. Where slices lie further
    apart than an ROI is high, the nearest slice shows it.
    """
    box = organs_box(view)
    pictures = []
    for index in sorted(covering_slices(view, [roi for roi, _ in readings]), reverse=True):
        marks = [
            Mark(section(view, roi, index), roi.name, _LABELS[roi.organ], dashed=bool(values.flags))
            for roi, values in readings
            if index in slices_through(view, roi)
        ]
        picture = slice_picture(
            view, PLANE, index, box=box, width=ROI_PICTURE_WIDTH, window=ROI_WINDOW, marks=marks
        )
        pictures.append(RoiPicture(picture, index, tuple(mark.name for mark in marks)))
    return pictures


def roi_sheet(pictures: Sequence[RoiPicture]) -> Image.Image:
    """All pictures, at least one, on one sheet, row by row."""
    width, height = pictures[0].picture.size
    columns = min(SHEET_COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    size = (columns * (width + SHEET_GAP) - SHEET_GAP, rows * (height + SHEET_GAP) - SHEET_GAP)
    sheet = Image.new("RGB", size, (255, 255, 255))
    for number, item in enumerate(pictures):
        row, column = divmod(number, columns)
        sheet.paste(item.picture, (column * (width + SHEET_GAP), row * (height + SHEET_GAP)))
    return sheet


def covering_slices(view: PatientView, rois: Sequence[Roi]) -> List[int]:
    """Indices of axial slices that together cut all ROIs, those that cut the most first.

    Among equals the slice nearest to the middles of its ROIs is taken.
    """
    through = [slices_through(view, roi) for roi in rois]
    middles = [view.index_of(roi.centre)[PLANES[PLANE].normal] for roi in rois]
    open_: Set[int] = set(range(len(rois)))
    chosen: List[int] = []
    while open_ and len(chosen) < MOST_SLICES:
        cut: Dict[int, List[int]] = {}
        for number in sorted(open_):
            for index in through[number]:
                cut.setdefault(index, []).append(number)
        off = {index: sum(abs(middles[n] - index) for n in numbers) for index, numbers in cut.items()}
        best = min(cut, key=lambda index: (-len(cut[index]), off[index], index))
        chosen.append(best)
        open_ -= set(cut[best])
    return chosen


def slices_through(view: PatientView, roi: Roi) -> range:
    """Indices of the axial slices that cut an ROI; the nearest if it lies between two, or beyond the scan."""
    places = [view.index_of(corner)[PLANES[PLANE].normal] for corner in _corners(roi)]
    low, high = int(np.ceil(min(places) - 1e-6)), int(np.floor(max(places) + 1e-6))
    last = view.slices(PLANE) - 1
    low, high = max(low, 0), min(high, last)
    if low <= high:
        return range(low, high + 1)
    nearest = view.nearest_slice(PLANE, roi.centre)
    return range(nearest, nearest + 1)


def section(view: PatientView, roi: Roi, index: int) -> np.ndarray:
    """Outline of an ROI where an axial slice cuts it: mm (row, column), (n, 2), closed.

    On a tilted scan that is not always a rectangle. A slice that passes by shows the nearest section.
    """
    corners = _corners(roi)
    places = np.array([view.index_of(corner)[PLANES[PLANE].normal] for corner in corners])
    at = min(max(float(index), places.min()), places.max())
    points = []
    for one, other in itertools.combinations(range(8), 2):
        # corners differ in one bit where an edge joins them
        if bin(one ^ other).count("1") != 1 or places[one] == places[other]:
            continue
        share = (at - places[one]) / (places[other] - places[one])
        if -1e-9 <= share <= 1 + 1e-9:
            points.append(view.place_in(PLANE, corners[one] + share * (corners[other] - corners[one])))
    ring = np.array(points)
    around = ring - ring.mean(axis=0)
    ring = ring[np.argsort(np.arctan2(around[:, 0], around[:, 1]), kind="stable")]
    return np.concatenate([ring, ring[:1]])


def organs_box(view: PatientView) -> Box:
    """The part of the axial plane that holds liver and spleen in any slice, in mm."""
    layout = PLANES[PLANE]
    found = bounding_box(view.labels) or view.grid.box
    sides = []
    for axis in (layout.rows, layout.columns):
        part, step = found[2 - axis], view.spacing[axis]
        sides.append(((part.start - 0.5) * step, (part.stop - 0.5) * step))
    (top, bottom), (left, right) = sides
    middle = ((top + bottom) / 2, (left + right) / 2)
    return box_around(middle, bottom - top + 2 * ORGANS_MARGIN_MM, right - left + 2 * ORGANS_MARGIN_MM)


def _corners(roi: Roi) -> np.ndarray:
    """The corners of an ROI, LPS mm, (8, 3); the bits of a corner's number say low or high along x, y, z."""
    signs = np.array([[(number >> axis & 1) - 0.5 for axis in range(3)] for number in range(8)])
    return np.asarray(roi.centre) + signs * np.asarray(roi.size)
