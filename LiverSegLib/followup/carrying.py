"""Lesions of all dates in one common space, that of the first date."""

from typing import List, Sequence, Tuple

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..images.grid import Box, Grid, bounding_box
from ..labels import TUMOUR
from ..masks.components import connected_components
from ..measure.measurements import Lesion
from .deformation import Deformation
from .matching import Carried
from .visits import Visit

COMMON_MM = 1.5
"""Edge of the common space's voxels, mm: the smallest lesion that is kept, 5 mm across, has some twenty."""
MOST_VOXELS = 512
OTHER_SIZE = 1e4
"""A component of another size lies this much further off (mm): it is not the lesion."""


def lesion_numbers(visit: Visit) -> Tuple[np.ndarray, Box]:
    """Return the number of each tumor voxel's lesion, int32, in a box (z, y, x) of the scan's array."""
    labels = sitk.GetArrayViewFromImage(visit.result.labels)
    tumour = labels == TUMOUR
    box = bounding_box(tumour)
    if box is None:
        return np.zeros((0, 0, 0), np.int32), (slice(0, 0), slice(0, 0), slice(0, 0))
    components, count = connected_components(tumour[box])
    sizes = np.bincount(components.ravel(), minlength=count + 1)[1:]
    first = np.array([part.start for part in box])
    centres = np.array(ndimage.center_of_mass(components > 0, components, range(1, count + 1))) + first
    places = visit.grid.points(centres[:, ::-1])
    numbers = np.zeros(count + 1, np.int32)
    for lesion in visit.result.measurements.lesions:
        away = np.linalg.norm(places - lesion.centre, axis=1) + OTHER_SIZE * (sizes != lesion.voxels)
        numbers[1 + int(np.argmin(np.where(numbers[1:] == 0, away, np.inf)))] = lesion.number
    return numbers[components], box


def carried(index: int, visit: Visit, deformation: Deformation, common: Grid) -> List[Carried]:
    """Return the lesions of a date, in its table's order, in the common space.

    Args:
        index: of the date.
        visit: the date.
        deformation: from the common space to the scan.
        common: the grid of the common space.
    """
    lesions = visit.result.measurements.lesions
    if not lesions:
        return []
    numbers, box = lesion_numbers(visit)
    image = visit.grid.crop(box).image(numbers)
    moved = sitk.Resample(
        image, common.size, deformation.transform(), sitk.sitkNearestNeighbor, common.origin,
        common.spacing, common.direction, 0,
    )  # fmt: skip
    array = sitk.GetArrayFromImage(moved)
    places = ndimage.find_objects(array, max_label=max(lesion.number for lesion in lesions))
    found = []
    for lesion in lesions:
        own = places[lesion.number - 1]
        if own is None:  # too small for the common grid, or carried out of it
            found.append(_speck(index, lesion, deformation, common))
            continue
        mask = array[own] == lesion.number
        first = [part.start for part in own]
        points = common.points((np.argwhere(mask) + first)[:, ::-1])
        found.append(Carried(index, lesion.number, own, mask, points))
    return found


def _speck(index: int, lesion: Lesion, deformation: Deformation, common: Grid) -> Carried:
    """A lesion as the one voxel of the common grid at its center, which may lie beyond the grid."""
    place = deformation.inverse(np.asarray(lesion.centre)[None])
    x, y, z = (int(value) for value in np.rint(common.indices(place)[0]))
    box = (slice(z, z + 1), slice(y, y + 1), slice(x, x + 1))
    return Carried(index, lesion.number, box, np.ones((1, 1, 1), bool), place)


def part_in_view(points: np.ndarray, visit: Visit, deformation: Deformation) -> float:
    """Return the share of places of the common space, LPS mm (n, 3), that a scan shows."""
    sample = points[:: max(1, len(points) // 500)]
    indices = visit.grid.indices(deformation.forward(sample))
    inside = (indices >= -0.5) & (indices <= np.array(visit.grid.size) - 0.5)
    return float(inside.all(axis=1).mean())


def label_at(visit: Visit, numbers: Tuple[np.ndarray, Box], points: np.ndarray) -> np.ndarray:
    """Return the lesion's number, int (n,), at places of a scan, LPS mm (n, 3); 0 for none.

    Args:
        numbers: as :func:`lesion_numbers` returns them.
    """
    array, box = numbers
    if not array.size:
        return np.zeros(len(points), np.int32)
    first = np.array([part.start for part in box])
    indices = np.rint(visit.grid.indices(points)[:, ::-1]).astype(int) - first
    inside = ((indices >= 0) & (indices < array.shape)).all(axis=1)
    found = np.zeros(len(points), np.int32)
    found[inside] = array[tuple(indices[inside].T)]
    return found


def centre_of(items: Sequence[Carried]) -> np.ndarray:
    """Return the center of lesions in the common space, LPS mm (3,)."""
    return np.concatenate([item.points for item in items]).mean(axis=0)
